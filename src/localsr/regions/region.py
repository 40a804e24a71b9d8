"""A region as it was given, and a region found on a picture."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from localsr.errors import BoxError
from localsr.geometry import Box, Size

MAX_REGIONS = 100_000  # of one picture


class Found(NamedTuple):
    """A region of a picture, in whole pixels."""

    box: Box  # px of the upright picture, inside it
    label: str = ""  # what it shows, as the file or the detector says
    score: float | None = None  # the detector's confidence; a larger one is surer
    origin: str = ""  # where it comes from, for messages: `boxes.json, annotations[3]`


@dataclass(frozen=True, slots=True)
class Region:
    """A region as it was given, before its picture is known: any numbers, which `on` checks.

    Example:
        >>> from localsr import Size
        >>> Region(0.25, 0.25, 0.5, 0.5, relative=True, label="sign").on(Size(640, 480))
        Found(box=Box(left=160, top=120, right=320, bottom=240), label='sign', score=None, origin='')
    """

    left: float
    top: float
    right: float
    bottom: float
    relative: bool = False  # the four are shares of the picture's width and height, not px
    label: str = ""
    score: float | None = None
    origin: str = ""  # where it comes from, for messages
    size: Size | None = None  # of the picture it was made for, where the file says so
    problem: str = field(default="", repr=False)  # why it could not be read; digests of what is asked leave it out
    given: str = field(default="", repr=False, compare=False)  # as it was typed, for messages
    by_size: bool = field(default=False, repr=False, compare=False)  # it was given by width and height, not by corners

    @classmethod
    def attempt(cls, parse: Callable[[], Self]) -> Self:
        """Return what `parse` returns, or where it raises `BoxError` a region that no picture takes, for its reason.

        So that one bad entry of a file costs that entry only.
        """
        try:
            return parse()
        except BoxError as error:
            return cls.unreadable(str(error))

    @classmethod
    def unreadable(cls, problem: str) -> Self:
        """Return a region that no picture takes, for the reason given."""
        return cls(math.nan, math.nan, math.nan, math.nan, problem=problem)

    def on(self, size: Size, *, clip: bool = False) -> Found:
        """Place the region on a picture, rounded outward to whole pixels.

        What a share lacks for a whole pixel (`geometry.SLACK`) is forgiven at the border, and nothing else.

        Args:
            size: The upright picture's size.
            clip: Cut off what leaves the picture instead of refusing it.

        Returns:
            The region's box with its label, score and origin.

        Raises:
            BoxError: The region has no area, is not made of numbers, leaves the picture, or was made for a picture of
                another size.
        """
        if self.problem:
            raise BoxError(self.problem)
        place = f"{self.origin}: " if self.origin else ""
        if self.size not in (None, size):
            raise BoxError(place + self._describe_misfit(size))
        try:
            width, height = (size.width, size.height) if self.relative else (1, 1)
            box = Box.outward(self.left * width, self.top * height, self.right * width, self.bottom * height)
            return Found(box.clipped(size) if clip else box.checked(size), self.label, self.score, self.origin)
        except BoxError as error:
            advice = BoxError.POSITIVE if error.advice is BoxError.ORDERED and self.by_size else error.advice
            given = self._describe()
            raise BoxError(place + (f"box {given} {error.problem}" if given else error.fact), advice) from None

    def is_flat(self) -> bool:
        """Tell whether the region has no area and yet no side the wrong way round, as some tools write points."""
        width, height = self.right - self.left, self.bottom - self.top
        return min(width, height) == 0

    def _describe(self) -> str:
        """Return the region as it was given, "" where only its pixels say more."""
        if self.given or self.relative or not self.by_size:
            return self.given
        sides = (self.left, self.top, self.right - self.left, self.bottom - self.top)
        return ",".join(f"{side:.10g}" for side in sides)

    def _describe_misfit(self, size: Size) -> str:
        """Say why a region made for a picture of another size is refused."""
        if self.size == Size(size.height, size.width):
            return (
                f"was made for {self.size} px, but upright the picture is {size}: it lay on its side; make it anew, "
                "on the upright picture"
            )
        return f"was made for a picture of {self.size} px, but this one is {size}"
