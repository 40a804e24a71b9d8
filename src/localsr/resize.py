"""Bicubic resizing as MATLAB's `imresize` does it: the field's way to make LR from HR.

It is antialiased when it shrinks (the kernel widens by the reduction), repeats the edge pixel beyond the border, and
treats one dimension after the other. The published LR pictures of Set5, Set14 and BSD100 decide about the border:
repeating the edge pixel, as older MATLAB did, reproduces them to the last level; mirroring, as newer MATLAB does, is
off by up to 10 levels there. torch's own antialiased bicubic equals both inside the picture and neither at its border.
"""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from localsr.geometry import MAX_STRIP_PIXELS, Box, Size

F = TypeVar("F", np.float32, np.float64)


def resize(picture: NDArray[F], height: int, width: int) -> NDArray[F]:
    """Resize `(..., h, w)` of floats to `(..., height, width)`; values may overshoot their range, as in MATLAB.

    MATLAB treats the dimension with the smaller factor first, rows on a tie.
    """
    h, w = picture.shape[-2:]
    steps = [(height / h, -2, height), (width / w, -1, width)]
    for _, dim, length in sorted(steps, key=lambda step: step[0]):
        picture = _along(picture, dim, length)
    return picture


def resample(window: NDArray[F], around: Box, box: Box, size: Size, part: Box, limits: Box | None = None) -> NDArray[F]:
    """Resize a box of a picture to `size`, from a window of the picture, and return `part` of that.

    The kernel sees pixels beyond the box, as far as `limits`, whose edge is repeated; without them that of the window.
    Pixels within the limits that the window has not count as zero: the results of windows that share out the limits
    among them sum up to that of a window with all of them.

    Args:
        window: `(..., h, w)` of floats.
        around: What the window covers, in px of the picture.
        box: What becomes `size` px.
        size: The result's.
        part: Of the result, in its px.
        limits: Of what the kernel sees, in px of the picture.

    Returns:
        `(..., part.height, part.width)`; values may overshoot their range.
    """
    limits = limits or around
    steps = [
        (size.height / box.height, -2, (box.top, box.height, size.height, part.rows, limits.rows, around.rows)),
        (size.width / box.width, -1, (box.left, box.width, size.width, part.columns, limits.columns, around.columns)),
    ]
    for _, dim, (start, before, after, wanted, seen, had) in sorted(steps, key=lambda step: step[0]):
        weights, indices = _taps(before, after, wanted.start, wanted.stop)
        indices = (indices + start).clip(seen.start, seen.stop - 1)
        outside = (indices < had.start) | (indices >= had.stop)
        indices = (indices - had.start).clip(0, had.stop - had.start - 1)
        window = _weighted(window, dim, np.where(outside, 0.0, weights), indices)
    return window


def needed(part: Box, box: Box, size: Size) -> Box:
    """Return what the kernel sees of a picture for a part of a box resized to `size`, and a pixel more at most."""

    def along(first: int, last: int, start: int, before: int, after: int) -> tuple[int, int]:
        reach = 2 * max(before / after, 1)  # px of the picture, from the middle of a pixel of the result
        low, high = (first + 0.5) * before / after, (last - 0.5) * before / after
        return start + math.floor(low - reach), start + math.ceil(high + reach)

    left, right = along(part.left, part.right, box.left, box.width, size.width)
    top, bottom = along(part.top, part.bottom, box.top, box.height, size.height)
    return Box(left, top, right, bottom)


def reduce(picture: NDArray[np.uint8], scale: int) -> NDArray[np.uint8]:
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
            np.floor(_along(part.astype(np.float64), dim, length) + 0.5).clip(0, 255).astype(np.uint8)
            for part in np.split(picture, range(strip, picture.shape[across], strip), across)
        ]
        picture = np.concatenate(parts, across)
    return picture


def _along(picture: NDArray[F], dim: int, length: int) -> NDArray[F]:
    """Resize one dimension."""
    size = picture.shape[dim]
    if size == length:
        return picture
    weights, indices = _taps(size, length, 0, length)
    return _weighted(picture, dim, weights, indices.clip(0, size - 1))


def _weighted(picture: NDArray[F], dim: int, weights: NDArray[np.float64], indices: NDArray[np.int64]) -> NDArray[F]:
    """Return weighted sums along a dimension, a tap at a time: no more memory than the result's is needed."""
    shape = [1] * picture.ndim
    shape[dim] = len(weights)
    used = np.abs(weights).max(0) > 0
    used[0] |= not used.any()  # of a window that has nothing of the result, zeros
    result: NDArray[F] | None = None
    for weight, index in zip(weights.T[used], indices.T[used], strict=True):
        part: NDArray[F] = picture.take(index, dim)
        part *= weight.astype(picture.dtype).reshape(shape)
        result = part if result is None else np.add(result, part, out=result)
    assert result is not None
    return result


def _taps(size: int, length: int, first: int, last: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return weights and indices `(n, taps)` for px `first` to before `last` of `length` that `size` px become.

    Indices are those of the source, and beyond it at its ends.
    """
    factor = length / size
    shrink = min(factor, 1.0)
    support = 4.0 / shrink
    taps = math.ceil(support) + 2
    centre = np.arange(first + 1, last + 1, dtype=np.float64) / factor + 0.5 * (1 - 1 / factor)
    start = np.floor(centre - support / 2)
    index = start[:, None] + np.arange(taps)
    weight = shrink * cubic(shrink * (centre[:, None] - index))
    return weight / weight.sum(1, keepdims=True), (index - 1).astype(np.int64)


def cubic(x: NDArray[np.float64], a: float = -0.5) -> NDArray[np.float64]:
    """Evaluate Keys' cubic kernel; MATLAB and Pillow take a = -0.5, torch -0.75."""
    x = np.abs(x)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))
