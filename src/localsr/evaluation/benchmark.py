"""The pairs of LR and HR that are measured on, cropped to what the protocol needs."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from localsr.conditions import Conditions
from localsr.data.degradation import Degradation, true_conditions
from localsr.data.pictures import read_rgb
from localsr.errors import ConfigError, DataError
from localsr.evaluation.datasets import data_set_name, list_data_set
from localsr.images.metadata import SourceFile
from localsr.resize import reduce

MEASURED = ("bicubic", "photo")  # kinds of degradation that are measured on
DEGRADATION_SEED = 2**32  # of the degradations that are measured on; recipes have smaller ones


class Pair(NamedTuple):
    """A picture and its original, 8-bit RGB; the LR sides are multiples of the benchmark's."""

    name: str
    lr: NDArray[np.uint8]  # (h, w, 3), as `localsr.read` takes it
    hr: NDArray[np.uint8]  # (3, s h, s w)


class Benchmark(Dataset[Pair]):
    """The pairs of a data set, cropped at the right and the bottom to multiples of so many LR px (Sec. 4.1)."""

    def __init__(
        self, folder: Path, scale: int, multiple: int, limit: int | None = None, *, degradation: str = "bicubic"
    ) -> None:
        """List the pictures.

        Args:
            folder: A data set, as `list_data_set` reads it.
            scale: How many times smaller LR is than HR.
            multiple: LR px that both sides are cropped to a multiple of.
            limit: Only so many pictures, the first by name.
            degradation: How LR is made where it is not read: `bicubic` or `photo`.

        Raises:
            DataError: `folder` is no data set.
            ConfigError: There is no such degradation.
        """
        if degradation not in MEASURED:
            raise ConfigError(f"degradation {degradation!r} is not one of {', '.join(MEASURED)}")
        self.name, self.scale, self.multiple = data_set_name(folder), scale, multiple
        self.degradation = degradation
        self.files = list_data_set(folder, scale)[:limit]

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.files)

    @property
    def published(self) -> bool:
        """Whether LR was published with HR; else it is made of it."""
        return self.degradation == "bicubic" and self.files[0].lr is not None

    @property
    def digest(self) -> str:
        """Return a hash of names and contents of all files, the same on every machine; a second for 1.7 GB."""
        entries = []
        for name, *paths in self.files:
            entries.append([name, *(SourceFile(path).sha256(math.inf) for path in paths if path is not None)])
        return hashlib.sha256(json.dumps(entries).encode()).hexdigest()

    def draw_degradation(self, k: int) -> Degradation:
        """Draw the photo's degradation of picture k, the same each time."""
        return Degradation.draw(DEGRADATION_SEED, k)

    def conditions(self, k: int) -> Conditions:
        """Return how the LR of picture k was degraded, which nobody knows of a photo; by bicubic it was not."""
        if self.degradation == "bicubic":
            return Conditions()
        hr, scale, drawn = read_rgb(self.files[k].hr), self.scale, self.draw_degradation(k)
        cut = np.ascontiguousarray(hr[:, : hr.shape[1] // scale * scale, : hr.shape[2] // scale * scale])
        ideal = reduce(cut, scale)
        lr, quiet = (drawn.apply(cut, scale, noisy=noisy) for noisy in (True, False))
        return true_conditions(lr, quiet, ideal, drawn.quality)

    def __getitem__(self, k: int) -> Pair:
        """Read pair k; an LR that was not published is made by `resize.reduce`, or by the photo's degradation k.

        Raises:
            DataError: LR and HR do not fit each other, or LR is smaller than the multiple asked for.
            ImageError: A picture cannot be read.
        """
        (name, path, published), scale, multiple = self.files[k], self.scale, self.multiple
        hr = read_rgb(path)
        h, w = hr.shape[1] // scale * scale, hr.shape[2] // scale * scale
        cut = np.ascontiguousarray(hr[:, :h, :w])
        if self.degradation == "photo":
            lr = self.draw_degradation(k).apply(cut, scale)
        elif published is not None:
            lr = read_rgb(published)
            sides = zip(hr.shape[1:], lr.shape[1:], strict=True)
            if not all(large // scale <= small <= -(-large // scale) for large, small in sides):
                size, small = f"{hr.shape[2]} x {hr.shape[1]}", f"{lr.shape[2]} x {lr.shape[1]}"
                raise DataError(f"{published} has {small} px, which is no x{scale} reduction of {path.name}, {size} px")
        else:
            lr = reduce(cut, scale)
        h, w = lr.shape[1] // multiple * multiple, lr.shape[2] // multiple * multiple
        if not h or not w:
            raise DataError(f"{path.name} has {lr.shape[2]} x {lr.shape[1]} LR px, less than the {multiple} of an ROI")
        if hr.shape[1] < h * scale or hr.shape[2] < w * scale:
            raise DataError(f"{path} is smaller than {scale} times its LR")
        lr = np.ascontiguousarray(lr[:, :h, :w].transpose(1, 2, 0))
        return Pair(name, lr, np.ascontiguousarray(hr[:, : h * scale, : w * scale]))
