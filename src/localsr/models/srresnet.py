"""SRResNet (Ledig et al. 2017, the paper's [15]) as BasicSR's MSRResNet: no batch norm, a bilinear skip.

5.07 MFLOPs per LR px at x4, more than half of it in the upsampler, whose last 64 channels live on HR pixels.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from localsr.models.backbone import Backbone, Features
from localsr.models.config import ModelConfig
from localsr.models.layers import BlockStage, PixelShuffles, ResidualBlock, conv3x3


def leaky(z: Tensor) -> Tensor:
    """Apply a leaky ReLU with slope 0.1 below zero."""
    return functional.leaky_relu(z, 0.1)


class SRResNetHead(nn.Module):
    """The head; its carry is the LR picture."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = conv3x3(3, channels)

    def forward(self, x: Tensor) -> Features:
        """Turn colours `(B, 3, h, w)` into features."""
        return Features(leaky(self.conv(x)), (x,))


class SRResNetUpsampler(nn.Module):
    """The upsampler: enlarge, refine at HR size, and add the picture enlarged by bilinear interpolation."""

    def __init__(self, channels: int, scale: int) -> None:
        super().__init__()
        self.scale = float(scale)
        self.shuffles = PixelShuffles(channels, scale, activation=leaky)
        self.refine = conv3x3(channels, channels)
        self.conv = conv3x3(channels, 3)

    def forward(self, features: Features) -> Tensor:
        """Turn features into HR pixels `(B, 3, s h, s w)`."""
        y: Tensor = self.conv(leaky(self.refine(self.shuffles(features.z))))
        return y + functional.interpolate(features.carry[0], scale_factor=self.scale, mode="bilinear")


class SRResNet(Backbone):
    """SRResNet: residual blocks. It has no tail: its last stage ends it."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        c, blocks = config.channels, config.blocks
        self.head = SRResNetHead(c)
        self.stages = nn.ModuleList(
            BlockStage(*(ResidualBlock(c) for _ in range(blocks))) for _ in range(config.stages)
        )
        self.tail = nn.Identity()
        self.upsample = SRResNetUpsampler(c, config.scale)
        self.receptive_field = (1, *([2 * blocks] * config.stages), 2)  # upsampler: 1 + 1/2 + 1/4 + 1/4
