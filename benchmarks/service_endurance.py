"""Thousands of requests of mixed sizes and kinds: memory, descriptors, threads and files must not grow.

    python benchmarks/service_endurance.py [--requests 5000]

Uploads, regions of odd sizes, lists of boxes, tiles, refusals, clients that leave, pictures deleted. Fails if the
memory of the service with its workers grows by 32 MB or more after the first tenth, descriptors or threads by more than
a few, or a temporary file is left.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import sys
import time
from collections import Counter
from typing import Any

import httpx
from service import Service, photo

SIZES = ((64, 48), (640, 480), (333, 777), (1600, 1200))

PICTURES = 12  # at a time, as many of each size: one that is deleted comes again


def one(client: httpx.Client, draw: random.Random, pictures: list[tuple[str, int, int]], data: list[bytes]) -> int:
    """Make a request that a client might, and return its status; 499 where the client leaves."""
    kind = draw.choices(("box", "boxes", "tile", "delete", "wrong", "leave"), (40, 8, 30, 5, 8, 5))[0]
    if len(pictures) < PICTURES:
        n = min(set(range(len(SIZES))), key=lambda n: sum(p[1:] == SIZES[n] for p in pictures))
        answer = client.post("/pictures", content=data[n])
        if answer.status_code == 201:
            pictures.append((answer.json()["id"], *SIZES[n]))
        return answer.status_code
    key, width, height = draw.choice(pictures)
    if kind == "delete":
        pictures.remove((key, width, height))
        return client.delete(f"/pictures/{key}").status_code
    if kind == "tile":
        level = draw.randrange(max(width, height).bit_length())
        return client.get(f"/pictures/{key}/tiles/{level}/0_0.jpg").status_code
    if kind == "wrong":
        return client.post(f"/pictures/{key}/restorations", content=b"{" * draw.randrange(1000)).status_code
    boxes = [box(draw, width, height) for _ in range(draw.randrange(2, 6) if kind == "boxes" else 1)]
    asked = {"boxes": boxes, "format": draw.choice(("png", "jpg", "webp", "tif"))}
    if kind == "leave":
        with contextlib.suppress(httpx.ReadTimeout):
            return client.post(f"/pictures/{key}/restorations", json=asked, timeout=0.02).status_code
        return 499
    return client.post(f"/pictures/{key}/restorations", json=asked).status_code


def box(draw: random.Random, width: int, height: int) -> dict[str, int]:
    """Return a random box within a picture."""
    w, h = draw.randint(1, min(width, 64)), draw.randint(1, min(height, 64))
    left, top = draw.randint(0, width - w), draw.randint(0, height - h)
    return {"left": left, "top": top, "right": left + w, "bottom": top + h}


def measure(service: Service, requests: int, pause: float = 0.5) -> tuple[Counter[int], list[dict[str, Any]]]:
    """Make requests, and look at the service now and then, each time after a pause of some seconds."""
    draw, statuses, rows = random.Random(0), Counter[int](), []
    data = [photo(*size, seed=n) for n, size in enumerate(SIZES)]
    pictures: list[tuple[str, int, int]] = []
    with httpx.Client(base_url=f"{service.url}/api/v1", timeout=60) as client:
        for n in range(requests + 1):
            if n and n % max(requests // 10, 1) == 0:
                time.sleep(pause)
                rows.append({"requests": n, **service.state()})
            statuses[one(client, draw, pictures, data)] += 1
        for key, _, _ in pictures:
            client.delete(f"/pictures/{key}")
    time.sleep(2 * pause)
    rows.append({"requests": "all deleted", **service.state()})
    if rows[-1]["files"]:
        print([str(path) for path in (service.folder / "tmp").rglob("*")])
    return statuses, rows


def main() -> None:
    """Print the table, and exit with 1 where something grows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=5000)
    asked = parser.parse_args()
    with Service() as service:
        statuses, rows = measure(service, asked.requests)
    for row in rows:
        print({key: round(value) if isinstance(value, float) else value for key, value in row.items()})
    print(dict(statuses))
    first, last = rows[0], rows[-2]
    fine = last["MB"] - first["MB"] < 32 and rows[-1]["files"] == 0
    fine &= all(abs(last[what] - first[what]) <= 16 for what in ("descriptors", "threads"))
    sys.exit(not (fine and set(statuses) <= {200, 201, 204, 422, 429, 499}))


if __name__ == "__main__":
    main()
