"""Training samples: sample i is a function of the seed and of i alone, whichever process draws it and when."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torch.utils.data import Dataset

from localsr.data.distilled import DistilledPairs
from localsr.data.pairs import Pairs
from localsr.errors import DataError
from localsr.geometry import Box

CONDITION_ERRORS = (0.07, 0.12, 0.03)  # standard deviations, of encoded noise, blur and compression


class Crops(Dataset[tuple[Tensor, Tensor, Tensor]]):
    """`count` random LR windows of `side` x `side` px with their HR, each turned or mirrored one of eight ways.

    A sample is `(lr (3, side, side), hr (3, s side, s side), conditions (3,))`, pixels uint8 RGB, conditions encoded
    and a little wrong, as those that are measured will be. A picture is drawn in proportion to its area among all of
    them or, given one of `shares` for each of the `parts`, among those of its part.
    """

    def __init__(
        self, parts: Sequence[Pairs | DistilledPairs], side: int, count: int, seed: int, shares: Sequence[float] = ()
    ) -> None:
        """Draw from the pictures that hold a window; raise `DataError` if none does."""
        areas = [np.array([h * w * (min(h, w) >= side) for h, w in part.sizes], np.float64) for part in parts]
        if not all(area.any() for area in areas) if shares else not any(area.any() for area in areas):
            raise DataError(f"no picture is {side} x {side} LR px or larger; lower the recipe's context")
        if shares:
            areas = [area / area.sum() * share for area, share in zip(areas, shares, strict=True)]
        weights = np.concatenate(areas)
        self.side, self.count, self.seed = side, count, seed
        self._pictures = [(part, k) for part in parts for k in range(len(part))]
        self._shares = np.cumsum(weights / weights.sum())

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor, Tensor]:
        random = np.random.Generator(np.random.Philox(key=[self.seed, i]))
        found = min(int(np.searchsorted(self._shares, random.random(), side="right")), len(self._pictures) - 1)
        part, k = self._pictures[found]
        h, w = part.sizes[k]
        top, left = int(random.integers(h - self.side + 1)), int(random.integers(w - self.side + 1))
        turn, mirror = int(random.integers(4)), bool(random.integers(2))
        variant = int(random.integers(part.variants))
        lr, hr = part.crop(k, Box.from_xywh(left, top, self.side, self.side), variant)
        error = random.normal(0, CONDITION_ERRORS)
        conditions = torch.from_numpy((part.conditions[k, variant] + error).astype(np.float32))
        return _turned_bands(lr, turn, mirror, part.scale), _turned(hr, turn, mirror), conditions


def _turned(pixels: NDArray[np.uint8], turn: int, mirror: bool) -> Tensor:
    """Rotate by `turn` quarter turns, then mirror if asked."""
    pixels = np.rot90(pixels, turn, axes=(1, 2))
    return torch.from_numpy(np.ascontiguousarray(pixels[:, :, ::-1] if mirror else pixels))


def _turned_bands(lr: NDArray[np.uint8], turn: int, mirror: bool, scale: int) -> Tensor:
    """Turn what a network reads: of cells, the places within a pixel turn with the pixels."""
    if len(lr) == 3:
        return _turned(lr, turn, mirror)
    first, last = 3, 3 + 4 * scale**2
    places = functional.pixel_shuffle(torch.from_numpy(lr[first:last]), scale)
    turned = functional.pixel_unshuffle(_turned(places.numpy(), turn, mirror), scale)
    return torch.cat([_turned(lr[:first], turn, mirror), turned, _turned(lr[last:], turn, mirror)])
