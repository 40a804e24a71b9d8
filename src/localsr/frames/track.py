"""A region followed from frame to frame, and held to its first view so that it does not drift.

From one frame to the next little changes, so the map between them is sure, but errors of maps add up. Each frame is
therefore registered once more against the first view, brought to where the region should be; where the two are alike,
that map counts. What is not alike at all is no longer the region.
"""

from __future__ import annotations

import math

import numpy as np

from localsr.frames.alignment import (
    MIN_CORRELATION,
    SURE_CORRELATION,
    luma,
    searched,
    shift_within,
    warp,
    window_of,
)
from localsr.frames.reading import Window
from localsr.frames.registration import (
    IDENTITY,
    Grey,
    Map,
    between_frames,
    between_windows,
    composed,
    inverse,
    positions,
    register,
)
from localsr.geometry import Box, Size

MARGIN = 8  # px around the region that are tracked with it; more would track the street behind a car
MIN_SIDE = 40  # px of what is tracked at least
MAX_DRIFT = 2.0  # px from one frame to the next; a first view that is less alike and further off is not believed
LEAVES = 0.5  # px by which a region may lie outside of the picture

Point = tuple[float, float]  # x, y in px


class Track:
    """Where a region of a first frame is in the frames that follow it, which are given one after the other."""

    def __init__(self, first: Window, box: Box) -> None:
        """Take the first frame and the region in it."""
        self._box = box
        across, down = (max(MARGIN, (MIN_SIDE - side + 1) // 2) for side in (box.width, box.height))
        around = Box(box.left - across, box.top - down, box.right + across, box.bottom + down).clipped(first.size)
        self._around, self._wide = around, around.grow(max(around.width, around.height) // 2).clipped(first.size)
        self._view = luma(window_of(first, self._wide))
        self._map = IDENTITY  # from the first frame's px to the last one's
        self._last = first
        self._velocity = (0.0, 0.0)  # px a frame
        self.correlation = 1.0  # of the frame given last with the first view

    @property
    def place(self) -> Point:
        """Left and top of the region in the last frame; it keeps its size and goes where its middle goes."""
        x, y = moved(self._map, self._box)
        return self._box.left + x, self._box.top + y

    def is_inside(self, size: Size) -> bool:
        """Tell whether the region lies within a picture, but for half a pixel."""
        x, y = self.place
        right, bottom = x + self._box.width, y + self._box.height
        return min(x, y) >= -LEAVES and right <= size.width + LEAVES and bottom <= size.height + LEAVES

    def follow(self, frame: Window) -> bool:
        """Find the region in the next frame; False where it is not there, and then the track stays where it was."""
        chained = self._chained(frame)
        if chained is None:
            chained = np.array(IDENTITY)
            chained[:, 2] = self._velocity
        guess = composed(chained, self._map)
        here = self._at(moved(guess, self._around), frame)
        found = register(self._as_seen(guess, here), luma(window_of(frame, here)), start=IDENTITY)
        self.correlation = 0.0 if found is None else found.correlation
        if found is None or found.correlation < MIN_CORRELATION:
            return False
        was, held = self.place, between_frames(found.matrix, here, here)
        believed = found.correlation >= SURE_CORRELATION or math.hypot(*moved(held, here)) <= MAX_DRIFT
        self._map = composed(held, guess) if believed else guess
        self._last, self._velocity = frame, (self.place[0] - was[0], self.place[1] - was[1])
        return True

    def _chained(self, frame: Window) -> Map | None:
        """Return the map from the last frame's px to the next one's; None where none is likely."""
        before = self._at(moved(self._map, self._around), self._last)
        pixels = luma(window_of(self._last, before))

        def registered(motion: Point) -> tuple[float, Map | None]:
            here = before.shifted(*shift_within(before, frame.size, motion))
            found = register(pixels, luma(window_of(frame, here)))
            return (0.0, None) if found is None else (found.correlation, between_frames(found.matrix, before, here))

        best = registered(self._velocity)
        if best[0] < SURE_CORRELATION and (motion := searched(self._last, frame, before)) is not None:
            best = max(best, registered(motion), key=lambda one: one[0])
        return best[1] if best[0] >= MIN_CORRELATION else None

    def _at(self, motion: Point, frame: Window) -> Box:
        """Return what is tracked, where it has moved to, in whole pixels within a frame."""
        return self._around.shifted(*shift_within(self._around, frame.size, motion))

    def _as_seen(self, guess: Map, here: Box) -> Grey:
        """Return the first view as a window of another frame should show it."""
        back = between_windows(inverse(guess), here, self._wide)
        seen: Grey = warp(self._view, positions(back, here.height, here.width))
        return seen


def moved(matrix: Map, box: Box) -> Point:
    """Return by how much a map moves the middle of a box."""
    middle = np.array([(box.left + box.right - 1) / 2, (box.top + box.bottom - 1) / 2])
    x, y = matrix[:, :2] @ middle + matrix[:, 2] - middle
    return float(x), float(y)
