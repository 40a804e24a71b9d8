"""How a picture was degraded, estimated over the whole of it: noise, blur and compression.

What one region cannot tell, a thousand places of the picture can. Compression is told by the multiples that JPEG leaves
(`jpeg_quality`), noise and blur by a small network that reads statistics of JPEG's own coefficients.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from localsr.conditions import CLEAN, Conditions

BLOCK = 8  # px, side of JPEG's blocks
LUMA = np.array([0.299, 0.587, 0.114])  # of JFIF's Y
TABLE = np.array(  # of luminance at quality 50, ITU-T T.81, table K.1
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)
ROUNDING = 0.3  # levels, what rounding R, G and B leaves of an exact coefficient of Y
MIN_QUALITY = 5  # of those that are told apart
MIN_BLOCKS, MAX_BLOCKS = 12, 4096  # that are looked at
FEW_BLOCKS = 48  # without clipped pixels; of a picture with fewer, blocks with some are looked at, too
BANDS = ((1, 1), (2, 2), (3, 4), (5, 6), (7, 8), (9, 14))  # of a block's coefficients, by the sum of their places
QUANTILES = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9)  # of the blocks
NOISE_OFFSET = 0.3  # levels; the estimator tells the logarithm of noise and this
ESTIMATOR = Path(__file__).with_name("estimation.safetensors")  # made by training/estimation.py


def measure(windows: Iterable[NDArray[np.uint8]], quality: int | None = None) -> Conditions:
    """Measure a picture's conditions.

    Args:
        windows: Windows of it `(3, h, w)`, RGB, whose corners lie on multiples of 8 px from the picture's corner. A
            hundred blocks of 8 x 8 px are enough to tell something, a thousand are better.
        quality: Of the JPEG, where its file tells; None for it to be told from the pixels.

    Returns:
        The conditions; noise and blur are 0 for windows that hold next to no blocks.
    """
    found = coefficients_of(windows)
    if len(found) < MIN_BLOCKS:
        return Conditions(compression=CLEAN - (quality or CLEAN))
    if quality is None:
        quality = jpeg_quality(found)
    noise, blur = _estimate(statistics(found, quality))
    return Conditions(max(math.exp(noise) - NOISE_OFFSET, 0.0), blur, CLEAN - quality)


def statistics(coefficients: NDArray[np.float64], quality: int) -> NDArray[np.float32]:
    """Return what the estimator reads of coefficients `(n, 8, 8)` of a JPEG's quality.

    For each band, how much of it the blocks hold, from those that hold least to those that hold most, and what is in
    the eighth that holds least at low frequencies.
    """
    order = np.add.outer(np.arange(BLOCK), np.arange(BLOCK))
    low = (coefficients[:, (order >= 1) & (order <= 2)] ** 2).mean(1)
    flat = np.argsort(low)[: max(len(low) // 8, MIN_BLOCKS)]
    told = [coefficients[:, 0, 0].mean() / 1024, (CLEAN - quality) / 100, math.log1p(len(low))]
    for first, last in BANDS:
        sizes = np.abs(coefficients[:, (order >= first) & (order <= last)])
        told += list(np.quantile(np.log(np.sqrt((sizes**2).mean(1)) + 0.05), QUANTILES))
        least = sizes[flat]
        told += [math.log(np.sqrt((least**2).mean()) + 0.05), math.log(np.median(least) + 0.05), (least < 0.5).mean()]
    return np.array(told, np.float32)


def _estimate(told: NDArray[np.float32]) -> tuple[float, float]:
    """Return the logarithm of noise, and blur, by a network of two hidden layers."""
    tensors = _estimator()
    x = ((told - tensors["mean"]) / tensors["deviation"]).clip(-5, 5)
    for k in (1, 2):
        x = np.maximum(tensors[f"weight{k}"] @ x + tensors[f"bias{k}"], 0)
    noise, blur = tensors["weight3"] @ x + tensors["bias3"]
    return float(noise), float(blur)


@cache
def _estimator() -> dict[str, NDArray[np.float32]]:
    """Read the estimator's weights."""
    return {name: tensor.astype(np.float32) for name, tensor in load_file(ESTIMATOR).items()}


def steps(quality: int) -> NDArray[np.int64]:
    """Return the luminance steps `(8, 8)` of libjpeg's quality 1 to 100."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    return ((TABLE * scale + 50) // 100).clip(1, 255)


def quality_of(table: Sequence[int]) -> int:
    """Return the quality, 1 to 100, whose luminance steps are nearest to a JPEG file's 64, in rows of 8."""
    given = np.log(np.asarray(table, np.float64).clip(1))
    return min(range(1, 101), key=lambda q: float(np.abs(given - np.log(steps(q).ravel())).sum()))


def jpeg_quality(coefficients: NDArray[np.float64]) -> int:
    """Tell the quality of the JPEG that pixels came from, whatever file they lie in now.

    Coefficients of JPEG's own blocks are multiples of its steps. For each quality, the likelihood that those away from
    zero are so, but for what rounding the colours has left, is weighed against that they may have any value.

    Args:
        coefficients: Of Y, `(n, 8, 8)`, in blocks that were those of the JPEG.

    Returns:
        The quality, or `CLEAN` if none explains the pixels better than none at all.
    """
    best, most = CLEAN, 0.0
    for quality in range(MIN_QUALITY, CLEAN):
        likelihood = 0.0
        for (u, v), step in np.ndenumerate(steps(quality)):
            if not 1 <= u + v <= 5 or step < 2:
                continue
            values = coefficients[:, u, v]
            values = values[np.abs(values) > 1.5]
            rest = values - step * np.rint(values / step)
            density = step / (ROUNDING * np.sqrt(2 * np.pi)) * np.exp(-0.5 * (rest / ROUNDING) ** 2)
            likelihood += float(np.log(0.9 * density + 0.1).sum())
        if likelihood > most:
            best, most = quality, likelihood
    return best


def coefficients_of(windows: Iterable[NDArray[np.uint8]]) -> NDArray[np.float64]:
    """Return JPEG's coefficients of Y `(n, 8, 8)`, of at most MAX_BLOCKS blocks of windows `(3, h, w)`.

    Blocks in which a colour is black or white are left out: where it is clipped, Y is no longer what the JPEG held. Of
    a picture that has next to no others, such as a page of text, those are kept in which the fewest pixels are clipped.
    """
    parts = []
    for window in windows:
        _, h, w = window.shape
        cut = window[:, : h // BLOCK * BLOCK, : w // BLOCK * BLOCK]
        blocks = cut.reshape(3, h // BLOCK, BLOCK, w // BLOCK, BLOCK).swapaxes(2, 3).reshape(3, -1, BLOCK, BLOCK)
        parts.append(blocks)
    blocks = np.concatenate(parts, 1)
    clipped = ((blocks == 0) | (blocks == 255)).any(0).sum((1, 2))
    most = np.sort(clipped)[:FEW_BLOCKS][-1:].max(initial=0)
    kept = blocks[:, clipped <= min(most, BLOCK**2 - 1)]
    kept = kept[:, :: math.ceil(max(kept.shape[1], 1) / MAX_BLOCKS)]
    cosines = _cosines()
    found: NDArray[np.float64] = cosines @ (np.tensordot(LUMA, kept.astype(np.float64), 1) - 128) @ cosines.T
    return found


def _cosines() -> NDArray[np.float64]:
    """Return the orthonormal DCT of 8 values as a matrix."""
    k, n = np.mgrid[:BLOCK, :BLOCK]
    matrix: NDArray[np.float64] = np.cos(np.pi * (2 * n + 1) * k / (2 * BLOCK)) * np.sqrt(2 / BLOCK)
    matrix[0] /= np.sqrt(2)
    return matrix
