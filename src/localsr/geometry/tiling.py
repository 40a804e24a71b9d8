"""Pictures and boxes cut into parts or laid on a grid, and boxes from outside checked against a picture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import singledispatch
from typing import cast

from localsr.errors import BoxError
from localsr.geometry.box import Box
from localsr.geometry.size import Size

MAX_STRIP_PIXELS = 2**22  # of a picture: 50 MB as floats of three colours, 100 MB in double precision


def tiles(box: Box, side: int) -> list[Box]:
    """Cut `box` into tiles of `side` x `side` pixels, row by row; the last of a row or column may be smaller."""
    return [
        Box(left, top, min(left + side, box.right), min(top + side, box.bottom))
        for top in range(box.top, box.bottom, side)
        for left in range(box.left, box.right, side)
    ]


def strips(size: Size, pixels: int = MAX_STRIP_PIXELS) -> Iterator[Box]:
    """Cut a picture of `size` into strips over its whole width, of at most `pixels` pixels but at least one row."""
    rows = max(pixels // size.width, 1)
    for top in range(0, size.height, rows):
        yield Box(0, top, size.width, min(top + rows, size.height))


@singledispatch
def snapped(box: Box, multiple: int, x: int = 0, y: int = 0) -> Box:
    """Return a box with its sides moved outward to a grid of `multiple` px that starts at x, y."""
    return Box(
        box.left - (box.left - x) % multiple,
        box.top - (box.top - y) % multiple,
        box.right + (x - box.right) % multiple,
        box.bottom + (y - box.bottom) % multiple,
    )


def checked_boxes(boxes: Box | Iterable[Box], size: Size, *, clip: bool = False) -> list[Box]:
    """Return one box or several as a list, each within a picture of `size`; with `clip`, cut off what leaves it.

    Raises `BoxError` for what is not a `Box`, leaves the picture or, clipped, lies outside it.
    """
    several = isinstance(boxes, Iterable) and not isinstance(boxes, Box | str | Mapping)
    each: list[object] = list(cast(Iterable[object], boxes)) if several else [boxes]
    found = []
    for box in each:
        if not isinstance(box, Box):
            given = box if isinstance(box, Iterable) else boxes  # four numbers alone are meant as one box
            advice = "make one with Box(left, top, right, bottom) or Box.from_xywh(x, y, width, height)"
            raise BoxError(f"{given!r} is no localsr.Box; {advice}")
        found.append(box.clipped(size) if clip else box.checked(size))
    return found
