"""Pictures that a worker has open, and the tiles of their Deep Zoom pyramids."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from localsr import images
from localsr.geometry import Box, Size, whole
from localsr.images import Photo
from localsr.images.bounds import MAX_PIXELS
from localsr.inference.scene import Scene
from localsr.progress import Progress
from localsr.serving.messages import PictureFile
from localsr.serving.settings import MIB

TILE_SIDE = 256  # px
OVERVIEW_SIDE = 4096  # px; tiles of what is shown smaller are cut from one copy of this size
MAX_OPEN_PICTURES = 64  # however small: each has a descriptor


@dataclass
class OpenPicture:
    """A picture that is at hand, with what was made of it."""

    photo: Photo
    scenes: dict[str, Scene] = field(default_factory=dict)  # by network
    overview: Photo | None = None  # the picture shrunk to OVERVIEW_SIDE, once a tile has needed it

    @property
    def bytes(self) -> int:
        """Bytes that it takes, decoded, in memory or in the cache folder."""
        overview = 0 if self.overview is None else whole(self.overview.size).area * 3
        return whole(self.photo.size).area * self.photo.bands * self.photo.depth // 8 + overview

    @property
    def levels(self) -> int:
        """How many levels the pyramid has."""
        return count_levels(self.photo.size)

    def tile(self, level: int, column: int, row: int) -> NDArray[np.uint8]:
        """Return a tile of the pyramid, (h, w, 3) in 8 bits; `BoxError` where there is none."""
        photo, factor = self.photo, 2 ** (self.levels - 1 - level)
        box = Box.from_xywh(column, row, 1, 1).scaled(TILE_SIDE * factor).clipped(photo.size)
        coarse = 2 ** max(self.levels - count_levels(Size(OVERVIEW_SIDE, 1)), 0)
        if 1 < coarse <= factor:
            if self.overview is None:
                self.overview = images.read(photo.shrunk(whole(photo.size), shrunk_size(photo.size, coarse)))
            photo, box, factor = self.overview, shrunk_box(box, coarse), factor // coarse
        return photo.shrunk(box, shrunk_size(box.size, factor))


class OpenPictures:
    """The pictures used last, within a budget of bytes."""

    def __init__(self, memory: int, megapixels: int) -> None:
        """Keep up to `memory` MiB; of uploaded pictures those of up to `megapixels`."""
        self._budget, self._max_pixels = memory * MIB, megapixels * 10**6
        self._open: OrderedDict[str, OpenPicture] = OrderedDict()

    def get(self, file: PictureFile, progress: Progress) -> OpenPicture:
        """Return a picture that is at hand, or open it and close those that were used longest ago."""
        if file.id not in self._open:
            most = MAX_PIXELS if file.any_size else self._max_pixels
            self._open[file.id] = OpenPicture(
                images.read(Path(file.path), progress, max_pixels=most, tolerant=file.tolerant)
            )
        self._open.move_to_end(file.id)
        while len(self._open) > 1 and (len(self._open) > MAX_OPEN_PICTURES or self._bytes > self._budget):
            self._open.popitem(last=False)
        return self._open[file.id]

    def close(self, picture: str) -> None:
        """Close a picture that nobody may ask for any more."""
        self._open.pop(picture, None)

    @property
    def _bytes(self) -> int:
        """Bytes that all of them take."""
        return sum(picture.bytes for picture in self._open.values())


def count_levels(size: Size) -> int:
    """Return the number of levels of a Deep Zoom pyramid: the first has one pixel, the last all."""
    return (max(size.width, size.height) - 1).bit_length() + 1


def shrunk_size(size: Size, factor: int) -> Size:
    """Return the size of what is shown `factor` times smaller."""
    return Size(-(-size.width // factor), -(-size.height // factor))


def shrunk_box(box: Box, factor: int) -> Box:
    """Return the box of a picture `factor` times smaller that covers a box."""
    return Box(box.left // factor, box.top // factor, -(-box.right // factor), -(-box.bottom // factor))
