"""SwinIR (Liang et al. 2021, the paper's [16]): stages of window attention.

Windows lie on a grid of 8 LR px that starts at the corner of what the network is given, whose sides are multiples of 8;
in every other layer they are shifted by half a window.
Table 1's lightweight row is the classical `pixelshuffle` upsampler at 60 channels; the authors' own lightweight
network has `pixelshuffledirect`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from localsr.errors import ConfigError
from localsr.models.backbone import Backbone, Features
from localsr.models.config import ModelConfig
from localsr.models.layers import PixelShuffles, conv3x3, mean_colour

WINDOW = 8  # LR px of a side
SHIFT = WINDOW // 2
MLP_RATIO = 2


class WindowAttention(nn.Module):
    """Self-attention within each window, with a learned bias for each relative position of two pixels."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.proj = nn.Linear(channels, 3 * channels), nn.Linear(channels, channels)
        self.table = nn.Parameter(torch.zeros((2 * WINDOW - 1) ** 2, heads))
        nn.init.trunc_normal_(self.table, std=0.02)

    def forward(self, windows: Tensor, mask: Tensor | None) -> Tensor:
        """Refine windows `(n, 64, c)`; `mask` `(n, 1, 64, 64)` is minus infinity for two pixels that must not meet."""
        n, t, c = windows.shape
        q, k, v = self.qkv(windows).view(n, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        bias = self.table[_relative(self.table.device)].permute(2, 0, 1)[None]  # (1, heads, 64, 64)
        bias = (bias if mask is None else bias + mask).to(q.dtype)
        y = functional.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        out: Tensor = self.proj(y.transpose(1, 2).reshape(n, t, c))
        return out


class SwinLayer(nn.Module):
    """A transformer layer: attention in windows, shifted or not, then an MLP on each pixel."""

    def __init__(self, channels: int, heads: int, shift: int) -> None:
        super().__init__()
        self.shift = shift
        self.norm1, self.norm2 = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.attention = WindowAttention(channels, heads)
        self.mlp = nn.Sequential(
            nn.Linear(channels, MLP_RATIO * channels), nn.GELU(), nn.Linear(MLP_RATIO * channels, channels)
        )

    def forward(self, y: Tensor, mask: Tensor) -> Tensor:
        """Refine `(B, h, w, c)`."""
        y = y + self._attend(self.norm1(y), mask)
        z: Tensor = y + self.mlp(self.norm2(y))
        return z

    def _attend(self, y: Tensor, mask: Tensor) -> Tensor:
        """Attend within windows; shifted ones wrap around, and the mask keeps the picture's two ends apart."""
        b, h, w, _ = y.shape
        if not self.shift:
            return _joined(self.attention(_windows(y), None), b, h, w)
        windows = _windows(y.roll((-self.shift, -self.shift), (1, 2)))
        found = self.attention(windows, mask.repeat(b, 1, 1, 1))
        return _joined(found, b, h, w).roll((self.shift, self.shift), (1, 2))


class SwinStage(nn.Module):
    """RSTB, a residual Swin transformer block: layers and a convolution, added to their input."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        c, heads = config.channels, config.heads
        self.blocks = nn.ModuleList(SwinLayer(c, heads, SHIFT * (k % 2)) for k in range(config.blocks))
        self.conv = conv3x3(c, c)

    def forward(self, features: Features) -> Features:
        """Refine z; the carry stays as it is."""
        y = features.z.permute(0, 2, 3, 1)
        mask = _mask(y.shape[1], y.shape[2], y.device)
        for block in self.blocks:
            y = block(y, mask)
        return features._replace(z=features.z + self.conv(y.permute(0, 3, 1, 2)))


class SwinHead(nn.Module):
    """The head: its carry is the features, z the same features normalised."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv, self.norm = conv3x3(3, channels), nn.LayerNorm(channels)

    def forward(self, x: Tensor) -> Features:
        """Turn colours `(B, 3, h, w)`, less their mean, into features."""
        z = self.conv(x - mean_colour(x))
        return Features(_normed(self.norm, z), (z,))


class SwinTail(nn.Module):
    """The tail: normalise, and add what the head saw."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm, self.conv = nn.LayerNorm(channels), conv3x3(channels, channels)

    def forward(self, features: Features) -> Features:
        """Add the carry to the normalised, convolved features."""
        return features._replace(z=features.carry[0] + self.conv(_normed(self.norm, features.z)))


class SwinUpsampler(nn.Module):
    """The classical upsampler (`pixelshuffle`)."""

    def __init__(self, channels: int, features: int, scale: int) -> None:
        super().__init__()
        self.narrow, self.shuffles = conv3x3(channels, features), PixelShuffles(features, scale)
        self.conv = conv3x3(features, 3)

    def forward(self, features: Features) -> Tensor:
        """Turn features into HR pixels `(B, 3, s h, s w)`."""
        y: Tensor = self.conv(self.shuffles(functional.leaky_relu(self.narrow(features.z))))
        return y + mean_colour(y)


class SwinDirectUpsampler(nn.Module):
    """The lightweight upsampler (`pixelshuffledirect`): one convolution to the colours of all HR pixels."""

    def __init__(self, channels: int, scale: int) -> None:
        super().__init__()
        self.scale, self.conv = scale, conv3x3(channels, 3 * scale**2)

    def forward(self, features: Features) -> Tensor:
        """Turn features into HR pixels `(B, 3, s h, s w)`."""
        y = functional.pixel_shuffle(self.conv(features.z), self.scale)
        return y + mean_colour(y)


class SwinIR(Backbone):
    """SwinIR: shallow features, RSTBs, the long skip, the upsampler."""

    multiple = WINDOW

    def __init__(self, config: ModelConfig) -> None:
        """Build at the config's width, stages and blocks; a block is a layer here."""
        super().__init__(config)
        c = config.channels
        if c % config.heads:
            raise ConfigError(f"{c} channels do not divide into SwinIR's {config.heads} heads")
        self.head = SwinHead(c)
        self.stages = nn.ModuleList(SwinStage(config) for _ in range(config.stages))
        self.tail = SwinTail(c)
        direct = config.upsampler == "pixelshuffledirect"
        self.upsample: nn.Module = (
            SwinDirectUpsampler(c, config.scale) if direct else SwinUpsampler(c, config.features, config.scale)
        )
        # A pixel that the head reads beyond a border changes a whole window, every two layers one more window; what a
        # stage's convolution sees further, one pixel, lies in the window that the next stage changes.
        field = WINDOW * ((config.blocks + 1) // 2)
        self.receptive_field = (WINDOW, *([field] * config.stages), 4)  # tail, upsampler: 1 + 1 + 1 + 1/2 + 1/4


def _windows(y: Tensor) -> Tensor:
    """Cut `(B, h, w, c)` into windows `(B n, 64, c)`."""
    b, h, w, c = y.shape
    parts = y.view(b, h // WINDOW, WINDOW, w // WINDOW, WINDOW, c)
    return parts.transpose(2, 3).reshape(-1, WINDOW * WINDOW, c)


def _joined(windows: Tensor, b: int, h: int, w: int) -> Tensor:
    """Join windows `(B n, 64, c)` to `(B, h, w, c)`."""
    c = windows.shape[-1]
    parts = windows.view(b, h // WINDOW, w // WINDOW, WINDOW, WINDOW, c)
    return parts.transpose(2, 3).reshape(b, h, w, c)


def _relative(device: torch.device) -> Tensor:
    """Return the row of the bias table for each pair of pixels of a window, `(64, 64)`."""
    place = torch.arange(WINDOW * WINDOW, device=device)
    y, x = place // WINDOW, place % WINDOW
    down, right = y[:, None] - y, x[:, None] - x
    return (down + WINDOW - 1) * (2 * WINDOW - 1) + right + WINDOW - 1


def _mask(h: int, w: int, device: torch.device) -> Tensor:
    """Return `(n, 1, 64, 64)`: minus infinity for pairs of a shifted window that come from opposite ends, else 0."""
    far_down = torch.arange(h, device=device) >= h - SHIFT
    far_right = torch.arange(w, device=device) >= w - SHIFT
    region = _windows((2 * far_down[:, None] + far_right)[None, :, :, None])  # (n, 64, 1)
    apart = region != region.transpose(1, 2)
    return torch.zeros(apart.shape, device=device).masked_fill_(apart, float("-inf"))[:, None]


def _normed(norm: nn.Module, z: Tensor) -> Tensor:
    """Normalise `(B, c, h, w)` over its channels."""
    y: Tensor = norm(z.permute(0, 2, 3, 1))
    return y.permute(0, 3, 1, 2)
