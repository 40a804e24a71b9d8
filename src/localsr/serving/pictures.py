"""Pictures that a worker has open, and the tiles of their Deep Zoom pyramids."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from localsr import images
from localsr.errors import ImageError
from localsr.frames.decoding import facts
from localsr.frames.moments import SNIFFED_BYTES, looks_like_clip
from localsr.frames.reading import Frames, read_frames
from localsr.geometry import Box, Size, whole
from localsr.images import Photo
from localsr.images.bounds import MAX_PIXELS
from localsr.inference.scene import Scene
from localsr.progress import Progress
from localsr.serving.messages import MOMENT_SIGN, ClipSpan, PictureFile
from localsr.serving.settings import MIB

TILE_SIDE = 256  # px
OVERVIEW_SIDE = 4096  # px; tiles of what is shown smaller are cut from one copy of this size
MAX_OPEN_PICTURES = 64  # however small: each has a descriptor


@dataclass
class OpenPicture:
    """A picture that is at hand, with what was made of it."""

    photo: Photo
    scenes: dict[tuple[str, int], Scene] = field(default_factory=dict)  # by network and number of frames
    clip: ClipSpan | None = None  # that the photo is a frame of
    frames: dict[int, Frames] = field(default_factory=dict)  # of the clip around it, by their number
    overview: Photo | None = None  # the picture shrunk to OVERVIEW_SIDE, once a tile has needed it

    @property
    def bytes(self) -> int:
        """Bytes that it takes, decoded, in memory or in the cache folder."""
        overview = 0 if self.overview is None else whole(self.overview.size).area * 3
        held = sum(len(frames.others) for frames in self.frames.values())
        return whole(self.photo.size).area * (self.photo.bands + 2 * held) * self.photo.depth // 8 + overview

    def source(self, file: PictureFile, count: int) -> Photo | Frames:
        """Return what a network is to look at: the photo, or of a clip `count` frames around it."""
        if count == 1:
            return self.photo
        if count not in self.frames:
            self.frames[count] = read_frames(file.path, at=file.at or 0.0, count=count)
        return self.frames[count]

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
            self._open[file.id] = open_picture(file, progress, most)
        self._open.move_to_end(file.id)
        while len(self._open) > 1 and (len(self._open) > MAX_OPEN_PICTURES or self._bytes > self._budget):
            self._open.popitem(last=False)
        return self._open[file.id]

    def close(self, picture: str) -> None:
        """Close a picture that nobody may ask for any more."""
        for key in [key for key in self._open if key.partition(MOMENT_SIGN)[0] == picture]:
            del self._open[key]

    @property
    def _bytes(self) -> int:
        """Bytes that all of them take."""
        return sum(picture.bytes for picture in self._open.values())


def open_picture(file: PictureFile, progress: Progress, most: int) -> OpenPicture:
    """Open a picture, or a frame of a clip, of up to `most` pixels."""
    path = Path(file.path)
    with path.open("rb") as data:
        is_clip = looks_like_clip(data.read(SNIFFED_BYTES))
        if not is_clip:
            return OpenPicture(images.read(path, progress, max_pixels=most, tolerant=file.tolerant))
        if file.tolerant:
            raise ImageError(f"{file.name} is a clip; as far as they go, only pictures are read")
        data.seek(0)
        about = facts(data, file.name)
    if about.size.width * about.size.height > most:
        raise ImageError(f"{file.name} has frames of {about.size} px; up to {most / 1e6:.0f} megapixels are taken")
    return OpenPicture(
        read_frames(path, at=file.at or 0.0, count=1).reference, clip=ClipSpan(about.seconds, about.rate)
    )


def count_levels(size: Size) -> int:
    """Return the number of levels of a Deep Zoom pyramid: the first has one pixel, the last all."""
    return (max(size.width, size.height) - 1).bit_length() + 1


def shrunk_size(size: Size, factor: int) -> Size:
    """Return the size of what is shown `factor` times smaller."""
    return Size(-(-size.width // factor), -(-size.height // factor))


def shrunk_box(box: Box, factor: int) -> Box:
    """Return the box of a picture `factor` times smaller that covers a box."""
    return Box(box.left // factor, box.top // factor, -(-box.right // factor), -(-box.bottom // factor))
