"""How pictures were degraded, told from their pixels."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from localsr import conditions, estimation
from localsr.data.degradation import Degradation
from localsr.data.pictures import list_pictures, read_rgb
from localsr.estimation import coefficients_of

pytestmark = pytest.mark.slow


def compressed(rgb: np.ndarray, quality: int) -> tuple[np.ndarray, Image.Image]:
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(rgb.transpose(1, 2, 0))).save(file, "JPEG", quality=quality, subsampling=2)
    picture = Image.open(file)
    return np.ascontiguousarray(np.asarray(picture).transpose(2, 0, 1)), picture


@pytest.fixture
def smooth() -> np.ndarray:
    y, x = np.mgrid[:192, :192]
    waves = 128 + 60 * np.sin(np.stack([x / 17, y / 13, (x + y) / 21])) + 20 * np.sin(x * y / 900)
    return waves


@pytest.mark.parametrize("quality", [20, 50, 75, 90, 95])
def test_the_quality_of_a_jpeg(smooth: np.ndarray, quality: int) -> None:
    rgb = np.rint(smooth + np.random.default_rng(0).normal(0, 3, smooth.shape)).clip(0, 255).astype(np.uint8)
    pixels, file = compressed(rgb, quality)
    assert estimation.quality_of(file.quantization[0]) == quality  # type: ignore[attr-defined]
    assert abs(estimation.jpeg_quality(coefficients_of([pixels])) - quality) <= 1
    assert estimation.measure([pixels]).compression == pytest.approx(100 - quality, abs=1)
    assert estimation.measure([rgb]).compression == 0


def test_nothing_to_measure_on() -> None:
    white, small = np.full((3, 64, 64), 255, np.uint8), np.full((3, 5, 5), 100, np.uint8)
    assert estimation.measure([white]) == estimation.measure([small]) == (0, 0, 0)


def test_a_page_without_a_block_that_is_not_clipped() -> None:
    """Bright paper with noise: what a block holds beside white tells, where all were passed over as too few."""
    y, x = np.mgrid[:160, :160]
    paper = 190 + 75 * np.cos(x * np.pi / 4) * np.cos(y * np.pi / 4) + 20 * np.sin(x * y / 900)
    grey = paper + np.random.default_rng(2).normal(0, 6, paper.shape)
    pixels, _ = compressed(np.rint(np.stack([grey] * 3)).clip(0, 255).astype(np.uint8), 60)
    blocks = pixels[0].reshape(20, 8, 20, 8).max((1, 3))
    assert (blocks < 255).sum() < estimation.FEW_BLOCKS
    told = estimation.measure([pixels])
    assert told.compression == pytest.approx(40, abs=5)
    assert 3 < told.noise < 9


def test_more_noise_is_told_as_more(smooth: np.ndarray) -> None:
    grey = np.random.default_rng(1).normal(0, 1, smooth.shape[1:])
    told = [
        estimation.measure([np.rint(smooth + deviation * grey).clip(0, 255).astype(np.uint8)]).noise
        for deviation in (0, 5, 10, 20)
    ]
    assert told == sorted(told)
    assert told[0] < 2
    assert told[2:] == pytest.approx([10, 20], rel=0.25)


def test_two_hundred_degraded_pictures(shared: Path) -> None:
    paths = list_pictures(shared / "data/train/bsds500")
    right = 0
    for k in range(200):
        way = Degradation.draw(7, k)
        lr = way.apply(read_rgb(paths[2 * k])[:, :320, :320], 2)
        right += abs(estimation.jpeg_quality(coefficients_of([lr])) - (way.quality or conditions.CLEAN)) <= 5
    assert right >= 180
