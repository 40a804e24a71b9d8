"""COCO's masks as run lengths: column by column, what is not painted first; of them, the box around what is."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from localsr.errors import BoxError
from localsr.regions.formats.documents import Sides

MAX_PIXELS = 2**33  # of a mask, and characters of a run: sums of as many as a file holds fit 64 bits
MAX_CHARACTERS = 8


class RunLengths(msgspec.Struct):
    """A mask: height and width, and the runs as numbers, or packed into text."""

    size: tuple[int, int]
    counts: list[int] | str


def painted_sides(mask: RunLengths, origin: str) -> Sides:
    """Return left, top, right, bottom of what is painted; `BoxError` where nothing is, or runs leave the picture."""
    height, width = mask.size
    outside = BoxError(f"{origin}: its runs do not fit into a mask of {width} x {height} px")
    if min(height, width) < 1 or height * width > MAX_PIXELS:
        raise outside
    try:
        runs = _unpack(mask.counts, origin) if isinstance(mask.counts, str) else np.array(mask.counts, np.int64)
    except OverflowError:
        raise outside from None
    if not runs.size or runs.min() < 0 or runs.max() > height * width or runs.sum() > height * width:
        raise outside if runs.size else BoxError(f"{origin}: its mask has nothing painted")
    ends = np.cumsum(runs)
    first, last = ends[:-1:2], ends[1::2] - 1
    first, last = first[last >= first], last[last >= first]
    if not first.size:
        raise BoxError(f"{origin}: its mask has nothing painted")
    left, right = first[0] // height, last[-1] // height + 1
    tall = bool((first // height != last // height).any())  # a run goes over the end of a column
    top = 0 if tall else (first % height).min()
    bottom = height if tall else (last % height).max() + 1
    return int(left), int(top), int(right), int(bottom)


def _unpack(text: str, origin: str) -> NDArray[np.int64]:
    """Return runs packed five bits a character, each from the fourth on as the difference to the last but one."""
    bits = np.frombuffer(text.encode("latin-1", "replace"), np.uint8).astype(np.int64) - 48
    if wrong := np.flatnonzero((bits < 0) | (bits > 63)).tolist():
        raise BoxError(f"{origin}: {text[wrong[0]]!r} is in no packed mask")
    last = np.flatnonzero(bits < 32)  # of the characters of a run
    if not last.size or last[-1] != bits.size - 1:
        bits = bits[: last[-1] + 1 if last.size else 0]
    start = np.concatenate([[0], last[:-1] + 1]) if last.size else last
    length = last - start + 1
    if length.max(initial=0) > MAX_CHARACTERS:
        raise BoxError(f"{origin}: a run of its packed mask has more than {MAX_CHARACTERS} characters")
    shift = 5 * (np.arange(bits.size) - np.repeat(start, length))
    runs = np.add.reduceat((bits & 31) << shift, start) if last.size else last
    runs -= np.where(bits[last] & 16, 1 << (5 * length), 0)
    for chain in (runs[1::2], runs[2::2]):
        np.cumsum(chain, out=chain)
    return runs
