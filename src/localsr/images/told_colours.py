"""Colours that a file tells without an ICC profile: by PNG's chunks, by AVIF's code points, or by EXIF."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator

from localsr.images import profiles, tags
from localsr.images.jpeg_header import ReadAt
from localsr.images.profiles import Colours

MAX_BOXES = 64  # at the top of an AVIF, and properties and items that are looked at
MAX_META = 2**20  # bytes of what an AVIF says of its items
VIDEO_TRANSFERS = (
    1,
    6,
    14,
    15,
)  # which stand for sRGB where the primaries are its own: ffmpeg writes them for any picture
BEYOND_PROFILES = (16, 18)  # PQ and HLG
COLOUR_TAGS = (0x013E, 0x013F)  # of TIFF and EXIF: white point, primaries


def exif_colours(block: tags.TagBlock) -> Colours | None:
    """Return the colours that EXIF tells: Adobe RGB by DCF's R03 or by a code, or primaries and gamma; None if none."""
    exif, order = block.part(tags.EXIF_IFD), block.order
    space = tags.integer(exif, 0xA001, order)
    interop = exif.get(tags.INTEROP_IFD)
    index = interop.get(1) if isinstance(interop, dict) else None
    if space == 2 or (space != 1 and isinstance(index, tags.Tag) and index.data[:3] == b"R03"):
        return profiles.ADOBE_RGB
    gamma = tags.ratios(exif, 0xA500, order)
    white, primaries = (tags.ratios(block.tags, number, order) for number in COLOUR_TAGS)
    if space == 1 or len(white) < 2 or len(primaries) < 6:
        return None
    return measured_colours(1 / gamma[0] if gamma and gamma[0] > 0 else None, (*white[:2], *primaries[:6]))


def measured_colours(gamma: float | None, points: tuple[float, ...] | None) -> Colours | None:
    """Return colours by the exponent of an encoder, as PNG tells it, and by white, red, green and blue."""
    colours = profiles.SRGB
    if points is not None and len(points) == 8 and all(math.isfinite(value) for value in points):
        white, red, green, blue = (points[n : n + 2] for n in range(0, 8, 2))
        colours = Colours(red, green, blue, white, profiles.SRGB_CURVE)  # type: ignore[arg-type]  # pairs
    if gamma is not None and 0.05 <= gamma <= 5 and abs(gamma - 0.45455) > 0.0005:  # sRGB's companion in PNG
        colours = colours._replace(curve=(round(1 / gamma, 4),))
    return None if profiles.is_srgb(colours) else colours


def png_colours(found: dict[bytes, bytes]) -> tuple[Colours | None, tuple[tuple[bytes, bytes], ...]]:
    """Return the colours that a PNG's chunks tell, and those chunks that no profile can stand for.

    The order is PNG's: cICP, iCCP, sRGB, then gAMA and cHRM.
    """
    cicp = found.get(b"cICP", b"")
    if len(cicp) == 4 and 2 not in cicp[:2]:  # 2: unspecified
        colours = profiles.coded(cicp[0], cicp[1]) if cicp[2:] == b"\0\1" else None  # RGB, of the full range
        if colours is None:
            return None, tuple((name, found[name]) for name in (b"cICP", b"mDCV") if name in found)
        return colours, ()
    if b"sRGB" in found:
        return None, ()
    gamma, points = found.get(b"gAMA", b""), found.get(b"cHRM", b"")
    return measured_colours(
        int.from_bytes(gamma, "big") / 100_000 if len(gamma) == 4 else None,
        tuple(value / 100_000 for value in struct.unpack(">8I", points)) if len(points) == 32 else None,
    ), ()


def avif_colours(read_at: ReadAt) -> tuple[Colours | None, tuple[tuple[bytes, bytes], ...]]:
    """Return the colours that an AVIF's code points tell, and a PNG's chunk of those that no profile can stand for."""
    primaries, transfer = _code_points(read_at)
    if transfer in BEYOND_PROFILES and primaries in profiles.PRIMARIES:
        return None, ((b"cICP", bytes([primaries, transfer, 0, 1])),)
    if primaries == 1 and transfer in VIDEO_TRANSFERS:
        return None, ()
    colours = profiles.coded(primaries, transfer)
    return None if colours is None or profiles.is_srgb(colours) else colours, ()


def _code_points(read_at: ReadAt) -> tuple[int, int]:
    """Return primaries and transfer of the picture that an AVIF shows; 2, which is unspecified, where it has none."""
    place, meta = 0, b""
    for _ in range(MAX_BOXES):
        head = read_at(place, 16)
        if len(head) < 8:
            break
        length = int.from_bytes(head[8:16] if head[:4] == b"\0\0\0\1" else head[:4], "big")
        if head[4:8] == b"meta":
            meta = read_at(place + 8, min(length - 8, MAX_META)) if length > 12 else b""
        if meta or length < 8:
            break
        place += length
    inner = dict(_boxes(meta[4:]))
    parts = dict(_boxes(inner.get(b"iprp", b"")))
    shown = inner.get(b"pitm", b"")
    number = int.from_bytes(shown[4:8] if shown[:1] != b"\0" else shown[4:6], "big")
    properties = list(_boxes(parts.get(b"ipco", b"")))
    for index in _associated(parts.get(b"ipma", b""), number):
        name, body = properties[index - 1] if 0 < index <= len(properties) else (b"", b"")
        if name == b"colr" and body[:4] == b"nclx" and len(body) >= 8:
            primaries, transfer = struct.unpack_from(">HH", body, 4)
            return (primaries, transfer) if max(primaries, transfer) < 256 else (2, 2)
    return 2, 2


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the names and bodies of the boxes in a box."""
    place = 0
    for _ in range(MAX_BOXES):
        length = int.from_bytes(data[place : place + 4], "big") or len(data) - place
        if length < 8 or place + length > len(data):
            return
        yield data[place + 4 : place + 8], data[place + 8 : place + length]
        place += length


def _associated(ipma: bytes, item: int) -> Iterator[int]:
    """Yield the numbers of an item's properties, from 1."""
    if len(ipma) < 8:
        return
    wide, long = (2 if ipma[3] & 1 else 1), (4 if ipma[0] else 2)
    place = 8
    for _ in range(min(int.from_bytes(ipma[4:8], "big"), MAX_BOXES)):
        number, count = int.from_bytes(ipma[place : place + long], "big"), ipma[place + long : place + long + 1]
        place += long + 1
        for _ in range(count[0] if count else 0):
            if number == item:
                yield int.from_bytes(ipma[place : place + wide], "big") & (2 ** (8 * wide - 1) - 1)
            place += wide
