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
from localsr.evaluation.paper import PAPER_SIZES
from localsr.evaluation.records import Timing, TimingRow
from localsr.geometry import Box, Size, whole
from localsr.inference import memory
from localsr.inference.restorer import Restorer
from localsr.inference.strategies import Strategy
from localsr.loading import load
from localsr.progress import Progress

LATER_ROIS = 7  # after the first; their median counts
LATER_PICTURES = 3  # by `full`, which restores all of a picture and takes seconds


def describe_machine() -> dict[str, Any]:
    """Return the processor, its cores, torch's threads and the accelerator that a number comes from."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return {"cpu": name, "cores": os.cpu_count(), "threads": torch.get_num_threads(), "accelerator": str(accelerator)}


def measure_timing(
    model: str,
    strategies: Sequence[Strategy],
    roi: int,
    device: str = "auto",
    precision: str = "fp32",
    progress: Progress = lambda *_: None,
    names: Sequence[str] = tuple(PAPER_SIZES),
) -> Timing:
    """Measure each strategy on pictures of Table 2's sizes: a first ROI with its scene, later ones, and peak memory.

    Args:
        model: A network, by name or path.
        strategies: What to measure; `full` restores all of a picture, as in Table 1.
        roi: Side of an ROI in LR px.
        device: As `localsr.load` takes it.
        precision: As `localsr.load` takes it.
        progress: Hears how many of the measurements are done.
        names: Of PAPER_SIZES, those to measure.

    Returns:
        Seconds, and MB of resident memory with weights and libraries counted in.
    """
    wanted = [(strategy, name, size) for name, size in PAPER_SIZES.items() if name in names for strategy in strategies]
    rows = []
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), max_tasks_per_child=1) as pool:
        for done, (strategy, name, size) in enumerate(wanted, start=1):
            measured = pool.submit(_measure_one, model, strategy, size, roi, device, precision).result()
            rows.append(TimingRow(str(strategy), name, str(size), *measured))
            progress(done, len(wanted))
    machine = describe_machine()
    on_accelerator = device != "cpu" and machine["accelerator"] != "None"
    place = machine["accelerator"] if on_accelerator else f"{machine['threads']} threads"
    return Timing(f"{machine['cpu']}, {place}", precision, rows)


def _measure_one(
    model: str, strategy: Strategy, size: Size, roi: int, device: str, precision: str
) -> tuple[float, float, int]:
    """Restore ROIs of a picture of noise in a process of its own; returns seconds first and later, and peak MB."""
    restorer = load(model, runtime="torch", device=device, precision=precision)
    if strategy is not Strategy.CLSR and restorer.plain is not None:  # which has no patches to encode
        restorer = Restorer(restorer.plain, restorer.card, None, precision)
    pixels = np.random.default_rng(0).integers(0, 256, (size.height, size.width, 3), dtype=np.uint8)
    photo = images.read(pixels)
    everything, full = whole(size), strategy is Strategy.FULL
    middle = Box.from_xywh((size.width - roi) // 2, (size.height - roi) // 2, roi, roi)
    began = time.perf_counter()
    scene = restorer.encode(photo)
    scene.restore(everything if full else middle, strategy)
    first = time.perf_counter() - began
    later = []
    for k in range(LATER_PICTURES if full else LATER_ROIS):
        began = time.perf_counter()
        scene.restore(everything if full else middle.shifted(k, 0), strategy)
        later.append(time.perf_counter() - began)
    return round(first, 4), round(median(later), 4), round(memory.peak() / memory.MEGABYTE)
