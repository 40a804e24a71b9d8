"""RCAN (Zhang et al. 2018, the paper's [36]): residual groups of residual blocks with channel attention.

Channel attention averages over everything it is given, so `crop`, `halo` and `full` differ even within their halos, and
no halo smaller than the whole picture is exact. `full` gives it the box and 414 px around, as far as the convolutions
see; for the box of a whole picture, up to 2.7 megapixels, that is the picture, as in the paper. Larger boxes, by any
strategy, are computed in tiles of 828 px with 414 px around them, each with averages of its own. At 31.9 MFLOPs per LR
px (x4), nearly all of them in the groups, each pixel of halo is expensive.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from localsr.models.backbone import Backbone, Features
from localsr.models.config import ModelConfig
from localsr.models.layers import CentredHead, LongSkip, ShuffleUpsampler, conv3x3


class ChannelAttention(nn.Module):
    """Scale each channel by a weight that follows from the averages of all channels."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        inner = max(channels // reduction, 1)
        self.squeeze, self.excite = nn.Conv2d(channels, inner, 1), nn.Conv2d(inner, channels, 1)

    def forward(self, z: Tensor) -> Tensor:
        """Refine `(B, c, h, w)`."""
        y: Tensor = self.excite(functional.relu(self.squeeze(z.mean((2, 3), keepdim=True))))
        return z * y.sigmoid()


class RcanBlock(nn.Module):
    """RCAB: two convolutions and channel attention, added to their input; in the PIM, which is local, without it."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        c = config.channels
        self.conv1, self.conv2 = conv3x3(c, c), conv3x3(c, c)
        self.attention = ChannelAttention(c, config.reduction) if config.pooled else nn.Identity()

    def forward(self, z: Tensor) -> Tensor:
        """Refine `(B, c, h, w)`."""
        y: Tensor = self.attention(self.conv2(functional.relu(self.conv1(z))))
        return z + y


class RcanGroup(nn.Module):
    """A residual group: blocks and a convolution, added to their input."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(RcanBlock(config) for _ in range(config.blocks)))
        self.conv = conv3x3(config.channels, config.channels)

    def forward(self, features: Features) -> Features:
        """Refine z; the carry stays as it is."""
        return features._replace(z=features.z + self.conv(self.blocks(features.z)))


class RCAN(Backbone):
    """RCAN, residual in residual: groups, the long skip, the upsampler."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        c = config.channels
        self.head = CentredHead(c)
        self.stages = nn.ModuleList(RcanGroup(config) for _ in range(config.stages))
        self.tail = LongSkip(c)
        self.upsample = ShuffleUpsampler(c, config.scale)
        field = 2 * config.blocks + 1
        self.receptive_field = (1, *([field] * config.stages), 3)  # tail, upsampler: 1 + 1 + 1/2 + 1/4, rounded up
