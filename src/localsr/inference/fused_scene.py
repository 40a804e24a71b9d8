"""A scene of many frames: a region from all that show it, never worse than from the reference alone."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from localsr.frames import fusion
from localsr.frames.alignment import Alignment, FrameUse, View, align, window_of
from localsr.frames.cells import cells
from localsr.frames.gate import gate
from localsr.frames.reading import Frames
from localsr.geometry import Box, checked_boxes, tiles
from localsr.inference.averaged_photo import AveragedPhoto
from localsr.inference.cost import CostEstimate, WorkCount
from localsr.inference.fused_restoration import FusedRestoration
from localsr.inference.reduction import joint_precision
from localsr.inference.region_scene import RegionScene, Restorations
from localsr.inference.restoration import Piece, enlarged_alpha
from localsr.inference.scene import Scene
from localsr.inference.strategies import Strategy
from localsr.progress import Progress

TILE_SIDE = 96  # LR px of a part that is registered alone: one affine map holds for no more of a street
RIM = 8  # LR px over which such parts fade into each other
MARGIN = 4  # LR px around a part that back-projection and the gate see
SURROUNDINGS = 16  # LR px around a part in which frames are registered
MIN_WINDOW = 64  # LR px that are registered at least
PASSES = 3  # through the network: the reference, all frames, and all but the nearest, which the gate predicts


class _Part(NamedTuple):
    """A part of a box: pixels `(s h, s w, 3)` fused and single, and the share of the fused ones."""

    fused: NDArray[np.float32]
    single: NDArray[np.float32]
    share: NDArray[np.float32]
    weights: dict[str, fusion.Plane]  # (h, w) by the names of frames
    precision: str


class FusedScene(Scene):
    """What all boxes of a set of frames share; made by `Restorer.encode` of `localsr.read_frames`.

    It is asked as a `Scene` is. A region costs three passes through the network for any number of frames.

    Example:
        >>> import localsr, numpy as np
        >>> frames = localsr.read_frames([np.full((40, 60, 3), level, np.uint8) for level in (50, 51, 52)])
        >>> localsr.load("edsr-light-x4", device="cpu").encode(frames)
        <FusedScene of a photo, 60 x 40 px, by edsr-light-x4, x4: crop, halo, full>
    """

    def __init__(self, frames: Frames, scene: Scene, reader: Scene | None = None) -> None:
        """Take frames, the scene of their reference, and one of a network that reads cells; else `scene` fuses."""
        self.__dict__.update(scene.__dict__)
        self.frames, self._one, self._reader = frames, scene, reader

    def bounded(self, memory: int) -> FusedScene:
        """Return this scene with a bound on the memory of a batch's tensors; see `Scene.bounded`."""
        other = copy.copy(self)
        other._memory, other._one = memory, self._one.bounded(memory)
        other._reader = self._reader and self._reader.bounded(memory)
        return other

    def adjusted(self, denoise: float | None = None, deblur: float | None = None) -> FusedScene:
        """Return this scene with a user's word on noise and blur; see `Scene.adjusted`."""
        other = super().adjusted(denoise, deblur)
        other._one = self._one.adjusted(denoise, deblur)
        return other

    def uses(self, box: Box) -> tuple[FrameUse, ...]:
        """Return what becomes of each frame for a box, without restoring it; `BoxError` for a box that is none.

        Args:
            box: The region, in LR px of the reference.

        Returns:
            The frames but the reference: whether each is used, why not, how alike it is, how the region has moved.

        Example:
            >>> import localsr, numpy as np
            >>> frames = localsr.read_frames([np.full((40, 60, 3), level, np.uint8) for level in (50, 51, 52)])
            >>> scene = localsr.load("edsr-light-x4", device="cpu").encode(frames)
            >>> [use.used for use in scene.uses(localsr.Box(10, 10, 30, 30))]
            [False, False]
        """
        (inside,) = checked_boxes(box, self.photo.size)
        return _together([self._aligned(part).uses for part in _parts(inside)])

    def _aligned(self, part: Box) -> Alignment:
        """Find a part of a box in the other frames."""
        return align(self.frames, _surroundings(part).clipped(self.photo.size))

    def _pieces(self, box: Box, strategy: Strategy, progress: Progress | None) -> Iterator[Piece]:
        """Restore a box as one piece: its parts fade into each other."""
        return RegionScene._pieces(self, box, strategy, progress)

    def planned(
        self, boxes: Sequence[Box], strategy: Strategy | str | None = None, *, share: bool = False
    ) -> WorkCount:
        """Count the work of restoring boxes from all frames; see `Scene.planned`."""
        count = self._one.planned(self._parts_read(boxes), strategy)
        return count._replace(gflops=count.gflops * PASSES)

    def _costs(self, boxes: Sequence[Box], *, share: bool) -> dict[Strategy, CostEstimate]:
        """Estimate by each strategy what boxes would cost."""
        found = self._one.cost(self._parts_read(boxes))
        return {
            strategy: one._replace(gflops=one.gflops * PASSES, seconds=one.seconds * PASSES)
            for strategy, one in found.items()
        }

    def _parts_read(self, boxes: Sequence[Box]) -> list[Box]:
        """Return what is put through the network for boxes."""
        return [self._with_margin(part) for box in boxes for part in _parts(box)]

    def _with_margin(self, part: Box) -> Box:
        """Return a part with what back-projection sees around it."""
        return part.grow(MARGIN).clipped(self.photo.size)

    def _restorations(
        self, boxes: Sequence[Box], strategy: Strategy, progress: Progress | None, *, share: bool, together: bool
    ) -> Restorations:
        """Restore each box alone, by parts that fade into each other: frames are registered for every part."""
        total, done = sum(box.area for box in boxes), 0
        for n, box in enumerate(boxes):
            began, parts = time.perf_counter(), _parts(box)
            aligned = [self._aligned(part) for part in parts]
            if any(views for views, _ in aligned):
                found = self._joined(box, parts, aligned, strategy)
            else:  # the bytes of the reference alone
                one = self._one.restore(box, strategy)
                single = _rows(one.pixels)
                found = _Part(single, single, np.zeros(single.shape[:2], np.float32), {}, one.precision)
            done += box.area
            if progress is not None:
                progress(done, total)
            restoration = FusedRestoration(
                pixels=_planes(found.fused),
                alpha=enlarged_alpha(self.photo, box, self.network_scale),
                box=box,
                scale=self.network_scale,
                strategy=strategy,
                model=self._networks.name,
                precision=found.precision,
                seconds=time.perf_counter() - began,
                photo=self.photo,
                sha256=self._sha256,
                conditions=self.conditions,
                single=_planes(found.single),
                uses=_together([uses for _, uses in aligned]),
                share=found.share,
                weights=found.weights,
            )
            yield n, restoration.reduced(self.enlargement)

    def _joined(self, box: Box, parts: Sequence[Box], aligned: Sequence[Alignment], strategy: Strategy) -> _Part:
        """Restore the parts of a box, and let them fade into each other."""
        size = box.scaled(self.network_scale).size
        total = np.zeros((box.height, box.width), np.float32)  # of what parts count, in LR px
        sums = np.zeros((size.height, size.width, 8), np.float32)  # fused, single, share, weight
        precisions, weights = set(), dict[str, fusion.Plane]()
        for part, (views, _) in zip(parts, aligned, strict=True):
            found = self._fused(part, views, strategy)
            inner, fade = part.within(box), _fade(part, box, 1)
            total[inner.rows, inner.columns] += fade
            for name, plane in found.weights.items():
                own = weights.setdefault(name, np.zeros_like(total))
                own[inner.rows, inner.columns] += plane * fade
            there, weight = part.within(box).scaled(self.network_scale), _fade(part, box, self.network_scale)
            planes = [found.fused, found.single, found.share[..., None], np.ones_like(found.share)[..., None]]
            sums[there.rows, there.columns] += np.concatenate(planes, -1) * weight[..., None]
            precisions.add(found.precision)
        joined = sums / sums[..., 7:]
        return _Part(
            joined[..., :3],
            joined[..., 3:6],
            np.ascontiguousarray(joined[..., 6]),
            {name: own / total for name, own in weights.items()},
            joint_precision(precisions),
        )

    def _fused(self, part: Box, views: Sequence[View], strategy: Strategy) -> _Part:
        """Restore one part from frames, and hold it against the reference alone."""
        around = _surroundings(part).clipped(self.photo.size)
        read = self._with_margin(part)
        one = self._one.restore(read, strategy)
        single = _rows(one.pixels)
        result, share = single, np.zeros(single.shape[:2], np.float32)
        planes: dict[str, fusion.Plane] = {}
        if views:
            reference = window_of(self.photo, around)
            weights = fusion.consistency(reference, views)
            fused = self._restored(reference, views, weights, around, read, strategy)
            held_out = self._restored(reference, views[1:], weights[1:], around, read, strategy)
            share = gate(single, held_out, views[0], reference, read.within(around), self.network_scale)
            result = single + share[..., None] * (fused - single)
            here = part.within(around)
            planes = {v.name: own[here.rows, here.columns] for v, own in zip(views, weights, strict=True)}
        inner = part.within(read).scaled(self.network_scale)
        result, single, share = (array[inner.rows, inner.columns] for array in (result, single, share))
        return _Part(result, single, share, planes, one.precision)

    def _restored(
        self,
        reference: NDArray[np.float32],
        views: Sequence[View],
        weights: Sequence[NDArray[np.float32]],
        around: Box,
        read: Box,
        strategy: Strategy,
    ) -> NDArray[np.float32]:
        """Put the average of frames through the network, and hold it to the frames' own pixels: `(s h, s w, 3)`."""
        bands = mean = fusion.average(reference, views, weights).clip(0, 1)
        seen = fusion.observations(reference, views, weights)
        scene = self._one
        if self._reader is not None:
            scene, strategy = self._reader, strategy if strategy in self._reader.strategies else Strategy.HALO
            own = cells(reference, mean, seen, np.sum(weights, 0), self.network_scale)
            bands = np.concatenate([mean, _rows(own)], -1)
        averaged = copy.copy(scene)
        averaged.photo = AveragedPhoto.of(self.photo, around, _planes(bands))
        restored = _rows(averaged.restore(read, strategy).pixels)
        return fusion.back_project(restored, seen, read.within(around), self.network_scale).clip(0, 1)


def _parts(box: Box) -> list[Box]:
    """Cut a box into parts of about `TILE_SIDE` that overlap by `RIM`; a box that is hardly larger stays whole."""
    if max(box.width, box.height) <= TILE_SIDE + 2 * RIM:
        return [box]
    return [tile.grow(RIM).intersection(box) for tile in tiles(box, TILE_SIDE)]


def _fade(part: Box, box: Box, scale: int) -> NDArray[np.float32]:
    """Return the weight `(s h, s w)` of a part: it rises over its rim where it does not end with the box."""

    def along(first: int, last: int, low: int, high: int) -> NDArray[np.float32]:
        places = np.arange(first * scale, last * scale, dtype=np.float32) + np.float32(0.5)
        rise = np.full(len(places), RIM * scale, np.float32)
        if first > low:
            rise = np.minimum(rise, places - first * scale)
        if last < high:
            rise = np.minimum(rise, last * scale - places)
        return rise / np.float32(RIM * scale)

    rows = along(part.top, part.bottom, box.top, box.bottom)
    columns = along(part.left, part.right, box.left, box.right)
    weight: NDArray[np.float32] = rows[:, None] * columns
    return weight


def _surroundings(part: Box) -> Box:
    """Return the window in which frames are registered for a part."""
    across = max(SURROUNDINGS, (MIN_WINDOW - part.width + 1) // 2)
    down = max(SURROUNDINGS, (MIN_WINDOW - part.height + 1) // 2)
    return Box(part.left - across, part.top - down, part.right + across, part.bottom + down)


def _planes(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return `(3, h, w)` of `(h, w, 3)`."""
    return np.ascontiguousarray(pixels.transpose(2, 0, 1), np.float32)


def _rows(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return `(h, w, 3)` of `(3, h, w)`."""
    return pixels.transpose(1, 2, 0)


def _together(parts: Sequence[Sequence[FrameUse]]) -> tuple[FrameUse, ...]:
    """Sum up what became of frames in the parts of a box: used if any part used it."""
    found: dict[str, list[FrameUse]] = {}
    for uses in parts:
        for use in uses:
            found.setdefault(use.name, []).append(use)
    return tuple(max(several, key=lambda use: (use.used, use.correlation)) for several in found.values())
