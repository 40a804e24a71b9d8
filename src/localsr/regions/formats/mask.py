"""A mask: a picture of the same size, painted where the regions are; each connected part is one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from localsr import images
from localsr.errors import BoxError
from localsr.extras import optional
from localsr.geometry import strips, whole
from localsr.images.painted import painted
from localsr.regions.formats.documents import Pictures
from localsr.regions.region import MAX_REGIONS, Region

MAX_MASK_PIXELS = 2**27
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
    parts = _Parts(size.width)
    for strip in strips(size):
        here = painted(photo, strip, 0.5 if path.suffix.lower() in LOSSY_SUFFIXES else 0.0)
        _, labels, statistics, _ = cv2.connectedComponentsWithStats(here, connectivity=8)
        parts.add(labels, statistics, strip.top)
        if parts.certain > MAX_REGIONS:  # before all are put together
            raise BoxError(f"{path}: has {parts.certain} parts and more; a mask of up to {MAX_REGIONS} is read")
    found = parts.joined()
    if len(found) > MAX_REGIONS:
        raise BoxError(f"{path}: has {len(found)} parts; a mask of up to {MAX_REGIONS} is read")
    regions = [
        Region(left, top, right, bottom, origin=f"{path}, part {n}", size=size)
        for n, (top, left, right, bottom) in enumerate(sorted(found), 1)
    ]
    return {"": tuple(regions)}


class _Parts:
    """Connected parts of strips, put together where strips meet: labels of a whole mask take four bytes a pixel."""

    def __init__(self, width: int) -> None:
        self.certain = 0  # parts that end within their strip
        self._sides = [np.zeros((0, 4), np.int64)]  # top, left, right, bottom
        self._links: list[tuple[int, int]] = []
        self._count, self._above = 0, np.zeros(width, np.int64)  # numbers of the parts in the last row, 0 for none

    def add(self, labels: NDArray[np.int32], statistics: NDArray[np.int32], top: int) -> None:
        """Take a strip's labels, and what OpenCV says of each."""
        x, y, width, height = statistics[1:, :4].astype(np.int64).T
        self._sides.append(np.stack([y + top, x, x + width, y + top + height], 1))
        self.certain += len(statistics) - len(np.unique(labels[[0, -1]]))
        first, last = (np.where(row > 0, row + self._count, 0).astype(np.int64) for row in (labels[0], labels[-1]))
        above = np.pad(self._above, 1)
        for shift in range(3):  # corners touch, too
            pairs = np.stack([above[shift : shift + len(first)], first], 1)
            self._links += map(tuple, np.unique(pairs[pairs.all(1)], axis=0).tolist())
        self._count, self._above = self._count + len(x), last

    def joined(self) -> list[tuple[int, int, int, int]]:
        """Return top, left, right, bottom of each part of the mask."""
        roots = list(range(self._count + 1))

        def root(part: int) -> int:
            while roots[part] != part:
                roots[part] = part = roots[roots[part]]
            return part

        for one, other in self._links:
            low, high = sorted((root(one), root(other)))
            roots[high] = low
        sides = np.concatenate(self._sides)
        own = np.array([root(part) for part in range(1, self._count + 1)], np.int64) - 1
        for column, keep in enumerate((np.minimum, np.minimum, np.maximum, np.maximum)):
            keep.at(sides[:, column], own, sides[:, column].copy())
        return [tuple(part) for part in sides[np.unique(own)].tolist()]
