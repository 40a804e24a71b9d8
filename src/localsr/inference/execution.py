"""Batches of work run through a network, one by one or side by side."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from localsr.conditions import Conditions
from localsr.geometry import Box
from localsr.images import Photo
from localsr.inference.batching import BatchPlan
from localsr.inference.planning import WorkItem
from localsr.inference.protocols import DeviceMemoryError, RunnableNetwork
from localsr.models.patches import Context
from localsr.models.windows import Taper
from localsr.progress import Progress

PRECISIONS = ("fp32", "bf16", "fp16")
Floats = NDArray[np.float32]
T = TypeVar("T")
log = logging.getLogger(__name__)


class RunInputs(NamedTuple):
    """What every batch of a run is restored from."""

    network: RunnableNetwork
    photo: Photo
    context: Context[Floats] | None = None  # the photo's keys and values
    short: RunnableNetwork | None = None  # the network in a precision of 16 bits, which restores in its place
    precision: str = "fp32"  # one of PRECISIONS: that of `short`
    conditions: Conditions | None = None  # that the networks were told

    def told(self, conditions: Conditions) -> RunInputs:
        """Return this with networks that are told how the photo was degraded."""
        short = self.short and self.short.with_conditions(conditions)
        network = self.network.with_conditions(conditions)
        return self._replace(network=network, short=short, conditions=conditions)


class BatchInputs(NamedTuple):
    """What a network's `restore` takes of a batch, besides keys and values."""

    pixels: Floats  # (B, 3, h, w) RGB in [0, 1]
    near: Box  # their window, from `origins`
    taper: Taper  # from `origins`
    origins: Floats  # (B, 2), x and y in LR px of the picture


class RestoredItem(NamedTuple):
    """A piece of work that is done."""

    item: WorkItem
    pixels: Floats  # (3, s h, s w) of its ROI, in [0, 1]
    precision: str  # that it was computed in
    seconds: float  # its share of its batch's time

    def paste_into(self, box: Box, pixels: Floats | None, scale: int) -> Floats:
        """Put its pixels into those of a box that it is for, `(3, s h, s w)`, None for the first item of the box.

        Pixels of an item that is for one box, all of it, are the box's as they are.
        """
        tile = self.item.taper.roi
        if len(self.item.boxes) == 1 and box == tile:
            return self.pixels
        if pixels is None:
            pixels = np.empty((3, scale * box.height, scale * box.width), np.float32)
        common = box.intersection(tile)
        there, here = common.within(box).scaled(scale), common.within(tile).scaled(scale)
        pixels[:, there.rows, there.columns] = self.pixels[:, here.rows, here.columns]
        return pixels


def execute(plan: BatchPlan, inputs: RunInputs, progress: Progress | None = None) -> Iterator[RestoredItem]:
    """Run all batches, and yield their items in the plan's order; `progress` hears of LR px."""
    total, done = sum(item.taper.roi.area for batch in plan.batches for item in batch), 0
    run = partial(run_batch, inputs, plan.threads)
    results = map(run, plan.batches) if plan.threads == 1 else _side_by_side(run, plan, inputs.network)
    for batch in results:
        done += sum(restored.item.taper.roi.area for restored in batch)
        if progress is not None:
            progress(done, total)
        yield from batch


def run_batch(inputs: RunInputs, threads: int, batch: Sequence[WorkItem]) -> list[RestoredItem]:
    """Restore a batch, or halves of it where an accelerator has not the memory for all of it at once."""
    began = time.perf_counter()
    try:
        pixels, precision = restore_batch(inputs, batch)
    except DeviceMemoryError:
        if len(batch) == 1:
            raise
    else:
        share = (time.perf_counter() - began) / len(batch) / threads
        return [RestoredItem(item, own, precision, share) for item, own in zip(batch, pixels, strict=True)]
    middle = len(batch) // 2
    log.warning("the device has no memory for %d regions at once: %d now", len(batch), middle)
    return [*run_batch(inputs, threads, batch[:middle]), *run_batch(inputs, threads, batch[middle:])]


def restore_batch(inputs: RunInputs, batch: Sequence[WorkItem]) -> tuple[list[Floats], str]:
    """Return the pixels `(3, s h, s w)` of each item, in [0, 1], and the precision that they were computed in.

    Reads the items' windows and nothing else. What is not finite in a short precision is done again in fp32.
    """
    network, photo, context, short, precision, _ = inputs
    y = (short or network).restore(*batch_inputs(network, photo, batch), context)
    if short is None or np.isfinite(y).all():
        return [own.clip(0, 1) for own in y], precision  # copies: each is kept without the others
    log.warning("%d regions were not finite in %s and are done again in fp32", len(batch), precision)
    return restore_batch(RunInputs(network, photo, context), batch)


def attend(inputs: RunInputs, items: Sequence[WorkItem], patches: int) -> list[float]:
    """Return how much of the attention of items (Eq. 3) each patch has: shares that sum to 1."""
    assert inputs.context is not None
    total = np.zeros(patches, np.float32)
    for item in items:
        given = batch_inputs(inputs.network, inputs.photo, [item])
        weights = inputs.network.attention(*given, inputs.context).mean(1)[0]  # (queries, tokens)
        total += weights.sum(0).reshape(patches, -1).sum(1)
    shares: list[float] = (total / total.sum()).tolist()
    return shares


def batch_inputs(network: RunnableNetwork, photo: Photo, batch: Sequence[WorkItem]) -> BatchInputs:
    """Read what items that are alike need of the photo."""
    grid = network.geometry.grid
    taper, near = batch[0].local(grid)
    pixels = read_windows(photo, [(item.near, item.bounds) for item in batch])
    return BatchInputs(pixels, near, taper, np.array([item.origin(grid) for item in batch], np.float32))


def read_windows(photo: Photo, places: Sequence[tuple[Box, Box]]) -> Floats:
    """Read boxes of one size, `(B, 3, h, w)`; at the right and the bottom they repeat the edge of their bounds."""
    windows = photo.windows([box.intersection(bounds) for box, bounds in places])
    box = places[0][0]
    filled = [
        w
        if w.shape[1:] == (box.height, box.width)
        else np.pad(w, ((0, 0), (0, box.height - w.shape[1]), (0, box.width - w.shape[2])), mode="edge")
        for w in windows
    ]
    return np.stack(filled)


def _side_by_side(run: Callable[[list[WorkItem]], T], plan: BatchPlan, network: RunnableNetwork) -> Iterator[T]:
    """Run batches by threads that share the cores out among them, and yield their results in order.

    Two cores that share each convolution make 140 GFLOPs a second by AVX2, two that have one each 190. The pixels are
    the same.
    """
    waiting: deque[Future[T]] = deque()
    sharing = network.shared_out(plan.threads)
    assert sharing is not None
    with sharing as begin, ThreadPoolExecutor(plan.threads, initializer=begin) as pool:
        for batch in plan.batches:
            waiting.append(pool.submit(run, batch))
            while waiting and (len(waiting) > 2 * plan.threads or waiting[0].done()):
                yield waiting.popleft().result()  # no further ahead: results may be large, their taker slow
        while waiting:
            yield waiting.popleft().result()
