"""The networks in the package: small, documented, and better than bicubic."""

from pathlib import Path

import numpy as np
import pytest
import torch

import localsr
from localsr import metrics
from localsr.data.benchmark import Benchmark
from localsr.geometry import whole
from localsr.inference.restorer import DEFAULT, embedded
from localsr.models import checkpoint
from localsr.resize import resize


def test_they_are_small() -> None:
    files = embedded()
    assert set(DEFAULT.values()) <= set(files)
    assert sum(path.stat().st_size for path in files.values()) <= 4_000_000


@pytest.mark.parametrize("name", embedded())
def test_their_headers_tell_where_they_come_from(name: str) -> None:
    network, card = checkpoint.load(embedded()[name])
    assert card.name == name
    recipe = Path(__file__).parents[1] / "recipes" / f"{name}.toml"
    assert recipe.is_file()
    assert card.recipe["name"] == name
    assert card.recipe["folders"]
    assert card.training["steps"] == card.recipe["steps"]
    assert card.training["pictures"] > 0
    numbers = card.protocol["bsd100"]
    assert numbers["protocol"]["roi"] == 24
    assert numbers["checkpoint"]["sha256"] == card.sha256
    assert ("clsr" in numbers["strategies"]) == (not network.config.plain)


def test_the_default_holds_what_is_promised_of_it() -> None:
    files = embedded()
    _, card = checkpoint.read(files[DEFAULT[4]])
    numbers = card.protocol["bsd100"]["strategies"]
    assert numbers["clsr"]["psnr_y"] >= 27.00
    assert numbers["clsr"]["psnr_y"] >= numbers["full"]["psnr_y"] - 0.01
    assert numbers["clsr"]["gflops_roi"] <= 1.15 * numbers["halo"]["gflops_roi"]
    assert numbers["clsr"]["gflops_first_roi"] < 2 * numbers["clsr"]["gflops_roi"]
    _, plain = checkpoint.read(files[card.plain["name"]])
    assert plain.sha256 == card.plain["sha256"]
    assert plain.protocol["bsd100"]["strategies"]["full"]["psnr_y"] == numbers["full"]["psnr_y"]


def test_the_default_has_context_and_brings_its_plain_twin(noise: localsr.Photo) -> None:
    restorer = localsr.Restorer.load()
    assert restorer.scale == 4
    scene = restorer.encode(noise)
    for way in localsr.Strategy:
        assert scene.restore(localsr.Box(10, 10, 20, 20), way).strategy is way


def test_a_scale_without_a_network() -> None:
    with pytest.raises(localsr.ConfigError, match="no embedded network enlarges x2, only x4"):
        localsr.Restorer.load(scale=2)


@pytest.mark.parametrize("name", embedded())
def test_better_than_bicubic_on_set5(shared: Path, name: str) -> None:
    gains = []
    restorer = localsr.Restorer.load(name)
    benchmark = Benchmark(shared / "data/test/set5", 4, 24)
    for k in range(len(benchmark)):
        pair = benchmark[k]
        photo = localsr.read(pair.lr)
        restored = restorer.encode(photo).restore(whole(photo.size)).pixels
        lr = torch.from_numpy(np.ascontiguousarray(pair.lr.transpose(2, 0, 1))).float() / 255
        bicubic = resize(lr, pair.hr.shape[1], pair.hr.shape[2])
        original = torch.from_numpy(pair.hr).float()
        mine, theirs = (metrics.psnr_y(metrics.levels(p), original) for p in (torch.from_numpy(restored), bicubic))
        gains.append(mine - theirs)
    assert min(gains) > 0.5
    assert sum(gains) / len(gains) > 1.5
