"""A region restored in frame after frame of a clip, where it has moved to."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

from localsr.frames.tracking import TrackedFrames
from localsr.geometry import Box, Size
from localsr.inference.fused_restoration import FusedRestoration
from localsr.inference.restoration import Restoration
from localsr.inference.scene import Scene
from localsr.inference.strategies import Strategy
from localsr.progress import Progress


class TrackedRegion(NamedTuple):
    """A region of one frame of a clip.

    The pixels begin at `place`, to the nearest HR pixel, so that what moves in the clip stands still; the box is the
    nearest one of whole pixels.
    """

    restoration: Restoration
    seconds: float  # from the clip's beginning
    place: tuple[float, float]  # left and top in LR px
    correlation: float  # with the first view


def restore_tracked(
    found: Iterator[TrackedFrames],
    box: Box,
    encode: Callable[..., Scene],
    strategy: Strategy | str | None,
    progress: Progress | None,
) -> Iterator[TrackedRegion]:
    """Restore a region in frames that it was followed through; see `Restorer.track`."""
    for one in found:
        scene = encode(one.frames)
        restoration = _placed(scene, one.place, box.size, strategy)
        if progress is not None:
            progress(one.number, one.of)
        yield TrackedRegion(restoration, one.seconds, one.place, one.correlation)


def _placed(scene: Scene, place: tuple[float, float], size: Size, strategy: Strategy | str | None) -> Restoration:
    """Restore a region that begins between pixels: the smallest box that holds it, cut at the nearest HR pixels."""
    scale, picture = scene.network_scale, scene.photo.size
    rooms = (picture.width - size.width, picture.height - size.height)
    x, y = (min(max(round(at * scale), 0), room * scale) for at, room in zip(place, rooms, strict=True))
    right, bottom = (math.ceil((low + side * scale) / scale) for low, side in ((x, size.width), (y, size.height)))
    read = Box(x // scale, y // scale, right, bottom)
    found = scene.sized().restore(read, strategy)
    left, top = (round(low / scale) for low in (x, y))
    inner = Box(x, y, x + size.width * scale, y + size.height * scale).within(read.scaled(scale))
    here = (..., inner.rows, inner.columns)
    cut = replace(found, pixels=found.pixels[here], box=Box.from_xywh(left, top, size.width, size.height))
    if isinstance(cut, FusedRestoration):
        kept = cut.box.within(read)
        weights = {name: plane[kept.rows, kept.columns] for name, plane in cut.weights.items()}
        cut = replace(cut, single=cut.single[here], share=cut.share[here], weights=weights)
    return cut.reduced(scene.enlargement)
