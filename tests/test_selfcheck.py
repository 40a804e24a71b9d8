"""`localsr verify` passes what holds and fails what does not."""

import pytest
import torch
from networks import awake, made, restorer, tiny
from typer.testing import CliRunner

import localsr
from localsr import selfcheck as module
from localsr.cli import app
from localsr.models.card import Card
from localsr.models.clsr import BACKBONES
from localsr.selfcheck import Check, verify

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Graphs take half a minute to make; test_export compares them."""
    monkeypatch.setattr(module, "_onnx", lambda one: Check("ONNX = torch", 0.0, 1e-4))


def never(device: str) -> localsr.Restorer:
    raise AssertionError(device)


@pytest.mark.parametrize("backbone", BACKBONES)
def test_every_backbone_keeps_every_promise(backbone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TIGHT_BYTES", 2**23)
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    checks = list(verify(restorer(tiny(backbone)), never))
    large = ["in tiles = in one piece"] if backbone == "swinir" else []  # its tiles are larger than the picture
    assert [c.name for c in checks if c.worst is None] == [*large, "accelerator = CPU"]
    assert all(c.passed for c in checks), checks
    plain = made(awake(tiny(backbone, context=False)), Card("plain", tiny(backbone, context=False)))
    assert [c.note for c in verify(plain, never) if c.worst is None] == [
        *(["a tile of this network is larger than the picture"] if large else []),
        "no PIM",
        "no GCM, nothing to save",
        "there is no accelerator",
    ]


def test_a_broken_promise_is_found() -> None:
    one = restorer(tiny())
    pim = one.network.module.pim
    pim.reach = tuple(r - 2 for r in pim.reach)  # it reads too little
    broken = [c for c in verify(one, never) if not c.passed]
    assert "PIM on what is near = on all of the picture" in [c.name for c in broken]
    assert not Check("a", 2e-5, 1e-5).passed
    assert Check("a", None, 1e-5).passed


def test_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    result = CliRunner().invoke(app, ["verify", "--model", "clsr-light-x4"])
    assert result.exit_code == 0, result.output
    assert result.stdout.count("pass") == 6
    monkeypatch.setattr(module, "EXACT_DIFFERENCE", -1.0)
    result = CliRunner().invoke(app, ["verify", "--model", "clsr-light-x4"])
    assert result.exit_code == 3
    assert result.stdout.count("FAIL") == 5
