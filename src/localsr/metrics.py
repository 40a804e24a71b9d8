"""How far a restored picture is from the original, in the field's numbers; torchmetrics does the arithmetic."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

WINDOW = 11  # px, side of SSIM's
BEST = 100.0  # dB, of what is restored without any error: an infinite one would make a mean of no use


def levels(pixels: Tensor) -> Tensor:
    """Round `(..., h, w)` in [0, 1] to whole 8-bit levels, 0 to 255: what a saved picture holds."""
    return pixels.mul(255).add(0.5).floor().clamp(0, 255)


def luma(rgb: Tensor) -> Tensor:
    """Give Y `(..., 1, h, w)` in [16, 235] of RGB levels `(..., 3, h, w)`: ITU-R BT.601, as MATLAB's rgb2ycbcr."""
    weights = rgb.new_tensor([65.481, 128.553, 24.966]).view(3, 1, 1)
    return 16 + (rgb * weights).sum(-3, keepdim=True) / 255


def psnr(restored: Tensor, original: Tensor) -> Tensor:
    """Give the peak signal-to-noise ratio in dB `(n,)` of `(n, c, h, w)` in levels; no border is cropped (Sec. 4.1)."""
    found = peak_signal_noise_ratio(
        restored.double(), original.double(), data_range=255.0, reduction="none", dim=(1, 2, 3)
    )
    return found.clamp(max=BEST)


def ssim(restored: Tensor, original: Tensor) -> Tensor:
    """Give the structural similarity `(n,)` of `(n, 1, h, w)` in levels: Gaussian window of 11, sigma 1.5 (Wang 2004).

    The mean is over windows that lie within, as Wang's and MATLAB's; there is none in what is smaller than one: NaN.
    In float64: float32 takes a tenth of the time, but is up to 3e-4 off where a picture is bright and flat.
    """
    if min(restored.shape[-2:]) < WINDOW:
        return restored.new_full((len(restored),), torch.nan)
    found = structural_similarity_index_measure(
        restored.double(), original.double(), sigma=1.5, data_range=255.0, reduction="none", return_full_image=True
    )
    assert isinstance(found, tuple)
    edge = WINDOW // 2
    return found[1][..., edge:-edge, edge:-edge].mean((1, 2, 3))


def psnr_y(restored: Tensor, original: Tensor) -> float:
    """Give the PSNR of the luma of two RGB pictures `(3, h, w)` in levels."""
    return float(psnr(luma(restored)[None], luma(original)[None]))


def stack(parts: Tensor, columns: int) -> Tensor:
    """Stitch equal cells `(n, c, h, w)`, row by row, into one picture `(c, H, W)`."""
    n, c, h, w = parts.shape
    return parts.view(n // columns, columns, c, h, w).permute(2, 0, 3, 1, 4).reshape(c, -1, columns * w)
