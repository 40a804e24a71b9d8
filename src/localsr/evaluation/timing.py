"""What a region takes on this machine: seconds and memory, each strategy and picture size in a process of its own."""

from __future__ import annotations

import multiprocessing
import os
import platform
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from localsr import images
from localsr.evaluation.paper import PICTURES
from localsr.geometry import Box, Size, whole
from localsr.inference import memory
from localsr.inference.restorer import Restorer
from localsr.inference.strategies import Strategy
from localsr.progress import Progress

TURNS = 7  # ROIs after the first, whose median counts; three of `full`, which takes seconds


def machine() -> dict[str, Any]:
    """Name the machine that a number comes from."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return {"cpu": name, "cores": os.cpu_count(), "threads": torch.get_num_threads(), "accelerator": str(accelerator)}


def timings(
    model: str,
    strategies: Sequence[Strategy],
    roi: int,
    device: str = "auto",
    precision: str = "fp32",
    progress: Progress = lambda *_: None,
    names: Sequence[str] = tuple(PICTURES),
) -> dict[str, Any]:
    """Measure each strategy on pictures of Table 2's sizes: a first ROI with its scene, later ones, and peak memory.

    `full` restores all of a picture, as in Table 1. Seconds; MB of resident memory, weights and libraries counted in.
    """
    jobs = [(way, name, size) for name, size in PICTURES.items() if name in names for way in strategies]
    rows = []
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), max_tasks_per_child=1) as pool:
        for done, (way, name, size) in enumerate(jobs, start=1):
            found = pool.submit(_timed, model, way, size.width, size.height, roi, device, precision).result()
            rows.append({"strategy": str(way), "picture": name, "size": str(size), **found})
            progress(done, len(jobs))
    told = machine()
    place = told["accelerator"] if device != "cpu" and told["accelerator"] != "None" else f"{told['threads']} threads"
    return {"machine": f"{told['cpu']}, {place}", "precision": precision, "rows": rows}


def _timed(
    model: str, way: Strategy, width: int, height: int, roi: int, device: str, precision: str
) -> dict[str, float]:
    """Restore ROIs of a picture of noise; runs in a process of its own."""
    restorer = Restorer.load(model, device=device, precision=precision)
    if way is not Strategy.CLSR and restorer.plain is not None:  # which has no patches to encode
        restorer = Restorer(restorer.plain, restorer.card, None, precision)
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    photo, size = images.read(pixels), Size(width, height)
    middle = Box.from_xywh((width - roi) // 2, (height - roi) // 2, roi, roi)
    began = time.perf_counter()
    scene = restorer.encode(photo)
    scene.restore(whole(size) if way is Strategy.FULL else middle, way)
    first = time.perf_counter() - began
    spent = []
    for k in range(3 if way is Strategy.FULL else TURNS):
        began = time.perf_counter()
        scene.restore(whole(size) if way is Strategy.FULL else middle.shifted(k, 0), way)
        spent.append(time.perf_counter() - began)
    return {
        "first": round(first, 4),
        "later": round(median(spent), 4),
        "peak_mb": round(memory.peak() / memory.MEGABYTE),
    }
