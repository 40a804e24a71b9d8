"""Boxes in whole pixels of the upright picture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

from localsr.errors import BoxError
from localsr.geometry.size import Size

SLACK = 1 / 64  # px; six decimals of a share of 20,000 px are off by that much
MAX_COORDINATE = 2**40  # px; no picture reaches so far


@dataclass(frozen=True, slots=True, order=True)
class Box:
    """A region: the columns from `left` to before `right` and the rows from `top` to before `bottom`.

    The sides are whole pixels from the left upper corner of the upright picture, which boxes may leave until `checked`.

    Raises:
        BoxError: A side is not a whole number, or the box has no area.

    Example:
        >>> Box(40, 60, 168, 188).size
        Size(width=128, height=128)
        >>> Box(5, 5, 5, 9)
        Traceback (most recent call last):
        ...
        localsr.errors.BoxError: box (5, 5, 5, 9) has no area; right must exceed left and bottom exceed top
    """

    left: int  # the first column
    top: int  # the first row
    right: int  # one past the last column
    bottom: int  # one past the last row

    def __post_init__(self) -> None:
        for name in ("left", "top", "right", "bottom"):
            if type(value := getattr(self, name)) is int:  # as almost always: halves the time that boxes take
                continue
            if isinstance(value, bool) or not hasattr(value, "__index__"):
                raise BoxError(f"box {name} is {value!r}; the four sides are whole numbers of pixels")
            object.__setattr__(self, name, value.__index__())
        if self.width <= 0 or self.height <= 0:
            raise BoxError("has no area", BoxError.ORDERED, box=str(self))

    @classmethod
    def from_xywh(cls, x: int, y: int, width: int, height: int) -> Self:
        """Return the box with a left upper corner and a size.

        Args:
            x: The first column.
            y: The first row.
            width: How many columns.
            height: How many rows.

        Returns:
            The box.

        Raises:
            BoxError: A number is not whole, or the box has no area.

        Example:
            >>> Box.from_xywh(40, 60, 128, 128)
            Box(left=40, top=60, right=168, bottom=188)
        """
        if min(width, height) <= 0:
            raise BoxError("has no area", BoxError.POSITIVE, box=f"{x},{y},{width},{height}")
        return cls(x, y, x + width, y + height)

    @classmethod
    def outward(cls, left: float, top: float, right: float, bottom: float) -> Self:
        """Return the smallest box of whole pixels that holds a region; everything that is not whole is rounded so.

        Args:
            left: The left side, in pixels.
            top: The upper side.
            right: The right side.
            bottom: The lower side.

        Returns:
            The box; a side within 1/64 px of a whole pixel counts as whole.

        Raises:
            BoxError: A side is no number, or the region has no area.

        Example:
            >>> Box.outward(10.4, 20.0, 30.01, 40.5)
            Box(left=10, top=20, right=30, bottom=41)
        """
        given = f"({', '.join(f'{side:.10g}' for side in (left, top, right, bottom))})"
        if not all(abs(side) <= MAX_COORDINATE for side in (left, top, right, bottom)):  # nor is NaN
            raise BoxError(f"is not made of numbers up to {MAX_COORDINATE} px", box=given)
        if not (left < right and top < bottom):
            raise BoxError("has no area", BoxError.ORDERED, box=given)
        (x1, x2), (y1, y2) = _outward(left, right), _outward(top, bottom)
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
        """Tell whether all of another box lies in this one.

        Args:
            other: The other box.

        Returns:
            True if it does, with sides in common, too.

        Example:
            >>> Box(0, 0, 9, 9).contains(Box(3, 3, 9, 6))
            True
        """
        across = self.left <= other.left and other.right <= self.right
        return across and self.top <= other.top and other.bottom <= self.bottom

    def grow(self, margin: int) -> Box:
        """Return the box with every side moved outward.

        Args:
            margin: By how many pixels; negative ones move the sides inward.

        Returns:
            The box, which may leave the picture.

        Raises:
            BoxError: Nothing is left.

        Example:
            >>> Box(10, 10, 20, 20).grow(4)
            Box(left=6, top=6, right=24, bottom=24)
        """
        return Box(self.left - margin, self.top - margin, self.right + margin, self.bottom + margin)

    def clipped(self, size: Size) -> Box:
        """Cut off what leaves a picture.

        Args:
            size: The size of the picture.

        Returns:
            The part of the box that lies in it.

        Raises:
            BoxError: Nothing of the box lies in it.

        Example:
            >>> Box(600, 400, 700, 500).clipped(Size(640, 480))
            Box(left=600, top=400, right=640, bottom=480)
        """
        try:
            return self.intersection(whole(size))
        except BoxError:
            raise BoxError(f"lies outside the picture, which is {size}", box=str(self)) from None

    def intersection(self, other: Box) -> Box:
        """Intersect this box with another.

        Args:
            other: The other box.

        Returns:
            What both hold.

        Raises:
            BoxError: They have no pixel in common.

        Example:
            >>> Box(0, 0, 9, 9).intersection(Box(3, 3, 12, 6))
            Box(left=3, top=3, right=9, bottom=6)
        """
        left, top = max(self.left, other.left), max(self.top, other.top)
        return Box(left, top, min(self.right, other.right), min(self.bottom, other.bottom))

    def union(self, other: Box) -> Box:
        """Unite this box with another.

        Args:
            other: The other box.

        Returns:
            The smallest box that holds both.

        Example:
            >>> Box(0, 0, 4, 4).union(Box(3, 3, 12, 6))
            Box(left=0, top=0, right=12, bottom=6)
        """
        left, top = min(self.left, other.left), min(self.top, other.top)
        return Box(left, top, max(self.right, other.right), max(self.bottom, other.bottom))

    def checked(self, size: Size) -> Box:
        """Refuse a box that leaves a picture.

        Args:
            size: The size of the picture.

        Returns:
            The box itself.

        Raises:
            BoxError: The box leaves the picture.

        Example:
            >>> Box(40, 60, 168, 188).checked(Size(640, 480))
            Box(left=40, top=60, right=168, bottom=188)
        """
        if not whole(size).contains(self):
            raise BoxError(f"leaves the picture, which is {size}", BoxError.CLIP, box=str(self))
        return self

    def within(self, outer: Box) -> Box:
        """Count the box from the left upper corner of another.

        Args:
            outer: The other box, whose left upper corner becomes 0, 0.

        Returns:
            The same region in these coordinates.

        Example:
            >>> Box(12, 13, 20, 20).within(Box(10, 10, 40, 40))
            Box(left=2, top=3, right=10, bottom=10)
        """
        return self.shifted(-outer.left, -outer.top)

    def shifted(self, right: int, down: int) -> Box:
        """Move the box.

        Args:
            right: By how many columns; negative ones move it to the left.
            down: By how many rows; negative ones move it up.

        Returns:
            A box of the same size.

        Example:
            >>> Box(2, 3, 10, 10).shifted(10, -3)
            Box(left=12, top=0, right=20, bottom=7)
        """
        return Box(self.left + right, self.top + down, self.right + right, self.bottom + down)

    def scaled(self, scale: int) -> Box:
        """Find the region in an enlarged picture.

        Args:
            scale: How many times the picture is enlarged.

        Returns:
            The same region there.

        Example:
            >>> Box(1, 2, 3, 5).scaled(4)
            Box(left=4, top=8, right=12, bottom=20)
        """
        return Box(self.left * scale, self.top * scale, self.right * scale, self.bottom * scale)


def whole(size: Size) -> Box:
    """Return the box that covers a picture of `size`."""
    return Box(0, 0, size.width, size.height)


def _outward(first: float, last: float) -> tuple[int, int]:
    """Round two sides outward, but for SLACK, unless a sliver on the line between two pixels would vanish."""
    low, high = math.floor(first + SLACK), math.ceil(last - SLACK)
    return (low, high) if low < high else (math.floor(first), math.ceil(last))
