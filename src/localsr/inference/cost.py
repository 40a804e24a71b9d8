"""What regions cost before they are restored: FLOPs, seconds on this machine, and memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from localsr.geometry import Box, Size, whole
from localsr.inference.batching import BatchPlan
from localsr.inference.calibration import Speed
from localsr.inference.memory import BUFFER_BYTES, MEGABYTE, TAKEN_PER_COUNTED
from localsr.inference.planning import WorkItem, WorkSettings
from localsr.inference.protocols import CountableNetwork
from localsr.inference.restoration import MAX_PIXELS_HELD
from localsr.inference.strategies import Strategy
from localsr.models.patches import sample_patches


class RoiFlops(NamedTuple):
    """FLOPs of one ROI once its scene is there, and of making the scene (patches, keys and values)."""

    roi: int
    scene: int


class WorkCount(NamedTuple):
    """What is planned for boxes."""

    pieces: int
    gflops: float  # of the regions
    gflops_scene: float  # of the patches, once a picture


class CostEstimate(NamedTuple):
    """What regions cost by one strategy."""

    gflops: float  # of the regions
    gflops_scene: float  # of the patches, once a picture
    seconds: float  # of both, on this machine
    megabytes: float  # that the process has at its peak, libraries and one result at a time counted in


def count_roi(network: CountableNetwork, strategy: Strategy, roi: int, size: Size) -> RoiFlops:
    """Count a `roi` x `roi` ROI in the middle of a picture of `size`; `full` restores all of it, as in Table 1."""
    geometry, box = network.geometry, whole(size)
    if strategy is not Strategy.FULL:
        middle = Box.from_xywh((size.width - roi) // 2, (size.height - roi) // 2, roi, roi)
        box = middle.intersection(box)
    taper = strategy.taper(box, size, geometry)  # untiled: tiles of `full` overlap by their halos
    context = geometry.context
    patches = 0 if context is None else len(sample_patches(size, context.patch, context.patches))
    near, grid = geometry.near(taper, size), geometry.grid
    x, y = near.left // grid * grid, near.top // grid * grid  # from there ROIs of all pictures are alike, counted once
    work = network.count_work(taper.shifted(-x, -y), near.shifted(-x, -y), patches)
    return RoiFlops(work.flops, network.count_scene(patches).flops)


def count_planned(items: Sequence[WorkItem], settings: WorkSettings) -> WorkCount:
    """Count planned work."""
    scene = settings.network.count_scene(settings.patches)
    return WorkCount(len(items), sum(item.load(settings).flops for item in items) / 1e9, scene.flops / 1e9)


def estimate_cost(
    boxes: Sequence[Box], plan: BatchPlan, settings: WorkSettings, speed: Speed, resident: int
) -> CostEstimate:
    """Estimate what planned work costs in a process that has `resident` bytes in memory before it."""
    network, scale = settings.network, settings.network.geometry.scale
    loads = [(len(batch), batch[0].load(settings)) for batch in plan.batches]
    scene = network.count_scene(settings.patches)
    flops = sum(count * load.flops for count, load in loads)
    batch = max((count * load.bytes for count, load in loads), default=0)
    result = 3 * 4 * max((min(box.scaled(scale).area, MAX_PIXELS_HELD) for box in boxes), default=0)
    return CostEstimate(
        flops / 1e9,
        scene.flops / 1e9,
        speed.seconds(len(loads), flops + scene.flops),
        (resident + BUFFER_BYTES + (plan.threads * batch + result) * TAKEN_PER_COUNTED) / MEGABYTE,
    )
