"""Restored boxes back in their picture: all of it enlarged, or at its own size, with a rim that fades."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from localsr.errors import ConfigError
from localsr.geometry import Box, Size, strips, whole
from localsr.images import Canvas, Photo, Saving
from localsr.inference.restoration import Piece, Restoration, bicubic, enlarged_alpha
from localsr.inference.strategies import Strategy
from localsr.progress import Progress

if TYPE_CHECKING:
    from localsr.inference.scene import Scene

STRIP_PIXELS = 2**18  # of the result, enlarged at once: 3 MB, and as much again a few times on the way
MAX_LIST_PIXELS = 2**20  # of small regions that are restored together, and held
MAX_FEATHER = 256  # LR px


class Pasting(NamedTuple):
    """How boxes go into the picture."""

    feather: int = 4  # LR px inside a box over which it fades in, a quarter of its short side at most; 0 for none
    same_size: bool = False  # the picture's own size, boxes restored and reduced again; else all of it enlarged


def paste(
    path: str | PathLike[str],
    scene: Scene,
    boxes: Sequence[Box],
    strategy: Strategy | str | None = None,
    how: Pasting = Pasting(),  # noqa: B008  # frozen
    progress: Progress | None = None,
    kept: Mapping[int, Restoration] | None = None,
    saving: Saving = Saving(),  # noqa: B008  # frozen
) -> Size:
    """Write the picture with its boxes restored, the rest by bicubic or as it was, and return its size.

    Boxes are pasted in their order; `kept` are those that have been restored by the same strategy, by their numbers.
    Depth, profile and alpha are the photo's, and of its metadata what is still true and the format takes
    (`images.left_out`); a JPEG of a JPEG has its tables, unless `saving` asks for a quality. Neither the picture nor a
    box need fit in memory. `progress` hears of LR px, of the picture's and the boxes'. Raises `BoxError`,
    `ConfigError`, and `OutputError` for a file that could not be written.
    """
    if not 0 <= how.feather <= MAX_FEATHER:
        raise ConfigError(f"a feather of {how.feather} px cannot be; give 0 to {MAX_FEATHER} LR px")
    scene.strategy(strategy)  # or all of the background would be enlarged before it is refused
    if how.same_size and scene.photo.is_cmyk:
        raise ConfigError(
            "a CMYK picture would change all over on its way through sRGB; convert it, or have it enlarged"
        )
    photo, scale = scene.photo, scene.scale
    factor = 1 if how.same_size else scale
    inside = [box.checked(photo.size) for box in boxes]
    size = whole(photo.size).scaled(factor).size
    total, done = whole(photo.size).area + sum(box.area for box in inside), 0

    def report(area: int) -> None:
        nonlocal done
        done += area
        if progress is not None:
            progress(done, total)

    made = scene.provenance(inside, strategy, whole=True, same_size=how.same_size)
    with Canvas(path, size, photo, made, saving, alpha=photo.has_alpha) as canvas:
        for strip in strips(photo.size, STRIP_PIXELS // factor**2):
            pixels = photo.window(strip) if how.same_size else bicubic(photo, strip, scale)
            canvas.put(strip.scaled(factor), pixels, _alpha(photo, strip, factor))
            report(strip.area)
        for box, piece in _pieces(scene, inside, strategy, kept or {}):
            pixels = _reduced(piece.pixels, scale) if how.same_size else piece.pixels
            there = piece.box.scaled(factor)
            weight = _weight(piece.box, box, photo.size, how.feather, factor)
            pixels = canvas.get(there) * (1 - weight) + pixels * weight
            canvas.put(there, pixels, _alpha(photo, piece.box, factor))
            report(piece.box.area)
        canvas.finish()
    return size


def _pieces(
    scene: Scene, boxes: Sequence[Box], strategy: Strategy | str | None, kept: Mapping[int, Restoration]
) -> Iterator[tuple[Box, Piece]]:
    """Yield boxes in their order, restored: small ones by lists of up to MAX_LIST_PIXELS, large ones by pieces."""
    waiting: list[int] = []
    most, area = MAX_LIST_PIXELS // scene.scale**2, 0

    def together() -> Iterator[tuple[Box, Piece]]:
        fresh = [n for n in waiting if n not in kept]
        found = dict(zip(fresh, scene.restore([boxes[n] for n in fresh], strategy), strict=True))
        for n in waiting:
            yield boxes[n], Piece(boxes[n], (kept[n] if n in kept else found[n]).pixels)
        waiting.clear()

    for n, box in enumerate(boxes):
        if area + box.area > most:
            yield from together()
            area = 0
        if box.area > most and n not in kept:
            yield from ((box, piece) for piece in scene.pieces(box, strategy))
        else:
            waiting.append(n)
            area += box.area
    yield from together()


def rim(box: Box, feather: int) -> int:
    """Return the LR px over which a box fades in: a quarter of its short side at most."""
    return min(feather, min(box.width, box.height) // 4)


def _alpha(photo: Photo, box: Box, factor: int) -> NDArray[np.float32] | None:
    """Return the alpha of a box, enlarged `factor` times."""
    return photo.alpha(box) if factor == 1 else enlarged_alpha(photo, box, factor)


def _reduced(pixels: NDArray[np.float32], scale: int) -> NDArray[np.float32]:
    """Reduce by the mean of `scale` x `scale` pixels, which needs no neighbours: pieces fit without a seam."""
    bands, height, width = pixels.shape
    cells = pixels.reshape(bands, height // scale, scale, width // scale, scale)
    reduced: NDArray[np.float32] = cells.mean((2, 4), dtype=np.float32)
    return reduced


def _weight(piece: Box, box: Box, size: Size, feather: int, factor: int) -> NDArray[np.float32]:
    """Return the share `(h, w)` that a restored piece has of the result: it rises over the rim of its box.

    Where a box ends with the picture, there is nothing to fade into.
    """

    def along(first: int, last: int, low: int, high: int, length: int) -> NDArray[np.float32]:
        places = np.arange(first * factor, last * factor, dtype=np.float32) + np.float32(0.5)
        rise = np.full(len(places), np.inf, np.float32)
        if low > 0:
            rise = np.minimum(rise, places - low * factor)
        if high < length:
            rise = np.minimum(rise, high * factor - places)
        share: NDArray[np.float32] = np.minimum(rise / np.float32(max(feather * factor, 0.5)), np.float32(1))
        return share

    feather = rim(box, feather)
    columns = along(piece.left, piece.right, box.left, box.right, size.width)
    rows = along(piece.top, piece.bottom, box.top, box.bottom, size.height)
    weight: NDArray[np.float32] = rows[:, None] * columns
    return weight
