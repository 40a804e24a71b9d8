"""Where a picture is painted."""

from __future__ import annotations

import numpy as np
import pytest

from localsr import images
from localsr.geometry import Box
from localsr.images.painted import painted


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("bands", [1, 2, 3, 4])
def test_what_is_lighter_and_not_transparent_is_painted(dtype: type, bands: int) -> None:
    """Family: depths, grey and colours, with opacity and without; one band of colour is enough."""
    most = 1 if dtype is np.float32 else np.iinfo(dtype).max
    pixels = np.zeros((6, 8, bands), dtype)
    pixels[2, 3, 0] = pixels[4, 5, (bands - 1) // 2] = most  # of the colours
    pixels[1, 1, 0] = most * 0.4
    if bands in (2, 4):
        pixels[..., -1] = most
        pixels[2, 3, -1] = 0
    photo, box = images.read(pixels), Box(1, 1, 8, 6)
    wanted = np.zeros((6, 8), np.uint8)
    wanted[4, 5], wanted[2, 3], wanted[1, 1] = 255, 0 if bands in (2, 4) else 255, 255
    assert np.array_equal(painted(photo, box, 0), wanted[box.rows, box.columns])
    wanted[1, 1] = 0
    assert np.array_equal(painted(photo, box, 0.5), wanted[box.rows, box.columns])
