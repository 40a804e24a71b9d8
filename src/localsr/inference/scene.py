"""A photo that a restorer has looked at, and the one way from a box to its pixels."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import NamedTuple, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from localsr import images
from localsr.errors import BoxError, ConfigError
from localsr.geometry import Box, whole
from localsr.images import Photo
from localsr.inference.strategies import Strategy, plan
from localsr.models.backbone import Taper, crop
from localsr.models.clsr import CLSR, Near
from localsr.models.context import Context, sample_patches
from localsr.resize import enlarge

BATCH = 2**15  # LR px of first windows in one batch: 8 MB a feature map at 64 channels, near the size of the cache

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

Progress = Callable[[int, int], None]  # (done, of) in LR px
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Restoration:
    """The answer: HR pixels of one box and how they were made."""

    pixels: NDArray[np.float32]  # (3, s h, s w), RGB in the photo's own colours, [0, 1]
    alpha: NDArray[np.float32] | None  # (1, s h, s w) in [0, 1], where the photo has it
    box: Box  # LR px of the upright picture
    scale: int
    strategy: Strategy
    model: str  # name of the network
    precision: str  # that the pixels were computed in, one of PRECISIONS
    seconds: float  # from box to pixels; a batch's time is shared among its boxes by their area
    photo: Photo  # what it was made from: depth, bands and profile

    def save(self, path: str | PathLike[str]) -> None:
        """Write a picture with the photo's depth, bands and profile; PNG, JPEG, TIFF, WebP or BMP by suffix."""
        images.write(Path(path), self.pixels, self.alpha, self.photo)


@dataclass(frozen=True)
class Attention:
    """What the GCM drew on for a box: each sampled patch and its share of the attention; the shares sum to 1."""

    box: Box
    patches: list[Box]  # LR px of the upright picture
    shares: list[float]  # the mean over heads and queries


class Scene:
    """What all boxes of one photo share; made by `Restorer.encode`, immutable, asked as often as one likes."""

    def __init__(self, photo: Photo, name: str, network: CLSR, plain: CLSR | None, precision: str = "fp32") -> None:
        """Look at the photo: sample N patches, whatever its size, and keep their keys and values."""
        self.photo = photo
        self._name, self._network, self._plain, self._precision = name, network, plain, precision
        self._context = _encode(photo, network)

    @overload
    def restore(
        self,
        boxes: Box,
        strategy: Strategy | str | None = ...,
        *,
        clip: bool = ...,
        progress: Progress | None = ...,
    ) -> Restoration: ...

    @overload
    def restore(
        self,
        boxes: Sequence[Box],
        strategy: Strategy | str | None = ...,
        *,
        clip: bool = ...,
        progress: Progress | None = ...,
    ) -> list[Restoration]: ...

    def restore(
        self,
        boxes: Box | Sequence[Box],
        strategy: Strategy | str | None = None,
        *,
        clip: bool = False,
        progress: Progress | None = None,
    ) -> Restoration | list[Restoration]:
        """Restore one box, or a list of boxes: those of one size, at places alike to the network, run as one batch.

        `strategy` is `clsr` for a network with context and `halo` for a plain one, unless named. `progress` hears how
        many LR px are done, of how many. Raises `BoxError` for a box that leaves the picture, unless `clip` cuts it.
        """
        if isinstance(boxes, Box):
            return self.restore([boxes], strategy, clip=clip, progress=progress)[0]
        size, boxes = self.photo.size, list(boxes)
        for box in boxes:
            if not isinstance(box, Box):
                raise BoxError(f"{box!r} is no localsr.Box; make one with Box(left, top, right, bottom)")
        inside = [box.clipped(size) if clip else box.checked(size) for box in boxes]
        way, network = self._choose(strategy)
        jobs = [
            Job(n, taper, network.near(taper, size), box if way is Strategy.CROP else whole(size))
            for n, box in enumerate(inside)
            for taper in plan(box, size, network, way)
        ]
        scale = network.config.scale
        results = [np.empty((3, scale * b.height, scale * b.width), np.float32) for b in inside]
        seconds, precisions = [0.0] * len(inside), [self._precision] * len(inside)
        total, done = sum(_area(job.taper.roi) for job in jobs), 0
        for batch in _batches(jobs, network.grid):
            began = time.perf_counter()
            parts, precision = run(network, self.photo, batch, self._context, self._precision)
            for job, part in zip(batch, parts, strict=True):
                if precision != self._precision:
                    precisions[job.box] = precision
                place = job.taper.roi.within(inside[job.box]).scaled(scale)
                results[job.box][:, place.rows, place.columns] = part
            area = sum(_area(job.taper.roi) for job in batch)
            for job in batch:
                seconds[job.box] += (time.perf_counter() - began) * _area(job.taper.roi) / area
            done += area
            if progress is not None:
                progress(done, total)
        return [
            Restoration(pixels, self._alpha(box, scale), box, scale, way, self._name, precision, spent, self.photo)
            for pixels, box, precision, spent in zip(results, inside, precisions, seconds, strict=True)
        ]

    def attention(self, box: Box) -> Attention:
        """Tell which of the sampled patches the GCM draws on for a box (Fig. 8): as numbers; who asks may draw them.

        Raises `ConfigError` for a network without GCM, `BoxError` for a box that leaves the picture.
        """
        if self._context is None:
            raise ConfigError(f"{self._name} has no global context module; choose a network that has one")
        size, config = self.photo.size, self._network.config
        patches = sample_patches(size, config.gcm_patch, config.gcm_patches)
        total = torch.zeros(len(patches))
        for taper in plan(box.checked(size), size, self._network, Strategy.CLSR):
            job = Job(0, taper, self._network.near(taper, size), whole(size))
            weights = attend(self._network, self.photo, job, self._context).mean(1)[0]  # (queries, tokens)
            total += weights.sum(0).view(len(patches), -1).sum(1).cpu()
        return Attention(box, patches, (total / total.sum()).tolist())

    def _choose(self, strategy: Strategy | str | None) -> tuple[Strategy, CLSR]:
        """Settle the strategy and the network that runs it."""
        if strategy is None:
            strategy = Strategy.HALO if self._network.config.plain else Strategy.CLSR
        way = Strategy.named(strategy)
        if way is Strategy.CLSR:
            if self._network.config.plain:
                raise ConfigError(f"{self._name} is a plain backbone without context; choose crop, halo or full")
            return way, self._network
        if self._plain is None:
            raise ConfigError(f"{self._name} has no plain twin at hand, which {way} runs; put it beside the checkpoint")
        return way, self._plain

    def _alpha(self, box: Box, scale: int) -> NDArray[np.float32] | None:
        """Enlarge the photo's alpha beside the colour, by bicubic, whose kernel sees 2 px."""
        around = box.grow(2).clipped(self.photo.size)
        alpha = self.photo.alpha(around)
        if alpha is None:
            return None
        return enlarge(torch.from_numpy(alpha), around, box, scale).numpy()


def bicubic(photo: Photo, box: Box, scale: int) -> NDArray[np.float32]:
    """Enlarge a box by bicubic with what its kernel sees around it: `(3, s h, s w)` in [0, 1]."""
    around = box.grow(2).clipped(photo.size)
    return enlarge(torch.from_numpy(photo.window(around)), around, box, scale).numpy()


class Job(NamedTuple):
    """A piece of work: a tile of a box, or all of it."""

    box: int  # which of the boxes asked for
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


@torch.inference_mode()
def run(
    network: CLSR, photo: Photo, jobs: Sequence[Job], context: Context | None, precision: str
) -> tuple[NDArray[np.float32], str]:
    """Restore jobs that are alike: `(B, 3, s h, s w)`, clamped to [0, 1]. Reads their windows and nothing else.

    What is not finite in a short precision is done again in fp32; the precision that it came to stands beside it.
    """
    device, dtype = next(network.parameters()).device, PRECISIONS[precision]
    with torch.autocast(device.type, dtype, enabled=dtype is not torch.float32):
        x, taper, origins, near = _inputs(network, photo, jobs)
        y = network(x, taper, origins, context, near).float()
    if dtype is not torch.float32 and not y.isfinite().all():
        log.warning("%d regions were not finite in %s and are done again in fp32", len(jobs), precision)
        return run(network, photo, jobs, context, "fp32")
    return y.clamp(0, 1).cpu().numpy(), precision


@torch.inference_mode()
def attend(network: CLSR, photo: Photo, job: Job, context: Context) -> Tensor:
    """Give the weights `(1, heads, queries, tokens)` of one job's attention."""
    x, taper, origins, near = _inputs(network, photo, [job])
    return network.attention(x, taper, origins, context, near)


def _inputs(network: CLSR, photo: Photo, jobs: Sequence[Job]) -> tuple[Tensor, Taper, Tensor, Near | None]:
    """Read the windows of jobs that are alike and run the PIM on them: what the network's forward takes."""
    taper, near = jobs[0].local(network.grid)
    device = next(network.parameters()).device
    pixels = _read(photo, [(job.near, job.bounds) for job in jobs]).to(device)
    pixels = pixels.contiguous(memory_format=torch.channels_last)
    p = (network.pim(pixels)[0], near) if network.pim is not None else None
    x = crop(pixels, taper.windows[0].within(near)).contiguous(memory_format=torch.channels_last)
    origins = torch.tensor([job.origin(network.grid) for job in jobs], dtype=torch.float32, device=device)
    return x, taper, origins, p


@torch.inference_mode()
def _encode(photo: Photo, network: CLSR) -> Context | None:
    """Read the N patches and make their keys and values."""
    if network.gcm is None:
        return None
    patch = network.config.gcm_patch
    boxes = sample_patches(photo.size, patch, network.config.gcm_patches)
    pixels = _read(photo, [(box, whole(photo.size)) for box in boxes])
    device = next(network.parameters()).device
    corners = torch.tensor([[[b.left, b.top] for b in boxes]], dtype=torch.float32, device=device)
    return network.gcm.encode(pixels[None].to(device), corners)


def _read(photo: Photo, places: Sequence[tuple[Box, Box]]) -> Tensor:
    """Read boxes of one size, `(B, 3, h, w)`; at the right and the bottom they repeat the edge of their bounds."""
    windows = photo.windows([box.intersection(bounds) for box, bounds in places])
    box = places[0][0]
    filled = [
        np.pad(w, ((0, 0), (0, box.height - w.shape[1]), (0, box.width - w.shape[2])), mode="edge") for w in windows
    ]
    return torch.from_numpy(np.stack(filled))


def _batches(jobs: Sequence[Job], grid: int) -> Iterator[list[Job]]:
    """Put jobs that are alike together, up to the batch's budget."""
    alike: dict[tuple[Taper, Box], list[Job]] = {}
    for job in jobs:
        alike.setdefault(job.local(grid), []).append(job)
    for (taper, _), members in alike.items():
        count = max(1, BATCH // _area(taper.windows[0]))
        for first in range(0, len(members), count):
            yield members[first : first + count]


def _area(box: Box) -> int:
    """Pixels in a box."""
    return box.width * box.height
