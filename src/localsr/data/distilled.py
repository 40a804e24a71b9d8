"""Pairs whose HR is blended with the mean of teacher networks, which lies in a third file beside the pairs' two."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from localsr.data.pairs import Pairs
from localsr.files import replacing
from localsr.geometry import Box
from localsr.resize import reduce


class DistilledPairs:
    """Pairs whose targets are `share` of the teachers' picture and the rest of HR: knowledge distillation.

    The teachers see the clean LR that `resize.reduce` makes of HR, whatever degradation the pairs have.
    """

    def __init__(
        self,
        pairs: Pairs,
        name: str,
        teach: Callable[[Tensor], Tensor],
        share: float,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Map the teachers' pictures, making the file when it is not there.

        Args:
            pairs: The pairs.
            name: Identifies the teachers in the name of their file.
            teach: Makes `(3, s h, s w)` of an LR `(3, h, w)`, both uint8 RGB.
            share: Of the teachers in the target, 0 to 1.
            progress: Hears how many pictures are done, and of how many, while the file is made.
        """
        self.pairs, self.share = pairs, share
        self.sizes, self.variants, self.scale = pairs.sizes, pairs.variants, pairs.scale
        self.conditions = pairs.conditions
        path = pairs.folder / f"taught-{name}.bin"
        if not path.is_file():
            _build(pairs, path, teach, progress)
        self._file = np.memmap(path, np.uint8, "r")
        counts = [3 * h * w * self.scale**2 for h, w in self.sizes]
        self._offsets = np.concatenate([[0], np.cumsum(counts)])

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.pairs)

    def crop(self, k: int, box: Box, variant: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Copy the LR window `box` `(3, h, w)` of one variant of pair k and the target of the same place."""
        lr, hr = self.pairs.crop(k, box, variant)
        (h, w), large = self.sizes[k], box.scaled(self.scale)
        whole = self._file[self._offsets[k] : self._offsets[k + 1]].reshape(3, h * self.scale, w * self.scale)
        taught = whole[:, large.rows, large.columns].astype(np.float32)
        return lr, np.rint(hr + self.share * (taught - hr)).astype(np.uint8)


def _build(
    pairs: Pairs, path: Path, teach: Callable[[Tensor], Tensor], progress: Callable[[int, int], None] | None
) -> None:
    """Write what the teachers make of each picture to a temporary file, then rename it."""
    with replacing(path) as temporary, temporary.open("xb") as file:
        for k in range(len(pairs)):
            if progress is not None:
                progress(k, len(pairs))
            lr = torch.from_numpy(reduce(pairs[k][1], pairs.scale))
            file.write(teach(lr).numpy().tobytes())
    if progress is not None:
        progress(len(pairs), len(pairs))
