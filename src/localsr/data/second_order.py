"""What pictures go through before people zoom into them: resized, noisy, compressed, sharpened, and then once more.

The second-order degradation of Real-ESRGAN (Wang et al. 2021) with what phones, scanners, messengers and cameras of
buildings do. WebP's lossy form is a frame of VP8, with its blocks and its deblocking, and stands for video too.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from localsr.data.degradation import Degradation

CLEAN, ONCE = 0.15, 0.35  # shares of what is reduced by bicubic alone, and of what is degraded once
FILTERS = (Image.Resampling.BOX, Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)
CODECS = ("JPEG", "WEBP", "")  # and how often each is met
CODEC_SHARES = (0.65, 0.2, 0.15)
QUALITIES = (20, 95)
MAX_BLUR = 0.9  # px of what a pass writes, standard deviation
MAX_NOISE = 20.0  # levels, standard deviation; drawn squared
SHARPENED = 0.35  # share of the second passes that end in an unsharp mask, as cameras' do
BLOTCHES = 0.3  # share of the noisy passes whose colours have noise of three pixels' size, as denoised raw files have


@dataclass(frozen=True)
class Pass:
    """One handling of a picture: blurred, resized, noisy, sharpened, compressed."""

    filter: Image.Resampling
    blur: float  # standard deviation, px of the result
    noise: float  # standard deviation at mid grey, levels; it grows with the root of the light
    grey: bool  # whether the three colours have the same noise
    blotches: bool
    sharpen: float  # amount of the unsharp mask; 0 for none
    codec: str
    quality: int
    halved: bool  # whether a JPEG has its colours at half the size

    @classmethod
    def draw(cls, random: np.random.Generator, *, last: bool) -> Self:
        """Draw one; only the last sharpens."""
        return cls(
            filter=FILTERS[random.integers(len(FILTERS))],
            blur=float(random.uniform(0, MAX_BLUR) * (random.random() < 0.7)),
            noise=float(MAX_NOISE * random.random() ** 2 * (random.random() < 0.5)),
            grey=bool(random.random() < 0.4),
            blotches=bool(random.random() < BLOTCHES),
            sharpen=float(random.uniform(0.3, 1.5) * (last and random.random() < SHARPENED)),
            codec=str(random.choice(CODECS, p=CODEC_SHARES)),
            quality=int(random.integers(QUALITIES[0], QUALITIES[1] + 1)),
            halved=bool(random.random() < 0.7),
        )

    def apply(self, picture: Image.Image, size: tuple[int, int], random: np.random.Generator | None) -> Image.Image:
        """Return the picture after it, at another size; noise is drawn from `random`, None for none."""
        if self.blur:
            picture = picture.filter(ImageFilter.GaussianBlur(self.blur * picture.width / size[0]))
        picture = picture.resize(size, self.filter)
        if self.noise and random is not None:
            picture = Image.fromarray(self._noisy(np.asarray(picture), random))
        if self.sharpen:
            picture = picture.filter(ImageFilter.UnsharpMask(1.0, round(100 * self.sharpen), 0))
        if not self.codec:
            return picture
        file = io.BytesIO()
        how = {"subsampling": 2 if self.halved else 0} if self.codec == "JPEG" else {"method": 2}
        picture.save(file, self.codec, quality=self.quality, **how)
        return Image.open(file).convert("RGB")

    def _noisy(self, levels: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
        """Add noise to `(h, w, 3)`."""
        h, w, _ = levels.shape
        noise = np.broadcast_to(random.standard_normal((h, w, 1 if self.grey else 3), np.float32), levels.shape)
        if self.blotches:
            coarse = random.standard_normal((math.ceil(h / 3), math.ceil(w / 3), 3), np.float32)
            noise = noise + (coarse - coarse.mean(2, keepdims=True)).repeat(3, 0).repeat(3, 1)[:h, :w]
        light = levels.astype(np.float32)
        return np.rint(light + noise * self.noise * np.sqrt((light + 32) / 160)).clip(0, 255).astype(np.uint8)


@dataclass(frozen=True)
class SecondOrderDegradation:
    """Two passes, with a size between HR and LR after the first."""

    passes: tuple[Pass, Pass]
    middle: float  # size after the first pass, in sizes of the LR: 1 to the scale, as a power of it
    seed: int  # of the noise

    @property
    def quality(self) -> int:
        """Quality of the last file if it is a JPEG, else 0: WebP's blocks leave no multiples that would tell it."""
        return self.passes[1].quality if self.passes[1].codec == "JPEG" else 0

    @classmethod
    def draw(cls, seed: int, k: int) -> Self:
        """Draw the degradation of picture k, a function of the two numbers alone."""
        random = np.random.Generator(np.random.Philox(key=[seed, k]))
        passes = (Pass.draw(random, last=False), Pass.draw(random, last=True))
        return cls(passes, float(random.random()), int(random.integers(2**62)))

    def apply(self, hr: NDArray[np.uint8], scale: int, *, noisy: bool = True) -> NDArray[np.uint8]:
        """Return the LR picture `(3, h, w)` of an HR picture `(3, s h, s w)`, both RGB in 8 bits."""
        random = np.random.Generator(np.random.Philox(key=self.seed)) if noisy else None
        picture = Image.fromarray(np.ascontiguousarray(hr.transpose(1, 2, 0)))
        size = picture.width // scale, picture.height // scale
        larger = scale**self.middle
        picture = self.passes[0].apply(picture, (round(size[0] * larger), round(size[1] * larger)), random)
        picture = self.passes[1].apply(picture, size, random)
        return np.ascontiguousarray(np.asarray(picture).transpose(2, 0, 1))


def draw_broad(seed: int, k: int) -> Degradation | SecondOrderDegradation | None:
    """Draw the degradation of picture k among all kinds; None is reduction by bicubic alone."""
    kind = np.random.Generator(np.random.Philox(key=[seed + 1, k])).random()
    if kind < CLEAN:
        return None
    return Degradation.draw(seed, k) if kind < CLEAN + ONCE else SecondOrderDegradation.draw(seed, k)
