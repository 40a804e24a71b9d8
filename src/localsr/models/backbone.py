"""The narrow contract of a backbone, the same class at full and at slim width."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from localsr.geometry import Box
from localsr.models.config import ModelConfig
from localsr.models.windows import Taper


class Features(NamedTuple):
    """What flows between stages: `z` `(B, c, h, w)` of Eq. 6, and what is carried along at the same size."""

    z: Tensor
    carry: tuple[Tensor, ...]

    def crop(self, box: Box, unit: int = 1) -> Features:
        """Cut every map to `box`, given from the maps' corner, in px of which `unit` x `unit` are a place of a map."""
        return Features(crop(self.z, box, unit), tuple(crop(c, box, unit) for c in self.carry))


def crop(maps: Tensor, box: Box, unit: int = 1) -> Tensor:
    """Cut `(..., h, w)` to `box`, whose sides are multiples of `unit`, the px that a place of the maps has: a view.

    Maps that are the box are returned as they are: in training, the gradients of views are a fifth of a step. A graph
    that is exported is for every size, and does not compare them.
    """
    if not torch.compiler.is_exporting() and maps.shape[-2:] == (box.height // unit, box.width // unit):
        return maps
    rows = maps.narrow(-2, box.top // unit, box.height // unit)
    return rows.narrow(-1, box.left // unit, box.width // unit)


class Backbone(nn.Module):
    """A super-resolution network in four steps, each a module.

    `head`: `(B, 3, h, w)` RGB in [0, 1] -> `Features`. Each of `stages`, and `tail`: `Features` -> `Features`.
    `upsample`: `Features` -> `(B, 3, s h, s w)` RGB, nominally in [0, 1], not clamped.
    """

    multiple: int = 1  # of LR px that a window's sides must be
    unit: int = 1  # LR px whose square is one place of the feature maps, on a grid from the picture's corner
    receptive_field: tuple[int, ...]  # LR px that the head, each stage, and tail with upsampler look beyond a pixel
    head: nn.Module
    stages: nn.ModuleList
    tail: nn.Module
    upsample: nn.Module

    def __init__(self, config: ModelConfig) -> None:
        """Remember what every backbone has."""
        super().__init__()
        self.channels = config.channels
        self.scale = config.scale

    def forward(
        self,
        x: Tensor,
        taper: Taper,
        fuse: Callable[[int, Tensor], Tensor] | None = None,
        beside: Tensor | None = None,
    ) -> Tensor:
        """Restore an ROI: `x` `(B, 3, h, w)` is the taper's first window, the answer `(B, 3, s roi.h, s roi.w)`.

        Taper and `x` share their coordinates. `fuse(k, z)` adds what is known besides `x`, after the head for k = 0,
        then after stage k = 1, 2, ... What was convolved `beside` the head is added to all that the head says.
        """
        y: Tensor = self.upsample(self.tail(self.deep(x, taper, len(self.stages), fuse, beside)))
        return crop(y, taper.roi.within(taper.windows[-1]).scaled(self.scale))

    def deep(
        self,
        x: Tensor,
        taper: Taper,
        stages: int,
        fuse: Callable[[int, Tensor], Tensor] | None = None,
        beside: Tensor | None = None,
    ) -> Features:
        """Run the head and the first `stages`: features that cover `taper.windows[stages]`."""
        features: Features = self.head(x)
        if beside is not None:
            z = features.z + beside
            features = Features(z, tuple(z if part is features.z else part for part in features.carry))
        if fuse is not None:
            features = features._replace(z=fuse(0, features.z))
        for k, stage in enumerate(self.stages[:stages], start=1):
            here, kept = taper.windows[k - 1], taper.windows[k]
            features = stage(features).crop(kept.within(here), self.unit)
            if fuse is not None:
                features = features._replace(z=fuse(k, features.z))
        return features
