"""Tiles and strips of a TIFF whose compression tells of damage, if one looks.

Deflate has a checksum; a hole in JPEG, LZW or PackBits often changes how many bytes or pixels there are. One in raw
pixels cannot be seen, but that they are missing can.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from localsr.geometry import Box
from localsr.images import tiff
from localsr.images.checks import check_jpeg
from localsr.images.damage import DamagedBlockError
from localsr.images.origin import Origin
from localsr.images.tiff_codings import unpacked_by_lzw, unpacked_by_packbits

JPEG, DEFLATE, RAW, LZW, PACKBITS = 7, (8, 32946), 1, 5, 32773
SEPARATE_PLANES = 2
SUBSAMPLED = 6  # YCbCr, whose bytes are not those of its pixels
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
        self._tiled = tiled = directory.is_tiled
        self._width = directory.value(tiff.TILE_WIDTH) if tiled else size.width
        self._height = directory.value(tiff.TILE_HEIGHT if tiled else tiff.STRIP_HEIGHT, size.height)
        self._across, self._down = -(-size.width // self._width), -(-size.height // self._height)
        self._places = directory.values(tiff.TILE_OFFSETS if tiled else tiff.STRIP_OFFSETS)
        self._counts = directory.values(tiff.TILE_BYTES if tiled else tiff.STRIP_BYTES)
        self._planes = directory.value(tiff.BANDS, 1) if directory.value(tiff.PLANES) == SEPARATE_PLANES else 1
        bits = int(max(directory.values(tiff.BITS), default=1)) * (directory.value(tiff.BANDS, 1) // self._planes)
        self._row_bytes = -(-self._width * bits // 8)
        self._tables = directory.values(tiff.JPEG_TABLES).tobytes()

    @staticmethod
    def can_check(directory: tiff.Directory) -> bool:
        """Tell whether damage of these blocks can be seen here."""
        compression, bits = directory.value(tiff.COMPRESSION, 1), directory.values(tiff.BITS)
        plain = directory.value(tiff.PHOTOMETRIC) != SUBSAMPLED and len(set(bits.tolist())) <= 1
        known = compression in (JPEG, *DEFLATE) or (compression in (RAW, LZW, PACKBITS) and plain)
        return known and directory.value(tiff.FILL_ORDER, 1) != BITS_REVERSED

    def under(self, boxes: Sequence[Box]) -> set[int]:
        """Return the numbers of those that boxes of the upright picture need."""
        if self._turned:
            return set(range(self._across * self._down * self._planes))
        found: set[int] = set()
        for box in boxes:
            columns = range(box.left // self._width, -(-box.right // self._width))
            for row in range(box.top // self._height, -(-box.bottom // self._height)):
                found.update(row * self._across + column for column in columns)
        each = self._across * self._down
        return {plane * each + number for plane in range(self._planes) for number in found}

    def check(self, number: int) -> None:
        """Raise `DamagedBlockError` if one is damaged."""
        if number >= len(self._places):
            raise DamagedBlockError(f"tile or strip {number} is nowhere in the file")
        place, count = int(self._places[number]), int(self._counts[number]) if number < len(self._counts) else 0
        raw, wanted = self._compression == RAW, self._sizes(number)[0]
        if raw and count < wanted and len(self._places) == 1:  # which libtiff knows from its rows
            count = wanted
        if count < wanted if raw else number >= len(self._counts):
            raise DamagedBlockError(f"tile or strip {number} has {count} bytes by its directory")
        if place + count > self._origin.weight:
            raise DamagedBlockError(f"tile or strip {number} lies behind the end of the file")
        if raw:
            return
        data = self._origin.read_at(place, count)
        try:
            if self._compression == JPEG:
                check_jpeg(self._tables[:-2] + data[2:] if self._tables else data)
            elif self._compression in DEFLATE and data:
                _inflate(data, self._row_bytes * min(self._height, self._size.height + tiff.MAX_PADDING))
            elif data:
                self._check_size(number, data)
        except (zlib.error, DamagedBlockError) as error:
            raise DamagedBlockError(f"tile or strip {number}: {error}") from error

    def _sizes(self, number: int) -> tuple[int, ...]:
        """Return how many bytes a block may unpack to: the last strip has the rows that are left, or all."""
        if self._tiled:
            return (self._row_bytes * self._height,)
        above = number % self._down * self._height
        rows = (min(self._height, self._size.height - above), min(self._height, self._size.height), self._height)
        return tuple(self._row_bytes * count for count in rows)

    def _check_size(self, number: int, data: bytes) -> None:
        """Compare what LZW or PackBits unpack to with what a block holds."""
        unpacked = unpacked_by_lzw(data) if self._compression == LZW else unpacked_by_packbits(data)
        sizes = self._sizes(number)
        if unpacked is not None and unpacked not in sizes:
            raise DamagedBlockError(f"it holds {unpacked} bytes in place of {sizes[0]}")


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
