"""Bursts made of one picture: frames that move, each with noise and compression of its own, as a network reads them.

What other frames say is made of the maps that are known, a little wrong as found ones are, and of frames of which some
are far off and some are partly hidden.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from localsr.data.degradation import Degradation
from localsr.frames import fusion
from localsr.frames.alignment import Pixels, View
from localsr.frames.cells import cells
from localsr.frames.registration import IDENTITY, Map, inverse, opencv, positions

BURSTS = 2  # made from each picture
COUNTS = {2: 0.1, 3: 0.2, 5: 0.3, 9: 0.4}  # of frames, and how often
SHIFT, TURN, ZOOM = 2.0, 1.0, 0.01  # LR px, degrees, share: what frames have moved at most
ERRORS = (-2.3, -0.9)  # powers of ten: the least and the largest error of found maps, LR px
ERROR_SIDE = 40  # LR px over which maps err alike
LOST, LOST_BY = 0.04, 1.5  # how often a map is wrong altogether, and by how many LR px
HIDING, HIDDEN = 0.3, 0.4  # how often a burst has frames that are partly hidden, and how many of them
PATCH, PATCH_AREA = (6, 26), 50**2  # LR px: sides of what hides, and for how large an area there is one


def coded(pixels: NDArray[np.float32], bands: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return pixels `(3, h, w)` in [0, 1] and cells in [-1, 1] as 8-bit levels; of cells, mostly small, the roots."""
    levels = [np.rint(pixels * 255), np.rint(128 + 127 * np.copysign(np.sqrt(np.abs(bands)), bands))]
    return np.concatenate(levels).clip(0, 255).astype(np.uint8)


def decoded(levels: Tensor) -> Tensor:
    """Return what was `coded`, `(B, 3 + 4 s^2 + 4, h, w)`, as a network reads it."""
    roots = levels[:, 3:].float().sub(128).div(127)
    return torch.cat([levels[:, :3].float().div(255), roots * roots.abs()], 1)


def burst_of(hr: NDArray[np.uint8], scale: int, seed: int, k: int) -> NDArray[np.uint8]:
    """Return what a network reads of burst k made of an HR picture.

    Args:
        hr: The picture, `(3, s h, s w)`.
        scale: How many times larger it is than the frames.
        seed: Of all bursts.
        k: Number of the burst; it follows from both alone.

    Returns:
        The average of the frames and their cells, `(3 + 4 s^2 + 4, h, w)`, as `coded`.
    """
    random = np.random.Generator(np.random.Philox(key=[seed, k]))
    count = int(random.choice(list(COUNTS), p=list(COUNTS.values())))
    degradation = Degradation.draw(seed, k)
    frames = [_frame(hr, scale, degradation, IDENTITY, degradation.seed)]
    maps = []
    for _ in range(count - 1):
        moved = _motion(random, hr.shape[2], hr.shape[1], scale)
        frames.append(_frame(hr, scale, degradation, moved, int(random.integers(2**62))))
        maps.append(_reduced(moved, scale))
    if random.random() < HIDING:
        for frame in frames[1:]:
            if random.random() < HIDDEN:
                _hide(frame, frames[int(random.integers(count))], random)
    wrong = 10 ** random.uniform(*ERRORS)
    views = [_view(frame, matrix, wrong, random) for frame, matrix in zip(frames[1:], maps, strict=True)]
    reference = frames[0]
    weights = fusion.consistency(reference, views)
    mean = fusion.average(reference, views, weights).clip(0, 1)
    found = fusion.observations(reference, views, weights)
    return coded(mean.transpose(2, 0, 1), cells(reference, mean, found, np.sum(weights, 0), scale))


def _motion(random: np.random.Generator, width: int, height: int, scale: int) -> Map:
    """Draw a map of HR px about a picture's middle."""
    angle, size = math.radians(random.uniform(-TURN, TURN)), 1 + random.uniform(-ZOOM, ZOOM)
    linear = size * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    return np.hstack([linear, (middle + scale * random.uniform(-SHIFT, SHIFT, 2) - linear @ middle)[:, None]])


def _reduced(matrix: Map, scale: int) -> Map:
    """Return a map of HR px as one of LR px, whose centres lie between those of HR px."""
    linear, offset = matrix[:, :2], np.full(2, (scale - 1) / 2)
    return np.hstack([linear, ((linear @ offset + matrix[:, 2] - offset) / scale)[:, None]])


def _frame(hr: NDArray[np.uint8], scale: int, degradation: Degradation, moved: Map, seed: int) -> Pixels:
    """Return a picture that has moved as a camera would record it, `(h, w, 3)`."""
    cv2 = opencv()
    if moved is not IDENTITY:
        how: dict[str, Any] = {"flags": cv2.INTER_LANCZOS4, "borderMode": cv2.BORDER_REFLECT_101}
        rows = cv2.warpAffine(np.ascontiguousarray(hr.transpose(1, 2, 0)), moved, hr.shape[:0:-1], **how)
        hr = np.ascontiguousarray(rows.transpose(2, 0, 1))
    lr = dataclasses.replace(degradation, seed=seed).apply(hr, scale)
    return np.ascontiguousarray(lr.transpose(1, 2, 0), np.float32) / np.float32(255)


def _view(frame: Pixels, matrix: Map, wrong: float, random: np.random.Generator) -> View:
    """Return a frame with its map, which errs by `wrong` LR px, differently from place to place."""
    height, width, _ = frame.shape
    nodes = (height // ERROR_SIDE + 2, width // ERROR_SIDE + 2, 2)
    errors = random.normal(0, wrong, nodes).astype(np.float32)
    if random.random() < LOST:
        errors += random.normal(0, LOST_BY, 2).astype(np.float32)
    field = opencv().resize(errors, (width, height), interpolation=opencv().INTER_CUBIC)
    there, back = positions(matrix, height, width), positions(inverse(matrix), height, width)
    return View("", frame, there + field, back - field, 1.0, (0.0, 0.0))


def _hide(frame: Pixels, other: Pixels, random: np.random.Generator) -> None:
    """Put pieces of another frame, or of other places of the same, before a frame."""
    height, width, _ = frame.shape
    for _ in range(max(1, height * width // PATCH_AREA)):
        down, across = random.integers(*PATCH, 2)
        (top, left), (y, x) = random.integers((height - down, width - across), size=(2, 2))
        frame[top : top + down, left : left + across] = other[y : y + down, x : x + across].copy()
