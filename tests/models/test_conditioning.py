"""A network that is told how the picture was degraded."""

import dataclasses
import io
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from networks import awake, made, save_told, tiny
from networks import restorer as untold
from PIL import Image

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


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> localsr.Restorer:
    return localsr.load(save_told(tmp_path_factory.mktemp("nets")), device="cpu")


@pytest.fixture(scope="module")
def noisy() -> np.ndarray:
    random = np.random.default_rng(0)
    return np.clip(110 + random.normal(0, 12, (96, 128, 1)).repeat(3, 2), 0, 255).astype(np.uint8)


def test_a_user_has_the_last_word(told: localsr.Restorer, noisy: np.ndarray) -> None:
    restorer, box = told, localsr.Box(8, 8, 32, 32)
    scene = restorer.encode(noisy)
    assert scene.conditions.noise == pytest.approx(12, rel=0.25)
    for strategy in ("crop", "clsr"):
        pixels = [scene.adjusted(denoise=d).restore(box, strategy).pixels for d in (None, 0, 100)]
        assert not np.allclose(pixels[1], pixels[2], atol=1e-3)
        assert np.array_equal(pixels[0], scene.restore(box, strategy).pixels)
    with pytest.raises(localsr.ConfigError, match="denoise 101 is not between 0 and 100"):
        scene.adjusted(denoise=101)
    both = restorer.encode(noisy, denoise=40, deblur=25)
    assert both.conditions == pytest.approx((4.0, 0.3, 0))
    assert (both.conditions.denoise, both.conditions.deblur) == pytest.approx((40, 25))
    assert both.bounded(2**30).conditions == both.conditions
    made = both.restore(box).provenance.as_dict()
    assert made["told"] == {"noise": 4.0, "blur": 0.3, "compression": 0}
    with pytest.raises(localsr.ConfigError, match="tiny cannot be told how much to denoise"):
        untold(tiny("edsr")).encode(noisy).adjusted(deblur=5)


def test_a_photo_is_measured_once_and_only_when_that_is_needed(
    told: localsr.Restorer, noisy: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr("localsr.inference.conditioning.measure", lambda *_: asked.append(1) or Conditions(noise=5.0))
    file = io.BytesIO()
    Image.fromarray(noisy).save(file, "PNG")
    scene, box = told.encode(file.getvalue()), localsr.Box(8, 8, 32, 32)
    scene.planned([box])
    scene.cost(box)
    untold(tiny("edsr")).encode(noisy).restore(box)
    assert asked == []
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda _: scene.conditions.noise, range(8))) == [5.0] * 8
    scene.restore([box, box], "halo")
    assert scene.adjusted(deblur=3).conditions.noise == scene.bounded(2**30).conditions.noise == 5
    assert pickle.loads(pickle.dumps(scene)).conditions == (5, 0, 0)
    assert asked == [1]


def test_what_is_measured_is_told(told: localsr.Restorer, noisy: np.ndarray) -> None:
    scene, box = told.encode(noisy), localsr.Box(8, 8, 32, 32)
    measured = scene.conditions
    by_hand = scene.adjusted(measured.denoise, measured.deblur)
    assert np.allclose(scene.restore(box).pixels, by_hand.restore(box).pixels, atol=1e-5)
    assert not np.allclose(scene.restore(box).pixels, scene.adjusted(denoise=100).restore(box).pixels, atol=1e-3)


@pytest.mark.parametrize("quality", [31, 77, 92])
def test_a_jpegs_own_tables_tell_its_quality(told: localsr.Restorer, noisy: np.ndarray, quality: int) -> None:
    file = io.BytesIO()
    Image.fromarray(noisy).save(file, "JPEG", quality=quality)
    scene = told.encode(file)
    assert scene.conditions.compression == 100 - quality
    again = io.BytesIO()
    Image.open(file).save(again, "PNG")
    assert told.encode(again).conditions.quality == pytest.approx(quality, abs=2)  # from the pixels alone


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
