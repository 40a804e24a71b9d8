"""What a photo went through: measured over all of it, or as a user says."""

from __future__ import annotations

import numpy as np

from localsr.conditions import BLOCK, Conditions, measure
from localsr.errors import ConfigError
from localsr.geometry import whole
from localsr.images import Photo
from localsr.models.patches import sample_patches

WINDOW = 8 * BLOCK  # px, side of the windows that are looked at
WINDOWS = 64  # at most: 4,096 of JPEG's blocks, read and measured in 0.1 s
MAX_NOISE = 25.0  # levels, which `denoise` 100 stands for
MAX_BLUR = 1.2  # px, which `deblur` 100 stands for


def measure_photo(photo: Photo) -> Conditions:
    """Measure a photo's conditions in windows from all over it."""
    boxes = [box.intersection(whole(photo.size)) for box in sample_patches(photo.size, WINDOW, WINDOWS)]
    return measure(np.rint(window * 255).astype(np.uint8) for window in photo.windows(boxes))


def adjusted(measured: Conditions, denoise: float | None, deblur: float | None) -> Conditions:
    """Return conditions in which a user's word takes the place of what was measured.

    Args:
        measured: Of the photo.
        denoise: From 0, which leaves noise and traces of compression as they are, to 100; None for what was measured.
        deblur: From 0 to 100; None for what was measured.

    Raises:
        ConfigError: One is out of range.
    """
    for name, value in (("denoise", denoise), ("deblur", deblur)):
        if value is not None and not 0 <= value <= 100:
            raise ConfigError(f"{name} {value:g} is not between 0 and 100")
    noise, blur, compression = measured
    if denoise is not None:
        share = denoise / 100
        noise, compression = MAX_NOISE * share**2, compression * min(2 * share, 1.0)  # squared: noise is mostly small
    if deblur is not None:
        blur = MAX_BLUR * deblur / 100
    return Conditions(noise, blur, compression)
