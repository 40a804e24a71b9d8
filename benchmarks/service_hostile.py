"""Attacks on a service within 2 GB: what strangers send before they are known, and what clients ask at its limits.

    python benchmarks/service_hostile.py [--seconds 8]

Each attack is repeated for some seconds while an honest client asks for a region, one after the other. Fails where its
median time is more than twice what it is alone, where it is refused, where the service with its workers has 2 GB in
memory or more, or where uploads that stand take more of the disk than they may. Memory is the proportional share (PSS)
of all processes, looked at every tenth of a second.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import statistics
import struct
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import httpx
from service import BOX, Service, photo

MAX_MB = 2000
MAX_DISK = 256  # MiB of pictures and uploads, as the service is told
TOKEN = "a-token-of-25-characters-x"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
HOST = b"Host: 127.0.0.1\r\n"


class Watch:
    """Memory of a service and its workers, and the bytes of its files: the largest that were seen."""

    def __init__(self, service: Service) -> None:
        """Start to look."""
        self.megabytes = self.disk = 0.0
        self._service, self._on = service, True
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._on = False
        self._thread.join()

    def _look(self) -> None:
        """Look every tenth of a second."""
        while self._on:
            total = 0
            for pid in (self._service.process.pid, *self._service.workers):
                with contextlib.suppress(OSError, StopIteration):
                    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
                    total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
            self.megabytes = max(self.megabytes, total / 1000)
            with contextlib.suppress(OSError):
                files = (self._service.folder / "tmp").rglob("picture-*")
                self.disk = max(self.disk, sum(file.stat().st_size for file in files) / 2**20)
            time.sleep(0.1)


class Honest:
    """A client with a picture, who asks for a region of it."""

    def __init__(self, service: Service) -> None:
        """Send the picture."""
        self._client = httpx.Client(base_url=f"{service.url}/api/v1", headers=BEARER, timeout=60)
        self._path = f"/pictures/{self._client.post('/pictures', content=photo()).json()['id']}/restorations"

    def ask(self, until: Callable[[], bool]) -> tuple[float, Counter[int]]:
        """Ask until it is enough; return the median of the seconds, and the statuses."""
        times, statuses = [], Counter[int]()
        while not until():
            began = time.perf_counter()
            statuses[self._client.post(self._path, json={"boxes": [BOX]}).status_code] += 1
            times.append(time.perf_counter() - began)
        return statistics.median(times), statuses


def send(service: Service, request: bytes) -> str:
    """Send raw bytes, and return the status of the answer."""
    with socket.create_connection(service.address, 60) as own:
        try:
            own.sendall(request)
            return own.recv(200).split(b" ", 2)[1].decode()
        except (OSError, IndexError) as error:
            return type(error).__name__


def head(path: str, line: bytes) -> bytes:
    """Return a request without a body, with one header more."""
    return f"GET {path} HTTP/1.1\r\n".encode() + HOST + b"Connection: close\r\n" + line + b"\r\n\r\n"


def run_length_bmp(width: int, height: int, body: bytes) -> bytes:
    """Return a BMP of 8 bits whose lines are ended by `body` long before they are full."""
    palette = b"".join(bytes([n, n, n, 0]) for n in range(256))
    start = 54 + len(palette)
    about = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(body), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", start + len(body), 0, 0, start) + about + palette + body


def interlaced_png(side: int) -> bytes:
    """Return an interlaced PNG of 16 bits: it is decoded whole or not at all."""
    import pyvips

    black = pyvips.Image.black(side, side, bands=3).cast("ushort").copy(interpretation="rgb16")
    return bytes(black.pngsave_buffer(interlace=True, compression=9))


def requests_of_strangers(service: Service) -> list[Callable[[], str]]:
    """Return what anyone can send: what is parsed before the token is looked at."""
    quotes = b'Cookie: localsr="' + b'\\"' * 15_000 + b'"'
    form = (
        b"POST /login HTTP/1.1\r\n" + HOST + b"Connection: close\r\nContent-Length: 16000\r\n\r\n" + b"a=%zz&b&" * 2000
    )
    chunks = b"POST /login HTTP/1.1\r\n" + HOST + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    raw = [head(path, quotes) for path in ("/healthz", "/login", "/api/v1/session")]
    raw += [head("/healthz", b'Cookie: localsr="' + b'\\"' * 30_500 + b'"'), head("/healthz?" + "a&" * 15_000, b"X: y")]
    raw += [
        head("/healthz", b"Range: bytes=" + b"0-1," * 7000),
        head("/healthz", b"Accept-Language: " + b"a;q=0.1," * 3500),
    ]
    raw += [head("/healthz", b"a: b\r\n" * 5000 + b"c: d"), head("/healthz", b"If-None-Match: " + b'W/"a",' * 4000)]
    raw += [form, chunks + b"1\r\nx\r\n" * 16_000 + b"0\r\n\r\n"]
    return [lambda request=request: send(service, request) for request in raw]  # type: ignore[misc]


def wrong_json(service: Service, key: str) -> list[Callable[[], str]]:
    """Return bodies that are wrong everywhere."""
    client = httpx.Client(base_url=f"{service.url}/api/v1", headers=BEARER, timeout=60)
    bodies = [b'{"boxes":[' + b"{}," * 85_000 + b"{}]}", b'{"boxes":[' + b"1," * 125_000 + b"1]}", b"[" * 250_000]
    bodies.append(json.dumps({"boxes": [{str(n): 1 for n in range(20_000)}]}).encode())
    as_json = {"Content-Type": "application/json"}
    return [
        lambda body=body: str(client.post(f"/pictures/{key}/cost", content=body, headers=as_json).status_code)  # type: ignore[misc]
        for body in bodies
    ]


def large_answers(service: Service, key: str, side: int) -> list[Callable[[], str]]:
    """Return what is asked at the limit of an answer: `side` squared by 64 is just within."""
    client = httpx.Client(base_url=f"{service.url}/api/v1/pictures/{key}", headers=BEARER, timeout=120)
    box = {"left": 0, "top": 0, "right": side, "bottom": side}

    def bicubic() -> str:
        with client.stream("GET", "/bicubic", params={**box, "scale": 8}) as answer:
            for _ in answer.iter_bytes(2**20):
                pass
            return str(answer.status_code)

    return [
        bicubic,
        lambda: str(client.post("/cost", json={"boxes": [box] * 30}).status_code),
        lambda: str(client.post("/attention", json={"box": box}).status_code),
    ]


def hostile_pictures(service: Service) -> list[Callable[[], str]]:
    """Return pictures whose header or body promises more than it holds, or that are decoded whole."""
    client = httpx.Client(base_url=f"{service.url}/api/v1", headers=BEARER, timeout=120)
    files = [run_length_bmp(67_000_000, 1, b"\1\1\0\0\0\1"), run_length_bmp(65_000, 1000, b"\1\1\0\0" * 1000 + b"\0\1")]
    files += [run_length_bmp(67_000_000, 1, b"\0\2\xff\xff" * 10), interlaced_png(9_900)]

    def show(data: bytes) -> str:
        answer = client.post("/pictures", content=data)
        if answer.status_code != 201:
            return str(answer.status_code)
        key = answer.json()["id"]
        status = client.get(f"/pictures/{key}/tiles/{answer.json()['tiles']['levels'] - 1}/0_0.jpg").status_code
        client.delete(f"/pictures/{key}")
        return str(status)

    return [lambda data=data: show(data) for data in files]  # type: ignore[misc]


def standing_uploads(service: Service) -> list[Callable[[], str]]:
    """Return an upload that sends all but its end and then stands; those of the last round are held till the next."""
    held: list[socket.socket] = []
    start = b"POST /api/v1/pictures HTTP/1.1\r\n" + HOST + f"Authorization: Bearer {TOKEN}\r\n".encode()
    start += b"Content-Length: %d\r\n\r\n" % (60 << 20)

    def stand() -> str:
        if len(held) > 24:
            held.pop(0).close()
        own = socket.create_connection(service.address, 10)
        held.append(own)
        try:
            own.sendall(start)
            for _ in range(59):
                own.sendall(bytes(2**20))
        except OSError as error:
            return type(error).__name__
        return "stands"

    return [stand] * 4


def attack(calls: list[Callable[[], str]], until: float) -> Counter[str]:
    """Make calls, one after the other, until a time, and return what came of them."""
    found = Counter[str]()
    while True:
        for call in calls:
            found[call()] += 1
            if time.monotonic() > until:
                return found


def main() -> None:
    """Print a row for each attack, and exit with 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=8.0, help="of each attack")
    asked = parser.parse_args()
    os.environ["LOCALSR_TOKEN"] = TOKEN
    fine = True
    with Service("--workers", "2", "--max-disk", str(MAX_DISK), "--max-memory", "256", "--queue", "50") as service:
        key = httpx.post(
            f"{service.url}/api/v1/pictures", content=photo(1760, 1760, "PNG"), headers=BEARER, timeout=60
        ).json()["id"]
        honest = Honest(service)
        for seconds in (3.0, asked.seconds):  # the first ones are slow
            end = time.monotonic() + seconds
            usual, _ = honest.ask(lambda: time.monotonic() > end)  # noqa: B023
        print(f"alone: {1e3 * usual:.0f} ms")
        for name, calls in (
            ("strangers", requests_of_strangers(service)),
            ("wrong JSON", wrong_json(service, key)),
            ("large answers", large_answers(service, key, 1760)),
            ("hostile pictures", hostile_pictures(service)),
            ("standing uploads", standing_uploads(service)),
        ):
            watch, found = Watch(service), Counter[str]()
            until = time.monotonic() + asked.seconds
            attacker = threading.Thread(target=lambda: found.update(attack(calls, until)))  # noqa: B023  # it is joined here
            attacker.start()
            median, statuses = honest.ask(lambda: not attacker.is_alive())  # noqa: B023
            attacker.join()
            watch.stop()
            held = median < 2 * usual and set(statuses) == {200} and watch.megabytes < MAX_MB and watch.disk <= MAX_DISK
            held = held and "500" not in found  # 504 is the limit of a job's time
            fine &= held
            bars = (
                f"honest {1e3 * median:.0f} ms {dict(statuses)}, {watch.megabytes:.0f} MB, {watch.disk:.0f} MiB of disk"
            )
            print(f"{name}: {bars}, attacks {dict(found)}{'' if held else ' MISSED'}", flush=True)
    sys.exit(not fine)


if __name__ == "__main__":
    main()
