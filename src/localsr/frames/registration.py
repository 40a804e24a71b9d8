"""Where the region of a reference frame lies in another frame, to a fiftieth of a pixel.

An affine map by Gauss-Newton steps, coarse to fine, on the difference of the two windows: each step solves for the map,
a gain and an offset of the light at once, and pixels that do not fit (something moved, a highlight) weigh less. The
gradient is the mean of both windows', which doubles the order of convergence (Malis, ESM, 2004): ten steps do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from localsr import extras
from localsr.geometry import Box

if TYPE_CHECKING:
    from collections.abc import Sequence

Grey = NDArray[np.float32]
Map = NDArray[np.float64]

IDENTITY: Map = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
TRANSLATION_BLUR = 2.0  # px; the first, coarse step sees blobs
AFFINE_BLURS = (1.0, 0.7)  # px; less would take the aliasing of small pixels for motion
MAX_STEPS = 12
SETTLED = 2e-3  # px; a step that moves the corners by less is the last
COARSELY_SETTLED = 0.05  # px; the same of the coarse step, whose map is only where the fine ones begin
SPREAD_FROM = 3  # one in so many pixels tells the spread of what is left; medians of all took a fifth of the time
CAUCHY = 2.5  # robust standard deviations at which a pixel's weight has halved
NOISE_FLOOR = 2e-3  # of [0, 1]; windows that are equal have no spread to measure
MIN_OVERLAP = 0.3  # of the window
MIN_PIXELS = 64
MAX_STRETCH = 0.25  # a map that enlarges, shears or turns by more is no motion between frames
RIDGE = 1e-6  # of the mean curvature, for windows in which a direction has no gradient


@dataclass(frozen=True, eq=False)
class Registration:
    """Where the pixels of a reference window lie in another frame's window.

    Attributes:
        matrix: `(2, 3)`: a pixel at `(x, y)` of the reference lies at `matrix @ (x, y, 1)` of the frame.
        correlation: Of the two windows under the map, gain and offset aside; 1 where they are alike.
        overlap: Share of the reference window that the frame's window covers.
    """

    matrix: Map
    correlation: float
    overlap: float

    def positions(self, height: int, width: int) -> NDArray[np.float32]:
        """Return where each pixel of a `height` x `width` reference lies: `(h, w, 2)`, x then y, in px."""
        return positions(self.matrix, height, width)


def register(
    reference: Grey, frame: Grey, *, start: Map | None = None, reach: float | None = None
) -> Registration | None:
    """Find the affine map from a reference window to another of the same size.

    Args:
        reference: `(h, w)` float32 luma in [0, 1].
        frame: `(h, w)` float32 luma in [0, 1].
        start: Where to begin; without it, from the shift of best phase correlation and from no shift at all.
        reach: Largest shift in px that is believed; half the window without it.

    Returns:
        The map, or None where the windows do not overlap enough or no map explains one by the other.
    """
    cv2 = opencv()
    height, width = reference.shape
    reach = min(height, width) / 2 if reach is None else reach
    starts = [start] if start is not None else _starts(cv2, reference, frame)
    coarse = [_blurred(cv2, window, TRANSLATION_BLUR) for window in (reference, frame)]
    found = [_refined(cv2, coarse[0], coarse[1], matrix, affine=False) for matrix in starts]
    tried = [one for one in found if one is not None]
    if not tried:
        return None
    matrix, _ = min(tried, key=lambda one: one[1])
    for blur in AFFINE_BLURS:
        fine = [_blurred(cv2, window, blur) for window in (reference, frame)]
        refined = _refined(cv2, fine[0], fine[1], matrix, affine=True)
        if refined is None:
            return None
        matrix, _ = refined
    stretch = np.abs(matrix[:, :2] - IDENTITY[:, :2]).max()
    shift = np.abs(matrix @ (width / 2, height / 2, 1) - (width / 2, height / 2)).max()
    if stretch > MAX_STRETCH or shift > reach:
        return None
    where = positions(matrix, height, width)
    inside = covered(where, height, width)
    if inside.mean() < MIN_OVERLAP:
        return None
    smooth = [_blurred(cv2, window, 1.0) for window in (reference, frame)]
    warped = cv2.remap(smooth[1], where, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return Registration(matrix, _correlation(smooth[0][inside], warped[inside]), float(inside.mean()))


def opencv() -> Any:  # noqa: ANN401  # cv2 has no types
    """Return cv2, or raise `ConfigError` saying what to install."""
    return extras.optional("cv2", "video", "Putting frames together")


def positions(matrix: Map, height: int, width: int) -> NDArray[np.float32]:
    """Return where a map takes each pixel of a window: `(h, w, 2)`, x then y."""
    x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    (a, b, c), (d, e, f) = matrix.astype(np.float32)
    return np.stack([a * x + b * y + c, d * x + e * y + f], -1)


def inverse(matrix: Map) -> Map:
    """Return the map back: from the frame's pixels to the reference's."""
    back = np.linalg.inv(matrix[:, :2])
    return np.hstack([back, -back @ matrix[:, 2:]])


def composed(after: Map, first: Map) -> Map:
    """Return one map after another."""
    return np.hstack([after[:, :2] @ first[:, :2], after[:, :2] @ first[:, 2:] + after[:, 2:]])


def between_frames(matrix: Map, one: Box, other: Box) -> Map:
    """Carry a map from a window of one frame to a window of another over to the frames."""
    return _further(matrix, np.array([other.left, other.top]) - matrix[:, :2] @ (one.left, one.top))


def between_windows(matrix: Map, one: Box, other: Box) -> Map:
    """Carry a map from one frame to another over to windows of them."""
    return _further(matrix, matrix[:, :2] @ (one.left, one.top) - np.array([other.left, other.top]))


def _further(matrix: Map, by: NDArray[np.float64]) -> Map:
    """Return a map that shifts by so much more."""
    return np.hstack([matrix[:, :2], matrix[:, 2:] + by[:, None]])


def covered(where: NDArray[np.float32], height: int, width: int) -> NDArray[np.bool_]:
    """Tell which positions `(..., 2)` lie within a `height` x `width` window."""
    x, y = where[..., 0], where[..., 1]
    inside: NDArray[np.bool_] = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    return inside


def _starts(cv2: Any, reference: Grey, frame: Grey) -> Sequence[Map]:  # noqa: ANN401
    """Return the shift of best phase correlation, and none, as maps to begin at."""
    window = cv2.createHanningWindow(reference.shape[::-1], cv2.CV_32F)
    (x, y), _ = cv2.phaseCorrelate(_blurred(cv2, reference, 1.0), _blurred(cv2, frame, 1.0), window)
    if max(abs(x), abs(y)) < 0.5:
        return [IDENTITY]
    return [np.array([[1.0, 0.0, x], [0.0, 1.0, y]]), IDENTITY]


def _blurred(cv2: Any, window: Grey, sigma: float) -> Grey:  # noqa: ANN401
    """Blur by a Gaussian of `sigma` px."""
    blurred: Grey = cv2.GaussianBlur(window, (0, 0), sigma)
    return blurred


def _gradient(window: Grey) -> tuple[Grey, Grey]:
    """Return central differences along x and y; zero at the border."""
    gx, gy = np.zeros_like(window), np.zeros_like(window)
    gx[:, 1:-1] = (window[:, 2:] - window[:, :-2]) / 2
    gy[1:-1] = (window[2:] - window[:-2]) / 2
    return gx, gy


def _refined(
    cv2: Any,  # noqa: ANN401
    reference: Grey,
    frame: Grey,
    matrix: Map,
    *,
    affine: bool,
) -> tuple[Map, float] | None:
    """Take Gauss-Newton steps from a map; return it and the robust rms left, or None if it leaves the window."""
    height, width = reference.shape
    own_x, own_y = _gradient(reference)
    half, target = max(height, width) / 2, reference.ravel()
    u = (np.arange(width, dtype=np.float32) - (width - 1) / 2) / half
    v = ((np.arange(height, dtype=np.float32) - (height - 1) / 2) / half)[:, None]
    columns = np.ones((8 if affine else 4, height, width), np.float32)  # of the equations; the last is the offset's
    equations = columns.reshape(len(columns), -1)
    settled = SETTLED if affine else COARSELY_SETTLED
    rms = math.inf
    for _ in range(MAX_STEPS):
        where = positions(matrix, height, width)
        inside = covered(where, height, width)
        if inside.sum() < max(MIN_PIXELS, MIN_OVERLAP * inside.size):
            return None
        warped = cv2.remap(frame, where, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        its_x, its_y = _gradient(warped)
        for k, (own, its) in enumerate(((own_x, its_x), (own_y, its_y))):
            flow = columns[3 * k : 3 * k + 3] if affine else columns[k : k + 1]
            np.multiply(own + its, 0.5, out=flow[0])
            if affine:
                np.multiply(flow[0], u, out=flow[1])
                np.multiply(flow[0], v, out=flow[2])
        columns[-2] = warped
        left, seen = target - warped.ravel(), inside.ravel()
        some = left[::SPREAD_FROM][seen[::SPREAD_FROM]]
        middle = np.median(some)
        spread = 1.4826 * float(np.median(np.abs(some - middle))) + NOISE_FLOOR
        square = np.square(left - middle)
        weight = seen / (1 + square / np.float32(CAUCHY * spread) ** 2)
        weighted = equations * weight
        normal = (weighted @ equations.T).astype(np.float64)
        normal[np.diag_indices_from(normal)] += RIDGE * np.trace(normal) / len(normal)
        step = np.linalg.solve(normal, (weighted @ target).astype(np.float64))
        rms = math.sqrt(float((weight * square).sum() / weight.sum()))
        moved = _step(step, affine=affine, half=half, centre=((width - 1) / 2, (height - 1) / 2))
        linear = matrix[:, :2] @ moved[:, :2]
        matrix = np.hstack([linear, matrix[:, :2] @ moved[:, 2:] + matrix[:, 2:]])
        if np.abs(moved[:, 2]).sum() + half * np.abs(moved[:, :2] - IDENTITY[:, :2]).sum() < settled:
            break
    return matrix, rms


def _step(step: NDArray[np.float64], *, affine: bool, half: float, centre: tuple[float, float]) -> Map:
    """Return a Gauss-Newton step as a map of reference pixels to themselves, composed before the map so far."""
    if not affine:
        return np.array([[1.0, 0.0, step[0]], [0.0, 1.0, step[1]]])
    x, xu, xv, y, yu, yv = step[:6]
    bend = np.array([[xu, xv], [yu, yv]]) / half
    shift = np.array([x, y]) - bend @ np.array(centre)
    return np.hstack([np.eye(2) + bend, shift[:, None]])


def _correlation(one: Grey, other: Grey) -> float:
    """Return the normalised correlation of two sets of pixels."""
    one, other = one - one.mean(), other - other.mean()
    return float((one * other).sum() / math.sqrt(float(np.square(one).sum() * np.square(other).sum()) + 1e-12))
