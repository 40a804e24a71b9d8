"""Tags of TIFF and EXIF: read from anything within bounds, and laid out again, for a block of EXIF or within a TIFF.

Pillow and libexif rewrite the types and values of tags they do not know, and neither puts a camera's tags into a TIFF
that libvips wrote.
"""

from __future__ import annotations

import struct
from collections.abc import Container, Iterator
from typing import NamedTuple, TypeAlias

from localsr.images.jpeg_header import ReadAt

Ifd: TypeAlias = dict[int, "Tag | Ifd"]

SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
WORDS = SIZES | {5: 4, 10: 4}  # bytes that stand together in a byte order
INTEGERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
ASCII, SHORT, LONG, RATIONAL, UNDEFINED, IFD8 = 2, 3, 4, 5, 7, 18
EXIF_IFD, GPS_IFD, INTEROP_IFD = 0x8769, 0x8825, 0xA005
SUB_IFDS = (EXIF_IFD, GPS_IFD, INTEROP_IFD)
MAX_ENTRIES = 1000
MAX_BYTES = 2**20  # of all values of a block; EXIF in a JPEG ends at 64 KB
MAX_PLACE = 2**62  # of a file
MAX_DEPTH = 3  # IFD0, EXIF, interoperability


class Tag(NamedTuple):
    """A tag's values as they stand in the file."""

    kind: int
    values: int
    data: bytes

    def integer(self, order: str) -> int | None:
        """Return the first value of a tag of whole numbers."""
        code = INTEGERS.get(self.kind)
        if code is None or not self.values:
            return None
        return int(struct.unpack_from(order + code, self.data)[0])

    def ratios(self, order: str) -> list[float]:
        """Return the values of a tag of ratios; one without a denominator is nan."""
        if self.kind != RATIONAL:
            return []
        pairs = struct.iter_unpack(order + "2I", self.data)
        return [over / under if under else float("nan") for over, under in pairs]

    def swapped(self) -> Tag:
        """Return the tag in the other byte order."""
        word = WORDS[self.kind]
        return self._replace(data=b"".join(self.data[n : n + word][::-1] for n in range(0, len(self.data), word)))


class TagBlock(NamedTuple):
    """The tags of a file or a block of EXIF."""

    order: str  # "<" or ">"
    tags: Ifd
    damaged: bool = False  # whether tags were left out because their values are not there

    def part(self, number: int) -> Ifd:
        """Return a part that has its own directory, empty where there is none."""
        found = self.tags.get(number)
        return found if isinstance(found, dict) else {}


def parse(read_at: ReadAt, keep: Container[int] | None = None, *, max_bytes: int = MAX_BYTES) -> TagBlock | None:
    """Return the tags of a TIFF or of a block of EXIF, or None for what is neither.

    Tags of the first directory that are not in `keep` are not looked at; None keeps all. Values of more than
    `max_bytes` in all are left out.
    """
    head = read_at(0, 16)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None or len(head) < 8:
        return None
    version = struct.unpack_from(order + "H", head, 2)[0]
    if version not in (42, 43) or (version == 43 and len(head) < 16):
        return None
    reader = _Reader(read_at, order, max_bytes, big=version == 43)
    place = struct.unpack_from(order + ("Q" if reader.big else "I"), head, 8 if reader.big else 4)[0]
    tags = reader.directory(place, keep)
    return TagBlock(order, tags, reader.damaged)


class _Reader:
    """Reads directories, and remembers how much was read and whether something was missing."""

    def __init__(self, read_at: ReadAt, order: str, max_bytes: int, *, big: bool) -> None:
        """Begin with a file or block in a byte order; `big` for BigTIFF's wider fields."""
        self._read_at, self.order, self.big = read_at, order, big
        self.damaged, self._left = False, max_bytes

    def read_at(self, place: int, count: int) -> bytes:
        """Read some bytes, none from where no file reaches."""
        return self._read_at(place, count) if place < MAX_PLACE else b""

    def directory(self, place: int, keep: Container[int] | None = None, depth: int = 1) -> Ifd:
        """Read a directory and those below it."""
        width, code = (8, "Q") if self.big else (2, "H")
        raw = self.read_at(place, width)
        if len(raw) < width:
            self.damaged = True
            return {}
        count = struct.unpack(self.order + code, raw)[0]
        self.damaged |= count > MAX_ENTRIES
        found: Ifd = {}
        for number, tag in self._entries(place + width, min(count, MAX_ENTRIES), keep):
            if number not in SUB_IFDS:
                found[number] = tag
            elif depth < MAX_DEPTH and (below := tag.integer(self.order)):
                found[number] = self.directory(below, depth=depth + 1)
        return found

    def _entries(self, place: int, count: int, keep: Container[int] | None) -> Iterator[tuple[int, Tag]]:
        """Yield the numbers and tags of a directory whose values are there."""
        form, slot, size = (self.order + "HHQ", 8, 20) if self.big else (self.order + "HHI", 4, 12)
        table = self.read_at(place, count * size)
        self.damaged |= len(table) < count * size
        for start in range(0, len(table) - size + 1, size):
            number, kind, values = struct.unpack_from(form, table, start)
            if keep is not None and number not in keep:
                continue
            length = SIZES.get(kind, 0) * values
            field = table[start + size - slot : start + size]
            if not 0 < length <= self._left:
                self.damaged = True
                continue
            if length > slot:
                data = self.read_at(struct.unpack(self.order + ("Q" if self.big else "I"), field)[0], length)
            else:
                data = field[:length]
            self._left -= length
            if len(data) < length:
                self.damaged = True
                continue
            yield number, Tag(kind, values, data)


def laid_out(tags: Ifd, place: int, order: str, *, big: bool = False) -> bytes:
    """Return a directory that will stand at `place`, with the values and directories that it points to behind it."""
    count, entry, offset, slot = ("Q", "HHQ", "Q", 8) if big else ("H", "HHI", "I", 4)
    head = struct.pack(order + count, len(tags))
    behind = place + len(head) + len(tags) * (struct.calcsize(order + entry) + slot) + slot
    tail = b""
    for number, tag in sorted(tags.items()):
        here = struct.pack(order + offset, behind + len(tail))
        if isinstance(tag, dict):
            head += struct.pack(order + entry, number, IFD8 if big else LONG, 1) + here
            tail += laid_out(tag, behind + len(tail), order, big=big)
        elif len(tag.data) <= slot:
            head += struct.pack(order + entry, number, tag.kind, tag.values) + tag.data.ljust(slot, b"\0")
        else:
            head += struct.pack(order + entry, number, tag.kind, tag.values) + here
            tail += tag.data
        tail += b"\0" * (len(tail) % 2)  # values begin at even places
    return head + bytes(slot) + tail


def in_order(tags: Ifd, order: str, wanted: str) -> Ifd:
    """Return tags in another byte order."""
    if order == wanted:
        return tags
    return {
        number: in_order(tag, order, wanted) if isinstance(tag, dict) else tag.swapped() for number, tag in tags.items()
    }


def text_tag(text: str) -> Tag:
    """Return a tag of text."""
    data = text.encode("ascii", errors="replace") + b"\0"
    return Tag(ASCII, len(data), data)


def integer_tag(value: int, order: str, kind: int = LONG) -> Tag:
    """Return a tag of one whole number."""
    return Tag(kind, 1, struct.pack(order + INTEGERS[kind], value))


def ratio_tag(value: float, order: str) -> Tag:
    """Return a tag of one ratio, to a ten-thousandth."""
    return Tag(RATIONAL, 1, struct.pack(order + "2I", round(value * 10_000), 10_000))


def integer(found: Ifd, number: int, order: str) -> int | None:
    """Return a tag's first whole number."""
    tag = found.get(number)
    return tag.integer(order) if isinstance(tag, Tag) else None


def ratios(found: Ifd, number: int, order: str) -> list[float]:
    """Return a tag's ratios."""
    tag = found.get(number)
    return tag.ratios(order) if isinstance(tag, Tag) else []
