"""Cells: what frames say beyond their average, at the places of the HR grid where their pixels lie."""

import numpy as np
import pytest

from localsr.frames.cells import GAIN, cells
from localsr.frames.fusion import Observation
from localsr.frames.registration import IDENTITY, positions

SIZE, SCALE = 12, 4
FLAT = np.full((SIZE, SIZE, 3), 0.5, np.float32)
ONES = np.ones((SIZE, SIZE), np.float32)


def shifted(right: float, down: float) -> np.ndarray:
    return positions(np.array([[1, 0, right], [0, 1, down]]), SIZE, SIZE)


def seen(*others: Observation) -> list[Observation]:
    return [Observation(FLAT, positions(IDENTITY, SIZE, SIZE), ONES), *others]


@pytest.mark.parametrize(("right", "down", "column", "row"), [(0.375, -0.125, 3, 1), (-0.375, 0.375, 0, 3)])
def test_a_sample_is_found_in_the_place_of_the_grid_where_it_lies(
    right: float, down: float, column: int, row: int
) -> None:
    pixels = FLAT.copy()
    pixels[5, 7] = (0.55, 0.5, 0.48)
    bands = cells(FLAT, FLAT, seen(Observation(pixels, shifted(right, down), ONES)), ONES, SCALE)
    places = bands[: 4 * SCALE**2].reshape(4, SCALE, SCALE, SIZE, SIZE)
    at = np.argwhere(places[0] > 1e-3)
    assert at.tolist() == [[row, column, 5, 7]]
    weight = 1 / 1.25  # of one sample against the doubt of a quarter
    assert places[:, row, column, 5, 7] == pytest.approx([0.05 * GAIN * weight, 0, -0.02 * GAIN * weight, weight])


def test_the_last_bands_are_the_reference_against_the_mean_and_how_many_agree() -> None:
    bands = cells(FLAT, FLAT - 0.01, seen(), 4 * ONES, SCALE)
    assert bands[-4:-1] == pytest.approx(0.01 * GAIN, abs=1e-6)
    assert bands[-1] == pytest.approx(0.5)


def test_cells_are_zero_where_no_other_frame_counts() -> None:
    agreed = ONES.copy()
    agreed[:, 6:] = 0
    bands = cells(FLAT, FLAT - 0.01, seen(), agreed, SCALE)
    assert not bands[:, :, 6:].any()
    assert bands[:, :, :6].any()


def test_differences_are_bounded() -> None:
    bands = cells(FLAT, FLAT, seen(Observation(np.zeros_like(FLAT), shifted(0.125, 0.125), 9 * ONES)), ONES, SCALE)
    assert bands.min() == -1
