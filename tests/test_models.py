"""The networks: one body of tests over backbones and scales."""

import itertools

import pytest
import torch
from conftest import BOXES, awake, tiny

from localsr.errors import ConfigError
from localsr.geometry import Box, Size, whole
from localsr.models.backbone import Taper, crop
from localsr.models.clsr import BACKBONES, CLSR
from localsr.models.config import ModelConfig
from localsr.models.context import Down, Up, sample_patches
from localsr.models.official import CARN_M

SIZE = Size(60, 50)
each_backbone = pytest.mark.parametrize(("backbone", "scale"), list(itertools.product(BACKBONES, (2, 4))))


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
    everything = network(picture, Taper.around(whole(SIZE), SIZE, (0, 0, 0)), torch.zeros(1, 2))
    taper = Taper.around(box, SIZE, network.exact_halo)
    part = network(crop(picture, taper.windows[0]), taper, torch.zeros(1, 2))
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
    taper = Taper.around(box, SIZE, network.config.halo)
    near = network.near(taper, SIZE)
    on_near, _ = network.pim(crop(picture, near))
    on_whole, _ = network.pim(picture)
    for window, p, q in zip(taper.windows[1:], on_near, on_whole, strict=True):
        assert torch.allclose(crop(p, window.within(near)), crop(q, window), atol=1e-5)


@torch.no_grad()
def test_the_pim_reads_no_more_than_it_needs(picture: torch.Tensor) -> None:
    network = awake(tiny())
    assert network.pim is not None
    taper = Taper.around(Box(20, 20, 30, 30), SIZE, network.config.halo)
    near = network.near(taper, SIZE)
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
    taper = Taper.around(Box(20, 20, 30, 30), SIZE, network.config.halo)
    x = crop(picture, taper.windows[0])
    context = network.gcm.encode(torch.rand(1, 16, 3, 6, 6), torch.rand(1, 16, 2) * 50)
    near = (network.pim(picture)[0], whole(SIZE))
    with_context = network(x, taper, torch.zeros(1, 2), context, near)
    without = network(x, taper, torch.zeros(1, 2))
    assert torch.allclose(with_context, without, atol=1e-6)


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
    assert sample_patches(Size(3, 4), 6, 64) == [Box(0, 0, 3, 4)]


@torch.no_grad()
def test_fresh_scaling_is_bilinear() -> None:
    z = torch.rand(1, 4, 6, 8)
    interpolate = torch.nn.functional.interpolate
    assert torch.allclose(Down(4, 2)(z), interpolate(z, scale_factor=0.5, mode="bilinear"), atol=1e-6)
    assert torch.allclose(Up(4, 2)(z), interpolate(z, scale_factor=2.0, mode="bilinear"), atol=1e-6)


def test_parameters() -> None:
    assert sum(p.numel() for p in CLSR(ModelConfig()).parameters()) == 509_552
    carn_m = sum(p.numel() for p in CLSR(CARN_M).parameters())
    assert carn_m == 294_147  # 0.41 M with the authors' upsamplers for x2 and x3 in the same file


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"chanels": 64}, "did you mean channels"),
        ({"scale": 3}, "scale 3 is not one of 2, 4"),
        ({"channels": "64"}, "must be of type int"),
        ({"channels": 10**9}, "between 1 and 4096"),
        ({"halo": [4, 3]}, "must be 4 whole numbers"),
        ({"halo": [2, 3, 2, 2]}, "must not grow"),
        ({"channels": 30, "gcm": True}, "do not divide"),
        ({"gcm": True, "gcm_after": 4}, "there are 3 stages"),
        ({"gcm": True, "gcm_stride": 4}, "not a multiple"),
        ({"pim": True, "pim_channels": 128}, "be few"),
        ({"backbone": "unknown"}, "no backbone 'unknown'; choose one of edsr, carn"),
    ],
)
def test_configs_that_cannot_be(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        CLSR(ModelConfig.from_dict(values))


def test_a_config_goes_through_a_header() -> None:
    config = tiny("carn")
    assert ModelConfig.from_dict(config.to_dict()) == config
    assert ModelConfig.from_dict({"halo": [4, 3, 2, 2]}) == ModelConfig()
