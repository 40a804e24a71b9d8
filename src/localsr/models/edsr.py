"""A small EDSR (Lim et al. 2017, the paper's [17]): residual blocks without batch norm, one PixelShuffle at the end.

The default network. It differs from EDSR-baseline in its upsampler (one 3x3 convolution straight to 3 s^2 channels, 5 %
of the cost instead of half of it) and in the bicubic picture that its output is added to.
"""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import torch
from torch import Tensor, nn
from torch.amp import is_autocast_available
from torch.nn import functional

from localsr.models.backbone import Backbone, Features
from localsr.models.config import ModelConfig
from localsr.models.layers import SHUFFLE_FACTORS, BlockStage, LongSkip, ResidualBlock, conv3x3
from localsr.resize import cubic


class EdsrHead(nn.Module):
    """The head. Its carry is the features, for the long skip, and the LR picture, for bicubic enlargement."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = conv3x3(3, channels)

    def forward(self, x: Tensor) -> Features:
        """Turn colours `(B, 3, h, w)`, less 0.5, into features."""
        z = self.conv(x - 0.5)
        return Features(z, (z, x))


class EdsrUpsampler(nn.Module):
    """The upsampler: details, added to the picture enlarged by bicubic.

    Bicubic enlargement by a whole factor is a convolution of each colour before the same pixel shuffle; it takes a
    seventh of the time of `interpolate`.
    """

    def __init__(self, channels: int, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.conv = conv3x3(channels, 3 * scale**2)

    def forward(self, features: Features) -> Tensor:
        """Turn features into HR pixels `(B, 3, s h, s w)`."""
        details = self.conv(features.z)
        lr = functional.pad(features.carry[1], (2, 2, 2, 2), mode="replicate")
        kind = lr.device.type
        # in full precision: bf16 has 8 bits, too few for the levels of the picture
        with torch.autocast(kind, enabled=False) if is_autocast_available(kind) else nullcontext():
            picture = functional.conv2d(lr, BICUBIC_KERNELS[self.scale].to(lr.device), groups=3)
        return functional.pixel_shuffle(picture.add_(details), self.scale)


def bicubic_kernel(scale: int) -> Tensor:
    """Return weights `(3 scale^2, 1, 5, 5)` of a convolution of 3 groups that is torch's bicubic, a = -0.75."""
    phases = (np.arange(scale) + 0.5) / scale - 0.5  # LR px from the centre of an LR pixel
    taps = torch.from_numpy(cubic(phases[:, None] - np.arange(-2, 3), -0.75))
    kernel = taps[:, None, :, None] * taps[None, :, None, :]
    return kernel.reshape(scale**2, 1, 5, 5).repeat(3, 1, 1, 1).float()


BICUBIC_KERNELS = {scale: bicubic_kernel(scale) for scale in SHUFFLE_FACTORS}


class EDSR(Backbone):
    """EDSR: stages of residual blocks, a long skip over all of them, and one pixel shuffle."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        c, groups, blocks = config.channels, config.groups, config.blocks
        self.head = EdsrHead(c)
        self.stages = nn.ModuleList(
            BlockStage(*(ResidualBlock(c, groups, attention=config.pixel_attention) for _ in range(blocks)))
            for _ in range(config.stages)
        )
        self.tail = LongSkip(c, groups)
        self.upsample = EdsrUpsampler(c, config.scale)
        self.receptive_field = (1, *([2 * blocks] * config.stages), 2)  # tail and upsampler, 1 each; bicubic sees 2 too
