"""What a photo went through, measured over all of it."""

from __future__ import annotations

from threading import Lock
from typing import Any

import numpy as np

from localsr.conditions import Conditions
from localsr.estimation import BLOCK, measure, quality_of
from localsr.geometry import whole
from localsr.images import Photo
from localsr.images.encoding import JpegTables
from localsr.models.patches import sample_patches

WINDOW = 8 * BLOCK  # px, side of the windows that are looked at
WINDOWS = 64  # at most: 4,096 of JPEG's blocks, read and measured in 0.1 s


class PhotoConditions:
    """A photo's conditions, measured when they are first asked for, and once."""

    def __init__(self, photo: Photo, known: Conditions | None = None) -> None:
        """Take the photo; nothing is read yet. `known` is what is known already."""
        self._photo, self._lock, self._found = photo, Lock(), known

    def __getstate__(self) -> dict[str, Any]:
        """Return all but the lock."""
        return {name: value for name, value in vars(self).items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take what `__getstate__` gave, and a lock of its own."""
        self.__dict__.update(state, _lock=Lock())

    def get(self) -> Conditions:
        """Return the conditions, and measure them if no thread has yet."""
        with self._lock:
            if self._found is None:
                self._found = measure_photo(self._photo)
            return self._found


def measure_photo(photo: Photo) -> Conditions:
    """Measure a photo's conditions in windows from all over it; a JPEG's own tables tell its quality."""
    boxes = [box.intersection(whole(photo.size)) for box in sample_patches(photo.size, WINDOW, WINDOWS)]
    tables = JpegTables.of(photo.metadata.jpeg, photo.bands)
    quality = None if tables is None else quality_of(tables.options["qtables"][0])
    return measure((np.rint(window * 255).astype(np.uint8) for window in photo.windows(boxes)), quality)
