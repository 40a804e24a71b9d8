"""COCO's masks as run lengths: column by column, what is not painted first; of them, the box around what is."""

from __future__ import annotations

from itertools import accumulate, pairwise

import msgspec

from localsr.errors import BoxError
from localsr.regions.formats.documents import Sides


class RunLengths(msgspec.Struct):
    """A mask: height and width, and the runs as numbers, or packed into text."""

    size: tuple[int, int]
    counts: list[int] | str


def painted_sides(mask: RunLengths, origin: str) -> Sides:
    """Return left, top, right, bottom of what is painted; `BoxError` where nothing is, or runs leave the picture."""
    height, width = mask.size
    runs = _unpack(mask.counts, origin) if isinstance(mask.counts, str) else mask.counts
    ends = [0, *accumulate(runs)]
    if min(height, width) < 1 or min(runs, default=0) < 0 or ends[-1] > height * width:
        raise BoxError(f"{origin}: its runs do not fit into a mask of {width} x {height} px")
    painted = [(first, last - 1) for first, last in list(pairwise(ends))[1::2] if last > first]
    if not painted:
        raise BoxError(f"{origin}: its mask has nothing painted")
    left, right = painted[0][0] // height, painted[-1][1] // height + 1
    tall = any(first // height != last // height for first, last in painted)  # a run goes over the end of a column
    top = 0 if tall else min(first % height for first, _ in painted)
    bottom = height if tall else max(last % height for _, last in painted) + 1
    return left, top, right, bottom


def _unpack(text: str, origin: str) -> list[int]:
    """Return runs packed five bits a character, each from the fourth on as the difference to the last but one."""
    runs: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64 or shift > 60:
            raise BoxError(f"{origin}: {character!r} is in no packed mask")
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    return runs
