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


@pytest.mark.parametrize("context", [False, True])
def test_pictures_that_were_not_degraded_are_restored_as_by_the_network_that_training_began_with(context: bool) -> None:
    plain = awake(tiny(context=False))
    network = started(dataclasses.replace(tiny(context=context), conditioned=True, clean=True), plain).eval()
    assert not any(p.requires_grad for p in network.clean.parameters())
    for parameter in network.backbone.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    pixels = torch.rand(1, 3, 48, 48)
    for little in (Conditions(), Conditions(noise=0.9, blur=-0.3, compression=8)):
        assert torch.equal(restored(network.with_conditions(little), pixels), restored(plain, pixels))
    for more in (Conditions(noise=1.1), Conditions(blur=0.35), Conditions(blur=-0.5), Conditions(compression=12)):
        assert not torch.allclose(restored(network.with_conditions(more), pixels), restored(plain, pixels), atol=1e-2)
    further = started(network.config, network)  # what begins with it keeps both backbones
    assert torch.equal(restored(further.with_conditions(Conditions()), pixels), restored(plain, pixels))
    assert further.with_halo(0).with_conditions(Conditions()).config.halo == (0, 0, 0)


def test_a_backbone_for_clean_pictures_needs_to_be_told_which_they_are() -> None:
    with pytest.raises(localsr.ConfigError, match="set conditioned too"):
        dataclasses.replace(tiny(), clean=True)


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
@pytest.mark.parametrize("clean", [False, True])
def test_graphs_are_told_too(tmp_path: Path, clean: bool) -> None:
    config = dataclasses.replace(tiny("edsr"), conditioned=True, clean=clean)
    restorer = made(awake(config), Card("told", config, sha256="0"), awake(config.without_context()))
    export(restorer, tmp_path / "graphs")
    graphs = localsr.load(tmp_path / "graphs", runtime="onnx")
    noisy = np.random.default_rng(0).integers(60, 90, (96, 128, 3), dtype=np.uint8)
    box = localsr.Box(8, 8, 32, 32)
    for denoise in (0, 80):
        one, other = (r.encode(noisy).adjusted(denoise, 0) for r in (restorer, graphs))
        assert one.conditions.negligible == (denoise == 0)
        for strategy in ("halo", "clsr"):
            assert np.abs(one.restore(box, strategy).pixels - other.restore(box, strategy).pixels).max() < 1e-4
        assert np.allclose(one.attention(box).shares, other.attention(box).shares, atol=1e-4)
