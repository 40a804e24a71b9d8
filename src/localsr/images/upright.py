"""From an image of libvips to a `Photo`: upright, its colour apart from its alpha, in one band or three."""

from __future__ import annotations

import pyvips

from localsr.errors import ImageError
from localsr.geometry import Size
from localsr.images.damage import DamageLatch
from localsr.images.metadata import Metadata
from localsr.images.photo import Photo
from localsr.images.vips import NUMPY_TYPES, SPACES, profile_of, with_profile

PLAIN_SPACES = (*SPACES.values(), "rgb", "multiband", "scrgb")  # whose values are taken as they are
ORIENTATION_TAG = 274  # of EXIF and TIFF


def upright_photo(
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
