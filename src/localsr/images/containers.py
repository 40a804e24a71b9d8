"""Blocks of metadata, put into the files that encoders write: JPEG and PNG as they pass, WebP and TIFF afterwards.

The encoders write pixels alone: none of them takes all blocks, libpng refuses a picture for its profile, and libvips
writes a resolution where there is none.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import BinaryIO

from localsr.errors import OutputError
from localsr.images import tags
from localsr.images.carried import ACROSS, DOWN, IIM_RESOURCE, UNIT, Blocks
from localsr.images.metadata import Density

JFIF = b"JFIF\0\1\1"
PROFILE_PART = 65_519  # bytes of a profile in a segment of a JPEG
XMP_TAG, IPTC_TAG, PROFILE_TAG = 700, 33723, 34675  # of TIFF
EXTENDED, HAS_PROFILE, HAS_ALPHA, HAS_EXIF, HAS_XMP = b"VP8X", 0x20, 0x10, 0x08, 0x04  # of WebP
MAX_HEAD = 2**20  # bytes in which an encoder's first pixels must come


class HeadRewriter:
    """Writes a JPEG or PNG on as it comes, with blocks in its head; a file that one writes to."""

    def __init__(self, file: BinaryIO, kind: str, blocks: Blocks) -> None:
        """Begin in front of a file's first byte."""
        self._file, self._blocks = file, blocks
        self._rewritten = _jpeg_head if kind == "jpeg" else _png_head
        self._head: bytes | None = b""  # None once it is written
        self.error: OSError | None = None  # which must not pass through C

    def write(self, data: bytes) -> int:
        """Take the next bytes."""
        if self._head is None:
            self._file.write(data)
        else:
            self._head += data
            if (head := self._rewritten(self._head, self._blocks)) is not None:
                self._file.write(head)
                self._head = None
            elif len(self._head) > MAX_HEAD:
                raise OutputError("the encoder wrote no pixels")
        return len(data)

    def write_for_vips(self, data: bytes) -> int:
        """Take the next bytes for libvips, which is told of an error by a count of none."""
        try:
            return self.write(bytes(data))
        except OSError as error:
            self.error = error
            return -1


def _jpeg_head(head: bytes, blocks: Blocks) -> bytes | None:
    """Return the head of a JPEG with blocks in it, or None while its first segment is not complete."""
    if len(head) < 6 or len(head) < (end := 4 + int.from_bytes(head[4:6], "big")):
        return None
    rest = head[end:] if head[3] == 0xE0 else head[2:]
    new = head[:2]
    if head[3] != 0xEE:  # Adobe's, of CMYK or of RGB as it is, which JFIF does not know
        new += _segment(0xE0, JFIF + _jfif_density(blocks.density) + b"\0\0")
    if blocks.tags:
        new += _segment(0xE1, b"Exif\0\0" + blocks.exif)
    if blocks.xmp:
        new += _segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + blocks.xmp)
    parts = [blocks.profile[n : n + PROFILE_PART] for n in range(0, len(blocks.profile), PROFILE_PART)]
    for number, part in enumerate(parts, start=1):
        new += _segment(0xE2, b"ICC_PROFILE\0" + bytes((number, len(parts))) + part)
    if blocks.iim:
        resource = struct.pack(">4sHHI", b"8BIM", IIM_RESOURCE, 0, len(blocks.iim)) + blocks.iim
        new += _segment(0xED, b"Photoshop 3.0\0" + resource + b"\0" * (len(blocks.iim) % 2))
    return new + rest


def _segment(marker: int, body: bytes) -> bytes:
    """Return a segment of a JPEG."""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def _jfif_density(density: Density | None) -> bytes:
    """Return unit and resolution as JFIF has them, in whole numbers; proportions alone where they are too large."""
    if density is None or not all(1 <= round(side) <= 0xFFFF for side in density[:2]):
        return struct.pack(">BHH", 0, 1, 1)
    return struct.pack(">BHH", 1 if density.unit == "in" else 2, round(density.across), round(density.down))


def _png_head(head: bytes, blocks: Blocks) -> bytes | None:
    """Return the head of a PNG with blocks in it, or None while its pixels have not begun."""
    place, kept = 33, b""  # behind IHDR
    while (name := head[place + 4 : place + 8]) != b"IDAT":
        if len(name) < 4:
            return None
        end = place + 12 + int.from_bytes(head[place : place + 4], "big")
        if len(head) < end:
            return None
        kept += head[place:end] if name != b"pHYs" else b""
        place = end
    new = head[:33] + b"".join(_chunk(name, body) for name, body in blocks.chunks)
    if blocks.profile:
        new += _chunk(b"iCCP", b"icc\0\0" + zlib.compress(blocks.profile))
    if blocks.density is not None:
        metres = 0.0254 if blocks.density.unit == "in" else 0.01
        sides = [min(round(side / metres), 2**31 - 1) for side in blocks.density[:2]]
        new += _chunk(b"pHYs", struct.pack(">IIB", *sides, 1))
    for keyword, text in blocks.texts:
        try:
            new += _chunk(b"tEXt", keyword.encode() + b"\0" + text.encode("latin-1"))
        except UnicodeEncodeError:
            new += _chunk(b"iTXt", keyword.encode() + b"\0\0\0\0\0" + text.encode(errors="replace"))
    if blocks.tags:
        new += _chunk(b"eXIf", blocks.exif)
    if blocks.xmp:
        new += _chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + blocks.xmp)
    return new + kept + head[place:]


def _chunk(name: bytes, body: bytes) -> bytes:
    """Return a chunk of a PNG."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def webp_with(data: bytes, width: int, height: int, blocks: Blocks) -> bytes:
    """Return a WebP with blocks in it."""
    chunks, place = [], 12
    while place + 8 <= len(data):
        name, length = data[place : place + 4], int.from_bytes(data[place + 4 : place + 8], "little")
        chunks.append((name, data[place + 8 : place + 8 + length]))
        place += 8 + length + length % 2
    flags = 0
    for name, body in chunks:
        if name == EXTENDED:
            flags = body[0] & HAS_ALPHA
        elif name == b"VP8L" and body[4] & 0x10:  # the bit of its own header that says that alpha is used
            flags = HAS_ALPHA
    exif = blocks.exif
    for flag, block in ((HAS_PROFILE, blocks.profile), (HAS_EXIF, exif), (HAS_XMP, blocks.xmp)):
        flags |= flag if block else 0
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    new = [(EXTENDED, bytes((flags, 0, 0, 0)) + sides), (b"ICCP", blocks.profile)]
    new += [chunk for chunk in chunks if chunk[0] in (b"ALPH", b"VP8 ", b"VP8L")]
    new += [(b"EXIF", exif), (b"XMP ", blocks.xmp)]
    body = b"".join(
        name + len(block).to_bytes(4, "little") + block + b"\0" * (len(block) % 2) for name, block in new if block
    )
    return b"RIFF" + (len(body) + 4).to_bytes(4, "little") + b"WEBP" + body


def add_to_tiff(path: Path, blocks: Blocks) -> None:
    """Put blocks into a TIFF that libvips wrote: a new directory behind its pixels takes the place of the first."""
    with path.open("r+b") as file:
        head = file.read(16)
        order, big = ("<" if head[:2] == b"II" else ">"), head[2:4] in (b"+\0", b"\0+")

        def read_at(place: int, count: int) -> bytes:
            file.seek(place)
            return file.read(count)

        found = tags.parse(read_at, max_bytes=2**32)
        assert found is not None
        assert not found.damaged
        directory = {number: tag for number, tag in found.tags.items() if number not in (ACROSS, DOWN, UNIT)}
        directory |= tags.in_order(blocks.tags, blocks.order, order)
        for number, kind, block in (
            (XMP_TAG, 1, blocks.xmp),
            (IPTC_TAG, tags.UNDEFINED, blocks.iim),
            (PROFILE_TAG, tags.UNDEFINED, blocks.profile),
        ):
            if block:
                directory[number] = tags.Tag(kind, len(block), block)
        place = file.seek(0, 2)
        place += file.write(b"\0" * (place % 2))
        file.write(tags.laid_out(directory, place, order, big=big))
        file.seek(8 if big else 4)
        file.write(struct.pack(order + ("Q" if big else "I"), place))
