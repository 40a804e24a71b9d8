"""The protocol, its numbers and its costs."""

import dataclasses
import json
import os
import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from networks import awake, made, restorer, tiny
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio
from torch.nn import functional
from torchmetrics.functional.image import structural_similarity_index_measure

import localsr
from localsr import metrics
from localsr.cli.evaluate import result_table
from localsr.conditions import Conditions
from localsr.evaluation.benchmark import Benchmark
from localsr.evaluation.estimate import estimate_evaluation
from localsr.evaluation.methods import Method
from localsr.evaluation.protocol import default_methods, evaluate
from localsr.evaluation.records import EvaluationSettings, plain_values
from localsr.evaluation.report.page import write_report
from localsr.evaluation.report.sections import report_parts
from localsr.evaluation.results import Result, paired_difference
from localsr.evaluation.run_folder import RunFolder
from localsr.evaluation.runner import MethodRunner
from localsr.geometry import Box, Size
from localsr.inference.cost import RoiFlops, count_roi
from localsr.inference.strategies import Strategy
from localsr.models.card import Card
from localsr.models.clsr import without_weights
from localsr.models.config import ModelConfig
from localsr.models.importer import import_network
from localsr.models.presets import PRESETS
from localsr.resize import resize

SMALL, LARGE = Size(216, 144), Size(816, 528)
CLSR = ModelConfig(gcm=True, pim=True)
CARN_M = PRESETS["carn-m"]


def cost(config: ModelConfig, strategy: Strategy, roi: int, size: Size) -> RoiFlops:
    """Of the network, or of its plain twin for what that runs."""
    return count_roi(
        without_weights(config if strategy is Strategy.CLSR else config.without_context()), strategy, roi, size
    )


def test_carn_m_costs_what_table_1_says() -> None:
    assert cost(CARN_M, Strategy.CROP, 24, SMALL).roi / 1e9 == pytest.approx(0.65, rel=0.02)
    assert cost(CARN_M, Strategy.FULL, 24, SMALL).roi / 1e9 == pytest.approx(35.37, rel=0.02)


@pytest.mark.parametrize("config", [CLSR, dataclasses.replace(CARN_M, gcm=True, pim=True)], ids=["edsr", "carn"])
def test_context_is_cheap_and_does_not_depend_on_the_picture(config: ModelConfig) -> None:
    clsr = cost(config, Strategy.CLSR, 24, SMALL)
    halo = cost(config, Strategy.HALO, 24, SMALL)
    assert clsr.roi <= 1.15 * halo.roi
    assert 0 < clsr.scene < clsr.roi
    assert cost(config, Strategy.CLSR, 24, LARGE) == clsr
    assert cost(config, Strategy.HALO, 24, LARGE) == halo
    assert halo.scene == 0


def test_what_is_counted() -> None:
    config = ModelConfig(channels=16, stages=1, blocks=1, halo=(0, 0))
    macs = 24 * 24 * (9 * (3 * 16 + 3 * 16 * 16 + 16 * 48) + 25 * 48)  # the last are the bicubic picture's
    assert cost(config, Strategy.CROP, 24, SMALL).roi == 2 * macs
    pim = cost(dataclasses.replace(config, pim=True, pim_channels=4), Strategy.CLSR, 24, SMALL).roi - 2 * macs
    assert pim == 2 * 30 * 30 * 9 * (3 * 4 + 2 * 4 * 4)


def methods(*names: str) -> list[Method]:
    return [Method.named(name) for name in names]


@pytest.mark.slow
def test_the_authors_carn_m_on_bsd100(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "ssim", lambda restored, original: torch.zeros(len(restored)))  # half the time
    network = import_network(shared / "weights/carn_m.pth", 4)
    network.config = dataclasses.replace(CARN_M, halo=(4, 4, 4, 4))
    carn = made(network, Card("carn-m", network.config))
    benchmark = Benchmark(shared / "data/test/bsd100", 4, 24)
    told = evaluate(benchmark, carn, tmp_path, methods=methods("crop", "halo", "full")).record.means
    assert told["crop"].psnr_y == pytest.approx(27.381, abs=0.01)
    assert told["halo"].psnr_y == pytest.approx(27.506, abs=0.01)
    assert told["full"].psnr_y == pytest.approx(27.508, abs=0.01)


def bicubic_by_both(benchmark: Benchmark) -> tuple[float, float]:
    """The mean PSNR Y of bicubic by torch and by MATLAB's kernel: torch's is sharper, a = -0.75 for -0.5."""
    torchs, matlabs = [], []
    for pair in (benchmark[k] for k in range(len(benchmark))):
        lr, hr = torch.from_numpy(pair.lr).permute(2, 0, 1).float() / 255, torch.from_numpy(pair.hr).float()
        enlarged = functional.interpolate(lr[None], scale_factor=4, mode="bicubic", align_corners=False)[0]
        torchs.append(metrics.psnr_y(metrics.levels(enlarged), hr))
        matlabs.append(metrics.psnr_y(metrics.levels(torch.from_numpy(resize(lr.numpy(), *hr.shape[1:]))), hr))
    return float(np.mean(torchs)), float(np.mean(matlabs))


def test_bicubic_on_bsd100(shared: Path) -> None:
    """Whoever measures bicubic by torch has 0.09 dB more than the papers."""
    by_torch, by_matlab = bicubic_by_both(Benchmark(shared / "data/test/bsd100", 4, 24))
    assert by_torch == pytest.approx(26.065, abs=0.01)
    assert by_matlab == pytest.approx(25.977, abs=0.01)


def test_the_network_for_bicubic_on_photos_of_the_repository(cc0: Path, tmp_path: Path) -> None:
    benchmark = Benchmark(cc0, 4, 24)
    assert (benchmark.name, len(benchmark), benchmark.published) == ("cc0", 4, True)
    result = evaluate(benchmark, localsr.load("clsr-light-x4"), tmp_path)
    psnr = {name: means.psnr_y for name, means in result.record.means.items()}
    by_torch, by_matlab = bicubic_by_both(benchmark)
    assert psnr["bicubic"] == pytest.approx(by_matlab, abs=1e-3)
    assert by_torch > by_matlab
    assert psnr["crop"] > psnr["bicubic"] + 1  # 1.30 measured
    assert psnr["halo"] > psnr["crop"] + 0.05  # 0.08 measured
    assert psnr["clsr"] > psnr["crop"] + 0.05  # 0.11 measured
    assert psnr["full"] == pytest.approx(psnr["halo"], abs=0.01)
    text = write_report(tmp_path / "report", "photos", report_parts([result])).read_text()
    for number in psnr.values():
        assert f"<td>{number:.3f}</td>" in text


@pytest.fixture
def benchmark(tmp_path: Path) -> Benchmark:
    (tmp_path / "set" / "HR").mkdir(parents=True)
    random = np.random.default_rng(0)
    for k in range(3):
        noise = random.integers(0, 256, (5, 7, 3), dtype=np.uint8)
        Image.fromarray(noise).resize((140, 100), Image.Resampling.BICUBIC).save(tmp_path / "set" / "HR" / f"{k}.png")
    return Benchmark(tmp_path / "set", 4, 8)


def test_the_result(benchmark: Benchmark, tmp_path: Path) -> None:
    heard: list[tuple[int, int]] = []
    result = evaluate(
        benchmark, restorer(tiny()), tmp_path / "r", roi=8, progress=lambda done, of: heard.append((done, of))
    )
    assert heard == [(1, 3), (2, 3), (3, 3)]
    record = result.record
    assert record.protocol.pictures == 3
    assert record.protocol.data == "set"
    assert record.protocol.lr == "made by localsr"
    assert record.checkpoint.name == "tiny"
    assert list(record.means) == ["bicubic", "crop", "halo", "clsr", "full"]
    assert record.pictures == ["0.png", "1.png", "2.png"]
    mean, low, high = record.differences["clsr - halo"]
    apart = np.subtract(result.values("clsr"), result.values("halo"))
    assert mean == pytest.approx(apart.mean(), abs=2e-4)
    assert apart.min() - 1e-4 <= low <= mean <= high <= apart.max() + 1e-4
    means = record.means["clsr"]
    assert means.gflops_first_roi > means.gflops_roi
    assert Result.read(tmp_path / "r").record == record
    assert sorted(p.name for p in (tmp_path / "r").iterdir()) == [
        "examples",
        "pictures.parquet",
        "result.json",
        "rois.parquet",
    ]


def test_rois_and_pictures_agree(benchmark: Benchmark, tmp_path: Path) -> None:
    result = evaluate(benchmark, restorer(tiny()), tmp_path / "r", roi=8, methods=methods("halo", "full", "bicubic"))
    rois = result.rois()
    assert len(rois) == 3 * 3 * (4 * 3)
    assert len({row[:4] for row in rois}) == len(rois)
    for method in ("halo", "full", "bicubic"):
        one = [row for row in rois if (row.way, row.picture) == (method, "1.png")]
        mse = np.mean([255**2 / 10 ** (row.psnr_y / 10) for row in one])
        (stitched,) = (row for row in result.pictures if (row.way, row.picture) == (method, "1.png"))
        assert 10 * np.log10(255**2 / mse) == pytest.approx(stitched.psnr_y, abs=1e-6)
        assert stitched.roi_ssim_y == pytest.approx(np.mean([row.ssim_y for row in one]))


@pytest.mark.slow
def test_a_run_goes_on(benchmark: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, asked = restorer(tiny()), methods("crop", "halo", "clsr")
    unbroken = evaluate(benchmark, one, tmp_path / "a", roi=8, methods=asked)

    class Killed(BaseException):
        pass

    def kill(done: int, of: int) -> None:
        if done == 2:
            raise Killed

    with pytest.raises(Killed):
        evaluate(benchmark, one, tmp_path / "b", roi=8, methods=asked, progress=kill)
    (tmp_path / "b" / "parts" / "00002-rois.parquet").write_bytes(b"half a file")  # its picture is not said to be done
    away = tmp_path / "elsewhere" / "set"  # another machine, which goes on with what was copied to it
    for part in ("set", "b"):
        shutil.copytree(tmp_path / part, away.parent / part)
    for file in away.rglob("*.png"):
        os.utime(file, (1e9, 1e9))
    with monkeypatch.context() as patch:
        patch.setattr("localsr.evaluation.protocol.describe_machine", lambda: {"cpu": "another", "cores": 99})
        moved = evaluate(Benchmark(away, 4, 8), one, away.parent / "b", roi=8, methods=asked)
    assert moved.rois() == unbroken.rois()
    assert result_table(moved).columns == result_table(unbroken).columns
    assert [list(c.cells) for c in result_table(moved).columns] == [
        list(c.cells) for c in result_table(unbroken).columns
    ]
    with pytest.raises(localsr.DataError, match=r"another run: .*roi was 8, is 4"):
        evaluate(Benchmark(tmp_path / "set", 4, 8), one, tmp_path / "b", roi=4, methods=asked)
    told = json.loads((tmp_path / "b" / "run.json").read_text())
    settings = msgspec.convert(told | {"machine": {}}, EvaluationSettings)
    with RunFolder(tmp_path / "b", settings), pytest.raises(localsr.DataError, match="another process is at work"):
        evaluate(benchmark, one, tmp_path / "b", roi=8, methods=asked)
    read: list[int] = []

    class Counted(Benchmark):
        def __getitem__(self, k: int):
            read.append(k)
            return super().__getitem__(k)

    counted = Counted(tmp_path / "set", 4, 8)
    broken = evaluate(counted, one, tmp_path / "b", roi=8, methods=asked)
    assert read[0] == 2  # and then those of the examples
    records = [plain_values(result.record) for result in (broken, unbroken)]
    for record in records:
        for numbers in record["strategies"].values():
            assert numbers.pop("seconds_roi") > 0  # the one number that no two runs share
    assert records[0] == records[1]
    assert broken.rois() == unbroken.rois()
    untimed = [[row._replace(seconds=0) for row in result.pictures] for result in (broken, unbroken)]
    assert untimed[0] == untimed[1]
    assert sorted(p.name for p in (tmp_path / "b").iterdir()) == sorted(p.name for p in (tmp_path / "a").iterdir())
    read.clear()
    evaluate(counted, one, tmp_path / "b", roi=8, methods=asked)
    assert read == []
    (tmp_path / "set" / "HR" / "2.png").write_bytes((tmp_path / "set" / "HR" / "1.png").read_bytes())
    with pytest.raises(localsr.DataError, match="another run: files was"):
        evaluate(Benchmark(tmp_path / "set", 4, 8), one, tmp_path / "b", roi=8, methods=asked)
    (tmp_path / "c" / "parts").mkdir(parents=True)
    with pytest.raises(localsr.DataError, match="of an unknown run"):
        evaluate(benchmark, one, tmp_path / "c", roi=8, methods=asked)
    (tmp_path / "c" / "parts").rmdir()
    odd = evaluate(benchmark, one, tmp_path / "c[1]", roi=8, methods=asked)
    assert len(odd.rois()) == len(unbroken.rois())


def test_an_estimate_counts_what_is_done(benchmark: Benchmark, tmp_path: Path) -> None:
    one, asked = restorer(tiny()), methods("bicubic", "crop", "halo-1", "clsr", "clsr-in-2", "full")
    for sample in (None, 3):
        estimate = estimate_evaluation(benchmark, one, roi=8, methods=asked, sample=sample)
        done = evaluate(benchmark, one, tmp_path / f"{sample}", roi=8, methods=asked, sample=sample)
        rois = sum(row.rois for row in done.pictures if row.way == "crop")
        assert (estimate.pictures, estimate.rois) == (3, rois)
        for name in ("crop", "halo-1"):
            assert estimate.methods[name].gflops == pytest.approx(rois * done.record.means[name].gflops_roi, rel=1e-3)
        means = done.record.means["clsr"]
        scenes = 3 * (means.gflops_first_roi - means.gflops_roi)
        assert estimate.methods["clsr"].gflops == pytest.approx(rois * means.gflops_roi + scenes, rel=1e-3)
        assert estimate.methods["clsr-in-2"].gflops > estimate.methods["clsr"].gflops / 3
        assert estimate.methods["bicubic"].gflops == 0 < estimate.methods["bicubic"].seconds < estimate.seconds
        if sample is None:  # a picture at once
            assert estimate.methods["full"].gflops == pytest.approx(3 * done.record.means["full"].gflops_roi, rel=1e-3)


def test_how_near_to_the_whole_picture(benchmark: Benchmark, tmp_path: Path) -> None:
    one = restorer(tiny())
    result = evaluate(benchmark, one, tmp_path / "a", roi=8, methods=methods("crop", "halo-1", "halo-64"), to_full=True)
    psnr = {name: means.psnr_y for name, means in result.record.means.items()}
    assert psnr["crop"] < psnr["halo-1"] < psnr["halo-64"]
    assert psnr["halo-64"] > 90  # its halo holds all that can matter
    assert result.setting.against == "full"
    parts = report_parts([result])
    assert any("against its own `full`" in str(part) for part in parts)
    with pytest.raises(localsr.ConfigError, match="leave it out"):
        evaluate(benchmark, one, tmp_path / "b", roi=8, methods=methods("full"), to_full=True)
    assert Method(Strategy.FULL) not in default_methods(one, to_full=True)
    with pytest.raises(localsr.DataError, match=r"another run: .*against"):
        evaluate(benchmark, one, tmp_path / "a", roi=8, methods=methods("crop", "halo-1", "halo-64"))


def test_conditions_by_what_tells_them(benchmark: Benchmark, tmp_path: Path) -> None:
    photos = Benchmark(tmp_path / "set", 4, 8, degradation="photo")
    pair, truth = photos[1], photos.conditions(1)
    assert truth.compression == 100 - photos.draw_degradation(1).quality
    assert truth != photos.conditions(0)
    config = dataclasses.replace(tiny(), conditioned=True)
    one = made(awake(config), Card("told", config, sha256="0"), awake(config.without_context()))
    asked = methods("halo", "halo-by-roi", "halo-by-surroundings", "halo-by-truth")
    runner, roi = MethodRunner(one, asked), Box(16, 8, 24, 16)
    found = {str(method): runner.restore(method, pair.lr, [roi], truth) for method in asked}
    scene = one.encode(pair.lr)
    for name, conditions in (("halo-by-roi", Conditions()), ("halo-by-truth", truth)):  # a block tells nothing
        assert np.array_equal(found[name][0], scene.told(conditions).restore(roi, "halo").pixels)
    assert not torch.allclose(found["halo-by-truth"], found["halo-by-roi"], atol=1e-4)
    assert torch.equal(found["halo"], runner.restore(asked[0], pair.lr, [roi]))
    assert list(evaluate(photos, one, tmp_path / "r", roi=8, methods=asked).record.means) == list(map(str, asked))
    with pytest.raises(localsr.ConfigError, match="is not one of bicubic, photo"):
        Benchmark(tmp_path / "set", 4, 8, degradation="broad")


def test_a_sample_of_rois(benchmark: Benchmark, tmp_path: Path) -> None:
    one, asked = restorer(tiny()), methods("halo", "full", "clsr-in-2")
    all_, some = (evaluate(benchmark, one, tmp_path / f"r{n}", roi=8, methods=asked, sample=n) for n in (None, 5))
    assert some.record.protocol.rois == "at most 5 of a picture, drawn by its number"
    assert len(some.rois()) == 3 * 3 * 5
    assert some.record.means["halo"].psnr_y is None
    each = {row[:4]: row.psnr_y for row in all_.rois()}
    assert [row.psnr_y for row in some.rois()] == pytest.approx([each[row[:4]] for row in some.rois()], abs=1e-3)
    assert some.values("halo") == [row.roi_psnr_y for row in some.pictures if row.way == "halo"]


def test_plain_methods_cost_what_the_twin_does(benchmark: Benchmark, tmp_path: Path) -> None:
    one = restorer(tiny())
    wide = dataclasses.replace(tiny(context=False), halo=(6, 4, 2))
    one.plain = restorer(wide).network
    found = evaluate(benchmark, one, tmp_path / "r", roi=8, methods=methods("halo", "clsr")).record.means
    assert found["halo"].gflops_roi == pytest.approx(cost(wide, Strategy.HALO, 8, Size(32, 24)).roi / 1e9, abs=1e-5)


def test_cells_are_stitched_where_they_belong(benchmark: Benchmark, tmp_path: Path) -> None:
    plain = restorer(tiny(context=False))
    found = evaluate(benchmark, plain, tmp_path / "r", roi=8, methods=methods("full", "halo-9")).record.means
    assert found["halo-9"].psnr_y == pytest.approx(found["full"].psnr_y, abs=1e-3)


def test_methods() -> None:
    for name in ("bicubic", "crop", "full", "halo", "halo-0", "halo-12", "clsr", "clsr-4", "clsr-in-3", "clsr-2-in-6"):
        assert str(Method.named(name)) == name
    for name in ("best", "crop-4", "full-4", "halo-in-3", "clsr-in-0", "halo-", "bicubic-4", "halo--1", ""):
        with pytest.raises(localsr.ConfigError):
            Method.named(name)
    assert [str(method) for method in default_methods(restorer(tiny(context=False)))] == [
        "bicubic",
        "crop",
        "halo",
        "full",
    ]
    size = Size(100, 60)
    assert Method.named("clsr").visible(Box(0, 0, 8, 8), size) == Box(0, 0, 100, 60)
    assert Method.named("clsr-in-3").visible(Box(40, 24, 48, 32), size) == Box(32, 16, 56, 40)
    assert Method.named("clsr-in-3").visible(Box(0, 52, 8, 60), size) == Box(0, 36, 24, 60)
    assert Method.named("clsr-in-9").visible(Box(0, 52, 8, 60), size) == Box(0, 0, 72, 60)


def test_a_context_that_holds_all_of_the_picture(benchmark: Benchmark, tmp_path: Path) -> None:
    found = evaluate(
        benchmark, restorer(tiny()), tmp_path / "r", roi=8, methods=methods("clsr", "clsr-in-9", "clsr-in-1")
    )
    told = found.record.means
    assert told["clsr-in-9"].psnr_y == pytest.approx(told["clsr"].psnr_y, abs=1e-4)
    assert abs(told["clsr-in-1"].psnr_y - told["clsr"].psnr_y) > 1e-3


def test_metrics_by_hand() -> None:
    a = torch.full((3, 16, 16), 100.0)
    assert metrics.psnr(a[None], a[None] + 5).item() == pytest.approx(10 * np.log10(255**2 / 25))
    assert metrics.psnr(a[None], a[None]).item() == metrics.MAX_PSNR
    assert metrics.luma(torch.full((3, 1, 1), 255.0)).item() == pytest.approx(235)
    assert metrics.luma(torch.zeros(3, 1, 1)).item() == 16
    assert metrics.psnr_y(a, a + 5) == pytest.approx(10 * np.log10(255**2 / (5 * 219 / 255) ** 2), abs=1e-3)
    assert metrics.levels(torch.tensor([-1.0, 0.5, 2.0])).tolist() == [0, 128, 255]
    cells = torch.stack([torch.full((1, 2, 2), float(k)) for k in range(6)])
    assert metrics.stitch(cells, 3)[0, :, ::2].tolist() == [[0, 1, 2]] * 2 + [[3, 4, 5]] * 2


@pytest.mark.parametrize("side", [16, 33, 96])
def test_metrics_are_torchmetrics_and_scikit_images(side: int) -> None:
    random = np.random.default_rng(side)
    one = random.integers(0, 256, (2, 1, side, side)).astype(np.float64)
    other = (one + random.normal(0, 20, one.shape)).clip(0, 255)
    pair = torch.from_numpy(one), torch.from_numpy(other)
    settings = {"sigma": 1.5, "data_range": 255.0, "reduction": "none", "return_full_image": True}
    _, full = structural_similarity_index_measure(*pair, **settings)
    assert torch.allclose(metrics.ssim(*pair), full[..., 5:-5, 5:-5].mean((1, 2, 3)), atol=1e-6)
    psnr = [peak_signal_noise_ratio(one[k, 0], other[k, 0], data_range=255) for k in range(2)]
    assert metrics.psnr(*pair).tolist() == pytest.approx(psnr, abs=1e-5)
    assert metrics.ssim(torch.zeros(2, 1, 10, 40), torch.zeros(2, 1, 10, 40)).isnan().all()


def test_the_interval_of_a_difference() -> None:
    random = np.random.default_rng(0)
    other = random.normal(27, 3, 100)
    mean, low, high = paired_difference((other + random.normal(0.1, 0.2, 100)).tolist(), other.tolist())
    assert low < mean < high
    assert (high - low) / 2 == pytest.approx(1.96 * 0.2 / 10, rel=0.2)
    assert paired_difference([1.0, 2.0], [1.0, 2.0]) == (0.0, 0.0, 0.0)
    assert paired_difference([1.5], [1.0]) == (0.5, None, None)
