"""A photo that a restorer has looked at, and the one way from a box to its pixels."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import NamedTuple, overload

import numpy as np
import torch
from numpy.typing import NDArray

from localsr import images
from localsr.errors import BoxError, ConfigError
from localsr.geometry import Box
from localsr.images import Photo
from localsr.inference.strategies import Strategy, plan
from localsr.models.backbone import Taper, crop
from localsr.models.clsr import CLSR
from localsr.models.context import Context, sample_patches
from localsr.resize import enlarge

BATCH = 2**15  # LR px of first windows in one batch: 8 MB a feature map at 64 channels, near the size of the cache

Progress = Callable[[int, int], None]  # (done, of) in LR px


@dataclass(frozen=True)
class Restoration:
    """The answer: HR pixels of one box and how they were made."""

    pixels: NDArray[np.float32]  # (3, s h, s w), RGB in the photo's own colours, [0, 1]
    alpha: NDArray[np.float32] | None  # (1, s h, s w) in [0, 1], where the photo has it
    box: Box  # LR px of the upright picture
    scale: int
    strategy: Strategy
    model: str  # name of the network
    seconds: float  # from box to pixels; a batch's time is shared among its boxes by their area
    photo: Photo  # what it was made from: depth, bands and profile

    def save(self, path: str | PathLike[str]) -> None:
        """Write a picture with the photo's depth, bands and profile; PNG, JPEG, TIFF, WebP or BMP by suffix."""
        images.write(Path(path), self.pixels, self.alpha, self.photo)


class Scene:
    """What all boxes of one photo share; made by `Restorer.encode`, immutable, asked as often as one likes."""

    def __init__(self, photo: Photo, name: str, network: CLSR, plain: CLSR | None) -> None:
        """Look at the photo: sample N patches, whatever its size, and keep their keys and values."""
        self.photo = photo
        self._name, self._network, self._plain = name, network, plain
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
        halo = way.halo(network)
        jobs = [
            Job(n, taper, network.near(taper, size))
            for n, box in enumerate(inside)
            for taper in plan(box, size, network, halo)
        ]
        scale = network.config.scale
        results = [np.empty((3, scale * b.height, scale * b.width), np.float32) for b in inside]
        seconds = [0.0] * len(inside)
        total, done = sum(_area(job.taper.roi) for job in jobs), 0
        for batch in _batches(jobs, network.grid):
            began = time.perf_counter()
            for job, part in zip(batch, run(network, self.photo, batch, self._context), strict=True):
                place = job.taper.roi.within(inside[job.box]).scaled(scale)
                results[job.box][:, place.rows, place.columns] = part
            area = sum(_area(job.taper.roi) for job in batch)
            for job in batch:
                seconds[job.box] += (time.perf_counter() - began) * _area(job.taper.roi) / area
            done += area
            if progress is not None:
                progress(done, total)
        return [
            Restoration(pixels, self._alpha(box, scale), box, scale, way, self._name, spent, self.photo)
            for pixels, box, spent in zip(results, inside, seconds, strict=True)
        ]

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


class Job(NamedTuple):
    """A piece of work: a tile of a box, or all of it."""

    box: int  # which of the boxes asked for
    taper: Taper  # in LR px of the picture
    near: Box  # what must be read for it

    def origin(self, grid: int) -> tuple[int, int]:
        """Give the multiple of the grid at or left above the window that is read."""
        return self.near.left // grid * grid, self.near.top // grid * grid

    def local(self, grid: int) -> tuple[Taper, Box]:
        """Give taper and window in coordinates from `origin`: jobs alike here are one batch."""
        x, y = self.origin(grid)
        return self.taper.shifted(-x, -y), self.near.shifted(-x, -y)


@torch.inference_mode()
def run(network: CLSR, photo: Photo, jobs: Sequence[Job], context: Context | None) -> NDArray[np.float32]:
    """Restore jobs that are alike: `(B, 3, s h, s w)`, clamped to [0, 1]. Reads their windows and nothing else."""
    taper, near = jobs[0].local(network.grid)
    device = next(network.parameters()).device
    pixels = torch.from_numpy(np.stack(photo.windows([job.near for job in jobs]))).to(device)
    pixels = pixels.contiguous(memory_format=torch.channels_last)
    p = (network.pim(pixels)[0], near) if network.pim is not None else None
    x = crop(pixels, taper.windows[0].within(near)).contiguous(memory_format=torch.channels_last)
    origins = torch.tensor([job.origin(network.grid) for job in jobs], dtype=torch.float32, device=device)
    y: NDArray[np.float32] = network(x, taper, origins, context, p).clamp(0, 1).cpu().numpy()
    return y


@torch.inference_mode()
def _encode(photo: Photo, network: CLSR) -> Context | None:
    """Read the N patches and make their keys and values."""
    if network.gcm is None:
        return None
    patch = network.config.gcm_patch
    boxes = sample_patches(photo.size, patch, network.config.gcm_patches)
    pixels = np.stack([_filled(window, patch) for window in photo.windows(boxes)])
    device = next(network.parameters()).device
    corners = torch.tensor([[[b.left, b.top] for b in boxes]], dtype=torch.float32, device=device)
    return network.gcm.encode(torch.from_numpy(pixels)[None].to(device), corners)


def _filled(window: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Repeat the edge of a window of a picture thinner than a patch."""
    _, h, w = window.shape
    return np.pad(window, ((0, 0), (0, side - h), (0, side - w)), mode="edge") if (h, w) != (side, side) else window


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
