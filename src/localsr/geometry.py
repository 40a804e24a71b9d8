"""Sizes and boxes: integers, half-open, in pixels of the upright picture; the only form a region takes inside."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

from localsr.errors import BoxError

SLACK = 1 / 64  # px; what six decimals of a share lose on a side of 20,000 px
FARTHEST = 2**40  # px; no picture reaches there
MAX_STRIP = 2**22  # pixels of a strip of a picture: 50 MB as floats of three colours, 100 MB in double precision


@dataclass(frozen=True, slots=True, order=True)
class Size:
    """Width and height in pixels."""

    width: int
    height: int

    def __str__(self) -> str:
        """`640 x 480`, as messages print it."""
        return f"{self.width} x {self.height}"


@dataclass(frozen=True, slots=True, order=True)
class Box:
    """A region: columns `left..right-1`, rows `top..bottom-1` of the upright LR picture.

    Raises `BoxError` when a side is not an integer or the box has no area.
    """

    left: int
    top: int
    right: int
    bottom: int

    def __post_init__(self) -> None:
        """Refuse what is no region."""
        for name in ("left", "top", "right", "bottom"):
            value = getattr(self, name)
            if type(value) is int:  # nearly all: a small ROI makes 60 boxes on its way, in half the time
                continue
            if isinstance(value, bool) or not hasattr(value, "__index__"):
                raise BoxError(f"box {name} is {value!r}; the four sides are whole numbers of pixels")
            object.__setattr__(self, name, value.__index__())
        if self.width <= 0 or self.height <= 0:
            raise BoxError(f"box {self} has no area; right must exceed left and bottom exceed top")

    @classmethod
    def from_xywh(cls, x: int, y: int, width: int, height: int) -> Self:
        """Make a box from its left upper corner and its size."""
        return cls(x, y, x + width, y + height)

    @classmethod
    def outward(cls, left: float, top: float, right: float, bottom: float) -> Self:
        """Give the smallest box of whole pixels that holds a region; the one rounding rule for all that is no integer.

        A side within `SLACK` of a whole pixel lies on it. Raises `BoxError` for no area and for what is no number.
        """
        told = f"({', '.join(f'{side:.10g}' for side in (left, top, right, bottom))})"
        if not all(abs(side) <= FARTHEST for side in (left, top, right, bottom)):  # NaN is not
            raise BoxError(f"box {told} is not made of numbers up to {FARTHEST} px")
        if not (left < right and top < bottom):
            raise BoxError(f"box {told} has no area; right must exceed left and bottom exceed top")
        x1, x2 = math.floor(left + SLACK), math.ceil(right - SLACK)
        y1, y2 = math.floor(top + SLACK), math.ceil(bottom - SLACK)
        if x1 >= x2:  # a sliver on the line between two pixels
            x1, x2 = math.floor(left), math.ceil(right)
        if y1 >= y2:
            y1, y2 = math.floor(top), math.ceil(bottom)
        return cls(x1, y1, x2, y2)

    @property
    def width(self) -> int:
        """Columns in the box."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Rows in the box."""
        return self.bottom - self.top

    @property
    def size(self) -> Size:
        """Width and height of the box."""
        return Size(self.width, self.height)

    @property
    def area(self) -> int:
        """Pixels in the box."""
        return self.width * self.height

    @property
    def rows(self) -> slice:
        """The box's rows, to index an array with."""
        return slice(self.top, self.bottom)

    @property
    def columns(self) -> slice:
        """The box's columns, to index an array with."""
        return slice(self.left, self.right)

    def __str__(self) -> str:
        """`(left, top, right, bottom)`, as messages print it."""
        return f"({self.left}, {self.top}, {self.right}, {self.bottom})"

    def contains(self, other: Box) -> bool:
        """Tell whether all of `other` lies in this box."""
        return (
            self.left <= other.left
            and self.top <= other.top
            and self.right >= other.right
            and self.bottom >= other.bottom
        )

    def grow(self, margin: int) -> Box:
        """Push every side out by `margin` pixels."""
        return Box(self.left - margin, self.top - margin, self.right + margin, self.bottom + margin)

    def clipped(self, size: Size) -> Box:
        """Cut off what leaves a picture of `size`; `BoxError` when nothing is left."""
        try:
            return self.intersection(whole(size))
        except BoxError:
            raise BoxError(f"box {self} lies outside the picture, which is {size}") from None

    def intersection(self, other: Box) -> Box:
        """Give what both boxes hold; `BoxError` when that is nothing."""
        return Box(
            max(self.left, other.left),
            max(self.top, other.top),
            min(self.right, other.right),
            min(self.bottom, other.bottom),
        )

    def union(self, other: Box) -> Box:
        """Give the smallest box that holds both."""
        return Box(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )

    def checked(self, size: Size) -> Box:
        """Return the box itself if a picture of `size` holds all of it; `BoxError` if not."""
        if not whole(size).contains(self):
            raise BoxError(f"box {self} leaves the picture, which is {size}; clip it with Box.clipped(size) or --clip")
        return self

    def within(self, outer: Box) -> Box:
        """Give the same region in the coordinates of `outer`, whose left upper corner becomes 0, 0."""
        return self.shifted(-outer.left, -outer.top)

    def shifted(self, right: int, down: int) -> Box:
        """Move the box by whole pixels."""
        return Box(self.left + right, self.top + down, self.right + right, self.bottom + down)

    def snapped(self, multiple: int, x: int = 0, y: int = 0) -> Box:
        """Push the sides out to a grid of `multiple` px that starts at x, y."""
        return Box(
            self.left - (self.left - x) % multiple,
            self.top - (self.top - y) % multiple,
            self.right + (x - self.right) % multiple,
            self.bottom + (y - self.bottom) % multiple,
        )

    def scaled(self, scale: int) -> Box:
        """Give the same region in a picture enlarged `scale` times."""
        return Box(self.left * scale, self.top * scale, self.right * scale, self.bottom * scale)


def whole(size: Size) -> Box:
    """Return the box that covers a picture of `size`."""
    return Box(0, 0, size.width, size.height)


def tiles(box: Box, side: int) -> list[Box]:
    """Cut `box` into tiles of `side` x `side` pixels, row by row; the last of a row or column may be smaller."""
    return [
        Box(left, top, min(left + side, box.right), min(top + side, box.bottom))
        for top in range(box.top, box.bottom, side)
        for left in range(box.left, box.right, side)
    ]


def strips(size: Size, pixels: int = MAX_STRIP) -> Iterator[Box]:
    """Cut a picture of `size` into strips over its whole width, of at most `pixels` pixels but at least one row."""
    rows = max(pixels // size.width, 1)
    for top in range(0, size.height, rows):
        yield Box(0, top, size.width, min(top + rows, size.height))


def checked_boxes(boxes: Box | Iterable[Box], size: Size, *, clip: bool = False) -> list[Box]:
    """Give one box or several within a picture of `size`; `BoxError` for what is none, or leaves it but for `clip`."""
    each = [boxes] if isinstance(boxes, Box) else list(boxes)
    for box in each:
        if not isinstance(box, Box):
            raise BoxError(f"{box!r} is no localsr.Box; make one with Box(left, top, right, bottom)")
    return [box.clipped(size) if clip else box.checked(size) for box in each]
