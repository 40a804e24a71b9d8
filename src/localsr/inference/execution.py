"""Pieces of work: windows that are read, put together where they are alike, and run through a network."""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from localsr.geometry import Box, whole
from localsr.images import Photo
from localsr.inference.cost import Load, load
from localsr.models.backbone import Taper
from localsr.models.clsr import CLSR
from localsr.models.context import Context, sample_patches

BATCH = 2**15  # LR px of first windows in one batch: 8 MB a feature map at 64 channels, near the size of the cache
THREADS = 8  # at most with a batch each: a tile of `full` takes 100 MB in each
MANY = 4  # batches for each thread: then the cores are idle for an eighth of the time at most
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
T = TypeVar("T")
log = logging.getLogger(__name__)


class Job(NamedTuple):
    """A piece of work: a box, a tile of one, or a tile that several boxes share."""

    boxes: tuple[int, ...]  # which of the boxes asked for
    taper: Taper  # in LR px of the picture
    near: Box  # what must be read for it; what of it lies outside `bounds` repeats their edge
    bounds: Box

    def origin(self, grid: int) -> tuple[int, int]:
        """Give the multiple of the grid at or left above the window that is read."""
        return self.near.left // grid * grid, self.near.top // grid * grid

    def local(self, grid: int) -> tuple[Taper, Box]:
        """Give taper and window in coordinates from `origin`: jobs alike here are one batch."""
        x, y = self.origin(grid)
        return self.taper.shifted(-x, -y), self.near.shifted(-x, -y)

    def load(self, network: CLSR, patches: int) -> Load:
        """Count what it takes."""
        return load(network.config, *self.local(network.grid), patches)


class Done(NamedTuple):
    """A job that has run."""

    job: Job
    pixels: NDArray[np.float32]  # (3, s h, s w) of the job's ROI
    precision: str  # one of PRECISIONS
    seconds: float  # its share of the batch

    def put(self, box: Box, pixels: NDArray[np.float32] | None, scale: int) -> NDArray[np.float32]:
        """Put them into those of a box that it is for, `(3, s h, s w)`, None if it is the first of the box's jobs.

        Pixels of a job that is for one box, all of it, are the box's as they are.
        """
        tile = self.job.taper.roi
        if len(self.job.boxes) == 1 and box == tile:
            return self.pixels
        if pixels is None:
            pixels = np.empty((3, scale * box.height, scale * box.width), np.float32)
        common = box.intersection(tile)
        there, here = common.within(box).scaled(scale), common.within(tile).scaled(scale)
        pixels[:, there.rows, there.columns] = self.pixels[:, here.rows, here.columns]
        return pixels


def batches(jobs: Sequence[Job], network: CLSR, patches: int, memory: int | None) -> tuple[list[list[Job]], int]:
    """Put jobs that are alike together; give the batches and how many threads run one each, see `each`.

    A batch has up to BATCH px and so many bytes; one job is a batch whatever it takes. Many batches on a CPU go to
    threads, with BATCH px in all; a few would leave cores idle at the end, and a bound on memory is for one.
    """
    threads = min(torch.get_num_threads(), THREADS)
    if len(jobs) >= MANY * threads > MANY and memory is None and network.torch_on_cpu:
        found = list(_alike(jobs, network, patches, memory, BATCH // threads))
        if len(found) >= MANY * threads:
            return found, threads
    return list(_alike(jobs, network, patches, memory, BATCH)), 1


def _alike(jobs: Sequence[Job], network: CLSR, patches: int, memory: int | None, area: int) -> Iterator[list[Job]]:
    """Put jobs that are alike together, up to `area` px of first windows and so many bytes."""
    tiles = Counter(job.boxes for job in jobs)  # those of one box stay together: it is ready before the next begins
    alike: dict[tuple[Taper, Box, tuple[int, ...]], list[Job]] = {}
    for job in jobs:
        alike.setdefault((*job.local(network.grid), job.boxes if tiles[job.boxes] > 1 else ()), []).append(job)
    for (taper, _, _), members in alike.items():
        count = max(1, area // taper.windows[0].area)
        if memory is not None:
            count = max(1, min(count, memory // max(members[0].load(network, patches).bytes, 1)))
        for first in range(0, len(members), count):
            yield members[first : first + count]


def each(work: Callable[[list[Job]], T], parts: Sequence[list[Job]], threads: int) -> Iterator[T]:
    """Do all parts, in their order; by threads that share the cores out among them, where there are several.

    Two cores that share each convolution make 140 GFLOPs a second by AVX2, two that have one each 190. The pixels are
    the same.
    """
    if threads == 1:
        yield from map(work, parts)
        return
    waiting: deque[Future[T]] = deque()
    cores = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(cores // threads,)) as pool:
            for part in parts:
                waiting.append(pool.submit(work, part))
                while waiting and (len(waiting) > 2 * threads or waiting[0].done()):  # results may be large and their
                    yield waiting.popleft().result()  # taker slow: no further ahead
            while waiting:
                yield waiting.popleft().result()
    finally:
        torch.set_num_threads(cores)  # which is also what threads to come begin with


def run(
    network: CLSR, photo: Photo, jobs: list[Job], context: Context | None, precision: str
) -> Iterator[tuple[list[Job], list[NDArray[np.float32]], str]]:
    """Restore jobs that are alike; halves of them where an accelerator has not the memory for all at once."""
    try:
        yield (jobs, *restored(network, photo, jobs, context, precision))
        return
    except torch.OutOfMemoryError:
        if len(jobs) == 1:
            raise
    torch.accelerator.empty_cache()
    middle = len(jobs) // 2
    log.warning("the device has no memory for %d regions at once: %d now", len(jobs), middle)
    for half in (jobs[:middle], jobs[middle:]):
        yield from run(network, photo, half, context, precision)


@torch.inference_mode()
def restored(
    network: CLSR, photo: Photo, jobs: Sequence[Job], context: Context | None, precision: str
) -> tuple[list[NDArray[np.float32]], str]:
    """Restore jobs that are alike: `(3, s h, s w)` of each, clamped to [0, 1]. Reads their windows and nothing else.

    What is not finite in a short precision is done again in fp32; the precision that it came to stands beside it.
    """
    dtype = PRECISIONS[precision]
    with torch.autocast(network.device.type, dtype, enabled=dtype is not torch.float32):
        y = network.restore(*_inputs(network, photo, jobs), context).float()
    if dtype is not torch.float32 and not y.isfinite().all():
        log.warning("%d regions were not finite in %s and are done again in fp32", len(jobs), precision)
        return restored(network, photo, jobs, context, "fp32")
    return [own.clamp(0, 1).numpy() for own in y.cpu()], precision  # who keeps one keeps no others


@torch.inference_mode()
def attend(network: CLSR, photo: Photo, job: Job, context: Context) -> Tensor:
    """Give the weights `(1, heads, queries, tokens)` of one job's attention."""
    return network.attention(*_inputs(network, photo, [job]), context)


@torch.inference_mode()
def encode(network: CLSR, photo: Photo, patches: Sequence[Box], pixels: Tensor) -> Context | None:
    """Make keys and values of a photo's patches `(N, 3, r, r)`."""
    if network.gcm is None:
        return None
    corners = torch.tensor([[[b.left, b.top] for b in patches]], dtype=torch.float32, device=network.device)
    return network.encode(pixels[None].to(network.device), corners)


def sampled(network: CLSR, photo: Photo) -> tuple[list[Box], Tensor]:
    """Choose the patches of a photo and read them `(N, 3, r, r)`; none for a network without GCM."""
    if network.gcm is None:
        return [], torch.empty(0)
    boxes, bounds = sample_patches(photo.size, network.config.gcm_patch, network.config.gcm_patches), whole(photo.size)
    return boxes, read(photo, [(box, bounds) for box in boxes])


def read(photo: Photo, places: Sequence[tuple[Box, Box]]) -> Tensor:
    """Read boxes of one size, `(B, 3, h, w)`; at the right and the bottom they repeat the edge of their bounds."""
    windows = photo.windows([box.intersection(bounds) for box, bounds in places])
    box = places[0][0]
    filled = [
        w
        if w.shape[1:] == (box.height, box.width)
        else np.pad(w, ((0, 0), (0, box.height - w.shape[1]), (0, box.width - w.shape[2])), mode="edge")
        for w in windows
    ]
    return torch.from_numpy(np.stack(filled))


def _inputs(network: CLSR, photo: Photo, jobs: Sequence[Job]) -> tuple[Tensor, Box, Taper, Tensor]:
    """Read the windows of jobs that are alike: what the network's `restore` takes."""
    taper, near = jobs[0].local(network.grid)
    pixels = read(photo, [(job.near, job.bounds) for job in jobs]).to(network.device)
    origins = torch.tensor([job.origin(network.grid) for job in jobs], dtype=torch.float32, device=network.device)
    return pixels.contiguous(memory_format=torch.channels_last), near, taper, origins
