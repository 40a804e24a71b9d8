"""Bicubic resizing as MATLAB's `imresize` does it: the field's way to make LR from HR.

Antialiased when shrinking (the kernel widens by the reduction), the edge pixel repeated beyond the border, one
dimension after the other, any size. The published LR pictures of Set5, Set14 and BSD100 pin the border down: repeating
the edge pixel, as older MATLAB did, gives them to the last level; mirroring, as newer MATLAB does, misses by up to 10
levels there. torch's own antialiased bicubic equals both inside the picture and neither at its border.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from localsr.geometry import MAX_STRIP, Box


def resize(picture: Tensor, height: int, width: int) -> Tensor:
    """Resize `(..., h, w)` of any float range to `(..., height, width)`; values may overshoot the range as in MATLAB.

    MATLAB treats the dimension with the smaller factor first, rows on a tie.
    """
    h, w = picture.shape[-2:]
    steps = [(height / h, -2, height), (width / w, -1, width)]
    for _, dim, length in sorted(steps, key=lambda step: step[0]):
        picture = _along(picture, dim, length)
    return picture


def enlarge(window: Tensor, around: Box, box: Box, scale: int) -> Tensor:
    """Enlarge the `box` of a `window` `(..., h, w)` in [0, 1] that covers `around`: `(..., s box.h, s box.w)`, clamped.

    The kernel sees 2 px; with `around` two px wider than the box, or cut by the picture, the box's own border is right.
    """
    inside = box.within(around).scaled(scale)
    large = resize(window, around.height * scale, around.width * scale)
    return large[..., inside.rows, inside.columns].clamp(0, 1)


def reduce(picture: Tensor, scale: int) -> Tensor:
    """Make the 8-bit LR `(3, h/scale, w/scale)` of an 8-bit HR `(3, h, w)`; h and w are multiples of `scale`.

    Rounded to whole levels after each dimension, as MATLAB does for uint8 pictures. A large picture is worked on in
    strips across the dimension, so that a mapped one need not fit in memory.
    """
    h, w = picture.shape[-2:]
    if h % scale or w % scale:
        raise ValueError(f"picture of {w} x {h} px is not a multiple of {scale}; crop it first")
    for dim, across, length in ((-2, -1, h // scale), (-1, -2, w // scale)):
        strip = max(MAX_STRIP // picture.shape[dim], 1)
        parts = [
            _along(part.double(), dim, length).add(0.5).floor().clamp(0, 255).to(torch.uint8)
            for part in torch.split(picture, strip, across)
        ]
        picture = torch.cat(parts, across)
    return picture


def _along(picture: Tensor, dim: int, length: int) -> Tensor:
    """Resize one dimension; a tap at a time, so that memory stays that of the result."""
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
    """Weights and source indices `(length, taps)` of a resize from `size` to `length` pixels."""
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
    """Keys' cubic kernel; MATLAB's and Pillow's a is -0.5, torch's -0.75."""
    x = x.abs()
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return torch.where(x <= 1, near, torch.where(x <= 2, far, torch.zeros_like(x)))
