"""A network that is told how the picture was degraded."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from networks import awake, made, tiny
from networks import restorer as untold

import localsr
from localsr.conditions import Conditions
from localsr.geometry import Box, Size
from localsr.models.card import Card
from localsr.models.clsr import BACKBONES, CLSR, started
from localsr.models.windows import Taper
from localsr.onnx.export import export

SIZE = Size(48, 48)


def restored(network: CLSR, pixels: torch.Tensor) -> torch.Tensor:
    taper = Taper.around(Box(8, 8, 24, 24), SIZE, network.config.halo, network.backbone.multiple)
    near = network.geometry.near(taper, SIZE)
    with torch.inference_mode():
        return network.restore(pixels[..., near.rows, near.columns], near, taper, torch.zeros(1, 2), None)


@pytest.mark.parametrize("backbone", BACKBONES)
def test_conditions_start_by_changing_nothing_and_then_change_what_is_restored(backbone: str) -> None:
    torch.manual_seed(0)
    config = tiny(backbone, context=False)
    plain = CLSR(config).eval()
    network = started(dataclasses.replace(config, conditioned=True), plain).eval()
    pixels = torch.rand(1, 3, 48, 48)
    noisy = Conditions(noise=8.0, compression=40)
    assert torch.equal(restored(network.with_conditions(noisy), pixels), restored(plain, pixels))
    torch.nn.init.normal_(network.conditioning.layers[-1].weight, std=0.1)
    told = restored(network.with_conditions(noisy), pixels)
    assert not torch.allclose(told, restored(plain, pixels), atol=1e-3)
    assert not torch.allclose(told, restored(network.with_conditions(Conditions(noise=1.0)), pixels), atol=1e-4)
    assert torch.equal(told, restored(network.with_conditions(noisy), pixels))
    assert plain.with_conditions(noisy) is plain


def test_what_is_told_goes_along_to_a_network_that_starts_from_another() -> None:
    torch.manual_seed(0)
    config = dataclasses.replace(tiny("edsr", context=False), conditioned=True)
    first = CLSR(config)
    torch.nn.init.normal_(first.conditioning.layers[-1].weight)
    second = started(config, first)
    assert torch.equal(second.conditioning.layers[-1].weight, first.conditioning.layers[-1].weight)


def test_a_photo_is_measured_once_and_a_user_has_the_last_word(tmp_path: Path) -> None:
    config = dataclasses.replace(tiny("edsr"), conditioned=True)
    network = awake(config)
    restorer = made(network, Card("told", config, sha256="0"), awake(config.without_context()))
    random = np.random.default_rng(0)
    noisy = np.clip(110 + random.normal(0, 12, (96, 128, 1)).repeat(3, 2), 0, 255).astype(np.uint8)
    scene = restorer.encode(noisy)
    assert scene.conditions.noise == pytest.approx(12, rel=0.25)
    box = localsr.Box(8, 8, 32, 32)
    for strategy in ("crop", "clsr"):
        pixels = [scene.adjusted(denoise=d).restore(box, strategy).pixels for d in (None, 0, 100)]
        assert not np.allclose(pixels[1], pixels[2], atol=1e-3)
        assert np.array_equal(pixels[0], scene.restore(box, strategy).pixels)
    with pytest.raises(localsr.ConfigError, match="denoise 101 is not between 0 and 100"):
        scene.adjusted(denoise=101)
    with pytest.raises(localsr.ConfigError, match="tiny cannot be told how much to denoise"):
        untold(tiny("edsr")).encode(noisy).adjusted(deblur=5)


@pytest.mark.slow
def test_graphs_are_told_too(tmp_path: Path) -> None:
    config = dataclasses.replace(tiny("edsr"), conditioned=True)
    restorer = made(awake(config), Card("told", config, sha256="0"), awake(config.without_context()))
    export(restorer, tmp_path / "graphs")
    graphs = localsr.load(tmp_path / "graphs", runtime="onnx")
    noisy = np.random.default_rng(0).integers(60, 90, (96, 128, 3), dtype=np.uint8)
    for denoise in (0, 80):
        for strategy in ("halo", "clsr"):
            one, other = (
                r.encode(noisy).adjusted(denoise).restore(localsr.Box(8, 8, 32, 32), strategy).pixels
                for r in (restorer, graphs)
            )
            assert np.abs(one - other).max() < 1e-4
