"""Pictures in: from a path, the bytes of a file, an array or a Pillow image to a `Photo`.

libvips reads JPEG, PNG, TIFF and WebP here and nothing else; BMP, which it cannot read, goes through Pillow. A file is
judged by its first bytes, not by its name, and by what its header claims before any pixel is decoded.
"""

from __future__ import annotations

import io
import os
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pyvips

from localsr.errors import ImageError
from localsr.geometry import Size
from localsr.images import jpeg_header, metadata
from localsr.images.damage import DamageLatch
from localsr.images.metadata import Metadata, SourceFile
from localsr.images.photo import Photo
from localsr.images.source import remembering
from localsr.images.spool import spooled
from localsr.images.vips import (
    NUMPY_TYPES,
    SPACES,
    VIPS_FORMATS,
    from_array,
    profile_of,
    translating_errors,
    with_profile,
)
from localsr.progress import Progress

READ_FORMATS = "localsr reads JPEG, PNG, TIFF, WebP and BMP"
SIGNATURES = {b"\xff\xd8\xff": "jpeg", b"\x89PNG\r\n\x1a\n": "png", b"RIFF": "webp", b"BM": "bmp"}
SIGNATURES |= dict.fromkeys((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), "tiff")
FAIL_ON = {"jpeg": "warning", "png": "error", "tiff": "warning", "webp": "error"}  # "error": grey or black for holes
PLAIN_SPACES = (*SPACES.values(), "rgb", "multiband", "scrgb")  # whose values are taken as they are
ORIENTATION = 274  # the tag of EXIF

MAX_PIXELS = 2**40  # of a tiled TIFF, of which only the tiles under a window are decoded
MAX_DECODED_PIXELS = 2**30  # of what must be decoded at once: a tile of a tiled TIFF, all of any other picture
ALWAYS_ALLOWED_BYTES = 2**28  # decoded; up to it any picture may be packed as tightly as it likes
MAX_UNPACKING = 10_000  # decoded bytes to file bytes above that; a blank 1-bit PNG reaches 8,256
MAX_EMPTY_RUNS = 2**22  # pixels of a run-length BMP that need no bytes of their own; Pillow takes 1 s for them
MAX_RUN_PIXELS = 128  # to a byte of a run-length BMP: 255 to two
MAX_BYTES_IN_MEMORY = 2**27  # decoded; what has more lies in a file in the user's cache
MAX_PYRAMID_LEVELS = 32  # which 2**32 pixels a side would need
HEAD_BYTES = 2**16  # looked at for the format and for a PNG's animation chunk

Picture: TypeAlias = Any  # a NumPy array or a Pillow image
Source: TypeAlias = str | os.PathLike[str] | bytes | Picture


class Origin(NamedTuple):
    """A file to read: its bytes or an open descriptor, and how to call it."""

    title: str  # in messages
    name: str  # without its folder, or empty
    data: bytes | int
    head: bytes  # its first bytes
    weight: int  # bytes
    source: SourceFile

    def read_at(self, place: int, count: int) -> bytes:
        """Read some bytes, fewer at the end."""
        if isinstance(self.data, bytes):
            return self.data[place : place + count]
        return os.pread(self.data, count, place)


@remembering
def read(source: Source, progress: Progress | None = None, *, max_pixels: int = MAX_PIXELS) -> Photo:
    """Open a picture; its pixels are decoded when they are asked for.

    A large file whose format has no windows is decoded once, to a file without a name in the user's cache folder.

    Args:
        source: A path, the bytes of a file, a file open for reading bytes, a Pillow image, or a NumPy array `(h, w)`
            or `(h, w, 1..4)` of uint8, uint16 or float in [0, 1]: grey or RGB, with alpha or without. Also what localsr
            gives: a `Photo`, a `Restoration`, or its `pixels` `(3, h, w)`; three rows of 1 to 4 columns are read as
            `(h, w, bands)`.
        progress: Is told the rows done, and of how many, while a large file is decoded.
        max_pixels: A picture of more is refused by its header.

    Returns:
        The photo, upright by its EXIF orientation.

    Raises:
        ImageError: The source is no picture that can be read, is damaged, or is too large.
        OutputError: A large file is to be decoded, and no folder can be written to.

    Example:
        >>> import numpy as np
        >>> import localsr
        >>> localsr.read(np.zeros((48, 64), np.uint16)).depth
        16
        >>> localsr.read(b"GIF89a")
        Traceback (most recent call last):
        ...
        localsr.errors.ImageError: the picture begins with b'GIF89a'; localsr reads JPEG, PNG, TIFF, WebP and BMP
    """
    if isinstance(source, Photo):
        return source
    source = file_bytes(source)
    title = os.fspath(source) if isinstance(source, str | os.PathLike) else "the picture"
    with translating_errors(f"{title} cannot be read"):
        if isinstance(source, str | os.PathLike):
            path = Path(source)
            if path.exists() and not path.is_file():
                raise ImageError(f"{title} is not a file; {READ_FORMATS}")
            with path.open("rb", buffering=0) as file:  # libvips duplicates the descriptor: the pixels stay readable
                weight = os.fstat(file.fileno()).st_size  # when another file takes the name
                head, descriptor = file.read(HEAD_BYTES), file.fileno()
                origin = Origin(title, path.name, descriptor, head, weight, SourceFile(path))
                return _read_file(origin, progress, max_pixels)
        if isinstance(source, bytes):
            origin = Origin(title, "", source, source[:HEAD_BYTES], len(source), SourceFile(source))
            return _read_file(origin, progress, max_pixels)
        if isinstance(getattr(source, "photo", None), Photo):
            return _read_restored(title, source)
        if hasattr(source, "__array_interface__"):
            return _read_array(title, "", source)
    raise ImageError(f"a {type(source).__name__} is no picture; give a path, bytes, a Pillow image or a NumPy array")


def file_bytes(source: Source) -> Source:
    """Return what an open file or a buffer holds, all of it, as bytes; any other source as it is."""
    if isinstance(source, io.BytesIO):
        return source.getvalue()  # wherever it stands, as after it was written to
    if isinstance(source, bytearray | memoryview):
        return bytes(source)
    if isinstance(source, io.TextIOBase):
        raise ImageError("a file open for text is no picture; open it with mode 'rb'")
    if isinstance(source, io.IOBase) and hasattr(source, "read"):
        with translating_errors("the open file cannot be read"):
            return source.read()
    return source


def _read_file(origin: Origin, progress: Progress | None, max_pixels: int) -> Photo:
    """Open a file by the format that its first bytes say."""
    title, head = origin.title, origin.head
    kind = next((kind for signature, kind in SIGNATURES.items() if head.startswith(signature)), "")
    if not kind or (kind == "webp" and head[8:12] != b"WEBP"):
        raise ImageError(f"{title} {f'begins with {head[:8]!r}' if origin.weight else 'is empty'}; {READ_FORMATS}")
    if kind == "bmp":
        return _read_bmp(origin, max_pixels)
    if kind == "jpeg" and (data := jpeg_header.regular(origin.read_at, origin.weight)) is not None:
        origin = origin._replace(data=data)
    image = _load(origin, kind)
    found = metadata.of_file(image, kind, origin.read_at, origin.weight, origin.source)
    _refuse_several(origin, kind, image)
    size = unit = Size(image.width, image.height)
    latch = None
    if image.get_typeof("tile-width"):
        latch = DamageLatch()
        unit = Size(image.get("tile-width"), image.get("tile-height"))
    pixel = image.bands * NUMPY_TYPES.get(image.format, np.dtype("f8")).itemsize
    _refuse_large(origin, size, unit, pixel, max_pixels)
    if unit.width * unit.height * pixel > MAX_BYTES_IN_MEMORY and image.format in NUMPY_TYPES:
        image = spooled(_load(origin, kind, access="sequential"), title, progress or (lambda *_: None))
    return _photo(title, origin.name, image, latch, found)


def _load(origin: Origin, kind: str, **options: Any) -> pyvips.Image:  # noqa: ANN401  # libvips' options
    """Open a file with libvips; nothing of it but the header is decoded yet."""
    options = {"access": "random", "fail_on": FAIL_ON[kind]} | options
    if isinstance(origin.data, bytes):
        return getattr(pyvips.Image, f"{kind}load_buffer")(origin.data, **options)  # which pyvips holds
    os.lseek(origin.data, 0, os.SEEK_SET)
    return getattr(pyvips.Image, f"{kind}load_source")(pyvips.Source.new_from_descriptor(origin.data), **options)


def _read_bmp(origin: Origin, max_pixels: int) -> Photo:
    """Read a BMP with Pillow, not by `PIL.Image.open`, which would try other formats and warn of sizes."""
    from PIL.BmpImagePlugin import BmpImageFile

    title, weight = origin.title, origin.weight
    if weight > 4 * MAX_DECODED_PIXELS + HEAD_BYTES:
        raise ImageError(f"{title} has {weight} bytes; a BMP of {MAX_DECODED_PIXELS} pixels has four for each")
    picture = BmpImageFile(io.BytesIO(origin.read_at(0, weight)))
    size = Size(*picture.size)
    _refuse_large(origin, size, size, 4, max_pixels)
    area, run_length = size.width * size.height, origin.head[30:34] in (b"\1\0\0\0", b"\2\0\0\0")
    if run_length and area > max(MAX_EMPTY_RUNS, MAX_RUN_PIXELS * weight):
        raise ImageError(f"{title} claims {size} pixels, but {weight} bytes of runs cannot fill them; it is damaged")
    return _read_array(title, origin.name, picture, origin.source)


def _refuse_several(origin: Origin, kind: str, image: pyvips.Image) -> None:
    """Refuse animations and documents; a pyramid, each page half as large as the last, is one picture."""
    pages = image.get("n-pages") if image.get_typeof("n-pages") else 1
    animated = b"\0\0\0\x08acTL" in origin.head.partition(b"IDAT")[0]
    is_pyramid = False
    if kind == "tiff" and 1 < pages <= MAX_PYRAMID_LEVELS:
        levels = [_load(origin, kind, page=page) for page in range(pages)]
        is_pyramid = all(
            max(abs(2 * small.width - large.width), abs(2 * small.height - large.height)) <= 2
            for large, small in pairwise(levels)
        )
    if animated or (pages > 1 and not is_pyramid):
        count = "several" if animated else pages
        raise ImageError(f"{origin.title} holds {count} frames or pages; give one picture")


def _refuse_large(origin: Origin, size: Size, unit: Size, pixel_bytes: int, max_pixels: int) -> None:
    """Refuse a bomb, and more than is wanted; `unit` is what must be decoded at once, a tile or the whole."""
    title, weight = origin.title, origin.weight
    decoded = unit.width * unit.height
    large = size.width * size.height > MAX_PIXELS or decoded > MAX_DECODED_PIXELS
    if large or decoded * pixel_bytes > max(ALWAYS_ALLOWED_BYTES, MAX_UNPACKING * weight):
        raise ImageError(
            f"{title} claims {size} pixels in {weight} bytes; allowed are {MAX_DECODED_PIXELS} pixels "
            f"({MAX_PIXELS} in a tiled TIFF) and, from {ALWAYS_ALLOWED_BYTES} decoded bytes on, {MAX_UNPACKING} of "
            "them to a byte of the file"
        )
    if size.width * size.height > max_pixels:
        raise ImageError(f"{title} has {size} pixels; at most {max_pixels / 1e6:g} megapixels are taken")


def _read_array(title: str, name: str, source: Picture, file: SourceFile | None = None) -> Photo:
    """Copy the pixels of a NumPy array or a Pillow image."""
    frames = getattr(source, "n_frames", 1)
    if frames > 1 and getattr(source, "format", "") != "MPO":  # a phone's JPEG; its second frame is a small copy
        raise ImageError(f"{title} holds {frames} frames or pages; give one picture")
    space, profile, turn, found = "multiband", None, None, metadata.Metadata(source=file)
    if hasattr(source, "mode"):
        from localsr.images.pillow import pixels_of

        profile, turn = source.info.get("icc_profile"), source.getexif().get(ORIENTATION)
        found = metadata.of_pillow(source.info, file)
        source, space = pixels_of(source)
    pixels = np.asarray(source)
    if pixels.ndim == 3 and len(pixels) == 3 and pixels.shape[2] > 4 and pixels.dtype.kind == "f":
        pixels = pixels.transpose(1, 2, 0)  # as windows of a photo and restored pixels are
    pixels = pixels.astype(np.float32) if pixels.dtype.kind == "f" else pixels
    outside = pixels.dtype.kind == "f" and space != "lab" and not ((pixels >= 0) & (pixels <= 1)).all()
    bands = pixels.shape[2] if pixels.ndim == 3 else 1
    fits = pixels.ndim in (2, 3) and 1 <= bands <= 4 and pixels.size > 0
    if outside or not fits or pixels.dtype.str[1:] not in VIPS_FORMATS:
        given = f"an array {pixels.shape} of {pixels.dtype}{' not in [0, 1]' if outside else ''}"
        raise ImageError(f"{given} is no picture; give (h, w) or (h, w, 1..4) of uint8, uint16, or float in [0, 1]")
    image = from_array(pixels.reshape(*pixels.shape[:2], bands), space)
    if turn in range(1, 9):
        image.set_type(pyvips.GValue.gint_type, "orientation", turn)
    return _photo(title, name, with_profile(image, profile), found=found)


def _read_restored(title: str, source: Picture) -> Photo:
    """Copy a restoration, with the depth and the profile of the photo it was made from; CMYK comes as sRGB."""
    like = source.photo
    levels = np.asarray(source, f"u{like.depth // 8}")
    if like.bands < 3:
        levels = levels[..., [0, 3] if like.has_alpha else [0]]
    image = with_profile(from_array(levels, "multiband"), None if like.is_cmyk else like.profile)
    return _photo(title, "", image)


def _photo(
    title: str,
    name: str,
    image: pyvips.Image,
    latch: DamageLatch | None = None,
    found: Metadata = Metadata(),  # noqa: B008  # frozen
) -> Photo:
    """Turn a picture upright, separate colour from alpha, and bring the colour to one or three bands."""
    space, bands, is_cmyk = image.interpretation, image.bands, image.interpretation == "cmyk"
    base = 4 if is_cmyk else 3 if bands >= 3 else 1
    if bands - base not in (0, 1):
        raise ImageError(f"{title} has {bands} bands ({space}); grey, RGB and CMYK are read, with alpha or without")
    if image.get_typeof("orientation") and image.get("orientation") in (5, 6, 7, 8):
        found = found.on_its_side()
    image = image.autorot()
    alpha = image.extract_band(base) if bands > base else None
    colour = image.extract_band(0, n=base)
    embedded = profile_of(colour) if is_cmyk or space in PLAIN_SPACES else None
    profile, found = found.with_profile(embedded, base)
    colour = with_profile(colour, profile)  # an unusable one is removed: libvips then takes its own CMYK
    if is_cmyk:
        bits = 16 if colour.format == "ushort" else 8
        colour = colour.icc_transform("srgb", embedded=True, input_profile="cmyk", depth=bits)
    elif space not in PLAIN_SPACES:
        colour = colour.colourspace("rgb16")
    if not {colour.format, (colour if alpha is None else alpha).format} <= NUMPY_TYPES.keys():
        raise ImageError(f"{title} has {colour.format} pixels; 8 and 16 bit and float in [0, 1] are read")
    depth = 8 if colour.format == "uchar" else 16
    colour = colour.copy(interpretation=SPACES[colour.bands, depth])
    about = (bands, depth, profile, name, alpha is not None, is_cmyk)
    return Photo(Size(image.width, image.height), *about, colour, alpha, latch, found)
