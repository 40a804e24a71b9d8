"""PIM, the proximity integration module (Sec. 3.3, Fig. 5): a slim twin of the backbone reads around the ROI."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from localsr.models.backbone import Backbone, Features
from localsr.models.config import ModelConfig


class Proximity(nn.Module):
    """The slim branch. It is local: p_k at a pixel depends on `reach[k - 1]` px around it and on nothing else.

    `gain` scales what each stage hands over, channel by channel; it starts at zero, so that a fresh module adds nothing
    to its backbone and learns how much to say.
    """

    def __init__(self, config: ModelConfig, backbone: type[Backbone]) -> None:
        """Build `backbone` at the slim width."""
        super().__init__()
        self.slim = backbone(config.slim())
        self.gain = nn.Parameter(torch.zeros(config.stages, config.pim_channels, 1, 1))
        field = self.slim.receptive_field
        self.reach = tuple(sum(field[: k + 1]) for k in range(1, len(field) - 1))

    def forward(self, near: Tensor) -> tuple[list[Tensor], Features]:
        """Read `near` `(B, 3, h, w)`, RGB in [0, 1]: p_1, p_2, ... `(B, c', h, w)`, and what `restore` goes on from."""
        features: Features = self.slim.head(near)
        p = []
        for gain, stage in zip(self.gain, self.slim.stages, strict=True):
            features = stage(features)
            p.append(features.z * gain)
        return p, features

    def restore(self, features: Features) -> Tensor:
        """Give Y_P of Eq. 7 `(B, 3, s h, s w)`, in training only."""
        y: Tensor = self.slim.upsample(self.slim.tail(features))
        return y
