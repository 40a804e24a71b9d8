"""Formats, pages and frames: what is read of a file that holds more than one picture, and what is said of others."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from localsr import images
from localsr.errors import ImageError
from localsr.geometry import whole

COLOURS = np.random.default_rng(1).integers(0, 256, (96, 128, 3), dtype=np.uint8)
LARGE = np.kron(COLOURS, np.ones((4, 4, 1), np.uint8))
tifffile = pytest.importorskip("tifffile")  # comes with scikit-image


def levels(photo: images.Photo) -> np.ndarray[Any, Any]:
    return np.rint(photo.window(whole(photo.size)).transpose(1, 2, 0) * (2**photo.depth - 1)).astype(int)


def tiff(*pages: tuple[np.ndarray[Any, Any], dict[str, Any]]) -> bytes:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        for pixels, options in pages:
            writer.write(pixels, **{"photometric": "rgb"} | options)
    return file.getvalue()


MASK = (np.ones(LARGE.shape[:2], bool), {"photometric": "mask", "tile": (128, 128), "subfiletype": 4})
TILED = (LARGE, {"tile": (128, 128)})
ONE_PICTURE = {
    "a preview behind it": tiff((LARGE, {}), (LARGE[::5, ::5], {"subfiletype": 1})),
    "a thumbnail before it": tiff((LARGE[::5, ::5], {"subfiletype": 1}), (LARGE, {})),
    "a mask": tiff(TILED, MASK),
    "a mask, an overview and its mask": tiff(
        TILED,
        MASK,
        (LARGE[::2, ::2], {"subfiletype": 1, "tile": (128, 128)}),
        (MASK[0][::2, ::2], {"photometric": "mask", "subfiletype": 5, "tile": (128, 128)}),
    ),
    "a slide's thumbnail, level, label and macro": tiff(
        TILED,
        (LARGE[::6, ::6], {"rowsperstrip": 16}),
        (LARGE[::4, ::4], {"tile": (128, 128)}),
        (COLOURS[:90, :100], {"subfiletype": 1}),
        (COLOURS[:90, :40], {"subfiletype": 9}),
    ),
    "a pyramid that is not marked": tiff(TILED, (LARGE[::2, ::2], {}), (LARGE[::4, ::4], {})),
    "a pyramid inside": tiff((LARGE, {"tile": (128, 128), "subifds": 1}), (LARGE[::4, ::4], {"subfiletype": 1})),
}


@pytest.mark.parametrize("name", ONE_PICTURE)
def test_a_tiff_of_one_picture(name: str) -> None:
    """Family: previews, thumbnails, masks, overviews and labels are no pages."""
    photo = images.read(ONE_PICTURE[name])
    assert photo.pages == 1
    assert np.array_equal(levels(photo), LARGE)


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "packbits"])
def test_luminance_and_chrominance_outside_of_jpeg_are_colours(compression: str | None) -> None:
    """Of the family of pixels that are wrong without a word: libvips hands YCbCr on as if it were RGB."""
    y, x = np.mgrid[:40, :56]
    pixels = np.stack([x * 4, y * 6, (x + y) * 2], -1).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).convert("YCbCr").save(file, "TIFF", compression=compression)
    photo = images.read(file.getvalue())
    assert (
        np.abs(photo.window(whole(photo.size)).transpose(1, 2, 0) - pixels / 255).max() < 4 / 255
    )  # Pillow rounds down
    data = file.getvalue()
    alone, halved = (struct.pack("<HHIHH", 530, 3, 2, step, step) for step in (1, 2))
    with pytest.raises(ImageError, match="fewer pixels of colour"):
        images.read(data.replace(alone, halved))
    for kind in (9, 10):
        with pytest.raises(ImageError, match="Lab"):
            images.read(data.replace(struct.pack("<HHIHH", 262, 3, 1, 6, 0), struct.pack("<HHIHH", 262, 3, 1, kind, 0)))


def test_pages_of_a_document() -> None:
    """Family: what is no copy is a page, and is chosen by its number; previews between them do not count."""
    data = tiff((COLOURS, {}), (COLOURS[::4, ::4], {"subfiletype": 1}), (255 - COLOURS, {}), (COLOURS, {}))
    with pytest.raises(ImageError, match="holds 3 pages; choose a page from 1 to 3"):
        images.read(data)
    photo = images.read(data, page=2)
    assert (photo.page, photo.pages) == (2, 3)
    assert np.array_equal(levels(photo), 255 - COLOURS)
    for page in (0, 4):
        with pytest.raises(ImageError, match=f"there is no page {page}"):
            images.read(data, page=page)


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG", "AVIF"])
def test_frames_of_an_animation(form: str) -> None:
    """Family: animations; the first frame without asking, another by its number, by path, bytes and Pillow."""
    frames = [Image.fromarray(np.full((48, 64, 3), shade, np.uint8)) for shade in (10, 100, 250)]
    file = io.BytesIO()
    frames[0].save(file, form, save_all=True, append_images=frames[1:], lossless=True, quality=100)
    first = images.read(file.getvalue())
    assert abs(levels(first)[..., :3] - 10).max() <= 2
    if form == "AVIF":
        return  # libheif opens its first picture alone
    assert (first.page, first.pages) == (1, 3)
    assert abs(levels(images.read(file.getvalue(), page=3))[..., :3] - 250).max() <= 2
    assert abs(levels(images.read(Image.open(file), page=2))[..., :3] - 100).max() <= 2


def test_avif_and_gif_read(tmp_path: Path) -> None:
    """Family: formats that the bundled libvips opens, with alpha, turned, of few colours."""
    palette = Image.fromarray(COLOURS).quantize(200)
    palette.save(tmp_path / "a.gif")
    assert np.array_equal(levels(images.read(tmp_path / "a.gif")), np.asarray(palette.convert("RGB")))
    smooth = np.stack(np.meshgrid(np.arange(128), np.arange(96)), -1) @ np.array([[1, 0, 1], [0, 2, 1]])
    alpha = np.dstack([smooth, smooth[..., :1]]).astype(np.uint8)
    Image.fromarray(alpha).save(tmp_path / "a.avif", quality=100)
    photo = images.read(tmp_path / "a.avif")
    assert photo.has_alpha
    assert abs(levels(photo) - alpha[..., :3]).max() <= 4


OTHERS = {
    b"\0\0\0\x18ftypheic\0\0\0\0mif1heic": "HEIC; save it as JPEG",
    b"\0\0\0\x18ftypmp42\0\0\0\0": "a video; take a frame",
    b"\x1aE\xdf\xa3": "a video",
    b"RIFF\0\0\0\0AVI LIST": "a video",
    b"II*\0\x10\0\0\0CR\2\0": "a camera's RAW; develop it",
    b"FUJIFILMCCD-RAW 0201": "a camera's RAW",
    b"%PDF-1.7": "a PDF; save the page as PNG",
    b"8BPS\0\1": "a Photoshop document",
    b"<?xml version='1.0'?>\n<svg xmlns='http://www.w3.org/2000/svg'/>": "an SVG",
    b"<!DOCTYPE html><html>": "a page of text; give the picture itself",
    b"\0\0\0\x0cJXL \r\n\x87\n": "JPEG XL",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"PK\3\4": "an archive; unpack it",
    b"--a1b2\r\nContent-Disposition: form-data": "a form; send the bytes",
    b"data:image/jpeg;base64,/9j/": "written as text",
    b"iVBORw0KGgoAAAANSUhEUg": "written as text",
    b"version https://git-lfs.github.com/spec/v1\n": "a pointer of Git LFS; fetch",
    bytes(128) + b"DICM": "DICOM",
    b"hello": "begins with b'hello'",
}


@pytest.mark.parametrize("head", OTHERS)
def test_other_formats_are_named(head: bytes) -> None:
    """Family: what people give that is no picture here, with what to do."""
    with pytest.raises(ImageError, match=OTHERS[head]):
        images.read(head)


def test_a_raw_in_a_tiff_is_named() -> None:
    """Family: RAW files that are TIFFs, whose preview is no picture of theirs."""
    data = tiff((COLOURS, {"subfiletype": 1, "extratags": [(50706, 1, 4, (1, 4, 0, 0), True)]}))
    with pytest.raises(ImageError, match="a camera's RAW; develop it"):
        images.read(data)


HOST = """
import sys, tempfile, os
import pyvips, numpy as np
os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp()
def state():
    image = pyvips.Image.black(8, 8, bands=3).copy(interpretation="srgb")
    image.write_to_file(os.environ["XDG_CACHE_HOME"] + "/x.v")
    svg = b"<svg xmlns='http://www.w3.org/2000/svg' width='8' height='8'><rect width='8' height='8'/></svg>"
    return (pyvips.Image.new_from_buffer(svg, "").width, pyvips.Image.new_from_buffer(image.gifsave_buffer(), "").width,
            pyvips.Image.new_from_file(os.environ["XDG_CACHE_HOME"] + "/x.v").width, pyvips.cache_get_max())
before = state()
import localsr
import localsr.images.reading as reading
reading.MAX_BYTES_IN_MEMORY = 100  # decoded to a file of the same size, one after the other
for shade in (10, 200):
    data = pyvips.Image.black(64, 64, bands=3).linear(1, shade).cast("uchar").pngsave_buffer()
    photo = localsr.read(bytes(data))
    assert abs(photo.window(localsr.Box(0, 0, 64, 64)).max() * 255 - shade) < 0.1
    del photo
assert state() == before, (state(), before)
pyvips.block_untrusted_set(True)
localsr.read(bytes(data)).window(localsr.Box(0, 0, 64, 64))
"""


def test_a_host_program_keeps_its_settings_of_libvips() -> None:
    """Family: loaders, cache limits and blocks that are the process's; and nothing of its cache is taken for new."""
    subprocess.run([sys.executable, "-c", HOST], check=True)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "BMP", "GIF", "TIFF"])
def test_a_cut_picture_is_read_by_request(form: str, tmp_path: Path) -> None:
    """Family: truncated pictures that someone wants nonetheless: the upper part is right, and the photo says so."""
    file = io.BytesIO()
    Image.fromarray(LARGE).save(file, form)
    data = file.getvalue()
    (tmp_path / "cut").write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(ImageError):
        images.read(tmp_path / "cut").preview(1)
    whole_one, cut = images.read(data, tolerant=True), images.read(tmp_path / "cut", tolerant=True)
    assert not whole_one.damage
    assert cut.damage
    assert cut.size == whole_one.size
    rows = slice(250, 384) if form == "BMP" else slice(0, 120)  # a BMP begins below
    assert np.array_equal(levels(cut)[rows], levels(whole_one)[rows])


def test_what_is_no_picture_is_refused_by_request_too() -> None:
    """Family: refusals that are not about damage stand."""
    for data in (b"hello", b"", b"%PDF-1.7", b"\xff\xd8\xff\xe0"):
        with pytest.raises(ImageError):
            images.read(data, tolerant=True)
