"""What no honest client sends: cases that schemathesis draws from the OpenAPI, requests that are no HTTP, traversal.

    python benchmarks/service_fuzz.py [--cases 5000] [--raw 2000] [--names 200]

Fails on any 5xx but 503 and 504, on an answer that the OpenAPI does not know, on a byte of a file of this machine, on
a path of this machine in an answer, and if the service does not live afterwards.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import random
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import quote

from service import BOX, Service, photo

OPERATIONS = 7  # of 14; the others take nothing that could be varied
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
CONFIG = """[parameters]
key = "{key}"
[[operations]]
include-name = "DELETE /api/v1/pictures/{{key}}"
parameters = {{ key = "none" }}
"""
SECRET = b"root:x:0:0"


def schema(service: Service, key: str, cases: int, seed: int) -> int:
    """Let schemathesis draw cases about a picture that is there, and return its exit code."""
    report, config = service.folder / "schemathesis.txt", service.folder / "schemathesis.toml"
    config.write_text(CONFIG.format(key=key))
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run"]
    command += [f"{service.url}/openapi.json", "--checks", CHECKS]
    command += ["--max-examples", str(-(-cases // OPERATIONS)), "--phases", "examples,fuzzing", "--workers", "1"]
    command += [
        "--seed",
        str(seed),
        "--request-timeout",
        "90",
        "--suppress-health-check",
        "all",
        "--no-color",
        "--max-failures",
        "5",
    ]
    with report.open("wb") as file:
        code = subprocess.run(
            command, stdout=file, stderr=subprocess.STDOUT, cwd=service.folder, check=False
        ).returncode
    print("\n".join(report.read_text().splitlines()[-25:]))
    return code


def malformed(draw: random.Random, key: str) -> bytes:
    """Return a request that is broken somewhere."""
    body = json.dumps({"boxes": [BOX]}).encode()
    head = [
        f"POST /api/v1/pictures/{key}/restorations HTTP/1.1".encode(),
        b"Host: 127.0.0.1",
        b"Connection: close",
        b"Content-Length: " + str(len(body)).encode(),
    ]
    for _ in range(draw.randint(1, 3)):
        what = draw.randrange(9)
        n = draw.randrange(len(head))
        if what == 0:
            head[n] = bytes(draw.randrange(256) for _ in range(draw.randrange(200)))
        elif what == 1:
            head.insert(n, head[n])
        elif what == 2:
            head.append(b"X: " + b"a" * draw.choice((10, 10_000, 200_000)))
        elif what == 3:
            head.append(draw.choice((b"Transfer-Encoding: chunked", b"Transfer-Encoding: x, chunked", b"TE: \0")))
        elif what == 4:
            head[-1] = b"Content-Length: " + draw.choice((b"-1", b"1e9", b"99999999999999999999", b"0, 5", b"\xb2"))
        elif what == 5:
            head[0] = draw.choice(
                (b"GET", b"POST", b"\0", b"CONNECT a:1", b"PRI * HTTP/2.0", b"GET http://x/ HTTP/1.1")
            )
        elif what == 6:
            body = bytes(draw.randrange(256) for _ in range(draw.randrange(300)))
        elif what == 7:
            body = draw.choice((b"[" * 50_000, b'{"boxes":' * 9_999, b"1" * 9_999, b"\xff\xfe", b'{"boxes":[1e999]}'))
        else:
            head[0] = head[0].replace(b"HTTP/1.1", draw.choice((b"HTTP/9.9", b"HTTP/1.0", b"", b"HTTP/1.1 x")))
    separator = draw.choice((b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r", b"\0"))
    request = separator.join(head) + 2 * separator + body
    return request[: draw.randrange(1, len(request) + 1)] if draw.random() < 0.3 else request


def raw(service: Service, key: str, count: int) -> Counter[str]:
    """Send broken requests, and return how often each status came."""
    draw, statuses = random.Random(0), Counter[str]()
    for _ in range(count):
        with socket.create_connection(service.address, 10) as own:
            try:
                own.sendall(malformed(draw, key))
                own.shutdown(socket.SHUT_WR)
                own.settimeout(15)
                answer = b"".join(iter(lambda: own.recv(65536), b""))
            except OSError as error:
                answer = f"HTTP/1.1 {type(error).__name__} ".encode()
        line = answer.split(b"\r\n", 1)[0].split(b" ")
        statuses[line[1].decode() if len(line) > 1 else "closed"] += 1
        assert b"Traceback" not in answer
        assert str(Path(__file__).parents[1]).encode() not in answer
    return statuses


def traversals(count: int) -> list[str]:
    """Return names that lead out of a folder, in many spellings."""
    ups = [
        "../",
        "..%2f",
        "%2e%2e/",
        "%2e%2e%2f",
        "..\\",
        "..%5c",
        "..%255c",
        "..%252f",
        "....//",
        "..;/",
        "%c0%ae%c0%ae/",
    ]
    ends = ["etc/passwd", "etc%2fpasswd", "etc/passwd%00.png", "proc/self/environ", "etc/passwd#", "etc//passwd"]
    found = [up * depth + end for depth in (1, 3, 8) for up in ups for end in ends]
    found += [
        "/etc/passwd",
        "//etc/passwd",
        "file:///etc/passwd",
        "%2fetc%2fpasswd",
        "http://127.0.0.1:1/",
        "C:\\x",
        "%00",
        "~",
    ]
    return found[:count]


def traversal(service: Service, key: str, count: int) -> Counter[int]:
    """Put such names in every place of every route that takes text, and return how often each status came."""
    statuses: Counter[int] = Counter()
    with contextlib.closing(http.client.HTTPConnection(*service.address, timeout=60)) as client:
        for name in traversals(count):
            asked: list[tuple[str, str, dict[str, Any]]] = [
                ("GET", f"/{name}", {}),
                ("GET", f"/assets/{name}", {}),
                ("GET", f"/api/v1/pictures/{name}", {}),
                ("DELETE", f"/api/v1/pictures/{name}", {}),
                ("GET", f"/api/v1/pictures/{name}/tiles/0/0_0.jpg", {}),
                ("GET", f"/api/v1/pictures/{key}/tiles/{name}/0_0.jpg", {}),
                ("GET", f"/api/v1/pictures/{key}/tiles/0/{name}.jpg", {}),
                ("GET", f"/api/v1/pictures/{name}/bicubic?left=0&top=0&right=1&bottom=1&scale=2", {}),
                ("GET", f"/api/v1/pictures/{key}/bicubic?left={quote(name)}&top=0&right=1&bottom=1&scale=2", {}),
            ]
            for what in ("restorations", "cost", "attention", "paste"):
                box = {"box": BOX} if what == "attention" else {"boxes": [BOX]}
                asked.append(("POST", f"/api/v1/pictures/{name}/{what}", {"json": box}))
                asked.append(("POST", f"/api/v1/pictures/{key}/{what}", {"json": box | {"network": name}}))
            for more in ({"strategy": name}, {"format": name}):
                asked.append(("POST", f"/api/v1/pictures/{key}/restorations", {"json": {"boxes": [BOX]} | more}))
            for method, path, options in asked:
                body = json.dumps(options["json"]) if options else None
                client.request(method, path, body, {"Content-Type": "application/json"} if options else {})
                answer = client.getresponse()
                found = answer.read()
                statuses[answer.status] += 1
                assert SECRET not in found, (method, path)
                assert b"PATH=" not in found, (method, path)
                page = answer.headers.get("content-type", "").startswith("text/html")
                assert answer.status >= 400 or page, (method, path, answer.status)
    return statuses


def main() -> None:
    """Print what was answered, and exit with 1 where that must not be."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=5000)
    parser.add_argument("--raw", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--names", type=int, default=200)
    asked = parser.parse_args()
    with Service() as service:
        key = service.upload(photo())
        broken = raw(service, key, asked.raw)
        print(f"{asked.raw} malformed requests: {dict(broken)}")
        names = traversal(service, key, asked.names)
        print(f"{asked.names} traversal strings on every route: {dict(names)}")
        small = service.upload(photo(64, 48, "PNG"))  # of which all of a case is quickly done
        code = schema(service, small, asked.cases, asked.seed) if asked.cases else 0
        service.ready(5)
        faults = [line for line in service.log.read_text().splitlines() if "Traceback" in line]
        print(f"tracebacks in the log: {len(faults)}; the service lives")
        if faults:
            print(service.log.read_text()[-3000:])
    bad = [status for status in [*broken, *map(str, names)] if status.startswith("5") and status not in ("503", "504")]
    sys.exit(bool(code or bad or faults))


if __name__ == "__main__":
    main()
