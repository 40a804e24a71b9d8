"""Bicubic resizing as MATLAB's `imresize` does it: the field's way to make LR from HR.

It is antialiased when it shrinks (the kernel widens by the reduction), repeats the edge pixel beyond the border, and
treats one dimension after the other. The published LR pictures of Set5, Set14 and BSD100 decide about the border:
repeating the edge pixel, as older MATLAB did, reproduces them to the last level; mirroring, as newer MATLAB does, is
off by up to 10 levels there. torch's own antialiased bicubic equals both inside the picture and neither at its border.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from localsr.geometry import MAX_STRIP_PIXELS, Box

Floats = NDArray[np.floating]


def resize(picture: Floats, height: int, width: int) -> Floats:
    """Resize `(..., h, w)` of floats to `(..., height, width)`; values may overshoot their range, as in MATLAB.

    MATLAB treats the dimension with the smaller factor first, rows on a tie.
    """
    h, w = picture.shape[-2:]
    steps = [(height / h, -2, height), (width / w, -1, width)]
    for _, axis, length in sorted(steps, key=lambda step: step[0]):
        picture = _along(picture, axis, length)
    return picture


def enlarge(window: NDArray[np.float32], around: Box, box: Box, scale: int) -> NDArray[np.float32]:
    """Enlarge a box of a window `(..., h, w)` by bicubic to `(..., s box.h, s box.w)`, both in [0, 1].

    The window covers `around`: the box and, as far as the picture goes, the 2 px around it that the kernel sees.
    """
    inside = box.within(around).scaled(scale)
    large = resize(window, around.height * scale, around.width * scale)
    clipped: NDArray[np.float32] = large[..., inside.rows, inside.columns].clip(0, 1)
    return clipped


def reduce(picture: NDArray[np.uint8], scale: int) -> NDArray[np.uint8]:
    """Return the 8-bit LR `(3, h / s, w / s)` of an 8-bit HR `(3, h, w)`, whose sides are multiples of the scale.

    It is rounded to levels after each dimension, as MATLAB does for uint8, and worked on in strips, so that a mapped
    picture need not fit in memory.
    """
    h, w = picture.shape[-2:]
    if h % scale or w % scale:
        raise ValueError(f"picture of {w} x {h} px is not a multiple of {scale}; crop it first")
    for axis, across, length in ((-2, -1, h // scale), (-1, -2, w // scale)):
        strip = max(MAX_STRIP_PIXELS // picture.shape[axis], 1)
        starts = range(strip, picture.shape[across], strip)
        parts = [
            np.floor(_along(part.astype(np.float64), axis, length) + 0.5).clip(0, 255).astype(np.uint8)
            for part in np.split(picture, starts, across)
        ]
        picture = np.concatenate(parts, across)
    return picture


def _along(picture: Floats, axis: int, length: int) -> Floats:
    """Resize one dimension, a tap of the kernel at a time: no more memory than the result's is needed."""
    size = picture.shape[axis]
    if size == length:
        return picture
    weights, indices = _taps(size, length)
    shape = [1] * picture.ndim
    shape[axis] = length
    result: Floats | None = None
    for weight, index in zip(weights.T, indices.T, strict=True):
        part: Floats = picture.take(index, axis)
        part *= weight.astype(picture.dtype).reshape(shape)
        result = part if result is None else np.add(result, part, out=result)
    assert result is not None
    return result


def _taps(size: int, length: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return weights and source indices `(length, taps)` for a resize from `size` to `length` pixels."""
    factor = length / size
    shrink = min(factor, 1.0)
    support = 4.0 / shrink
    taps = math.ceil(support) + 2
    centre = np.arange(1, length + 1, dtype=np.float64) / factor + 0.5 * (1 - 1 / factor)
    index = np.floor(centre - support / 2)[:, None] + np.arange(taps)
    weight = shrink * cubic(shrink * (centre[:, None] - index))
    weight = weight / weight.sum(1, keepdims=True)
    used = np.abs(weight).max(0) > 0
    return weight[:, used], (index[:, used].astype(np.int64) - 1).clip(0, size - 1)


def cubic(x: NDArray[np.float64], a: float = -0.5) -> NDArray[np.float64]:
    """Evaluate Keys' cubic kernel; MATLAB and Pillow take a = -0.5, torch -0.75."""
    x = np.abs(x)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))
