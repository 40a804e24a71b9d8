"""The resize is the one that made the field's LR pictures."""

from pathlib import Path

import numpy as np
import pytest
import torch

from localsr.data.pictures import list_pictures, read_rgb
from localsr.resize import reduce, resize


@pytest.mark.parametrize("name", ["set5", "set14", "bsd100"])
def test_the_published_lr_pictures(shared: Path, name: str) -> None:
    equal = total = worst = 0
    for path in list_pictures(shared / "data/test" / name / "HR"):
        lr = read_rgb(path.parents[1] / "LR_x4" / path.name)
        hr = read_rgb(path)[:, : lr.shape[1] * 4, : lr.shape[2] * 4]
        apart = np.abs(reduce(hr, 4).astype(int) - lr)
        worst = max(worst, int(apart.max()))
        equal += int((apart == 0).sum())
        total += apart.size
    assert total > 0
    assert worst <= 1
    assert equal >= 0.999 * total


def test_the_lr_pictures_of_the_repository(cc0: Path) -> None:
    for path in list_pictures(cc0 / "HR"):
        hr, lr = (read_rgb(cc0 / folder / path.name) for folder in ("HR", "LR_x4"))
        assert np.array_equal(reduce(hr, 4), lr)
        apart = np.abs(reduced_by_torch(hr) - lr)[:, 2:-2, 2:-2]  # at the border torch takes other pixels
        assert apart.max() <= 1
        assert (apart == 0).mean() >= 0.999


def reduced_by_torch(hr: np.ndarray) -> np.ndarray:
    """LR x4 as MATLAB makes it, by torch's own kernel: along columns first, each result rounded to 8 bits."""
    picture = torch.from_numpy(hr)[None].double()
    for size in ((hr.shape[1] // 4, hr.shape[2]), (hr.shape[1] // 4, hr.shape[2] // 4)):
        picture = torch.nn.functional.interpolate(picture, size, mode="bicubic", antialias=True).round().clamp(0, 255)
    return picture[0].numpy()


@pytest.mark.parametrize("size", [(7, 5), (24, 24), (1, 1), (13, 40)])
def test_a_constant_stays_constant(size: tuple[int, int]) -> None:
    picture = np.full((3, 11, 17), 0.3, np.float32)
    assert np.allclose(resize(picture, *size), 0.3, atol=1e-6)
    assert resize(picture, *size).shape == (3, *size)


def test_a_ramp_is_enlarged_linearly_inside() -> None:
    ramp = np.tile(np.arange(16, dtype=np.float32), (1, 4, 1))
    large = resize(ramp, 16, 64)[0, 8]
    expected = (np.arange(64) + 0.5) / 4 - 0.5
    assert np.allclose(large[12:-12], expected[12:-12], atol=1e-5)


def test_torch_agrees_inside_the_picture() -> None:
    picture = np.random.default_rng(0).random((1, 3, 64, 96))
    theirs = torch.nn.functional.interpolate(torch.from_numpy(picture), (16, 24), mode="bicubic", antialias=True)
    ours = resize(picture, 16, 24)
    assert np.allclose(ours[..., 2:-2, 2:-2], theirs[..., 2:-2, 2:-2], atol=1e-9)
    assert not np.allclose(ours[..., :1, :], theirs[..., :1, :], atol=1e-3)


def test_the_same_size_is_the_same_picture() -> None:
    picture = np.random.default_rng(0).random((3, 5, 6))
    assert np.array_equal(resize(picture, 5, 6), picture)


def test_reduce_wants_multiples() -> None:
    with pytest.raises(ValueError, match="multiple of 4"):
        reduce(np.zeros((3, 10, 8), np.uint8), 4)
