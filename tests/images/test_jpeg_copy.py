"""JPEGs put back into their files: what is outside of the boxes stays as it was, bit by bit."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from localsr import images
from localsr.geometry import Box, whole
from localsr.images import jpeg_copy
from localsr.images.provenance import Provenance

BOXES = (Box(40, 50, 75, 90), Box(150, 100, 161, 123))  # the last in the corner, in blocks that are not whole
ORIENTATION = 274

needs_program = pytest.mark.skipif(not jpeg_copy.has_program(), reason="jpegtran 2.1 or newer is not installed")


def photo(mode: str = "RGB", **options: Any) -> bytes:
    """A JPEG of 161 x 123 px, slopes and grain."""
    y, x = np.mgrid[:123, :161]
    slopes = np.stack([x * 1.2, y, (x + y) / 2], 2) + np.random.default_rng(0).normal(0, 15, (123, 161, 3))
    file = io.BytesIO()
    Image.fromarray(np.clip(slopes, 0, 255).astype(np.uint8)).convert(mode).save(file, "JPEG", **options)
    return file.getvalue()


def pasted(data: bytes, path: Path, boxes: tuple[Box, ...] = BOXES) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """Write a photo with its boxes negative, and return by how many levels pixels moved from what was asked for."""
    like = images.read(data)
    made = Provenance("net", "ab" * 32, "cd" * 32, boxes, 4, "clsr", whole=True, same_size=True)
    pixels = like.window(whole(like.size))
    for box in boxes:
        pixels[:, box.rows, box.columns] = 1 - pixels[:, box.rows, box.columns]
    images.write(path, pixels, None, like, made)
    again = images.read(path)
    assert again.provenance == made
    return np.abs(again.window(whole(like.size)) - pixels) * 255, images.left_out(path, like, made)


def outside(boxes: tuple[Box, ...] = BOXES) -> NDArray[np.bool_]:
    """Return what is two pixels or more away from all blocks that the boxes touch: colours are smoothed over one."""
    found = np.ones((123, 161), bool)
    for box in boxes:
        left, top = box.left // 16 * 16 - 2, box.top // 16 * 16 - 2
        found[top : -(-box.bottom // 16) * 16 + 2, left : -(-box.right // 16) * 16 + 2] = False
    return found


@needs_program
@pytest.mark.parametrize(
    ("mode", "options"),
    [
        ("RGB", {"quality": 75}),
        ("RGB", {"quality": 90, "subsampling": 0}),
        ("RGB", {"quality": 85, "subsampling": 1, "progressive": True}),
        ("RGB", {"quality": 95, "keep_rgb": True}),
        ("L", {"quality": 75}),
    ],
)
def test_nothing_moves_outside_of_the_boxes(mode: str, options: dict[str, Any], tmp_path: Path) -> None:
    """Family: subsampling, scans, colours and tables that a JPEG may have."""
    moved, notes = pasted(photo(mode, **options), tmp_path / "a.jpg")
    assert moved[:, outside()].max() == 0
    assert notes == ()
    for box in BOXES:
        assert moved[:, box.rows, box.columns].mean() < 12  # a negative is in its place


@needs_program
def test_an_irregular_header_is_set_right(tmp_path: Path) -> None:
    """Family: files that the program would stop at, though they are whole."""
    data = photo(quality=80)
    table = data.index(b"\xff\xdb")
    moved, notes = pasted(data[:table] + bytes(7) + data[table:], tmp_path / "a.jpg")
    assert moved[:, outside()].max() == 0
    assert notes == ()


def test_what_cannot_be_kept_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Family: no program, a photo that lies turned, too many boxes: encoded again by its own tables."""
    exif = Image.Exif()
    exif[ORIENTATION] = 3
    with monkeypatch.context() as patch:
        patch.setattr(jpeg_copy, "has_program", lambda: True)
        assert pasted(photo(exif=exif), tmp_path / "a.jpg")[1] == (
            "the whole JPEG is encoded again, by its own tables: the photo lies turned in its file",
        )
        assert "more than 64 boxes" in pasted(photo(), tmp_path / "b.jpg", 65 * BOXES[:1])[1][0]
    monkeypatch.setattr(jpeg_copy, "has_program", lambda: False)
    moved, notes = pasted(photo(quality=75), tmp_path / "c.jpg")
    assert "jpegtran of libjpeg-turbo 2.1 or newer" in notes[0]
    assert 0 < moved[:, outside()].max() < 40
