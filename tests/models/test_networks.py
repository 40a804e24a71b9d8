"""The networks: one body of tests over backbones and scales."""

import dataclasses
import itertools

import pytest
import torch
from networks import BOXES, awake, tiny

from localsr.errors import ConfigError
from localsr.geometry import Box, Size, snapped, whole
from localsr.inference.strategies import Strategy
from localsr.models.backbone import Features, crop
from localsr.models.clsr import BACKBONES, CLSR, started
from localsr.models.config import SCALES, ModelConfig
from localsr.models.context import Downsampler, Upsampler
from localsr.models.edsr import EdsrUpsampler
from localsr.models.patches import sample_patches
from localsr.models.presets import PRESETS
from localsr.models.windows import Taper

SIZE = Size(60, 50)


def extended(picture: torch.Tensor, box: Box) -> torch.Tensor:
    """Read a window that may leave the picture at the right and the bottom."""
    right, down = max(box.right - SIZE.width, 0), max(box.bottom - SIZE.height, 0)
    return crop(torch.nn.functional.pad(picture, (0, right, 0, down), mode="replicate"), box)


def restored(network: CLSR, picture: torch.Tensor, box: Box) -> torch.Tensor:
    taper = Strategy.FULL.taper(box, SIZE, network.geometry)
    y: torch.Tensor = network(extended(picture, taper.windows[0]), taper, torch.zeros(1, 2))
    return y


UNSHUFFLED = [("rrdb/2", 1), ("rrdb/2", 2), ("rrdb/2", 4), ("rrdb/4", 1), ("rrdb/4", 2)]
each_backbone = pytest.mark.parametrize(
    ("backbone", "scale"), [*itertools.product(BACKBONES, SCALES), *UNSHUFFLED, ("edsr+", 4)], ids=str
)


@pytest.fixture
def picture() -> torch.Tensor:
    torch.manual_seed(1)
    return torch.rand(1, 3, SIZE.height, SIZE.width)


@each_backbone
@pytest.mark.parametrize("box", BOXES, ids=str)
@torch.no_grad()
def test_an_roi_with_exact_halo_is_as_the_whole_picture_sees_it(
    backbone: str, scale: int, box: Box, picture: torch.Tensor
) -> None:
    network = awake(tiny(backbone, scale=scale, context=False))
    everything = restored(network, picture, whole(SIZE))
    part = restored(network, picture, box)
    assert part.shape == (1, 3, scale * box.height, scale * box.width)
    assert torch.allclose(part, crop(everything, box.scaled(scale)), atol=1e-5)


@each_backbone
@pytest.mark.parametrize("box", BOXES, ids=str)
@torch.no_grad()
def test_the_pim_sees_in_the_roi_what_it_sees_on_the_whole_picture(
    backbone: str, scale: int, box: Box, picture: torch.Tensor
) -> None:
    network = awake(tiny(backbone, scale=scale))
    assert network.pim is not None
    taper = Strategy.CLSR.taper(box, SIZE, network.geometry)
    near = network.geometry.near(taper, SIZE)
    on_near, _ = network.pim(extended(picture, near))
    on_whole, _ = network.pim(extended(picture, snapped(whole(SIZE), network.backbone.multiple)))
    for window, p, q in zip(taper.windows[1:], on_near, on_whole, strict=True):
        unit = network.backbone.unit
        assert torch.allclose(crop(p, window.within(near), unit), crop(q, window, unit), atol=1e-5)


@torch.no_grad()
def test_the_pim_reads_no_more_than_it_needs(picture: torch.Tensor) -> None:
    network = awake(tiny())
    assert network.pim is not None
    taper = Taper.around(Box(20, 20, 30, 30), SIZE, network.config.halo)
    near = network.geometry.near(taper, SIZE)
    less = Box(near.left, near.top, near.right - 1, near.bottom)
    on_less, _ = network.pim(crop(picture, less))
    on_whole, _ = network.pim(picture)
    window = taper.windows[-1]
    apart = (crop(on_less[-1], window.within(less)) - crop(on_whole[-1], window)).abs().amax((0, 1, 2))
    assert apart[:-1].max() < 1e-5 < apart[-1]


@each_backbone
@torch.no_grad()
def test_a_fresh_clsr_is_its_backbone_with_a_halo(backbone: str, scale: int, picture: torch.Tensor) -> None:
    torch.manual_seed(0)
    network = CLSR(tiny(backbone, scale=scale)).eval()
    assert network.gcm is not None
    assert network.pim is not None
    taper = Strategy.CLSR.taper(Box(20, 20, 30, 30), SIZE, network.geometry)
    x = crop(picture, taper.windows[0])
    patch = network.config.gcm_patch
    context = network.gcm.encode(torch.rand(1, 16, 3, patch, patch), torch.rand(1, 16, 2) * 50)
    read = snapped(whole(SIZE), network.backbone.multiple)
    near = (network.pim(extended(picture, read))[0], read)
    with_context = network(x, taper, torch.zeros(1, 2), context, near)
    without = network(x, taper, torch.zeros(1, 2))
    assert torch.allclose(with_context, without, atol=1e-6)


@each_backbone
def test_a_backbone_of_another_scale_lends_its_body(backbone: str, scale: int) -> None:
    torch.manual_seed(0)
    other = 2 if "/" in backbone else 4
    plain = CLSR(tiny(backbone, scale=other, context=False))
    network = started(tiny(backbone, scale=scale), plain)
    given, taken = plain.backbone.state_dict(), network.backbone.state_dict()
    same = {name for name in taken if name in given and torch.equal(given[name], taken[name])}
    assert {name for name in taken if not name.startswith("upsample.")} <= same
    assert (same == set(taken)) == (scale == other)


@torch.no_grad()
def test_attention_starts_at_nothing_on_a_network_without(picture: torch.Tensor) -> None:
    plain = awake(tiny(context=False))
    weighed = started(tiny("edsr+", context=False), plain).eval()
    expected = restored(plain, picture, whole(SIZE))
    assert torch.allclose(restored(weighed, picture, whole(SIZE)), expected, atol=1e-5)
    torch.nn.init.ones_(weighed.backbone.stages[0][0].attention.weight)
    assert (restored(weighed, picture, whole(SIZE)) - expected).abs().max() > 1e-3
    with pytest.raises(ConfigError, match="attention"):
        started(tiny(context=False), weighed)


@torch.no_grad()
def test_context_matters_once_it_speaks(picture: torch.Tensor) -> None:
    network = awake(tiny())
    assert network.gcm is not None
    taper = Taper.around(Box(20, 20, 30, 30), SIZE, network.config.halo)
    x = crop(picture, taper.windows[0])
    corners = torch.rand(1, 16, 2) * 50
    one = network(x, taper, torch.zeros(1, 2), network.gcm.encode(torch.rand(1, 16, 3, 6, 6), corners))
    two = network(x, taper, torch.zeros(1, 2), network.gcm.encode(torch.rand(1, 16, 3, 6, 6), corners))
    assert (one - two).abs().max() > 1e-4


def test_the_patches() -> None:
    boxes = sample_patches(Size(2040, 1356), 6, 64)
    assert len(boxes) == 64
    assert all(b.width == b.height == 6 and b.left % 6 == b.top % 6 == 0 for b in boxes)
    assert len(set(boxes)) == 64
    lefts = sorted({b.left for b in boxes})
    steps = {b - a for a, b in itertools.pairwise(lefts)}
    assert max(steps) - min(steps) <= 6
    assert len(sample_patches(Size(13, 600), 6, 64)) == 16
    assert sample_patches(Size(3, 4), 6, 64) == [Box(0, 0, 6, 6)]


@torch.no_grad()
def test_fresh_scaling_is_bilinear() -> None:
    z = torch.rand(1, 4, 6, 8)
    interpolate = torch.nn.functional.interpolate
    assert torch.allclose(Downsampler(4, 2)(z), interpolate(z, scale_factor=0.5, mode="bilinear"), atol=1e-6)
    assert torch.allclose(Upsampler(4, 2)(z), interpolate(z, scale_factor=2.0, mode="bilinear"), atol=1e-6)


@torch.no_grad()
def test_the_attention_is_what_the_gcm_aggregates_by(picture: torch.Tensor) -> None:
    network = awake(dataclasses.replace(tiny(), pim=False))
    assert network.gcm is not None
    taper = Strategy.CLSR.taper(Box(20, 20, 30, 30), SIZE, network.geometry)
    context = network.gcm.encode(torch.rand(1, 16, 3, 6, 6), torch.rand(1, 16, 2) * 50)
    x, origins = crop(picture, taper.windows[0]), torch.zeros(1, 2)
    features = network.backbone.deep(x, taper, 1)
    expected = network.gcm.weights(features.z, taper.windows[1], origins, context)
    assert torch.equal(network.attention(picture, whole(SIZE), taper, origins, context), expected)
    z = torch.rand(1, 16, taper.windows[1].height, taper.windows[1].width)
    weights = network.gcm.weights(z, taper.windows[1], torch.zeros(1, 2), context)
    assert torch.allclose(weights.sum(-1), torch.ones(()), atol=1e-5)
    g = (weights @ context.values).transpose(-1, -2).reshape(1, 16, 7, 7)
    grown = network.gcm.up(g)[..., : z.shape[-2], : z.shape[-1]]
    assert torch.allclose(network.gcm(z, taper.windows[1], torch.zeros(1, 2), context), grown, atol=1e-5)


@pytest.mark.parametrize(
    ("preset", "millions"),
    [
        ("srresnet", 1.52),
        ("rcan", 15.59),
        ("swinir", 11.90),
        ("swinir-light", 1.235),
        ("carn", 1.11),
        ("carn-m", 0.294),
    ],
)
def test_parameters(preset: str, millions: float) -> None:
    with torch.device("meta"):
        network = CLSR(PRESETS[preset])
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(millions, rel=0.01)


def test_the_presets() -> None:
    assert {config.backbone for config in PRESETS.values()} == set(BACKBONES)
    for config in PRESETS.values():
        assert config.plain
        with torch.device("meta"):
            CLSR(config.with_context())


@pytest.mark.parametrize("kind", ["project", "add"])
@torch.no_grad()
def test_both_fusions_start_from_nothing_and_then_speak(kind: str, picture: torch.Tensor) -> None:
    torch.manual_seed(0)
    config = dataclasses.replace(tiny(), fusion=kind, gcm=False)
    network = CLSR(config).eval()
    assert network.pim is not None
    taper = Strategy.CLSR.taper(Box(20, 20, 30, 30), SIZE, network.geometry)
    x, origins = crop(picture, taper.windows[0]), torch.zeros(1, 2)
    for _ in range(2):
        with_pim = network(x, taper, origins, None, (network.pim(picture)[0], whole(SIZE)))
        apart = (with_pim - network(x, taper, origins)).abs().max()
        if network.pim.gain is not None:
            torch.nn.init.ones_(network.pim.gain)
        for layer in network.pim.project:
            torch.nn.init.ones_(layer.weight)
        assert (apart < 1e-6) if _ == 0 else (apart > 1e-4)


@torch.no_grad()
def test_rcan_pools_what_it_is_given(picture: torch.Tensor) -> None:
    network = awake(dataclasses.replace(tiny("rcan", context=False), pooled=True, reduction=2))
    box = Box(0, 0, 9, 9)
    picture = picture * torch.linspace(0, 8, SIZE.width)  # averages differ from place to place, and matter
    for stage in network.backbone.stages:
        stage.blocks[0].attention.squeeze.weight *= 10
    everything = restored(network, picture, whole(SIZE))
    assert (restored(network, picture, box) - crop(everything, box.scaled(4))).abs().max() > 1e-4
    assert CLSR(tiny("rcan")).pim is not None
    assert not CLSR(dataclasses.replace(tiny("rcan"), pooled=True)).config.slim().pooled


@pytest.mark.parametrize(
    "box", [Box(0, 0, 24, 24), Box(36, 26, 60, 50), Box(30, 0, 54, 24), Box(7, 20, 31, 44)], ids=str
)
def test_swinir_s_windows_stay_in_the_picture_and_its_grid(box: Box) -> None:
    network = CLSR(dataclasses.replace(tiny("swinir", context=False), halo=(4, 4, 2)))
    taper = Strategy.HALO.taper(box, SIZE, network.geometry)
    first, last = taper.windows[0], taper.windows[-1]
    assert first.width % 8 == first.height % 8 == 0
    assert first.contains(box.grow(4).clipped(SIZE))
    assert last == box.grow(2).clipped(SIZE)
    outside = max(first.right - SIZE.width, 0), max(first.bottom - SIZE.height, 0)
    assert outside == (
        (4 if box.right > 54 else 0),
        (6 if box.bottom > 46 else 0),
    )  # as `full` has it: 60 x 50 to 64 x 56
    inner = [b for b in (box.left, box.top) if b > 4]
    if len(inner) == 2 and outside == (0, 0):
        assert (first.left, first.top, first.width, first.height) == (box.left - 4, box.top - 4, 32, 32)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"chanels": 64}, "did you mean channels"),
        ({"scale": 5}, "scale 5 is not one of 1, 2, 3, 4, 8"),
        ({"channels": "64"}, "must be of type int"),
        ({"channels": 10**9}, "between 1 and 4096"),
        ({"halo": [4, 3]}, "must be 4 whole numbers"),
        ({"halo": [2, 3, 2, 2]}, "must not grow"),
        ({"channels": 30, "gcm": True}, "do not divide"),
        ({"gcm": True, "gcm_after": 4}, "there are 3 stages"),
        ({"gcm": True, "gcm_stride": 4}, "not a multiple"),
        ({"pim": True, "pim_channels": 128}, "be at most 64"),
        ({"backbone": "unknown"}, "no backbone 'unknown'; choose one of edsr, carn, srresnet, rcan, swinir, rrdb"),
    ],
)
def test_configs_that_cannot_be(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        CLSR(ModelConfig.from_dict(values))


def test_a_config_goes_through_a_header() -> None:
    config = tiny("carn")
    assert ModelConfig.from_dict(config.to_dict()) == config
    assert ModelConfig.from_dict({"halo": [4, 3, 2, 2]}) == ModelConfig()


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("form", [torch.channels_last, torch.contiguous_format])
def test_without_details_an_edsr_gives_the_bicubic_picture(scale: int, form: torch.memory_format) -> None:
    upsample = EdsrUpsampler(8, scale)
    torch.nn.init.zeros_(upsample.conv.weight)
    torch.nn.init.zeros_(upsample.conv.bias)
    lr = torch.rand(2, 3, 13, 9).to(memory_format=form)
    features = Features(torch.rand(2, 8, 13, 9), (torch.rand(2, 8, 13, 9), lr))
    expected = torch.nn.functional.interpolate(lr, scale_factor=float(scale), mode="bicubic")
    assert (upsample(features) - expected).abs().max() < 1e-5
    with torch.autocast("cpu", torch.bfloat16):
        assert (upsample(features) - expected).abs().max() < 1e-5  # bfloat16 has 8 bits, too few for a picture
