"""Workers that are killed under load, and SIGTERM under load: who loses a worker gets 503, all others their region.

    python benchmarks/service_kill.py [--kills 20] [--ends 20]

Part one kills a worker every few seconds while clients ask: every 200 must hold the very bytes of an undisturbed
answer, everything else must be 503, at most one for a kill (and 429), and the workers be whole again within 10 s or, on
a machine with other work, within twice what they took at the start of the same run.
Part two ends the service by SIGTERM while clients ask: every request whose bytes it took must be answered, the exit
code be 0 within 30 s, and no file be left.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import statistics
import sys
import threading
import time
from collections import Counter
from typing import Any

import httpx
from service import BOX, Service, photo

CLIENTS = 4


class Load:
    """Clients that ask, one region after the other, until they are stopped."""

    def __init__(self, service: Service, key: str, clients: int = CLIENTS) -> None:
        """Start the clients."""
        self.statuses: Counter[int | str] = Counter()
        self._url, self._on = f"{service.url}/api/v1/pictures/{key}/restorations", True
        self._right = httpx.post(self._url, json={"boxes": [BOX]}, timeout=60).content
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop the clients."""
        self._on = False
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        """Ask, and compare each answer with the first."""
        with httpx.Client(timeout=60) as client:
            while self._on:
                try:
                    answer = client.post(self._url, json={"boxes": [BOX]})
                except httpx.ConnectError:
                    self.statuses["refused"] += 1  # it listens no more
                    time.sleep(0.05)
                    continue
                except httpx.HTTPError as error:
                    self.statuses[type(error).__name__] += 1
                    continue
                wrong = answer.status_code == 200 and answer.content != self._right
                self.statuses["wrong" if wrong else answer.status_code] += 1


def kills(service: Service, count: int, pause: tuple[float, float]) -> dict[str, Any]:
    """Kill workers, and return what clients saw."""
    draw, back = random.Random(0), []
    load = Load(service, service.upload(photo()))
    whole = len(service.workers)
    for _ in range(count):
        time.sleep(draw.uniform(*pause))
        with contextlib.suppress(ProcessLookupError):
            os.kill(draw.choice(service.workers), signal.SIGKILL)
        began = time.monotonic()
        while ready_workers(service) < whole - 1 and time.monotonic() - began < 1:
            time.sleep(0.02)
        time.sleep(0.3)
        while ready_workers(service) < whole and time.monotonic() - began < 60:
            time.sleep(0.05)
        back.append(time.monotonic() - began)
    load.stop()
    return {"statuses": dict(load.statuses), "back s": statistics.median(back), "worst back s": max(back)}


def ready_workers(service: Service) -> int:
    """Return how many workers are ready, as the service's metrics say."""
    lines = httpx.get(f"{service.url}/metrics").text.splitlines()
    return next(int(float(line.split()[1])) for line in lines if line.startswith("localsr_workers_ready "))


def end(service: Service, seconds: float) -> dict[str, Any]:
    """End a service under load, after some seconds of it, and return what clients saw."""
    load = Load(service, service.upload(photo()))
    time.sleep(seconds)
    code, spent = service.stop()
    load.stop()
    left = [path for path in (service.folder / "tmp").rglob("*") if path.is_file()]
    statuses = {k: v for k, v in load.statuses.items() if k != "refused"}
    return {"statuses": statuses, "code": code, "seconds": round(spent, 2), "files left": len(left)}


def main() -> None:
    """Print what happened at each kill and each end."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--ends", type=int, default=20)
    asked = parser.parse_args()
    fine = True
    if asked.kills:
        with Service("--workers", "2") as service:
            row = kills(service, asked.kills, (1.0, 3.0))
        print(f"{asked.kills} kills: {row}, usual start {service.start_seconds:.1f} s", flush=True)
        fine &= set(row["statuses"]) <= {200, 429, 503}
        fine &= row["worst back s"] < max(10, 2 * service.start_seconds)
        fine &= row["statuses"].get(503, 0) <= asked.kills
    for turn in range(asked.ends):
        with Service("--workers", "1") as service:
            row = end(service, random.Random(turn).uniform(0.6, 1.6))
        print(f"end {turn + 1}: {row}", flush=True)
        fine &= set(row["statuses"]) <= {200, 429, 503} and row["code"] == 0 and row["seconds"] < 30
        fine &= not row["files left"]
    sys.exit(not fine)


if __name__ == "__main__":
    main()
