"""Results of any size: what the network makes, reduced by antialiased bicubic, on the region from corner to corner."""

from pathlib import Path

import numpy as np
import pytest
from networks import restorer, tiny

import localsr
from localsr.errors import BoxError, ConfigError
from localsr.geometry import Box, Enlargement, Size, whole
from localsr.inference import reduction
from localsr.inference.output import write_in_pieces, write_regions
from localsr.inference.paste import Pasting, paste
from localsr.resize import resize

BOX = Box(11, 7, 36, 27)  # 25 x 20 px


@pytest.fixture
def scene(noise: localsr.Photo) -> localsr.Scene:
    return restorer(tiny()).encode(noise)


def reduced(pixels: np.ndarray, size: Size) -> np.ndarray:
    return resize(pixels, size.height, size.width).clip(0, 1)


def levels(path: Path) -> np.ndarray:
    photo = localsr.read(path)
    return photo.window(whole(photo.size)) * 255


@pytest.mark.parametrize(
    ("asked", "size"),
    [
        ({"scale": 3}, Size(75, 60)),
        ({"scale": 1}, Size(25, 20)),
        ({"scale": 1.5}, Size(38, 30)),  # 37.5
        ({"scale": 2.2}, Size(55, 44)),
        ({"size": "60x"}, Size(60, 48)),
        ({"size": "x33"}, Size(41, 33)),  # 41.25
        ({"size": "50x40"}, Size(50, 40)),
        ({"size": (None, 80)}, Size(100, 80)),
        ({"size": Size(25, 20)}, Size(25, 20)),
    ],
)
def test_pixels_are_the_networks_reduced(scene: localsr.Scene, asked: dict[str, object], size: Size) -> None:
    """Of sizes that no network gives: whole and broken scales, widths, heights, both."""
    found = scene.restore(BOX, **asked)
    assert found.size == size == scene.sized(**asked).size_of(BOX)
    assert np.array_equal(found.pixels, reduced(scene.restore(BOX).pixels, size))
    assert found.scale == asked.get("scale", pytest.approx(size.width / 25, abs=0.02))
    assert found.provenance.scale == found.scale
    [(_, streamed)] = scene.sized(**asked).stream([BOX])
    assert np.array_equal(streamed.pixels, found.pixels)


def test_the_networks_own_scale_is_untouched(scene: localsr.Scene) -> None:
    """Of sizes that no network gives: one that it does."""
    own = scene.restore(BOX)
    assert np.array_equal(scene.restore(BOX, scale=4).pixels, own.pixels)
    assert isinstance(own.scale, int)
    assert scene.sized(3).sized().scale == 4
    assert repr(scene.sized(3)).endswith("by tiny, x3: crop, halo, clsr, full>")
    assert repr(scene.sized(size="1200x")).endswith("by tiny, 1200x px: crop, halo, clsr, full>")


def test_corners_land_where_the_scale_says() -> None:
    """Of sizes that no network gives: the line between black and white of a picture is at its place, not beside it."""
    pixels = np.zeros((40, 40, 3), np.uint8)
    pixels[:, 20:] = 255
    scene = localsr.load("edsr-light-x4", device="cpu").encode(pixels)
    own = scene.restore(Box(4, 4, 36, 36))
    for scale in (3, 1.5):
        row = own.reduced(Enlargement(scale)).pixels[0, 24]
        assert len(row) == 32 * scale
        dark, own_dark = (len(each) - each.sum() for each in (row, own.pixels[0, 24]))  # the dark side's width
        assert dark / scale == pytest.approx(own_dark / 4, abs=0.01)
        assert dark == pytest.approx(16 * scale, abs=0.25)  # the network's own edge


@pytest.mark.parametrize("asked", [{"scale": 1.5}])
def test_in_pieces_as_at_once(
    scene: localsr.Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: dict[str, object]
) -> None:
    """Of sizes that no network gives: results that are not held in memory."""
    monkeypatch.setattr(reduction, "TILE_SIDE", 37)
    box = Box(1, 2, 41, 39)
    tight = scene.bounded(2**22).sized(**asked)
    pieces = list(tight.pieces(box))
    assert len(pieces) > 3
    assert sum(piece.place.area for piece in pieces) == whole(tight.size_of(box)).area
    want = scene.restore(box, **asked)
    write_in_pieces(tmp_path / "a.png", tight, box)
    assert np.abs(levels(tmp_path / "a.png") - np.rint(want.pixels * 255)).max() <= 1
    assert localsr.read(tmp_path / "a.png").provenance == want.provenance


@pytest.mark.parametrize(
    ("asked", "size"), [({"scale": 3}, (180, 150)), ({"scale": 1.5}, (90, 75)), ({"size": "x111"}, (133, 111))]
)
def test_the_whole_picture(
    scene: localsr.Scene, tmp_path: Path, asked: dict[str, object], size: tuple[int, int]
) -> None:
    """Of sizes that no network gives: the whole picture with its regions in it, which lie where they lay."""
    sized = scene.sized(**asked)
    assert paste(tmp_path / "a.png", sized, [BOX], how=Pasting(feather=0)) == Size(*size)
    found, photo = levels(tmp_path / "a.png"), scene.photo
    across, down = size[0] / photo.size.width, size[1] / photo.size.height
    large = np.zeros((3, 200, 240), np.float32)
    large[:, BOX.scaled(4).rows, BOX.scaled(4).columns] = scene.restore(BOX).pixels
    want = reduced(large, Size(*size)) * 255
    inner = (
        slice(int(BOX.top * down) + 4, int(BOX.bottom * down) - 4),
        slice(int(BOX.left * across) + 4, int(BOX.right * across) - 4),
    )
    assert np.abs(found[:, *inner] - want[:, *inner]).max() <= 1
    paste(tmp_path / "b.png", sized, [], how=Pasting())
    outside = np.ones(found.shape[1:], bool)
    outside[
        int(BOX.top * down) : int(np.ceil(BOX.bottom * down)), int(BOX.left * across) : int(np.ceil(BOX.right * across))
    ] = False
    assert np.abs(found - levels(tmp_path / "b.png"))[:, outside].max() == 0
    assert localsr.read(tmp_path / "a.png").provenance.scale == sized.enlargement.factor(photo.size)


def test_resolution_follows(tmp_path: Path) -> None:
    """Of sizes that no network gives: dots an inch are the photo's times the scale: a print stays as large."""
    from PIL import Image

    Image.new("RGB", (40, 30), "red").save(tmp_path / "in.jpg", dpi=(100, 100))
    scene = restorer(tiny()).encode(tmp_path / "in.jpg")
    for scale in (3, 1.5):
        scene.restore(Box(0, 0, 20, 20), scale=scale).save(tmp_path / "a.png")
        with Image.open(tmp_path / "a.png") as found:
            assert found.info["dpi"] == pytest.approx((100 * scale,) * 2, abs=0.1)


def test_alpha_and_frames_follow() -> None:
    """Of sizes that no network gives: what comes with the pixels is as large."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 4), np.uint8)
    found = restorer(tiny()).encode(pixels).restore(Box(3, 4, 29, 30), scale=2.5)
    assert found.alpha is not None
    assert found.alpha.shape == (1, 65, 65)
    assert found.pixels.shape == (3, 65, 65)


def test_regions_are_written_at_their_size(scene: localsr.Scene, tmp_path: Path) -> None:
    """Of sizes that no network gives: files of regions, each with its own scale where a size is asked for."""
    from contextlib import nullcontext

    boxes = [BOX, Box(0, 0, 40, 20)]
    targets = [nullcontext(tmp_path / f"{n}.png") for n in range(2)]
    sized = scene.sized(size="80x")
    assert len(list(write_regions(sized, boxes, targets))) == 2
    photos = [localsr.read(tmp_path / f"{n}.png") for n in range(2)]
    assert [photo.size for photo in photos] == [Size(80, 64), Size(80, 40)]
    assert [photo.provenance.scale for photo in photos] == [3.2, 2]
    assert "scale" not in sized.provenance(boxes).as_dict()


def test_what_cannot_be(scene: localsr.Scene) -> None:
    """Of sizes that no network gives: those that none can, each refused with what can be had."""
    for asked, words in (
        ({"scale": 5}, "tiny enlarges x4, not x5; ask for at most x4, or choose a network that enlarges more"),
        ({"scale": 0.5}, "a scale of 0.5 cannot be; give a number from 1 to 8"),
        ({"scale": float("nan")}, "a scale of nan cannot be"),
        ({"scale": "3"}, "a scale of 3 cannot be"),
        ({"size": "1200"}, "'1200' is no size; give 1200x, x800 or 1200x800, in pixels"),
        ({"size": "x"}, "is no size"),
        ({"size": (0, 5)}, "is no size"),
        ({"size": 7}, "7 is no size"),
        ({"scale": 3, "size": "90x"}, "leave one out"),
    ):
        with pytest.raises(ConfigError, match=words):
            scene.restore(BOX, **asked)
    for size, words in (
        (
            "1200x",
            "a region of 25 x 20 px would be enlarged 48 times to have 1200 x 960 px, and the network enlarges x4: "
            "ask for at most 100 x 80 px, or choose a larger region",
        ),
        ("24x", "a region of 25 x 20 px has more than the 24 x 19 px asked for, and nothing is reduced"),
        ("100x100", "would be stretched to 100 x 100 px; ask for 100x or x100"),
    ):
        with pytest.raises(BoxError, match=words):
            scene.restore(BOX, size=size)


def test_the_next_larger_network_is_taken() -> None:
    """Of sizes that no network gives: the network that enlarges least of those that suffice."""
    photo = np.zeros((40, 60, 3), np.uint8)
    for scale, name in ((1, "x2"), (1.5, "x2"), (2, "x2"), (2.1, "x4"), (3, "x4"), (4, "x4")):
        assert localsr.load(scale=scale, device="cpu").card.name == f"clsr-photo-{name}"
    assert localsr.load("clsr-light-x4", scale=2, device="cpu").network_scale == 4
    assert localsr.restore(photo, Box(0, 0, 40, 30), size="70x").model == "clsr-photo-x2"
    assert localsr.restore(photo, Box(0, 0, 40, 30), size="90x").model == "clsr-photo-x4"
    with pytest.raises(ConfigError, match="enlarge up to x4, not x5; ask for at most x4, or name a network"):
        localsr.load(scale=5)


def test_an_enlargement_is_shared_by_what_is_made_of_it(noise: localsr.Photo) -> None:
    """Of sizes that no network gives: they stay with a restorer's scenes and with a scene's variants."""
    one = restorer(tiny()).sized(1.5)
    assert one.with_halo(4).scale == one.encode(noise).scale == one.encode(noise).bounded(2**25).scale == 1.5
    assert str(one) == "<Restorer of tiny, x1.5: crop, halo, clsr, full>"
    assert Enlargement(2).factor(Size(7, 7)) == 2
