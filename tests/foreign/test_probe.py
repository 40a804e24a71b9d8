"""The probe on networks whose halo, grid and reach are known."""

import json
import math
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from networks import awake, restorer, tiny
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional
from typer.testing import CliRunner

import localsr
from localsr.cli import app
from localsr.foreign.probe import HALF_LEVEL, MARGIN, measure, measure_restorer, noise_and_bars
from localsr.models import checkpoint
from localsr.models.card import Card

Pixels = NDArray[np.float32]


def black_box(network: nn.Module | None, also: object = None) -> object:
    def upscale(pixels: Pixels) -> Pixels:
        with torch.inference_mode():
            x = torch.from_numpy(pixels)[None]
            return (network(x) if network is not None else also(x))[0].numpy()  # type: ignore[operator, misc]

    return upscale


def box_filter(radius: int) -> nn.Module:
    """A mean over (2 r + 1)^2 px: all of its reach matters."""
    conv = nn.Conv2d(3, 3, 2 * radius + 1, padding=radius, groups=3, bias=False)
    nn.init.constant_(conv.weight, 1 / (2 * radius + 1) ** 2)
    return conv


@pytest.mark.parametrize("radius", [1, 3, 6])
@pytest.mark.parametrize("scale", [1, 2, 4])
def test_the_radius_of_a_local_network(radius: int, scale: int) -> None:
    network = nn.Sequential(box_filter(radius), nn.Upsample(scale_factor=float(scale)))
    found = measure(black_box(network), scale)  # type: ignore[arg-type]
    assert found.grid == 1
    assert not found.is_global
    assert found.halo == math.ceil(radius * MARGIN)
    assert found.largest[radius] < HALF_LEVEL <= found.largest[radius - 1]


@pytest.mark.parametrize("axis", [2, 3])
def test_a_network_that_looks_only_down_or_to_the_right(axis: int) -> None:
    network = box_filter(6)
    with torch.no_grad():
        network.weight.narrow(axis, 0, 6).zero_()  # type: ignore[operator]
    assert measure(black_box(network), 1).halo == math.ceil(6 * MARGIN)  # type: ignore[arg-type]


def test_the_exact_halo_bounds_what_was_measured() -> None:
    assert measure(black_box(box_filter(3)), 1, exact_halo=3).halo == 3  # type: ignore[arg-type]


def windowed(side: int) -> object:
    """Each window becomes its own mean: nothing crosses the grid."""

    def upscale(x: torch.Tensor) -> torch.Tensor:
        height, width = x.shape[-2:]
        padded = functional.pad(x, (0, -width % side, 0, -height % side), mode="replicate")
        means = functional.avg_pool2d(padded, side)
        return functional.interpolate(means, scale_factor=float(side))[..., :height, :width]

    return upscale


@pytest.mark.parametrize("side", [2, 7, 8, 16])
def test_the_grid_of_windows(side: int) -> None:
    found = measure(black_box(None, windowed(side)), 1)  # type: ignore[arg-type]
    assert (found.grid, found.halo, found.is_global) == (side, 0, False)


def test_sides_that_must_be_multiples() -> None:
    def picky(x: torch.Tensor) -> torch.Tensor:
        assert x.shape[-1] % 4 == x.shape[-2] % 4 == 0
        return windowed(8)(x)  # type: ignore[operator, no-any-return]

    assert measure(black_box(None, picky), 1, multiple=4).grid == 8  # type: ignore[arg-type]


def test_what_looks_at_the_whole_picture_is_told() -> None:
    norm = nn.GroupNorm(1, 3)
    assert measure(black_box(norm), 1).is_global  # type: ignore[arg-type]
    pooled = measure(black_box(None, lambda x: x * x.mean((2, 3), keepdim=True)), 1)  # type: ignore[arg-type]
    assert pooled.is_global
    assert pooled.psnr(40) < 60
    assert pooled.psnr(pooled.halo) < 60  # though nothing beyond it was seen


def test_a_wide_but_local_network_is_not_taken_for_a_global_one() -> None:
    found = measure(black_box(nn.Sequential(*(box_filter(7) for _ in range(8)))), 1)  # type: ignore[arg-type]
    assert not found.is_global
    assert found.grid == 1
    assert 10 < found.halo <= 62  # eight means after each other see 56 px, the outermost hardly


def test_the_same_three_times_and_psnr_rises_with_the_halo() -> None:
    network = black_box(nn.Sequential(*(box_filter(2) for _ in range(4))))
    one, two, three = (measure(network, 1) for _ in range(3))  # type: ignore[arg-type]
    assert one == two == three
    curve = [one.psnr(halo) for halo in range(9)]
    assert curve == sorted(curve)
    assert curve[0] < 60
    assert curve[-1] == math.inf
    other = measure(network, 1, patches=partial(noise_and_bars, seed=7))  # type: ignore[arg-type]
    assert abs(other.halo - one.halo) <= max(1, round(one.halo / 10))


@pytest.mark.parametrize("backbone", ["edsr", "compact", "swinir"])
def test_our_networks_need_no_more_than_they_see(backbone: str) -> None:
    found = measure_restorer(restorer(tiny(backbone, scale=2, context=False)))
    network = restorer(tiny(backbone, scale=2, context=False)).network
    assert network.geometry.multiple in (1, 8)
    assert found.grid == network.geometry.multiple
    assert not found.is_global
    assert 0 < found.halo <= network.geometry.exact_halo[0] + network.geometry.multiple - 1


def test_the_command_prints_a_table_and_json(tmp_path: Path) -> None:
    network = awake(tiny("compact", scale=2, context=False))
    path = tmp_path / "tiny.safetensors"
    checkpoint.save(path, network, Card("tiny", network.config))
    told = CliRunner().invoke(app, ["measure", str(path)])
    assert "px of halo; by its architecture it sees 4 px" in told.stdout, told.output
    assert "20 to 80 dB" in told.stdout
    assert "\u2588" in told.stdout  # bars
    asked = ["measure", str(path), "--json", "-o", str(tmp_path / "plot.png")]
    answer = json.loads(CliRunner().invoke(app, asked).stdout)
    assert localsr.read(tmp_path / "plot.png").size == localsr.Size(960, 576)
    assert (answer["grid"], answer["global"], answer["exact_halo"]) == (1, False, 4)
    assert [row["halo"] for row in answer["curve"]] == sorted({0, 1, 2, answer["halo"]})
    assert answer["curve"][-1]["psnr"] > answer["curve"][0]["psnr"]
