"""libvips as this project uses it: its settings, errors as ours, arrays and profiles in and out."""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any, TypeAlias

import numpy as np
import pyvips
from numpy.typing import NDArray

from localsr.errors import ImageError, LocalSRError, OutputError
from localsr.geometry import Box

VIPS_FORMATS = {"u1": "uchar", "u2": "ushort", "f4": "float"}  # NumPy's types and libvips' formats
NUMPY_TYPES = {form: np.dtype(code) for code, form in VIPS_FORMATS.items()}
SPACES = {(1, 8): "b-w", (1, 16): "grey16", (3, 8): "srgb", (3, 16): "rgb16"}  # of (bands, depth)
MAX_FETCHED = 2**16  # pixels of a window; up to it Region.fetch wins (90 times at 24 x 24), above it libvips' threads
MAX_REASON = 200  # characters of what another library says

Pixels: TypeAlias = NDArray[np.float32]  # (bands, h, w) in [0, 1]

GLIB_LEVELS = 0xFB  # all but errors, which end the process anyway
LOADERS = ("Jpeg", "Png", "Tiff", "Webp", "Heif", "Nsgif")  # that `localsr.images` calls, by libvips' names


def _log_nothing() -> None:
    """Have libvips log by a handler in C that does nothing, in place of pyvips' in Python.

    Python may collect garbage while it logs, and an image that goes may warn as a damaged JPEG does; GLib ends a
    process that logs while it logs. What libvips raises says all that its warnings do.
    """
    # takes no notice of what it is given, needs no lock of Python's, and is there on any system
    nothing = ctypes.cast(ctypes.pythonapi.Py_IsInitialized, ctypes.c_void_p).value
    pyvips.glib_lib.g_log_set_handler(b"VIPS", GLIB_LEVELS, pyvips.ffi.cast("GLogFunc", nothing), pyvips.ffi.NULL)


_log_nothing()


def secure_process() -> None:
    """Let libvips in this process run no loader but those of our formats, and keep no operation's result.

    For our own processes alone: the settings are libvips', and a program that uses it has its own. `localsr.images`
    calls loaders by name, after it has looked at a file's first bytes, and does not rely on them.
    """
    pyvips.operation_block_set("VipsForeignLoad", True)
    for family in LOADERS:
        pyvips.operation_block_set(f"VipsForeignLoad{family}", False)
    pyvips.block_untrusted_set(True)
    pyvips.cache_set_max(0)  # the cache would keep the files and pixels of the last hundred operations


@contextmanager
def translating_errors(
    title: str, family: type[ImageError | OutputError] = ImageError, end: str = ""
) -> Iterator[None]:
    """Turn whatever libvips, the system and Pillow raise into an error of `family`, one line long.

    It says `title`, the reason, and `end`.
    """
    try:
        yield
    except (LocalSRError, MemoryError):
        raise
    except Exception as error:
        reason = getattr(error, "strerror", "") or getattr(error, "detail", "") or str(error) or repr(error)
        raise family(f"{title}: {reason.strip().splitlines()[0][:MAX_REASON]}{end}") from error


def from_array(pixels: NDArray[Any], space: str) -> pyvips.Image:
    """Copy an array `(h, w, bands)` into libvips."""
    height, width, bands = pixels.shape
    form = VIPS_FORMATS[pixels.dtype.str[1:]]
    data = pixels.astype(NUMPY_TYPES[form]).tobytes()  # pyvips holds it for all operations but copy_memory()
    return pyvips.Image.new_from_memory(data, width, height, bands, form).copy(interpretation=space)


def mapped(file: IO[bytes], width: int, height: int, bands: int, form: str) -> pyvips.Image:
    """Return the raw pixels of an open file as an image that reads them as they are needed; it may have no name."""
    pixels = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return pyvips.Image.new_from_memory(pixels, width, height, bands, form)


def fields_of(image: pyvips.Image) -> Iterator[tuple[str, int, Any]]:
    """Yield name, type and value of each metadata field whose text is UTF-8, which pyvips takes for granted."""
    names = pyvips.vips_lib.vips_image_get_fields(image.pointer)
    n = 0
    while names[n] != pyvips.ffi.NULL:
        try:
            name = pyvips.ffi.string(names[n]).decode()
            found = name, image.get_typeof(name), image.get(name)
        except UnicodeDecodeError:  # a keyword or a comment of a PNG in Latin-1
            found = None
        pyvips.glib_lib.g_free(names[n])
        if found is not None:
            yield found
        n += 1
    pyvips.glib_lib.g_free(names)


def profile_of(image: pyvips.Image, *, usable: bool = False) -> bytes | None:
    """Return the embedded ICC profile or None; with `usable`, None for one that does not fit the pixels, too."""
    try:
        if usable:
            image.icc_import(embedded=True)
        return bytes(image.get("icc-profile-data"))
    except pyvips.Error:
        return None


def with_profile(image: pyvips.Image, profile: bytes | None) -> pyvips.Image:
    """Return the image with this ICC profile embedded, or with none."""
    image = image.copy()
    image.remove("icc-profile-data")
    if profile is not None:
        image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    return image


def rounded(pixels: Pixels, depth: int) -> NDArray[Any]:
    """Round `(bands, h, w)` in [0, 1] to the nearest levels of 8 or 16 bits, `(h, w, bands)`."""
    levels = np.rint(np.clip(pixels, 0, 1) * np.float32(2**depth - 1)).astype(f"u{depth // 8}")
    return np.ascontiguousarray(levels.transpose(1, 2, 0))


def fetched(image: pyvips.Image, boxes: Sequence[Box]) -> bytes:
    """Read boxes as bytes, one after the other: their rows, of pixels, of bands."""
    region = pyvips.Region.new(image)  # one for each call: a region belongs to one thread
    try:
        return b"".join(
            region.fetch(box.left, box.top, box.width, box.height)
            if box.area <= MAX_FETCHED
            else image.crop(box.left, box.top, box.width, box.height).write_to_memory()
            for box in boxes
        )
    except pyvips.Error as error:
        raise error.with_traceback(None) from None  # whose frames have the region, which no other thread may free
    finally:
        del region
