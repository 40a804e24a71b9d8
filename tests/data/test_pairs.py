"""Pairs and samples: made once, mapped, and drawn by seed and number alone."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import localsr
from localsr.data.crops import Crops
from localsr.data.distilled import DistilledPairs
from localsr.data.pairs import Pairs
from localsr.evaluation import datasets
from localsr.evaluation.benchmark import Benchmark
from localsr.geometry import Box
from localsr.resize import reduce
from localsr.training.batches import Batches


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    made = tmp_path / "pictures"
    made.mkdir()
    for k, size in enumerate([(131, 99), (80, 160), (64, 64)]):
        Image.fromarray(random.integers(0, 256, (*size, 3), dtype=np.uint8)).save(made / f"{k}.png")
    return made


def test_pairs(folder: Path, tmp_path: Path) -> None:
    pairs = Pairs([folder], 4, tmp_path / "cache")
    assert pairs.sizes == [(32, 24), (20, 40), (16, 16)]
    hr = np.asarray(Image.open(folder / "0.png")).transpose(2, 0, 1)[:, :128, :96]
    (lr,), mapped = pairs[0]
    assert np.array_equal(mapped, hr)
    assert np.array_equal(lr, reduce(hr, 4))
    box = Box(3, 2, 10, 9)
    small, large = pairs.crop(0, box)
    assert np.array_equal(small, lr[:, 2:9, 3:10])
    assert np.array_equal(large, hr[:, 8:36, 12:40])


def test_the_cache_is_made_once_and_anew_when_a_picture_changes(folder: Path, tmp_path: Path) -> None:
    heard: list[int] = []
    Pairs([folder], 4, tmp_path / "cache", lambda done, of: heard.append(done))
    Pairs([folder], 4, tmp_path / "cache", lambda done, of: heard.append(done))
    assert heard == [0, 1, 2, 3]
    Image.new("RGB", (40, 40)).save(folder / "0.png")
    assert Pairs([folder], 4, tmp_path / "cache").sizes[0] == (10, 10)
    assert not [p for p in (tmp_path / "cache").iterdir() if not (p / "index.json").is_file()]


def test_a_copy_of_the_pictures_finds_their_cache(folder: Path, tmp_path: Path) -> None:
    made = Pairs([folder], 4, tmp_path / "cache").folder
    copy = shutil.copytree(folder, tmp_path / "copy", copy_function=shutil.copyfile)
    os.utime(copy / "1.png", (1, 1))
    assert Pairs([copy], 4, tmp_path / "cache").folder == made
    pixels = np.asarray(Image.open(copy / "1.png")).copy()
    pixels[0, 0, 0] ^= 1
    Image.fromarray(pixels).save(copy / "1.png")
    assert Pairs([copy], 4, tmp_path / "cache").folder != made


def test_lr_that_came_with_hr(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for name, suffix in (("a/0", ""), ("b/0", "x4")):
        for side, folder, end in ((64, "HR", ""), (16, "LR", suffix)):
            path = tmp_path / folder / f"{name}{end}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(random.integers(0, 256, (side, side, 3), dtype=np.uint8)).save(path)
    pairs = Pairs([tmp_path / "HR"], 4, tmp_path / "cache", lr_folders=[tmp_path / "LR"])
    for k, name in enumerate(("a/0.png", "b/0x4.png")):
        assert np.array_equal(pairs[k][0][0], np.asarray(Image.open(tmp_path / "LR" / name)).transpose(2, 0, 1))
    assert len(Pairs([tmp_path / "HR", tmp_path / "LR"], 4, tmp_path / "cache")) == 4
    with pytest.raises(localsr.DataError, match=r"LR.*0\.png has 16 x 16 px, its HR 64 x 64, which is not 2 times"):
        Pairs([tmp_path / "HR" / "a"], 2, tmp_path / "cache", lr_folders=[tmp_path / "LR" / "a"])
    (tmp_path / "LR/b/0x4.png").unlink()
    with pytest.raises(localsr.DataError, match=r"has no LR of 0\.png: neither 0 nor 0x4"):
        Pairs([tmp_path / "HR"], 4, tmp_path / "cache", lr_folders=[tmp_path / "LR"])


def test_a_cache_with_broken_pictures_is_not_taken_silently(folder: Path, tmp_path: Path) -> None:
    (folder / "0.png").write_bytes(b"no picture")
    assert len(Pairs([folder], 4, tmp_path / "cache", max_broken=0.5)) == 2
    with pytest.raises(localsr.DataError, match="1 of 3 pictures cannot be read"):
        Pairs([folder], 4, tmp_path / "cache")


def test_folders_that_are_none(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(localsr.DataError, match="is no folder"):
        Pairs([tmp_path / "missing"], 4, tmp_path / "cache")
    (tmp_path / "empty").mkdir()
    with pytest.raises(localsr.DataError, match="holds no picture"):
        Pairs([tmp_path / "empty"], 4, tmp_path / "cache")
    (folder / "0.png").write_bytes(b"no picture")
    with pytest.raises(localsr.DataError, match="1 of 3 pictures cannot be read"):
        Pairs([folder], 4, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_sample_is_a_function_of_seed_and_number(folder: Path, tmp_path: Path) -> None:
    pairs = Pairs([folder], 4, tmp_path / "cache")
    crops = Crops([pairs], 16, 100, seed=5)
    forwards = [crops[i] for i in range(20)]
    backwards = [Crops([pairs], 16, 100, seed=5)[i] for i in reversed(range(20))][::-1]
    for (lr, hr, _), (lr2, hr2, _) in zip(forwards, backwards, strict=True):
        assert torch.equal(lr, lr2)
        assert torch.equal(hr, hr2)
        assert lr.shape == (3, 16, 16)
        assert hr.shape == (3, 64, 64)
    other = Crops([pairs], 16, 100, seed=6)
    assert any(not torch.equal(a[0], other[i][0]) for i, a in enumerate(forwards))


def test_lr_and_hr_are_turned_alike(tmp_path: Path) -> None:
    made = tmp_path / "pictures"
    made.mkdir()
    y, x = np.mgrid[0:128, 0:128]
    Image.fromarray(np.stack([2 * x, 2 * y, x + y], -1).astype(np.uint8)).save(made / "ramp.png")
    crops = Crops([Pairs([made], 4, tmp_path / "cache")], 16, 100, seed=0)
    turns = set()
    for i in range(40):
        lr, hr, _ = crops[i]
        mean = hr.float().unflatten(1, (16, 4)).unflatten(3, (16, 4)).mean((2, 4))
        assert (lr.float() - mean).abs()[:, 1:-1, 1:-1].max() <= 1.5
        red = lr[0].float()
        turns.add((bool(red[0, 0] < red[0, -1]), bool(red[0, 0] < red[-1, 0]), bool(lr[1, 0, 0] < lr[1, -1, -1])))
    assert len(turns) >= 6


def test_a_window_larger_than_all_pictures(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(localsr.DataError, match="no picture is 64 x 64 LR px or larger"):
        Crops([Pairs([folder], 4, tmp_path / "cache")], 64, 10, seed=0)


def test_batches_start_anywhere(folder: Path, tmp_path: Path) -> None:
    crops = Crops([Pairs([folder], 4, tmp_path / "cache")], 16, 100, seed=5)
    unbroken = list(Batches(crops, 3, (4, 12), 6))
    resumed = list(Batches(crops, 3, (4, 12), 6, start=4))
    assert len(unbroken) == 6
    for a, b in zip(unbroken[4:], resumed, strict=True):
        assert torch.equal(a.lr, b.lr)
        assert a.roi == b.roi
    rois = [batch.roi for batch in Batches(crops, 1, (4, 12), 60)]
    assert all(Box(0, 0, 16, 16).contains(roi) and 4 <= roi.width == roi.height <= 12 for roi in rois)
    assert {roi.width for roi in rois} == set(range(4, 13))
    assert min(r.left for r in rois) == 0
    assert max(r.right for r in rois) == 16


def test_a_benchmark_without_lr_makes_it(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    folder.rename(tmp_path / "set" / "HR")
    benchmark = Benchmark(tmp_path / "set", 4, 8)
    pair = benchmark[0]
    assert len(benchmark) == 3
    assert pair.lr.shape == (32, 24, 3)
    assert pair.hr.shape == (3, 128, 96)
    assert not benchmark.published
    with pytest.raises(localsr.DataError, match="LR px, less than the 24 of an ROI"):
        Benchmark(tmp_path / "set", 4, 24)[1]
    with pytest.raises(localsr.DataError, match="is no data set"):
        Benchmark(tmp_path, 4, 8)


@pytest.mark.parametrize(
    ("originals", "reduced"),
    [
        ("set5/HR/a.png", "set5/LR_x4/a.png"),  # this project's
        ("Set5/GTmod12/a.png", "Set5/LRbicx4/a.png"),  # BasicSR's
        ("benchmark/Set5/HR/a.png", "benchmark/Set5/LR_bicubic/X4/ax4.png"),  # EDSR's
        ("Set5/image_SRF_4/img_001_SRF_4_HR.png", "Set5/image_SRF_4/img_001_SRF_4_LR.png"),  # SelfExSR's
        ("Set5/a.png", None),
        ("Set5/original/a.png", None),
    ],
)
def test_layouts(tmp_path: Path, originals: str, reduced: str | None) -> None:
    hr = np.random.default_rng(0).integers(0, 256, (32, 64, 3), dtype=np.uint8)
    (tmp_path / originals).parent.mkdir(parents=True)
    Image.fromarray(hr).save(tmp_path / originals)
    if reduced is not None:
        (tmp_path / reduced).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 16, 3), 7, np.uint8)).save(tmp_path / reduced)
    benchmark = Benchmark(datasets.find_data_set("Set5", tmp_path), 4, 8)
    assert (len(benchmark), benchmark.name) == (1, "set5")
    assert benchmark.published == (reduced is not None)
    pair = benchmark[0]
    assert np.array_equal(pair.hr, hr.transpose(2, 0, 1))
    assert (pair.lr == 7).all() == (reduced is not None)


def test_div2k_as_it_unpacks(tmp_path: Path) -> None:
    for folder, name, sides in (("HR", "0801.png", (32, 40)), ("LR_bicubic/X4", "0801x4.png", (8, 10))):
        path = tmp_path / "DIV2K" / f"DIV2K_valid_{folder}" / name
        path.parent.mkdir(parents=True)
        Image.fromarray(np.full((*sides, 3), 7, np.uint8)).save(path)
    benchmark = Benchmark(datasets.find_data_set("div2k-valid", tmp_path), 4, 8)
    assert benchmark.name == "div2k-valid"
    assert benchmark.published
    assert benchmark[0].lr.shape == (8, 8, 3)


def test_a_data_set_in_folders(tmp_path: Path) -> None:
    for k, name in enumerate(("a/0.png", "b/0.png")):
        for folder, sides in (("HR", (32, 32)), ("LR_x4", (8, 8))):
            path = tmp_path / "my set" / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((*sides, 3), k, np.uint8)).save(path)
    benchmark = Benchmark(tmp_path / "my set", 4, 8)
    assert benchmark.name == "my-set"
    assert [benchmark[k].name for k in range(2)] == ["a/0.png", "b/0.png"]
    assert [int(benchmark[k].lr.max()) for k in range(2)] == [0, 1]
    Image.new("RGB", (4, 4)).save(tmp_path / "my set" / "LR_x4" / "b" / "0.png")
    with pytest.raises(localsr.DataError, match="4 x 4 px, which is no x4 reduction"):
        benchmark[1]


def test_a_data_set_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(localsr.DataError, match="is called bsd1000; known names are set5, set14, bsd100"):
        datasets.find_data_set("bsd1000", tmp_path)
    with pytest.raises(localsr.DataError, match="two levels deep, is called bsd100 or bsds100 or b100"):
        datasets.find_data_set("bsd100", tmp_path)
    with pytest.raises(localsr.DataError, match="no folder bsd100; pass the path of a folder, wherever it lies, or a "):
        datasets.find_data_set("bsd100", None)
    (tmp_path / "deep/Mine").mkdir(parents=True)
    assert datasets.find_data_set("mine", tmp_path) == tmp_path / "deep/Mine"
    assert datasets.find_data_set(str(tmp_path / "deep/Mine"), Path("/nowhere")) == tmp_path / "deep/Mine"
    (tmp_path / "deep/Mine").rmdir()
    (tmp_path / "deep").rmdir()
    for name in ("HR/a.png", "HR/b.png", "LR_x4/a.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (64, 64)).save(tmp_path / name)
    with pytest.raises(localsr.DataError, match=r"LR_x4 has no LR of b\.png: neither b nor bx4"):
        Benchmark(tmp_path, 4, 8)


def test_samples_are_drawn_by_shares(folder: Path, tmp_path: Path) -> None:
    made = tmp_path / "dark"
    made.mkdir()
    Image.new("RGB", (400, 400)).save(made / "0.png")
    parts = [Pairs([one], 4, tmp_path / "cache") for one in (folder, made)]
    dark = [int(Crops(parts, 16, 200, 0, (3.0, 1.0))[i][1].max()) == 0 for i in range(200)]
    assert 30 < sum(dark) < 70
    with pytest.raises(localsr.DataError, match="no picture is 64 x 64"):
        Crops(parts, 64, 200, 0, (3.0, 1.0))


def test_targets_are_blended_with_what_teachers_make(folder: Path, tmp_path: Path) -> None:
    pairs = Pairs([folder], 4, tmp_path / "cache")
    asked: list[tuple[int, ...]] = []

    def teach(lr: torch.Tensor) -> torch.Tensor:
        asked.append(tuple(lr.shape))
        return lr.repeat_interleave(4, 1).repeat_interleave(4, 2)

    heard: list[int] = []
    DistilledPairs(pairs, "double", teach, 0.25, lambda done, of: heard.append(done))
    assert asked == [(3, *size) for size in pairs.sizes]
    assert heard == list(range(len(pairs) + 1))
    again = DistilledPairs(pairs, "double", teach, 0.25)
    assert len(asked) == len(pairs)
    for k in range(len(pairs)):
        box = Box(1, 2, 9, 8)
        lr, hr = pairs.crop(k, box)
        same, target = again.crop(k, box)
        assert (same == lr).all()
        soft = lr.repeat(4, 1).repeat(4, 2).astype(float)
        assert abs(target - (0.25 * soft + 0.75 * hr)).max() <= 0.5 + 1e-6
