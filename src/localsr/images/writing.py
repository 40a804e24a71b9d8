"""Pictures out: written with the depth, the bands and the profile of their source, as far as the format can."""

from __future__ import annotations

import errno
import io
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import pyvips
from numpy.typing import NDArray

from localsr.errors import OutputError
from localsr.files import replacing, write_whole
from localsr.geometry import Box, Size
from localsr.images.photo import Photo
from localsr.images.reading import read
from localsr.images.vips import (
    SPACES,
    VIPS_FORMATS,
    Pixels,
    fields_of,
    from_array,
    mapped,
    profile_of,
    rounded,
    translating_errors,
    with_profile,
)

FORMATS = {f".{kind}": kind for kind in ("png", "jpeg", "tiff", "webp", "bmp")} | {".jpg": "jpeg", ".tif": "tiff"}
MAX_SIDES = {"jpeg": 65_535, "webp": 16_383, "bmp": 32_767}  # px of a side, as far as a format bounds it
SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    "jpeg": {"Q": 95, "subsample_mode": "off"},  # 4:4:4 keeps restored edges of colour
    "tiff": {"compression": "deflate", "predictor": "horizontal"},
    "webp": {"lossless": True, "exact": True},  # exact: keep colours under alpha 0
}
METADATA = ("exif-data", "xmp-data", "iptc-data", "image-description")  # copied when all of a picture is written
FULL_DISK_BYTES = 2**20  # a disk with less left is full
MIN_TILED_PIXELS = 2**26  # of a TIFF that is written in tiles, so that windows of it can be read alone
OPAQUE_FORMATS = ("jpeg", "bmp")  # without alpha
BIG_TIFF_VALUES = 2**30  # of all bands, from which a TIFF may pass 4 GB


def write(path: str | os.PathLike[str], pixels: Pixels, alpha: Pixels | None, like: Photo) -> None:
    """Write a picture with the depth, bands and profile of a photo; the file appears whole or not at all.

    `pixels` are `(3, H, W)` RGB and `alpha` `(1, H, W)`, both in [0, 1]; the suffix says the format. What a format
    cannot hold becomes the nearest that it can: 8 bit in JPEG, WebP and BMP, no alpha in JPEG and BMP, sRGB for CMYK in
    PNG, WebP and BMP, sRGB for any profile in BMP. Raises `OutputError`.
    """
    kind = _kind(path)
    planes = [pixels] if alpha is None else [pixels, alpha]
    shapes = [(bands, *pixels.shape[1:]) for bands in (3, 1)][: len(planes)]
    if [p.shape for p in planes] != shapes or not all(np.isfinite(p).all() for p in planes):
        raise OutputError(f"{path} is not written: {[p.shape for p in planes]} must be (3, H, W), (1, H, W) and finite")
    with translating_errors(f"{path} could not be written", OutputError, "; what was there is untouched"):
        levels = _levels(pixels, None if kind in OPAQUE_FORMATS else alpha, like, _depth(kind, like))
        image = _finished(kind, from_array(levels, "multiband"), like)
        if kind == "bmp":
            data = _bmp(image)
        else:
            data = cast(bytes, getattr(image, f"{kind}save_buffer")(keep="icc", **_options(kind, image)))
    write_whole(path, data)


def srgb(pixels: Pixels, like: Photo) -> NDArray[np.uint8]:
    """Return how pixels `(3, H, W)` in [0, 1] look in a file saved with them: `(H, W, 3)` in 8 bits, sRGB.

    The bands, depth and profile of `like` decide the colours.
    """
    with tempfile.TemporaryDirectory(prefix="localsr-") as folder:
        path = Path(folder) / "shown.png"
        write(path, pixels, None, like)
        return read(path).preview(max(pixels.shape))


class Canvas:
    """A picture in the making that need not fit in memory: its levels lie in a file without a name.

    Use it in a `with` statement; `finish` writes the picture, whole or not at all.
    """

    def __init__(self, path: str | os.PathLike[str], size: Size, like: Photo, *, alpha: bool) -> None:
        """Begin a picture of `size` like a photo; `OutputError` if the disk or the format has no room for it."""
        self.path, self.size, self.like = Path(path), size, like
        self._kind = _kind(path)
        self._depth = _depth(self._kind, like)
        self._bands = (1 if like.bands < 3 else 3) + (alpha and self._kind not in OPAQUE_FORMATS)
        self._pixel = self._bands * self._depth // 8
        if max(size.width, size.height) > MAX_SIDES.get(self._kind, 2**31):
            raise OutputError(f"{path} would hold {size} px, but its format ends at {MAX_SIDES[self._kind]} px a side")
        folder = self.path.resolve().parent
        wanted = 2 * size.width * size.height * self._pixel  # the levels, and a finished file as large
        try:
            folder.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(folder).free
            if free < wanted:
                message = f"{wanted >> 20} MB are needed while it is made; {folder} has {free >> 20} MB left"
                raise OSError(errno.ENOSPC, message)
            self._file = tempfile.TemporaryFile(dir=folder)  # closed by __exit__
            self._file.truncate(size.width * size.height * self._pixel)
        except OSError as error:
            raise OutputError(f"{path} could not be begun: {error.strerror or error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def put(self, box: Box, pixels: Pixels, alpha: Pixels | None = None) -> None:
        """Set a box to `pixels` `(3, h, w)` and `alpha` `(1, h, w)`, both in [0, 1]; it is opaque without alpha."""
        box.checked(self.size)
        if alpha is None and self._bands in (2, 4):
            alpha = np.ones((1, *pixels.shape[1:]), np.float32)
        levels = _levels(pixels, alpha if self._bands in (2, 4) else None, self.like, self._depth)
        try:
            for row, line in enumerate(levels, start=box.top):
                data, place = line.tobytes(), (row * self.size.width + box.left) * self._pixel
                while data:  # a disk that is nearly full takes only a part
                    done = os.pwrite(self._file.fileno(), data, place)
                    data, place = data[done:], place + done
        except OSError as error:
            raise OutputError(f"{self.path} could not be written: {error.strerror}") from error

    def get(self, box: Box) -> Pixels:
        """Return the colour of a box as it was set, `(3, h, w)` RGB in [0, 1], rounded to levels."""
        box.checked(self.size)
        count = box.width * self._pixel
        lines = [
            os.pread(self._file.fileno(), count, (row * self.size.width + box.left) * self._pixel)
            for row in range(box.top, box.bottom)
        ]
        levels = np.frombuffer(b"".join(lines), f"u{self._depth // 8}").reshape(box.height, box.width, self._bands)
        colour = levels[..., : 3 if self._bands >= 3 else 1].transpose(2, 0, 1).astype(np.float32)
        return np.repeat(colour, 3 // len(colour), axis=0) / np.float32(2**self._depth - 1)

    def finish(self, *, metadata: bool = False) -> None:
        """Write the picture, with `metadata` the EXIF, XMP and IPTC of its photo too; raises `OutputError`."""
        form = VIPS_FORMATS[f"u{self._depth // 8}"]
        self._file.flush()
        with (
            replacing(self.path) as temporary,
            translating_errors(f"{self.path} could not be written", OutputError, "; what was there is untouched"),
        ):
            raw = mapped(self._file, self.size.width, self.size.height, self._bands, form)
            image = _finished(self._kind, raw, self.like)
            if self._kind == "bmp":
                temporary.write_bytes(_bmp(image))
                return
            keep = "icc"
            if metadata:
                image, keep = _with_metadata(image, self.like), "icc|exif|xmp|iptc"
            try:
                getattr(image, f"{self._kind}save")(str(temporary), keep=keep, **_options(self._kind, image))
            except pyvips.Error as error:  # which carries no errno
                if shutil.disk_usage(temporary.parent).free < FULL_DISK_BYTES:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
                raise


def _kind(path: str | os.PathLike[str]) -> str:
    """Return the format that the suffix of a name says."""
    kind = FORMATS.get(Path(path).suffix.lower())
    if kind is None:
        raise OutputError(f"{path} is not written: its name must end in one of {', '.join(FORMATS)}")
    return kind


def _depth(kind: str, like: Photo) -> int:
    """Return the bits of a band that a format keeps of a photo's."""
    return like.depth if kind in ("png", "tiff") else 8


def _levels(pixels: Pixels, alpha: Pixels | None, like: Photo, depth: int) -> NDArray[np.unsignedinteger[Any]]:
    """Round to the nearest levels `(h, w, bands)`; for a grey photo, the mean of the three bands."""
    colour = pixels.mean(axis=0, keepdims=True) if like.bands < 3 else pixels
    return rounded(colour if alpha is None else np.concatenate([colour, alpha]), depth)


def _finished(kind: str, image: pyvips.Image, like: Photo) -> pyvips.Image:
    """Bring levels, alpha included, to the space and profile that the file is to have."""
    depth = 8 if image.format == "uchar" else 16
    bands = 3 if image.bands >= 3 else 1
    colour = image.extract_band(0, n=bands).copy(interpretation=SPACES[bands, depth])
    colour = with_profile(colour, None if like.is_cmyk else like.profile)
    if like.is_cmyk and kind in ("jpeg", "tiff"):
        colour = with_profile(colour.icc_import(input_profile="srgb"), like.profile)
        builtin = {} if like.profile else {"output_profile": "cmyk"}
        colour = with_profile(colour.icc_export(depth=depth, **builtin), like.profile)
    elif (kind == "bmp" or (kind == "webp" and like.bands < 3)) and profile_of(colour, usable=True):
        colour = with_profile(colour.icc_transform("srgb", embedded=True), None)  # BMP holds none, WebP none for grey
    return colour if image.bands == bands else colour.bandjoin(image.extract_band(bands))


def _with_metadata(image: pyvips.Image, like: Photo) -> pyvips.Image:
    """Copy a photo's resolution and metadata except the orientation, since pixels are upright. TIFF takes no EXIF."""
    origin = like._colour
    image = image.copy(xres=origin.xres, yres=origin.yres)
    for name, kind, value in fields_of(origin):
        if name in METADATA or name == "resolution-unit" or name.startswith(("exif-ifd", "png-comment-")):
            image.set_type(kind, name, value)
    image.set_type(pyvips.GValue.gint_type, "orientation", 1)  # or libvips writes that of the EXIF block again
    return image


def loses_exif(path: str | os.PathLike[str], like: Photo) -> bool:
    """Tell whether a photo has EXIF that a file of this name would lose: BMP has none, libvips writes none to TIFF."""
    exif = any(name.startswith("exif-") for name, *_ in fields_of(like._colour))
    return exif and FORMATS.get(Path(path).suffix.lower()) in ("tiff", "bmp")


def _options(kind: str, image: pyvips.Image) -> dict[str, Any]:
    """Return the options that a format is written with."""
    options = dict(SAVE_OPTIONS.get(kind, {}))
    if kind == "tiff":
        options["bigtiff"] = image.width * image.height * image.bands > BIG_TIFF_VALUES
        options["tile"] = image.width * image.height > MIN_TILED_PIXELS
    return options


def _bmp(image: pyvips.Image) -> bytes:
    """Encode a BMP, which libvips cannot."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image.numpy()).save(file, "BMP")
    return file.getvalue()
