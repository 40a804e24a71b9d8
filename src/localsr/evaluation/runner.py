"""Restoring ROIs of a picture by each of the methods that are compared."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from localsr import images
from localsr.conditions import Conditions
from localsr.estimation import BLOCK, measure
from localsr.evaluation.methods import Method
from localsr.geometry import Box, whole
from localsr.inference.protocols import RunnableNetwork
from localsr.inference.restoration import Attention, bicubic
from localsr.inference.restorer import Restorer
from localsr.inference.strategies import Strategy

NOT_DEGRADED = Conditions()
SURROUNDINGS = (
    8  # LR px around an ROI that `-by-surroundings` measures on besides: more than any halo of a light network
)


class MethodRunner:
    """Restores ROIs by several methods with one network and its plain twin."""

    def __init__(self, restorer: Restorer, methods: Sequence[Method]) -> None:
        """Prepare a restorer for each halo that the methods choose."""
        self.methods, self.scale = tuple(methods), restorer.network_scale
        own = {m: restorer if m.halo is None else restorer.with_halo(m.halo) for m in methods}
        self._restorers = {Method(Strategy.FULL): restorer} | own

    def restore(
        self, method: Method, lr: NDArray[np.uint8], rois: Sequence[Box], truth: Conditions = NOT_DEGRADED
    ) -> Tensor:
        """Restore ROIs of one picture.

        Args:
            method: One of `methods`.
            lr: The LR picture `(h, w, 3)`, 8-bit RGB.
            rois: Boxes of one size, in LR px.
            truth: How the picture was degraded, for methods whose networks are told by truth.

        Returns:
            The ROIs `(n, 3, s h, s w)`, RGB in [0, 1].
        """
        photo = images.read(lr)
        size = photo.size
        everything = sum(roi.area for roi in rois) == whole(size).area
        if method.strategy is None or (method.strategy is Strategy.FULL and everything):
            # `full` of every ROI of the grid is the whole picture's restoration, to 1e-5; once is enough
            picture = self._whole(method, photo)
            large = [roi.scaled(self.scale) for roi in rois]
            return torch.stack([picture[:, box.rows, box.columns] for box in large])
        restorer = self._restorers[method]
        if method.told:
            scene = restorer.encode(photo)
            told = [truth if method.told == "truth" else measured_at(lr, roi, method) for roi in rois]
            found = [scene.told(own).restore(roi, method.strategy) for own, roi in zip(told, rois, strict=True)]
        elif method.context is None:
            found = restorer.encode(photo).restore(list(rois), method.strategy)
        else:
            found = []
            for roi in rois:
                visible = method.visible(roi, size)
                scene = restorer.encode(images.read(np.ascontiguousarray(lr[visible.rows, visible.columns])))
                found.append(scene.restore(roi.within(visible), method.strategy))
        return torch.stack([torch.from_numpy(r.pixels) for r in found])

    def _whole(self, method: Method, photo: images.Photo) -> Tensor:
        """Restore all of a picture."""
        box = whole(photo.size)
        if method.strategy is None:
            return torch.from_numpy(bicubic(photo, box, self.scale))
        return torch.from_numpy(self._restorers[method].encode(photo).restore(box, method.strategy).pixels)

    def network(self, method: Method) -> RunnableNetwork:
        """Return the network that a method runs: the plain twin has a halo of its own."""
        restorer = self._restorers[method]
        return restorer.network if method.strategy is None else restorer.network_for(method.strategy)

    def attention(self, method: Method, lr: NDArray[np.uint8], roi: Box) -> Attention:
        """Return which patches of an LR picture the GCM draws on for an ROI (Sec. 3.2)."""
        return self._restorers[method].encode(images.read(lr)).attention(roi)


def measured_at(lr: NDArray[np.uint8], roi: Box, method: Method) -> Conditions:
    """Measure conditions on an ROI of `lr` `(h, w, 3)`, or with what is around it; too few blocks tell of none."""
    height, width, _ = lr.shape
    seen = roi if method.told == "roi" else roi.grow(SURROUNDINGS).intersection(Box(0, 0, width, height))
    rows, columns = slice(-(-seen.top // BLOCK) * BLOCK, seen.bottom), slice(-(-seen.left // BLOCK) * BLOCK, seen.right)
    return measure([np.ascontiguousarray(lr[rows, columns].transpose(2, 0, 1))])
