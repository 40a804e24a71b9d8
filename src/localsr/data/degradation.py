"""How a photo lost its details: blur, an unknown resampling kernel, sensor noise and JPEG, the same all over a picture.

No camera reduces by bicubic as the papers do: a network trained on that alone sharpens nothing real and amplifies JPEG
blocks. A degradation is drawn once for a picture, so that its context shows what the ROI alone does not.
"""

from __future__ import annotations

import dataclasses
import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional

from localsr.conditions import Conditions
from localsr.estimation import LUMA
from localsr.geometry import MAX_STRIP_PIXELS, Size, strips
from localsr.resize import cubic

DEGRADATION_VERSIONS = {"photo": 2, "broad": 3, "bursts": 1}  # a cache made by another is made anew
MAX_BLUR = 0.8  # LR px, standard deviation; a lens and its demosaicking have 0.3 to 0.6
MAX_NOISE = 25.0  # levels of 255, standard deviation: a phone by night; drawn squared, so that a third is below 3
MIN_NOISE = 1e-4  # levels; less is lost in 8 bits, and needs more photons than NumPy can draw
JPEG_QUALITIES = (30, 97)  # lowest and highest; a phone writes 90 to 97, web sites 70 to 85, messengers less
DEGRADATIONS = ("bicubic", "photo", "broad", "bursts")  # how LR is made
BLUR_BAND = (0.15, 0.3)  # cycles per px, in which blur is told: below it weakens little, above it little is left
VARIANTS = 8  # LR pictures made from each HR picture to train on; at x4, together half its size
RESAMPLING_KERNELS: dict[str, tuple[Callable[[Tensor], Tensor], float]] = {  # and how far they reach, LR px
    "box": (lambda t: (t.abs() < 0.5).double(), 0.5),
    "linear": (lambda t: (1 - t.abs()).clamp(min=0), 1.0),
    "cubic": (lambda t: torch.from_numpy(cubic(t.numpy())), 2.0),
    "lanczos": (lambda t: torch.sinc(t) * torch.sinc(t / 3) * (t.abs() < 3), 3.0),
}


@dataclass(frozen=True)
class Degradation:
    """The degradation of one photo."""

    kernel: str  # one of RESAMPLING_KERNELS
    blur: tuple[float, float]  # standard deviations of a Gaussian along two axes, LR px
    angle: float  # of the first axis, radians
    gaussian: float  # standard deviation of the noise of the sensor's electronics, levels
    poisson: float  # standard deviation of the photon noise at white, levels; it grows with the root of the light
    grey: bool  # whether the three colours have the same noise
    quality: int  # of the JPEG; 0 for no JPEG
    halved: bool  # whether the JPEG has its colours at half the size (4:2:0)
    seed: int  # of the noise

    @classmethod
    def draw(cls, seed: int, k: int) -> Self:
        """Draw the degradation of picture k, a function of the two numbers alone."""
        random = np.random.Generator(np.random.Philox(key=[seed, k]))
        one, other = random.uniform(0, MAX_BLUR, 2)
        round_ = random.random() < 0.5
        return cls(
            kernel=str(random.choice(list(RESAMPLING_KERNELS))),
            blur=(float(one), float(one if round_ else other)),
            angle=float(random.uniform(0, math.pi)),
            gaussian=float(MAX_NOISE * random.random() ** 2 * (random.random() < 0.5)),
            poisson=float(MAX_NOISE * random.random() ** 2 * (random.random() < 0.5)),
            grey=bool(random.random() < 0.5),
            quality=int(random.integers(JPEG_QUALITIES[0], JPEG_QUALITIES[1] + 1) * (random.random() < 0.9)),
            halved=bool(random.random() < 0.7),
            seed=int(random.integers(2**62)),
        )

    def apply(self, hr: NDArray[np.uint8], scale: int, *, noisy: bool = True) -> NDArray[np.uint8]:
        """Return the LR picture `(3, h, w)` of an HR picture `(3, s h, s w)`, both RGB in 8 bits."""
        lr = self._reduced(hr, scale)
        if noisy:
            lr = self._noisy(lr)
        levels = np.rint(lr.clip(0, 1) * 255).astype(np.uint8)
        return self._compressed(levels) if self.quality else levels

    def to_dict(self) -> dict[str, Any]:
        """Return the parameters as plain values."""
        return dataclasses.asdict(self)

    def _reduced(self, hr: NDArray[np.uint8], scale: int) -> NDArray[np.float32]:
        """Blur and reduce in one strided convolution, strip by strip; the edge pixel is repeated."""
        kernel = self._kernel(scale).float()[None, None]
        margin = (kernel.shape[-1] - scale) // 2
        _, height, width = hr.shape
        parts = []
        for strip in strips(Size(width // scale, height // scale), MAX_STRIP_PIXELS // scale**2):
            rows = np.arange(strip.top * scale - margin, strip.bottom * scale + margin).clip(0, height - 1)
            x = torch.from_numpy(hr[:, rows]).float().div(255)[:, None]
            x = functional.pad(x, (margin, margin, 0, 0), mode="replicate")
            parts.append(functional.conv2d(x, kernel, stride=scale)[:, 0].numpy())
        return np.concatenate(parts, 1)

    def _kernel(self, scale: int) -> Tensor:
        """Return blur and reduction as one kernel `(n, n)` in HR px; n is even if the scale is, odd if not."""
        shape, reach = RESAMPLING_KERNELS[self.kernel]
        half = math.ceil(reach * scale)
        offsets = torch.arange(-half, half + scale % 2, dtype=torch.float64) + (0.5 if scale % 2 == 0 else 0)
        line = shape(offsets / scale)
        radius = math.ceil(3 * max(self.blur) * scale)
        y, x = torch.meshgrid(*[torch.arange(-radius, radius + 1, dtype=torch.float64) / scale] * 2, indexing="ij")
        along = x * math.cos(self.angle) + y * math.sin(self.angle)
        across = y * math.cos(self.angle) - x * math.sin(self.angle)
        one, other = (max(sd, 0.1 / scale) for sd in self.blur)  # below a tenth of an HR px, one sample is all
        gauss = torch.exp(-0.5 * ((along / one) ** 2 + (across / other) ** 2))
        both = functional.conv2d(torch.outer(line, line)[None, None], gauss[None, None], padding=2 * radius)[0, 0]
        return both / both.sum()

    def _noisy(self, lr: NDArray[np.float32]) -> NDArray[np.float32]:
        """Add photon noise, then the noise of the electronics."""
        random = np.random.Generator(np.random.Philox(key=self.seed))
        if self.poisson > MIN_NOISE:
            light = lr.clip(0, 1)
            if self.grey:
                light = light.mean(0, keepdims=True)
            photons = (255 / self.poisson) ** 2  # at white
            lr = lr + (random.poisson(light * photons) / photons - light)
        if self.gaussian:
            shape = (1 if self.grey else 3, *lr.shape[1:])
            lr = lr + random.standard_normal(shape, dtype=np.float32) * (self.gaussian / 255)
        return lr

    def _compressed(self, levels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Compress to JPEG and decode."""
        file = io.BytesIO()
        picture = Image.fromarray(np.ascontiguousarray(levels.transpose(1, 2, 0)))
        picture.save(file, "JPEG", quality=self.quality, subsampling=2 if self.halved else 0)
        return np.ascontiguousarray(np.asarray(Image.open(file)).transpose(2, 0, 1))


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
