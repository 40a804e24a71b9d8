"""RCAN (Zhang et al. 2018, the paper's [36]): residual groups of residual blocks with channel attention.

Channel attention averages over all that it is given, so `crop`, `halo` and `full` differ by it beyond their halos, and
no halo but the whole picture is exact. `full` gives it the box with 414 px around, as far as the convolutions see: all
of a picture whose whole is asked for, as in the paper, up to 2.7 megapixels. Larger boxes, by any strategy, are made in
tiles of 828 px with 414 px around them, each with averages of its own. At 31.9 MFLOPs per LR px (x4), nearly all of it
in the groups, each pixel of halo is dear.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from localsr.models.backbone import Backbone, Features
from localsr.models.config import ModelConfig
from localsr.models.layers import CentredHead, LongSkip, ShuffleUpsampler, conv3x3


class ChannelAttention(nn.Module):
    """Scale each channel by what the averages of all channels say."""

    def __init__(self, channels: int, reduction: int) -> None:
        """Build at one width."""
        super().__init__()
        inner = max(channels // reduction, 1)
        self.squeeze, self.excite = nn.Conv2d(channels, inner, 1), nn.Conv2d(inner, channels, 1)

    def forward(self, z: Tensor) -> Tensor:
        """`(B, c, h, w)` to the same shape."""
        y: Tensor = self.excite(functional.relu(self.squeeze(z.mean((2, 3), keepdim=True))))
        return z * y.sigmoid()


class RcanBlock(nn.Module):
    """RCAB: two convolutions and channel attention, added to their input; without attention when it must be local."""

    def __init__(self, config: ModelConfig) -> None:
        """Build at one width."""
        super().__init__()
        c = config.channels
        self.conv1, self.conv2 = conv3x3(c, c), conv3x3(c, c)
        self.attention = ChannelAttention(c, config.reduction) if config.pooled else nn.Identity()

    def forward(self, z: Tensor) -> Tensor:
        """`(B, c, h, w)` to the same shape."""
        y: Tensor = self.attention(self.conv2(functional.relu(self.conv1(z))))
        return z + y


class RcanGroup(nn.Module):
    """A stage: a residual group."""

    def __init__(self, config: ModelConfig) -> None:
        """Build its blocks."""
        super().__init__()
        self.blocks = nn.Sequential(*(RcanBlock(config) for _ in range(config.blocks)))
        self.conv = conv3x3(config.channels, config.channels)

    def forward(self, features: Features) -> Features:
        """Refine z; the carry passes by."""
        return features._replace(z=features.z + self.conv(self.blocks(features.z)))


class RCAN(Backbone):
    """Residual in residual: groups, the long skip, the upsampler."""

    def __init__(self, config: ModelConfig) -> None:
        """Build at the config's width, stages and blocks."""
        super().__init__(config)
        c = config.channels
        self.head = CentredHead(c)
        self.stages = nn.ModuleList(RcanGroup(config) for _ in range(config.stages))
        self.tail = LongSkip(c)
        self.upsample = ShuffleUpsampler(c, config.scale)
        field = 2 * config.blocks + 1
        self.receptive_field = (
            1,
            *([field] * config.stages),
            3,
        )  # of tail and upsampler: 1 + 1 + 1/2 + 1/4, rounded up
