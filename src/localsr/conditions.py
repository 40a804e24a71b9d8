"""How a picture was degraded, measured over the whole of it: noise, blur and compression.

What one region cannot tell, a thousand places of the picture can. Compression is told by the multiples that JPEG leaves
(`jpeg_quality`), noise and blur by a small network that reads statistics of JPEG's own coefficients.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from localsr.errors import ConfigError

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
CLEAN = 100  # the quality of what went through no JPEG
MIN_QUALITY = 5  # of those that are told apart
MIN_BLOCKS, MAX_BLOCKS = 12, 4096  # that are looked at
BANDS = ((1, 1), (2, 2), (3, 4), (5, 6), (7, 8), (9, 14))  # of a block's coefficients, by the sum of their places
QUANTILES = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9)  # of the blocks
NOISE_OFFSET = 0.3  # levels; the estimator tells the logarithm of noise and this
NOISE_SCALE = math.log1p(25)  # noise of 25 levels is encoded as 1
MAX_NOISE = 25.0  # levels, which `denoise` 100 stands for
MAX_BLUR = 1.2  # px, which `deblur` 100 stands for
ESTIMATOR = Path(__file__).with_name("conditions.safetensors")  # made by training/conditions.py


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

    def described(self) -> str:
        """Return the numbers in words.

        Returns:
            Noise, blur and the quality of the JPEG, each with its unit.

        Example:
            >>> Conditions(noise=3.0, blur=0.42, compression=25).described()
            'noise of 3.0 levels of 255, blur of 0.42 px, JPEG of quality 75'
            >>> Conditions(blur=-0.2).described()
            'noise of 0.0 levels of 255, sharpened by 0.20 px, no JPEG'
        """
        blur = f"sharpened by {-self.blur:.2f} px" if self.blur <= -0.005 else f"blur of {abs(self.blur):.2f} px"
        file = f"JPEG of quality {self.quality:.0f}" if self.compression else "no JPEG"
        return f"noise of {self.noise:.1f} levels of 255, {blur}, {file}"

    @property
    def quality(self) -> float:
        """The quality of the JPEG, `CLEAN` for none."""
        return CLEAN - self.compression

    @property
    def denoise(self) -> float:
        """The `Adjustment.denoise`, 0 to 100, that stands for the noise."""
        return 100 * math.sqrt(min(self.noise / MAX_NOISE, 1.0))

    @property
    def deblur(self) -> float:
        """The `Adjustment.deblur`, 0 to 100, that stands for the blur."""
        return 100 * min(max(self.blur / MAX_BLUR, 0.0), 1.0)


class Adjustment(NamedTuple):
    """A user's word on how much is to be taken away, from 0 for nothing to 100; None for as much as was measured.

    Example:
        >>> Adjustment(denoise=0).of(Conditions(noise=3.0, blur=0.5, compression=25))
        Conditions(noise=0.0, blur=0.5, compression=0.0)
    """

    denoise: float | None = None  # of noise and of traces of compression
    deblur: float | None = None

    @classmethod
    def checked(cls, denoise: float | None, deblur: float | None) -> Adjustment:
        """Return the adjustment; `ConfigError` for a number out of range."""
        for name, value in (("denoise", denoise), ("deblur", deblur)):
            if value is not None and not 0 <= value <= 100:
                raise ConfigError(f"{name} {value:g} is not between 0 and 100")
        return cls(denoise, deblur)

    def of(self, measured: Conditions) -> Conditions:
        """Return conditions in which the user's word takes the place of what was measured."""
        noise, blur, compression = measured
        if self.denoise is not None:
            share = self.denoise / 100
            noise = MAX_NOISE * share**2  # squared: noise is mostly small
            compression *= min(2 * share, 1.0)
        if self.deblur is not None:
            blur = MAX_BLUR * self.deblur / 100
        return Conditions(noise, blur, compression)


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

    Blocks in which a colour is black or white are left out: where it is clipped, Y is no longer what the JPEG held.
    """
    parts = []
    for window in windows:
        _, h, w = window.shape
        cut = window[:, : h // BLOCK * BLOCK, : w // BLOCK * BLOCK]
        blocks = cut.reshape(3, h // BLOCK, BLOCK, w // BLOCK, BLOCK).swapaxes(2, 3).reshape(3, -1, BLOCK, BLOCK)
        parts.append(blocks[:, (blocks.min((0, 2, 3)) > 0) & (blocks.max((0, 2, 3)) < 255)])
    kept = np.concatenate(parts, 1)
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
