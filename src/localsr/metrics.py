"""How far a restored picture is from the original: PSNR and SSIM as the field computes them."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics.functional.image import peak_signal_noise_ratio

SSIM_WINDOW = 11  # px, its side
MAX_PSNR = 100.0  # dB, for a picture without any error; infinity would make a mean useless


def levels(pixels: Tensor) -> Tensor:
    """Round `(..., h, w)` in [0, 1] to 8-bit levels, 0 to 255, as a saved picture holds them."""
    return pixels.mul(255).add(0.5).floor().clamp(0, 255)


def luma(rgb: Tensor) -> Tensor:
    """Return the luma Y `(..., 1, h, w)` in [16, 235] of RGB levels `(..., 3, h, w)`: BT.601, as MATLAB's rgb2ycbcr."""
    weights = rgb.new_tensor([65.481, 128.553, 24.966]).view(3, 1, 1)
    return 16 + (rgb * weights).sum(-3, keepdim=True) / 255


def psnr(restored: Tensor, original: Tensor) -> Tensor:
    """Return the PSNR in dB `(n,)` of pictures `(n, c, h, w)` in levels; no border is cropped (Sec. 4.1)."""
    found = peak_signal_noise_ratio(
        restored.double(), original.double(), data_range=255.0, reduction="none", dim=(1, 2, 3)
    )
    return found.clamp(max=MAX_PSNR)


def ssim(restored: Tensor, original: Tensor) -> Tensor:
    """Return the SSIM `(n,)` of pictures `(n, 1, h, w)` in levels: Gaussian window of 11 px, sigma 1.5 (Wang 2004).

    The mean is over windows that lie within the picture, as in Wang's and MATLAB's code; NaN for a picture smaller than
    a window. Computed by scikit-image: torchmetrics makes the same map in 40 times the time, and its mean counts a
    mirrored border.
    """
    from skimage.metrics import structural_similarity  # not needed to train

    if min(restored.shape[-2:]) < SSIM_WINDOW:
        return restored.new_full((len(restored),), torch.nan, dtype=torch.float64)
    wang = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    one, other = (part[:, 0].double().cpu().numpy() for part in (restored, original))
    found = [structural_similarity(a, b, **wang) for a, b in zip(one, other, strict=True)]  # type: ignore[no-untyped-call]
    return torch.tensor(found)


def psnr_y(restored: Tensor, original: Tensor) -> float:
    """Return the PSNR in dB of the luma of two RGB pictures `(3, h, w)` in levels."""
    return float(psnr(luma(restored)[None], luma(original)[None]))


def stitch(parts: Tensor, columns: int) -> Tensor:
    """Stitch cells `(n, c, h, w)`, given row by row, into one picture `(c, H, W)`."""
    n, c, h, w = parts.shape
    return parts.view(n // columns, columns, c, h, w).permute(2, 0, 3, 1, 4).reshape(c, -1, columns * w)
