"""ONNX against torch: one ROI of 24 and of 128 px, and a list of 64 of 24 px, by turns on the same boxes.

`python benchmarks/runtimes.py [--model NAME]` takes a minute.
"""

from __future__ import annotations

import argparse
import time
from statistics import median

import numpy as np

import localsr
from localsr.geometry import Box

TURNS = 9


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="clsr-light-x4")
    parser.add_argument("--graphs", help="a folder of `localsr export`; else the one in the cache, made if needed")
    asked = parser.parse_args()
    model = asked.model
    random = np.random.default_rng(0)
    photo = localsr.read(random.integers(0, 256, (1080, 2000, 3), dtype=np.uint8))
    restorers = (localsr.load(model, device="cpu"), localsr.load(asked.graphs or model, runtime="onnx"))
    scenes = [restorer.encode(photo) for restorer in restorers]
    places = random.integers(0, (1976, 1056), (64, 2)).tolist()
    work = {
        "encode": None,
        "ROI 24": Box(901, 500, 925, 524),
        "ROI 128": Box(901, 500, 1029, 628),
        "64 ROIs of 24, a list": [Box.from_xywh(x, y, 24, 24) for x, y in places],
    }
    print(f"{model}, ms: medians of {TURNS} turns")
    print("| | torch | ONNX | torch / ONNX |\n|---|---:|---:|---:|")
    for name, boxes in work.items():
        spent: tuple[list[float], list[float]] = ([], [])
        for turn in range(TURNS + 2):
            for restorer, scene, seconds in zip(restorers, scenes, spent, strict=True):
                began = time.perf_counter()
                if boxes is None:
                    restorer.encode(photo)
                else:
                    scene.restore(boxes)
                if turn >= 2:
                    seconds.append(time.perf_counter() - began)
        torch, onnx = (median(seconds) * 1e3 for seconds in spent)
        print(f"| {name} | {torch:.1f} | {onnx:.1f} | {torch / onnx:.2f} |")


if __name__ == "__main__":
    main()
