"""A picture as the user has it, opened lazily and read by windows.

libvips does the work. Here it reads JPEG, PNG, TIFF and WebP and nothing else; BMP, which it cannot read, goes through
Pillow. Grey and RGB keep their own colour space and the ICC profile travels with them; CMYK and Lab become sRGB. Grey
is its one band three times. Alpha is straight, never premultiplied.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias, cast

import numpy as np
import pyvips
from numpy.typing import NDArray

from localsr.errors import ImageError
from localsr.geometry import Box, Size, whole
from localsr.images.spool import spooled
from localsr.images.vips import DTYPES, FORMS, SPACES, Pixels, from_array, profile_of, rounded, told, with_profile
from localsr.progress import Progress

ALLOWED = "localsr reads JPEG, PNG, TIFF, WebP and BMP"
MAGIC = {b"\xff\xd8\xff": "jpeg", b"\x89PNG\r\n\x1a\n": "png", b"RIFF": "webp", b"BM": "bmp"}
MAGIC |= dict.fromkeys((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), "tiff")
FAIL_ON = {"jpeg": "warning", "png": "error", "tiff": "error", "webp": "error"}  # "error" fills holes in JPEG with grey
PLAIN = (*SPACES.values(), "rgb", "multiband", "scrgb")  # spaces whose values are taken as they are
MODES = ("L", "LA", "RGB", "RGBA", "CMYK", "I;16", "I;16B", "I", "F")  # of Pillow; any other becomes RGB or RGBA

MAX_PIXELS = 2**40  # of a tiled TIFF, of which only the tiles under a window are decoded
MAX_DECODED = 2**30  # pixels of what must be decoded at once: a tile of a tiled TIFF, all of any other picture
FREE_BYTES = 2**28  # decoded; below it any picture may be packed as tightly as it likes
MAX_RATIO = 10_000  # decoded bytes to file bytes above that; a blank 1-bit PNG reaches 8,256
DECODED = 2**27  # bytes; what has more, decoded, lies in the user's cache and not in memory
MAX_LEVELS = 32  # of a pyramid, which 2**32 pixels a side would need
SMALL = 2**16  # pixels of a window; below it Region.fetch wins (90 x at 24 x 24), above it a pipeline's threads
HEAD = 2**16  # bytes looked at for the format and for a PNG's animation chunk

Picture: TypeAlias = Any  # a NumPy array or a Pillow image
Source: TypeAlias = str | os.PathLike[str] | bytes | Picture


@dataclass(frozen=True, eq=False)
class Photo:
    """A picture as the user has it, upright; its pixels are read where they are asked for. Made by `read`."""

    size: Size
    bands: int  # of what went in, alpha included
    depth: int  # bits: 8, or 16, which stands for float too
    profile: bytes | None = field(repr=False)  # ICC
    name: str  # of the file, or ""
    has_alpha: bool
    is_cmyk: bool
    _colour: pyvips.Image = field(repr=False)  # 1 or 3 bands
    _alpha: pyvips.Image | None = field(repr=False)

    def window(self, box: Box) -> Pixels:
        """Read a box: `(3, h, w)`, RGB, [0, 1]; `BoxError` if it leaves the picture, `ImageError` if it is damaged."""
        return self.windows([box])[0]

    def windows(self, boxes: Sequence[Box]) -> list[Pixels]:
        """Read many boxes, as `window` does one; fast for many small ones."""
        found = self._read(self._colour, boxes)
        return [pixels if len(pixels) == 3 else np.repeat(pixels, 3, axis=0) for pixels in found]

    def alpha(self, box: Box) -> Pixels | None:
        """Read the opacity of a box: `(1, h, w)`, [0, 1]; None for a picture without alpha."""
        return None if self._alpha is None else self._read(self._alpha, [box])[0]

    def preview(self, max_side: int) -> NDArray[np.uint8]:
        """Give the whole picture as 8-bit sRGB `(h, w, 3)` on white, shrunk to fit `max_side` px, never enlarged."""
        return self._shown(whole(self.size), max_side, max_side, "down")

    def shrunk(self, box: Box, size: Size) -> NDArray[np.uint8]:
        """Give a box as 8-bit sRGB `(h, w, 3)` on white, shrunk to `size`; `BoxError` if it leaves the picture."""
        return self._shown(box.checked(self.size), size.width, size.height, "force")

    def _shown(self, box: Box, width: int, height: int, fit: str) -> NDArray[np.uint8]:
        """Shrink a box for a screen; `fit` is libvips' word for how it is to have width and height."""
        bands = [self._colour] if self._alpha is None else [self._colour, self._alpha]
        with told(f"{self.name or 'the picture'} cannot be read"):
            parts = [band.crop(box.left, box.top, box.width, box.height) for band in bands]
            if {band.format for band in bands} not in ({"uchar"}, {"ushort"}):
                parts = [from_array(rounded(self._read(b, [box])[0], 8), SPACES[b.bands, 8]) for b in bands]
            image = with_profile(parts[0], profile_of(parts[0], usable=True))
            how = {"height": height, "size": fit, "no_rotate": True, "output_profile": "srgb"}
            small = image.bandjoin(parts[1:]).thumbnail_image(width, **how).colourspace("srgb").cast("uchar")
            return cast(NDArray[np.uint8], (small.flatten(background=255) if parts[1:] else small).numpy())

    def _read(self, image: pyvips.Image, boxes: Sequence[Box]) -> list[Pixels]:
        """Read boxes of the colour or of the alpha: `(bands, h, w)`, [0, 1]."""
        alike: dict[tuple[int, int], list[int]] = {}  # 64 patches made floats one by one take twice as long
        for n, box in enumerate(boxes):
            box.checked(self.size)
            alike.setdefault((box.height, box.width), []).append(n)
        dtype = DTYPES[image.format]
        found: dict[int, Pixels] = {}
        levels = np.float32(1 if dtype.kind == "f" else np.iinfo(dtype).max)
        with told(f"{self.name or 'the picture'} cannot be read"):
            region = pyvips.Region.new(image)  # its own for every call: a region belongs to one thread
            for sides, members in alike.items():
                raw = np.frombuffer(b"".join(_fetched(image, region, boxes[n]) for n in members), dtype)
                if dtype.kind == "f" and not (raw.min() >= 0 and raw.max() <= 1):  # NaN is neither
                    raise ImageError(f"{self.name or 'the picture'} has float pixels that are not in [0, 1]")
                pixels = raw.reshape(-1, *sides, image.bands).transpose(0, 3, 1, 2).astype(np.float32, order="C")
                pixels /= levels
                found.update(zip(members, pixels, strict=True))
        return [found[n] for n in range(len(boxes))]


def read(source: Source, progress: Progress | None = None, *, max_pixels: int = MAX_PIXELS) -> Photo:
    """Open a picture: a path, the bytes of a file, a Pillow image or a NumPy array.

    A large file whose format has no windows is decoded once, to a file without a name in the user's cache; `progress`
    hears of its rows. A picture of more than `max_pixels` is refused by its header. Arrays are `(h, w)` or
    `(h, w, 1..4)`: uint8, uint16, or float in [0, 1]. Raises `ImageError` for what is no picture.
    """
    title = os.fspath(source) if isinstance(source, str | os.PathLike) else "the picture"
    with told(f"{title} cannot be read"):
        if isinstance(source, str | os.PathLike):
            path = Path(source)
            if path.exists() and not path.is_file():
                raise ImageError(f"{title} is not a file; {ALLOWED}")
            with path.open("rb", buffering=0) as file:  # libvips duplicates the descriptor: the pixels stay readable
                weight = os.fstat(file.fileno()).st_size  # when another file takes the name
                return _read_source(title, path.name, file.fileno(), file.read(HEAD), weight, progress, max_pixels)
        if isinstance(source, bytes):
            return _read_source(title, "", source, source[:HEAD], len(source), progress, max_pixels)
        if hasattr(source, "__array_interface__"):
            return _read_array(title, "", source)
    raise ImageError(f"a {type(source).__name__} is no picture; give a path, bytes, a Pillow image or a NumPy array")


def _read_source(
    title: str, name: str, data: bytes | int, head: bytes, weight: int, progress: Progress | None, max_pixels: int
) -> Photo:
    """Open `data`, bytes or a descriptor, of `weight` bytes beginning with `head`; `title` names it in messages."""
    kind = next((kind for magic, kind in MAGIC.items() if head.startswith(magic)), "")
    if not kind or (kind == "webp" and head[8:12] != b"WEBP"):
        raise ImageError(f"{title} {f'begins with {head[:8]!r}' if weight else 'is empty'}; {ALLOWED}")
    if kind == "bmp":
        from PIL.BmpImagePlugin import BmpImageFile  # not PIL.Image.open, which tries other formats and warns of size

        if weight > 4 * MAX_DECODED + HEAD:
            raise ImageError(f"{title} has {weight} bytes; a BMP of {MAX_DECODED} pixels has four for each")
        bmp = BmpImageFile(io.BytesIO(data if isinstance(data, bytes) else os.pread(data, weight, 0)))
        _limit(title, Size(*bmp.size), Size(*bmp.size), 4, weight, max_pixels)
        return _read_array(title, name, bmp)

    def load(**options: Any) -> pyvips.Image:  # noqa: ANN401  # libvips' options
        if isinstance(data, int):
            os.lseek(data, 0, os.SEEK_SET)
        origin = pyvips.Source.new_from_descriptor(data) if isinstance(data, int) else data  # which pyvips holds
        loader = getattr(pyvips.Image, f"{kind}load_{'source' if isinstance(data, int) else 'buffer'}")
        return loader(origin, **{"access": "random", "fail_on": FAIL_ON[kind]} | options)

    image = load()
    fields = image.get_fields()
    pages = image.get("n-pages") if "n-pages" in fields else 1
    animated = b"\0\0\0\x08acTL" in head.partition(b"IDAT")[0]
    levels = [load(page=page) for page in range(pages)] if kind == "tiff" and 1 < pages <= MAX_LEVELS else []
    halved = [max(abs(2 * b.width - a.width), abs(2 * b.height - a.height)) <= 2 for a, b in pairwise(levels)]
    if animated or (pages > 1 and not (halved and all(halved))):  # a pyramid, each page half the last, is one picture
        raise ImageError(f"{title} holds {'several' if animated else pages} frames or pages; give one picture")
    size = unit = Size(image.width, image.height)
    if "tile-width" in fields:
        unit = Size(image.get("tile-width"), image.get("tile-height"))
    pixel = image.bands * DTYPES.get(image.format, np.dtype("f8")).itemsize
    _limit(title, size, unit, pixel, weight, max_pixels)
    if unit.width * unit.height * pixel > DECODED and image.format in DTYPES:
        image = spooled(load(access="sequential"), title, progress or (lambda *_: None))
    return _photo(title, name, image)


def _fetched(image: pyvips.Image, region: pyvips.Region, box: Box) -> Any:  # noqa: ANN401  # bytes or a buffer
    """Read a box as bytes, rows of pixels of bands."""
    corner = (box.left, box.top, box.width, box.height)
    return region.fetch(*corner) if box.area <= SMALL else image.crop(*corner).write_to_memory()


def _limit(title: str, size: Size, unit: Size, pixel_bytes: int, weight: int, max_pixels: int) -> None:
    """Refuse a bomb, and more than is wanted; `unit` is what must be decoded at once, a tile or the whole."""
    decoded = unit.width * unit.height
    large = size.width * size.height > MAX_PIXELS or decoded > MAX_DECODED
    if large or decoded * pixel_bytes > max(FREE_BYTES, MAX_RATIO * weight):
        raise ImageError(
            f"{title} claims {size} pixels in {weight} bytes; allowed are {MAX_DECODED} pixels ({MAX_PIXELS} in a "
            f"tiled TIFF) and, from {FREE_BYTES} decoded bytes on, {MAX_RATIO} of them to a byte of the file"
        )
    if size.width * size.height > max_pixels:
        raise ImageError(f"{title} has {size} pixels; at most {max_pixels / 1e6:g} megapixels are taken")


def _read_array(title: str, name: str, source: Picture) -> Photo:
    """Take over the pixels of a NumPy array or a Pillow image."""
    frames = getattr(source, "n_frames", 1)
    if frames > 1 and getattr(source, "format", "") != "MPO":  # a phone's JPEG; its second frame is a small copy
        raise ImageError(f"{title} holds {frames} frames or pages; give one picture")
    mode, profile, turn = getattr(source, "mode", ""), None, None
    if mode:
        profile, turn = source.info.get("icc_profile"), source.getexif().get(274)
        alpha = "transparency" in source.info or "a" in mode.lower()
        source = source.convert(mode if mode in MODES else "L" if mode == "1" else "RGBA" if alpha else "RGB")
    pixels = np.asarray(source)
    pixels = pixels.astype(np.float32) if pixels.dtype.kind == "f" else pixels
    outside = pixels.dtype.kind == "f" and not ((pixels >= 0) & (pixels <= 1)).all()
    bands = pixels.shape[2] if pixels.ndim == 3 else 1
    fits = pixels.ndim in (2, 3) and 1 <= bands <= 4 and pixels.size > 0
    if outside or not fits or pixels.dtype.str[1:] not in FORMS:
        given = f"an array {pixels.shape} of {pixels.dtype}{' not in [0, 1]' if outside else ''}"
        raise ImageError(f"{given} is no picture; give (h, w) or (h, w, 1..4) of uint8, uint16, or float in [0, 1]")
    image = from_array(pixels.reshape(*pixels.shape[:2], bands), "cmyk" if mode == "CMYK" else "multiband")
    if turn in range(1, 9):
        image.set_type(pyvips.GValue.gint_type, "orientation", turn)
    return _photo(title, name, with_profile(image, profile))


def _photo(title: str, name: str, image: pyvips.Image) -> Photo:
    """Turn a picture upright, part colour from alpha, and bring the colour to one or three bands."""
    space, bands, is_cmyk = image.interpretation, image.bands, image.interpretation == "cmyk"
    base = 4 if is_cmyk else 3 if bands >= 3 else 1
    if bands - base not in (0, 1):
        raise ImageError(f"{title} has {bands} bands ({space}); grey, RGB and CMYK are read, with alpha or without")
    image = image.autorot()
    alpha = image.extract_band(base) if bands > base else None
    colour = image.extract_band(0, n=base)
    profile = profile_of(colour, usable=is_cmyk) if is_cmyk or space in PLAIN else None
    colour = with_profile(colour, profile)  # so that libvips falls back to its own CMYK where that does not fit
    if is_cmyk:
        bits = 16 if colour.format == "ushort" else 8
        colour = colour.icc_transform("srgb", embedded=True, input_profile="cmyk", depth=bits)
    elif space not in PLAIN:
        colour = colour.colourspace("rgb16")
    if not {colour.format, (colour if alpha is None else alpha).format} <= DTYPES.keys():
        raise ImageError(f"{title} has {colour.format} pixels; 8 and 16 bit and float in [0, 1] are read")
    depth = 8 if colour.format == "uchar" else 16
    colour = colour.copy(interpretation=SPACES[colour.bands, depth])
    return Photo(
        Size(image.width, image.height), bands, depth, profile, name, alpha is not None, is_cmyk, colour, alpha
    )
