"""How a photo lost its details: blur, an unknown resampling kernel, sensor noise and JPEG, the same all over a picture.

The bicubic reduction of the papers is none of a camera's doing: a network that knows only it sharpens nothing real and
amplifies JPEG blocks. Drawn once per picture, a degradation is something that the context can tell and the ROI cannot.
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

from localsr.geometry import MAX_STRIP, Size, strips
from localsr.resize import cubic

VERSION = 2  # of what follows: a cache of pictures made by another version is made anew
BLUR = 0.8  # LR px, largest standard deviation; a lens and a demosaicking have 0.3 to 0.6
NOISE = 25.0  # levels of 255, largest standard deviation: a phone by night; drawn squared, so that a third is below 3
LEAST = 1e-4  # levels; of so little noise nothing is left in 8 bits, and NumPy does not draw so many photons
QUALITY = (30, 97)  # JPEG; a phone writes 90 to 97, web sites 70 to 85, messengers less
DEGRADATIONS = ("bicubic", "photo")  # how LR is made of HR: as the papers do it, or as below
VARIANTS = 8  # LR pictures made of each HR to train on, at x4 half its size in all
KERNELS: dict[str, tuple[Callable[[Tensor], Tensor], float]] = {  # of the reduction, and its reach in LR px
    "box": (lambda t: (t.abs() < 0.5).double(), 0.5),
    "linear": (lambda t: (1 - t.abs()).clamp(min=0), 1.0),
    "cubic": (cubic, 2.0),
    "lanczos": (lambda t: torch.sinc(t) * torch.sinc(t / 3) * (t.abs() < 3), 3.0),
}


@dataclass(frozen=True)
class Degradation:
    """One photo's: what it is, and the LR that it makes of an HR."""

    kernel: str  # one of KERNELS
    blur: tuple[float, float]  # standard deviations of a Gaussian along two axes, LR px
    angle: float  # of the first axis, radians
    gaussian: float  # standard deviation of the noise of the sensor's electronics, levels
    poisson: float  # standard deviation of the noise of the light itself at white, levels; it grows with the root
    grey: bool  # the same noise in the three colours
    quality: int  # JPEG's; 0 for none
    halved: bool  # JPEG's colour at half the size (4:2:0)
    seed: int  # of the noise

    @classmethod
    def draw(cls, seed: int, k: int) -> Self:
        """Draw the degradation of picture k; a function of both numbers and of nothing else."""
        random = np.random.Generator(np.random.Philox(key=[seed, k]))
        one, other = random.uniform(0, BLUR, 2)
        round_ = random.random() < 0.5
        return cls(
            kernel=str(random.choice(list(KERNELS))),
            blur=(float(one), float(one if round_ else other)),
            angle=float(random.uniform(0, math.pi)),
            gaussian=float(NOISE * random.random() ** 2 * (random.random() < 0.5)),
            poisson=float(NOISE * random.random() ** 2 * (random.random() < 0.5)),
            grey=bool(random.random() < 0.5),
            quality=int(random.integers(QUALITY[0], QUALITY[1] + 1) * (random.random() < 0.9)),
            halved=bool(random.random() < 0.7),
            seed=int(random.integers(2**62)),
        )

    def apply(self, hr: NDArray[np.uint8], scale: int) -> NDArray[np.uint8]:
        """Make the LR `(3, h, w)` of an HR `(3, s h, s w)`, both 8-bit RGB."""
        lr = self._noisy(self._reduced(hr, scale))
        levels = np.rint(lr.clip(0, 1) * 255).astype(np.uint8)
        return self._compressed(levels) if self.quality else levels

    def to_dict(self) -> dict[str, Any]:
        """Give the parameters as plain values."""
        return dataclasses.asdict(self)

    def _reduced(self, hr: NDArray[np.uint8], scale: int) -> NDArray[np.float32]:
        """Blur and reduce in one strided convolution, strip by strip; the edge is repeated."""
        kernel = self._kernel(scale).float()[None, None]
        margin = (kernel.shape[-1] - scale) // 2
        _, height, width = hr.shape
        parts = []
        for strip in strips(Size(width // scale, height // scale), MAX_STRIP // scale**2):
            rows = np.arange(strip.top * scale - margin, strip.bottom * scale + margin).clip(0, height - 1)
            x = torch.from_numpy(hr[:, rows]).float().div(255)[:, None]
            x = functional.pad(x, (margin, margin, 0, 0), mode="replicate")
            parts.append(functional.conv2d(x, kernel, stride=scale)[:, 0].numpy())
        return np.concatenate(parts, 1)

    def _kernel(self, scale: int) -> Tensor:
        """Give the two in one, `(n, n)` in HR px around the centre of an LR px; n is even if the scale is."""
        shape, reach = KERNELS[self.kernel]
        half = math.ceil(reach * scale)
        offsets = torch.arange(-half, half + scale % 2, dtype=torch.float64) + (0.5 if scale % 2 == 0 else 0)
        line = shape(offsets / scale)
        radius = math.ceil(3 * max(self.blur) * scale)
        y, x = torch.meshgrid(*[torch.arange(-radius, radius + 1, dtype=torch.float64) / scale] * 2, indexing="ij")
        along = x * math.cos(self.angle) + y * math.sin(self.angle)
        across = y * math.cos(self.angle) - x * math.sin(self.angle)
        one, other = (max(sd, 0.1 / scale) for sd in self.blur)  # narrower than a tenth of a px is none
        gauss = torch.exp(-0.5 * ((along / one) ** 2 + (across / other) ** 2))
        both = functional.conv2d(torch.outer(line, line)[None, None], gauss[None, None], padding=2 * radius)[0, 0]
        return both / both.sum()

    def _noisy(self, lr: NDArray[np.float32]) -> NDArray[np.float32]:
        """Add noise: of the light, then of the electronics."""
        random = np.random.Generator(np.random.Philox(key=self.seed))
        if self.poisson > LEAST:
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
        """Go through a JPEG file."""
        file = io.BytesIO()
        picture = Image.fromarray(np.ascontiguousarray(levels.transpose(1, 2, 0)))
        picture.save(file, "JPEG", quality=self.quality, subsampling=2 if self.halved else 0)
        return np.ascontiguousarray(np.asarray(Image.open(file)).transpose(2, 0, 1))
