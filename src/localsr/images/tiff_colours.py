"""Colours of a TIFF that libvips hands on as if they were RGB: luminance and chrominance outside of JPEG, odd Lab."""

from __future__ import annotations

import pyvips

from localsr.errors import ImageError
from localsr.images.tiff import COMPRESSION, PHOTOMETRIC, Directory

YCBCR, ODD_LABS = 6, (9, 10)  # of the photometric interpretation; ICC's and ITU's Lab have other zeros
JPEGS = (6, 7)  # compressions whose decoder gives RGB
COEFFICIENTS, SUBSAMPLING = 529, 530
WEIGHTS = (0.299, 0.587, 0.114)  # of red, green and blue in the luminance, where a file does not say


def as_rgb(image: pyvips.Image, directory: Directory | None, title: str) -> pyvips.Image:
    """Return a TIFF's pixels as RGB, if they are in YCbCr; any others as they are.

    Raises:
        ImageError: Chrominance has fewer pixels than luminance, or the colours are of another kind that is not read.
    """
    kind = 1 if directory is None else directory.value(PHOTOMETRIC, 1)
    if kind in ODD_LABS:
        raise ImageError(f"{title} has colours in ICC's or ITU's Lab, which are not read; save it as RGB")
    if directory is None or kind != YCBCR or directory.value(COMPRESSION) in JPEGS:
        return image
    steps = directory.values(SUBSAMPLING)
    if len(steps) != 2 or any(steps != 1) or image.bands != 3:  # 2 and 2, where a file does not say
        raise ImageError(f"{title} has YCbCr with fewer pixels of colour, which is read as JPEG alone; save it as RGB")
    told = directory.fractions(COEFFICIENTS)
    red, green, blue = told if len(told) == 3 and all(share > 0 for share in told) else WEIGHTS
    half = 2.0 ** (7 if image.format == "uchar" else 15)
    by_red, by_blue = 2 - 2 * red, 2 - 2 * blue
    rows = [[1, 0, by_red], [1, -by_blue * blue / green, -by_red * red / green], [1, by_blue, 0]]
    offsets = [-half * (row[1] + row[2]) for row in rows]
    return (image.recomb(pyvips.Image.new_from_array(rows)) + offsets).rint().cast(image.format)
