"""Tiles and strips of a TIFF whose compression tells of damage, if one looks: deflate by its checksum, JPEG by its end.

A hole in raw pixels cannot be seen, and one in LZW or PackBits as far as libtiff sees it.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from localsr.geometry import Box
from localsr.images import tiff
from localsr.images.checks import check_jpeg
from localsr.images.damage import DamagedBlockError
from localsr.images.origin import Origin

JPEG, DEFLATE = 7, (8, 32946)
SEPARATE_PLANES = 2
BITS_REVERSED = 2
INFLATED_BYTES = 2**20  # at a time


class TiffBlocks:
    """The tiles or strips of one picture in a TIFF."""

    def __init__(self, origin: Origin, directory: tiff.Directory, *, turned: bool) -> None:
        """Read where they lie; of a `turned` picture every box needs them all."""
        self._origin = origin
        self._turned = turned
        self._compression = directory.value(tiff.COMPRESSION, 1)
        self._size = size = directory.size
        tiled = directory.is_tiled
        self._width = directory.value(tiff.TILE_WIDTH) if tiled else size.width
        self._height = directory.value(tiff.TILE_HEIGHT if tiled else tiff.STRIP_HEIGHT, size.height)
        self._across, self._down = -(-size.width // self._width), -(-size.height // self._height)
        self._places = directory.values(tiff.TILE_OFFSETS if tiled else tiff.STRIP_OFFSETS)
        self._counts = directory.values(tiff.TILE_BYTES if tiled else tiff.STRIP_BYTES)
        self._planes = directory.value(tiff.BANDS, 1) if directory.value(tiff.PLANES) == SEPARATE_PLANES else 1
        bits = int(max(directory.values(tiff.BITS), default=1)) * (directory.value(tiff.BANDS, 1) // self._planes)
        self._bytes = -(-self._width * bits // 8) * min(self._height, size.height + tiff.MAX_PADDING)
        self._tables = directory.values(tiff.JPEG_TABLES).tobytes()

    @staticmethod
    def can_check(directory: tiff.Directory) -> bool:
        """Tell whether damage of these blocks can be seen here."""
        known = directory.value(tiff.COMPRESSION, 1) in (JPEG, *DEFLATE)
        return known and directory.value(tiff.FILL_ORDER, 1) != BITS_REVERSED

    def under(self, boxes: Sequence[Box]) -> set[int]:
        """Return the numbers of those that boxes of the upright picture need."""
        if self._turned:
            return set(range(min(len(self._places), len(self._counts))))
        found: set[int] = set()
        for box in boxes:
            columns = range(box.left // self._width, -(-box.right // self._width))
            for row in range(box.top // self._height, -(-box.bottom // self._height)):
                found.update(row * self._across + column for column in columns)
        each = self._across * self._down
        return {plane * each + number for plane in range(self._planes) for number in found}

    def check(self, number: int) -> None:
        """Raise `DamagedBlockError` if one is damaged."""
        if number >= min(len(self._places), len(self._counts)):
            raise DamagedBlockError(f"tile or strip {number} is nowhere in the file")
        count = int(self._counts[number])
        data = self._origin.read_at(int(self._places[number]), count)
        if len(data) < count:
            raise DamagedBlockError(f"tile or strip {number} lies behind the end of the file")
        try:
            if self._compression == JPEG:
                check_jpeg(self._tables[:-2] + data[2:] if self._tables else data)
            elif data:
                _inflate(data, self._bytes)
        except (zlib.error, DamagedBlockError) as error:
            raise DamagedBlockError(f"tile or strip {number}: {error}") from error


def _inflate(data: bytes, most: int) -> None:
    """Inflate a block, whose checksum zlib compares at its end; libtiff does not read so far."""
    stream, size = zlib.decompressobj(), 0
    while not stream.eof:
        part = stream.decompress(data, INFLATED_BYTES)
        data, size = stream.unconsumed_tail, size + len(part)
        if not (part or data):
            raise DamagedBlockError("it ends too early")
        if size > most:
            raise DamagedBlockError("it holds more than its pixels")
