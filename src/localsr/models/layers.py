"""The pieces that several backbones share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from localsr.models.backbone import Features

RGB_MEAN = (0.4488, 0.4371, 0.4040)  # of DIV2K; the authors of CARN, RCAN and SwinIR subtract it
Conv = TypeVar("Conv", nn.Conv2d, nn.ConvTranspose2d)
# The pixel shuffles, or other steps, that make up a scale.
SHUFFLE_FACTORS: dict[int, tuple[int, ...]] = {1: (), 2: (2,), 3: (3,), 4: (2, 2), 8: (2, 2, 2)}


def conv3x3(inputs: int, outputs: int, groups: int = 1) -> nn.Conv2d:
    """Return a 3x3 convolution that keeps the size, with zeros beyond the picture."""
    return nn.Conv2d(inputs, outputs, 3, padding=1, groups=groups)


def zeroed(conv: Conv) -> Conv:
    """Set a convolution to zero and return it: it adds nothing until it is trained (as in ControlNet)."""
    nn.init.zeros_(conv.weight)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return conv


def mean_colour(like: Tensor) -> Tensor:
    """Return `RGB_MEAN`, `(3, 1, 1)`, of the type and on the device of a tensor."""
    return like.new_tensor(RGB_MEAN).view(3, 1, 1)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with a ReLU between them, added to their input.

    With pixel attention (Zhao et al. 2020) what is added is weighed place by place and channel by channel, from 0 to 2
    and at first by 1, by a 1x1 convolution of itself.
    """

    def __init__(self, channels: int, groups: int = 1, *, attention: bool = False) -> None:
        super().__init__()
        self.conv1 = conv3x3(channels, channels, groups)
        self.conv2 = conv3x3(channels, channels, groups)
        self.attention = zeroed(nn.Conv2d(channels, channels, 1)) if attention else None

    def forward(self, z: Tensor) -> Tensor:
        """Refine `(B, c, h, w)`."""
        y: Tensor = self.conv2(functional.relu(self.conv1(z), inplace=True))
        if self.attention is None:
            return y.add_(z)
        return torch.addcmul(z, y, self.attention(y).sigmoid(), value=2)


class BlockStage(nn.Sequential):
    """A stage made of blocks, one after the other."""

    def forward(self, features: Features) -> Features:
        """Refine z; the carry stays as it is."""
        z = features.z
        for block in self:
            z = block(z)
        return features._replace(z=z)


class LongSkip(nn.Module):
    """A tail: a convolution, added to what the head saw, so that all stages learn a residual."""

    def __init__(self, channels: int, groups: int = 1) -> None:
        super().__init__()
        self.conv = conv3x3(channels, channels, groups)

    def forward(self, features: Features) -> Features:
        """Add the carry's first map to the convolved features."""
        return features._replace(z=features.carry[0] + self.conv(features.z))


class PixelShuffles(nn.Module):
    """Enlarge by pixel shuffles, each after a 3x3 convolution: one by 2 or 3, or two by 2 for x4."""

    def __init__(
        self, channels: int, scale: int, groups: int = 1, activation: Callable[[Tensor], Tensor] | None = None
    ) -> None:
        super().__init__()
        self.factors, self.activation = SHUFFLE_FACTORS[scale], activation
        self.convs = nn.ModuleList(conv3x3(channels, channels * f * f, groups) for f in self.factors)

    def forward(self, z: Tensor) -> Tensor:
        """Enlarge `(B, c, h, w)` to `(B, c, s h, s w)`."""
        for conv, factor in zip(self.convs, self.factors, strict=True):
            z = conv(z)
            z = functional.pixel_shuffle(z if self.activation is None else self.activation(z), factor)
        return z


class CentredHead(nn.Module):
    """The head of CARN and RCAN: it subtracts the mean colour; the features are the carry too."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = conv3x3(3, channels)

    def forward(self, x: Tensor) -> Features:
        """Turn colours `(B, 3, h, w)` into features."""
        z = self.conv(x - mean_colour(x))
        return Features(z, (z,))


class ShuffleUpsampler(nn.Module):
    """The upsampler of CARN and RCAN: pixel shuffles, then one convolution to colours."""

    def __init__(
        self, channels: int, scale: int, groups: int = 1, activation: Callable[[Tensor], Tensor] | None = None
    ) -> None:
        super().__init__()
        self.shuffles = PixelShuffles(channels, scale, groups, activation)
        self.conv = conv3x3(channels, 3)

    def forward(self, features: Features) -> Tensor:
        """Turn features into HR pixels `(B, 3, s h, s w)`."""
        y: Tensor = self.conv(self.shuffles(features.z))
        return y + mean_colour(y)
