"""Regions in 16 bits: how far from fp32, by which routes, and when they are chosen."""

import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from networks import BOXES, awake, made, restorer, tiny
from safetensors.torch import load_file

import localsr
from localsr.geometry import Box, Size, whole
from localsr.inference import planning
from localsr.inference import precision as precision_module
from localsr.inference.precision import Gain, choose_precision, measure_gain
from localsr.inference.sample import sample_photo
from localsr.inference.strategies import NetworkPair, Strategy
from localsr.models.card import Card
from localsr.models.clsr import CLSR
from localsr.onnx.network import OnnxNetwork
from localsr.onnx.tables import facts_of
from localsr.pytorch.network import TorchNetwork
from localsr.pytorch.prepacking import PackedConv, shortened


def in_bf16(network: CLSR, plain: CLSR | None = None) -> localsr.Restorer:
    return made(network, Card("tiny", network.config, sha256="0"), plain, "bf16")


@pytest.fixture
def pair() -> NetworkPair:
    network = TorchNetwork(awake(tiny(context=False)))
    return NetworkPair("tiny", network, network)


@pytest.fixture
def gain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[Gain]]:
    """What is measured next; it is taken off the list."""
    gains: list[Gain] = []
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(precision_module, "measure_gain", lambda *_: gains.pop())
    yield gains
    assert not gains


@pytest.mark.parametrize(
    ("measured", "chosen", "told"),
    [
        (Gain(0.9, 1.0, 1.2), "bf16", ""),
        (Gain(1.1, 3.0, 3.0), "fp32", "tiny is 1.1 levels of 255 from fp32 in bf16 on a sample, so it runs in fp32"),
        (Gain(float("inf"), 3.0, 3.0), "fp32", "tiny is not finite in bf16 on a sample"),
        (Gain(0.1, 0.9, 3.0), "fp32", "bf16 is 0.90 and 3.00 times as fast"),
        (Gain(0.1, 1.1, 1.1), "fp32", "bf16 is 1.10 and 1.10 times as fast"),
    ],
)
def test_what_is_measured_decides_and_is_kept(
    measured: Gain,
    chosen: str,
    told: str,
    gain: list[Gain],
    pair: NetworkPair,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "localsr")
    gain.append(measured)
    assert choose_precision(pair, "a" * 64) == chosen
    assert told in caplog.text
    assert bool(told) == bool(caplog.text)
    assert choose_precision(pair, "a" * 64) == chosen  # nothing is measured again
    gain.append(Gain(0.0, 2.0, 2.0))
    assert choose_precision(pair, "b" * 64) == "bf16"
    for _ in range(2):  # whose weights were never saved
        gain.append(measured)
        assert choose_precision(pair, "") == chosen


def test_those_who_ask_at_once_wait_for_one_measurement(
    pair: NetworkPair, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    measured = []

    def slowly(*_: object) -> Gain:
        measured.append(1)
        time.sleep(0.2)
        return Gain(0.1, 2.0, 2.0)

    monkeypatch.setattr(precision_module, "measure_gain", slowly)
    with ThreadPoolExecutor(3) as pool:  # each holds the lock by a file of its own, as processes do
        answers = [pool.submit(choose_precision, pair, "ab") for _ in range(3)]
    assert {answer.result() for answer in answers} == {"bf16"}
    assert measured == [1]


def test_what_torch_does_not_compute_stays_in_fp32(noise: localsr.Photo) -> None:
    graphs = OnnxNetwork(tiny(context=False), facts_of(awake(tiny(context=False))), {})
    assert choose_precision(NetworkPair("graphs", graphs, graphs), "0") == "fp32"
    asked = localsr.Restorer(graphs, Card("graphs", tiny(context=False)), None, "bf16")
    with pytest.raises(localsr.ConfigError, match="runs by onnx, in fp32 alone, not in bf16"):
        asked.encode(noise)


def test_a_gain_is_measured(pair: NetworkPair) -> None:
    with_context = restorer(tiny())._networks
    for networks in (pair, with_context):
        found = measure_gain(networks, "bf16")
        assert 0 < found.levels < 3
        assert min(found.small, found.large) > 0
    with torch.no_grad():
        pair.network.module.backbone.stages[0][0].conv1.weight *= 1e6
    assert measure_gain(pair, "fp16").levels == float("inf")


def test_auto_is_decided_when_it_is_needed(noise: localsr.Photo, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(
        "localsr.inference.restorer.choose_precision", lambda networks, sha256: asked.append(sha256) or "bf16"
    )
    network = awake(tiny(context=False))
    one = made(network, Card("tiny", network.config, sha256="7"), None, "auto")
    other = one.with_halo(2)
    assert not asked
    for each in (one, other):
        assert each.encode(noise).restore(BOXES[2]).precision == each.precision == "bf16"
    assert asked == ["7", "7"]


def test_convolutions_that_see_colours_stay_in_fp32() -> None:
    for backbone in ("edsr", "carn"):
        network = awake(tiny(backbone))
        short = shortened(network, torch.bfloat16)
        kept = {n for n, m in short.named_modules() if isinstance(m, PackedConv) and m.weight.dtype == torch.float32}
        heads = {"backbone.head.conv", "gcm.extractor.head.conv", "pim.slim.head.conv"}
        last = {"backbone.upsample.conv", "pim.slim.upsample.conv"}
        assert kept == (heads if backbone == "edsr" else heads | last)
        assert all(parameter.dtype == torch.float32 for parameter in network.parameters())


def test_all_but_pixels_stays_as_in_fp32(noise: localsr.Photo, tmp_path: Path) -> None:
    network = awake(tiny())
    exact = made(network, Card("tiny", network.config, sha256="0")).encode(noise)
    short = in_bf16(network).encode(noise)
    exact.save(tmp_path / "exact")
    short.save(tmp_path / "short")
    kept, other = (load_file(tmp_path / name) for name in ("exact", "short"))
    assert all(torch.equal(kept[name], other[name]) for name in ("keys", "values", "places"))
    box = Box(18, 13, 42, 37)
    assert short.attention(box) == exact.attention(box)
    assert short.planned([box]) == exact.planned([box])


@pytest.mark.parametrize("backbone", ["edsr", "carn", "compact"])
def test_one_box_one_answer_within_a_precision(backbone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    photo = sample_photo(Size(120, 90))
    boxes = [Box(0, 0, 24, 24), Box(61, 43, 85, 67), Box(60, 42, 84, 66), whole(photo.size)]
    short = in_bf16(awake(tiny(backbone)), awake(tiny(backbone, context=False)))
    scene = short.encode(photo)
    for strategy in (Strategy.HALO, Strategy.CLSR):
        alone = [scene.restore(box, strategy) for box in boxes]
        together = scene.restore(boxes, strategy)
        with monkeypatch.context() as patch:
            patch.setattr(planning, "TILE_SIDE", 24)
            assert scene.planned(boxes, strategy).pieces > len(boxes)
            in_tiles = scene.restore(boxes, strategy)
        for one, *others in zip(alone, together, in_tiles, strict=True):
            for other in others:
                assert one.precision == other.precision == "bf16"
                assert np.abs(one.pixels - other.pixels).max() < 1e-5


def test_the_default_network_is_within_a_level(cc0: Path) -> None:
    photo = localsr.read(next(cc0.glob("LR_x4/*.png")))
    box = Box(4, 4, 40, 44)
    exact, short = (
        localsr.load("edsr-light-x4", device="cpu", precision=p).encode(photo).restore(box) for p in ("fp32", "bf16")
    )
    assert (exact.precision, short.precision) == ("fp32", "bf16")
    assert 0 < 255 * np.abs(exact.pixels - short.pixels).max() <= 1


def test_a_network_that_is_told_conditions_runs_in_16_bits(noise: localsr.Photo) -> None:
    network = awake(replace(tiny(context=False), conditioned=True))
    assert network.conditioning is not None
    with torch.inference_mode():
        network.modulation = 0.1 * network.conditioning(torch.tensor([[0.3, 0.5, 0.2]]))
    exact = made(network, Card("tiny", network.config)).encode(noise).restore(BOXES[2])
    short = in_bf16(network).encode(noise).restore(BOXES[2])
    assert 0 < 255 * np.abs(exact.pixels - short.pixels).max() < 4
