"""From a cold start to a result, by graphs and by torch in turn: the command, the page, a worker of the service.

    python benchmarks/start.py [--turns 5] [--threads 2]

A region of 64 x 64 in a JPEG of 12 megapixels; medians. CPU seconds are a process's own, whatever else runs.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple

import pyvips

from localsr.inference.memory import MEGABYTE
from localsr.serving.messages import WorkerSettings
from localsr.serving.process import WorkerProcess

RUNTIMES = ("onnx", "torch")
BOX = "2000,1500,64,64"


class Spent(NamedTuple):
    """What a start took."""

    wall: float  # s
    cpu: float  # s
    peak: float  # bytes


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(asked.threads)
    with tempfile.TemporaryDirectory(prefix="localsr-start-") as folder:
        photo = Path(folder) / "photo.jpg"
        noise = pyvips.Image.perlin(4000, 3000, cell_size=64).linear(80, 128).cast("uchar")
        noise.bandjoin([noise.fliphor(), noise.flipver()]).copy(interpretation="srgb").jpegsave(str(photo), Q=90)
        rows: dict[str, Callable[[str], Spent]] = {
            "restore, to a file": partial(restore, photo),
            "view, to a first page": partial(view, photo),
            "a worker, until it is ready": worker,
        }
        print(f"{asked.threads} threads, load {os.getloadavg()[0]:.1f}, medians of {asked.turns}")
        print("| | runtime | s | CPU s | peak MB |\n|---|---|---:|---:|---:|")
        for name, row in rows.items():
            found: dict[str, list[Spent]] = {runtime: [] for runtime in RUNTIMES}
            for _ in range(asked.turns):
                for runtime in RUNTIMES:
                    found[runtime].append(row(runtime))
            for runtime, turns in found.items():
                wall, cpu, peak = (median(column) for column in zip(*turns, strict=True))
                print(f"| {name} | {runtime} | {wall:.2f} | {cpu:.2f} | {peak / MEGABYTE:.0f} |", flush=True)


def restore(photo: Path, runtime: str) -> Spent:
    """Restore one region by the command."""
    output = photo.with_name("region.png")
    command = ["restore", str(photo), "--box", BOX, "-o", str(output), "--precision", "fp32", "--runtime", runtime]
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "localsr", *command], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode or not output.is_file():
        raise SystemExit(f"restore by {runtime} ended with {process.returncode}")
    output.unlink()
    return Spent(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 2**10)


def view(photo: Path, runtime: str) -> Spent:
    """Open the page on a photo."""
    command = [sys.executable, "-m", "localsr", "view", str(photo), "--no-browser", "--workers", "1"]
    began = time.perf_counter()
    with subprocess.Popen([*command, "--runtime", runtime], stdout=subprocess.PIPE, text=True) as service:
        assert service.stdout is not None
        address = service.stdout.readline().removeprefix("localsr: ").strip()
        with urllib.request.urlopen(address) as answer:
            answer.read()
        wall = time.perf_counter() - began
        service.terminate()
        _, _, usage = os.wait4(service.pid, 0)
        service.returncode = 0
    return Spent(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 2**10)


def worker(runtime: str) -> Spent:
    """Start a worker of the service with its default networks."""

    async def started() -> Spent:
        process, began = WorkerProcess(), time.perf_counter()
        await process.start(WorkerSettings((), runtime, "fp32", 64, 100, 100), 1)
        wall = time.perf_counter() - began
        assert process.process is not None
        kept = Path(f"/proc/{process.process.pid}")  # asyncio waits for its children itself, so that no usage is left
        peak = next(line for line in (kept / "status").read_text().splitlines() if line.startswith("VmHWM"))
        ticks = sum(map(int, (kept / "stat").read_text().rpartition(")")[2].split()[11:13]))
        await process.kill()
        return Spent(wall, ticks / os.sysconf("SC_CLK_TCK"), int(peak.split()[1]) * 2**10)

    return asyncio.run(started())


if __name__ == "__main__":
    main()
