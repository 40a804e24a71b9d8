"""How a picture was degraded, measured over the whole of it: noise and JPEG compression.

What one region cannot tell, a thousand places of the picture can. Each measure is a function of 8-bit pixels alone, but
for the quality of a JPEG file, which its own quantisation tables say.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

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
BINS = 6  # of a coefficient's values that are told apart
DEVIATIONS = np.concatenate([[0.05], np.geomspace(0.3, 40, 80)])  # levels, that are weighed against each other
CLEAN = 100  # the quality of what went through no JPEG
LOWEST = 5  # of the qualities that are told apart


BLUR_BAND = (0.15, 0.3)  # cycles per px, in which blur is told: below it weakens little, above it little is left
NOISE_SCALE = math.log1p(25)  # noise of 25 levels is encoded as 1


class Conditions(NamedTuple):
    """How a picture was degraded, by three numbers that are 0 for one that was not.

    Example:
        >>> Conditions(noise=3.0, compression=25)
        Conditions(noise=3.0, blur=0.0, compression=25)
    """

    noise: float = 0.0  # standard deviation of what noise has left in the luminance, in levels of 255
    blur: float = 0.0  # standard deviation of the Gaussian beyond reduction by bicubic, in px; negative if sharpened
    compression: float = 0.0  # 100 less the quality of the JPEG

    def encoded(self) -> list[float]:
        """Return the numbers as a network takes them, each from 0 to about 1."""
        return [math.log1p(self.noise) / NOISE_SCALE, self.blur, self.compression / 100]


def true_conditions(
    lr: NDArray[np.uint8], quiet: NDArray[np.uint8], ideal: NDArray[np.uint8], quality: int
) -> Conditions:
    """Return the conditions of a picture whose degradation is known.

    Args:
        lr: The degraded picture `(3, h, w)`, RGB.
        quiet: The same without noise.
        ideal: The same neither degraded nor noisy: reduced by bicubic.
        quality: Of the JPEG, 1 to 100; 0 for none.
    """
    y, still, sharp = (np.tensordot(LUMA, picture.astype(np.float64), 1) for picture in (lr, quiet, ideal))
    energies = []
    for plane in (still, sharp):
        windowed = (plane - plane.mean()) * np.outer(np.hanning(plane.shape[0]), np.hanning(plane.shape[1]))
        spectrum = np.abs(np.fft.rfft2(windowed)) ** 2
        radius = np.hypot(np.fft.fftfreq(plane.shape[0])[:, None], np.fft.rfftfreq(plane.shape[1]))
        energies.append(spectrum[(radius > BLUR_BAND[0]) & (radius < BLUR_BAND[1])].sum() + 1e-9)
    variance = math.log(energies[1] / energies[0]) / (2 * math.pi * sum(BLUR_BAND) / 2) ** 2
    blur = math.copysign(math.sqrt(abs(variance)), variance)
    return Conditions(float((y - still).std()), blur, 100 - quality if quality else 0)


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
    found = _coefficients(rgb)
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


def _coefficients(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return JPEG's coefficients of Y `(n, 8, 8)`, of at most 4,096 blocks in which no colour is black or white.

    Where a colour is clipped, Y is no longer what the JPEG held.
    """
    _, h, w = rgb.shape
    cut = rgb[:, : h // BLOCK * BLOCK, : w // BLOCK * BLOCK]
    blocks = cut.reshape(3, h // BLOCK, BLOCK, w // BLOCK, BLOCK).swapaxes(2, 3).reshape(3, -1, BLOCK, BLOCK)
    blocks = blocks[:, (blocks.min((0, 2, 3)) > 0) & (blocks.max((0, 2, 3)) < 255)]
    blocks = blocks[:, :: max(blocks.shape[1] // 4096, 1)]
    cosines = _cosines()
    found: NDArray[np.float64] = cosines @ (np.tensordot(LUMA, blocks.astype(np.float64), 1) - 128) @ cosines.T
    return found


def _cosines() -> NDArray[np.float64]:
    """Return the orthonormal DCT of 8 values as a matrix."""
    k, n = np.mgrid[:BLOCK, :BLOCK]
    matrix: NDArray[np.float64] = np.cos(np.pi * (2 * n + 1) * k / (2 * BLOCK)) * np.sqrt(2 / BLOCK)
    matrix[0] /= np.sqrt(2)
    return matrix


def noise(rgb: NDArray[np.uint8], quality: int = CLEAN) -> float:
    """Estimate the standard deviation of the luminance's noise, in levels, before JPEG rounded it.

    In the tenth of the blocks that hold least at low frequencies, what is found at high ones is noise. There the most
    likely deviation is sought, given that JPEG has left no more of a coefficient than the multiple of a step. Noise
    below a third of the steps is gone: 0 then.

    Args:
        rgb: `(3, h, w)`, uint8; its corner is the corner of the JPEG.
        quality: Of the JPEG, as `jpeg_quality` tells it.
    """
    found = _coefficients(rgb)
    if not len(found):
        return 0.0
    order = np.add.outer(np.arange(BLOCK), np.arange(BLOCK))
    low, high = (order >= 1) & (order <= 3), order >= 5
    flat = np.argsort((found[:, low] ** 2).sum(1))[: max(len(found) // 10, 24)]
    values = np.abs(found[flat][:, high])
    step = steps(quality)[high].astype(np.float64)
    step *= np.maximum(np.rint((np.median(values, 0) / (0.6745 * step) - 1) / 2) * 2 + 1, 1)  # odd: bins of whole bins
    bins = np.minimum(np.rint(values / step), BINS).astype(int)
    counts = np.stack([(bins == k).sum(0) for k in range(BINS + 1)])
    edges = (np.arange(BINS) + 0.5)[:, None, None] * step  # (bins, 1, coefficients)
    below = torch.erf(torch.from_numpy(edges / (DEVIATIONS[:, None] * math.sqrt(2)))).numpy()
    ends = np.zeros_like(below[:1])
    share = np.diff(np.concatenate([ends, below, ends + 1]), axis=0)
    likelihood = np.einsum("kn,ksn->s", counts, np.log(0.97 * share + 0.03 / (BINS + 1)))
    best = int(np.argmax(likelihood))
    return float(DEVIATIONS[best]) if best else 0.0
