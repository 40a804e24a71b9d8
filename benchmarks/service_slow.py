"""Those who hold connections open: slow headers, slow bodies, slow readers; an honest client is served all the same.

    python benchmarks/service_slow.py [--each 300] [--seconds 60]

Each slow one sends, or reads, a byte now and then, and comes again when it is cut off. Meanwhile an honest client asks
for a region, one after the other, and must get every one: within 30 s, or a hundred times what it takes in the same run
before the others come.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import resource
import socket
import statistics
import sys
import threading
import time
from collections import Counter
from typing import Any

import httpx
from service import Service, photo


async def slow(address: tuple[str, int], kind: str, key: str, until: float, counts: Counter[str]) -> None:
    """Hold connections open in one way, one after the other, until the end."""
    large = f"GET /api/v1/pictures/{key}/bicubic?left=0&top=0&right=200&bottom=200&scale=4 HTTP/1.1\r\n"
    heads = {"header": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n", "read": f"{large}Host: 127.0.0.1\r\n\r\n".encode()}
    body = b"POST /api/v1/pictures HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n\r\n"
    while time.monotonic() < until:
        with contextlib.suppress(OSError, TimeoutError):
            own = socket.socket()
            own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # or the kernel reads for it
            own.setblocking(False)
            try:
                await asyncio.get_running_loop().sock_connect(own, address)
            except OSError:
                own.close()
                raise
            reader, writer = await asyncio.open_connection(sock=own, limit=2**10)
            counts[f"{kind} opened"] += 1
            writer.write({**heads, "body": body}[kind])
            try:
                while time.monotonic() < until:
                    await asyncio.sleep(1)
                    if kind == "read":
                        part = await asyncio.wait_for(reader.read(1), 1)
                    else:
                        writer.write(b"X-Slow: 1\r\n" if kind == "header" else b"x")
                        await writer.drain()
                        part = b"?"
                        if reader.at_eof() or writer.transport.is_closing():
                            part = b""
                    if not part:
                        counts[f"{kind} cut"] += 1
                        break
            finally:
                writer.transport.abort()


def honest(service: Service, key: str, until: float, patience: float, found: list[tuple[int, float]]) -> None:
    """Ask for regions as an honest client does, again where the service is busy."""
    while time.monotonic() < until:
        began, status = time.monotonic(), 429
        while status == 429 and time.monotonic() - began < patience:
            try:
                status, _ = service.ask(key, patience)
            except httpx.HTTPError as error:
                status = -1
                print(f"honest client: {error!r}")
            time.sleep(0.1)
        found.append((status, time.monotonic() - began - 0.1))
        time.sleep(0.1)


def measure(service: Service, each: int, seconds: float) -> dict[str, Any]:
    """Run slow clients and an honest one, and return what happened."""
    key, counts, found = service.upload(photo()), Counter[str](), list[tuple[int, float]]()
    usual = service.usual_seconds(key)
    until = time.monotonic() + seconds
    thread = threading.Thread(target=honest, args=(service, key, until, max(30.0, 100 * usual), found))
    thread.start()

    async def crowd() -> None:
        kinds = ("header", "body", "read")
        await asyncio.gather(*(slow(service.address, k, key, until, counts) for k in kinds for _ in range(each)))
        await asyncio.sleep(0.1)  # in which the last are closed

    asyncio.run(crowd())
    thread.join()
    return {
        "usual s": round(usual, 2),
        "honest": dict(Counter(status for status, _ in found)),
        "median s": round(statistics.median(spent for _, spent in found), 2),
        "worst s": round(max(spent for _, spent in found), 2),
        **counts,
    }


def main() -> None:
    """Print what happened, and exit with 1 where the honest client was refused."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--each", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=60)
    asked = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(3 * asked.each + 500, hard), hard))
    with Service() as service:
        row = measure(service, asked.each, asked.seconds)
        time.sleep(2)
        print(json.dumps(row | {"after": service.state()}, indent=1))
    sys.exit(set(row["honest"]) != {200})


if __name__ == "__main__":
    main()
