"""What is asked of a picture: regions that were given, detectors to run, and what is done with what they find."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np

from localsr.errors import BoxError, ConfigError
from localsr.geometry import Box, Size
from localsr.regions.detectors import plugins
from localsr.regions.region import MAX_REGIONS, Found, Region

if TYPE_CHECKING:
    from localsr.images import Photo

DEFAULT_MIN_SCORE = 0.5  # from which what a detector finds counts
MAX_MARGIN_SHARE = 10.0  # of a region's own width and height


class RefusedRegion(NamedTuple):
    """A region that was given and that a picture does not take."""

    region: Region | Found
    error: BoxError

    @property
    def reason(self) -> str:
        """Why, in the library's words."""
        return str(self.error)


@dataclass(frozen=True, slots=True)
class Margin:
    """What a region grows by on each side.

    Example:
        >>> Margin.parse("10%")
        Margin(pixels=0, share=0.1)
    """

    pixels: int = 0
    share: float = 0.0  # of the region's own width and height

    def __post_init__(self) -> None:
        """Refuse a margin that shrinks a region, or dwarfs it."""
        if self.pixels < 0 or not 0 <= self.share <= MAX_MARGIN_SHARE:
            raise ConfigError(f"a margin is 0 px or more, or 0 % to {MAX_MARGIN_SHARE:.0%} of a region")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `10%` (of the region's own width and height) or `16` (px); `ConfigError` for anything else."""
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
class RegionRequest:
    """Which regions of a picture are wanted; one frozen value that any process may be sent.

    Args:
        given: Regions that are known, as `text` and `read` return them.
        detect: Names of detectors (`detectors.plugins.detector_names()`), or paths of detectors in ONNX.
        margin: What each region grows by, as far as the picture goes.
        min_score: Regions of a lower score are dropped, 0 to 1; None drops what a detector finds below 0.5.
        min_size: Regions whose shorter side has fewer px, before they grow, are dropped.
        merge: Regions that overlap become the box around them.
        clip: A given region that leaves the picture is cut instead of refused; what a detector finds always is.

    Example:
        >>> import localsr, numpy
        >>> from localsr.regions import Margin, RegionRequest, text
        >>> request = RegionRequest((text("40,60,20,10"), text("50%,50%,5%,5%")), margin=Margin.parse("10%"))
        >>> photo = localsr.read(numpy.zeros((480, 640, 3), numpy.uint8))
        >>> [str(found.box) for found in request.find(photo)]
        ['(38, 59, 62, 71)', '(316, 237, 356, 267)']
    """

    given: tuple[Region, ...] = ()
    detect: tuple[str, ...] = ()
    margin: Margin = Margin()
    min_score: float | None = None
    min_size: int = 0
    merge: bool = False
    clip: bool = False

    def find(self, photo: Photo) -> tuple[Found, ...]:
        """Return the regions of a picture, in order: those given, then those of each detector, the surest first.

        Raises:
            BoxError: A region cannot be of this picture, or there are more than `MAX_REGIONS`.
            ConfigError: A detector is not there, or fails.
        """
        found, refused = self.sift(photo)
        if refused:
            raise refused[0].error
        return found

    def sift(self, photo: Photo) -> tuple[tuple[Found, ...], tuple[RefusedRegion, ...]]:
        """Return the regions of a picture as `find` does, and those that cannot be of it, each with its reason.

        Raises:
            BoxError: There are more than `MAX_REGIONS`.
            ConfigError: A detector is not there, or fails.
        """
        found, refused = [], []
        for region in self.given:
            if self.min_size and region.is_flat():
                continue
            try:
                found.append(region.on(photo.size, clip=self.clip))
            except BoxError as error:
                refused.append(RefusedRegion(region, error))
        if self.min_score is not None:
            found = [f for f in found if f.score is None or f.score >= self.min_score]
        min_score = DEFAULT_MIN_SCORE if self.min_score is None else self.min_score
        for name in self.detect:
            found += [f for f in plugins.detect(name, photo) if f.score is None or f.score >= min_score]
        return self.select(found, photo.size), tuple(refused)

    def select(self, found: Iterable[Found], size: Size) -> tuple[Found, ...]:
        """Drop what is small, grow the rest, and merge it if asked to, on a picture of `size`."""
        large = [f for f in found if min(f.box.width, f.box.height) >= self.min_size]
        if len(large) > MAX_REGIONS:
            raise BoxError(f"{len(large)} regions are more than the {MAX_REGIONS} that one picture may have")
        grown = [f._replace(box=self.margin.around(f.box, size)) for f in large]
        return tuple(merge_overlapping(grown) if self.merge else grown)


def sift_sizes(
    found: Iterable[Found], size_of: Callable[[Box], Size]
) -> tuple[tuple[Found, ...], tuple[RefusedRegion, ...]]:
    """Return regions whose results can have their size, and the others, each with its reason.

    Args:
        found: Regions of a picture.
        size_of: Returns the size of a box's result, or raises `BoxError`; as a restorer's does.

    Returns:
        Both, in their order.

    Example:
        >>> from localsr.geometry import Enlargement
        >>> small, large = Found(Box(0, 0, 10, 10)), Found(Box(0, 0, 30, 30))
        >>> fitting, refused = sift_sizes([small, large], lambda box: Enlargement(width=100).within(box.size, 4))
        >>> fitting == (large,), refused[0].region == small
        (True, True)
    """
    fitting, refused = [], []
    for one in found:
        try:
            size_of(one.box)
            fitting.append(one)
        except BoxError as error:
            refused.append(RefusedRegion(one, error))
    return tuple(fitting), tuple(refused)


def merge_overlapping(found: Sequence[Found]) -> list[Found]:
    """Unite regions that have a pixel in common, until none do; a union stands where the first of its parts stood.

    It has the label that all its parts have, or none, and the best score.
    """
    # right and bottom are negated, so that the union of boxes is the minimum of all four columns
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
    return [_unite([found[part] for part in union]) for union in unions]


def _unite(found: Sequence[Found]) -> Found:
    """Return the region around several."""
    first = found[0]
    box = functools.reduce(Box.union, (f.box for f in found))
    label = first.label if all(f.label == first.label for f in found) else ""
    scores = [f.score for f in found if f.score is not None]
    return Found(box, label, max(scores, default=None), first.origin)
