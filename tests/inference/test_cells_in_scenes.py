"""Regions of many frames by a network that reads cells."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

import localsr
from localsr.inference import fused_scene
from localsr.models import checkpoint
from localsr.models.checkpoint import Card
from localsr.models.clsr import started

BOX = localsr.Box(20, 20, 40, 40)


def reader(folder: Path, learnt: float) -> localsr.Restorer:
    """Load a network that reads cells by weights of a deviation, around the light one."""
    plain = localsr.load("edsr-light-x4", device="cpu")
    config = dataclasses.replace(plain.card.config, cells=True)
    network = started(config, plain.network.module)
    torch.manual_seed(0)
    torch.nn.init.normal_(network.cells.linear.weight, std=learnt)
    checkpoint.save(folder / "reader.safetensors", network, Card("reader", config))
    return localsr.load(folder / "reader.safetensors", device="cpu", precision="fp32")


@pytest.fixture(scope="module")
def plain() -> localsr.Restorer:
    return localsr.load("edsr-light-x4", device="cpu", precision="fp32")


@pytest.fixture
def frames() -> localsr.Frames:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    return localsr.read_frames([noise[:60, :60], noise[1:61, 1:61], noise[2:62, 1:61]])


@pytest.fixture
def ungated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fused_scene, "gate", lambda single, *_: np.ones(single.shape[:2], np.float32))


@pytest.mark.usefixtures("ungated")
def test_before_training_cells_change_nothing(plain: localsr.Restorer, frames: localsr.Frames, tmp_path: Path) -> None:
    one, other = (restorer.encode(frames).restore(BOX) for restorer in (reader(tmp_path, 0), plain))
    assert all(use.used for use in one.uses)
    assert np.array_equal(one.pixels, other.pixels)


@pytest.mark.usefixtures("ungated")
def test_what_was_learnt_is_read_where_frames_count(
    plain: localsr.Restorer, frames: localsr.Frames, tmp_path: Path
) -> None:
    one, other = (restorer.encode(frames).restore(BOX) for restorer in (reader(tmp_path, 0.1), plain))
    assert not np.allclose(one.pixels, other.pixels, atol=1e-3)
    assert np.array_equal(one.single, other.single)  # one frame has no cells
