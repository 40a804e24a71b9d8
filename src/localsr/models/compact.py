"""SRVGGNetCompact of Real-ESRGAN (Wang et al. 2021): a chain of 3x3 convolutions, one pixel shuffle, the LR as skip.

At x4, 64 channels and 16 convolutions: 1.24 MFLOPs per LR pixel, 18 px of exact halo.
"""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn
from torch.nn import functional

from localsr.models.backbone import Backbone, Features
from localsr.models.config import ModelConfig
from localsr.models.layers import BlockStage, conv3x3


def activation(kind: str, channels: int) -> nn.Module:
    """Build one of `ACTIVATIONS` for maps of `channels`."""
    if kind == "prelu":
        return nn.PReLU(channels)
    return nn.ReLU(inplace=True) if kind == "relu" else nn.LeakyReLU(0.1, inplace=True)


class ActivatedConv(nn.Module):
    """A 3x3 convolution and what is not linear after it."""

    def __init__(self, inputs: int, outputs: int, kind: str) -> None:
        """Build at one width."""
        super().__init__()
        self.conv = conv3x3(inputs, outputs)
        self.activation = activation(kind, outputs)

    def forward(self, z: Tensor) -> Tensor:
        """Map `(B, inputs, h, w)` to `(B, outputs, h, w)`."""
        return cast(Tensor, self.activation(self.conv(z)))


class CompactHead(nn.Module):
    """Colours to features; the carry is the LR picture, which the upsampler enlarges."""

    def __init__(self, channels: int, kind: str) -> None:
        """Build at one width."""
        super().__init__()
        self.widen = ActivatedConv(3, channels, kind)

    def forward(self, x: Tensor) -> Features:
        """Widen."""
        return Features(self.widen(x), (x,))


class NearestShuffle(nn.Module):
    """Details by one pixel shuffle, added to the LR picture with each pixel repeated."""

    def __init__(self, channels: int, scale: int) -> None:
        """Build for one scale."""
        super().__init__()
        self.scale = scale
        self.conv = conv3x3(channels, 3 * scale**2)

    def forward(self, features: Features) -> Tensor:
        """Map features to HR pixels."""
        details = functional.pixel_shuffle(self.conv(features.z), self.scale)
        return details + functional.interpolate(features.carry[0], scale_factor=float(self.scale), mode="nearest")


class Compact(Backbone):
    """Stages of activated convolutions; it ends with its last stage, so its tail is nothing."""

    def __init__(self, config: ModelConfig) -> None:
        """Build at the config's width, stages and blocks; a block is one convolution."""
        super().__init__(config)
        c, blocks, kind = config.channels, config.blocks, config.activation
        self.head = CompactHead(c, kind)
        self.stages = nn.ModuleList(
            BlockStage(*(ActivatedConv(c, c, kind) for _ in range(blocks))) for _ in range(config.stages)
        )
        self.tail = nn.Identity()
        self.upsample = NearestShuffle(c, config.scale)
        self.receptive_field = (1, *([blocks] * config.stages), 1)
