"""PIM, the proximity integration module (Sec. 3.3, Fig. 5): a slim twin of the backbone reads around the ROI."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from localsr.models.backbone import Backbone, Features
from localsr.models.config import ModelConfig
from localsr.models.layers import zeroed


class Proximity(nn.Module):
    """The slim branch. It is local: p_k at a pixel depends on `reach[k - 1]` px around it and on nothing else.

    What a stage hands over is scaled by `gain`, channel by channel, or projected by a pointwise convolution, as the
    config's fusion has it. Both start at zero, so that a fresh module adds nothing to its backbone.
    """

    def __init__(self, config: ModelConfig, backbone: type[Backbone]) -> None:
        """Build `backbone` at the slim width."""
        super().__init__()
        self.slim = backbone(config.slim())
        c, slim, steps = config.channels, config.pim_channels, range(config.stages)
        add = config.fusion == "add"
        self.gain = nn.Parameter(torch.zeros(config.stages, slim, 1, 1)) if add else None
        self.project = nn.ModuleList() if add else nn.ModuleList(zeroed(nn.Conv2d(slim, c, 1)) for _ in steps)
        field = self.slim.receptive_field
        self.reach = tuple(sum(field[: k + 1]) for k in range(1, len(field) - 1))

    def forward(self, near: Tensor) -> tuple[list[Tensor], Features]:
        """Read `near` `(B, 3, h, w)`, RGB in [0, 1]: p_1, p_2, ... of that size, and what `restore` goes on from.

        Each p has the c' channels of the slim branch to add, or all c of the backbone where it is projected.
        """
        features: Features = self.slim.head(near)
        p = []
        for k, stage in enumerate(self.slim.stages):
            features = stage(features)
            p.append(self.project[k](features.z) if self.gain is None else features.z * self.gain[k])
        return p, features

    def restore(self, features: Features) -> Tensor:
        """Give Y_P of Eq. 7 `(B, 3, s h, s w)`, in training only."""
        y: Tensor = self.slim.upsample(self.slim.tail(features))
        return y
