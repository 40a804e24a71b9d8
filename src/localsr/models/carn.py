"""CARN and CARN-M (Ahn et al. 2018, the paper's [2]): each block's result is joined to those of all blocks before it.

Table 1's row "CARN" costs 1.137 MFLOPs per LR px at x4, which is CARN-M: residual-E blocks of 4 groups that share
weights.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from localsr.models.backbone import Backbone, Features
from localsr.models.config import ModelConfig
from localsr.models.layers import CentredHead, ResidualBlock, ShuffleUpsampler, conv3x3


class CarnResidual(ResidualBlock):
    """The residual block of CARN, with a ReLU after the sum."""

    def forward(self, z: Tensor) -> Tensor:
        """Refine `(B, c, h, w)`."""
        return functional.relu(super().forward(z))


class CarnEfficientResidual(nn.Module):
    """The efficient residual block (residual-E) of CARN-M: two group convolutions and a pointwise one."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        self.conv1 = conv3x3(channels, channels, groups)
        self.conv2 = conv3x3(channels, channels, groups)
        self.point = nn.Conv2d(channels, channels, 1)

    def forward(self, z: Tensor) -> Tensor:
        """Refine `(B, c, h, w)`."""
        y = functional.relu(self.conv2(functional.relu(self.conv1(z))))
        return functional.relu(z + self.point(y))


class CascadingBlock(nn.Module):
    """A cascading block: each residual block's result is joined to all before it; CARN-M's blocks share weights."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        c, groups = config.channels, config.groups
        kind, own = (CarnEfficientResidual, 1) if config.efficient else (CarnResidual, config.blocks)
        self.blocks = nn.ModuleList(kind(c, groups) for _ in range(own))
        self.points = nn.ModuleList(nn.Conv2d(c * (k + 2), c, 1) for k in range(config.blocks))

    def forward(self, z: Tensor) -> Tensor:
        """Refine `(B, c, h, w)`."""
        cascade = z
        for k, point in enumerate(self.points):
            cascade = torch.cat([cascade, self.blocks[k % len(self.blocks)](z)], dim=1)
            z = functional.relu(point(cascade))
        return z


class CarnStage(nn.Module):
    """A step of the outer cascade: `carry` grows by `c` channels."""

    def __init__(self, config: ModelConfig, index: int) -> None:
        super().__init__()
        self.cascade = CascadingBlock(config)
        self.point = nn.Conv2d(config.channels * (index + 2), config.channels, 1)

    def forward(self, features: Features) -> Features:
        """Join this step's result to those of all steps before it."""
        joined = torch.cat([features.carry[0], self.cascade(features.z)], dim=1)
        return Features(functional.relu(self.point(joined)), (joined,))


class CARN(Backbone):
    """CARN: three cascading blocks of three residual blocks. It has no tail: its last stage ends it."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.head = CentredHead(config.channels)
        self.stages = nn.ModuleList(CarnStage(config, k) for k in range(config.stages))
        self.tail = nn.Identity()
        self.upsample = ShuffleUpsampler(config.channels, config.scale, config.groups, functional.relu)
        field = 2 * config.blocks
        self.receptive_field = (1, *([field] * config.stages), 2)  # upsampler: 1 + 1/2 + 1/4, rounded up
