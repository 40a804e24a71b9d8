"""What is damaged is refused, and what only looks irregular is read."""

from __future__ import annotations

import io
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from localsr import images
from localsr.errors import ImageError
from localsr.geometry import Box, whole
from localsr.images.vips import from_array

COLOURS = np.random.default_rng(1).integers(0, 256, (96, 128, 3), dtype=np.uint8)
SMOOTH = (np.linspace(0, 200, 128)[None, :, None] + COLOURS % 16).astype(np.uint8)
TILE_OFFSETS, STRIP_BYTES = 324, 279  # tags of TIFF
ADOBE = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0"  # a segment without its last byte, the transform


def full(data: bytes) -> NDArray[np.float32]:
    photo = images.read(data)
    return photo.window(whole(photo.size))


def jpeg(mode: str = "RGB", **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(COLOURS).convert(mode).save(file, "JPEG", quality=90, **options)
    return file.getvalue()


def tiff(pixels: NDArray[np.uint8] = COLOURS, **options: Any) -> bytes:
    return bytes(from_array(pixels, "srgb").tiffsave_buffer(tile_width=32, tile_height=32, **options))


@pytest.mark.parametrize("tile", [True, False])
@pytest.mark.parametrize("compression", ["none", "lzw", "packbits", "deflate", "jpeg"])
def test_a_cut_tiff_is_refused(compression: str, tile: bool) -> None:
    """Family: TIFFs whose last tiles or strips are missing, by compression."""
    data = tiff(tile=tile, compression=compression)
    place = data.index(b"\xff\xd8\xff", 9) if compression == "jpeg" else 8
    pixels = full(data)
    for share in range(1, 10):
        cut = data[: place + (len(data) - place) * share // 10]
        with pytest.raises(ImageError):
            full(cut)
    assert np.array_equal(full(data), pixels)


def missing_tiles() -> bytes:
    """A TIFF of raw tiles whose last row of tiles lies behind the end of the file."""
    data = bytearray(tiff(tile=True))
    (directory,) = struct.unpack_from("<I", data, 4)
    for n in range(struct.unpack_from("<H", data, directory)[0]):
        tag, _, count, place = struct.unpack_from("<HHII", data, directory + 2 + 12 * n)
        if tag == TILE_OFFSETS:
            struct.pack_into("<4I", data, place + 4 * (count - 4), *range(2**24, 2**24 + 4))
    return bytes(data)


def test_a_missing_tile_fails_every_time_and_a_whole_one_reads() -> None:
    """Family: libvips keeps a damaged tile, black, and gives it without an error to the next who asks."""
    data = missing_tiles()
    photo = images.read(data)
    assert np.array_equal(photo.window(Box(0, 0, 128, 32)), COLOURS[:32].transpose(2, 0, 1).astype(np.float32) / 255)
    for _ in range(3):
        with pytest.raises(ImageError, match="cannot be read"):
            photo.window(Box(0, 64, 32, 96))
        with pytest.raises(ImageError, match="cannot be read"):
            photo.windows([Box(96, 64, 128, 96)])
        with pytest.raises(ImageError, match="cannot be read"):
            photo.preview(64)


def test_no_thread_gets_a_missing_tile() -> None:
    """Family: the same, with many threads at one picture."""
    photo = images.read(missing_tiles())

    def outcome(_: int) -> str:
        try:
            return f"read, up to {photo.window(Box(32, 64, 128, 96)).max()}"
        except ImageError:
            return "refused"

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(outcome, range(64))) == {"refused"}


def irregular_jpegs() -> dict[str, tuple[bytes, bytes]]:
    """JPEGs with a remark of the decoder, each with the regular one that has its pixels."""
    plain, cmyk = jpeg(), jpeg("CMYK")
    table, scan = plain.index(b"\xff\xdb"), plain.index(b"\xff\xda")
    spectrum, no_jfif = scan + 2 + int.from_bytes(plain[scan + 2 : scan + 4], "big") - 3, plain[:2] + plain[table:]
    adobe = cmyk.index(b"Adobe") + 11
    return {
        "a spectral selection of 0 to 0": (plain[:spectrum] + b"\0\0\0" + plain[spectrum + 3 :], plain),
        "bits of a progressive scan": (plain[:spectrum] + b"\0\x3f\x11" + plain[spectrum + 3 :], plain),
        "JFIF 2.1": (plain.replace(b"JFIF\0\1", b"JFIF\0\2"), plain),
        "JFIF 0.1": (plain.replace(b"JFIF\0\1", b"JFIF\0\0"), plain),
        "stray bytes before a table": (plain[:table] + b"\0ab\xff\0" + plain[table:], plain),
        "stray bytes before the scan": (plain[:scan] + b"\0" * 7 + plain[scan:], plain),
        "padding": (plain[:table] + b"\0" * 3000 + plain[table:], plain),
        "fill bytes": (plain[:table] + b"\xff" * 9 + plain[table:], plain),
        "an unknown transform": (no_jfif[:2] + ADOBE + b"\2" + no_jfif[2:], plain),
        "an unknown transform of CMYK": (
            cmyk[:adobe] + b"\7" + cmyk[adobe + 1 :],
            cmyk[:adobe] + b"\2" + cmyk[adobe + 1 :],
        ),
        "a part of a profile": (plain[:table] + b"\xff\xe2\0\x14ICC_PROFILE\0\2\3abcd" + plain[table:], plain),
        "stray bytes of a progressive one": (
            (p := jpeg(progressive=True))[: p.index(b"\xff\xdb")] + b"\0\0" + p[p.index(b"\xff\xdb") :],
            p,
        ),
    }


@pytest.mark.parametrize("name", irregular_jpegs())
def test_a_remark_about_a_jpeg_is_no_damage(name: str, tmp_path: Any) -> None:
    """Family: whole JPEGs that libjpeg warns of as it warns of holes, from bytes and from a file."""
    odd, regular = irregular_jpegs()[name]
    assert np.array_equal(full(odd), full(regular))
    (tmp_path / "odd.jpg").write_bytes(odd)
    photo = images.read(tmp_path / "odd.jpg")
    assert np.array_equal(photo.window(whole(photo.size)), full(regular))


@pytest.mark.parametrize("name", irregular_jpegs())
def test_an_irregular_jpeg_with_a_hole_is_refused(name: str) -> None:
    """Family: damage behind a header that is set right."""
    odd, _ = irregular_jpegs()[name]
    with pytest.raises(ImageError, match="cannot be read"):
        full(odd[: len(odd) * 2 // 3])
    with pytest.raises(ImageError, match="cannot be read"):
        full(odd[:-4000] + b"\xff\xfe\0\2" * 100 + odd[-3600:])


def test_a_sampling_that_the_check_does_not_know_is_no_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    """Family: whole JPEGs of 4:1:0 and other odd samplings, which libjpeg decodes and the check's library refuses."""
    data = jpeg()
    for reason in ("tjDecompressHeader3(): Could not determine subsampling level of JPEG image", "Unsupported color"):
        monkeypatch.setattr("simplejpeg.decode_jpeg_header", raising(ValueError(reason)))
        assert full(data).shape == (3, 96, 128)
    monkeypatch.setattr("simplejpeg.decode_jpeg_header", raising(ValueError("Corrupt JPEG data: premature end")))
    with pytest.raises(ImageError, match="premature end"):
        full(data)


def raising(error: Exception) -> Any:  # whatever it stands for
    """Return a function that raises an error."""

    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


def test_a_segment_may_not_be_lost_in_stray_bytes() -> None:
    """Family: a hole that swallows the marker of a segment which decides the colours."""
    data = jpeg()
    table = data.index(b"\xff\xdb")
    rgb = data[:2] + b"\xff\xfe\0\2" + ADOBE + b"\0" + data[table:]  # RGB, not YCbCr
    assert not np.array_equal(full(rgb), full(data))
    with pytest.raises(ImageError, match="extraneous bytes"):
        full(rgb[:6] + b"\0\0" + rgb[8:])


def webp(**options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(SMOOTH).save(file, "WEBP", **options)
    return file.getvalue()


CHECKED = {
    "deflate strips": tiff(compression="deflate"),
    "deflate tiles": tiff(tile=True, compression="deflate"),
    "deflate tiles, predicted": tiff(tile=True, compression="deflate", predictor="horizontal"),
    "LZW strips": tiff(SMOOTH, compression="lzw"),
    "LZW tiles": tiff(SMOOTH, tile=True, compression="lzw"),
    "JPEG tiles": tiff(tile=True, compression="jpeg"),
    "JPEG": jpeg(),
    "progressive JPEG": jpeg(progressive=True),
    "lossy WebP": webp(quality=90),
    "lossless WebP": webp(lossless=True),
}


UNSEEN = {"JPEG tiles": 1, "lossless WebP": 3}  # of 12: their decoders found as many bytes as they needed


@pytest.mark.parametrize("name", CHECKED)
def test_a_hole_is_seen(name: str) -> None:
    """Family: bytes inside that became zeros or others; by checksum, or by what a decoder leaves over or lacks."""
    data = CHECKED[name]
    pixels, rng, seen = full(data), np.random.default_rng(2), 0
    first = max(data.find(b"\xff\xda", 500), len(data) // 4)
    for n in range(12):
        place = first + (len(data) * 2 // 3 - first) * n // 12
        hole = bytes(200) if n % 2 else rng.bytes(200)
        try:
            full(data[:place] + hole + data[place + 200 :])
        except ImageError:
            seen += 1
    assert seen >= 12 - UNSEEN.get(name, 0)
    assert np.array_equal(full(data), pixels)


@pytest.mark.parametrize("seed", [1097, 1801, 3162, 3270, 4374, 7050])
def test_a_whole_lossless_webp_that_ends_early_is_read(seed: int) -> None:
    """Family: whole files that look cut. One in 1,500 can be decoded without its last three bytes, not without two."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[: 20 + seed % 13, :24]
    waves = [
        128
        + 60 * np.sin(x * random.random() + c)
        + 50 * np.cos(y * random.random())
        + random.normal(0, random.random() * 4, x.shape)
        for c in range(3)
    ]
    pixels = np.stack(waves, -1).clip(0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "WEBP", lossless=True)
    assert np.array_equal(np.rint(full(file.getvalue()) * 255), pixels.transpose(2, 0, 1))


def entries(data: bytes) -> list[bytes]:
    """Return the entries of the directory of a TIFF."""
    (place,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, place)
    return [data[place + 2 + 12 * n : place + 14 + 12 * n] for n in range(count)]


def with_entries(data: bytes, found: list[bytes], following: int = 0) -> bytes:
    """Write the directory of a TIFF anew, behind all else."""
    directory = struct.pack("<H", len(found)) + b"".join(found) + struct.pack("<I", following)
    return data[:4] + struct.pack("<I", len(data)) + data[8:] + directory


def without(found: list[bytes], tag: int) -> list[bytes]:
    return [each for each in found if each[:2] != struct.pack("<H", tag)]


def irregular_tiffs() -> dict[str, tuple[bytes, bytes]]:
    """Whole TIFFs with a remark of the decoder, each with the regular one that has its pixels."""
    made: dict[str, tuple[bytes, bytes]] = {}
    unknown, text = struct.pack("<HHII", 65_000, 99, 1, 7), struct.pack("<HHII", 305, 2, 999, 2**30)
    for name in ("none", "lzw", "packbits"):
        data = tiff(compression=name)
        data += bytes(len(data) % 2)
        found = entries(data)
        made |= {
            f"{name}: tags out of order": (with_entries(data, found[::-1]), data),
            f"{name}: a tag of an unknown type": (with_entries(data, [*found, unknown]), data),
            f"{name}: a text behind the end": (with_entries(data, [*found, text]), data),
            f"{name}: a tag twice": (with_entries(data, [found[0], *found]), data),
            f"{name}: a next page behind the end": (with_entries(data, found, 2**30), data),
            f"{name}: a next page that is itself": (with_entries(data, found, len(data)), data),
        }
        if name == "none":
            one = tiff(COLOURS[:32], compression=name)  # a strip
            no_counts = without(entries(one), STRIP_BYTES)
            zero = sorted([*no_counts, struct.pack("<HHII", STRIP_BYTES, 4, 1, 0)], key=lambda e: e[1::-1])
            made["none: no count of bytes"] = (with_entries(one, no_counts), one)
            made["none: a count of 0"] = (with_entries(one, zero), one)
    return made


@pytest.mark.parametrize("name", irregular_tiffs())
def test_a_remark_about_a_tiff_is_no_damage(name: str) -> None:
    """Family: whole TIFFs whose directory libtiff warns of, as it warns of missing pixels; a cut is refused still."""
    odd, regular = irregular_tiffs()[name]
    assert np.array_equal(full(odd), full(regular))


def test_strips_without_counts_are_refused() -> None:
    """Family: raw strips that libtiff leaves black, for it does not know how long they are."""
    data = tiff()
    with pytest.raises(ImageError, match="cannot be read"):
        full(with_entries(data, without(entries(data), STRIP_BYTES)))


def test_a_raw_tiff_without_its_last_rows_is_refused() -> None:
    """Family: strips behind the end of a file whose directory is whole."""
    file = io.BytesIO()
    Image.fromarray(COLOURS).save(file, "TIFF")  # Pillow writes the directory first
    data = file.getvalue()
    assert np.array_equal(full(data), COLOURS.transpose(2, 0, 1).astype(np.float32) / 255)
    for lost in (1, 10_000):
        with pytest.raises(ImageError, match=r"cannot be read: tile or strip \d+ lies behind the end"):
            full(data[:-lost])


def test_a_tiff_without_its_palette_is_refused() -> None:
    """Of the family of cuts: many programs write the palette behind the pixels, and decoders do without it."""
    picture = io.BytesIO()
    Image.fromarray(SMOOTH).quantize(64).save(picture, "TIFF", compression="tiff_lzw")
    data = picture.getvalue()
    assert full(data).shape == (3, 96, 128)
    for cut in (1, 100, 700, 1400):
        with pytest.raises(ImageError):
            full(data[:-cut])


def test_a_preview_is_not_taken_for_the_picture_that_is_cut_off() -> None:
    """Of the same family: scanners put a small copy first."""
    picture = io.BytesIO()
    large = Image.fromarray(COLOURS)
    large.resize((16, 12)).save(picture, "TIFF", save_all=True, append_images=[large], tiffinfo={254: 1})
    data = picture.getvalue()
    assert images.read(data).size.width == 128
    with pytest.raises(ImageError, match="ends before its picture"):
        images.read(data[: data.index(COLOURS.tobytes()[:64]) - 128])


def test_a_hole_elsewhere_costs_nothing() -> None:
    """Family: damaged tiles that nobody reads."""
    data = CHECKED["deflate tiles"]
    photo = images.read(data[:20_000] + bytes(100) + data[20_100:])
    assert np.array_equal(
        photo.window(Box(0, 0, 32, 32)), COLOURS[:32, :32].transpose(2, 0, 1).astype(np.float32) / 255
    )
    with pytest.raises(ImageError, match="incorrect data check"):
        photo.window(whole(photo.size))


@pytest.mark.parametrize("progressive", [False, True])
def test_padding_is_no_damage(progressive: bool) -> None:
    """Family: bytes before the end of a JPEG and behind it that belong to no picture."""
    data = jpeg(progressive=progressive)
    for odd in (data[:-2] + bytes(16) + data[-2:], data[:-2] + b"\xff" * 9 + data[-2:], data + bytes(3000)):
        assert np.array_equal(full(odd), full(data))
    with pytest.raises(ImageError, match="cannot be read"):
        full(data[:-2])


def test_the_last_rows_of_a_jpeg_may_not_be_grey() -> None:
    """Family: libvips does not see warnings of the last eight rows."""
    data = jpeg()
    with pytest.raises(ImageError, match="cannot be read"):
        full(data[:-100] + data[-2:])


def test_what_is_decoded_at_once_is_bounded() -> None:
    """Family: forms of pictures that take memory for all of their pixels, however they are read: interlaced PNG."""
    row = zlib.compress(bytes(2**20), 9)
    header = struct.pack(">IIBBBBB", 15_000, 15_000, 16, 2, 0, 0, 1)

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", row + bytes(200_000)) + chunk(b"IEND", b"")
    with pytest.raises(ImageError, match="decoded all at once, to 1287 MB; allowed are 512"):
        images.read(data)
