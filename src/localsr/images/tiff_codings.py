"""How many bytes a coded strip or tile of a TIFF unpacks to, without unpacking it: a hole changes the number.

Neither coding has a checksum, and libtiff stops at the bytes that it needs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from localsr.images.damage import DamagedBlockError

CLEAR, END, FIRST = 256, 257, 258  # codes of LZW: forget the table, end, the first of the table
WIDTHS = np.repeat(np.array([9, 10, 11, 12], np.uint32), [254, 512, 1024, 2048])  # bits of the codes after a clear
MASKS = (np.uint32(1) << WIDTHS) - np.uint32(1)
PLACES = np.concatenate([[0], np.cumsum(WIDTHS, dtype=np.intp)])  # of their first bits
PADDING = bytes(4)  # so that the last code has as many bits behind it as any
MIN_CODES = 64  # between two clears, on average, in what is looked at; an encoder clears a full table


def unpacked_by_lzw(data: bytes) -> int | None:
    """Return how many bytes a block of LZW unpacks to, None where it is not coded as TIFF 6 says.

    Raises:
        DamagedBlockError: A code is not in the table.
    """
    if data[:1] != b"\x80":  # the clear that a block begins with; the old kind has its bits in the other order
        return None
    place, end, size = 0, 8 * len(data), 0
    for _ in range(16 + end // (MIN_CODES * 9)):
        codes = _codes(data, place, int(np.searchsorted(PLACES, end - place, side="right")) - 1)
        ends = np.flatnonzero((codes == CLEAR) | (codes == END))
        size += _spelled(codes[: ends[0]] if len(ends) else codes)
        if not len(ends):
            return size if len(codes) < len(WIDTHS) else None  # a table that is full and goes on in use
        if codes[ends[0]] == END:
            return size
        place += int(PLACES[ends[0] + 1])
    return None


def _codes(data: bytes, place: int, count: int) -> NDArray[np.intp]:
    """Read codes from a bit on, the widths of which are those after a clear; the last may be more than there are."""
    start, count = place >> 3, min(count, len(WIDTHS))
    first = (place & 7) + PLACES[:count]
    part = np.frombuffer(data[start : start + (int(PLACES[count]) >> 3) + 2] + PADDING, np.uint8).astype(np.uint32)
    words = part[:-3] << 24 | part[1:-2] << 16 | part[2:-1] << 8 | part[3:]
    shift = (32 - (first & 7) - WIDTHS[:count]).astype(np.uint32)
    codes: NDArray[np.uint32] = words[first >> 3] >> shift & MASKS[:count]
    return codes.astype(np.intp)


def _spelled(codes: NDArray[np.intp]) -> int:
    """Return how many bytes the codes after a clear stand for, the lengths of their chains summed by doubling."""
    count = len(codes)
    if (codes >= FIRST + np.arange(count)).any() or (codes[:1] >= CLEAR).any():
        raise DamagedBlockError("a code of LZW is not in its table")
    parents = np.where(codes < CLEAR, count, codes - FIRST)  # what the code spells, and one byte more
    parents, lengths = np.append(parents, count), np.append(np.ones(count, np.intp), 0)
    while (parents < count).any():
        lengths, parents = lengths + lengths[parents], parents[parents]
    return int(lengths.sum())


def unpacked_by_packbits(data: bytes) -> int:
    """Return how many bytes the whole runs of a block of PackBits unpack to."""
    place, size, end = 0, 0, len(data)
    while place < end:
        head = data[place]
        step, length = (head + 2, head + 1) if head < 128 else (2, 257 - head) if head > 128 else (1, 0)
        place += step
        size += length if place <= end else 0
    return size
