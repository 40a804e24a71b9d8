"""A picture to measure and check by."""

from __future__ import annotations

import numpy as np

from localsr import images
from localsr.geometry import Size
from localsr.images import Photo


def sample_photo(size: Size) -> Photo:
    """Make a picture with smooth parts, edges and noise: a function of its size alone."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[: size.height, : size.width] / 40.0
    waves = np.stack([np.sin(x * 2 + k) * np.cos(y * (k + 1)) for k in range(3)], axis=2)
    edges = ((x + 2 * y) % 1.5 < 0.4)[..., None] * 0.4
    noise = random.normal(0, 0.05, waves.shape)
    return images.read(np.rint(np.clip(waves * 0.3 + 0.4 + edges + noise, 0, 1) * 255).astype(np.uint8))
