"""What a piece of work takes, counted, or as a function of the sizes of its windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from localsr.geometry import Box, snapped
from localsr.models.windows import NetworkGeometry, Taper


class WorkLoad(NamedTuple):
    """What one piece of work takes."""

    flops: int  # a multiply-add is two
    bytes: int  # of its tensors in float32 at the moment when there are most


def work_sizes(geometry: NetworkGeometry, taper: Taper, near: Box, patches: int) -> list[int]:
    """Return what the work of an ROI grows with: 1, its windows and the cells of the GCM, its keys, queries times keys.

    Every FLOP of a network is of a pixel of some window, of a query, of a key, or of a pair of these; memory grows with
    the sides of windows, too, where their edges are repeated.
    """
    boxes, tokens = [near, *taper.windows, taper.roi], 0
    if (context := geometry.context) is not None:
        boxes.append(snapped(taper.windows[context.after], context.stride))
        tokens = context.tokens(patches)
    sizes = [size for box in boxes for size in (box.area, box.width + box.height)]
    return [1, *sizes, tokens, tokens * boxes[-1].area]


def work_length(geometry: NetworkGeometry) -> int:
    """Return how many `work_sizes` there are."""
    boxes = len(geometry.halo) + 2 + (geometry.context is not None)
    return 1 + 2 * boxes + 2


@dataclass(frozen=True)
class WorkTable:
    """The work of a network as sums of `work_sizes`, each times a number; recorded once, by counting.

    `moments` are those at which there may be most bytes, `scene_moments` grow with 1 and the number of patches.
    """

    flops: tuple[float, ...]
    moments: tuple[tuple[float, ...], ...]
    patch_flops: float = 0.0
    scene_moments: tuple[tuple[float, ...], ...] = ()

    def roi(self, geometry: NetworkGeometry, taper: Taper, near: Box, patches: int) -> WorkLoad:
        """Return what restoring one ROI takes."""
        sizes = np.array(work_sizes(geometry, taper, near, patches), np.float64)
        return WorkLoad(round(float(self.flops @ sizes)), round(float((np.array(self.moments) @ sizes).max())))

    def scene(self, patches: int) -> WorkLoad:
        """Return what making keys and values of so many patches takes; nothing without GCM."""
        if not self.scene_moments or not patches:
            return WorkLoad(0, 0)
        most = (np.array(self.scene_moments) @ np.array([1.0, patches])).max()
        return WorkLoad(round(self.patch_flops * patches), round(float(most)))
