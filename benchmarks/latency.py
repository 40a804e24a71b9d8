"""Time of one 24 x 24 ROI in a 2040 x 1356 LR picture: crop, halo, clsr and full, in turn in one process, as ratios.

    python benchmarks/latency.py [--model NAME|PATH] [--rounds 60]

Medians of rounds that go through the strategies in turn, so that a noisy machine hits all alike. `full` restores the
whole picture (the paper's post-cropping) and runs once; `full, ROI only` is what Strategy.FULL does for one box. Last,
64 such ROIs as one list against 64 calls.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
import torch

import localsr
from localsr.geometry import Box, whole
from localsr.inference.strategies import Strategy
from localsr.resize import resize

SIZE = (1356, 2040)
ROI = Box.from_xywh(1008, 672, 24, 24)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    random = np.random.default_rng(0)
    pixels = resize(random.random((3, 113, 170), np.float32), *SIZE).clip(0, 1).transpose(1, 2, 0)
    photo = localsr.read(np.rint(pixels * 255).astype(np.uint8))
    restorer = localsr.load(asked.model)
    scene = restorer.encode(photo)
    ways = [way for way in Strategy if way is not Strategy.CLSR or not restorer.card.config.plain]
    times: dict[str, list[float]] = {way: [] for way in ways} | {"encode": []}
    for turn in range(asked.rounds + 5):
        for way in ways:
            began = time.perf_counter()
            scene.restore(ROI, way)
            if turn >= 5:
                times[way].append(time.perf_counter() - began)
        began = time.perf_counter()
        restorer.encode(photo)
        if turn >= 5:
            times["encode"].append(time.perf_counter() - began)
    began = time.perf_counter()
    scene.restore(whole(photo.size), Strategy.FULL)
    everything = time.perf_counter() - began
    crop = statistics.median(times["crop"])
    print(f"{restorer.card.name}, {asked.threads} threads, torch {torch.__version__}, {asked.rounds} rounds")
    print(f"{'':16}{'median ms':>12}{'of crop':>10}")
    for name, spent in times.items():
        label = "full, ROI only" if name == "full" else name
        print(f"{label:16}{1e3 * statistics.median(spent):12.2f}{statistics.median(spent) / crop:10.2f}")
    print(f"{'full':16}{1e3 * everything:12.0f}{everything / crop:10.0f}")
    if "clsr" in times:
        print(f"full is {everything / statistics.median(times['clsr']):.0f} times clsr")
    boxes = [ROI.shifted(96 * (k % 8 - 4), 72 * (k // 8 - 4)) for k in range(64)]
    ratios = []
    for _ in range(7):
        began = time.perf_counter()
        scene.restore(boxes)
        middle = time.perf_counter()
        for box in boxes:
            scene.restore(box)
        ratios.append((time.perf_counter() - middle) / (middle - began))
    print(f"64 ROIs one by one take {statistics.median(ratios):.2f} times the time of one list")


if __name__ == "__main__":
    main()
