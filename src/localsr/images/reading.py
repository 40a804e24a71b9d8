"""Pictures in: from a path, the bytes of a file, an array or a Pillow image to a `Photo`.

libvips decodes all formats here but BMP, which it cannot and Pillow does. A file is judged by its first bytes, not by
its name, and by what its header claims before any pixel is decoded; no loader of libvips is called but the one of its
format.
"""

from __future__ import annotations

import io
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pyvips

from localsr.errors import ImageError
from localsr.geometry import Size, whole
from localsr.images import jpeg_header, metadata
from localsr.images.arrays import Picture, choose_page, read_array, read_restored
from localsr.images.bounds import (
    MAX_DECODED_PIXELS,
    MAX_PIXELS,
    refuse_empty_runs,
    refuse_held,
    refuse_large,
)
from localsr.images.checks import check_jpeg, check_webp
from localsr.images.damage import CheckedBlocks, DamageLatch, WholeFile
from localsr.images.metadata import SourceFile
from localsr.images.origin import Origin
from localsr.images.photo import Photo
from localsr.images.signatures import READ_FORMATS, describe_other, kind_of
from localsr.images.source import remembering
from localsr.images.spool import spooled
from localsr.images.tiff import Directory, read_pages
from localsr.images.tiff_blocks import TiffBlocks
from localsr.images.tiff_colours import as_rgb
from localsr.images.upright import upright_photo
from localsr.images.vips import NUMPY_TYPES, translating_errors
from localsr.progress import Progress

# As strictly as libvips can without refusing a file for its metadata, of which it tells in the same words. What it then
# passes over in a JPEG or a TIFF is looked for here; a TIFF whose blocks cannot be checked is read at "warning".
FAIL_ON = {"jpeg": "none", "png": "error", "tiff": "truncated", "webp": "error", "heif": "error", "gif": "warning"}
HELD_WHOLE = ("webp", "heif", "gif")  # which libvips decodes at once
MAX_BYTES_IN_MEMORY = 2**27  # decoded; what has more lies in a file in the user's cache
HEAD_BYTES = 2**16  # looked at for the format and for a PNG's animation chunk
ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
INTERLACED = 28  # the byte of a PNG that says so

Source: TypeAlias = str | os.PathLike[str] | bytes | Picture


class ReadOptions(NamedTuple):
    """How a file is read."""

    progress: Progress | None
    max_pixels: int
    page: int | None  # from 1
    strict: bool = True  # or read what is there of a damaged one


class Opened(NamedTuple):
    """A file as libvips opens it, and what is known of it besides."""

    image: pyvips.Image
    options: dict[str, Any]  # that it was opened with
    page: int = 1
    pages: int = 1
    directory: Directory | None = None  # of a TIFF


@remembering
def read(
    source: Source,
    progress: Progress | None = None,
    *,
    max_pixels: int = MAX_PIXELS,
    page: int | None = None,
    tolerant: bool = False,
) -> Photo:
    """Open a picture; its pixels are decoded when they are asked for.

    A large file whose format has no windows is decoded once, to a file without a name in the user's cache folder.

    Args:
        source: A path, the bytes of a file, a file open for reading bytes, a Pillow image, or a NumPy array `(h, w)`
            or `(h, w, 1..4)` of uint8, uint16 or float in [0, 1]: grey or RGB, with alpha or without. Also what localsr
            gives: a `Photo`, a `Restoration`, or its `pixels` `(3, h, w)`; three rows of 1 to 4 columns are read as
            `(h, w, bands)`.
        progress: Is told the rows done, and of how many, while a large file is decoded.
        max_pixels: A picture of more is refused by its header.
        page: Which page of a document, or frame of an animation, from 1; without it the only page, or the first frame.
        tolerant: Read a damaged file as far as it goes: what is lost is grey or black, and `Photo.damage` says so. All
            of the file is decoded at once.

    Returns:
        The photo, upright by its EXIF orientation.

    Raises:
        ImageError: The source is no picture that can be read, is damaged, is too large, or has several pages of which
            none is chosen.
        OutputError: A large file is to be decoded, and no folder can be written to.

    Example:
        >>> import numpy as np
        >>> import localsr
        >>> localsr.read(np.zeros((48, 64), np.uint16)).depth
        16
        >>> localsr.read(b"%PDF-1.7")
        Traceback (most recent call last):
        ...
        localsr.errors.ImageError: the picture is a PDF; save the page as PNG, as by pdftoppm -png -r 300 FILE page; ...
    """
    if isinstance(source, Photo):
        return source
    source = file_bytes(source)
    title = os.fspath(source) if isinstance(source, str | os.PathLike) else "the picture"
    options = ReadOptions(progress, max_pixels, page)
    read_file = _read_tolerantly if tolerant else _read_file
    with translating_errors(f"{title} cannot be read"):
        if isinstance(source, str | os.PathLike):
            path = Path(source)
            if ADDRESS.match(title) and not path.exists():
                raise ImageError(f"{title} is an address; download the picture, and give its path or its bytes")
            if path.exists() and not path.is_file():
                raise ImageError(f"{title} is not a file; {READ_FORMATS}")
            with path.open("rb", buffering=0) as file:  # libvips duplicates the descriptor: the pixels stay readable
                weight = os.fstat(file.fileno()).st_size  # when another file takes the name
                head, descriptor = file.read(HEAD_BYTES), file.fileno()
                return read_file(Origin(title, path.name, descriptor, head, weight, SourceFile(path)), options)
        if isinstance(source, bytes):
            origin = Origin(title, "", source, source[:HEAD_BYTES], len(source), SourceFile(source))
            return read_file(origin, options)
        if isinstance(getattr(source, "photo", None), Photo):
            return read_restored(title, source)
        if hasattr(source, "__array_interface__"):
            return read_array(title, "", source, page)
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


def _read_tolerantly(origin: Origin, options: ReadOptions) -> Photo:
    """Decode all of a file; of a damaged one read what is there."""
    try:
        with translating_errors(title := f"{origin.title} cannot be read"):
            photo = _read_file(origin, options)
            photo.preview(1)  # which needs all pixels
            return photo
    except ImageError as error:
        try:
            with translating_errors(title):
                photo = _read_file(origin, options._replace(strict=False))
        except ImageError:
            raise error from None  # nothing can be read of it
        return replace(photo, damage=str(error).partition(" cannot be read: ")[2] or str(error))


def _read_file(origin: Origin, options: ReadOptions) -> Photo:
    """Open a file by the format that its first bytes say."""
    kind = kind_of(origin.head)
    if not kind:
        raise ImageError(f"{origin.title} {describe_other(origin.head)}")
    if kind == "bmp":
        return _read_bmp(origin, options)
    if kind == "jpeg" and (data := jpeg_header.regular(origin.read_at, origin.weight)) is not None:
        origin = replace(origin, data=data, weight=len(data))
    opened = _opened(origin, kind, options)
    if kind == "png" and opened.page > 1:
        return _read_png_frame(origin, opened, options)
    image = as_rgb(opened.image, opened.directory, origin.title)
    found = metadata.of_file(image, kind, origin.read_at, origin.weight, origin.source)
    size, tiled = Size(image.width, image.height), bool(image.get_typeof("tile-width"))
    unit = Size(image.get("tile-width"), image.get("tile-height")) if tiled else size
    pixel = image.bands * NUMPY_TYPES.get(image.format, np.dtype("f8")).itemsize
    refuse_large(origin, size, unit, pixel, options.max_pixels)
    refuse_held(origin.title, size, _held_bytes(origin, kind, image))
    large = unit.width * unit.height * pixel > MAX_BYTES_IN_MEMORY and image.format in NUMPY_TYPES
    latch = None
    if options.strict and ((blocks := _blocks(origin, kind, opened)) is not None or tiled):
        latch = DamageLatch(blocks, tiled=tiled)
    if large:
        image = origin.load(kind, **opened.options | {"access": "sequential"})
        image = as_rgb(image, opened.directory, origin.title)
        with (latch or DamageLatch(None, tiled=False)).reading([whole(size)]):
            image = spooled(image, origin.title, options.progress or (lambda *_: None))
    elif not options.strict:
        image = image.copy_memory()  # what fails, fails here
    photo = upright_photo(origin.title, origin.name, image, latch, found)
    return replace(photo, page=opened.page, pages=opened.pages)


def _opened(origin: Origin, kind: str, options: ReadOptions) -> Opened:
    """Open a file with libvips at the page or frame that is asked for; only its header is decoded yet."""
    how: dict[str, Any] = {"access": "random", "revalidate": True}  # nothing of another file from libvips' cache
    how["fail_on"] = FAIL_ON[kind] if options.strict else "none"
    page, directory = options.page, None
    if kind == "tiff":
        places, directories = read_pages(origin.read_at, origin.title)
        pages = len(places)
        number = choose_page(origin.title, page, pages)
        (how["page"], subifd), directory = places[number - 1], directories[number - 1]
        how |= {} if subifd < 0 else {"subifd": subifd}
        how |= {} if TiffBlocks.can_check(directory) or not options.strict else {"fail_on": "warning"}
        return Opened(origin.load(kind, **how), how, number, pages, directory)
    image = origin.load(kind, **how)
    pages = image.get("n-pages") if image.get_typeof("n-pages") else 1
    if kind == "png":
        after = origin.head.partition(b"IDAT")[0].partition(b"\0\0\0\x08acTL")[2]
        pages = max(int.from_bytes(after[:4], "big"), 1)
    first = image.get("heif-primary") + 1 if image.get_typeof("heif-primary") else 1
    number = choose_page(origin.title, page or first, pages)
    if page is not None and kind in HELD_WHOLE:
        how["page"] = page - 1
        image = origin.load(kind, **how)
    return Opened(image, how, number, pages)


def _held_bytes(origin: Origin, kind: str, image: pyvips.Image) -> int:
    """Return how much a decoder holds at once, 0 for one that goes by rows or tiles."""
    samples: int = image.width * image.height * image.bands
    if kind == "jpeg":
        return 2 * samples if image.get_typeof("interlaced") else 0  # the coefficients of all scans
    if kind in HELD_WHOLE or (kind == "png" and origin.head[INTERLACED]):
        return samples * NUMPY_TYPES.get(image.format, np.dtype("f8")).itemsize
    return 0


def _blocks(origin: Origin, kind: str, opened: Opened) -> CheckedBlocks | None:
    """Return what can be checked of a file besides what its decoder checks."""
    if kind == "tiff":
        assert opened.directory is not None
        turned = opened.image.get_typeof("orientation") and opened.image.get("orientation") != 1
        can = TiffBlocks.can_check(opened.directory)
        return TiffBlocks(origin.kept(), opened.directory, turned=bool(turned)) if can else None
    check = {"jpeg": check_jpeg, "webp": check_webp}.get(kind)
    if check is None or opened.pages > 1:
        return None
    kept = origin.kept()
    return WholeFile(lambda: check(kept.content()))


def _read_bmp(origin: Origin, options: ReadOptions) -> Photo:
    """Read a BMP with Pillow, not by `PIL.Image.open`, which would try other formats and warn of sizes."""
    from PIL.BmpImagePlugin import BmpImageFile

    title, weight = origin.title, origin.weight
    if weight > 4 * MAX_DECODED_PIXELS + HEAD_BYTES:
        raise ImageError(f"{title} has {weight} bytes; a BMP of {MAX_DECODED_PIXELS} pixels has four for each")
    choose_page(title, options.page, 1)
    picture = BmpImageFile(io.BytesIO(origin.content()))
    size = Size(*picture.size)
    refuse_large(origin, size, size, 4, options.max_pixels)
    refuse_empty_runs(origin, size)
    if not options.strict:
        picture = BmpImageFile(io.BytesIO(origin.content() + bytes(4 * size.width * size.height)))
    return read_array(title, origin.name, picture, file=origin.source)


def _read_png_frame(origin: Origin, opened: Opened, options: ReadOptions) -> Photo:
    """Read a frame of an animated PNG but the first with Pillow; libvips knows the first alone."""
    from PIL.PngImagePlugin import PngImageFile

    size = Size(opened.image.width, opened.image.height)
    refuse_large(origin, size, size, 4, options.max_pixels)
    refuse_held(origin.title, size, 4 * size.width * size.height)
    return read_array(origin.title, origin.name, PngImageFile(io.BytesIO(origin.content())), opened.page, origin.source)
