"""What an evaluation would cost: headers are read for sizes, ROIs are counted, the machine's speed is asked."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from localsr import images
from localsr.evaluation.benchmark import Benchmark
from localsr.evaluation.methods import Method
from localsr.evaluation.protocol import compare_pictures, count_gflops
from localsr.evaluation.runner import MethodRunner
from localsr.geometry import Box, Size, whole
from localsr.inference.cost import count_roi
from localsr.inference.restorer import Restorer
from localsr.inference.strategies import Strategy

SAMPLE_SIDE = 256  # HR px of the picture whose comparison is timed


class MethodCost(NamedTuple):
    """What a method costs on a whole data set."""

    gflops: float
    seconds: float  # on this machine: restoring and comparing


class EvaluationEstimate(NamedTuple):
    """What an evaluation costs."""

    pictures: int
    rois: int
    methods: dict[str, MethodCost]

    @property
    def seconds(self) -> float:
        """Seconds of all methods."""
        return sum(cost.seconds for cost in self.methods.values())


def estimate_evaluation(
    benchmark: Benchmark, restorer: Restorer, *, roi: int, methods: Sequence[Method], sample: int | None = None
) -> EvaluationEstimate:
    """Count what `evaluate` would do, without restoring a picture; arguments are as there."""
    runner, sizes = MethodRunner(restorer, methods), [lr_size(benchmark, k) for k in range(len(benchmark))]
    cells = [(size.width // roi) * (size.height // roi) for size in sizes]
    counts = [count if sample is None else min(count, sample) for count in cells]
    compared = 2 * sum(count * (roi * benchmark.scale) ** 2 for count in counts) * _comparison_seconds()
    found = {}
    for method in methods:
        gflops, seconds = 0.0, compared
        if method.strategy is not None:
            rate = _seconds_per_gflop(restorer, method.strategy, roi)
            for size, count, cells_of in zip(sizes, counts, cells, strict=True):
                gflops += picture_gflops(runner, method, roi, size, count, complete=count == cells_of)
            seconds += gflops * rate
        found[str(method)] = MethodCost(gflops, seconds)
    return EvaluationEstimate(len(benchmark), sum(counts), found)


def lr_size(benchmark: Benchmark, k: int) -> Size:
    """Return the size of the LR of picture k, cropped as it will be; only headers are read."""
    _, hr, lr = benchmark.files[k]
    read, by = (lr, 1) if lr is not None and benchmark.published else (hr, benchmark.scale)
    size, multiple = images.read(read).size, benchmark.multiple
    return Size(size.width // by // multiple * multiple, size.height // by // multiple * multiple)


def picture_gflops(runner: MethodRunner, method: Method, roi: int, size: Size, count: int, *, complete: bool) -> float:
    """Count `count` ROIs of a picture by a method: `full` restores a complete picture once."""
    network = runner.network(method)
    if method.strategy is Strategy.FULL:
        picture = sum(count_roi(network, Strategy.FULL, roi, size)) / 1e9
        middle = Box.from_xywh((size.width - roi) // 2, (size.height - roi) // 2, roi, roi)
        taper = Strategy.FULL.taper(middle, size, network.geometry)
        one = network.count_work(taper, network.geometry.near(taper, size), 0).flops / 1e9
        return picture if complete else count * one
    each = count_gflops(network, method, roi, size)
    scenes = 1 if method.context is None else count
    return count * each["gflops_roi"] + scenes * (each["gflops_first_roi"] - each["gflops_roi"])


def _seconds_per_gflop(restorer: Restorer, strategy: Strategy, roi: int) -> float:
    """Ask how fast this machine runs a strategy; the first call for a network measures it."""
    photo = images.read(np.zeros((8 * roi, 8 * roi, 3), np.uint8))
    boxes = [Box.from_xywh(x * roi, y * roi, roi, roi) for x in range(8) for y in range(8)]
    asked = [whole(photo.size)] if strategy is Strategy.FULL else boxes
    cost = restorer.encode(photo).cost(asked)[strategy]
    return cost.seconds / (cost.gflops + cost.gflops_scene)


def _comparison_seconds() -> float:
    """Measure how long comparing takes, seconds an HR pixel."""
    picture = torch.rand(1, 3, SAMPLE_SIDE, SAMPLE_SIDE) * 255
    compare_pictures(picture, picture)
    began = time.perf_counter()
    compare_pictures(picture, picture)
    return (time.perf_counter() - began) / SAMPLE_SIDE**2
