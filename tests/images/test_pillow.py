"""A Pillow image is what its file is."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from localsr import images
from localsr.geometry import whole

RAMP = (np.arange(48)[:, None] * 3 + np.arange(64)).astype(np.uint8)
COLOURS = np.stack([RAMP, 255 - RAMP, RAMP // 16 * 16], -1)


def png(picture: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG", **options)
    return file.getvalue()


PALETTE = Image.fromarray(COLOURS).quantize(16)
FILES = {
    "a grey key": png(Image.fromarray(RAMP), transparency=40),
    "a colour key": png(Image.fromarray(COLOURS), transparency=tuple(map(int, COLOURS[20, 30]))),
    "a key of 16 bit": png(Image.fromarray(RAMP.astype(np.uint16) * 257), transparency=40 * 257),
    "a black key of 1 bit": png(Image.fromarray(RAMP > 90), transparency=0),
    "a white key of 1 bit": png(Image.fromarray(RAMP > 90), transparency=1),
    "a palette": png(PALETTE),
    "an index": png(PALETTE, transparency=3),
    "alpha of each index": png(PALETTE, transparency=bytes(range(0, 160, 10))),
    "grey with alpha": png(Image.fromarray(np.stack([RAMP, 255 - RAMP], -1))),
    "colour with alpha": png(Image.fromarray(np.dstack([COLOURS, RAMP]))),
}


@pytest.mark.parametrize("name", FILES)
def test_a_pillow_image_equals_its_file(name: str) -> None:
    """Family: what a mode of Pillow alone does not tell: keys, palettes, alpha, Lab."""
    by_file = images.read(FILES[name])
    by_pillow = images.read(Image.open(io.BytesIO(FILES[name])))
    box = whole(by_file.size)
    assert (by_pillow.bands, by_pillow.depth, by_pillow.has_alpha) == (
        by_file.bands,
        by_file.depth,
        by_file.has_alpha,
    )
    assert np.array_equal(by_pillow.window(box), by_file.window(box))
    if by_file.has_alpha:
        alpha, other = by_file.alpha(box), by_pillow.alpha(box)
        assert alpha is not None
        assert other is not None
        assert (alpha < 1).any()
        assert np.array_equal(other, alpha)


def test_premultiplied_grey_reads() -> None:
    """Family: modes that Pillow only makes in memory."""
    straight = Image.fromarray(np.stack([RAMP, np.full_like(RAMP, 255)], -1))
    photo = images.read(straight.convert("La"))
    assert np.array_equal(photo.window(whole(photo.size))[0], RAMP.astype(np.float32) / 255)


@pytest.mark.parametrize(
    "chunk",
    [(b"tEXt", b"Ger\xe4t\0x"), (b"tEXt", b"Comment\0h\xe4llo"), (b"zTXt", b"Ger\xe4t\0\0" + zlib.compress(b"x"))],
)
def test_latin_1_in_a_png_reads_and_is_written(chunk: tuple[bytes, bytes], tmp_path: Path) -> None:
    """Family: texts of a PNG, which are Latin-1, with a letter outside of ASCII in keyword or value."""
    kind, body = chunk
    data, plain = png(Image.fromarray(COLOURS)), images.read(COLOURS)
    extra = struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    photo = images.read(data[:33] + extra + data[33:])
    box = whole(photo.size)
    assert np.array_equal(photo.window(box), plain.window(box))
    with images.Canvas(tmp_path / "out.png", photo.size, photo, images.Provenance(whole=True), alpha=False) as canvas:
        canvas.put(box, photo.window(box))
        canvas.finish()
    assert np.array_equal(images.read(tmp_path / "out.png").window(box), plain.window(box))


def test_lab_is_its_colours() -> None:
    """Family: Lab, whose a and b Pillow keeps from 128 on; libvips does not open a TIFF of it."""
    known = {(255, 128, 128): (255, 255, 255), (0, 128, 128): (0, 0, 0), (136, 208, 195): (255, 0, 0)}  # sRGB's
    photo = images.read(Image.frombytes("LAB", (3, 1), bytes(level for lab in known for level in lab)))
    found = photo.window(whole(photo.size)).transpose(1, 2, 0)[0] * 255
    assert (photo.bands, photo.has_alpha) == (3, False)
    assert np.abs(found - list(known.values())).max() < 3  # L, a and b are whole numbers
