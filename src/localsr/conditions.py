"""How a picture was degraded, by three numbers, and how much of it a user wants taken away."""

from __future__ import annotations

import math
from typing import NamedTuple

from localsr.errors import ConfigError

CLEAN = 100  # the quality of what went through no JPEG
NOISE_SCALE = math.log1p(25)  # noise of 25 levels is encoded as 1
MAX_NOISE = 25.0  # levels, which `denoise` 100 stands for
MAX_BLUR = 1.2  # px, which `deblur` 100 stands for
# Where less is measured, a network of clean pictures restores better than one that undoes degradations: on 26 pictures
# of the training, degraded in 17 ways, by 0.52 dB where nothing was done to them, 0.28 at noise of 0.7 levels, 0.18 at
# quality 90, 0.27 at blur of 0.2 px; worse by 0.15 at noise of 2 levels, by 0.3 at blur of 0.35 px, which is measured
# as 0.18. Clean pictures are measured as sharpened by up to 0.34 px.
NEGLIGIBLE_NOISE, NEGLIGIBLE_BLUR, NEGLIGIBLE_COMPRESSION = 1.0, (-0.4, 0.3), 10.0


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
    def negligible(self) -> bool:
        """Whether so little was done to the picture that undoing it would cost more than it brings."""
        least, most = NEGLIGIBLE_BLUR
        little = self.noise < NEGLIGIBLE_NOISE and self.compression < NEGLIGIBLE_COMPRESSION
        return little and least < self.blur < most

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
