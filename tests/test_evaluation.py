"""The protocol, its numbers and its costs."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import restorer, tiny
from PIL import Image

import localsr
from localsr import metrics
from localsr.evaluation.cost import cost
from localsr.evaluation.protocol import difference, evaluate
from localsr.geometry import Size
from localsr.inference.strategies import Strategy
from localsr.models.checkpoint import Card
from localsr.models.config import ModelConfig
from localsr.models.official import read_official
from localsr.models.presets import PRESETS

SMALL, LARGE = Size(216, 144), Size(816, 528)
CLSR = ModelConfig(gcm=True, pim=True)
CARN_M = PRESETS["carn-m"]


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
    macs = 24 * 24 * 9 * (3 * 16 + 3 * 16 * 16 + 16 * 48)
    assert cost(config, Strategy.CROP, 24, SMALL).roi == 2 * macs
    pim = cost(dataclasses.replace(config, pim=True, pim_channels=4), Strategy.CLSR, 24, SMALL).roi - 2 * macs
    assert pim == 2 * 30 * 30 * 9 * (3 * 4 + 2 * 4 * 4)


def test_the_authors_carn_m_on_bsd100(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "ssim", lambda restored, original: 0.0)  # half the time, and not asked for here
    network = read_official(shared / "weights/carn_m.pth", 4)
    network.config = dataclasses.replace(CARN_M, halo=(4, 4, 4, 4))
    carn = localsr.Restorer(network, Card("carn-m", network.config))
    ways = (Strategy.CROP, Strategy.HALO, Strategy.FULL)
    found = evaluate(shared / "data/test/bsd100", carn, roi=24, strategies=ways).to_dict()["strategies"]
    assert found["crop"]["psnr_y"] == pytest.approx(27.381, abs=0.01)
    assert found["halo"]["psnr_y"] == pytest.approx(27.506, abs=0.01)
    assert found["full"]["psnr_y"] == pytest.approx(27.508, abs=0.01)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "set" / "HR").mkdir(parents=True)
    random = np.random.default_rng(0)
    for k in range(2):
        noise = random.integers(0, 256, (5, 7, 3), dtype=np.uint8)
        Image.fromarray(noise).resize((140, 100), Image.Resampling.BICUBIC).save(tmp_path / "set" / "HR" / f"{k}.png")
    return tmp_path / "set"


def test_the_result(folder: Path) -> None:
    heard: list[tuple[int, int]] = []
    one = restorer(tiny())
    result = evaluate(folder, one, roi=8, progress=lambda done, of: heard.append((done, of))).to_dict()
    assert heard == [(1, 2), (2, 2)]
    assert result["protocol"]["pictures"] == 2
    assert result["protocol"]["data"] == "set"
    assert result["checkpoint"]["name"] == "tiny"
    assert set(result["strategies"]) == {"crop", "halo", "clsr", "full"}
    numbers = result["strategies"]["clsr"]
    assert result["pictures"] == ["0.png", "1.png"]
    mean, low, high = result["differences"]["clsr - crop"]
    apart = np.subtract(result["psnr_y"]["clsr"], result["psnr_y"]["crop"])
    assert mean == pytest.approx(apart.mean(), abs=2e-4)
    assert low == pytest.approx(apart.min(), abs=2e-4)
    assert high == pytest.approx(apart.max(), abs=2e-4)
    assert set(numbers) == {"psnr_y", "psnr_rgb", "ssim_y", "gflops_roi", "gflops_first_roi"}
    assert numbers["gflops_first_roi"] > numbers["gflops_roi"]
    photo = localsr.read(folder / "HR" / "0.png")
    assert photo.size == Size(140, 100)


def test_cells_are_stitched_where_they_belong(folder: Path) -> None:
    one = restorer(tiny(context=False))
    ways = (Strategy.FULL,)
    whole_at_once = evaluate(folder, one, roi=8, strategies=ways).to_dict()["strategies"]["full"]
    exact = dataclasses.replace(tiny(context=False), halo=(9, 6, 2))
    cells = restorer(exact)
    by_cell = evaluate(folder, cells, roi=8, strategies=(Strategy.HALO,)).to_dict()["strategies"]["halo"]
    assert by_cell["psnr_y"] == pytest.approx(whole_at_once["psnr_y"], abs=1e-3)


def test_metrics_by_hand() -> None:
    a = torch.full((3, 16, 16), 100.0)
    assert metrics.psnr(a, a + 5) == pytest.approx(10 * np.log10(255**2 / 25))
    assert metrics.luma(torch.full((3, 1, 1), 255.0)).item() == pytest.approx(235)
    assert metrics.luma(torch.zeros(3, 1, 1)).item() == 16
    assert metrics.psnr_y(a, a + 5) == pytest.approx(10 * np.log10(255**2 / (5 * 219 / 255) ** 2), abs=1e-3)
    assert metrics.ssim(a[:1], a[:1]) == pytest.approx(1)
    assert metrics.levels(torch.tensor([-1.0, 0.5, 2.0])).tolist() == [0, 128, 255]
    cells = [torch.full((1, 2, 2), float(k)) for k in range(6)]
    assert metrics.stack(cells, 3)[0, :, ::2].tolist() == [[0, 1, 2]] * 2 + [[3, 4, 5]] * 2


def test_the_interval_of_a_difference() -> None:
    random = np.random.default_rng(0)
    other = random.normal(27, 3, 100)
    mean, low, high = difference((other + random.normal(0.1, 0.2, 100)).tolist(), other.tolist())
    assert low < mean < high
    assert (high - low) / 2 == pytest.approx(1.96 * 0.2 / 10, rel=0.2)
    assert difference([1.0, 2.0], [1.0, 2.0]) == (0.0, 0.0, 0.0)
