"""The networks in the package: small, documented, and better than bicubic."""

from pathlib import Path

import numpy as np
import pytest
import torch

import localsr
from localsr import metrics
from localsr.evaluation.benchmark import Benchmark
from localsr.geometry import whole
from localsr.models import checkpoint
from localsr.models.embedded import BENCHMARK_NETWORKS, DEFAULT_NETWORKS, embedded_networks
from localsr.resize import resize

pytestmark = pytest.mark.slow


def test_they_are_small() -> None:
    files = embedded_networks()
    assert {*DEFAULT_NETWORKS.values(), *BENCHMARK_NETWORKS.values()} <= set(files)
    assert sum(path.stat().st_size for path in files.values()) <= 21_000_000  # the wheel has a bound of its own


@pytest.mark.parametrize("name", embedded_networks())
def test_their_headers_tell_where_they_come_from(name: str) -> None:
    network, card = checkpoint.load(embedded_networks()[name])
    assert card.name == name
    run = card.recipe["name"].removesuffix(f"-{card.training['steps']}")  # a branch is called by its last step, too
    assert (Path(__file__).parents[2] / "recipes" / f"{run}.toml").is_file()
    assert card.recipe["folders"]
    assert card.training["steps"] == card.recipe["steps"]
    assert card.training["pictures"] > 0
    assert card.recipe["data"]
    assert card.recipe["limits"]
    for data in ("bsd100", "set14"):
        numbers = card.protocol[data if card.recipe.get("degradation", "bicubic") == "bicubic" else f"{data}-photo"]
        assert numbers["protocol"]["roi"] == 24
        assert numbers["checkpoint"]["sha256"] == card.sha256
        assert ("clsr" in numbers["strategies"]) == (not network.config.plain)


def test_the_network_for_photos_is_better_there_and_the_other_on_bicubic() -> None:
    files = embedded_networks()
    numbers = {name: checkpoint.read(files[name])[1].protocol for name in (DEFAULT_NETWORKS[4], BENCHMARK_NETWORKS[4])}
    photo = {name: card["bsd100-photo"]["strategies"]["clsr"]["psnr_y"] for name, card in numbers.items()}
    assert photo[DEFAULT_NETWORKS[4]] >= photo[BENCHMARK_NETWORKS[4]] + 1.0  # 1.16 measured


def test_the_network_for_bicubic_holds_what_is_promised_of_it() -> None:
    files = embedded_networks()
    _, card = checkpoint.read(files[BENCHMARK_NETWORKS[4]])
    numbers = card.protocol["bsd100"]["strategies"]
    assert numbers["clsr"]["psnr_y"] >= 27.00
    assert numbers["clsr"]["psnr_y"] >= numbers["full"]["psnr_y"] - 0.01
    assert numbers["clsr"]["gflops_roi"] <= 1.15 * numbers["halo"]["gflops_roi"]
    assert numbers["clsr"]["gflops_first_roi"] < 2 * numbers["clsr"]["gflops_roi"]
    _, plain = checkpoint.read(files[card.plain["name"]])
    assert plain.sha256 == card.plain["sha256"]
    assert plain.protocol["bsd100"]["strategies"]["full"]["psnr_y"] == numbers["full"]["psnr_y"]


def test_the_default_has_context_and_brings_its_plain_twin(noise: localsr.Photo) -> None:
    restorer = localsr.load()
    assert restorer.scale == 4
    scene = restorer.encode(noise)
    for way in localsr.Strategy:
        assert scene.restore(localsr.Box(10, 10, 20, 20), way).strategy is way


def test_a_scale_without_a_network() -> None:
    with pytest.raises(localsr.ConfigError, match="enlarge up to x4, not x5"):
        localsr.load(scale=5)


def gains_over_bicubic(folder: Path, name: str, degradation: str) -> list[float]:
    """How much more PSNR Y a network has on each picture of a data set, restored whole."""
    gains = []
    restorer = localsr.load(name)
    benchmark = Benchmark(folder, restorer.scale, 24, degradation=degradation)
    for k in range(len(benchmark)):
        pair = benchmark[k]
        photo = localsr.read(pair.lr)
        restored = restorer.encode(photo).restore(whole(photo.size)).pixels
        lr = pair.lr.transpose(2, 0, 1) / np.float32(255)
        bicubic = resize(lr, pair.hr.shape[1], pair.hr.shape[2])
        original = torch.from_numpy(pair.hr).float()
        mine, theirs = (metrics.psnr_y(metrics.levels(p), original) for p in map(torch.from_numpy, (restored, bicubic)))
        gains.append(mine - theirs)
    return gains


def degradation_of(name: str) -> str:
    trained_on = checkpoint.read(embedded_networks()[name])[1].recipe.get("degradation", "bicubic")
    return "bicubic" if trained_on == "bicubic" else "photo"


@pytest.mark.parametrize("name", embedded_networks())
def test_better_than_bicubic_on_set5(shared: Path, name: str) -> None:
    degradation = degradation_of(name)
    gains = gains_over_bicubic(shared / "data/test/set5", name, degradation)
    least, mean = (0.5, 1.5) if degradation == "bicubic" else (0.1, 0.8)  # the noisiest draw: 0.14 measured, mean 0.89
    assert min(gains) > least
    assert sum(gains) / len(gains) > mean


@pytest.mark.parametrize("name", embedded_networks())
def test_better_than_bicubic_on_photos_of_the_repository(cc0: Path, name: str) -> None:
    degradation = degradation_of(name)
    gains = gains_over_bicubic(cc0, name, degradation)
    least, mean = (0.4, 0.8) if degradation == "bicubic" else (0.05, 0.4)  # CARN-M has 0.43, 0.87; photos 0.10, 0.43
    assert min(gains) > least
    assert sum(gains) / len(gains) > mean
