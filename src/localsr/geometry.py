"""Sizes and boxes, in whole pixels of the upright picture: what every region becomes before anything is computed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

from localsr.errors import BoxError

SLACK = 1 / 64  # px; six decimals of a share of 20,000 px are off by that much
MAX_COORDINATE = 2**40  # px; no picture reaches so far
MAX_STRIP = 2**22  # pixels of a strip of a picture: 50 MB as floats of three colours, 100 MB in double precision


@dataclass(frozen=True, slots=True, order=True)
class Size:
    """Width and height in pixels.

    Example:
        >>> import localsr
        >>> str(localsr.Size(640, 480))
        '640 x 480'
    """

    width: int
    height: int

    def __str__(self) -> str:
        """Return the size as messages print it, `640 x 480`."""
        return f"{self.width} x {self.height}"


@dataclass(frozen=True, slots=True, order=True)
class Box:
    """A region: the columns from `left` to before `right` and the rows from `top` to before `bottom`.

    The sides are whole pixels, counted from the left upper corner of the upright picture; boxes may leave it until they
    are `checked` or `clipped`.

    Attributes:
        left: The first column.
        top: The first row.
        right: One past the last column.
        bottom: One past the last row.

    Raises:
        BoxError: A side is not a whole number, or the box has no area.

    Example:
        >>> import localsr
        >>> box = localsr.Box(40, 60, 168, 188)
        >>> box.size, box.area
        (Size(width=128, height=128), 16384)
        >>> localsr.Box(5, 5, 5, 9)
        Traceback (most recent call last):
        ...
        localsr.errors.BoxError: box (5, 5, 5, 9) has no area; right must exceed left and bottom exceed top
    """

    left: int
    top: int
    right: int
    bottom: int

    def __post_init__(self) -> None:
        for name in ("left", "top", "right", "bottom"):
            value = getattr(self, name)
            if type(value) is int:  # as almost always: this halves the time of the 60 boxes that a small ROI needs
                continue
            if isinstance(value, bool) or not hasattr(value, "__index__"):
                raise BoxError(f"box {name} is {value!r}; the four sides are whole numbers of pixels")
            object.__setattr__(self, name, value.__index__())
        if self.width <= 0 or self.height <= 0:
            raise BoxError(f"box {self} has no area; right must exceed left and bottom exceed top")

    @classmethod
    def from_xywh(cls, x: int, y: int, width: int, height: int) -> Self:
        """Return the box with a left upper corner and a size.

        Args:
            x: The first column.
            y: The first row.
            width: How many columns.
            height: How many rows.

        Raises:
            BoxError: A number is not whole, or the box has no area.

        Example:
            >>> import localsr
            >>> localsr.Box.from_xywh(40, 60, 128, 128)
            Box(left=40, top=60, right=168, bottom=188)
        """
        return cls(x, y, x + width, y + height)

    @classmethod
    def outward(cls, left: float, top: float, right: float, bottom: float) -> Self:
        """Return the smallest box of whole pixels that holds a region; everything that is not whole is rounded so.

        A side within 1/64 px of a whole pixel lies on it.

        Args:
            left: The left side, in pixels.
            top: The upper side.
            right: The right side.
            bottom: The lower side.

        Raises:
            BoxError: A side is no number, or the region has no area.

        Example:
            >>> import localsr
            >>> localsr.Box.outward(10.4, 20.0, 30.01, 40.5)
            Box(left=10, top=20, right=30, bottom=41)
        """
        given = f"({', '.join(f'{side:.10g}' for side in (left, top, right, bottom))})"
        if not all(abs(side) <= MAX_COORDINATE for side in (left, top, right, bottom)):  # nor is NaN
            raise BoxError(f"box {given} is not made of numbers up to {MAX_COORDINATE} px")
        if not (left < right and top < bottom):
            raise BoxError(f"box {given} has no area; right must exceed left and bottom exceed top")
        x1, x2 = math.floor(left + SLACK), math.ceil(right - SLACK)
        y1, y2 = math.floor(top + SLACK), math.ceil(bottom - SLACK)
        if x1 >= x2:  # a sliver on the line between two pixels
            x1, x2 = math.floor(left), math.ceil(right)
        if y1 >= y2:
            y1, y2 = math.floor(top), math.ceil(bottom)
        return cls(x1, y1, x2, y2)

    @property
    def width(self) -> int:
        """The number of columns."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """The number of rows."""
        return self.bottom - self.top

    @property
    def size(self) -> Size:
        """The width and the height."""
        return Size(self.width, self.height)

    @property
    def area(self) -> int:
        """The number of pixels."""
        return self.width * self.height

    @property
    def rows(self) -> slice:
        """The rows as a slice, to index an array with."""
        return slice(self.top, self.bottom)

    @property
    def columns(self) -> slice:
        """The columns as a slice, to index an array with."""
        return slice(self.left, self.right)

    def __str__(self) -> str:
        """Return the box as messages print it, `(left, top, right, bottom)`."""
        return f"({self.left}, {self.top}, {self.right}, {self.bottom})"

    def contains(self, other: Box) -> bool:
        """Tell whether all of `other` lies in this box."""
        across = self.left <= other.left and other.right <= self.right
        return across and self.top <= other.top and other.bottom <= self.bottom

    def grow(self, margin: int) -> Box:
        """Return the box with every side moved outward.

        Args:
            margin: By how many pixels; negative ones move the sides inward.

        Raises:
            BoxError: Nothing is left.

        Example:
            >>> import localsr
            >>> localsr.Box(10, 10, 20, 20).grow(4)
            Box(left=6, top=6, right=24, bottom=24)
        """
        return Box(self.left - margin, self.top - margin, self.right + margin, self.bottom + margin)

    def clipped(self, size: Size) -> Box:
        """Return the part of the box that lies in a picture.

        Args:
            size: The size of the picture.

        Raises:
            BoxError: Nothing of the box lies in it.

        Example:
            >>> import localsr
            >>> localsr.Box(600, 400, 700, 500).clipped(localsr.Size(640, 480))
            Box(left=600, top=400, right=640, bottom=480)
        """
        try:
            return self.intersection(whole(size))
        except BoxError:
            raise BoxError(f"box {self} lies outside the picture, which is {size}") from None

    def intersection(self, other: Box) -> Box:
        """Return what both boxes hold; raise `BoxError` if that is nothing."""
        left, top = max(self.left, other.left), max(self.top, other.top)
        return Box(left, top, min(self.right, other.right), min(self.bottom, other.bottom))

    def union(self, other: Box) -> Box:
        """Return the smallest box that holds both."""
        left, top = min(self.left, other.left), min(self.top, other.top)
        return Box(left, top, max(self.right, other.right), max(self.bottom, other.bottom))

    def checked(self, size: Size) -> Box:
        """Return the box itself if all of it lies in a picture.

        Args:
            size: The size of the picture.

        Raises:
            BoxError: The box leaves the picture.

        Example:
            >>> import localsr
            >>> localsr.Box(40, 60, 900, 188).checked(localsr.Size(640, 480))
            Traceback (most recent call last):
            ...
            localsr.errors.BoxError: box (40, 60, 900, 188) leaves the picture, which is 640 x 480; ...
        """
        if not whole(size).contains(self):
            raise BoxError(f"box {self} leaves the picture, which is {size}; clip it with Box.clipped(size) or --clip")
        return self

    def within(self, outer: Box) -> Box:
        """Return the same region in the coordinates of another box, whose left upper corner becomes 0, 0."""
        return self.shifted(-outer.left, -outer.top)

    def shifted(self, right: int, down: int) -> Box:
        """Return the box moved by whole pixels."""
        return Box(self.left + right, self.top + down, self.right + right, self.bottom + down)

    def snapped(self, multiple: int, x: int = 0, y: int = 0) -> Box:
        """Return the box with its sides moved outward to a grid of `multiple` px that starts at x, y."""
        return Box(
            self.left - (self.left - x) % multiple,
            self.top - (self.top - y) % multiple,
            self.right + (x - self.right) % multiple,
            self.bottom + (y - self.bottom) % multiple,
        )

    def scaled(self, scale: int) -> Box:
        """Return the same region in an enlarged picture.

        Args:
            scale: How many times the picture is enlarged.

        Example:
            >>> import localsr
            >>> localsr.Box(1, 2, 3, 5).scaled(4)
            Box(left=4, top=8, right=12, bottom=20)
        """
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
    """Return one box or several as a list, each within a picture of `size`; with `clip`, cut off what leaves it.

    Raises `BoxError` for what is not a `Box`, leaves the picture or, clipped, lies outside it.
    """
    each = [boxes] if isinstance(boxes, Box) else list(boxes)
    for box in each:
        if not isinstance(box, Box):
            given = box if isinstance(box, Iterable) else boxes  # four numbers alone are meant as one box
            advice = "make one with Box(left, top, right, bottom) or Box.from_xywh(x, y, width, height)"
            raise BoxError(f"{given!r} is no localsr.Box; {advice}")
    return [box.clipped(size) if clip else box.checked(size) for box in each]
