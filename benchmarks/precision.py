"""Regions in 16 bits beside fp32: milliseconds, how many times as fast, and how far apart.

    python benchmarks/precision.py [--model NAME|PATH] [--threads 1] [--pictures FOLDER]

Both are timed by turns in one process, on pictures of its own; medians of the turns, and the median of their ratios,
since a shared machine is faster and slower by a third within seconds. With --pictures, such as Set14's LR, the largest
difference over the whole of each of them is printed too.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from statistics import median

import numpy as np
import torch

import localsr
from localsr.geometry import Box, Size, whole
from localsr.inference.precision import choose_precision
from localsr.inference.restoration import Restoration
from localsr.inference.sample import sample_photo
from localsr.inference.scene import Scene

SIDES = (8, 24, 48, 64, 96, 128, 256, 384)  # LR px
MANY = 1000  # regions of 24 px in a list
SECONDS = 4.0  # of turns, for a row


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default=None)
    parser.add_argument("--precision", default="bf16")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--sides", type=int, nargs="*", default=SIDES)
    parser.add_argument("--pictures", type=Path)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    exact, short = (localsr.load(asked.model, precision=each) for each in ("fp32", asked.precision))
    auto = choose_precision(exact._networks, exact.card.sha256)
    print(f"{exact.card.name} on {exact.network.device}, torch {torch.__version__}, threads: {asked.threads}")
    print(f"auto chooses {auto}\n")
    print(f"| strategy | regions | fp32, ms | {asked.precision}, ms | times as fast | levels of 255 | rounded |")
    print("|---|---|" + "---:|" * 5)
    photo = sample_photo(Size(640, 480))
    scenes = [each.encode(photo) for each in (exact, short)]
    for strategy in exact.strategies:
        for side in asked.sides:
            row(scenes, strategy, f"{side} px", [middle(photo.size, side)])
    corners = np.random.default_rng(0).integers(0, (616, 456), (MANY, 2))
    many = [Box.from_xywh(int(x), int(y), 24, 24) for x, y in corners]
    for strategy in {exact.strategy(), exact.strategies[1]}:
        row(scenes, strategy, f"{MANY} of 24 px", many)
    if asked.pictures is not None:
        pictures(exact, short, asked.pictures)


def row(scenes: list[Scene], strategy: str, name: str, boxes: list[Box]) -> None:
    """Time one piece of work in both precisions by turns, and print it."""
    found = [scene.restore(boxes, strategy) for scene in scenes]
    spent: list[list[float]] = []
    while len(spent) < 3 or (sum(map(sum, spent)) < SECONDS and len(spent) < 51):
        turn = []
        for scene in scenes:
            began = time.perf_counter()
            scene.restore(boxes, strategy)
            turn.append(time.perf_counter() - began)
        spent.append(turn)
    slow, fast = (1e3 * median(column) for column in zip(*spent, strict=True))
    ratio = median(one / other for one, other in spent)
    levels, rounded = largest(*found)
    print(f"| {strategy} | {name} | {slow:.1f} | {fast:.1f} | {ratio:.2f} | {levels:.2f} | {rounded:.0f} |", flush=True)


def pictures(exact: localsr.Restorer, short: localsr.Restorer, folder: Path) -> None:
    """Print the largest difference over whole pictures."""
    apart = {}
    for path in sorted(folder.iterdir()):
        photo = localsr.read(path)
        found = [each.encode(photo).restore([whole(photo.size)]) for each in (exact, short)]
        apart[path.name] = largest(*found)
    worst = max(apart, key=lambda name: apart[name][0])
    print(f"\n{len(apart)} pictures of {folder}: median {median(levels for levels, _ in apart.values()):.2f} levels,")
    print(f"at most {apart[worst][0]:.2f} ({worst}), rounded at most {max(one for _, one in apart.values()):.0f}")


def largest(exact: list[Restoration], short: list[Restoration]) -> tuple[float, float]:
    """Return the largest difference of a pixel in levels of 255: as computed, and rounded to 8 bits."""
    pairs = [(255 * one.pixels, 255 * other.pixels) for one, other in zip(exact, short, strict=True)]
    computed = max(float(np.abs(one - other).max()) for one, other in pairs)
    return computed, max(float(np.abs(np.rint(one) - np.rint(other)).max()) for one, other in pairs)


def middle(size: Size, side: int) -> Box:
    """Return a box in the middle of a picture, at even places."""
    return Box.from_xywh((size.width - side) // 4 * 2, (size.height - side) // 4 * 2, side, side)


if __name__ == "__main__":
    main()
