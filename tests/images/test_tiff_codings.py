"""How many bytes a block of LZW or PackBits unpacks to."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from localsr.images.damage import DamagedBlockError
from localsr.images.tiff_codings import unpacked_by_lzw, unpacked_by_packbits
from localsr.images.vips import from_array

RNG = np.random.default_rng(4)
PICTURES = {
    "noise": RNG.integers(0, 256, (90, 110, 3), dtype=np.uint8),  # more codes than a table holds
    "one colour": np.full((90, 110, 3), 7, np.uint8),  # chains as long as they get
    "steps": (np.arange(90 * 110 * 3) // 50 % 256).astype(np.uint8).reshape(90, 110, 3),
    "a pixel": np.full((1, 1, 3), 7, np.uint8),
}


def block(name: str, compression: str) -> bytes:
    """Return the only tile of a TIFF."""
    tile = {"tile": True, "tile_width": 128, "tile_height": 96}
    data = bytes(from_array(PICTURES[name], "srgb").tiffsave_buffer(compression=compression, **tile))
    (directory,) = struct.unpack_from("<I", data, 4)
    found = {}
    for n in range(struct.unpack_from("<H", data, directory)[0]):
        tag, _, _, value = struct.unpack_from("<HHII", data, directory + 2 + 12 * n)
        found[tag] = value
    return data[found[324] : found[324] + found[325]]


@pytest.mark.parametrize("name", PICTURES)
def test_whole_blocks_unpack_to_their_pixels(name: str) -> None:
    """Family: blocks as libtiff writes them, with tables that fill up, long chains and short ends."""
    assert unpacked_by_lzw(block(name, "lzw")) == 128 * 96 * 3
    assert unpacked_by_packbits(block(name, "packbits")) == 128 * 96 * 3


@pytest.mark.parametrize("name", ["noise", "steps"])
def test_a_hole_changes_the_number(name: str) -> None:
    """Family: bytes of LZW that became others: a code that is not in the table, or another number of bytes."""
    data = block(name, "lzw")
    holes = (
        [RNG.bytes(64)] if name == "noise" else [RNG.bytes(64), bytes(64)]
    )  # zeros are codes of a byte, as noise has
    for place in range(100, len(data) - 300, len(data) // 9):
        for hole in holes:
            try:
                assert unpacked_by_lzw(data[:place] + hole + data[place + 64 :]) != 128 * 96 * 3
            except DamagedBlockError as error:
                assert "not in its table" in str(error)  # noqa: PT017


def test_what_is_missing_is_not_counted() -> None:
    """Family: blocks that end within a code or a run, and padding behind them."""
    lzw, runs = block("steps", "lzw"), block("steps", "packbits")
    assert 0 < unpacked_by_lzw(lzw[: len(lzw) // 2]) < 128 * 96 * 3
    assert unpacked_by_packbits(runs[:-1]) < unpacked_by_packbits(runs + b"\0") == 128 * 96 * 3
    assert unpacked_by_packbits(b"\x80\x01ab\xfec") == 2 + 3


def test_other_kinds_of_lzw_are_not_judged() -> None:
    """Family: the LZW of before TIFF 6, and one that forgets its table all the time, as none writes it."""
    assert unpacked_by_lzw(b"\0\1" + bytes(50)) is None
    clears = ("100000000" + "000000000100000000" * 4000).ljust(72_016, "0")
    assert unpacked_by_lzw(int(clears, 2).to_bytes(9002, "big")) is None
