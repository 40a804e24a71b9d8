"""Networks that read cells beside a picture."""

import dataclasses

import pytest
import torch

from localsr.errors import ConfigError
from localsr.geometry import Box, Size
from localsr.inference.strategies import Strategy
from localsr.models.clsr import CLSR, started
from localsr.models.config import ModelConfig

PLAIN = ModelConfig(channels=16)
READER = dataclasses.replace(PLAIN, cells=True)


def restored(network: CLSR, x: torch.Tensor) -> torch.Tensor:
    taper = Strategy.FULL.taper(Box(0, 0, 12, 10), Size(12, 10), network.geometry)
    with torch.inference_mode():
        return network.restore(x, taper.windows[0], taper, torch.zeros(1, 2), None)


def test_a_new_one_changes_nothing_and_a_trained_one_nothing_without_cells() -> None:
    plain = CLSR(PLAIN)
    reader = started(READER, plain)
    x = torch.rand(1, READER.bands, 10, 12)
    assert READER.bands == 71
    assert torch.equal(restored(reader, x), restored(plain, x[:, :3]))
    for parameter in reader.cells.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    assert not torch.allclose(restored(reader, x), restored(plain, x[:, :3]), atol=1e-3)
    x[:, 3:] = 0
    assert torch.equal(restored(reader, x), restored(plain, x[:, :3]))
    assert torch.equal(restored(reader, x[:, :3]), restored(plain, x[:, :3]))


def test_a_run_may_start_from_one_that_reads_cells() -> None:
    reader = CLSR(READER)
    torch.nn.init.normal_(reader.cells.linear.weight)
    assert torch.equal(started(READER, reader).cells.linear.weight, reader.cells.linear.weight)


def test_context_is_not_read_with_cells() -> None:
    with pytest.raises(ConfigError, match="leave gcm and pim out"):
        dataclasses.replace(READER, pim=True)
