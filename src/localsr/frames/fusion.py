"""Frames put together: weights by consistency, an average on the reference's grid, back-projection onto the HR grid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from localsr.frames.alignment import Pixels, View, luma
from localsr.frames.registration import covered, opencv
from localsr.geometry import Box

Plane = NDArray[np.float32]  # (h, w)

CONTRAST = (0.02, 0.2)  # share of the local variance that a difference may have: under poor maps, under good ones
TOLERANCE = (4.0, 8.0)  # expected differences up to which a pixel counts in full, likewise
GOOD_MAP, POOR_MAP = 0.35, 0.55  # px of motion left over; rigid bursts have up to 0.34, two motions from 0.6 on
MOTION_WINDOW = 3.0  # px, standard deviation of the neighbourhood in which motion is measured
MOTION_RIDGE = 1e-4  # squared gradient below which there is none to measure
NOISE_FLOOR = 2e-5  # variance; 8 bits and compression leave no less
CHECKING = 2  # frames beside the reference that must agree on a place for a full step there
ITERATIONS = 3  # of back-projection
STEP = 0.6
PIXEL_BLUR = 0.29  # standard deviation of a pixel's own square, in LR px
BLUR = 0.36  # of what optics and sampling add to it
SPREAD = 0.4  # LR px over which a difference is spread on the HR grid


class Observation(NamedTuple):
    """A frame's pixels with where they lie on the reference's grid, and how far each is believed."""

    pixels: Pixels
    places: NDArray[np.float32]  # (h, w, 2), x then y in LR px of the reference's window
    weight: Plane


def consistency(reference: Pixels, views: Sequence[View]) -> list[Plane]:
    """Return how far each pixel of the reference's window agrees with each view, in [0, 1].

    The mean difference over 3 x 3 pixels is held against noise and local contrast. Noise is the smaller of what time
    and space say: maps that are wrong everywhere do not pass for noise. How much contrast excuses depends on the motion
    that a map has left over: pixels sampled at other places differ, and that is what they are wanted for.
    """
    cv2 = opencv()
    mean, square = cv2.blur(reference, (3, 3)), cv2.blur(reference * reference, (3, 3))
    variance = np.maximum(square - mean * mean, 0).mean(-1)
    spatial = 2 * spatial_noise(reference) ** 2 / 9
    weights = []
    for view in views:
        inside, warped = view.inside, view.warped()
        trust = float(np.clip((POOR_MAP - motion_left(reference, warped, inside)) / (POOR_MAP - GOOD_MAP), 0, 1))
        contrast, tolerance = (poor + trust * (good - poor) for poor, good in (CONTRAST, TOLERANCE))
        difference = cv2.blur(warped - reference, (3, 3))
        square = np.square(difference).mean(-1)
        temporal = float(np.median(square[inside])) if inside.any() else 1.0
        noise = max(min(temporal, spatial), NOISE_FLOOR)
        excess = square / (noise + contrast * variance) / tolerance - 1
        weight = np.exp(-np.maximum(excess, 0)).astype(np.float32)
        weights.append(cv2.erode(weight, np.ones((3, 3), np.uint8)) * inside)
    return weights


def motion_left(reference: Pixels, warped: Pixels, inside: NDArray[np.bool_]) -> float:
    """Return the motion in px that nine in ten places of a warped frame stay below (Lucas and Kanade, 1981)."""
    cv2 = opencv()
    grey, left = luma(reference), luma(warped - reference)
    x, y = (cv2.Sobel(grey, cv2.CV_32F, *order, ksize=3) / 8 for order in ((1, 0), (0, 1)))
    xx, xy, yy, xt, yt = (
        cv2.GaussianBlur(product, (0, 0), MOTION_WINDOW) for product in (x * x, x * y, y * y, x * left, y * left)
    )
    xx, yy = xx + MOTION_RIDGE, yy + MOTION_RIDGE
    determinant = xx * yy - xy * xy
    motion = np.hypot(yy * xt - xy * yt, xx * yt - xy * xt) / determinant
    return float(np.quantile(motion[inside], 0.9)) if inside.any() else POOR_MAP


def spatial_noise(pixels: Pixels) -> float:
    """Estimate the standard deviation of white noise (Immerkaer, 1996), by medians so that edges count little."""
    cv2 = opencv()
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    left = np.abs(cv2.filter2D(pixels, -1, kernel)).reshape(-1, 3)
    return float(np.median(left, axis=0).mean() / 0.6745 / 6)


def average(reference: Pixels, views: Sequence[View], weights: Sequence[Plane]) -> Pixels:
    """Return the weighted mean of the reference and the views on its grid."""
    total, weight = reference.copy(), np.ones(reference.shape[:2], np.float32)
    for view, own in zip(views, weights, strict=True):
        total += view.warped() * own[..., None]
        weight += own
    return total / weight[..., None]


def observations(reference: Pixels, views: Sequence[View], weights: Sequence[Plane]) -> list[Observation]:
    """Return what each frame says of the scene, the reference first: weights are carried to the frames' own pixels."""
    cv2 = opencv()
    height, width, _ = reference.shape
    own = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float32)
    found = [Observation(reference, own, np.ones((height, width), np.float32))]
    for view, weight in zip(views, weights, strict=True):
        carried = cv2.remap(weight, view.back, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
        found.append(Observation(view.pixels, view.back, carried * covered(view.back, height, width)))
    return found


def seen(restored: Pixels, scale: int, blur: float = BLUR) -> Pixels:
    """Return a restored region as the camera would blur it, still on the HR grid."""
    blurred: Pixels = opencv().GaussianBlur(restored, (0, 0), scale * float(np.hypot(PIXEL_BLUR, blur)))
    return blurred


def back_project(restored: Pixels, found: Sequence[Observation], region: Box, scale: int, blur: float = BLUR) -> Pixels:
    """Move a restored region towards what the frames' own pixels say (Irani and Peleg, 1991).

    It moves less where fewer than two frames beside the reference count: the reference alone would bring its noise and
    its aliasing back, of which the network has made what one frame allows.

    Args:
        restored: `(s h, s w, 3)`.
        found: The frames' pixels, in the reference's window.
        region: Where it lies in that window, in LR px.
        scale: How many times it is enlarged.
        blur: Of the point spread beyond the pixel, in LR px.
    """
    if len(found) < 2:
        return restored
    cv2 = opencv()
    height, width, _ = restored.shape
    samples = [_samples(one, region, scale, height, width) for one in found]
    for _ in range(ITERATIONS):
        blurred = seen(restored, scale, blur)
        total, weight = np.zeros((height * width, 3)), np.zeros(height * width)
        for pixels, places, own, cells in samples:
            left = pixels - cv2.remap(blurred, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[:, 0]
            weight += np.bincount(cells, own, height * width)
            for band in range(3):
                total[:, band] += np.bincount(cells, own * left[:, band], height * width)
        spread = [
            cv2.GaussianBlur(part.astype(np.float32), (0, 0), scale * SPREAD)
            for part in (total.reshape(height, width, 3), weight.reshape(height, width))
        ]
        others = np.clip((spread[1] * scale**2 - 1) / CHECKING, 0, 1)
        restored = restored + STEP * (others / (spread[1] + 0.02))[..., None] * spread[0]
    return restored


class Samples(NamedTuple):
    """An observation's pixels that lie in a region, as lists."""

    pixels: NDArray[np.float32]  # (n, 3)
    places: NDArray[np.float32]  # (n, 1, 2) on the HR grid
    weight: NDArray[np.float32]  # (n,)
    cells: NDArray[np.int64]  # (n,) nearest pixel of the HR grid


def _samples(one: Observation, region: Box, scale: int, height: int, width: int) -> Samples:
    """Carry an observation to a region's HR grid."""
    places = (one.places - np.array((region.left, region.top), np.float32)) * scale + np.float32((scale - 1) / 2)
    nearest = np.rint(places).astype(np.int64)
    x, y = nearest[..., 0], nearest[..., 1]
    kept = (x >= 0) & (y >= 0) & (x < width) & (y < height) & (one.weight > 0)
    return Samples(one.pixels[kept], places[kept][:, None], one.weight[kept], (y * width + x)[kept])
