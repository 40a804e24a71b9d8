"""Checks of what libvips does not look at: what a decoder leaves over, or lacks, at the end of a JPEG or a WebP.

Neither format has a checksum, but a hole makes a decoder need more or fewer bytes than there are, all but always.
"""

from __future__ import annotations

import re
import struct

import pyvips
import simplejpeg

from localsr.images.damage import DamagedBlockError

UNKNOWN = re.compile(r"Unsupported color|Could not determine")  # what simplejpeg cannot decode, of whole files
BAD_PROFILE, PROFILE = "Corrupt JPEG data: bad ICC marker", b"ICC_PROFILE\0"
STRAY = re.compile(r"Corrupt JPEG data: (\d+) extraneous bytes before marker 0x(..)")
MAX_STRAY = 15  # bytes between segments; none that decides colours (16) can be lost in them
MAX_PADDING = 4096  # bytes that are looked at
EOI = 0xD9
MIN_WEBP_BYTES = 64  # of pixels that can be checked
NOT_NEEDED = {b"VP8 ": 4, b"VP8L": 3}  # last bytes of each kind of WebP: 189 whole ones could not be decoded without


def check_jpeg(data: bytes) -> None:
    """Decode a JPEG to an eighth of its sides, its header set right, and judge by the last warning of libjpeg."""
    try:
        space = "CMYK" if simplejpeg.decode_jpeg_header(data)[2] in ("CMYK", "YCCK") else "RGB"
        simplejpeg.decode_jpeg(data, space, min_factor=8, min_width=1, min_height=1)
    except ValueError as error:
        if (reason := str(error)) == BAD_PROFILE and PROFILE in data:  # which hides what else there is to warn of
            check_jpeg(data.replace(PROFILE, PROFILE.lower()))
        elif not (UNKNOWN.search(reason) or _is_harmless(data, reason)):
            raise DamagedBlockError(reason) from error


def _is_harmless(data: bytes, reason: str) -> bool:
    """Tell whether libjpeg found padding before a marker, or a few bytes between segments."""
    stray = STRAY.match(reason)
    if stray is None:
        return False
    count, marker = int(stray[1]), int(stray[2], 16)
    ends = (byte * min(count, MAX_PADDING) + bytes([0xFF, marker]) for byte in (b"\0", b"\xff"))
    return (count <= MAX_STRAY and marker != EOI) or any(end in data for end in ends)


def check_webp(data: bytes) -> None:
    """Decode a WebP without the last bytes of its pixels: where that goes well, they were not reached."""
    place = 12
    while place + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, place)
        if kind in NOT_NEEDED:
            break
        place += 8 + length + length % 2
    else:
        return  # an animation
    body = data[place + 8 : place + 8 + length]
    if len(body) < MIN_WEBP_BYTES:
        return
    ends = body.rstrip(b"\0")
    most = NOT_NEEDED[kind]  # of three in 250 whole ones the decoder missed less than that and not that
    if all(_decodes(kind, ends[:-short]) for short in range(most, 0, -1)):
        raise DamagedBlockError("its pixels end before its bytes do")


def _decodes(kind: bytes, body: bytes) -> bool:
    """Tell whether a WebP of one chunk can be decoded to its last row."""
    chunk = struct.pack("<4sI", kind, len(body)) + body + bytes(len(body) % 2)
    file = b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk
    try:
        image = pyvips.Image.webpload_buffer(file, fail_on="error")
        image.crop(0, image.height - 1, 1, 1).avg()
    except pyvips.Error:
        return False
    return True
