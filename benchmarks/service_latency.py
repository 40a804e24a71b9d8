"""From the end of a drag to sharp pixels: a 64 x 64 region over HTTP, scene encoded; median and worst of some.

    python benchmarks/service_latency.py [--turns 20] [--photo 3000x2000]

Once with regions of one size, as the bar is set, and once with sizes that were never asked for before, for which the
work is planned anew. The time is the client's: request, work, PNG, answer.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time

import httpx
from service import Service, photo


def measure(service: Service, key: str, sides: list[int], width: int, height: int) -> list[float]:
    """Return the seconds that each region took."""
    draw, spent = random.Random(0), []
    with httpx.Client(base_url=f"{service.url}/api/v1/pictures/{key}", timeout=60) as client:
        for side in [64, 64, 64, *sides]:  # the first ones open the picture, in each worker
            left, top = draw.randrange(width - side), draw.randrange(height - side)
            box = {"left": left, "top": top, "right": left + side, "bottom": top + side}
            began = time.perf_counter()
            answer = client.post("/restorations", json={"boxes": [box]})
            spent.append(time.perf_counter() - began)
            assert answer.status_code == 200, answer.text
            assert answer.headers["localsr-box"] == ",".join(str(side) for side in box.values())
    return spent[3:]


def main() -> None:
    """Print the table of medians and worst cases."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=20)
    parser.add_argument("--photo", default="3000x2000")
    asked = parser.parse_args()
    width, height = map(int, asked.photo.split("x"))
    with Service() as service:
        key = service.upload(photo(width, height))
        print(f"photo {width} x {height}, {asked.turns} regions{'':6}{'median ms':>12}{'worst ms':>12}")
        for name, sides in {
            "64 x 64": [64] * asked.turns,
            "sizes never asked before": random.Random(1).sample(range(40, 100), asked.turns),
        }.items():
            spent = measure(service, key, sides, width, height)
            print(f"{name:40}{1e3 * statistics.median(spent):12.0f}{1e3 * max(spent):12.0f}")


if __name__ == "__main__":
    main()
