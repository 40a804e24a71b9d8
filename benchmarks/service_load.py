"""A thousand connections at once: nobody is cut off, who cannot be served gets 429 at once, and it is over soon.

    python benchmarks/service_load.py [--connections 1000] [--rounds 5]

Client and service on a core each. All connections are opened, then all requests (a region of one picture) are sent.
Fails unless there are only 200 and 429, no reset, 429 at p99 within 2 s, and a lone request is served within 5 s. On a
machine with other work, either is at most twice what it is in the same run for a crowd that only asks whether the
service lives, or ten times what a lone request takes before.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import sys
import time
from collections import Counter
from typing import Any

from service import BOX, Service, photo


async def ask(address: tuple[str, int], request: bytes, go: asyncio.Event, opened: asyncio.Queue[int]) -> Any:  # noqa: ANN401
    """Open a connection, wait for the start, ask, and return status and seconds."""
    try:
        reader, writer = await asyncio.open_connection(*address)
    except OSError as error:
        opened.put_nowait(0)
        return type(error).__name__, 0.0
    opened.put_nowait(1)
    await go.wait()
    began = time.perf_counter()
    try:
        writer.write(request)
        answer = await reader.read()
        return int(answer.split(b" ", 2)[1]), time.perf_counter() - began
    except (OSError, IndexError, ValueError) as error:
        return type(error).__name__, time.perf_counter() - began
    finally:
        writer.close()


async def storm(address: tuple[str, int], request: bytes, connections: int) -> list[tuple[Any, float]]:
    """Ask by many connections at once, and return status and seconds of each."""
    go, opened = asyncio.Event(), asyncio.Queue[int]()
    tasks = [asyncio.ensure_future(ask(address, request, go, opened)) for _ in range(connections)]
    for _ in tasks:
        await opened.get()
    go.set()
    found = await asyncio.gather(*tasks)
    await asyncio.sleep(0.1)  # in which the last are closed
    return found


def raw(service: Service, key: str) -> bytes:
    """Return the bytes of a request for a region."""
    body = json.dumps({"boxes": [BOX]}).encode()
    head = f"POST /api/v1/pictures/{key}/restorations HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def measure(service: Service, connections: int, rounds: int) -> list[dict[str, Any]]:
    """Return a row for each round."""
    key, rows = service.upload(photo()), []
    request, alive = raw(service, key), b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    usual = service.usual_seconds(key)
    for _ in range(rounds):
        healthy = asyncio.run(storm(service.address, alive, connections))
        found = asyncio.run(storm(service.address, request, connections))
        began = time.monotonic()
        while service.ask(key)[0] != 200:
            pass
        row = {
            "statuses": dict(Counter(status for status, _ in found)),
            "429 p99 s": p99(found, 429),
            "healthz p99 s": p99(healthy, 200),
            "normal after s": time.monotonic() - began,
            "usual s": usual,
        }
        rows.append(row)
    return rows


def p99(found: list[tuple[Any, float]], status: int) -> float:
    """Return the 99th percentile of the seconds of answers with a status."""
    spent = sorted(seconds for each, seconds in found if each == status)
    return spent[int(0.99 * len(spent))] if spent else 0.0


def main() -> None:
    """Print a row for each round, and exit with 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--connections", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (asked.connections + 200, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    with Service(cores=cores[:1]) as service:
        os.sched_setaffinity(0, cores[-1:])
        rows = measure(service, asked.connections, asked.rounds)
    for row in rows:
        print({key: round(value, 2) if isinstance(value, float) else value for key, value in row.items()})
    fine = all(
        set(row["statuses"]) <= {200, 429}
        and row["429 p99 s"] < max(2, 2 * row["healthz p99 s"])
        and row["normal after s"] < max(5, 10 * row["usual s"])
        for row in rows
    )
    sys.exit(not fine)


if __name__ == "__main__":
    main()
