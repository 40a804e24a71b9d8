"""Data sets to measure on: pairs of LR and HR, cropped to what the protocol needs."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from localsr.data.degradation import DEGRADATIONS, Degradation
from localsr.data.pairs import read_rgb
from localsr.errors import ConfigError, DataError
from localsr.evaluation.datasets import called, files
from localsr.resize import reduce

SEED = 2**32  # of the degradations that are measured on; recipes have smaller ones


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
        """List the pictures; `DataError` for a folder that is no data set."""
        if degradation not in DEGRADATIONS:
            raise ConfigError(f"degradation {degradation!r} is not one of {', '.join(DEGRADATIONS)}")
        self.name, self.scale, self.multiple = called(folder), scale, multiple
        self.degradation = degradation
        self.files = files(folder, scale)[:limit]

    def __len__(self) -> int:
        """Count the pictures."""
        return len(self.files)

    @property
    def published(self) -> bool:
        """Whether LR is read, not made."""
        return self.degradation == "bicubic" and self.files[0].lr is not None

    @property
    def digest(self) -> str:
        """Tell these pictures from others, and from themselves once they are changed."""
        told = []
        for name, *paths in self.files:
            stats = [path.stat() for path in paths if path is not None]
            told.append([name, *((s.st_size, s.st_mtime_ns) for s in stats)])
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()

    def drawn(self, k: int) -> Degradation:
        """Give the photo's degradation of picture k."""
        return Degradation.draw(SEED, k)

    def __getitem__(self, k: int) -> Pair:
        """Read pair k; an LR that was not published is made by `resize.reduce`, or by the photo's degradation k."""
        (name, path, published), scale, multiple = self.files[k], self.scale, self.multiple
        hr = read_rgb(path)
        h, w = hr.shape[1] // scale * scale, hr.shape[2] // scale * scale
        cut = np.ascontiguousarray(hr[:, :h, :w])
        if self.degradation == "photo":
            lr = self.drawn(k).apply(cut, scale)
        elif published is not None:
            lr = read_rgb(published)
            sides = zip(hr.shape[1:], lr.shape[1:], strict=True)
            if not all(large // scale <= small <= -(-large // scale) for large, small in sides):
                size, small = f"{hr.shape[2]} x {hr.shape[1]}", f"{lr.shape[2]} x {lr.shape[1]}"
                raise DataError(f"{published} has {small} px, which is no x{scale} reduction of {path.name}, {size} px")
        else:
            lr = reduce(torch.from_numpy(cut), scale).numpy()
        h, w = lr.shape[1] // multiple * multiple, lr.shape[2] // multiple * multiple
        if not h or not w:
            raise DataError(f"{path.name} has {lr.shape[2]} x {lr.shape[1]} LR px, less than the {multiple} of an ROI")
        if hr.shape[1] < h * scale or hr.shape[2] < w * scale:
            raise DataError(f"{path} is smaller than {scale} times its LR")
        lr = np.ascontiguousarray(lr[:, :h, :w].transpose(1, 2, 0))
        return Pair(name, lr, np.ascontiguousarray(hr[:, : h * scale, : w * scale]))
