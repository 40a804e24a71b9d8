"""Which frames show the region of the reference, where, and which of them are worth their place.

Every frame is read in a window as large as the reference's, shifted by whole pixels to where the region has moved, and
an affine map between the two windows is found (`registration`). Motion that a window cannot hold is looked for in a
reduced surrounding first, and each frame begins where its neighbour in time left off.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from localsr.frames.reading import Frame, Frames, Window
from localsr.frames.registration import Grey, Registration, covered, inverse, opencv, positions, register
from localsr.geometry import Box, Size

MIN_CORRELATION = 0.5  # below it a frame shows something else
SURE_CORRELATION = 0.8  # from which no wider search is made
SEARCH_SIDE = 96  # px of a reduced surrounding, in which large motions are looked for
SEARCH_REACH = 64  # px, or the region's own side
SAME = 0.25 / 255  # mean difference up to which two windows are one picture
MIN_SHARPNESS = 0.25  # of the reference's, by the energy of the gradient
PHASES = 4  # cells of a pixel's width and height, for the coverage of sub-pixel places

Pixels = NDArray[np.float32]  # (h, w, 3) in [0, 1]


class FrameUse(NamedTuple):
    """What became of a frame for one region."""

    name: str
    used: bool
    reason: str  # why it was not used; empty if it was
    correlation: float = 0.0
    motion: tuple[float, float] = (0.0, 0.0)  # of the region's middle against the reference, in px


@dataclass(frozen=True, eq=False)
class View:
    """A frame's window, and where its pixels lie in the reference's window and the other way round.

    Attributes:
        name: The frame's name.
        pixels: Of the frame's window.
        there: `(h, w, 2)`: where each pixel of the reference's window lies in the frame's, x then y.
        back: `(h, w, 2)`: where each pixel of the frame's window lies in the reference's.
        correlation: Of the windows under the map.
        motion: Of the window's middle against the reference, in px.
    """

    name: str
    pixels: Pixels
    there: NDArray[np.float32]
    back: NDArray[np.float32]
    correlation: float
    motion: tuple[float, float]

    @property
    def inside(self) -> NDArray[np.bool_]:
        """Which pixels of the reference's window the frame's window shows."""
        return covered(self.there, *self.pixels.shape[:2])

    def warped(self) -> Pixels:
        """Return the frame as the reference would show it."""
        return warp(self.pixels, self.there)


def warp(pixels: Pixels, where: NDArray[np.float32]) -> Pixels:
    """Return the pixels at places, `(h, w, 2)` x then y, by cubic interpolation; beyond the border the edge repeats."""
    cv2 = opencv()
    warped: Pixels = cv2.remap(pixels, where, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return warped


def luma(pixels: Pixels) -> Grey:
    """Return BT.601 luma of RGB."""
    weighted: Grey = pixels @ np.array([0.299, 0.587, 0.114], np.float32)
    return weighted


def window_of(picture: Window, box: Box) -> Pixels:
    """Read a box as `(h, w, 3)`."""
    return np.ascontiguousarray(picture.window(box).transpose(1, 2, 0))


class Alignment(NamedTuple):
    """Where a window of the reference is found in the other frames."""

    views: list[View]  # those worth their place, best first
    uses: list[FrameUse]  # what became of each frame


def align(frames: Frames, around: Box) -> Alignment:
    """Find a window of the reference in other frames; choose at most `frames.count - 1` of them, never one alone."""
    reference = window_of(frames.reference, around)
    found: list[View] = []
    uses: list[FrameUse] = [FrameUse(name, False, reason) for name, reason in frames.left_out]
    steps: dict[
        int, tuple[int, tuple[float, float]]
    ] = {}  # by direction in time: how far the last frame was, its motion
    sharpness = _sharpness(reference)
    for frame in frames.others:
        side = (frame.step > 0) - (frame.step < 0)
        near, moved = steps.get(side, (0, (0.0, 0.0)))
        guess = (0.0, 0.0) if near == 0 else (moved[0] * frame.step / near, moved[1] * frame.step / near)
        guess = guess if frame.motion is None else frame.motion
        view = _located(frames, frame, reference, around, guess)
        if view is None or view.correlation < MIN_CORRELATION:
            correlation = 0.0 if view is None else view.correlation
            uses.append(FrameUse(frame.name, False, "it does not show the region", correlation))
            continue
        if frame.step:
            steps[side] = frame.step, view.motion
        reason = _fault(view, reference, sharpness, found)
        if reason:
            uses.append(FrameUse(frame.name, False, reason, view.correlation, view.motion))
        else:
            found.append(view)
    chosen = _chosen(found, frames.count - 1)
    if len(chosen) == 1:
        alone = "it is the only one, and a second one would have to check it"
        uses.append(FrameUse(chosen[0].name, False, alone, chosen[0].correlation, chosen[0].motion))
        return Alignment([], uses)
    spare = [view for view in found if view not in chosen]
    uses += [FrameUse(v.name, False, "other frames bring more", v.correlation, v.motion) for v in spare]
    return Alignment(chosen, [*(FrameUse(v.name, True, "", v.correlation, v.motion) for v in chosen), *uses])


def _located(frames: Frames, frame: Frame, reference: Pixels, around: Box, guess: tuple[float, float]) -> View | None:
    """Find the reference's window in a frame: at the guess, and if that is not sure, in a wider surrounding."""
    view = _registered(frame, reference, around, guess)
    if view is not None and view.correlation >= SURE_CORRELATION:
        return view
    wide = searched(frames.reference, frame.picture, around)
    if wide is None or math.dist(wide, guess) < 1:
        return view
    other = _registered(frame, reference, around, wide)
    views = [one for one in (view, other) if one is not None]
    return max(views, key=lambda one: one.correlation, default=None)


def _registered(frame: Frame, reference: Pixels, around: Box, guess: tuple[float, float]) -> View | None:
    """Register a frame's window, shifted by a guess in whole pixels as far as the frame goes."""
    shift = shift_within(around, frame.picture.size, guess)
    pixels = window_of(frame.picture, around.shifted(*shift))
    start = None
    if shift != (round(guess[0]), round(guess[1])):  # stopped at the border: the motion is in the window
        start = np.array([[1.0, 0.0, guess[0] - shift[0]], [0.0, 1.0, guess[1] - shift[1]]])
    result = register(luma(reference), luma(pixels), start=start)
    if result is None:
        return None
    return _view(frame.name, pixels, result, shift)


def _view(name: str, pixels: Pixels, found: Registration, shift: tuple[int, int]) -> View:
    """Make a view of a map."""
    height, width, _ = pixels.shape
    middle = np.array([width / 2, height / 2, 1.0])
    motion = found.matrix @ middle - middle[:2] + shift
    there, back = found.positions(height, width), positions(inverse(found.matrix), height, width)
    return View(name, pixels, there, back, found.correlation, (float(motion[0]), float(motion[1])))


def shift_within(box: Box, size: Size, guess: tuple[float, float]) -> tuple[int, int]:
    """Round a shift to whole pixels, and keep the box within a picture."""
    x = min(max(round(guess[0]), -box.left), size.width - box.right)
    y = min(max(round(guess[1]), -box.top), size.height - box.bottom)
    return x, y


def searched(one: Window, other: Window, around: Box) -> tuple[float, float] | None:
    """Look for a large motion of a window from one frame to another in a reduced surrounding; return it in px."""
    cv2 = opencv()
    reach = max(SEARCH_REACH, around.width, around.height)
    wide = around.grow(reach).clipped(one.size)
    factor = max(1, math.ceil(max(wide.width, wide.height) / SEARCH_SIDE))
    small = [
        cv2.resize(luma(window_of(picture, wide)), None, fx=1 / factor, fy=1 / factor, interpolation=cv2.INTER_AREA)
        for picture in (one, other)
    ]
    found = register(small[0], small[1])
    if found is None:
        return None
    x, y = around.left + around.width / 2 - wide.left, around.top + around.height / 2 - wide.top
    place = np.array([x / factor, y / factor, 1.0])
    moved = (found.matrix @ place - place[:2]) * factor
    return float(moved[0]), float(moved[1])


def _sharpness(pixels: Pixels) -> float:
    """Return the energy of the gradient of a window's luma."""
    grey = opencv().GaussianBlur(luma(pixels), (0, 0), 0.7)
    return float(np.square(np.diff(grey, axis=0)).mean() + np.square(np.diff(grey, axis=1)).mean())


def _fault(view: View, reference: Pixels, sharpness: float, found: Sequence[View]) -> str:
    """Say why a view brings nothing, or nothing."""
    if float(np.abs(view.pixels - reference).mean()) < SAME:
        return "it is the reference once more"
    for other in found:
        if float(np.abs(view.pixels - other.pixels).mean()) < SAME:
            return f"it is {other.name} once more"
    if _sharpness(view.pixels) < MIN_SHARPNESS * sharpness:
        return "it is blurred"
    return ""


def _chosen(views: Sequence[View], count: int) -> list[View]:
    """Choose views by their correlation and by sub-pixel places that no chosen one has."""
    left, chosen = list(views), list[View]()
    taken: set[tuple[int, int]] = {(0, 0)}
    while left and len(chosen) < count:
        best = max(left, key=lambda view: view.correlation + 0.02 * (phase(view.motion) not in taken))
        left.remove(best)
        chosen.append(best)
        taken.add(phase(best.motion))
    return chosen


def phase(motion: tuple[float, float]) -> tuple[int, int]:
    """Return the sub-pixel cell of a motion, of `PHASES` x `PHASES`; 0, 0 holds whole pixels."""
    x, y = (math.floor((part + 0.5 / PHASES) % 1 * PHASES) for part in motion)
    return x, y
