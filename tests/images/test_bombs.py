"""Small files that would take much time or memory: refused before they are decoded."""

import struct
import time

import pytest

from localsr import images
from localsr.errors import ImageError


def run_length_bmp(width: int, height: int, body: bytes, kind: int) -> bytes:
    """Return a BMP of 4 (kind 2) or 8 bits (kind 1) with a palette of greys."""
    bits = 4 if kind == 2 else 8
    palette = b"".join(bytes([grey, grey, grey, 0]) for grey in range(2**bits))
    start = 14 + 40 + len(palette)
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, kind, len(body), 0, 0, 2**bits, 0)
    return b"BM" + struct.pack("<IHHI", start + len(body), 0, 0, start) + info + palette + body


@pytest.mark.parametrize("kind", [1, 2])
@pytest.mark.parametrize(
    ("width", "height", "body"),
    [
        (67_000_000, 1, b"\1\1\0\0\0\1"),
        (65_000, 1000, b"\1\1\0\0" * 1000 + b"\0\1"),
        (67_000_000, 1, b"\0\2\xff\xff" * 10),
    ],
)
def test_runs_that_cannot_fill_the_picture(kind: int, width: int, height: int, body: bytes) -> None:
    """Of files that claim more than their bytes decode to."""
    began = time.perf_counter()
    with pytest.raises(ImageError, match="cannot fill them"):
        images.read(run_length_bmp(width, height, body, kind))
    assert time.perf_counter() - began < 2


def test_runs_that_fill_the_picture() -> None:
    """Of files that claim more than their bytes decode to: this one does not."""
    photo = images.read(run_length_bmp(2550, 4000, (b"\xff\x07" * 10 + b"\0\0") * 4000 + b"\0\1", 1))
    assert (photo.preview(8) == 7).all()
