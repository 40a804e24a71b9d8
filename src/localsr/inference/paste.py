"""Restored boxes back in their picture: all of it enlarged, or at its own size, with a rim that fades."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from localsr.errors import ConfigError
from localsr.geometry import Box, Size, strips, whole
from localsr.images import Canvas, Saving
from localsr.inference.reduction import Grid, reduced_pieces
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

    Boxes are pasted in their order; `kept` are those that have been restored by the same strategy, as large as the
    network makes them, by their numbers.
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
    photo, everything = scene.photo, whole(scene.photo.size)
    inside = [box.checked(photo.size) for box in boxes]
    size = photo.size if how.same_size else scene.size_of(everything)
    grid = Grid(everything, size, scene.network_scale)
    total, done = everything.area + sum(box.area for box in inside), 0
    made = scene.provenance(inside, strategy, whole=True, same_size=how.same_size)
    with Canvas(path, size, photo, made, saving, alpha=photo.has_alpha) as canvas:
        for strip in strips(size, STRIP_PIXELS):
            canvas.put(strip, bicubic(photo, everything, size, strip), enlarged_alpha(photo, everything, size, strip))
            if progress is not None:
                progress(everything.area * strip.bottom // size.height, total)
        done = everything.area
        for box, pieces in _pieces(scene.sized(), inside, strategy, kept or {}):
            for piece in reduced_pieces(pieces, box, grid):
                weight = _weight(piece.place, box, grid, how.feather)
                pixels = canvas.get(piece.place) * (1 - weight) + piece.pixels * weight
                canvas.put(piece.place, pixels, enlarged_alpha(photo, everything, size, piece.place))
            done += box.area
            if progress is not None:
                progress(done, total)
        canvas.finish()
    return size


def _pieces(
    scene: Scene, boxes: Sequence[Box], strategy: Strategy | str | None, kept: Mapping[int, Restoration]
) -> Iterator[tuple[Box, Iterable[Piece]]]:
    """Yield boxes in their order with their pieces: small ones by lists of up to MAX_LIST_PIXELS, large ones alone."""
    waiting: list[int] = []
    most, area = MAX_LIST_PIXELS // scene.network_scale**2, 0

    def together() -> Iterator[tuple[Box, Iterable[Piece]]]:
        fresh = [n for n in waiting if n not in kept]
        found = dict(zip(fresh, scene.restore([boxes[n] for n in fresh], strategy), strict=True))
        for n in waiting:
            restored = kept[n] if n in kept else found[n]
            yield boxes[n], [Piece(whole(restored.size), restored.pixels, restored.precision)]
        waiting.clear()

    for n, box in enumerate(boxes):
        if area + box.area > most:
            yield from together()
            area = 0
        if box.area > most and n not in kept:
            yield box, scene.pieces(box, strategy)
        else:
            waiting.append(n)
            area += box.area
    yield from together()


def rim(box: Box, feather: int) -> int:
    """Return the LR px over which a box fades in: a quarter of its short side at most."""
    return min(feather, min(box.width, box.height) // 4)


def _weight(piece: Box, box: Box, grid: Grid, feather: int) -> NDArray[np.float32]:
    """Return the share `(h, w)` that a piece of a restored box has of the result: it rises over the rim of the box.

    Where a box ends with the picture, there is nothing to fade into. A pixel that the box has half of has half a share.
    """

    def along(places: range, low: int, high: int, length: int, size: int) -> NDArray[np.float32]:
        middle, factor = np.arange(places.start, places.stop, dtype=np.float32) + np.float32(0.5), size / length
        rise = np.full(len(middle), np.inf, np.float32)
        if low > 0:
            rise = np.minimum(rise, middle - np.float32(low * factor))
        if high < length:
            rise = np.minimum(rise, np.float32(high * factor) - middle)
        width = feather * factor
        share = rise / np.float32(width) if width >= 1 else rise + np.float32(0.5)
        return share.clip(0, 1)

    feather = rim(box, feather)
    columns = along(range(piece.left, piece.right), box.left, box.right, grid.box.width, grid.size.width)
    rows = along(range(piece.top, piece.bottom), box.top, box.bottom, grid.box.height, grid.size.height)
    weight: NDArray[np.float32] = rows[:, None] * columns
    return weight
