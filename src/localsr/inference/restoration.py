"""What comes out of a scene: restored pixels, what they drew on, what they cost; and bicubic to compare with."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from localsr import images
from localsr.geometry import Box
from localsr.images import Photo
from localsr.inference.strategies import Strategy
from localsr.resize import enlarge

MAX_PIXELS_HELD = 2**26  # HR px of a result that is held before it is written; larger ones go in pieces: 0.8 GB
MAX_PIXELS_HELD_BY_WORKER = 2**24  # the same in a process that shares its machine with others: 0.2 GB


@dataclass(frozen=True)
class Restoration:
    """The answer: HR pixels of one box and how they were made."""

    pixels: NDArray[np.float32]  # (3, s h, s w), RGB in the photo's own colours, [0, 1]
    alpha: NDArray[np.float32] | None  # (1, s h, s w) in [0, 1], where the photo has it
    box: Box  # LR px of the upright picture
    scale: int
    strategy: Strategy
    model: str  # name of the network
    precision: str  # that the pixels were computed in, one of PRECISIONS
    seconds: float  # from box to pixels; a batch's time is shared among its boxes by their area
    photo: Photo  # what it was made from: depth, bands and profile

    def save(self, path: str | PathLike[str]) -> None:
        """Write a picture with the photo's depth, bands and profile; PNG, JPEG, TIFF, WebP or BMP by suffix."""
        images.write(Path(path), self.pixels, self.alpha, self.photo)


@dataclass(frozen=True)
class Attention:
    """What the GCM drew on for a box: each sampled patch and its share of the attention; the shares sum to 1."""

    box: Box
    patches: list[Box]  # LR px of the upright picture
    shares: list[float]  # the mean over heads and queries


class Piece(NamedTuple):
    """A part of a restored box."""

    box: Box  # LR px of the upright picture
    pixels: NDArray[np.float32]  # (3, s h, s w), RGB in the photo's own colours, [0, 1]


class Bill(NamedTuple):
    """What boxes cost by one strategy."""

    gflops: float  # of the boxes
    gflops_scene: float  # of the patches, once a picture
    seconds: float  # of both, on this machine
    megabytes: float  # that the process has at its peak, libraries and one result at a time counted in


def bicubic(photo: Photo, box: Box, scale: int) -> NDArray[np.float32]:
    """Enlarge a box by bicubic with what its kernel sees around it: `(3, s h, s w)` in [0, 1]."""
    around = box.grow(2).clipped(photo.size)
    return enlarge(torch.from_numpy(photo.window(around)), around, box, scale).numpy()


def enlarged_alpha(photo: Photo, box: Box, scale: int) -> NDArray[np.float32] | None:
    """Enlarge a box of the photo's alpha by bicubic: `(1, s h, s w)` in [0, 1]; None for a photo without."""
    around = box.grow(2).clipped(photo.size)
    alpha = photo.alpha(around)
    return None if alpha is None else enlarge(torch.from_numpy(alpha), around, box, scale).numpy()
