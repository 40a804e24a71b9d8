"""From what was given to boxes of a picture: rounded, checked, grown, merged."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np

from localsr.errors import BoxError, ConfigError
from localsr.geometry import Box, Size

if TYPE_CHECKING:
    from localsr.images import Photo

MOST = 100_000  # regions of one picture
SURE = 0.5  # the score from which what a detector finds counts
WIDEST = 10.0  # shares of a region that a margin may have


class Found(NamedTuple):
    """A region of a picture."""

    box: Box  # px of the upright picture, inside it
    label: str = ""  # what it shows, as the file or the detector says
    score: float | None = None  # the detector's confidence, larger is surer
    origin: str = ""  # where it comes from, for messages: `boxes.json, annotation 3`


@dataclass(frozen=True, slots=True)
class Region:
    """A region as it was given, before its picture is known; any numbers, checked by `on`."""

    left: float
    top: float
    right: float
    bottom: float
    relative: bool = False  # the four are shares of the picture's width and height, not px
    label: str = ""
    score: float | None = None
    origin: str = ""  # where it comes from, for messages
    size: Size | None = None  # of the picture it was made for, where that was said

    def on(self, size: Size, *, clip: bool = False) -> Found:
        """Give the region of a picture of `size`, rounded outward; `BoxError` if it leaves it, unless `clip` cuts it.

        Only what a share lacks for a whole pixel is forgiven at the border.
        """
        try:
            if self.size not in (None, size):
                raise BoxError(self._misfit(size))
            wide, high = (size.width, size.height) if self.relative else (1, 1)
            box = Box.outward(self.left * wide, self.top * high, self.right * wide, self.bottom * high)
            return Found(box.clipped(size) if clip else box.checked(size), self.label, self.score, self.origin)
        except BoxError as error:
            if not self.origin:
                raise
            raise BoxError(f"{self.origin}: {error}") from None

    def _misfit(self, size: Size) -> str:
        """Say why a region made for a picture of another size is refused."""
        if self.size == Size(size.height, size.width):
            return (
                f"was made for {self.size} px, but upright the picture is {size}: it lay on its side; make it anew, "
                "on the upright picture"
            )
        return f"was made for a picture of {self.size} px, but this one is {size}"


@dataclass(frozen=True, slots=True)
class Margin:
    """What a region grows by on each side."""

    pixels: int = 0
    share: float = 0.0  # of the region's own width and height

    def __post_init__(self) -> None:
        """Refuse what shrinks, or is no margin any more."""
        if self.pixels < 0 or not 0 <= self.share <= WIDEST:
            raise ConfigError(f"a margin is 0 px or more, or 0 % to {WIDEST:.0%} of a region")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `10%` (of the region's own width and height) or `16` (px)."""
        if re.fullmatch(r"[0-9]{1,9}", text, re.ASCII):
            return cls(pixels=int(text))
        if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?%", text, re.ASCII):
            return cls(share=float(text[:-1]) / 100)
        raise ConfigError(f"{text!r} is no margin; give px, such as 16, or a share of the region, such as 10%")

    def around(self, box: Box, size: Size) -> Box:
        """Grow a box on each side, as far as the picture goes."""
        x, y = self.pixels + self.share * box.width, self.pixels + self.share * box.height
        return Box.outward(box.left - x, box.top - y, box.right + x, box.bottom + y).clipped(size)


@dataclass(frozen=True, slots=True)
class Regions:
    """The regions of a picture, whatever they come from, and what is done with them."""

    given: tuple[Region, ...] = ()
    detect: tuple[str, ...] = ()  # names of detectors, or paths of ONNX files
    margin: Margin = Margin()
    min_score: float | None = None  # what is less sure is dropped; None: what a detector finds below `SURE`
    min_size: int = 0  # px; a region whose shorter side has fewer, before it is grown, is dropped
    merge: bool = False  # regions that overlap become the box around them
    clip: bool = False  # what is given may leave the picture and is cut; what a detector finds always is

    def of(self, photo: Photo) -> tuple[Found, ...]:
        """Give the regions of a picture, in order: what was given, then what each detector found.

        Raises `BoxError` for a region that cannot be, `ConfigError` for a detector that is not there or fails.
        """
        found = [region.on(photo.size, clip=self.clip) for region in self.given]
        if self.min_score is not None:
            found = [f for f in found if f.score is None or f.score >= self.min_score]
        if self.detect:
            from localsr.regions.detectors import plugins

            least = SURE if self.min_score is None else self.min_score
            for name in self.detect:
                found += [f for f in plugins.run(name, photo) if f.score is None or f.score >= least]
        return self.settle(found, photo.size)

    def settle(self, found: Iterable[Found], size: Size) -> tuple[Found, ...]:
        """Drop what is small, grow the rest and merge it, for a picture of `size`."""
        large = [f for f in found if min(f.box.width, f.box.height) >= self.min_size]
        if len(large) > MOST:
            raise BoxError(f"{len(large)} regions are more than the {MOST} that one picture may have")
        grown = [f._replace(box=self.margin.around(f.box, size)) for f in large]
        return tuple(merged(grown) if self.merge else grown)


def merged(found: Sequence[Found]) -> list[Found]:
    """Unite regions that have a pixel in common, until none do; a union stands where the first of its parts stood.

    It has the label that all its parts have, or none, and the best score.
    """
    sides = np.array([(f.box.left, f.box.top, -f.box.right, -f.box.bottom) for f in found], np.int64).reshape(-1, 4)
    alive = np.ones(len(found), bool)
    parts = [[n] for n in range(len(found))]
    for n in range(len(found)):
        while alive[n]:
            own = sides[n]
            touching = alive & (sides[:, :2] < -own[2:]).all(1) & (-sides[:, 2:] > own[:2]).all(1)
            if touching.sum() == 1:  # itself
                break
            others = np.flatnonzero(touching)
            sides[n] = sides[others].min(0)
            alive[others], alive[n] = False, True
            parts[n] = [part for other in others for part in parts[other]]
    unions = sorted(sorted(parts[n]) for n in np.flatnonzero(alive))
    return [_united([found[part] for part in union]) for union in unions]


def _united(found: Sequence[Found]) -> Found:
    """Give the region around several."""
    first = found[0]
    box = functools.reduce(Box.union, (f.box for f in found))
    label = first.label if all(f.label == first.label for f in found) else ""
    scores = [f.score for f in found if f.score is not None]
    return Found(box, label, max(scores, default=None), first.origin)
