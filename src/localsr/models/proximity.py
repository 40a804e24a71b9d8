"""PIM, the proximity integration module (Sec. 3.3, Fig. 5): a slim backbone reads the surroundings of an ROI."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from localsr.models.backbone import Backbone, Features
from localsr.models.config import ModelConfig
from localsr.models.layers import zeroed


class Proximity(nn.Module):
    """The slim branch. It is local: p_k at a pixel depends on the `reach[k - 1]` px around it and on nothing else.

    What a stage adds to the backbone is scaled by `gain`, channel by channel, or projected by a pointwise convolution,
    as the config's `fusion` says. Both start at zero, so that a new module adds nothing to its backbone.
    """

    def __init__(self, config: ModelConfig, backbone: type[Backbone]) -> None:
        super().__init__()
        self.slim = backbone(config.slim())
        c, slim, steps = config.channels, config.pim_channels, range(config.stages)
        add = config.fusion == "add"
        self.gain = nn.Parameter(torch.zeros(config.stages, slim, 1, 1)) if add else None
        self.project = nn.ModuleList() if add else nn.ModuleList(zeroed(nn.Conv2d(slim, c, 1)) for _ in steps)
        field = self.slim.receptive_field
        self.reach = tuple(sum(field[: k + 1]) for k in range(1, len(field) - 1))

    def forward(self, near: Tensor) -> tuple[list[Tensor], Features]:
        """Read the surroundings `(B, 3, h, w)` of an ROI, RGB in [0, 1].

        Returns p_1, p_2, ... of Eq. 6, `(B, c', h, w)` or, projected, `(B, c, h, w)`, and what `restore` takes.
        """
        features: Features = self.slim.head(near)
        p = []
        for k, stage in enumerate(self.slim.stages):
            features = stage(features)
            p.append(self.project[k](features.z) if self.gain is None else features.z * self.gain[k])
        return p, features

    def restore(self, features: Features) -> Tensor:
        """Return Y_P of Eq. 7, `(B, 3, s h, s w)`; only training needs it."""
        y: Tensor = self.slim.upsample(self.slim.tail(features))
        return y
