"""Colours that a file tells without an ICC profile: by PNG's chunks, or by EXIF."""

from __future__ import annotations

import math
import struct

from localsr.images import profiles, tags
from localsr.images.profiles import Colours

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
