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
    coarse = random.integers(0, 256, (16, 20, 3), dtype=np.uint8)
    return np.ascontiguousarray(cv2.resize(coarse, (240, 192), interpolation=cv2.INTER_CUBIC).transpose(2, 0, 1))


def test_a_burst_follows_from_its_seed_and_number(hr: np.ndarray) -> None:
    one = bursts.burst_of(hr, SCALE, 3, 5)
    assert one.shape == (BANDS, 48, 60)
    assert np.array_equal(one, bursts.burst_of(hr, SCALE, 3, 5))
    assert not np.array_equal(one, bursts.burst_of(hr, SCALE, 3, 6))


def test_cells_say_what_the_average_lacks(hr: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    clean = Degradation("cubic", (0.3, 0.3), 0.0, 2.0, 0.0, False, 0, False, 1)
    monkeypatch.setattr(bursts, "COUNTS", {9: 1.0})
    monkeypatch.setattr(bursts, "HIDING", 0.0)
    monkeypatch.setattr(bursts, "LOST", 0.0)
    monkeypatch.setattr(Degradation, "draw", lambda *_: clean)
    read = bursts.decoded(torch.from_numpy(bursts.burst_of(hr, SCALE, 0, 1))[None])
    enlarged = functional.interpolate(read[:, :3], scale_factor=SCALE, mode="bicubic")[0]
    places = functional.pixel_shuffle(read[:, 3 : 3 + 64], SCALE)[0, :3]
    lacking = torch.from_numpy(hr).float() / 255 - enlarged
    middle = slice(16, -16)
    both = torch.stack([lacking[:, middle, middle].flatten(), places[:, middle, middle].flatten()])
    assert torch.corrcoef(both)[0, 1] > 0.3


def test_levels_are_read_as_they_were_coded() -> None:
    random = np.random.default_rng(0)
    pixels = random.random((3, 4, 5), np.float32)
    bands = random.uniform(-1, 1, (68, 4, 5)).astype(np.float32)
    read = bursts.decoded(torch.from_numpy(bursts.coded(pixels, bands))[None])[0].numpy()
    assert read[:3] == pytest.approx(pixels, abs=0.5 / 255)
    assert read[3:] == pytest.approx(bands, abs=1 / 127)


def test_samples_turn_with_the_places_within_their_pixels(hr: np.ndarray, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.fromarray(np.ascontiguousarray(hr.transpose(1, 2, 0))).save(folder / "0.png")
    pairs = Pairs([folder], SCALE, tmp_path / "cache", degradation="bursts")
    assert pairs.bands == BANDS
    assert pairs[0][0].shape == (bursts.BURSTS, BANDS, 48, 60)
    seen = set()
    for i in range(12):
        lr, target, _ = Crops([pairs], 48, 100, 1)[i]
        read = bursts.decoded(lr[None])
        enlarged = functional.interpolate(read[:, :3], scale_factor=SCALE, mode="bicubic")[0]
        places = functional.pixel_shuffle(read[:, 3 : 3 + 64], SCALE)[0, :3]
        lacking = (target.float() / 255 - enlarged)[:, 16:-16, 16:-16].flatten()
        if places.abs().max() > 0:
            found = torch.corrcoef(torch.stack([lacking, places[:, 16:-16, 16:-16].flatten()]))[0, 1]
            seen.add(bool(found > 0.05))
    assert seen == {True}
