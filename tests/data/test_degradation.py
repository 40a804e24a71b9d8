"""The photo's degradation: what it does to a picture, and that it follows from two numbers."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from localsr.data.crops import Crops
from localsr.data.degradation import (
    JPEG_QUALITIES,
    MAX_BLUR,
    MAX_NOISE,
    RESAMPLING_KERNELS,
    VARIANTS,
    Degradation,
    true_conditions,
)
from localsr.data.pairs import Pairs
from localsr.data.second_order import SecondOrderDegradation, draw_broad
from localsr.estimation import LUMA
from localsr.evaluation import benchmark
from localsr.evaluation.benchmark import Benchmark
from localsr.geometry import Box
from localsr.resize import reduce

NONE = Degradation("cubic", (0.0, 0.0), 0.0, 0.0, 0.0, grey=False, quality=0, halved=False, seed=0)
FLAT = np.full((3, 96, 96), 100, np.uint8)


def test_draws_are_functions_of_seed_and_number_and_cover_their_ranges() -> None:
    assert Degradation.draw(7, 3) == Degradation.draw(7, 3) != Degradation.draw(7, 4)
    draws = [Degradation.draw(1, k) for k in range(400)]
    assert {d.kernel for d in draws} == set(RESAMPLING_KERNELS)
    assert all(0 <= sd <= MAX_BLUR for d in draws for sd in d.blur)
    assert 0.4 < np.mean([d.blur[0] == d.blur[1] for d in draws]) < 0.6
    for name in ("gaussian", "poisson"):
        values = [getattr(d, name) for d in draws]
        assert 0.4 < np.mean([v == 0 for v in values]) < 0.6
        assert 0.9 * MAX_NOISE < max(values) <= MAX_NOISE
    files = [d.quality for d in draws if d.quality]
    assert 0.85 < len(files) / 400 < 0.95
    assert (min(files), max(files)) >= JPEG_QUALITIES[:1]
    assert max(files) <= JPEG_QUALITIES[1]


@pytest.mark.parametrize("kernel", RESAMPLING_KERNELS)
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_kernel_keeps_brightness_and_place(kernel: str, scale: int) -> None:
    way = dataclasses.replace(NONE, kernel=kernel, blur=(0.7, 0.3), angle=0.5)
    assert np.array_equal(way.apply(FLAT, scale), np.full((3, 96 // scale, 96 // scale), 100))
    ramp = np.broadcast_to((np.arange(96) * 2).astype(np.uint8), (3, 96, 96))
    middle = way.apply(np.ascontiguousarray(ramp), scale)[0, 5, 8:-8].astype(float)
    centres = 2 * ((np.arange(96 // scale) + 0.5) * scale - 0.5)[8:-8]
    assert np.abs(middle - centres).max() <= 0.51


def test_blur_widens_along_its_axis() -> None:
    point = np.zeros((3, 96, 96), np.uint8)
    point[:, 48:52, 48:52] = 255
    lr = dataclasses.replace(NONE, kernel="box", blur=(0.8, 0.1), angle=0.0).apply(point, 4)[0].astype(float)
    spread = [((np.arange(24) - 12) ** 2 * lr.sum(axis)).sum() / lr.sum() for axis in (0, 1)]
    assert spread[0] == pytest.approx(0.64 + 1 / 12, abs=0.06)  # of the Gaussian sideways, and of an LR px
    assert spread[1] < 0.05


def test_noise_has_the_size_it_says() -> None:
    large = np.full((3, 512, 512), 100, np.uint8)
    electronic = dataclasses.replace(NONE, gaussian=6.0).apply(large, 4).astype(float)
    assert electronic.std() == pytest.approx(6.0, rel=0.03)
    assert not np.array_equal(electronic[0], electronic[1])
    light = dataclasses.replace(NONE, poisson=6.0).apply(large, 4).astype(float)
    assert light.std() == pytest.approx(6.0 * (100 / 255) ** 0.5, rel=0.03)
    grey = dataclasses.replace(NONE, gaussian=6.0, poisson=3.0, grey=True).apply(large, 4)
    assert np.array_equal(grey[0], grey[1])


def test_so_little_noise_that_it_is_none() -> None:
    hr = np.full((3, 40, 40), 200, np.uint8)
    for little in (1e-12, 1e-8, 1e-4, 2e-4):  # the square of a random number may be as small
        assert np.array_equal(dataclasses.replace(NONE, poisson=little).apply(hr, 4), NONE.apply(hr, 4))


def test_jpeg_leaves_blocks() -> None:
    random = np.random.default_rng(0)
    hr = random.integers(0, 256, (3, 256, 256), dtype=np.uint8)
    clean = NONE.apply(hr, 4)
    for quality, worst in ((95, 6), (40, 60)):
        lossy = dataclasses.replace(NONE, quality=quality).apply(hr, 4)
        assert 0 < np.abs(lossy.astype(float) - clean).mean() < worst


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    (tmp_path / "set" / "HR").mkdir(parents=True)
    for k in range(2):
        noise = random.integers(0, 256, (12, 10, 3), dtype=np.uint8)
        Image.fromarray(noise).resize((101, 120), Image.Resampling.BICUBIC).save(tmp_path / f"set/HR/{k}.png")
    return tmp_path / "set"


def test_conditions_say_what_was_done() -> None:
    random = np.random.default_rng(0)
    hr = random.integers(60, 200, (3, 512, 512), dtype=np.uint8)
    ideal = reduce(hr, 4)
    assert true_conditions(ideal, ideal, ideal, 0) == (0, 0, 0)
    noisy = dataclasses.replace(NONE, gaussian=6.0)
    told = true_conditions(noisy.apply(hr, 4), noisy.apply(hr, 4, noisy=False), ideal, 0)
    assert told.noise == pytest.approx(6 * (LUMA**2).sum() ** 0.5, rel=0.03)
    assert told.blur == pytest.approx(0, abs=0.15)
    blurred = dataclasses.replace(NONE, blur=(0.8, 0.8))
    lr = blurred.apply(hr, 4)
    told = true_conditions(lr, lr, ideal, 80)
    assert told.blur == pytest.approx(0.8, abs=0.06)
    assert (told.noise, told.compression) == (0, 20)
    assert true_conditions(ideal, ideal, lr, 0).blur == pytest.approx(-told.blur)


def test_broad_draws_are_of_all_kinds_and_keep_place_and_brightness() -> None:
    draws = [draw_broad(3, k) for k in range(300)]
    assert draws == [draw_broad(3, k) for k in range(300)]
    kinds = [type(draw) for draw in draws]
    assert [kinds.count(kind) / 300 for kind in (type(None), Degradation)] == pytest.approx([0.15, 0.35], abs=0.07)
    passes = [one for draw in draws if isinstance(draw, SecondOrderDegradation) for one in draw.passes]
    assert {one.codec for one in passes} == {"JPEG", "WEBP", ""}
    ramp = np.ascontiguousarray(np.broadcast_to(np.arange(60, 188, dtype=np.uint8), (3, 96, 128)))
    ideal = reduce(ramp, 4).astype(float)
    for k in range(20):
        draw = SecondOrderDegradation.draw(5, k)
        unpacked = tuple(dataclasses.replace(one, codec="") for one in draw.passes)
        lr = dataclasses.replace(draw, passes=unpacked).apply(ramp, 4, noisy=False)
        assert lr.shape == (3, 24, 32)
        assert np.abs(lr - ideal)[:, 2:-2, 5:-5].max() <= 2  # a pixel to the side would be 4 levels


def test_samples_are_told_their_conditions_but_for_an_error(folder: Path, tmp_path: Path) -> None:
    pairs = Pairs([folder / "HR"], 4, tmp_path / "cache", degradation="photo", seed=5)
    assert pairs.conditions.shape == (2, VARIANTS, 3)
    lr, hr = pairs[1]
    draw, ideal = Degradation.draw(5, VARIANTS + 3), reduce(hr, 4)
    true = true_conditions(lr[3], draw.apply(hr.copy(), 4, noisy=False), ideal, draw.quality)
    assert pairs.conditions[1, 3] == pytest.approx(true.encoded())
    told = np.stack([Crops([pairs], 25, 400, 0)[i][2].numpy() for i in range(400)])
    errors = told[:, None] - pairs.conditions.reshape(-1, 3)
    nearest = errors[np.arange(400), np.abs(errors).sum(-1).argmin(1)]
    assert 0.02 < nearest.std() < 0.1
    assert not Pairs([folder / "HR"], 4, tmp_path / "cache").conditions.any()


def test_pairs_hold_variants_of_each_picture(folder: Path, tmp_path: Path) -> None:
    pairs = Pairs([folder / "HR"], 4, tmp_path / "cache", degradation="photo", seed=5)
    lr, hr = pairs[1]
    assert lr.shape == (VARIANTS, 3, 30, 25)
    for v in range(VARIANTS):
        assert np.array_equal(lr[v], Degradation.draw(5, VARIANTS + v).apply(np.array(hr), 4))
    small, _ = pairs.crop(1, Box(3, 4, 13, 14), 2)
    assert np.array_equal(small, lr[2, :, 4:14, 3:13])
    assert Pairs([folder / "HR"], 4, tmp_path / "cache").folder != pairs.folder
    assert Pairs([folder / "HR"], 4, tmp_path / "cache", degradation="photo", seed=6).folder != pairs.folder
    seen = {crop[0].numpy().tobytes() for crop in (Crops([pairs], 25, 40, 0)[i] for i in range(40))}
    assert len(seen) > 30


def test_a_benchmark_has_its_own_draws(folder: Path) -> None:
    pair = Benchmark(folder, 4, 5, degradation="photo")[1]
    again = Degradation.draw(benchmark.DEGRADATION_SEED, 1).apply(np.ascontiguousarray(pair.hr), 4)
    assert np.array_equal(pair.lr, again.transpose(1, 2, 0))
    clean = Benchmark(folder, 4, 5)[1]
    assert np.array_equal(clean.hr, pair.hr)
    assert not np.array_equal(clean.lr, pair.lr)
    assert torch.from_numpy(pair.lr).dtype == torch.uint8
