"""Levels to files: one function for every format and every way out, with the blocks that go beside the pixels."""

from __future__ import annotations

import errno
import io
import mmap
import os
import shutil
import struct
import tempfile
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

import pyvips

from localsr.errors import ConfigError
from localsr.geometry import Box, Size
from localsr.images.carried import Blocks
from localsr.images.containers import HeadRewriter, add_to_tiff, webp_with
from localsr.images.jpeg_copy import JpegOriginal
from localsr.images.vips import with_profile

FORMATS = {f".{kind}": kind for kind in ("png", "jpeg", "tiff", "webp", "avif", "bmp")}
FORMATS |= {".jpg": "jpeg", ".tif": "tiff"}
MAX_SIDES = {"jpeg": 65_535, "webp": 16_383, "avif": 16_384, "bmp": 32_767}  # px of a side, as far as one is bounded
OPAQUE_FORMATS = ("jpeg", "bmp")  # without alpha
LOSSY_FORMATS = ("jpeg", "webp", "avif")  # those that have a quality
DEEP_FORMATS = ("png", "tiff", "avif")  # that hold more than 8 bits
SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    "jpeg": {"Q": 95, "subsample_mode": "off"},  # 4:4:4 keeps restored edges of colour
    "png": {},
    "tiff": {"compression": "deflate", "predictor": "horizontal"},
    "webp": {"lossless": True, "exact": True},  # exact: keep colours under alpha 0
    "avif": {"compression": "av1", "Q": 90, "subsample_mode": "off", "effort": 4},
}
AVIF_BITS = 12  # of what has more than 8
FULL_DISK_BYTES = 2**20  # a disk with less left is full
MIN_TILED_PIXELS = 2**26  # of a TIFF that is written in tiles, so that windows of it can be read alone
BIG_TIFF_VALUES = 2**30  # of all bands, from which a TIFF may pass 4 GB
PLAIN_DENSITY = 72 / 25.4  # px/mm that libvips means when it knows none


class JpegTables(NamedTuple):
    """How a JPEG was encoded: what a picture like it is encoded with again."""

    options: dict[str, Any]  # of Pillow, which alone takes the tables
    original: JpegOriginal | None = None  # whose blocks stay outside of some boxes

    @classmethod
    def of(cls, header: bytes, bands: int) -> JpegTables | None:
        """Return the tables of a file that ends before its pixels; None where they cannot be had again."""
        from PIL import JpegImagePlugin

        try:
            source = JpegImagePlugin.JpegImageFile(io.BytesIO(header))
            sampling = JpegImagePlugin.get_sampling(source)
        except (OSError, SyntaxError, ValueError, TypeError, LookupError, ArithmeticError, struct.error):
            return None
        tables = [source.quantization[number] for number in sorted(source.quantization)]
        if not tables or source.mode != {1: "L", 3: "RGB"}.get(bands) or (bands == 3 and sampling < 0):
            return None
        options: dict[str, Any] = {"qtables": tables, "progressive": "progressive" in source.info}
        if bands == 3:
            options["subsampling"] = sampling
            letters = bytes(layer[0] for layer in source.layer) == b"RGB"  # of components, as libjpeg takes them
            options["keep_rgb"] = source.info.get("adobe_transform", 0 if letters else 1) == 0
        return cls(options)


def encode(
    path: Path, kind: str, image: pyvips.Image, blocks: Blocks, quality: int | None, tables: JpegTables | None = None
) -> None:
    """Write levels, in their space and with their profile, and blocks to a new file; `tables` are for a JPEG alone."""
    if kind == "avif":
        _write_avif(path, image, blocks, quality)
    elif kind == "bmp":
        path.write_bytes(_bmp(image, blocks))
    elif kind == "webp":
        data = image.webpsave_buffer(keep="none", **_options(kind, image, quality))
        path.write_bytes(webp_with(data, image.width, image.height, blocks))
    elif kind == "tiff":
        _saved_by_vips(image, path, keep="none", **_options(kind, image, quality))
        add_to_tiff(path, blocks)
    else:
        with path.open("xb") as file:
            rewriter = HeadRewriter(file, kind, blocks)
            if tables is not None:
                _write_jpeg_like(rewriter, image, tables, path.parent)
                return
            target = pyvips.TargetCustom()
            target.on_write(rewriter.write_for_vips)
            try:
                getattr(image, f"{kind}save_target")(target, keep="none", **_options(kind, image, quality))
            except pyvips.Error:
                if rewriter.error is not None:
                    raise rewriter.error from None
                raise


def check_quality(kind: str, quality: int | None) -> None:
    """Refuse a quality for a format that has none."""
    if quality is not None and kind not in LOSSY_FORMATS:
        raise ConfigError(
            f"a quality is for {', '.join(LOSSY_FORMATS)}; a {kind.upper()} loses nothing, so leave it out"
        )


def _options(kind: str, image: pyvips.Image, quality: int | None) -> dict[str, Any]:
    """Return the options that a format is written with."""
    options = dict(SAVE_OPTIONS[kind])
    if quality is not None:
        options = {name: value for name, value in options.items() if name != "lossless"} | {"Q": quality}
    if kind == "tiff":
        options["bigtiff"] = image.width * image.height * image.bands > BIG_TIFF_VALUES
        options["tile"] = image.width * image.height > MIN_TILED_PIXELS
    if kind == "avif":
        options["bitdepth"] = 8 if image.format == "uchar" else AVIF_BITS
    return options


def _saved_by_vips(image: pyvips.Image, path: Path, **options: Any) -> None:  # noqa: ANN401  # libvips' options
    """Write by libvips to a name, and tell a full disk from other errors, which carry no errno."""
    name = "heifsave" if options.get("compression") == "av1" else "tiffsave"
    try:
        getattr(image, name)(str(path), **options)
    except pyvips.Error as error:
        if shutil.disk_usage(path.parent).free < FULL_DISK_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        raise


def _write_avif(path: Path, image: pyvips.Image, blocks: Blocks, quality: int | None) -> None:
    """Write an AVIF by libvips, blocks included: its boxes count bytes of each other."""
    image = with_profile(image, blocks.profile or None)
    density = blocks.density
    per_mm = (
        [PLAIN_DENSITY] * 2 if density is None else [s / (25.4 if density.unit == "in" else 10) for s in density[:2]]
    )
    image = image.copy(xres=per_mm[0], yres=per_mm[1])
    for name, data in (("exif-data", blocks.exif and b"Exif\0\0" + blocks.exif), ("xmp-data", blocks.xmp)):
        if data:
            image.set_type(pyvips.GValue.blob_type, name, data)
    keep = [name for name, data in (("icc", blocks.profile), ("exif", blocks.tags), ("xmp", blocks.xmp)) if data]
    _saved_by_vips(image, path, keep="|".join(keep) or "none", **_options("avif", image, quality))


def _write_jpeg_like(rewriter: HeadRewriter, image: pyvips.Image, tables: JpegTables, folder: Path) -> None:
    """Write a JPEG as another was encoded, with its very blocks outside of boxes where it is asked for."""
    if tables.original is None:
        _write_jpeg(rewriter, image, tables, folder)
        return

    def encoded(box: Box) -> bytes:
        file = io.BytesIO()
        _write_jpeg(file, image.crop(box.left, box.top, box.width, box.height), tables, folder)
        return file.getvalue()

    progressive = tables.options["progressive"]
    size = Size(image.width, image.height)
    rewriter.write(tables.original.with_boxes(encoded, size, folder, progressive=progressive))


def _write_jpeg(target: HeadRewriter | IO[bytes], image: pyvips.Image, tables: JpegTables, folder: Path) -> None:
    """Write a JPEG by Pillow from a mapped file, so that it need not fit in memory."""
    from PIL import Image

    mode = "RGBX" if image.bands == 3 else "L"  # the two that Pillow maps as they are
    with tempfile.TemporaryFile(dir=folder) as file:
        levels = image.bandjoin(255) if image.bands == 3 else image
        levels.copy(interpretation="multiband").rawsave_target(
            pyvips.Target.new_to_descriptor(file.fileno()), keep="none"
        )
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)  # goes when the picture goes
        size, place = (image.width, image.height), (mode, 0, 1)
        picture = Image.frombuffer(mode, size, mapped, "raw", *place)  # type: ignore[arg-type]  # any buffer will do
        picture.save(cast(IO[bytes], target), "JPEG", **tables.options)


def _bmp(image: pyvips.Image, blocks: Blocks) -> bytes:
    """Encode a BMP, which libvips cannot."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image.numpy()).save(file, "BMP")
    data = bytearray(file.getvalue())
    sides = [0, 0]  # pixels to a metre
    if blocks.density is not None:
        metres = 0.0254 if blocks.density.unit == "in" else 0.01
        sides = [min(round(side / metres), 2**31 - 1) for side in blocks.density[:2]]
    struct.pack_into("<ii", data, 38, *sides)
    return bytes(data)
