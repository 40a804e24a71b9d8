"""Cells: what each pixel of each frame says beyond the average, at the sub-pixel place where it lies.

A frame's pixel is a sample of the scene between the pixels of the reference. Its difference from the average is spread
on the HR grid, and the s x s places of that grid within an LR pixel become its bands: a network reads them at the cost
of a wider head, whatever the number of frames. In the terms of the paper's Eq. 1, keys and values are these samples,
those at the query's own place, and their consistency with the reference takes the place of the softmax.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from localsr.frames.alignment import Pixels, warp
from localsr.frames.fusion import Observation

Bands = NDArray[np.float32]  # (4 s^2 + 4, h, w) in [-1, 1]

GAIN = 8.0  # of differences: an eighth of the range becomes 1
DOUBT = 0.25  # samples that say nothing, at each place: one sample alone counts for 0.8
MANY = 4.0  # frames that agree with a pixel of the reference, from which its last band is above a half


def cells(
    reference: Pixels, mean: Pixels, found: Sequence[Observation], agreed: NDArray[np.float32], scale: int
) -> Bands:
    """Return what frames say beyond their mean.

    Args:
        reference: The reference's window, `(h, w, 3)`.
        mean: The average of frames on its grid, likewise.
        found: The frames' own pixels, the reference's first.
        agreed: How many frames beside the reference count at each of its pixels, `(h, w)`.
        scale: Places of an LR pixel along each side.

    Returns:
        Differences from the mean of three colours and their weight, each for s x s places as `pixel_unshuffle` orders
        them; the reference's difference; and how many frames count. All zero where none does.
    """
    height, width, _ = reference.shape
    sums = np.zeros((4, height * width * scale**2))
    for one in found:
        beyond, places = one.pixels - warp(mean, one.places), one.places * scale + (scale - 1) / 2
        _spread(beyond, one.weight, places, sums, width * scale)
    sums[:3] *= GAIN
    folded = (sums / (sums[3] + DOUBT)).reshape(4, height, scale, width, scale).transpose(0, 2, 4, 1, 3)
    bands = np.empty((4 * scale**2 + 4, height, width), np.float32)
    bands[:-4] = folded.reshape(-1, height, width)
    bands[-4:-1] = GAIN * (reference - mean).transpose(2, 0, 1)
    bands[-1] = agreed / (agreed + MANY)
    return np.clip(bands, -1, 1, out=bands) * np.minimum(agreed, 1)


def _spread(
    differences: Pixels, weight: NDArray[np.float32], places: NDArray[np.float32], sums: NDArray[np.float64], width: int
) -> None:
    """Add differences and weights to the four places of the HR grid around each sample, by bilinear shares."""
    height = sums.shape[1] // width
    corner = np.floor(places)
    share = places - corner
    left, top = (corner[..., k].astype(np.int64) for k in (0, 1))
    for down in (0, 1):
        for right in (0, 1):
            x, y = left + right, top + down
            along, across = (share[..., k] if step else 1 - share[..., k] for k, step in ((0, right), (1, down)))
            own = weight * along * across
            kept = (own > 0) & (x >= 0) & (y >= 0) & (x < width) & (y < height)
            index, own = (y * width + x)[kept], own[kept]
            for band in range(3):
                sums[band] += np.bincount(index, own * differences[..., band][kept], sums.shape[1])
            sums[3] += np.bincount(index, own, sums.shape[1])
