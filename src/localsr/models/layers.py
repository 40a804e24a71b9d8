"""The pieces that several backbones share."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


def conv3x3(inputs: int, outputs: int, groups: int = 1) -> nn.Conv2d:
    """Make a 3x3 convolution that keeps the size, zero outside the picture."""
    return nn.Conv2d(inputs, outputs, 3, padding=1, groups=groups)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around a ReLU, added to their input."""

    def __init__(self, channels: int, groups: int = 1) -> None:
        """Build at one width."""
        super().__init__()
        self.conv1 = conv3x3(channels, channels, groups)
        self.conv2 = conv3x3(channels, channels, groups)

    def forward(self, z: Tensor) -> Tensor:
        """`(B, c, h, w)` to the same shape."""
        y: Tensor = self.conv2(functional.relu(self.conv1(z)))
        return z + y
