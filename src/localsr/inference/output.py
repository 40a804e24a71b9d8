"""Restored regions written to files: small ones as a stream gives them, large ones piece by piece."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from os import PathLike
from pathlib import Path
from typing import NamedTuple

from localsr.errors import ConfigError
from localsr.geometry import Box, Enlargement, tiles, whole
from localsr.images import Canvas, Photo, Provenance, Saving
from localsr.inference.reduction import joint_precision
from localsr.inference.restoration import MAX_PIXELS_HELD, Restoration, bicubic, enlarged_alpha
from localsr.inference.scene import Scene
from localsr.inference.strategies import Strategy
from localsr.progress import Progress

Target = AbstractContextManager[Path]  # gives the path to write to; what follows, such as an upload, is its own
BICUBIC_SIDE = 1024  # HR px of a piece that is enlarged at once: 12 MB, and as much again a few times on the way


class WrittenRegion(NamedTuple):
    """A region whose file is complete."""

    number: int  # of its box in the list
    seconds: float  # from the box to the file
    precision: str  # that its pixels were computed in; fp32 where some had to be
    restoration: Restoration | None  # as large as the network makes it; None where it was too large to be held


def write_regions(
    scene: Scene,
    boxes: Sequence[Box],
    targets: Sequence[Target | None],
    strategy: Strategy | str | None = None,
    *,
    share: bool = False,
    max_pixels: int = MAX_PIXELS_HELD,
    progress: Progress | None = None,
    saving: Saving = Saving(),  # noqa: B008  # frozen
) -> Iterator[WrittenRegion]:
    """Restore boxes and write each to its target as soon as it is ready; small ones come before large ones.

    A target of None is not written. Small regions are nevertheless restored all together, so that the bytes of a file
    do not depend on which other files were there already.

    Args:
        scene: The photo to restore regions of.
        boxes: Regions in LR px of the upright picture.
        targets: For each box a context manager that gives the path to write to (`contextlib.nullcontext(path)` for a
            plain file), or None.
        strategy: How regions are restored; the network's default when None.
        share: Restore regions that crowd as one tile, as in `Scene.restore`.
        max_pixels: HR pixels of a result above which it is written in pieces.
        progress: Called with the LR px that are done, and how many there are in all.
        saving: The quality of the files, and what is left out of them.

    Yields:
        Each region when its file is complete.

    Raises:
        BoxError: A box leaves the picture.
        ConfigError: The network cannot run the strategy, or boxes and targets differ in number.
        OutputError: A file could not be written.
    """
    if len(boxes) != len(targets):
        raise ConfigError(f"{len(boxes)} boxes have {len(targets)} targets; give one for each, or None")
    small, large = split_by_size(boxes, scene.network_scale, max_pixels)
    small = small if any(targets[n] is not None for n in small) else []
    large = [n for n in large if targets[n] is not None]
    total, before = sum(boxes[n].area for n in (*small, *large)), 0

    def report(done: int, _: int) -> None:
        if progress is not None:
            progress(before + done, total)

    for k, restoration in scene.sized().stream([boxes[n] for n in small], strategy, share=share, progress=report):
        target, began = targets[small[k]], time.perf_counter()
        if target is not None:
            with target as path:
                restoration.reduced(scene.enlargement).save(path, saving)
            seconds = restoration.seconds + time.perf_counter() - began
            yield WrittenRegion(small[k], seconds, restoration.precision, restoration)
    before = sum(boxes[n].area for n in small)
    for n in large:
        target, began = targets[n], time.perf_counter()
        assert target is not None
        with target as path:
            precision = write_in_pieces(path, scene, boxes[n], strategy, report, saving)
        before += boxes[n].area
        yield WrittenRegion(n, time.perf_counter() - began, precision, None)


def split_by_size(boxes: Sequence[Box], scale: int, max_pixels: int) -> tuple[list[int], list[int]]:
    """Return the numbers of boxes whose results have at most `max_pixels`, and of those with more."""
    large = [n for n, box in enumerate(boxes) if box.area * scale**2 > max_pixels]
    return [n for n in range(len(boxes)) if n not in set(large)], large


def write_in_pieces(
    path: str | PathLike[str],
    scene: Scene,
    box: Box,
    strategy: Strategy | str | None = None,
    progress: Progress | None = None,
    saving: Saving = Saving(),  # noqa: B008  # frozen
) -> str:
    """Write a restored box that need not fit in memory, as `Restoration.save` would; return its precision."""
    size, made = scene.size_of(box), scene.provenance([box], strategy)
    precisions = set()
    with Canvas(path, size, scene.photo, made, saving, alpha=scene.photo.has_alpha) as canvas:
        for piece in scene.pieces(box, strategy, progress=progress):
            canvas.put(piece.place, piece.pixels, enlarged_alpha(scene.photo, box, size, piece.place))
            precisions.add(piece.precision)
        canvas.finish()
    return joint_precision(precisions)


def write_bicubic(
    path: str | PathLike[str], photo: Photo, box: Box, scale: float, progress: Progress | None = None
) -> None:
    """Write a box enlarged by bicubic, which need not fit in memory; `progress` hears of px of the result."""
    size, done = Enlargement(scale).of(box.size), 0
    made = Provenance(source_sha256=photo.sha256(), boxes=(box,), scale=scale, strategy="bicubic")
    with Canvas(path, size, photo, made, alpha=photo.has_alpha) as canvas:
        for part in tiles(whole(size), BICUBIC_SIDE):
            canvas.put(part, bicubic(photo, box, size, part), enlarged_alpha(photo, box, size, part))
            done += part.area
            if progress is not None:
                progress(done, whole(size).area)
        canvas.finish()
