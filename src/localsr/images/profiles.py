"""ICC profiles: checked and set right before they go on, and made for colours that a file tells in another way."""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import NamedTuple, TypeAlias

import numpy as np
import pyvips
from numpy.typing import NDArray

from localsr.images.vips import SPACES, with_profile

Point: TypeAlias = tuple[float, float]  # x, y of CIE 1931
Curve: TypeAlias = tuple[float, ...]  # ICC's parametric curve: g, or g a b c d

HEADER = 128
MAX_BYTES = 2**24  # of a profile; a JPEG holds 255 segments of 64 KB
MAX_TAGS = 100
D50 = struct.pack(">3i", 0xF6D6, 0x10000, 0xD32D)  # as every header has it
CLASSES = (b"scnr", b"mntr", b"prtr", b"spac")  # that say what the colours of a picture are
COLOUR_SPACES = {1: b"GRAY", 3: b"RGB ", 4: b"CMYK"}  # by bands
NEEDED = ((b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC"), (b"kTRC",), (b"A2B0",))  # one of these sets

D65: Point = (0.3127, 0.3290)
SRGB_CURVE: Curve = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
VIDEO_CURVE: Curve = (1 / 0.45, 1 / 1.099, 0.099 / 1.099, 1 / 4.5, 0.081)  # the camera's, of BT.709 and BT.2020
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


class Colours(NamedTuple):
    """What the levels of an RGB picture mean."""

    red: Point
    green: Point
    blue: Point
    white: Point
    curve: Curve


SRGB = Colours((0.64, 0.33), (0.30, 0.60), (0.15, 0.06), D65, SRGB_CURVE)
ADOBE_RGB = Colours((0.64, 0.33), (0.21, 0.71), (0.15, 0.06), D65, (563 / 256,))
PRIMARIES: dict[int, tuple[Point, Point, Point, Point]] = {  # ITU-T H.273, table 2: red, green, blue, white
    1: SRGB[:4],
    4: ((0.67, 0.33), (0.21, 0.71), (0.14, 0.08), (0.310, 0.316)),
    5: ((0.64, 0.33), (0.29, 0.60), (0.15, 0.06), D65),
    6: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), D65),
    7: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), D65),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), D65),
    11: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.314, 0.351)),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), D65),
    22: ((0.630, 0.340), (0.295, 0.605), (0.155, 0.077), D65),
}
CURVES: dict[int, Curve] = {  # table 3; PQ (16) and HLG (18) are no curve of a profile
    **dict.fromkeys((1, 6, 11, 14, 15), VIDEO_CURVE),
    4: (2.2,),
    5: (2.8,),
    8: (1.0,),
    13: SRGB_CURVE,
    17: (2.6,),
}


def coded(primaries: int, transfer: int) -> Colours | None:
    """Return the colours that two code points of H.273 mean, or None where no profile can."""
    if primaries not in PRIMARIES or transfer not in CURVES:
        return None
    return Colours(*PRIMARIES[primaries], CURVES[transfer])


def is_srgb(colours: Colours) -> bool:
    """Tell whether colours are those of a file that tells nothing; encoders round, and write 1/2.2 for the curve."""
    near = all(
        abs(a - b) <= 0.002 for pair in zip(colours[:4], SRGB[:4], strict=True) for a, b in zip(*pair, strict=True)
    )
    return near and (colours.curve == SRGB_CURVE or (len(colours.curve) == 1 and abs(colours.curve[0] - 2.2) < 0.003))


@lru_cache(maxsize=64)  # strangers choose the colours
def made(colours: Colours, bands: int) -> bytes | None:
    """Return a profile of version 4 for colours of a picture of 1 or 3 bands; None for points that are no colours."""
    points = np.array([(x / y, 1, (1 - x - y) / y) if y > 0 else (np.nan,) * 3 for x, y in colours[:4]]).T
    with np.errstate(all="ignore"):
        white = points[:, 3]
        cone, wanted = BRADFORD @ white, BRADFORD @ (np.frombuffer(D50, ">i4") / 65536)
        adapted = np.linalg.inv(BRADFORD) @ np.diag(wanted / cone) @ BRADFORD
    if not np.isfinite(points).all() or abs(np.linalg.det(points[:, :3])) < 1e-6:
        return None
    mixed = adapted @ points[:, :3] @ np.diag(np.linalg.solve(points[:, :3], white))
    if not (np.isfinite(mixed).all() and np.isfinite(adapted).all() and max(abs(mixed).max(), abs(adapted).max()) < 8):
        return None
    kind = 3 if len(colours.curve) == 5 else 0
    curve = b"para" + bytes(4) + struct.pack(">HH", kind, 0) + _fixed(colours.curve)
    tags = {
        b"desc": _text("localsr: the colours of its source"),
        b"cprt": _text("CC0"),
        b"wtpt": b"XYZ " + bytes(4) + D50,
    }
    if bands == 1:
        tags[b"kTRC"] = curve
    else:
        tags |= {name: b"XYZ " + bytes(4) + _fixed(column) for name, column in zip(NEEDED[0], mixed.T, strict=False)}
        tags |= dict.fromkeys(NEEDED[0][3:], curve)
        tags[b"chad"] = b"sf32" + bytes(4) + _fixed(adapted.ravel())
    return _assembled(struct.pack(">I4sI4s4s4s", 0, b"", 0x04300000, b"mntr", COLOUR_SPACES[bands], b"XYZ "), tags)


def sound(profile: bytes, bands: int) -> bytes | None:
    """Return a profile as every format and decoder takes it: as it is, or set right; None for one that is none.

    What is set right: lengths, places that are no multiple of 4, a missing signature, a version, class, intent or
    illuminant that cannot be. PNG's library refuses such a profile, and the whole picture with it.
    """
    if len(profile) > MAX_BYTES or len(profile) < HEADER + 4:
        return None
    tags = _tags(profile)
    if not any(all(name in tags for name in names) for names in NEEDED):
        return None
    if _is_regular(profile, bands):
        regular = profile
    else:
        regular = _assembled(_header(profile, tags, bands), tags)
    return regular if _is_regular(regular, bands) and _works(regular, bands) else None


def _tags(profile: bytes) -> dict[bytes, bytes]:
    """Return the tags that lie within a profile."""
    count = struct.unpack_from(">I", profile, HEADER)[0]
    found = {}
    for n in range(min(count, MAX_TAGS)):
        entry = profile[HEADER + 4 + 12 * n : HEADER + 16 + 12 * n]
        if len(entry) < 12:
            break
        name, place, length = struct.unpack(">4sII", entry)
        if place >= HEADER and length >= 8 and place + length <= len(profile):
            found[name] = profile[place : place + length]
    return found


def _is_regular(profile: bytes, bands: int) -> bool:
    """Tell whether a profile is as ICC.1 has it, in all that decoders look at."""
    size, version = struct.unpack_from(">I4xB", profile)
    count = struct.unpack_from(">I", profile, HEADER)[0]
    if size != len(profile) or size % 4 or not 2 <= version <= 5 or not 0 < count <= MAX_TAGS:
        return False
    if (
        profile[12:16] not in CLASSES
        or profile[16:20] != COLOUR_SPACES[bands]
        or profile[20:24] not in (b"XYZ ", b"Lab ")
    ):
        return False
    if bands == 3 and profile[20:24] != b"XYZ " and b"A2B0" not in _tags(profile):
        return False
    if profile[36:40] != b"acsp" or profile[64:67] != bytes(3) or profile[67] > 3 or profile[68:80] != D50:
        return False
    if size < HEADER + 4 + 12 * count:
        return False
    entries = [struct.unpack_from(">II", profile, HEADER + 8 + 12 * n) for n in range(count)]
    return all(place % 4 == 0 and place >= HEADER and place + length <= size for place, length in entries)


def _header(profile: bytes, tags: dict[bytes, bytes], bands: int) -> bytes:
    """Return a header with its irregular fields set to what the tags say."""
    header = bytearray(profile[:HEADER])
    by_matrix = b"A2B0" not in tags
    if not 2 <= header[8] <= 5:
        header[8:12] = b"\4\x30\0\0" if b"chad" in tags else b"\2\x40\0\0"
    if header[12:16] not in CLASSES:
        header[12:16] = b"mntr" if by_matrix else b"scnr"
    if bytes(header[16:20]) not in COLOUR_SPACES.values():
        header[16:20] = COLOUR_SPACES[bands]
    if bands == 3 and by_matrix:
        header[20:24] = b"XYZ "
    if header[64:67] != bytes(3) or header[67] > 3:
        header[64:68] = bytes(4)  # perceptual
    header[84:100] = bytes(16)  # the digest of what it was
    return bytes(header)


def _assembled(header: bytes, tags: dict[bytes, bytes]) -> bytes:
    """Return a profile of these tags, each at a multiple of 4, alike ones once."""
    table, body, places = struct.pack(">I", len(tags)), b"", dict[bytes, int]()
    start = HEADER + 4 + 12 * len(tags)
    for name, data in tags.items():
        if data not in places:
            places[data] = start + len(body)
            body += data + bytes(-len(data) % 4)
        table += struct.pack(">4sII", name, places[data], len(data))
    full = bytearray(header.ljust(HEADER, b"\0"))
    full[0:4], full[36:40], full[68:80] = struct.pack(">I", start + len(body)), b"acsp", D50
    return bytes(full) + table + body


def _works(profile: bytes, bands: int) -> bool:
    """Tell whether littlecms finds its way from the profile to sRGB."""
    space = "cmyk" if bands == 4 else SPACES[bands, 8]
    pixel = pyvips.Image.black(1, 1, bands=bands).copy(interpretation=space)
    try:
        with_profile(pixel, profile).icc_transform("srgb", embedded=True).avg()
    except pyvips.Error:
        return False
    return True


def _fixed(values: tuple[float, ...] | NDArray[np.float64]) -> bytes:
    """Return numbers as ICC has them, in 65,536ths."""
    return struct.pack(f">{len(values)}i", *(round(float(value) * 65536) for value in values))


def _text(text: str) -> bytes:
    """Return a tag of text."""
    data = text.encode("utf-16-be")
    return b"mluc" + bytes(4) + struct.pack(">II4sII", 1, 12, b"enUS", len(data), 28) + data
