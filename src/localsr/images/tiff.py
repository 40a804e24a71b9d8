"""The directories of a TIFF: which of its pages is the picture, and where its tiles or strips lie.

libvips decodes them; it takes previews, masks and overviews for pages, and libtiff does not compare checksums.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from localsr.errors import ImageError
from localsr.geometry import Size

NEW_SUBFILE_TYPE, SUBFILE_TYPE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 254, 255, 256, 257, 258, 259, 262
FILL_ORDER = 266
STRIP_OFFSETS, BANDS, STRIP_HEIGHT, STRIP_BYTES, PLANES = 273, 277, 278, 279, 284
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_BYTES, SUB_DIRECTORIES, JPEG_TABLES = 322, 323, 324, 325, 330, 347
DNG_VERSION, RAW_PHOTOMETRICS = 50706, (32803, 34892)  # of a sensor's pixels
COLOUR_TAGS = (BITS, 320, 338, 339, JPEG_TABLES, 529, 532)  # palette, alpha, kind of samples, and YCbCr's numbers
REDUCED, PAGE, MASK = 1, 2, 4  # bits of NewSubfileType
OLD_REDUCED = 2  # a value of SubfileType
TYPES = {1: "u1", 2: "u1", 3: "u2", 4: "u4", 6: "i1", 7: "u1", 8: "i2", 9: "i4", 13: "u4", 16: "u8", 17: "i8", 18: "u8"}
FRACTION, MAX_FRACTIONS = 5, 64
OTHER_TYPE_BYTES = {5: 8, 10: 8, 11: 4, 12: 8}  # fractions and floats
MAX_DIRECTORIES = 4096
MAX_VALUES = 2**26  # of a tag, such as the places of tiles
MAX_PADDING = 2**12  # rows of a strip or tile below the picture
ASPECT_PIXELS = 2  # by which a reduced picture's sides may be off, for it was rounded


@dataclass(frozen=True)
class Directory:
    """The tags of one picture in a TIFF."""

    order: str  # of bytes, "<" or ">"
    tags: dict[int, tuple[int, int, int]]  # type, count and place of the values
    read_at: Callable[[int, int], bytes]

    def values(self, tag: int) -> NDArray[Any]:
        """Return the whole numbers of a tag, none for one that is missing or holds something else."""
        kind, count, place = self.tags.get(tag, (1, 0, 0))
        if kind not in TYPES or count > MAX_VALUES:
            return np.zeros(0, np.int64)
        dtype = np.dtype(self.order + TYPES[kind])
        data = self.read_at(place, count * dtype.itemsize)
        return np.frombuffer(data[: len(data) // dtype.itemsize * dtype.itemsize], dtype)

    def fractions(self, tag: int) -> list[float]:
        """Return the fractions of a tag, none for one that is missing or holds something else."""
        kind, count, place = self.tags.get(tag, (1, 0, 0))
        if kind != FRACTION or count > MAX_FRACTIONS:
            return []
        data = self.read_at(place, 8 * count)
        pairs = struct.iter_unpack(self.order + "II", data[: len(data) // 8 * 8])
        return [over / under if under else 0.0 for over, under in pairs]

    def value(self, tag: int, missing: int = 0) -> int:
        """Return the first number of a tag."""
        found = self.values(tag)
        return int(found[0]) if len(found) else missing

    def lacks(self, tag: int) -> bool:
        """Tell whether the file ends before the values of a tag do; decoders go on without them, in other colours."""
        kind, count, place = self.tags.get(tag, (1, 0, 0))
        length = count * (OTHER_TYPE_BYTES.get(kind) or np.dtype(TYPES.get(kind, "u1")).itemsize)
        return 0 < length <= MAX_VALUES and not self.read_at(place + length - 1, 1)

    @property
    def size(self) -> Size:
        """Width and height."""
        return Size(self.value(WIDTH), self.value(HEIGHT))

    @property
    def is_tiled(self) -> bool:
        """Whether windows of it can be decoded alone."""
        return TILE_WIDTH in self.tags

    @property
    def is_reduced(self) -> bool:
        """Whether it says of itself that it is a smaller copy of another, or a mask."""
        marked = self.value(NEW_SUBFILE_TYPE) & (REDUCED | MASK)
        return bool(marked) or self.value(SUBFILE_TYPE) == OLD_REDUCED

    @property
    def is_raw(self) -> bool:
        """Whether its pixels are a sensor's."""
        return DNG_VERSION in self.tags or self.value(PHOTOMETRIC) in RAW_PHOTOMETRICS


class Place(NamedTuple):
    """Where a picture is in a TIFF, as libvips counts."""

    page: int
    subifd: int  # -1 for the page itself


class TiffPages(NamedTuple):
    """The pictures of a TIFF that stand for themselves."""

    places: list[Place]
    directories: list[Directory]


def read_pages(read_at: Callable[[int, int], bytes], title: str) -> TiffPages:
    """Return the pages of a TIFF without its previews, masks and overviews.

    Raises:
        ImageError: It is damaged, or a camera's RAW.
    """
    order, place, large = _header(read_at)
    chain: list[Directory] = []
    seen: set[int] = set()
    while place and place not in seen and len(chain) < MAX_DIRECTORIES:
        seen.add(place)
        directory, following = _directory(read_at, place, order, large)
        if directory is None:
            seen.remove(place)  # it is missing
            break
        chain.append(directory)
        place = following
    if not chain or any(0 in directory.tags for directory in chain):
        raise ImageError(f"{title} has no directory of pixels where its header says; it is damaged")
    inner = [sub for directory in chain[:2] for sub in _subdirectories(directory, large)]
    if any(directory.is_raw for directory in (*chain, *inner)):
        raise ImageError(f"{title} is a camera's RAW; develop it to TIFF with a RAW converter")
    if any(directory.lacks(tag) for directory in chain for tag in COLOUR_TAGS if not directory.is_reduced):
        raise ImageError(f"{title} ends before its colours are told; it is damaged")
    kept = [n for n, directory in enumerate(chain) if not directory.is_reduced]
    if not kept and place and place not in seen:
        raise ImageError(f"{title} ends before its picture, of which there is a smaller copy; it is damaged")
    if not kept:
        whole = next((n for n, sub in enumerate(_subdirectories(chain[0], large)) if not sub.is_reduced), None)
        if whole is not None:
            return TiffPages([Place(0, whole)], [_subdirectories(chain[0], large)[whole]])
        kept = [max(range(len(chain)), key=lambda n: chain[n].size.width)]  # nothing but copies: the largest
    levels = [chain[n] for n in kept]
    if _is_pyramid(levels):
        kept = kept[:1]
    return TiffPages([Place(n, -1) for n in kept], [chain[n] for n in kept])


def _header(read_at: Callable[[int, int], bytes]) -> tuple[str, int, bool]:
    """Return the order of bytes, the place of the first directory, and whether it is a BigTIFF."""
    head = read_at(0, 16).ljust(16, b"\0")
    order = "<" if head[:1] == b"I" else ">"
    large = struct.unpack(order + "H", head[2:4])[0] == 43
    place = struct.unpack(order + "Q", head[8:16])[0] if large else struct.unpack(order + "I", head[4:8])[0]
    return order, place, large


def _directory(
    read_at: Callable[[int, int], bytes], place: int, order: str, large: bool
) -> tuple[Directory | None, int]:
    """Read one directory; return it, None for one that is not there whole, and the place of the next."""
    counts, entry, words = ("Q", 20, "Q") if large else ("H", 12, "I")
    start = read_at(place, struct.calcsize(counts))
    if len(start) < struct.calcsize(counts):
        return None, 0
    (count,) = struct.unpack(order + counts, start)
    if not 0 < count < 2**16:
        return None, 0
    place += len(start)
    body = read_at(place, count * entry + entry)
    if len(body) < count * entry:
        return None, 0
    tags = {}
    for n in range(count):
        tag, kind, number = struct.unpack_from(f"{order}HH{words}", body, n * entry)
        inside = place + n * entry + struct.calcsize(f"=HH{words}")
        width = OTHER_TYPE_BYTES.get(kind) or np.dtype(TYPES.get(kind, "u1")).itemsize
        room = 8 if large else 4
        where = inside
        if width * number > room:
            (where,) = struct.unpack_from(order + words, body, inside - place)
        tags[tag] = (kind, number, where)
    after = body[count * entry :][: struct.calcsize(words)]
    (following,) = struct.unpack(order + words, after) if len(after) == struct.calcsize(words) else (0,)
    return Directory(order, tags, read_at), following


def _subdirectories(directory: Directory, large: bool) -> list[Directory]:
    """Return what lies in a directory."""
    found = (
        _directory(directory.read_at, int(place), directory.order, large)[0]
        for place in directory.values(SUB_DIRECTORIES)[:MAX_DIRECTORIES]
    )
    return [sub for sub in found if sub is not None]


def _is_pyramid(pages: list[Directory]) -> bool:
    """Tell whether all pages are one picture: each half as large as the last, or smaller copies of a tiled first."""
    sizes = [page.size for page in pages]
    halves = all(
        max(abs(2 * small.width - large.width), abs(2 * small.height - large.height)) <= ASPECT_PIXELS
        for large, small in pairwise(sizes)
    )
    first, off = sizes[0], ASPECT_PIXELS * max(sizes[0].width, sizes[0].height)
    copies = pages[0].is_tiled and all(
        small.width < first.width and abs(small.width * first.height - small.height * first.width) <= off
        for small in sizes[1:]
    )
    if any(page.value(NEW_SUBFILE_TYPE) & PAGE for page in pages):
        return len(pages) == 1
    return halves or copies
