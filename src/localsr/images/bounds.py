"""What is too large to be decoded, by what its header claims and what its bytes can hold."""

from __future__ import annotations

from localsr.errors import ImageError
from localsr.geometry import Size
from localsr.images.origin import Origin

MAX_PIXELS = 2**40  # of a tiled TIFF, of which only the tiles under a window are decoded
MAX_DECODED_PIXELS = 2**30  # of what must be decoded at once: a tile of a tiled TIFF, all of any other picture
MAX_HELD_BYTES = 2**29  # of what a decoder holds in memory at once, however large the file
ALWAYS_ALLOWED_BYTES = 2**28  # decoded; up to it any picture may be packed as tightly as it likes
MAX_UNPACKING = 10_000  # decoded bytes to file bytes above that; a blank 1-bit PNG reaches 8,256
MAX_EMPTY_RUNS = 2**22  # pixels of a run-length BMP that need no bytes of their own; Pillow takes 1 s for them
MAX_RUN_PIXELS = 128  # to a byte of a run-length BMP: 255 to two
RUN_LENGTHS = (b"\1\0\0\0", b"\2\0\0\0")  # compressions of a BMP


def refuse_large(origin: Origin, size: Size, unit: Size, pixel_bytes: int, max_pixels: int) -> None:
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


def refuse_held(title: str, size: Size, held: int) -> None:
    """Refuse what would be held in memory at once, as it is in a format, or a form of one, without rows or tiles."""
    if held > MAX_HELD_BYTES:
        raise ImageError(
            f"{title} has {size} pixels in a form that is decoded all at once, to {held >> 20} MB; allowed are "
            f"{MAX_HELD_BYTES >> 20}; save it as TIFF, or as PNG or JPEG that is neither interlaced nor progressive"
        )


def refuse_empty_runs(origin: Origin, size: Size) -> None:
    """Refuse a run-length BMP whose bytes cannot fill its size."""
    area, weight = size.width * size.height, origin.weight
    if origin.head[30:34] in RUN_LENGTHS and area > max(MAX_EMPTY_RUNS, MAX_RUN_PIXELS * weight):
        raise ImageError(
            f"{origin.title} claims {size} pixels, but {weight} bytes of runs cannot fill them; it is damaged"
        )
