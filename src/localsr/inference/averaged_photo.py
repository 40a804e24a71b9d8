"""A photo of which a box is replaced by the average of frames, with what their cells say beyond it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

from localsr.geometry import Box
from localsr.images import Photo


@dataclass(frozen=True, eq=False, kw_only=True)
class AveragedPhoto(Photo):
    """A photo of which a box is replaced by bands of the same size: its colours and, for a network of cells, those."""

    fused: NDArray[np.float32] = field(repr=False)  # (3 or more, h, w)
    box: Box

    @classmethod
    def of(cls, photo: Photo, box: Box, fused: NDArray[np.float32]) -> Self:
        """Return a photo with bands for a box of it."""
        return cls(**{one.name: getattr(photo, one.name) for one in fields(Photo)}, fused=fused, box=box)

    def windows(self, boxes: Sequence[Box]) -> list[NDArray[np.float32]]:
        """Read boxes; see `Photo.windows`. Cells are zero beyond the box: no frame counts there."""
        found = []
        for pixels, box in zip(super().windows(boxes), boxes, strict=True):
            bands = np.zeros((len(self.fused), *pixels.shape[1:]), np.float32)
            bands[:3] = pixels
            common = box.intersection(self.box)
            here, there = common.within(box), common.within(self.box)
            bands[:, here.rows, here.columns] = self.fused[:, there.rows, there.columns]
            found.append(bands)
        return found
