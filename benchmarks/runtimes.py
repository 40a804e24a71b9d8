"""Graphs against torch, by turns on the same boxes of a 2K picture: regions, a list of 1,000, `full`; one thread, two.

`python benchmarks/runtimes.py [--model NAME] [--threads 1 2] [--turns 9]` takes ten minutes. Torch computes in fp32, as
graphs do, and in the precision that `auto` chooses.
"""

from __future__ import annotations

import argparse
import os
import time
from statistics import median

import numpy as np

import localsr
from localsr.geometry import Box

FEW_TURNS = 2  # of what takes seconds
SIZE = (1080, 1920)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="clsr-photo-x4")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--rows", default="", help="only those whose names hold this")
    asked = parser.parse_args()
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    corners = random.integers(0, (SIZE[1] - 24, SIZE[0] - 24), (1000, 2)).tolist()
    work: dict[str, Box | list[Box] | None] = {
        "encode": None,
        "24 px": Box.from_xywh(901, 500, 24, 24),
        "64 px": Box.from_xywh(901, 500, 64, 64),
        "128 px": Box.from_xywh(901, 500, 128, 128),
        "a list of 100": [Box.from_xywh(x, y, 24, 24) for x, y in corners[:100]],
        "a list of 1,000": [Box.from_xywh(x, y, 24, 24) for x, y in corners],
        "`full` of 2K": Box.from_xywh(0, 0, SIZE[1], SIZE[0]),
    }
    print(
        f"{asked.model}, load {os.getloadavg()[0]:.1f}, ms: medians of {asked.turns} turns, {FEW_TURNS} of the last two"
    )
    print("| threads | | torch, fp32 | torch, auto | graphs | to fp32 | to auto |")
    print("|---:|---" + "|---:" * 5 + "|")
    for threads in asked.threads:
        restorers = (
            localsr.load(asked.model, runtime="torch", device="cpu", precision="fp32", threads=threads),
            localsr.load(asked.model, runtime="torch", device="cpu", threads=threads),
            localsr.load(asked.model, runtime="onnx", device="cpu", threads=threads),
        )
        for name, boxes in work.items():
            if asked.rows not in name:
                continue
            turns = min(asked.turns, FEW_TURNS) if name in list(work)[-2:] else asked.turns
            strategy = "full" if "full" in name else None
            medians = [median(seconds) for seconds in measured(restorers, pixels, boxes, strategy, turns)]
            plain, auto, graphs = (1e3 * seconds for seconds in medians)
            numbers = f"{plain:.1f} | {auto:.1f} | {graphs:.1f} | {graphs / plain:.2f} | {graphs / auto:.2f}"
            print(f"| {threads} | {name} | {numbers} |", flush=True)
    print(f"auto is {restorers[1].precision}")


def measured(
    restorers: tuple[localsr.Restorer, ...],
    pixels: np.ndarray,
    boxes: Box | list[Box] | None,
    strategy: str | None,
    turns: int,
) -> list[list[float]]:
    """Return the seconds of each restorer's turns, one after another; a first turn does not count."""
    spent: list[list[float]] = [[] for _ in restorers]
    scenes = [restorer.encode(pixels) for restorer in restorers]
    for turn in range(turns + 1):
        for restorer, scene, seconds in zip(restorers, scenes, spent, strict=True):
            began = time.perf_counter()
            if boxes is None:
                restorer.encode(pixels)
            else:
                scene.restore(boxes, strategy)
            if turn:
                seconds.append(time.perf_counter() - began)
    return spent


if __name__ == "__main__":
    main()
