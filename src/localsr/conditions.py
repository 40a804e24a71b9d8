"""How a picture was degraded, measured over the whole of it: noise and JPEG compression.

What one region cannot tell, a thousand places of the picture can. Each measure is a function of 8-bit pixels alone, but
for the quality of a JPEG file, which its own quantisation tables say.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

BLOCK = 8  # px, side of JPEG's blocks; the noise is measured on patches of as many
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
CLEAN = 100  # the quality of what went through no JPEG
LOWEST = 5  # of the qualities that are told apart


def steps(quality: int) -> NDArray[np.int64]:
    """Return the luminance steps `(8, 8)` of libjpeg's quality 1 to 100."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    return ((TABLE * scale + 50) // 100).clip(1, 255)


def quality_of(table: Sequence[int]) -> int:
    """Return the quality, 1 to 100, whose luminance steps are nearest to a JPEG file's 64, in rows of 8."""
    given = np.log(np.asarray(table, np.float64).clip(1))
    return min(range(1, 101), key=lambda q: float(np.abs(given - np.log(steps(q).ravel())).sum()))


def jpeg_quality(rgb: NDArray[np.uint8]) -> int:
    """Tell the quality of the JPEG that pixels came from, whatever file they lie in now.

    Coefficients of JPEG's own blocks are multiples of its steps. For each quality, the likelihood that those away from
    zero are so, but for what rounding the colours has left, is weighed against that they may have any value.

    Args:
        rgb: `(3, h, w)`, uint8; its corner is the corner of the JPEG.

    Returns:
        The quality, or `CLEAN` if none explains the pixels better than none at all.
    """
    _, h, w = rgb.shape
    y = np.tensordot(LUMA, rgb[:, : h // BLOCK * BLOCK, : w // BLOCK * BLOCK].astype(np.float64), 1)
    blocks = y.reshape(h // BLOCK, BLOCK, w // BLOCK, BLOCK).swapaxes(1, 2).reshape(-1, BLOCK, BLOCK)
    kept = (blocks.min((1, 2)) > 0) & (blocks.max((1, 2)) < 255)  # of clipped ones nothing is a multiple
    cosines = _cosines()
    found = cosines @ (blocks[kept][:4096] - 128) @ cosines.T
    best, most = CLEAN, 0.0
    for quality in range(LOWEST, CLEAN):
        likelihood = 0.0
        for (u, v), step in np.ndenumerate(steps(quality)):
            if not 1 <= u + v <= 5 or step < 2:
                continue
            values = found[:, u, v]
            values = values[np.abs(values) > 1.5]
            rest = values - step * np.rint(values / step)
            density = step / (ROUNDING * np.sqrt(2 * np.pi)) * np.exp(-0.5 * (rest / ROUNDING) ** 2)
            likelihood += float(np.log(0.9 * density + 0.1).sum())
        if likelihood > most:
            best, most = quality, likelihood
    return best


def _cosines() -> NDArray[np.float64]:
    """Return the orthonormal DCT of 8 values as a matrix."""
    k, n = np.mgrid[:BLOCK, :BLOCK]
    matrix = np.cos(np.pi * (2 * n + 1) * k / (2 * BLOCK)) * np.sqrt(2 / BLOCK)
    matrix[0] /= np.sqrt(2)
    return matrix


def noise(rgb: NDArray[np.uint8]) -> float:
    """Estimate the standard deviation of the noise in levels: the mean of the three colours.

    Pictures fill a few directions in the space of their patches, noise all alike. The eigenvalues of the patches'
    covariance that are left, the largest taken away one by one, are noise once their mean is their median (Chen, Zhu
    and Heng, An efficient statistical method for image noise level estimation, 2015).

    Args:
        rgb: `(3, h, w)`, uint8.
    """
    found = []
    for colour in rgb:
        patches = np.lib.stride_tricks.sliding_window_view(colour, (BLOCK, BLOCK))[::3, ::3].reshape(-1, BLOCK**2)
        values = np.linalg.eigvalsh(np.cov(patches.T))
        for count in range(len(values), 0, -1):
            left = values[:count]
            if left.mean() <= np.median(left):
                break
        found.append(float(np.sqrt(max(np.median(left), 0))))
    return float(np.mean(found))
