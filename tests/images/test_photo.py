"""The door for pixels: what goes in comes out, windows are what they say, and no wrong file passes."""

from __future__ import annotations

import errno
import gc
import io
import os
import random
import struct
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips
from numpy.typing import NDArray
from PIL import Image, ImageCms

from localsr import images
from localsr.errors import BoxError, ImageError, OutputError
from localsr.geometry import Box, Size, whole
from localsr.images.vips import SPACES, from_array, profile_of, with_profile

Array = NDArray[Any]
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
NAMES = [
    "plain.png",
    "a b.png",
    "a[1].png",
    "a'\"b.png",
    "100%d%s.png",
    "街角 ñ.png",
    "a,b;c&d.png",
    "-n.png",
    "c:\\x.png",
]


def scene(height: int, width: int, bands: int, depth: int = 8) -> Array:
    """Make a picture of noise on a ramp `(h, w, bands)`, a function of its arguments alone."""
    rng = np.random.default_rng(height * width + bands)
    ramp = np.arange(height)[:, None, None] / height + np.arange(width)[None, :, None] / width
    values = (ramp + rng.random((height, width, bands))) / 3.001
    return (values * (2**depth - 1)).astype(np.uint8 if depth == 8 else np.uint16)


def vips(pixels: Array, space: str | None = None) -> pyvips.Image:
    """Hand an array to libvips."""
    depth = 8 if pixels.dtype == np.uint8 else 16
    image = from_array(pixels, space or SPACES[1 if pixels.shape[2] < 3 else 3, depth])
    return image


def full(photo: images.Photo) -> NDArray[np.float32]:
    """Read the whole picture."""
    return photo.window(whole(photo.size))


def levels(pixels: NDArray[np.float32], depth: int) -> Array:
    """Give [0, 1] `(bands, h, w)` as levels `(h, w, bands)`."""
    return np.rint(pixels.transpose(1, 2, 0) * (2**depth - 1)).astype(np.uint8 if depth == 8 else np.uint16)


def png(pixels: Array) -> bytes:
    """Encode a PNG."""
    return bytes(vips(pixels).pngsave_buffer())


def chunk(kind: bytes, body: bytes) -> bytes:
    """Make a chunk of a PNG."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def blank_png(width: int, height: int, bits: int = 1) -> bytes:
    """Make a blank grey PNG, packed as tightly as deflate can."""
    row = bytes(1 + (width * bits + 7) // 8)
    packer = zlib.compressobj(9)
    body = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


# --- what goes in comes out -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("bands", [1, 2, 3, 4])
def test_round_trip_keeps_pixels_bands_depth_and_profile(tmp_path: Path, suffix: str, depth: int, bands: int) -> None:
    """Grey, grey + alpha, RGB and RGBA, read, written and read again, are equal to the last bit."""
    pixels = scene(23, 31, bands, depth)
    profile = SRGB if bands >= 3 else None
    source, target = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    with_profile(vips(pixels), profile).write_to_file(str(source))
    photo = images.read(source)
    assert (photo.size, photo.bands, photo.depth) == (Size(31, 23), bands, depth)
    assert (photo.profile, photo.name, photo.has_alpha) == (profile, source.name, bands in (2, 4))
    box = whole(photo.size)
    window, alpha = photo.window(box), photo.alpha(box)
    assert window.dtype == np.float32
    assert window.shape == (3, 23, 31)
    assert window.flags.c_contiguous
    colour = pixels[..., :3] if bands >= 3 else pixels[..., :1].repeat(3, axis=2)
    assert np.array_equal(levels(window, depth), colour)
    assert (alpha is not None) == photo.has_alpha
    if alpha is not None:
        assert np.array_equal(levels(alpha, depth), pixels[..., -1:])
    images.write(target, window, alpha, photo)
    again = images.read(target)
    assert (again.size, again.bands, again.depth, again.profile) == (photo.size, bands, depth, profile)
    stored = pyvips.Image.new_from_file(str(target)).numpy().reshape(pixels.shape)
    assert np.array_equal(stored, pixels)


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
@pytest.mark.parametrize("tagged", [True, False])
def test_cmyk_stays_cmyk(tmp_path: Path, suffix: str, tagged: bool) -> None:
    """CMYK is read as sRGB and written as CMYK with its own profile."""
    smooth = np.stack(np.broadcast_arrays(*np.ogrid[60:180:24j, 60:180:32j], np.float64(120)), axis=2).astype(np.uint8)
    cmyk = vips(smooth).icc_transform("cmyk")
    profile = profile_of(cmyk)
    source, target = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    with_profile(cmyk, profile if tagged else None).write_to_file(str(source))
    photo = images.read(source)
    assert (photo.bands, photo.is_cmyk, photo.has_alpha, photo.profile) == (4, True, False, profile if tagged else None)
    assert np.abs(levels(full(photo), 8).astype(int) - smooth).max() <= 20  # CMYK has less blue
    images.write(target, full(photo), None, photo)
    again = images.read(target)
    assert (again.bands, again.is_cmyk, again.profile) == (4, True, photo.profile)
    assert np.abs(full(again) - full(photo)).mean() < 0.01
    images.write(tmp_path / "out.png", full(photo), None, photo)
    as_png = images.read(tmp_path / "out.png")
    assert (as_png.bands, as_png.profile) == (3, None)
    assert np.array_equal(full(as_png), full(photo))


def test_cmyk_of_16_bit_keeps_its_depth(tmp_path: Path) -> None:
    """A TIFF of 4 x 16 bit comes back as one."""
    cmyk = vips(scene(9, 12, 3, 16)).icc_transform("cmyk", depth=16)
    cmyk.tiffsave(str(tmp_path / "in.tif"))
    photo = images.read(tmp_path / "in.tif")
    images.write(tmp_path / "out.tif", full(photo), None, photo)
    again = pyvips.Image.new_from_file(str(tmp_path / "out.tif"))
    assert (photo.depth, again.format, again.bands, again.interpretation) == (16, "ushort", 4, "cmyk")


def test_cmyk_with_a_damaged_profile_reads_without_it() -> None:
    """What fits no pixels is neither used nor carried on."""
    cmyk = with_profile(vips(scene(9, 12, 3)).icc_transform("cmyk"), b"garbage" * 40)
    photo = images.read(bytes(cmyk.tiffsave_buffer()))
    assert photo.profile is None
    assert np.isfinite(full(photo)).all()


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_orientation_is_applied_first(tmp_path: Path, turn: int, suffix: str) -> None:
    """All eight EXIF orientations give the upright picture, its size and its boxes."""
    upright = scene(16, 24, 3) if suffix != ".jpg" else np.kron(scene(2, 3, 3), np.ones((8, 8, 1), np.uint8))
    undo = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
        8: lambda a: np.rot90(a, -1),
    }
    stored = Image.fromarray(np.ascontiguousarray(undo[turn](upright)))
    exif = Image.Exif()
    exif[274] = turn
    options: dict[str, Any] = {".jpg": {"quality": 100, "subsampling": 0}, ".webp": {"lossless": True}}.get(suffix, {})
    stored.save(tmp_path / f"a{suffix}", exif=exif, **options)
    photo = images.read(tmp_path / f"a{suffix}")
    assert photo.size == Size(24, 16)
    error = np.abs(levels(photo.window(Box(8, 0, 24, 9)), 8).astype(int) - upright[0:9, 8:24])
    assert error.max() <= (3 if suffix == ".jpg" else 0)
    images.write(tmp_path / "out.png", full(photo), None, photo)
    assert images.read(tmp_path / "out.png").size == Size(24, 16)  # not turned a second time


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_palette_and_few_bits_are_expanded(tmp_path: Path, bits: int) -> None:
    """Palette PNG becomes RGB, grey PNG of few bits becomes 8 bit."""
    index = np.arange(12, dtype=np.uint8).reshape(3, 4) & (2**bits - 1)
    palette = Image.fromarray(index, "P") if bits == 8 else Image.frombytes("P", (4, 3), index.tobytes())
    colours = scene(16, 16, 3).reshape(-1, 3)
    palette.putpalette(colours[: 2**bits].tobytes())
    palette.save(tmp_path / "p.png", bits=bits)
    photo = images.read(tmp_path / "p.png")
    assert (photo.bands, photo.depth) == (3, 8)
    assert np.array_equal(levels(full(photo), 8), colours[index])
    grey = images.read(bytes(vips((index * (255 // (2**bits - 1)))[..., None]).pngsave_buffer(bitdepth=bits)))
    assert (grey.bands, grey.depth) == (1, 8)
    assert np.array_equal(levels(full(grey), 8)[..., 0], index * (255 // (2**bits - 1)))


@pytest.mark.parametrize("mode", ["RGB", "L", "1", "P"])
def test_bmp(tmp_path: Path, mode: str) -> None:
    """BMP goes through Pillow, both ways."""
    picture = Image.fromarray(scene(11, 14, 3)).convert(mode)
    picture.save(tmp_path / "a.bmp")
    photo = images.read(tmp_path / "a.bmp")
    assert np.array_equal(levels(full(photo), 8), np.asarray(picture.convert("RGB")))
    assert (photo.bands, photo.depth, photo.name) == (1 if mode in "L1" else 3, 8, "a.bmp")
    images.write(tmp_path / "b.bmp", full(photo), None, photo)
    assert np.array_equal(full(images.read(tmp_path / "b.bmp")), full(photo))


def test_float_tiff_counts_as_16_bit(tmp_path: Path) -> None:
    """Values in [0, 1] are taken as they are."""
    values = (scene(9, 12, 3) / 255).astype(np.float32)
    from_array(values, "srgb").tiffsave(str(tmp_path / "f.tif"))
    photo = images.read(tmp_path / "f.tif")
    assert photo.depth == 16
    assert np.array_equal(full(photo), values.transpose(2, 0, 1))
    images.write(tmp_path / "out.png", full(photo), None, photo)
    assert np.array_equal(levels(full(images.read(tmp_path / "out.png")), 16), np.rint(values * 65535))
    assert np.abs(photo.preview(50).astype(int) - np.rint(values * 255)).max() <= 1


def test_lab_becomes_srgb() -> None:
    """A space that is no RGB is converted."""
    pixels = scene(9, 12, 3)
    photo = images.read(bytes(vips(pixels).colourspace("lab").tiffsave_buffer()))
    assert np.abs(full(photo) * 255 - pixels.transpose(2, 0, 1)).max() < 2


@pytest.mark.parametrize(
    ("suffix", "bands", "depth"),
    [(".jpg", 3, 8), (".jpeg", 3, 8), (".webp", 4, 8), (".bmp", 3, 8), (".PNG", 4, 16), (".tiff", 4, 16)],
)
def test_a_format_holds_what_it_can(tmp_path: Path, suffix: str, bands: int, depth: int) -> None:
    """RGBA of 16 bit, written as what is nearest to it."""
    photo = images.read(scene(9, 12, 4, 16))
    images.write(tmp_path / f"a{suffix}", full(photo), photo.alpha(whole(photo.size)), photo)
    found = images.read(tmp_path / f"a{suffix}")
    assert (found.bands, found.depth, found.size) == (bands, depth, photo.size)
    assert np.abs(full(found) - full(photo)).max() < (0.06 if "jp" in suffix else 1 / 255)


def test_pixels_are_clamped_and_rounded_to_the_nearest(tmp_path: Path) -> None:
    """Not wrapped round, not cut off."""
    like = images.read(scene(1, 5, 3))
    values = np.array([-0.3, 0.4 / 255, 0.6 / 255, 1.0, 7.0], np.float32)
    images.write(tmp_path / "a.png", np.broadcast_to(values, (3, 1, 5)), None, like)
    assert levels(full(images.read(tmp_path / "a.png")), 8)[0, :, 0].tolist() == [0, 0, 1, 255, 255]


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_the_profile_is_carried(tmp_path: Path, suffix: str) -> None:
    """Byte for byte, pixels unconverted."""
    photo = images.read(Image.fromarray(scene(9, 12, 3)))
    p3 = profile_of(vips(scene(4, 4, 3)).icc_transform("p3"))
    tagged = images.read(bytes(with_profile(vips(scene(9, 12, 3)), p3).pngsave_buffer()))
    assert p3 is not None
    assert np.array_equal(full(tagged), full(photo))
    images.write(tmp_path / f"a{suffix}", full(tagged), None, tagged)
    assert images.read(tmp_path / f"a{suffix}").profile == p3


# --- sources and windows --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp", ".bmp"])
def test_odd_names(tmp_path: Path, name: str, suffix: str) -> None:
    """A name is a name: libvips' `file[option]` and printf's `%` mean nothing here."""
    path = (tmp_path / name).with_suffix(suffix)
    like = images.read(scene(9, 12, 3))
    images.write(path, full(like), None, like)
    assert os.listdir(tmp_path) == [path.name]
    assert np.abs(full(images.read(str(path))) - full(like)).max() < 0.06
    assert images.read(path).name == path.name


def test_a_name_that_is_no_utf8(tmp_path: Path) -> None:
    """Names are bytes to the system."""
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.png"))
    like = images.read(scene(9, 12, 3))
    images.write(path, full(like), None, like)
    assert np.array_equal(full(images.read(path)), full(like))


@pytest.mark.parametrize("dtype", ["u1", "u2", ">u2", "f4", "f8"])
@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1), (5, 7, 2), (5, 7, 3), (5, 7, 4), (1, 1)])
def test_arrays(shape: tuple[int, ...], dtype: str) -> None:
    """Each of the allowed shapes and types, and a copy is taken."""
    top = {"u": 2 ** (8 * np.dtype(dtype).itemsize) - 1, "f": 1}[np.dtype(dtype).kind]
    values = np.random.default_rng(1).random(shape)
    array = (values * top).astype(dtype)
    expected = (array / top).astype(np.float32).reshape(*shape[:2], -1)
    photo = images.read(array)
    array[:] = 0
    assert photo.size == Size(shape[1], shape[0])
    assert (photo.bands, photo.depth) == (expected.shape[2], 8 if dtype == "u1" else 16)
    assert photo.window(whole(photo.size))[0] == pytest.approx(expected[..., 0], abs=1e-6)
    assert photo.window(whole(photo.size))[2] == pytest.approx(expected[..., 2 if photo.bands > 2 else 0], abs=1e-6)


@pytest.mark.parametrize("bad", [
    np.zeros((5, 7, 5), np.uint8), np.zeros((0, 7), np.uint8), np.zeros(5, np.uint8), np.zeros((5, 7), np.int32),
    np.zeros((5, 7), bool), np.full((5, 7), 2.0), np.full((5, 7), np.nan), np.full((5, 7), np.inf),
    np.full((5, 7), -0.1), np.zeros((5, 7), complex), np.zeros((2, 5, 7, 3), np.uint8), 5, None, [[1, 2]],
])  # fmt: skip
def test_what_is_no_array_of_a_picture(bad: Any) -> None:
    """Refused in words."""
    with pytest.raises(ImageError, match=r"is no picture|float pixels"):
        images.read(bad)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "YCbCr", "CMYK"])
def test_pillow_images(mode: str) -> None:
    """Same picture as Pillow's own conversion to RGB."""
    picture = Image.fromarray(scene(9, 12, 3)).convert(mode)
    photo = images.read(picture)
    if mode == "CMYK":  # Pillow converts without a profile, libvips with one
        assert photo.is_cmyk
        return
    assert np.array_equal(levels(full(photo), 8), np.asarray(picture.convert("RGB")))
    assert photo.has_alpha == mode.endswith("A")


def test_pillow_image_brings_profile_and_orientation(tmp_path: Path) -> None:
    """As the file it came from does."""
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(scene(9, 12, 3)).save(tmp_path / "a.png", exif=exif, icc_profile=SRGB)
    with Image.open(tmp_path / "a.png") as picture:
        photo = images.read(picture)
    assert (photo.size, photo.profile) == (Size(9, 12), SRGB)
    assert np.array_equal(full(photo), full(images.read(tmp_path / "a.png")))


def test_pillow_image_refused() -> None:
    """A mode without a meaning here, and a file cut short."""
    with pytest.raises(ImageError, match="no picture"):
        images.read(Image.new("I", (4, 4)))
    with Image.open(io.BytesIO(png(scene(60, 60, 3))[:5000])) as cut, pytest.raises(ImageError, match="truncated"):
        images.read(cut)


def encoders() -> dict[str, bytes]:
    """One picture in every form that is read in another way."""
    image, pixels = vips(scene(300, 400, 3)), scene(300, 400, 3)
    bmp = io.BytesIO()
    Image.fromarray(pixels).save(bmp, "BMP")
    return {
        "jpeg": image.jpegsave_buffer(),
        "progressive": image.jpegsave_buffer(interlace=True),
        "png": image.pngsave_buffer(),
        "interlaced": image.pngsave_buffer(interlace=True),
        "strips": image.tiffsave_buffer(compression="lzw"),
        "tiles": image.tiffsave_buffer(tile=True, tile_width=64, tile_height=32, compression="deflate"),
        "pyramid": image.tiffsave_buffer(tile=True, tile_width=64, tile_height=64, pyramid=True),
        "subifd": image.tiffsave_buffer(tile=True, tile_width=64, tile_height=64, pyramid=True, subifd=True),
        "webp": image.webpsave_buffer(),
        "bmp": bmp.getvalue(),
    }


@pytest.mark.parametrize("form", list(encoders()))
def test_windows_are_crops_of_the_whole(tmp_path: Path, form: str) -> None:
    """By fetch and by pipeline, one and many, from several threads at once, from a file and from bytes."""
    data = encoders()[form]
    (tmp_path / "a").write_bytes(data)
    everything = full(images.read(data))
    rng = random.Random(form)
    boxes = [Box(0, 0, 400, 300), Box(399, 299, 400, 300), Box(0, 0, 1, 1), Box(50, 10, 390, 280)]
    for _ in range(40):
        left, top = rng.randrange(400), rng.randrange(300)
        boxes.append(Box(left, top, rng.randrange(left, 400) + 1, rng.randrange(top, 300) + 1))
    photo = images.read(tmp_path / "a")
    with ThreadPoolExecutor(4) as pool:
        for box, window in zip(boxes, pool.map(photo.window, boxes), strict=True):
            assert np.array_equal(window, everything[:, box.rows, box.columns])
    for box, window in zip(boxes, photo.windows(boxes), strict=True):
        assert np.array_equal(window, everything[:, box.rows, box.columns])


def test_a_replaced_file_is_read_anew_and_the_old_photo_stays(tmp_path: Path) -> None:
    """Writing over the source is allowed."""
    path = tmp_path / "a.tif"
    black, white = (images.read(np.full((9, 12, 3), value, np.uint8)) for value in (0, 255))
    images.write(path, full(black), None, black)
    old = images.read(path)
    images.write(path, full(white), None, white)
    assert full(images.read(path)).min() == 1
    assert full(old).max() == 0


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts open files as Linux lists them")
def test_a_forgotten_photo_closes_its_file(tmp_path: Path) -> None:
    """Thousands of pictures may be read one after the other."""
    (tmp_path / "a.png").write_bytes(png(scene(9, 12, 3)))
    before = len(os.listdir("/proc/self/fd"))
    photos = [images.read(tmp_path / "a.png") for _ in range(5)]
    assert len(os.listdir("/proc/self/fd")) == before + len(photos)
    assert full(photos[0]).size == 9 * 12 * 3
    photos.clear()
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) <= before


@pytest.mark.parametrize("box", [Box(-1, 0, 5, 5), Box(0, 0, 13, 5), Box(20, 20, 25, 25)])
def test_a_window_outside_is_refused(box: Box) -> None:
    """Never padded in silence."""
    photo = images.read(scene(9, 12, 4))
    for ask in (photo.window, photo.alpha):
        with pytest.raises(BoxError, match="which is 12 x 9"):
            ask(box)


def test_preview_fits_and_never_enlarges() -> None:
    """8-bit sRGB of the whole."""
    photo = images.read(np.full((200, 100), 40_000, np.uint16))
    small = photo.preview(50)
    assert (small.shape, small.dtype) == ((50, 25, 3), np.uint8)
    assert np.abs(small.astype(int) - 156).max() <= 1
    assert photo.preview(1000).shape == (200, 100, 3)
    tagged = with_profile(vips(scene(9, 12, 3)), b"garbage" * 40)
    assert np.array_equal(images.read(bytes(tagged.pngsave_buffer())).preview(12), scene(9, 12, 3))
    p3 = vips(scene(9, 12, 3) // 4 + 90).icc_transform("p3")
    shown = images.read(bytes(p3.pngsave_buffer())).preview(12)
    assert np.abs(shown.astype(int) - (scene(9, 12, 3) // 4 + 90)).max() <= 3


# --- what wrong input gets ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [
    b"<svg xmlns='http://www.w3.org/2000/svg' width='4' height='4'/>", b"%PDF-1.7 ...",
    b"\0\0\0\x18ftypheic" + bytes(40), b"\0\0\0\x0cjXL \r\n\x87\n", b"RIFF\0\0\0\0WAVE", b"hello", b"\0",
    b"P6 1 1 255 abc", b"SIMPLE  =  T", b"#?RADIANCE\n", b"\x76\x2f\x31\x01",
])  # fmt: skip
def test_other_formats_are_refused(tmp_path: Path, data: bytes) -> None:
    """With the first bytes and the list of what is read."""
    (tmp_path / "a.png").write_bytes(data)
    for source in (data, tmp_path / "a.png"):
        with pytest.raises(ImageError, match="localsr reads JPEG, PNG, TIFF, WebP, AVIF, GIF and BMP"):
            images.read(source)


@pytest.mark.parametrize("loader", ["svgload_buffer", "csvload_source", "vipsload_source"])
def test_libvips_loads_nothing_else(loader: str) -> None:
    """Other loaders are blocked, should a file ever get past its first bytes."""
    source = pyvips.Source.new_from_memory(b"<svg/>") if loader.endswith("source") else b"<svg/>"
    with pytest.raises(pyvips.Error, match="blocked"):
        getattr(pyvips.Image, loader)(source)


def test_no_file() -> None:
    """Missing, a folder, a pipe, a name that cannot be."""
    for name, words in {
        "missing.png": "No such file",
        "/": "not a file",
        "/dev/zero": "not a file",
        "a\0b": "null byte",
        "https://images.test/a.png": "is an address; download the picture",
    }.items():
        with pytest.raises(ImageError, match=words) as caught:
            images.read(name)
        assert "\n" not in str(caught.value)


def test_empty(tmp_path: Path) -> None:
    """An empty file is named as such."""
    (tmp_path / "a.png").touch()
    with pytest.raises(ImageError, match=r"a\.png is empty"):
        images.read(tmp_path / "a.png")
    with pytest.raises(ImageError, match="is empty"):
        images.read(b"")


@pytest.mark.parametrize("form", list(encoders()))
def test_truncated_never_gives_fill(form: str) -> None:
    """Cut anywhere, a file is refused, or nothing of the picture was lost."""
    data = encoders()[form]
    everything = full(images.read(data))
    refused = 0
    for cut in [*random.Random(form).sample(range(1, len(data)), 25), len(data) - 1, len(data) - 2]:
        try:
            found = full(images.read(data[:cut]))
        except ImageError:
            refused += 1
        else:
            assert np.array_equal(found, everything)
    assert refused >= (10 if form in ("pyramid", "subifd") else 25)  # whose last levels are not read


def test_a_window_of_a_truncated_file_fails_every_time() -> None:
    """Also on the second ask, and in every thread."""
    photo = images.read(png(scene(300, 400, 3))[:200_000])
    for _ in range(3):
        with pytest.raises(ImageError, match="the picture"):
            photo.window(Box(390, 290, 400, 300))
    with pytest.raises(ImageError, match="the picture"):
        photo.preview(20)


def test_a_hole_in_a_jpeg_is_no_grey_fill() -> None:
    """The end of the data is there, its middle is not."""
    data = bytes(vips(scene(300, 400, 3)).jpegsave_buffer(Q=90))
    with pytest.raises(ImageError, match="Corrupt JPEG"):
        full(images.read(data[:20_000] + data[-20_000:]))


def claim(kind: str, width: int, height: int) -> bytes:
    """Make a small file whose header claims a size."""
    if kind == "png":
        header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    if kind == "bmp":
        fields = (154, 0, 0, 54, 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
        return b"BM" + struct.pack("<IHHIIiiHHIIiiII", *fields) + bytes(99)
    data = bytearray(getattr(vips(scene(16, 16, 3)), f"{kind}save_buffer")())
    if kind == "jpeg":
        at = data.index(b"\xff\xc0") + 5
        data[at : at + 4] = struct.pack(">HH", height, width)
    else:
        for tag, value in ((256, width), (257, height)):
            at = data.index(struct.pack("<HHI", tag, 3, 1))
            data[at : at + 12] = struct.pack("<HHII", tag, 4, 1, value)
    return bytes(data)


@pytest.mark.parametrize(("kind", "side"), [("png", 30_000), ("png", 2**31 - 1), ("jpeg", 65_000), ("tiff", 60_000),
                                            ("bmp", 30_000), ("bmp", 2**31 - 1)])  # fmt: skip
def test_a_bomb_is_refused_by_its_header(kind: str, side: int) -> None:
    """Before a pixel is decoded."""
    with pytest.raises(ImageError, match=r"allowed are|cannot be read|damaged"):
        images.read(claim(kind, side, side))


def test_a_real_bomb_and_an_honest_blank() -> None:
    """The blank page of a scanner passes; what no honest file reaches does not."""
    page = images.read(blank_png(4_960, 7_016))
    assert page.window(Box(4_000, 7_000, 4_010, 7_016)).max() == 0
    with pytest.raises(ImageError, match="claims 40000 x 40000 pixels"):
        images.read(blank_png(40_000, 40_000))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1.5, -0.5])
def test_nan_pixels(bad: float) -> None:
    """One pixel is enough, in the window that holds it."""
    values = np.full((9, 12, 3), 0.5, np.float32)
    values[4, 6, 1] = bad
    photo = images.read(bytes(from_array(values, "srgb").tiffsave_buffer()))
    assert photo.window(Box(0, 0, 6, 9)).max() == 0.5
    for ask in (lambda: photo.window(Box(6, 4, 7, 5)), lambda: full(photo), lambda: photo.preview(20)):
        with pytest.raises(ImageError, match=r"float pixels .*\[0, 1\]"):
            ask()


@pytest.mark.parametrize("dtype", ["i1", "i2", "u4", "i4", "f8"])
def test_pixel_types_without_a_meaning(dtype: str) -> None:
    """A TIFF of signed or 32-bit integers has no white."""
    image = pyvips.Image.new_from_array(scene(9, 12, 1)[..., 0].astype(dtype))
    with pytest.raises(ImageError, match=r"8 and 16 bit and float|cannot be read"):
        images.read(bytes(image.tiffsave_buffer()))


def test_too_many_bands() -> None:
    """A satellite's bands are no colours."""
    with pytest.raises(ImageError, match="has 6 bands"):
        images.read(bytes(vips(scene(9, 12, 6), "multiband").tiffsave_buffer()))


# --- writing whole or not at all ------------------------------------------------------------------------------------


def full_disk(*_: object) -> None:
    """Fail as a full disk does."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("where", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """And no other."""
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    like = images.read(scene(9, 12, 3))
    monkeypatch.setattr(os, where, full_disk)
    with pytest.raises(OutputError, match=r"a\.png.*No space left.*untouched"):
        images.write(path, full(like), None, like)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.png"]


def test_a_kill_in_the_middle_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C too tidies up."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    like = images.read(scene(9, 12, 3))
    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        images.write(path, full(like), None, like)
    assert (path.read_bytes(), os.listdir(tmp_path)) == (b"old", ["a.png"])


def test_output_that_cannot_be(tmp_path: Path) -> None:
    """No such folder, no such format, not a picture, too large for its format."""
    like = images.read(scene(9, 12, 3))
    pixels = full(like)
    wide = np.zeros((3, 1, 70_000), np.float32)
    (tmp_path / "taken").write_text("a file where a folder should be")
    cases: list[tuple[str, Any, Any, str]] = [
        ("a.gif", pixels, None, r"\.png, \.jpeg"),
        ("a", pixels, None, r"\.png, \.jpeg"),
        ("taken/a.png", pixels, None, "File exists"),
        ("a.png", pixels * np.nan, None, "finite"),
        ("a.png", pixels[:2], None, "must be"),
        ("a.png", pixels, pixels[:1, :4], "must be"),
        ("a.jpg", wide, None, "could not be written"),
        ("a.webp", wide, None, "could not be written"),
    ]
    for name, given, alpha, words in cases:
        with pytest.raises(OutputError, match=words):
            images.write(tmp_path / name, given, alpha, like)
    assert os.listdir(tmp_path) == ["taken"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """The file it points to is replaced."""
    like = images.read(scene(9, 12, 3))
    (tmp_path / "real.png").touch()
    (tmp_path / "link.png").symlink_to(tmp_path / "real.png")
    images.write(tmp_path / "link.png", full(like), None, like)
    assert (tmp_path / "link.png").is_symlink()
    assert images.read(tmp_path / "real.png").size == like.size


# --- mutants --------------------------------------------------------------------------------------------------------


def mutants(count: int, seed: int) -> list[bytes]:
    """Damage six small valid files: flipped bytes, truncation, insertion, garbage in the header."""
    image = vips(scene(13, 17, 3))
    bmp = io.BytesIO()
    Image.fromarray(scene(13, 17, 3)).save(bmp, "BMP")
    files = [
        bytes(image.jpegsave_buffer(interlace=True)),
        bytes(image.pngsave_buffer()),
        bytes(image.tiffsave_buffer(compression="lzw", tile=True, tile_width=16, tile_height=16)),
        bytes(image.webpsave_buffer()),
        bmp.getvalue(),
        png(scene(13, 17, 4, 16)),
    ]
    rng = random.Random(seed)

    def flip(data: bytearray) -> None:
        for _ in range(rng.randint(1, 8)):
            data[rng.randrange(len(data))] = rng.randrange(256)

    def cut(data: bytearray) -> None:
        del data[rng.randrange(1, len(data)) :]

    def insert(data: bytearray) -> None:
        at = rng.randrange(len(data))
        data[at:at] = rng.randbytes(rng.randint(1, 40))

    def header(data: bytearray) -> None:
        at = rng.randrange(2, min(120, len(data) - 4))
        value = rng.choice([0, 1, 255, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, rng.randrange(2**32)])
        data[at : at + 4] = value.to_bytes(4, rng.choice(["big", "little"]))

    damages: list[Callable[[bytearray], None]] = [flip, cut, insert, header]
    made = []
    for k in range(count):
        data = bytearray(files[k % 6])
        rng.choice(damages)(data)
        if k % 6 in (1, 5) and k % 2:  # let half of the PNGs through their checksums
            _repair(data)
        made.append(bytes(data))
    return made


def _repair(data: bytearray) -> None:
    """Make the checksums of a PNG right again."""
    at = 8
    while at + 12 <= len(data):
        end = at + 8 + int.from_bytes(data[at : at + 4], "big")
        if end + 4 > len(data):
            return
        data[end : end + 4] = zlib.crc32(data[at + 4 : end]).to_bytes(4, "big")
        at = end + 4


def outcome(data: bytes) -> str:
    """Read a mutant whole; anything but a picture of its stated size or an `ImageError` is let out."""
    try:
        photo = images.read(data)
        pixels = full(photo)
    except ImageError as error:
        return "refused" if "\n" not in str(error) else "refused at length"
    assert pixels.shape == (3, photo.size.height, photo.size.width)
    assert np.isfinite(pixels).all()
    return "read"


def test_two_thousand_mutants() -> None:
    """Each is refused in words or gives a finite picture of its stated size."""
    found = [outcome(data) for data in mutants(2_000, seed=7)]
    assert set(found) == {"refused", "read"}
    assert 400 < found.count("refused") < 1_990


@pytest.mark.parametrize("form", list(encoders()))
def test_bytes_may_be_forgotten(form: str) -> None:
    """The photo holds what it reads from."""
    photo = images.read(bytes(bytearray(encoders()[form])))
    gc.collect()
    junk = [bytes(300_000) for _ in range(20)]
    assert photo.window(Box(300, 200, 400, 300)).std() > 0.05
    assert len(junk) == 20


def test_no_ink_is_white() -> None:
    """Pillow's CMYK and libvips' mean the same."""
    assert full(images.read(Image.new("CMYK", (4, 4), (0, 0, 0, 0)))).min() > 0.99
    file = io.BytesIO()
    Image.new("CMYK", (16, 16), (0, 0, 0, 0)).save(file, "JPEG")
    assert full(images.read(file.getvalue())).min() > 0.99


def test_grey_as_webp(tmp_path: Path) -> None:
    """WebP has no grey; three equal bands are the nearest."""
    photo = images.read(png(scene(9, 12, 1)))
    images.write(tmp_path / "a.webp", full(photo), None, photo)
    assert np.array_equal(full(images.read(tmp_path / "a.webp")), full(photo))


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
def test_a_large_picture_is_decoded_once_into_the_cache(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    pixels = np.random.default_rng(0).integers(0, 256, (150, 220, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6 if suffix == "jpg" else 1
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(pixels).save(path, exif=exif, icc_profile=SRGB)
    before = images.read(path)
    monkeypatch.setattr("localsr.images.reading.MAX_BYTES_IN_MEMORY", 1000)
    heard: list[tuple[int, int]] = []
    after = images.read(path, lambda *done: heard.append(done))
    assert heard[-1] == (150, 150)

    def interrupted(done: int, of: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        images.read(path, interrupted)
    assert (after.size, after.bands, after.profile) == (before.size, before.bands, before.profile)
    box = Box(17, 20, 90, 111)
    assert np.array_equal(after.window(box), before.window(box))
    assert list((tmp_path / "cache" / "localsr").iterdir()) == []
    monkeypatch.setattr("localsr.images.spool.MIN_FREE_BYTES", 2**60)
    with pytest.raises(ImageError, match=r"MB decoded; .* has .* MB left"):
        images.read(path)
    data = path.read_bytes()
    monkeypatch.setattr("localsr.images.spool.MIN_FREE_BYTES", 0)
    with pytest.raises(ImageError):
        images.read(data[: len(data) // 2])


@pytest.mark.parametrize("cache", ["/dev/null", "/dev/null/cache", "/proc/cache"])
def test_an_unwritable_cache_is_no_fault_of_the_picture(
    cache: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Family: no home, a read-only one, a file in its place; then the temporary folder, or a sentence about folders."""
    monkeypatch.setenv("XDG_CACHE_HOME", cache)
    monkeypatch.setattr("localsr.images.reading.MAX_BYTES_IN_MEMORY", 1000)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("localsr.images.spool.MIN_FREE_BYTES", 0)
    pixels = scene(60, 60, 3)
    assert np.array_equal(levels(full(images.read(png(pixels))), 8), pixels)
    monkeypatch.setattr("tempfile.gettempdir", no_folder)
    with pytest.raises(OutputError, match=rf"neither {cache}/localsr nor a temporary folder can be written; set XDG"):
        images.read(png(pixels))


def no_folder() -> str:
    """Stand in for what `tempfile` raises where no temporary folder is usable."""
    raise FileNotFoundError(2, "No usable temporary directory found")


def test_decoding_is_followed_row_by_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("localsr.images.reading.MAX_BYTES_IN_MEMORY", 1000)
    Image.fromarray(np.zeros((6000, 1500, 3), np.uint8)).save(tmp_path / "a.jpg")  # libvips tells of large ones alone
    heard: list[tuple[int, int]] = []
    images.read(tmp_path / "a.jpg", lambda *done: heard.append(done))
    assert len(heard) > 2
    assert heard == sorted(heard)
