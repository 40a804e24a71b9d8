"""Batches by their step: what a step sees does not depend on workers, ranks or where the run was interrupted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from localsr.data.crops import Crops
from localsr.errors import ConfigError
from localsr.geometry import Box


class Batch(NamedTuple):
    """LR `(B, 3, C, C)` and HR `(B, 3, s C, s C)`, uint8 RGB, their conditions `(B, 3)`, and the ROI that all share.

    The ROI travels as its four sides, since lightning moves tensors to the device and refuses a frozen `Box`.
    """

    lr: Tensor
    hr: Tensor
    conditions: Tensor
    sides: Tensor

    @property
    def roi(self) -> Box:
        """The ROI in LR px of the window."""
        return Box(*self.sides.tolist())


class Batches(IterableDataset[Batch]):
    """The batches of steps `start`, `start` + 1, ... `steps` - 1, of which a process of several takes its share."""

    def __init__(
        self,
        crops: Crops,
        batch: int,
        roi: tuple[int, int],
        steps: int,
        start: int = 0,
        *,
        centred: bool = False,
        rank: int = 0,
        ranks: int = 1,
    ) -> None:
        """Take what the batches follow from; `ConfigError` for a batch that does not divide among the processes."""
        if batch % ranks:
            raise ConfigError(f"a batch of {batch} does not divide among {ranks} processes")
        self.crops, self.batch, self.roi, self.steps, self.start = crops, batch, roi, steps, start
        self.centred = centred
        self.share = range(rank * batch // ranks, (rank + 1) * batch // ranks)

    def __iter__(self) -> Iterator[Batch]:
        """Yield batches in order; of n workers each makes every n-th, and the loader takes them in turn."""
        worker = get_worker_info()
        first, every = (worker.id, worker.num_workers) if worker is not None else (0, 1)
        for step in range(self.start + first, self.steps, every):
            samples = [self.crops[step * self.batch + j] for j in self.share]
            lr, hr, conditions = (torch.stack(part) for part in zip(*samples, strict=True))
            yield Batch(lr, hr, conditions, self._sides(step))

    def _sides(self, step: int) -> Tensor:
        """Draw the ROI of a step, of a side in the recipe's range, in the middle of the context or anywhere in it."""
        random = np.random.Generator(np.random.Philox(key=[self.crops.seed + 2**32, step]))
        side = int(random.integers(self.roi[0], self.roi[1] + 1))
        room = self.crops.side - side
        left, top = (room // 2,) * 2 if self.centred else random.integers(room + 1, size=2)
        return torch.tensor([left, top, left + side, top + side])
