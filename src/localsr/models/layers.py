"""The pieces that several backbones share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from torch import Tensor, nn
from torch.nn import functional

from localsr.models.backbone import Features

RGB_MEAN = (0.4488, 0.4371, 0.4040)  # of DIV2K, as the authors of CARN, RCAN and SwinIR subtract it
Conv = TypeVar("Conv", nn.Conv2d, nn.ConvTranspose2d)
FACTORS: dict[int, tuple[int, ...]] = {
    1: (),
    2: (2,),
    3: (3,),
    4: (2, 2),
    8: (2, 2, 2),
}  # of the steps that make a scale


def conv3x3(inputs: int, outputs: int, groups: int = 1) -> nn.Conv2d:
    """Make a 3x3 convolution that keeps the size, zero outside the picture."""
    return nn.Conv2d(inputs, outputs, 3, padding=1, groups=groups)


def zeroed(conv: Conv) -> Conv:
    """Start a convolution as ControlNet's zero convolution: it gives nothing until it has learned."""
    nn.init.zeros_(conv.weight)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return conv


def mean_colour(like: Tensor) -> Tensor:
    """Give `RGB_MEAN` as `(3, 1, 1)`."""
    return like.new_tensor(RGB_MEAN).view(3, 1, 1)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around a ReLU, added to their input."""

    def __init__(self, channels: int, groups: int = 1) -> None:
        """Build at one width."""
        super().__init__()
        self.conv1 = conv3x3(channels, channels, groups)
        self.conv2 = conv3x3(channels, channels, groups)

    def forward(self, z: Tensor) -> Tensor:
        """`(B, c, h, w)` to the same shape."""
        y: Tensor = self.conv2(functional.relu(self.conv1(z), inplace=True))
        return y.add_(z)


class BlockStage(nn.Sequential):
    """A stage that is blocks in a row."""

    def forward(self, features: Features) -> Features:
        """Refine z; the carry passes by."""
        z = features.z
        for block in self:
            z = block(z)
        return features._replace(z=z)


class LongSkip(nn.Module):
    """A tail that ends the residual learning of all stages."""

    def __init__(self, channels: int, groups: int = 1) -> None:
        """Build at one width."""
        super().__init__()
        self.conv = conv3x3(channels, channels, groups)

    def forward(self, features: Features) -> Features:
        """Add the carry's first map, which the head saw."""
        return features._replace(z=features.carry[0] + self.conv(features.z))


class PixelShuffles(nn.Module):
    """Enlarge by pixel shuffles, each after a 3x3 convolution: one by 2 or 3, or two by 2."""

    def __init__(
        self, channels: int, scale: int, groups: int = 1, activation: Callable[[Tensor], Tensor] | None = None
    ) -> None:
        """Build for one scale; `activation` follows each convolution."""
        super().__init__()
        self.factors, self.activation = FACTORS[scale], activation
        self.convs = nn.ModuleList(conv3x3(channels, channels * f * f, groups) for f in self.factors)

    def forward(self, z: Tensor) -> Tensor:
        """`(B, c, h, w)` to `(B, c, s h, s w)`."""
        for conv, factor in zip(self.convs, self.factors, strict=True):
            z = conv(z)
            z = functional.pixel_shuffle(z if self.activation is None else self.activation(z), factor)
        return z


class CentredHead(nn.Module):
    """A head of CARN and RCAN: colours less their mean to features, which are the carry too."""

    def __init__(self, channels: int) -> None:
        """Build at one width."""
        super().__init__()
        self.conv = conv3x3(3, channels)

    def forward(self, x: Tensor) -> Features:
        """Subtract the mean colour and widen."""
        z = self.conv(x - mean_colour(x))
        return Features(z, (z,))


class ShuffleUpsampler(nn.Module):
    """An upsampler of CARN and RCAN: enlarge, then back to colours."""

    def __init__(
        self, channels: int, scale: int, groups: int = 1, activation: Callable[[Tensor], Tensor] | None = None
    ) -> None:
        """Build for one scale."""
        super().__init__()
        self.shuffles = PixelShuffles(channels, scale, groups, activation)
        self.conv = conv3x3(channels, 3)

    def forward(self, features: Features) -> Tensor:
        """Features to HR pixels."""
        y: Tensor = self.conv(self.shuffles(features.z))
        return y + mean_colour(y)
