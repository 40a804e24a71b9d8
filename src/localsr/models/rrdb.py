"""RRDBNet of ESRGAN and Real-ESRGAN (Wang et al. 2018, 2021): residual in residual dense blocks without batch norm.

A deep network: each block of three dense blocks looks 15 LR px further, so that the 23 blocks of x4plus see 349 px, of
which they need about 80. At x4, with 64 channels and a growth of 32, a block costs 1.44 MFLOPs per LR pixel. For x2
and x1 they may take squares of 2 x 2 or 4 x 4 pixels as one (`unshuffle`), and see and need as many times more.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from localsr.models.backbone import Backbone, Features
from localsr.models.config import ModelConfig
from localsr.models.layers import SHUFFLE_FACTORS, BlockStage, LongSkip, conv3x3

RESIDUAL_SCALE = 0.2  # of what a dense block, and three of them, add to their input
SLOPE = 0.2  # of the leaky ReLU


def leaky_relu(z: Tensor) -> Tensor:
    """Apply ESRGAN's leaky ReLU in place."""
    return functional.leaky_relu(z, SLOPE, inplace=True)


class DenseBlock(nn.Module):
    """Five 3x3 convolutions, each of which reads the input and all that the ones before it gave."""

    def __init__(self, channels: int, growth: int) -> None:
        """Build with `growth` channels from each of the first four convolutions."""
        super().__init__()
        outputs = (growth, growth, growth, growth, channels)
        self.convs = nn.ModuleList(conv3x3(channels + k * growth, out) for k, out in enumerate(outputs))

    def forward(self, z: Tensor) -> Tensor:
        """Map `(B, c, h, w)` to the same shape."""
        known = z
        for conv in self.convs[:-1]:
            known = torch.cat([known, leaky_relu(conv(known))], dim=1)
        y: Tensor = self.convs[-1](known)
        return torch.add(z, y, alpha=RESIDUAL_SCALE)


class RRDB(nn.Module):
    """Three dense blocks, added to their input."""

    def __init__(self, channels: int, growth: int) -> None:
        """Build at one width and growth."""
        super().__init__()
        self.dense = nn.Sequential(*(DenseBlock(channels, growth) for _ in range(3)))

    def forward(self, z: Tensor) -> Tensor:
        """Map `(B, c, h, w)` to the same shape."""
        return torch.add(z, self.dense(z), alpha=RESIDUAL_SCALE)


class RRDBHead(nn.Module):
    """Colours to features, which the long skip carries."""

    def __init__(self, channels: int, unshuffle: int) -> None:
        """Build at one width, for squares of `unshuffle` pixels."""
        super().__init__()
        self.unshuffle = unshuffle
        self.conv = conv3x3(3 * unshuffle**2, channels)

    def forward(self, x: Tensor) -> Features:
        """Widen; unlike the paper's backbones, no mean colour is subtracted."""
        z = self.conv(functional.pixel_unshuffle(x, self.unshuffle) if self.unshuffle > 1 else x)
        return Features(z, (z,))


class NearestUpsample(nn.Module):
    """Enlarge by repeating pixels, a convolution after each step; then two more at full size."""

    def __init__(self, channels: int, scale: int) -> None:
        """Build for one scale."""
        super().__init__()
        self.factors = SHUFFLE_FACTORS[scale]
        self.convs = nn.ModuleList(conv3x3(channels, channels) for _ in self.factors)
        self.refine = conv3x3(channels, channels)
        self.conv = conv3x3(channels, 3)

    def forward(self, features: Features) -> Tensor:
        """Map features to HR pixels."""
        z = features.z
        for conv, factor in zip(self.convs, self.factors, strict=True):
            z = leaky_relu(conv(functional.interpolate(z, scale_factor=float(factor), mode="nearest")))
        y: Tensor = self.conv(leaky_relu(self.refine(z)))
        return y


class RRDBNet(Backbone):
    """Stages of RRDBs, the long skip, the upsampler."""

    def __init__(self, config: ModelConfig) -> None:
        """Build at the config's width, growth, stages and blocks."""
        super().__init__(config)
        c, growth, blocks, unit = config.channels, config.growth, config.blocks, config.unshuffle
        self.multiple = self.unit = unit
        self.head = RRDBHead(c, unit)
        self.stages = nn.ModuleList(BlockStage(*(RRDB(c, growth) for _ in range(blocks))) for _ in range(config.stages))
        self.tail = LongSkip(c)
        self.upsample = NearestUpsample(c, config.scale * unit)
        # Tail and upsampler: 1 place, then by x4 1/2 + 1/4 + 1/4 + 1/4, by x2 1/2 + 1/2 + 1/2, by x1 1 + 1, rounded up.
        self.receptive_field = (unit, *([15 * blocks * unit] * config.stages), 3 * unit)
