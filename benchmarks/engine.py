"""The engine's promises as numbers: the region's cost whatever the picture's size, many regions, memory.

Prints one table a claim; ratios are of what was measured in this run, by turns. `python benchmarks/engine.py` takes ten
minutes on two cores and 4 GB of disk below --folder, most of it for the picture of 1,000 megapixels, which is kept.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from statistics import median

import numpy as np
import pyvips
import torch

import localsr
from localsr.geometry import Box, whole
from localsr.inference.memory import MEGABYTE, resident

LIMIT = 2**30  # bytes of data that a process of the first table may have
SIZES = ((500, 500), (2000, 2000), (8000, 8000), (40_000, 25_000))
ROI = 48
TURNS = 9

ONE = """
import json, resource, sys, time
resource.setrlimit(resource.RLIMIT_DATA, (int(sys.argv[2]),) * 2)
import localsr
from localsr.geometry import Box
from localsr.inference.memory import peak
restorer = localsr.load("clsr-light-x4")
warm = restorer.encode(localsr.read(sys.argv[3]))
warm.restore(Box(100, 100, 148, 148))
began = time.perf_counter()
photo = localsr.read(sys.argv[1])
scene = restorer.encode(photo)
encoded = time.perf_counter() - began
x, y = photo.size.width // 2, photo.size.height // 2
spent = []
for k in range(int(sys.argv[4])):
    box = Box.from_xywh(x + 61 * k % 97, y + 37 * k % 89, 48, 48)
    began = time.perf_counter()
    scene.restore(box)
    spent.append(time.perf_counter() - began)
bill = scene.cost([Box.from_xywh(x, y, 48, 48)])["clsr"]
print(json.dumps([encoded, spent, bill.gflops, peak()]))
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "localsr-engine")
    parser.add_argument("--only", choices=("sizes", "many", "first", "routes", "memory", "start"))
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    parts: dict[str, Callable[[Path], None]] = {
        "sizes": sizes,
        "many": many,
        "first": first,
        "routes": routes,
        "memory": memory,
        "start": start,
    }
    for name, part in parts.items():
        if asked.only in (None, name):
            part(asked.folder)
            print()


def picture(folder: Path, width: int, height: int) -> Path:
    """Make a tiled, pyramidal TIFF of noise once."""
    path = folder / f"{width}x{height}.tif"
    if not path.exists():
        noise = pyvips.Image.perlin(width, height, cell_size=64).linear(80, 128).cast("uchar")
        bands = noise.bandjoin([noise.fliphor(), noise.flipver()]).copy(interpretation="srgb")
        bands.tiffsave(str(path), tile=True, pyramid=True, compression="jpeg", Q=80, bigtiff=True)
    return path


def sizes(folder: Path) -> None:
    """Restore one ROI of pictures from 0.25 to 1,000 megapixels, each in a process limited to 1 GB."""
    paths = [picture(folder, *size) for size in SIZES]
    rows: dict[Path, list[tuple[float, float, float, float]]] = {path: [] for path in paths}
    for _ in range(3):
        for path in paths:
            command = [sys.executable, "-c", ONE, path, str(LIMIT), paths[0], str(TURNS)]
            told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            encoded, spent, gflops, most = json.loads(told)
            rows[path].append((encoded, median(spent), gflops, most))
    print(f"One ROI of {ROI} x {ROI}, clsr, by the picture's size; medians of 3 processes limited to 1 GB")
    print("| megapixels | open, encode, s | restore, ms | to the smallest | GFLOPs | peak MB |\n" + "|---:" * 6 + "|")
    base = median(row[1] for row in rows[paths[0]])
    for (width, height), found in zip(SIZES, rows.values(), strict=True):
        encoded, spent, gflops, most = (median(column) for column in zip(*found, strict=True))
        ratio = spent / base
        print(
            f"| {width * height / 1e6:g} | {encoded:.3f} | {spent * 1e3:.1f} | {ratio:.2f} | {gflops:.4f} "
            f"| {most / MEGABYTE:.0f} |"
        )


def many(folder: Path) -> None:
    """Restore a thousand ROIs of a 2K picture one by one, as a list, sharing tiles; and all of it by `full`."""
    photo = localsr.read(picture(folder, 2000, 1080))
    scene = localsr.load("clsr-light-x4").encode(photo)
    random = np.random.default_rng(0)
    spread = [Box.from_xywh(int(x), int(y), 24, 24) for x, y in random.integers(0, (1976, 1056), (1000, 2))]
    crowd = [Box.from_xywh(int(x), int(y), 24, 24) for x, y in random.integers(0, (480, 360), (1000, 2))]
    print("1,000 ROIs of 24 x 24 in a picture of 2000 x 1080, clsr; `full` restores the whole picture")
    print("| ROIs | one by one, s | a list, s | faster | sharing, s | faster | full, s |\n|---" + "|---:" * 6 + "|")
    for name, boxes in (("all over", spread), ("crowded in a tenth", crowd)):
        ways: tuple[Callable[[], object], ...] = (
            lambda boxes=boxes: [scene.restore(box) for box in boxes],
            lambda boxes=boxes: scene.restore(boxes),
            lambda boxes=boxes: scene.restore(boxes, share=True),
            lambda: scene.restore(whole(photo.size), "full"),
        )
        spent = [[timed(way, 1) for way in ways] for _ in range(3)]  # by turns, as the machine is faster and slower
        single, listed, shared, full = (median(column) for column in zip(*spent, strict=True))
        print(
            f"| {name} | {single:.2f} | {listed:.2f} | {single / listed:.2f} | {shared:.2f} | {single / shared:.2f} "
            f"| {full:.2f} |"
        )


def first(folder: Path) -> None:
    """Compare the first ROI of a scene, encoding counted in, with the ones after it and with the arithmetic floor."""
    tiled = localsr.read(picture(folder, 2000, 2000))
    decoded = localsr.read((tiled.window(whole(tiled.size)).transpose(1, 2, 0) * 255).astype(np.uint8))
    restorer = localsr.load("clsr-light-x4")
    places = 2 * np.random.default_rng(0).integers(50, 900, (20 * TURNS, 2))  # even and inside: all cost alike
    boxes = cycle(Box.from_xywh(int(x), int(y), 24, 24) for x, y in places)
    gflops = restorer.encode(decoded).cost([next(boxes)])["clsr"].gflops
    conv = torch.nn.Conv2d(64, 64, 3, padding=1).to(memory_format=torch.channels_last)
    x = torch.randn(1, 64, 96, 96).to(memory_format=torch.channels_last)
    counted = 2 * 96 * 96 * 64 * 64 * 9 / 1e9  # GFLOPs, as the paper counts them
    print("First ROI of a scene and later ones, 24 x 24, clsr; the floor is its FLOPs at the rate of a 3x3 convolution")
    print("| picture | first, encoding too, ms | a later one, ms | first to later | floor, ms | later to floor |")
    print("|---|" + "---:|" * 5)
    for name, photo in (("decoded", decoded), ("tiled TIFF, 64 of its JPEG tiles decoded", tiled)):
        opening, later, rate = [], [], []
        for _ in range(5 * TURNS):  # all by turns: the machine's rate goes up and down by a third within seconds
            began = time.perf_counter()
            scene = restorer.encode(photo)
            scene.restore(next(boxes))
            opening.append(time.perf_counter() - began)
            later.append(timed(lambda scene=scene: scene.restore(next(boxes)), 3))
            with torch.inference_mode():
                rate.append(counted / timed(lambda: conv(x), 3))
        one, after, floor = median(opening) * 1e3, median(later) * 1e3, gflops / median(rate) * 1e3
        print(f"| {name} | {one:.2f} | {after:.2f} | {one / after:.2f} | {floor:.2f} | {after / floor:.2f} |")
    print(f"{gflops:.3f} GFLOPs; the convolution makes {median(rate):.0f} a second")


def routes(folder: Path) -> None:
    """Restore random scenes of boxes through every route."""
    del folder
    random, worst, apart = np.random.default_rng(0), 0.0, 0.0
    restorer = localsr.load("clsr-light-x4")
    for _ in range(200):
        width, height = (int(side) for side in random.integers(30, 130, 2))
        photo = localsr.read(random.integers(0, 256, (height, width, 3), dtype=np.uint8))
        boxes = []
        for x, y in random.integers(0, (width, height), (3, 2)).tolist():
            sides = [int(random.integers(1, room + 1)) for room in (width - x, height - y)]
            boxes.append(Box.from_xywh(x, y, *sides))
        scene = restorer.encode(photo)
        alone = [scene.restore(box).pixels for box in boxes]
        for other in (scene, scene.bounded(2**25)):
            found = other.restore(boxes[::-1])[::-1]
            worst = max(worst, *(float(np.abs(a - b.pixels).max()) for a, b in zip(alone, found, strict=True)))
    flat = localsr.read(np.full((200, 300, 3), 128, np.uint8))
    for way in localsr.Strategy:
        pixels = restorer.encode(flat).bounded(2**25).restore(whole(flat.size), way).pixels
        apart = max(apart, float(pixels[:, 40:-40, 40:-40].max() - pixels[:, 40:-40, 40:-40].min()))
    print("200 random scenes, three boxes each: alone, in a list backwards, in tiles")
    print(f"| largest difference of a pixel in [0, 1] | {worst:.1e} |\n|---|---:|")
    print(f"| a constant picture in tiles, its inside: range in levels of 255 | {apart * 255:.4f} |")


def memory(folder: Path) -> None:
    """Restore five thousand ROIs through one scene."""
    photo = localsr.read(picture(folder, 2000, 2000))
    scene = localsr.load("clsr-light-x4").encode(photo)
    random = np.random.default_rng(0)
    boxes = [Box.from_xywh(int(x), int(y), 24, 24) for x, y in random.integers(0, 1976, (5000, 2))]
    for box in boxes[:200]:
        scene.restore(box)
    before = resident()
    for box in boxes:
        scene.restore(box)
    print("5,000 ROIs of 24 x 24 through one scene")
    print(f"| memory grew by | {(resident() - before) / MEGABYTE:.1f} MB |\n|---|---:|")


def start(folder: Path) -> None:
    """Time the command from its start to the saved region of a 12-megapixel JPEG, beside importing torch."""
    path = folder / "12.jpg"
    if not path.exists():
        noise = pyvips.Image.perlin(4000, 3000, cell_size=64).linear(80, 128).cast("uchar")
        noise.bandjoin([noise.fliphor(), noise.flipver()]).copy(interpretation="srgb").jpegsave(str(path), Q=92)
    localsr_ = [sys.executable, "-m", "localsr", "restore", path, "--box", "1900,1400,48,48", "-o", folder / "out.png"]
    commands = {"import torch": [sys.executable, "-c", "import torch"], "localsr restore": localsr_}
    spent: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(TURNS):
        for name, command in commands.items():
            began = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            spent[name].append(time.perf_counter() - began)
    print("Process start to saved region, one ROI of 48 x 48 from a 12-megapixel JPEG")
    print("| | s |\n|---|---:|")
    for name, seconds in spent.items():
        print(f"| {name} | {median(seconds):.2f} |")
    print(f"| beyond importing torch | {median(spent['localsr restore']) - median(spent['import torch']):.2f} |")


def timed(work: Callable[[], object], turns: int) -> float:
    """Give the median seconds after a first call."""
    if turns > 1:
        work()
    spent = []
    for _ in range(turns):
        began = time.perf_counter()
        work()
        spent.append(time.perf_counter() - began)
    return median(spent)


if __name__ == "__main__":
    main()
