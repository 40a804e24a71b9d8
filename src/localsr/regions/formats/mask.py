"""A mask: a picture of the same size, painted where the regions are; each connected part is one."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from localsr import images
from localsr.errors import BoxError
from localsr.extras import optional
from localsr.geometry import strips, whole
from localsr.images.painted import painted
from localsr.regions.formats.documents import Pictures
from localsr.regions.region import MAX_REGIONS, Region

MAX_MASK_PIXELS = 2**27  # their labels take four bytes each
# where black is not quite black: painted is what is lighter than half
LOSSY_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".avif")


def read_mask(path: Path) -> Pictures:
    """Read a mask's connected parts, corners counting as touching, from the top down; they are of any picture.

    Painted is what is neither black nor transparent. Raises `BoxError` with the file's name, `ImageError` for what is
    no picture, `ConfigError` where OpenCV is not installed.
    """
    cv2 = optional("cv2", "detect", "a mask")
    photo = images.read(path)
    size = photo.size
    if whole(size).area > MAX_MASK_PIXELS:
        raise BoxError(f"{path}: has {size} px; a mask of up to {MAX_MASK_PIXELS} px in all is read")
    here = np.empty((size.height, size.width), np.uint8)
    certain = 0  # parts that end within their strip
    for strip in strips(size):
        here[strip.rows] = painted(photo, strip, 0.5 if path.suffix.lower() in LOSSY_SUFFIXES else 0.0)
        count, labels = cv2.connectedComponents(here[strip.rows], connectivity=8)
        certain += count - len(np.unique(labels[[0, -1]]))
        if certain > MAX_REGIONS:  # whose statistics would take more memory than the mask
            raise BoxError(f"{path}: has {certain} parts and more; a mask of up to {MAX_REGIONS} is read")
    count, _, parts, _ = cv2.connectedComponentsWithStats(here, connectivity=8)
    if count - 1 > MAX_REGIONS:  # the first is what is not painted
        raise BoxError(f"{path}: has {count - 1} parts; a mask of up to {MAX_REGIONS} is read")
    sides = sorted((int(y), int(x), int(w), int(h)) for x, y, w, h, _ in parts[1:])
    regions = [
        Region(x, y, x + w, y + h, origin=f"{path}, part {n}", size=size) for n, (y, x, w, h) in enumerate(sides, 1)
    ]
    return {"": tuple(regions)}
