"""A network that is told how the picture was degraded."""

import dataclasses

import pytest
import torch
from networks import tiny

from localsr.conditions import Conditions
from localsr.geometry import Box, Size
from localsr.models.clsr import BACKBONES, CLSR, started
from localsr.models.windows import Taper

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
