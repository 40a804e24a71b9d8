"""Registration of windows whose maps are known."""

import math

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from localsr.frames.registration import IDENTITY, Registration, covered, inverse, positions, register

SIDE, ENLARGED = 80, 4  # px of a window; HR px in one of its
MARGIN = 24  # px of the scene around the window


def scene(seed: int) -> NDArray[np.float32]:
    """Noise with the spectrum of a photo, four times as fine as the frames, with edges."""
    side = (SIDE + 2 * MARGIN) * ENLARGED
    random = np.random.default_rng(seed)
    frequency = np.maximum(np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side))), 1 / side)
    noise = np.fft.ifft2(np.fft.fft2(random.standard_normal((side, side))) / frequency).real
    noise /= noise.std()
    return (0.5 + 0.15 * noise + 0.1 * np.sign(noise - 0.5)).clip(0, 1).astype(np.float32)


def frame(
    fine: NDArray[np.float32], matrix: NDArray[np.float64], seed: int, noise: float = 3 / 255
) -> NDArray[np.float32]:
    """What a camera sees of the scene after a motion in LR px: area means, noise, 8 bits; cut to the middle."""
    s, offset = ENLARGED, (ENLARGED - 1) / 2
    linear = matrix[:, :2]
    origin = np.full(2, MARGIN)  # the window's corner in LR px of the whole frame
    shift = matrix[:, 2] + origin - linear @ origin
    hr = np.hstack([linear, (s * shift + offset - linear @ np.full(2, offset))[:, None]])
    moved = cv2.warpAffine(fine, hr, fine.shape[::-1], flags=cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REFLECT_101)
    side = SIDE + 2 * MARGIN
    lr = moved.reshape(side, s, side, s).mean((1, 3))[MARGIN:-MARGIN, MARGIN:-MARGIN]
    lr = lr + np.random.default_rng(seed).standard_normal(lr.shape) * noise
    return (np.rint(lr.clip(0, 1) * 255) / 255).astype(np.float32)


def motion(seed: int, shift: float = 2.0, turn: float = 1.0, zoom: float = 0.01) -> NDArray[np.float64]:
    random = np.random.default_rng(seed)
    angle, size = math.radians(random.uniform(-turn, turn)), 1 + random.uniform(-zoom, zoom)
    linear = size * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    centre = np.full(2, (SIDE - 1) / 2)
    return np.hstack([linear, (centre + random.uniform(-shift, shift, 2) - linear @ centre)[:, None]])


def error(found: Registration | None, matrix: NDArray[np.float64]) -> float:
    """Mean distance in px between where a map and the true one take the inner pixels."""
    assert found is not None
    apart = found.positions(SIDE, SIDE) - positions(matrix, SIDE, SIDE)
    return float(np.linalg.norm(apart, axis=-1)[16:-16, 16:-16].mean())


def test_known_maps_to_a_fiftieth_of_a_pixel() -> None:
    errors = []
    for k in range(24):
        fine, matrix = scene(k), motion(k)
        errors.append(error(register(frame(fine, IDENTITY, 2 * k), frame(fine, matrix, 2 * k + 1)), matrix))
    assert np.median(errors) < 0.03
    assert np.quantile(errors, 0.9) < 0.06


def test_light_that_changes_and_a_part_that_moves_otherwise() -> None:
    fine, matrix = scene(1), motion(1)
    other = frame(fine, matrix, 3) * 0.7 + 0.1
    other[:30, :30] = frame(scene(9), IDENTITY, 4)[:30, :30]
    found = register(frame(fine, IDENTITY, 2), other.astype(np.float32))
    assert error(found, matrix) < 0.06


@pytest.mark.parametrize("shift", [8.0, 16.0, 24.0])
def test_large_shifts(shift: float) -> None:
    fine = scene(2)
    matrix = np.array([[1.0, 0.0, shift], [0.0, 1.0, -shift / 2]])
    found = register(frame(fine, IDENTITY, 5), frame(fine, matrix, 6))
    assert error(found, matrix) < 0.1
    assert found is not None
    assert found.overlap == pytest.approx((1 - shift / SIDE) * (1 - shift / 2 / SIDE), abs=0.03)
    assert register(frame(fine, IDENTITY, 5), frame(fine, matrix, 6), reach=shift / 2) is None


def test_another_scene_correlates_little() -> None:
    found = register(frame(scene(3), IDENTITY, 7), frame(scene(4), IDENTITY, 8))
    assert found is None or found.correlation < 0.5


def test_windows_without_any_gradient() -> None:
    flat = np.full((SIDE, SIDE), 0.5, np.float32)
    found = register(flat, flat)
    assert found is None or np.allclose(found.matrix, IDENTITY)
    register(flat, frame(scene(5), IDENTITY, 9))  # whatever it says, it says it without a warning


def test_the_same_frame_is_the_identity() -> None:
    one = frame(scene(6), IDENTITY, 10)
    found = register(one, one)
    assert found is not None
    assert np.allclose(found.matrix, IDENTITY, atol=1e-3)
    assert found.correlation == pytest.approx(1, abs=1e-4)
    assert found.overlap == pytest.approx(1, abs=0.05)


def test_there_and_back() -> None:
    matrix = motion(7, turn=5)
    both = inverse(matrix)[:, :2] @ matrix[:, :2]
    assert np.allclose(both, np.eye(2))
    point = np.array([12.0, 34.0])
    there = matrix[:, :2] @ point + matrix[:, 2]
    assert np.allclose(inverse(matrix)[:, :2] @ there + inverse(matrix)[:, 2], point)
    assert covered(positions(IDENTITY, 5, 6), 5, 6).all()
    assert not covered(positions(IDENTITY, 5, 6) + 0.5, 5, 6)[-1].any()
