"""Irregular JPEG headers that lose no pixel, set right in memory, so that what a decoder still warns of is damage.

Cameras write them: a spectral selection that no baseline scan has, a JFIF version of 2, an unknown Adobe transform,
stray bytes between segments. libjpeg only counts its warnings, and these count as a hole does.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

ReadAt: TypeAlias = Callable[[int, int], bytes]  # a place and a count
Edit: TypeAlias = tuple[int, int, bytes]  # from, to, and what shall be there instead

SOI, EOI, SOS, DQT, APP0, APP14 = 0xD8, 0xD9, 0xDA, 0xDB, 0xE0, 0xEE
ALONE = (0x01, *range(0xD0, 0xD8))  # markers without a length
FRAMES = (0xC0, 0xC1, 0xC2)  # baseline, extended, progressive; others libvips does not decode
WHOLE_SPECTRUM = b"\0\x3f\0"  # how the parameters of a scan that is not progressive end: 0 to 63, all bits
MARKER = re.compile(rb"\xff+([^\x00\xff])")
BLOCK = 2**16  # bytes in which a marker is looked for
MAX_STRAY = 15  # bytes that are not all alike: no segment that decides colours (16) can be lost in them
MAX_SEGMENTS = 10_000
MAX_TABLES = 2**14  # bytes of quantisation tables: four of 129 are all that a decoder has room for
MAX_BYTES = 2**30  # of a file that is held in memory


def regular(read_at: ReadAt, weight: int) -> bytes | None:
    """Return a JPEG file of `weight` bytes with its header set right, or None for one to be decoded as it is."""
    edits: list[Edit] = []
    place, frame, transform, wanted = 2, 0, None, 1
    for _ in range(MAX_SEGMENTS):
        found = MARKER.search(block := read_at(place, BLOCK))
        if found is None:
            return None
        stray = block[: found.start()]
        if len(stray) > MAX_STRAY and len(set(stray)) > 1:
            return None
        if stray:
            edits.append((place, place + len(stray), b""))
        marker, body = found[1][0], place + found.end() + 2
        if marker in ALONE:
            place += found.end()
            continue
        place = body - 2 + int.from_bytes(read_at(body - 2, 2), "big")
        if marker in (SOI, EOI) or not body <= place < weight:
            return None
        if marker in FRAMES:
            frame, wanted = marker, 1 if read_at(body + 5, 1) == b"\3" else 2
        elif marker == APP0 and read_at(body, 5) == b"JFIF\0" and read_at(body + 5, 1) != b"\1":
            edits.append((body + 5, body + 6, b"\1"))
        elif marker == APP14 and read_at(body, 5) == b"Adobe":
            transform = body + 11
        elif marker == SOS:
            break
    if transform is not None and read_at(transform, 1)[0] not in (0, wanted):
        edits.append((transform, transform + 1, bytes([wanted])))  # as libjpeg takes an unknown one
    if frame in (0xC0, 0xC1) and read_at(place - 3, 3) != WHOLE_SPECTRUM:
        edits.append((place - 3, place, WHOLE_SPECTRUM))
    return _edited(read_at(0, weight), edits) if edits and weight <= MAX_BYTES else None


def _edited(data: bytes, edits: list[Edit]) -> bytes:
    """Return a file with some of its bytes replaced."""
    parts, place = [], 0
    for start, end, new in sorted(edits):
        parts += [data[place:start], new]
        place = end
    return b"".join([*parts, data[place:]])


class JpegCoding(NamedTuple):
    """What the header of a JPEG tells of how it was encoded."""

    tables: bytes = b""  # a file with nothing but quantisation tables, the frame and the head of its first scan
    jfif: bytes = b""  # the body of the JFIF segment


def coding_of(read_at: ReadAt, weight: int) -> JpegCoding:
    """Return how a JPEG of `weight` bytes was encoded; empty where its header is not regular."""
    tables, jfif, place = b"\xff\xd8", b"", 2
    for _ in range(MAX_SEGMENTS):
        head = read_at(place, 4)
        if len(head) < 4 or head[0] != 0xFF or head[1] in (0x00, 0xFF, SOI, EOI, *ALONE):
            break
        length = int.from_bytes(head[2:], "big")
        if length < 2 or place + 2 + length > weight:
            break
        if head[1] in (DQT, SOS, APP14, *FRAMES):
            tables += read_at(place, 2 + length)
        elif head[1] == APP0 and not jfif and read_at(place + 4, 5) == b"JFIF\0":
            jfif = read_at(place + 4, length - 2)
        if head[1] == SOS:
            return JpegCoding(tables if len(tables) <= MAX_TABLES else b"", jfif)
        place += 2 + length
    return JpegCoding(jfif=jfif)
