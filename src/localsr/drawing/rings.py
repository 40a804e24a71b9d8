"""The rings that show attention, on the map of a photo and on the page alike."""

from __future__ import annotations

import math

from localsr.geometry import Size

RADIUS_OF_ALL = 0.3  # in square roots of the picture's area: patches with even shares fill 28 % of it


def ring_radius(share: float, size: Size) -> float:
    """Return the radius, in pixels, of the ring on a patch: its area is in proportion to the patch's share.

    Args:
        share: Of the attention, in [0, 1]; all shares of a picture sum to 1.
        size: Of the picture that the ring is drawn on, in the pixels that the radius is wanted in.
    """
    return RADIUS_OF_ALL * math.sqrt(size.width * size.height * share)
