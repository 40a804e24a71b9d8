"""Bicubic resizing as MATLAB's `imresize` does it: the field's way to make LR from HR.

It is antialiased when it shrinks (the kernel widens by the reduction), repeats the edge pixel beyond the border, and
treats one dimension after the other. The published LR pictures of Set5, Set14 and BSD100 decide about the border:
repeating the edge pixel, as older MATLAB did, reproduces them to the last level; mirroring, as newer MATLAB does, is
off by up to 10 levels there. torch's own antialiased bicubic equals both inside the picture and neither at its border.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from localsr.geometry import MAX_STRIP_PIXELS, Box


def resize(picture: Tensor, height: int, width: int) -> Tensor:
    """Resize `(..., h, w)` of floats to `(..., height, width)`; values may overshoot their range, as in MATLAB.

    MATLAB treats the dimension with the smaller factor first, rows on a tie.
    """
    h, w = picture.shape[-2:]
    steps = [(height / h, -2, height), (width / w, -1, width)]
    for _, dim, length in sorted(steps, key=lambda step: step[0]):
        picture = _along(picture, dim, length)
    return picture


def enlarge(window: Tensor, around: Box, box: Box, scale: int) -> Tensor:
    """Enlarge a box of a window `(..., h, w)` by bicubic to `(..., s box.h, s box.w)`, both in [0, 1].

    The window covers `around`: the box and, as far as the picture goes, the 2 px around it that the kernel sees.
    """
    inside = box.within(around).scaled(scale)
    large = resize(window, around.height * scale, around.width * scale)
    return large[..., inside.rows, inside.columns].clamp(0, 1)


def reduce(picture: Tensor, scale: int) -> Tensor:
    """Return the 8-bit LR `(3, h / s, w / s)` of an 8-bit HR `(3, h, w)`, whose sides are multiples of the scale.

    It is rounded to levels after each dimension, as MATLAB does for uint8, and worked on in strips, so that a mapped
    picture need not fit in memory.
    """
    h, w = picture.shape[-2:]
    if h % scale or w % scale:
        raise ValueError(f"picture of {w} x {h} px is not a multiple of {scale}; crop it first")
    for dim, across, length in ((-2, -1, h // scale), (-1, -2, w // scale)):
        strip = max(MAX_STRIP_PIXELS // picture.shape[dim], 1)
        parts = [
            _along(part.double(), dim, length).add(0.5).floor().clamp(0, 255).to(torch.uint8)
            for part in torch.split(picture, strip, across)
        ]
        picture = torch.cat(parts, across)
    return picture


def _along(picture: Tensor, dim: int, length: int) -> Tensor:
    """Resize one dimension, a tap of the kernel at a time: no more memory than the result's is needed."""
    size = picture.shape[dim]
    if size == length:
        return picture
    weights, indices = _taps(size, length)
    shape = [1] * picture.ndim
    shape[dim] = length
    result = torch.zeros(())
    for weight, index in zip(weights.T, indices.T, strict=True):
        part = picture.index_select(dim, index.to(picture.device)) * weight.to(picture).view(shape)
        result = part if result.ndim == 0 else result.add_(part)
    return result


def _taps(size: int, length: int) -> tuple[Tensor, Tensor]:
    """Return weights and source indices `(length, taps)` for a resize from `size` to `length` pixels."""
    factor = length / size
    shrink = min(factor, 1.0)
    support = 4.0 / shrink
    taps = math.ceil(support) + 2
    centre = (torch.arange(1, length + 1, dtype=torch.float64) / factor) + 0.5 * (1 - 1 / factor)
    first = torch.floor(centre - support / 2)
    index = first[:, None] + torch.arange(taps, dtype=torch.float64)
    weight = shrink * cubic(shrink * (centre[:, None] - index))
    weight = weight / weight.sum(1, keepdim=True)
    used = weight.abs().amax(0) > 0
    return weight[:, used], (index[:, used] - 1).long().clamp(0, size - 1)


def cubic(x: Tensor, a: float = -0.5) -> Tensor:
    """Evaluate Keys' cubic kernel; MATLAB and Pillow take a = -0.5, torch -0.75."""
    x = x.abs()
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return torch.where(x <= 1, near, torch.where(x <= 2, far, torch.zeros_like(x)))
