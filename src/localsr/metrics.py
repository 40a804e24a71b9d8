"""How far a restored picture is from the original, in the field's numbers."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics.functional.image import peak_signal_noise_ratio

SSIM_WINDOW = 11  # px, side of SSIM's
MAX_PSNR = 100.0  # dB, of what is restored without any error: an infinite one would make a mean of no use


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
    return found.clamp(max=MAX_PSNR)


def ssim(restored: Tensor, original: Tensor) -> Tensor:
    """Give the structural similarity `(n,)` of `(n, 1, h, w)` in levels: Gaussian window of 11, sigma 1.5 (Wang 2004).

    The mean is over windows that lie within, as Wang's and MATLAB's; there is none in what is smaller than one: NaN.
    By scikit-image: torchmetrics gives the same map, 40 times slower, and counts its mirrored border in the mean.
    """
    from skimage.metrics import structural_similarity  # not needed to train

    if min(restored.shape[-2:]) < SSIM_WINDOW:
        return restored.new_full((len(restored),), torch.nan, dtype=torch.float64)
    wang = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    one, other = (part[:, 0].double().cpu().numpy() for part in (restored, original))
    found = [structural_similarity(a, b, **wang) for a, b in zip(one, other, strict=True)]  # type: ignore[no-untyped-call]
    return torch.tensor(found)


def psnr_y(restored: Tensor, original: Tensor) -> float:
    """Give the PSNR of the luma of two RGB pictures `(3, h, w)` in levels."""
    return float(psnr(luma(restored)[None], luma(original)[None]))


def stitch(parts: Tensor, columns: int) -> Tensor:
    """Stitch equal cells `(n, c, h, w)`, row by row, into one picture `(c, H, W)`."""
    n, c, h, w = parts.shape
    return parts.view(n // columns, columns, c, h, w).permute(2, 0, 3, 1, 4).reshape(c, -1, columns * w)
