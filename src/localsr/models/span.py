"""SPAN (Wan et al. 2024): plain convolutions whose results say themselves, without parameters, where they matter.

The authors train each 3x3 convolution as five that add up to one; here it is that one. At x4 and 48 channels: 0.82
MFLOPs per LR pixel, 21 px of exact halo.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from localsr.models.backbone import Backbone, Features
from localsr.models.config import ModelConfig
from localsr.models.layers import CentredHead, conv3x3


class AttentionBlock(nn.Module):
    """Three convolutions and the skip, scaled place by place by how far the last result is from nothing."""

    def __init__(self, channels: int) -> None:
        """Build at one width."""
        super().__init__()
        self.convs = nn.ModuleList(conv3x3(channels, channels) for _ in range(3))

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Map `(B, c, h, w)` to the same shape, and return what the first convolution gave, too."""
        first = functional.silu(self.convs[0](z))
        y = self.convs[2](functional.silu(self.convs[1](first)))
        return (y + z) * (y.sigmoid() - 0.5), first


class SpanStage(nn.Module):
    """Blocks, one after the other; the carry learns what the network's first and last block say."""

    def __init__(self, config: ModelConfig, index: int) -> None:
        """Build stage `index`, counted from 0."""
        super().__init__()
        self.blocks = nn.ModuleList(AttentionBlock(config.channels) for _ in range(config.blocks))
        self.is_first, self.is_last = index == 0, index == config.stages - 1

    def forward(self, features: Features) -> Features:
        """Refine z."""
        z, carry, inner = features.z, features.carry, features.z
        for k, block in enumerate(self.blocks):
            z, inner = block(z)
            if self.is_first and k == 0:
                carry = (*carry, z)
        return Features(z, (*carry, inner) if self.is_last else carry)


class SpanHead(CentredHead):
    """Colours to features, less their mean or as they are."""

    def __init__(self, channels: int, *, centred: bool) -> None:
        """Build at one width."""
        super().__init__(channels)
        self.centred = centred

    def forward(self, x: Tensor) -> Features:
        """Widen; the features are the carry too."""
        if self.centred:
            return super().forward(x)
        z = self.conv(x)
        return Features(z, (z,))


class SpanTail(nn.Module):
    """The tail joins what the head, the last stage, the first block and the inside of the last block say."""

    def __init__(self, channels: int) -> None:
        """Build at one width."""
        super().__init__()
        self.conv, self.join = conv3x3(channels, channels), nn.Conv2d(4 * channels, channels, 1)

    def forward(self, features: Features) -> Features:
        """Bring z and the carry back to one width."""
        head, early, late = features.carry
        return features._replace(z=self.join(torch.cat([head, self.conv(features.z), early, late], dim=1)))


class SpanUpsampler(nn.Module):
    """One convolution to the colours of all HR pixels."""

    def __init__(self, channels: int, scale: int) -> None:
        """Build for one scale."""
        super().__init__()
        self.scale, self.conv = scale, conv3x3(channels, 3 * scale**2)

    def forward(self, features: Features) -> Tensor:
        """Map features to HR pixels; no colour is added."""
        return functional.pixel_shuffle(self.conv(features.z), self.scale)


class SPAN(Backbone):
    """Stages of attention blocks, the tail that joins, one pixel shuffle."""

    def __init__(self, config: ModelConfig) -> None:
        """Build at the config's width, stages and blocks."""
        super().__init__(config)
        c = config.channels
        self.head = SpanHead(c, centred=config.centred)
        self.stages = nn.ModuleList(SpanStage(config, k) for k in range(config.stages))
        self.tail = SpanTail(c)
        self.upsample = SpanUpsampler(c, config.scale)
        self.receptive_field = (1, *([3 * config.blocks] * config.stages), 2)
