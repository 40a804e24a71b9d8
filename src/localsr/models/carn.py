"""CARN-M (Ahn et al. 2018, the paper's [2]): cascading blocks of residual-E blocks, group convolutions, shared weights.

Table 1's row "CARN" costs 1.137 MFLOPs per LR px at x4, which is CARN-M (4 groups), not CARN.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from localsr.models.backbone import Backbone, Features
from localsr.models.config import ModelConfig
from localsr.models.layers import conv3x3

RGB_MEAN = (0.4488, 0.4371, 0.4040)  # of DIV2K, as the authors subtract it


class ResidualE(nn.Module):
    """The efficient residual block: two group convolutions and a pointwise one."""

    def __init__(self, channels: int, groups: int) -> None:
        """Build at one width."""
        super().__init__()
        self.conv1 = conv3x3(channels, channels, groups)
        self.conv2 = conv3x3(channels, channels, groups)
        self.point = nn.Conv2d(channels, channels, 1)

    def forward(self, z: Tensor) -> Tensor:
        """`(B, c, h, w)` to the same shape."""
        y = functional.relu(self.conv2(functional.relu(self.conv1(z))))
        return functional.relu(z + self.point(y))


class Cascade(nn.Module):
    """A cascading block: one residual-E block used several times, each result joined to all before it."""

    def __init__(self, channels: int, groups: int, blocks: int) -> None:
        """Build one shared block and a pointwise convolution for each time it is used."""
        super().__init__()
        self.block = ResidualE(channels, groups)
        self.points = nn.ModuleList(nn.Conv2d(channels * (k + 2), channels, 1) for k in range(blocks))

    def forward(self, z: Tensor) -> Tensor:
        """`(B, c, h, w)` to the same shape."""
        cascade = z
        for point in self.points:
            cascade = torch.cat([cascade, self.block(z)], dim=1)
            z = functional.relu(point(cascade))
        return z


class Stage(nn.Module):
    """A cascade of the outer cascade: `carry` grows by `c` channels."""

    def __init__(self, channels: int, groups: int, blocks: int, index: int) -> None:
        """Build stage `index` = 0, 1, ..."""
        super().__init__()
        self.cascade = Cascade(channels, groups, blocks)
        self.point = nn.Conv2d(channels * (index + 2), channels, 1)

    def forward(self, features: Features) -> Features:
        """Join what the cascade gives to all before it."""
        joined = torch.cat([features.carry[0], self.cascade(features.z)], dim=1)
        return Features(functional.relu(self.point(joined)), (joined,))


class Head(nn.Module):
    """Colours to features; the carry is the outer cascade."""

    def __init__(self, channels: int) -> None:
        """Build at one width."""
        super().__init__()
        self.conv = conv3x3(3, channels)

    def forward(self, x: Tensor) -> Features:
        """Subtract the mean colour and widen."""
        z = self.conv(x - x.new_tensor(RGB_MEAN).view(3, 1, 1))
        return Features(z, (z,))


class Upsample(nn.Module):
    """Double once or twice, then back to colours."""

    def __init__(self, channels: int, groups: int, scale: int) -> None:
        """Build for one scale."""
        super().__init__()
        self.doublers = nn.ModuleList(conv3x3(channels, 4 * channels, groups) for _ in range(int(math.log2(scale))))
        self.conv = conv3x3(channels, 3)

    def forward(self, features: Features) -> Tensor:
        """Features to HR pixels."""
        z = features.z
        for double in self.doublers:
            z = functional.pixel_shuffle(functional.relu(double(z)), 2)
        y: Tensor = self.conv(z)
        return y + y.new_tensor(RGB_MEAN).view(3, 1, 1)


class CARN(Backbone):
    """CARN-M for `groups` = 4, `stages` = 3, `blocks` = 3; it ends with its last stage, so its tail is nothing."""

    def __init__(self, config: ModelConfig) -> None:
        """Build at the config's width, stages and blocks."""
        super().__init__(config)
        c, groups, blocks = config.channels, config.groups, config.blocks
        self.head = Head(c)
        self.stages = nn.ModuleList(Stage(c, groups, blocks, k) for k in range(config.stages))
        self.tail = nn.Identity()
        self.upsample = Upsample(c, groups, config.scale)
        self.receptive_field = (1, *([2 * blocks] * config.stages), 2)  # of the upsampler: 1 + 1/2 + 1/4, rounded up
