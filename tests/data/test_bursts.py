"""Bursts made of one picture: what a network that reads cells is trained on."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional

from localsr.data import bursts
from localsr.data.crops import Crops
from localsr.data.degradation import Degradation
from localsr.data.pairs import Pairs

SCALE, BANDS = 4, 3 + 4 * 16 + 4


@pytest.fixture
def hr() -> np.ndarray:
    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (64, 80, 3), dtype=np.uint8)  # three HR px each: what one frame has not
    return np.ascontiguousarray(cv2.resize(coarse, (240, 192), interpolation=cv2.INTER_CUBIC).transpose(2, 0, 1))


def test_a_burst_follows_from_its_seed_and_number(hr: np.ndarray) -> None:
    one = bursts.burst_of(hr, SCALE, 3, 5)
    assert one.shape == (BANDS, 48, 60)
    assert np.array_equal(one, bursts.burst_of(hr, SCALE, 3, 5))
    assert not np.array_equal(one, bursts.burst_of(hr, SCALE, 3, 6))


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bursts of nine frames without noise, of which none is lost or hidden."""
    none = Degradation("cubic", (0.3, 0.3), 0.0, 2.0, 0.0, False, 0, False, 1)
    for name, value in {"COUNTS": {9: 1.0}, "HIDING": 0.0, "LOST": 0.0}.items():
        monkeypatch.setattr(bursts, name, value)
    monkeypatch.setattr(Degradation, "draw", lambda *_: none)


def correlation(levels: torch.Tensor, hr: torch.Tensor) -> float:
    """Return how alike are the cells, and what the enlarged average lacks."""
    read = bursts.decoded(levels[None])
    enlarged = functional.interpolate(read[:, :3], scale_factor=SCALE, mode="bicubic")[0]
    places = functional.pixel_shuffle(read[:, 3 : 3 + 64], SCALE)[0, :3]
    both = torch.stack([part[:, 16:-16, 16:-16].flatten() for part in (hr.float() / 255 - enlarged, places)])
    return float(torch.corrcoef(both)[0, 1])


@pytest.mark.usefixtures("clean")
def test_cells_say_what_the_average_lacks(hr: np.ndarray) -> None:
    levels = torch.from_numpy(bursts.burst_of(hr, SCALE, 0, 1))
    assert correlation(levels, torch.from_numpy(hr)) > 0.3
    assert correlation(levels, torch.from_numpy(hr[:, ::-1].copy())) < 0.1


def test_levels_are_read_as_they_were_coded() -> None:
    random = np.random.default_rng(0)
    pixels = random.random((3, 4, 5), np.float32)
    bands = random.uniform(-1, 1, (68, 4, 5)).astype(np.float32)
    read = bursts.decoded(torch.from_numpy(bursts.coded(pixels, bands))[None])[0].numpy()
    assert read[:3] == pytest.approx(pixels, abs=0.5 / 255)
    assert read[3:] == pytest.approx(bands, abs=1 / 127)


@pytest.mark.usefixtures("clean")
def test_samples_turn_with_the_places_within_their_pixels(hr: np.ndarray, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.fromarray(np.ascontiguousarray(hr.transpose(1, 2, 0))).save(folder / "0.png")
    pairs = Pairs([folder], SCALE, tmp_path / "cache", degradation="bursts")
    assert pairs.bands == BANDS
    assert pairs[0][0].shape == (bursts.BURSTS, BANDS, 48, 60)
    samples = [Crops([pairs], 48, 100, 1)[i] for i in range(12)]
    assert min(correlation(lr, target) for lr, target, _ in samples) > 0.3
