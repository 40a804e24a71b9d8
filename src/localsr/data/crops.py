"""Training samples: sample i is a function of the seed and of i alone, whichever process draws it and when."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from localsr.data.pairs import Pairs
from localsr.errors import DataError
from localsr.geometry import Box


class Crops(Dataset[tuple[Tensor, Tensor]]):
    """`count` random LR windows of `side` x `side` px with their HR, each turned or mirrored one of eight ways.

    A sample is `(lr (3, side, side), hr (3, s side, s side))`, uint8 RGB. A picture is drawn in proportion to its area.
    """

    def __init__(self, pairs: Pairs, side: int, count: int, seed: int) -> None:
        """Draw from the pictures that hold a window; raise `DataError` if none does."""
        areas = np.array([h * w if min(h, w) >= side else 0 for h, w in pairs.sizes], dtype=np.float64)
        if not areas.any():
            raise DataError(f"no picture is {side} x {side} LR px or larger; lower the recipe's context")
        self.pairs, self.side, self.count, self.seed = pairs, side, count, seed
        self._cumulated_shares = np.cumsum(areas / areas.sum())

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        random = np.random.Generator(np.random.Philox(key=[self.seed, i]))
        k = min(int(np.searchsorted(self._cumulated_shares, random.random(), side="right")), len(self.pairs) - 1)
        h, w = self.pairs.sizes[k]
        top, left = int(random.integers(h - self.side + 1)), int(random.integers(w - self.side + 1))
        turn, mirror = int(random.integers(4)), bool(random.integers(2))
        variant = int(random.integers(self.pairs.variants))
        lr, hr = self.pairs.crop(k, Box.from_xywh(left, top, self.side, self.side), variant)
        return _turned(lr, turn, mirror), _turned(hr, turn, mirror)


def _turned(pixels: np.ndarray, turn: int, mirror: bool) -> Tensor:
    """Turn by quarters of a circle, and perhaps mirror."""
    pixels = np.rot90(pixels, turn, axes=(1, 2))
    return torch.from_numpy(np.ascontiguousarray(pixels[:, :, ::-1] if mirror else pixels))
