"""The four strategies through the one call: shapes, batches, borders, tiles."""

import itertools

import numpy as np
import pytest
import torch
from networks import BOXES, awake, made, restorer, tiny

import localsr
from localsr.geometry import Box, Size, whole
from localsr.inference import execution, planning
from localsr.inference import scene as scene_module
from localsr.inference.planning import WorkSettings, plan_work
from localsr.inference.strategies import Strategy
from localsr.models.card import Card
from localsr.models.clsr import BACKBONES
from localsr.models.counting import FlopCounter
from localsr.models.patches import sample_patches
from localsr.models.windows import Taper
from localsr.pytorch.prepacking import PackedConv

each = pytest.mark.parametrize(
    ("backbone", "scale"), [*itertools.product(BACKBONES, (2, 3, 4)), ("rrdb/2", 2), ("edsr+", 4)]
)


@each
@pytest.mark.parametrize("way", list(Strategy))
def test_a_list_is_a_batch_and_equals_one_by_one(
    backbone: str, scale: int, way: Strategy, noise: localsr.Photo
) -> None:
    scene = restorer(tiny(backbone, scale=scale)).encode(noise)
    together = scene.restore(BOXES, way)
    for box, found in zip(BOXES, together, strict=True):
        assert found.pixels.shape == (3, scale * box.height, scale * box.width)
        assert np.isfinite(found.pixels).all()
        assert (found.box, found.scale, found.strategy, found.model) == (box, scale, way, "tiny")
        alone = scene.restore(box, way).pixels
        assert np.abs(alone - found.pixels).max() < 1e-5
    reverse = scene.restore(BOXES[::-1], way)[::-1]
    assert all(np.abs(a.pixels - b.pixels).max() < 1e-5 for a, b in zip(together, reverse, strict=True))


def test_equal_boxes_run_together(noise: localsr.Photo, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    restored = execution.restore_batch

    def counted(inputs: object, batch: list[object]) -> object:
        sizes.append(len(batch))
        return restored(inputs, batch)

    monkeypatch.setattr(execution, "restore_batch", counted)
    scene = restorer(tiny()).encode(noise)
    scene.restore([Box.from_xywh(x, 20, 6, 6) for x in (20, 22, 24, 26)])
    assert sizes == [4]


@pytest.mark.slow
@each
@pytest.mark.parametrize("way", list(Strategy))
def test_tiles_equal_the_untiled_run(backbone: str, scale: int, way: Strategy, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = restorer(tiny(backbone, scale=scale))
    side = 2 * awake(tiny(backbone, scale=scale)).geometry.exact_halo[0]
    size = Size(4 * side + 9, side + 11)
    scene = asked.encode(localsr.read(np.random.default_rng(0).random((size.height, size.width, 3), np.float32)))
    for box in (Box(1, 3, size.width - 2, size.height), whole(size)):
        untiled = scene.restore(box, way).pixels
        with monkeypatch.context() as patch:
            patch.setattr(planning, "TILE_SIDE", 1)
            assert scene.planned([box], way).pieces >= 3
            tiled = scene.restore(box, way).pixels
        assert np.abs(tiled - untiled).max() < 1e-5


def test_full_is_the_same_wherever_the_box_is(noise: localsr.Photo) -> None:
    scene = restorer(tiny()).encode(noise)
    everything = scene.restore(whole(noise.size), "full").pixels
    for box in BOXES:
        large = box.scaled(4)
        part = scene.restore(box, "full").pixels
        assert np.abs(part - everything[:, large.rows, large.columns]).max() < 1e-5


def test_the_strategies_differ_inside_and_agree_where_they_must(noise: localsr.Photo) -> None:
    scene = restorer(tiny()).encode(noise)
    found = {way: scene.restore(Box(20, 20, 30, 30), way).pixels for way in Strategy}
    for one, two in itertools.combinations(Strategy, 2):
        assert np.abs(found[one] - found[two]).max() > 1e-4
    everything = {way: scene.restore(whole(noise.size), way).pixels for way in ("crop", "halo", "full")}
    assert np.abs(everything["crop"] - everything["full"]).max() < 1e-5
    assert np.abs(everything["halo"] - everything["full"]).max() < 1e-5


def test_nothing_beyond_the_neighbourhood_and_the_patches_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    photo = localsr.read(np.zeros((1356, 2040, 3), np.uint8))
    read: list[Box] = []
    windows = localsr.Photo.windows

    def counted(self: localsr.Photo, boxes: list[Box]) -> list[np.ndarray]:
        read.extend(boxes)
        return windows(self, boxes)

    monkeypatch.setattr(localsr.Photo, "windows", counted)
    config = tiny()
    scene = restorer(config).encode(photo)
    assert read == []
    box = Box(1000, 700, 1024, 724)
    scene.restore(box, "halo")
    assert len(read) == 1
    scene.attention(box)
    assert sum(b.width * b.height for b in read[1:-1]) == 16 * 36
    read.clear()
    scene.restore(box)
    assert len(read) == 1
    assert box.grow(8).contains(read[0])


@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 2, 3), (5, 70, 3), (60, 4, 3)])
@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("way", list(Strategy))
def test_tiny_and_thin_pictures(shape: tuple[int, int, int], way: Strategy, backbone: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    photo = localsr.read(pixels)
    found = restorer(tiny(backbone)).encode(photo).restore(whole(photo.size), way)
    assert found.pixels.shape == (3, 4 * shape[0], 4 * shape[1])
    assert np.isfinite(found.pixels).all()


@pytest.mark.parametrize("kind", ["grey", "grey alpha", "alpha", "16 bit"])
def test_what_comes_out_is_as_what_went_in(kind: str, tmp_path: object) -> None:
    random = np.random.default_rng(0)
    bands = {"grey": 1, "grey alpha": 2, "alpha": 4, "16 bit": 3}[kind]
    dtype = np.uint16 if kind == "16 bit" else np.uint8
    photo = localsr.read(random.integers(0, np.iinfo(dtype).max, (20, 30, bands), dtype=dtype, endpoint=True))
    path = tmp_path / "out.png"
    restorer(tiny()).encode(photo).restore(Box(3, 4, 9, 12)).save(path)
    saved = localsr.read(path)
    assert (saved.size, saved.bands, saved.depth) == (Size(24, 32), bands, photo.depth)
    assert saved.has_alpha == ("alpha" in kind)


def test_the_same_scene_far_out_in_a_large_picture() -> None:
    random = np.random.default_rng(0)
    crowd = random.integers(0, 256, (60, 60, 3), dtype=np.uint8)
    network = awake(tiny())
    patches = torch.rand(1, 16, 3, 6, 6)
    corners = torch.rand(1, 16, 2).mul(60).round()
    x = torch.from_numpy(crowd.transpose(2, 0, 1).copy()).float()[None] / 255
    taper = Taper.around(Box(20, 20, 30, 30), Size(60, 60), network.config.halo)
    found = []
    with torch.no_grad():
        for away in (0, 20_000, 100_000):
            context = network.gcm.encode(patches, corners + away)
            window = taper.windows[0]
            found.append(network(x[..., window.rows, window.columns], taper, torch.full((1, 2), float(away)), context))
    assert torch.allclose(found[0], found[1], atol=1e-5)
    assert torch.allclose(found[0], found[2], atol=1e-5)


def test_the_attention_of_a_box(noise: localsr.Photo, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = restorer(tiny()).encode(noise)
    found = scene.attention(Box(20, 20, 30, 30))
    assert found.patches == sample_patches(noise.size, 6, 16)
    assert len(found.shares) == 16
    assert sum(found.shares) == pytest.approx(1, abs=1e-5)
    assert max(found.shares) > 1.2 / 16
    large = Box(0, 0, 60, 50)
    untiled = scene.attention(large).shares
    settings = WorkSettings(awake(tiny()), Strategy.CLSR, noise.size, 16)
    halves = plan_work([Box(0, 0, 30, 50), Box(30, 0, 60, 50)], settings)
    monkeypatch.setattr(scene_module, "plan_work", lambda *_: halves)
    assert np.abs(np.subtract(untiled, scene.attention(large).shares)).max() < 0.01  # halos are asked twice
    with pytest.raises(localsr.BoxError, match="leaves the picture"):
        scene.attention(Box(50, 40, 70, 45))
    with pytest.raises(localsr.ConfigError, match="no global context module"):
        restorer(tiny(context=False)).encode(noise).attention(Box(20, 20, 30, 30))


@pytest.mark.parametrize("backbone", BACKBONES)
def test_short_precisions(backbone: str, noise: localsr.Photo) -> None:
    network = awake(tiny(backbone))
    exact = made(network, Card("tiny", network.config)).encode(noise).restore(Box(8, 9, 29, 30))
    assert exact.precision == "fp32"
    for precision, worst in (("bf16", 0.2), ("fp16", 0.03)):
        short = made(network, Card("tiny", network.config), None, precision).encode(noise)
        found = short.restore(Box(8, 9, 29, 30))
        assert found.precision == precision
        assert 0 < np.abs(found.pixels - exact.pixels).max() < worst


@each
def test_packed_networks_compute_the_same(
    backbone: str, scale: int, noise: localsr.Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    boxes = [Box(8, 9, 29, 30), Box(0, 0, 3, 50), Box(50, 40, 60, 50)]
    packed = restorer(tiny(backbone, scale=scale)).encode(noise)
    found = packed.restore(boxes)
    with FlopCounter() as counted:
        beside = packed.restore(boxes)
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(found, beside, strict=True))
    convs = [module for module in packed._networks.network.module.modules() if isinstance(module, PackedConv)]
    assert convs
    assert not any(type(module) is torch.nn.Conv2d for module in packed._networks.network.module.modules())
    once, again = (packed.restore(boxes[0]).pixels for _ in range(2))
    assert np.array_equal(found[0].pixels, once)
    assert np.array_equal(once, again)
    assert any(conv._kept[1] is not None for conv in convs)  # the order of the shape that came again
    monkeypatch.setattr("localsr.pytorch.network.packed", lambda network: network)
    plainly = restorer(tiny(backbone, scale=scale)).encode(noise)
    plainly.restore(boxes[0])  # keys and values are made once; their FLOPs are not the regions'
    with FlopCounter() as plain:
        expected = plainly.restore(boxes)
    assert all(np.abs(a.pixels - b.pixels).max() < 1e-5 for a, b in zip(found, expected, strict=True))
    assert counted.total == plain.total > 0


def test_what_is_not_finite_is_done_again_and_said(noise: localsr.Photo, caplog: pytest.LogCaptureFixture) -> None:
    network = awake(tiny(context=False))
    with torch.no_grad():
        for conv in (network.backbone.stages[0][0].conv1, network.backbone.stages[0][0].conv2):
            conv.weight *= 3e3  # features beyond fp16's 65,504, back in range at the end
        network.backbone.tail.conv.weight *= 1e-7
    exact = made(network, Card("tiny", network.config)).encode(noise).restore(Box(8, 9, 29, 30))
    found = made(network, Card("tiny", network.config), None, "fp16").encode(noise).restore(Box(8, 9, 29, 30))
    assert found.precision == "fp32"
    assert np.array_equal(found.pixels, exact.pixels)
    assert "not finite in fp16 and are done again in fp32" in caplog.text


def test_devices_and_precisions_that_are_not_there() -> None:
    with pytest.raises(localsr.ConfigError, match="'gpu' is no device that torch knows; choose auto"):
        localsr.load(device="gpu")
    with pytest.raises(localsr.ConfigError, match="precision 'int8' is not one of auto, fp32, bf16, fp16"):
        localsr.load(precision="int8")
    missing = "mps" if torch.cuda.is_available() else "cuda"
    with pytest.raises(localsr.ConfigError, match=f"there is no {missing} on this machine"):
        localsr.load(device=missing)


def test_boxes_from_a_generator(noise: localsr.Photo) -> None:
    found = restorer(tiny()).encode(noise).restore(box for box in BOXES[:3])
    assert [r.box for r in found] == BOXES[:3]


def test_boxes_that_are_refused(noise: localsr.Photo) -> None:
    scene = restorer(tiny()).encode(noise)
    with pytest.raises(localsr.BoxError, match=r"box \(50, 40, 70, 45\) leaves the picture, which is 60 x 50; clip it"):
        scene.restore(Box(50, 40, 70, 45))
    with pytest.raises(localsr.BoxError, match="outside the picture"):
        scene.restore(Box(60, 0, 61, 1), clip=True)
    with pytest.raises(localsr.BoxError, match=r"no localsr\.Box"):
        scene.restore([(0, 0, 5, 5)])
    assert scene.restore(Box(50, 40, 70, 45), clip=True).box == Box(50, 40, 60, 45)
    assert scene.restore([]) == []


def test_strategies_that_a_network_has_not(noise: localsr.Photo) -> None:
    plain = restorer(tiny(context=False)).encode(noise)
    assert plain.restore(Box(0, 0, 4, 4)).strategy is Strategy.HALO
    with pytest.raises(localsr.ConfigError, match="without context, which `localsr train` adds to a recipe's `init`"):
        plain.restore(Box(0, 0, 4, 4), "clsr")
    with pytest.raises(localsr.ConfigError, match="unknown strategy 'best'; choose one of crop, halo, clsr, full"):
        plain.restore(Box(0, 0, 4, 4), "best")


def test_progress_reaches_the_end(noise: localsr.Photo) -> None:
    heard: list[tuple[int, int]] = []
    restorer(tiny()).encode(noise).restore(BOXES, progress=lambda done, of: heard.append((done, of)))
    total = sum(b.width * b.height for b in BOXES)
    assert heard[-1] == (total, total)
    assert [done for done, _ in heard] == sorted(done for done, _ in heard)
