"""How large a result is: so many times its region, or so many pixels."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TypeAlias

from localsr.errors import BoxError, ConfigError
from localsr.geometry.size import Size

MAX_SCALE = 8
AskedSize: TypeAlias = str | Size | tuple[int | None, int | None]  # `1200x`, `x800`, `1200x800`; or its two numbers


@dataclass(frozen=True, slots=True)
class Enlargement:
    """How large results are: `scale` times their region, or of a `width` or a `height` from which the other follows.

    A result covers its region from corner to corner, whatever the size: it has whole pixels, and no other region.

    Example:
        >>> from localsr import Size
        >>> Enlargement(1.5).of(Size(24, 21))
        Size(width=36, height=32)
        >>> Enlargement.asked(size="1200x").of(Size(400, 300))
        Size(width=1200, height=900)
    """

    scale: float | None = None  # None where a size is asked for
    width: int | None = None
    height: int | None = None

    @classmethod
    def to_size(cls, size: AskedSize) -> Enlargement:
        """Return that to a size, as `asked` takes it; `ConfigError` for what is none."""
        return cls(None, *_checked_sides(size))

    @classmethod
    def asked(cls, scale: float | None = None, size: AskedSize | None = None) -> Enlargement | None:
        """Return what is asked for, None for what the network does.

        Args:
            scale: How many times, 1 to 8; not only whole numbers.
            size: `1200x`, `x800` or `1200x800`, in pixels; or the two as a `Size` or a tuple, None for one that follows
                from the other.

        Returns:
            The enlargement.

        Raises:
            ConfigError: Both are given, or one is none.

        Example:
            >>> str(Enlargement.asked(3)), str(Enlargement.asked(size=(None, 800)))
            ('x3', 'x800 px')
        """
        if scale is None and size is None:
            return None
        if size is None:
            return cls(_checked_scale(scale))
        if scale is not None:
            raise ConfigError(f"a scale of {scale} and a size of {size} are two answers to one question; leave one out")
        return cls.to_size(size)

    def __str__(self) -> str:
        """Return it as messages print it: `x3`, or `1200x800 px`."""
        if self.scale is not None:
            return f"x{self.scale:g}"
        return f"{self.width or ''}x{self.height or ''} px"

    def factor(self, size: Size) -> float:
        """Return how many times a region of `size` is enlarged.

        Args:
            size: The region's.

        Returns:
            The scale; a whole number as such.

        Example:
            >>> Enlargement.asked(size="1200x").factor(Size(500, 300))
            2.4
        """
        if self.scale is not None:
            return self.scale
        return _plain(self.width / size.width if self.width else (self.height or 0) / size.height)

    def of(self, size: Size) -> Size:
        """Return the size of the result of a region of `size`: the nearest in whole pixels.

        Args:
            size: The region's.

        Returns:
            The result's.

        Raises:
            BoxError: Width and height are both asked for, and the region would be stretched.

        Example:
            >>> Enlargement.asked(size="1200x800").of(Size(100, 80))
            Traceback (most recent call last):
            ...
            localsr.errors.BoxError: a region of 100 x 80 px would be stretched to 1200 x 800 px; ask for 1200x or x800
        """
        factor = self.factor(size)
        by_width = Size(self.width or _rounded(size.width * factor), _rounded(size.height * factor))
        if self.width is None or self.height is None:
            return by_width if self.height is None else Size(by_width.width, self.height)
        by_height = Size(_rounded(size.width * self.height / size.height), self.height)
        if Size(self.width, self.height) not in (by_width, by_height):
            raise BoxError(
                f"a region of {size} px would be stretched to {self.width} x {self.height} px; ask for {self.width}x "
                f"or x{self.height}"
            )
        return Size(self.width, self.height)

    def within(self, size: Size, most: float) -> Size:
        """Return the size of the result of a region, if a network can make it.

        Args:
            size: The region's.
            most: How many times the network enlarges.

        Returns:
            The result's.

        Raises:
            BoxError: It would be larger than the network makes it, smaller than the region, or stretched.

        Example:
            >>> Enlargement(3).within(Size(100, 80), 4)
            Size(width=300, height=240)
        """
        target, factor = self.of(size), self.factor(size)
        if factor > most:
            largest = Size(int(size.width * most), int(size.height * most))
            raise BoxError(
                f"a region of {size} px would be enlarged {factor:.4g} times to have {target} px, and the network "
                f"enlarges x{most:g}: ask for at most {largest} px, or choose a larger region"
            )
        if factor < 1:
            raise BoxError(
                f"a region of {size} px has more than the {target} px asked for, and nothing is reduced: ask for its "
                "own size or more"
            )
        return target


def _checked_scale(scale: float | None) -> float:
    """Return a scale that can be."""
    if isinstance(scale, bool) or not isinstance(scale, int | float) or not 1 <= scale <= MAX_SCALE:
        raise ConfigError(f"a scale of {scale} cannot be; give a number from 1 to {MAX_SCALE}, such as 3 or 1.5")
    return _plain(scale)


def _checked_sides(size: AskedSize) -> tuple[int | None, int | None]:
    """Return width and height, of which one may be None."""
    sides: tuple[int | None, ...] = ()
    if isinstance(size, Size):
        sides = (size.width, size.height)
    elif isinstance(size, str):
        match = re.fullmatch(r"(\d{0,6})[xX](\d{0,6})", size.strip(), re.ASCII)
        sides = () if match is None else (int(match[1] or 0) or None, int(match[2] or 0) or None)
    elif isinstance(size, tuple):
        sides = size
    right = all(side is None or (type(side) is int and side > 0) for side in sides)
    if len(sides) != 2 or not right or not any(sides):
        raise ConfigError(f"{size!r} is no size; give 1200x, x800 or 1200x800, in pixels")
    return sides


def _plain(number: float) -> float:
    """Return a whole number as an int, so that it is printed as one."""
    return int(number) if number == math.floor(number) else float(number)


def _rounded(side: float) -> int:
    """Return the nearest whole number of pixels, a half upward, at least 1."""
    return max(math.floor(side + 0.5), 1)
