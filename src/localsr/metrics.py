"""How far a restored picture is from the original, in the field's numbers; torchmetrics does the arithmetic."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure


def levels(pixels: Tensor) -> Tensor:
    """Round `(..., h, w)` in [0, 1] to whole 8-bit levels, 0 to 255: what a saved picture holds."""
    return pixels.mul(255).add(0.5).floor().clamp(0, 255)


def luma(rgb: Tensor) -> Tensor:
    """Give Y `(..., 1, h, w)` in [16, 235] of RGB levels `(..., 3, h, w)`: ITU-R BT.601, as MATLAB's rgb2ycbcr."""
    weights = rgb.new_tensor([65.481, 128.553, 24.966]).view(3, 1, 1)
    return 16 + (rgb * weights).sum(-3, keepdim=True) / 255


def psnr(restored: Tensor, original: Tensor) -> float:
    """Give the peak signal-to-noise ratio in dB of two pictures in levels; no border is cropped (Sec. 4.1)."""
    return float(peak_signal_noise_ratio(restored.double(), original.double(), data_range=255.0))


def ssim(restored: Tensor, original: Tensor) -> float:
    """Give the structural similarity of two `(1, h, w)` in levels: Gaussian window of 11, sigma 1.5 (Wang 2004).

    In float64: float32 takes a tenth of the time, but is up to 3e-4 off where a picture is bright and flat.
    """
    value = structural_similarity_index_measure(
        restored.double()[None], original.double()[None], sigma=1.5, data_range=255.0
    )
    assert isinstance(value, Tensor)
    return float(value)


def psnr_y(restored: Tensor, original: Tensor) -> float:
    """Give the PSNR of the luma of two RGB pictures in levels."""
    return psnr(luma(restored), luma(original))


def stack(parts: list[Tensor], columns: int) -> Tensor:
    """Stitch equal cells, row by row, into one picture."""
    rows = [torch.cat(parts[k : k + columns], dim=-1) for k in range(0, len(parts), columns)]
    return torch.cat(rows, dim=-2)
