"""Whole pictures with restored boxes in them, and results that need not fit in memory."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from networks import restorer, tiny
from PIL import Image

import localsr
from localsr.errors import BoxError, ConfigError, OutputError
from localsr.geometry import Box, Size, whole
from localsr.images import Canvas
from localsr.inference import paste as paste_module
from localsr.inference.output import write_in_pieces
from localsr.inference.paste import Pasting, paste
from localsr.inference.restoration import bicubic
from localsr.resize import resize

BOXES = [Box(10, 12, 34, 40), Box(0, 0, 9, 50), Box(50, 30, 60, 50)]


@pytest.fixture
def scene(noise: localsr.Photo) -> localsr.Scene:
    return restorer(tiny()).encode(noise)


def levels(path: Path) -> np.ndarray:
    photo = localsr.read(path)
    return np.rint(photo.window(whole(photo.size)) * 255).astype(int)


@pytest.mark.parametrize("strip", [1, 3000, 2**20])
def test_the_whole_enlarged(scene: localsr.Scene, tmp_path: Path, strip: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paste_module, "STRIP_PIXELS", strip)
    heard: list[tuple[int, int]] = []
    size = paste(tmp_path / "a.png", scene, BOXES, how=Pasting(feather=0), progress=lambda *done: heard.append(done))
    assert size == Size(240, 200)
    assert heard[-1][0] == heard[-1][1]
    found = levels(tmp_path / "a.png")
    wanted = np.rint(bicubic(scene.photo, whole(scene.photo.size), 4) * 255)
    for box in BOXES:
        large = box.scaled(4)
        wanted[:, large.rows, large.columns] = np.rint(scene.restore(box).pixels * 255)
    assert np.abs(found - wanted).max() <= 1  # a sum in another order may round the other way
    assert (found != wanted).mean() < 1e-3


def test_a_rim_fades_and_not_where_the_picture_ends(scene: localsr.Scene, tmp_path: Path) -> None:
    box = Box(0, 12, 24, 36)
    paste(tmp_path / "a.png", scene, [box], how=Pasting(feather=2))
    found = levels(tmp_path / "a.png")
    plain = np.rint(bicubic(scene.photo, whole(scene.photo.size), 4) * 255)
    mine = np.rint(scene.restore(box).pixels * 255)
    assert np.abs(found[:, 60:132, 0:80] - mine[:, 12:84, 0:80]).max() <= 1  # all of it up to the picture's border
    outside = np.ones(found.shape[1:], bool)
    outside[48:144, 0:96] = False
    assert np.abs(found - plain)[:, outside].max() <= 1
    middle = (slice(None), slice(90, 100), 92)  # 4 px of 8 from the edge
    part = mine[:, 42:52, 92]
    apart = part - plain[middle]
    share = ((found[middle] - plain[middle]) * apart).sum() / (apart * apart).sum()
    assert share == pytest.approx(3.5 / 8, abs=0.05)


def test_at_its_own_size(scene: localsr.Scene, tmp_path: Path) -> None:
    box = Box(10, 12, 34, 40)
    assert paste(tmp_path / "a.png", scene, [box], how=Pasting(0, same_size=True)) == scene.photo.size
    found = levels(tmp_path / "a.png")
    wanted = np.rint(scene.photo.window(whole(scene.photo.size)) * 255)
    small = resize(scene.restore(box).pixels, 28, 24).clip(0, 1)
    wanted[:, box.rows, box.columns] = np.rint(small * 255)
    assert np.abs(found - wanted).max() <= 1
    assert (found != wanted).mean() < 1e-3


def test_a_constant_picture_stays_constant(tmp_path: Path) -> None:
    one = localsr.load("clsr-light-x4")
    photo = localsr.read(np.full((90, 120, 3), (200, 90, 30), np.uint8))
    paste(tmp_path / "a.png", one.encode(photo), [Box(30, 30, 60, 60)])
    found = levels(tmp_path / "a.png")
    assert np.abs(found - np.array([200, 90, 30])[:, None, None]).max() <= 2  # the network's own level
    box = Box(30, 30, 60, 60).scaled(4)
    steps = [np.abs(np.diff(found[:, box.rows, box.columns], axis=axis)).max() for axis in (1, 2)]
    assert max(steps) <= 1


@pytest.mark.parametrize("kind", ["grey", "grey alpha", "alpha", "16 bit"])
@pytest.mark.parametrize("same_size", [False, True])
def test_what_the_photo_has_stays(kind: str, tmp_path: Path, *, same_size: bool) -> None:
    random = np.random.default_rng(0)
    bands = {"grey": 1, "grey alpha": 2, "alpha": 4, "16 bit": 3}[kind]
    dtype = np.uint16 if kind == "16 bit" else np.uint8
    pixels = random.integers(0, np.iinfo(dtype).max, (20, 30, bands), dtype=dtype, endpoint=True)
    photo = localsr.read(pixels)
    scene, box = restorer(tiny()).encode(photo), Box(3, 4, 9, 12)
    paste(tmp_path / "a.png", scene, [box], how=Pasting(1, same_size=same_size))
    found = localsr.read(tmp_path / "a.png")
    assert (found.bands, found.depth, found.has_alpha) == (bands, photo.depth, "alpha" in kind)
    assert found.size == (photo.size if same_size else Size(120, 80))
    if same_size:
        apart = Box(12, 0, 30, 20)
        assert np.abs(found.window(apart) - photo.window(apart)).max() < 1e-6
        if photo.has_alpha:
            assert np.array_equal(found.alpha(whole(photo.size)), photo.alpha(whole(photo.size)))


def test_metadata_goes_along(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "a maker"  # Make
    exif[0x0112] = 6  # Orientation: pixels lie on their side
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "in.jpg", exif=exif, quality=95)
    scene = restorer(tiny()).encode(localsr.read(tmp_path / "in.jpg"))
    paste(tmp_path / "out.jpg", scene, [Box(3, 4, 9, 12)])
    with Image.open(tmp_path / "out.jpg") as out:
        assert out.size == (160, 240)
        assert out.getexif()[0x010F].strip("\0 ").startswith("a maker")
        assert out.getexif().get(0x0112, 1) == 1
    scene.restore(Box(3, 4, 9, 12)).save(tmp_path / "region.jpg")
    with Image.open(tmp_path / "region.jpg") as region:
        assert dict(region.getexif()) == {0x010F: "a maker", 0x0112: 1, 0x0131: f"localsr {localsr.__version__}"}
    scene.restore(Box(3, 4, 9, 12)).save(tmp_path / "bare.jpg", localsr.Saving(metadata=False, provenance=False))
    with Image.open(tmp_path / "bare.jpg") as bare:
        assert dict(bare.getexif()) == {}


def test_a_region_in_pieces_is_the_region(scene: localsr.Scene, tmp_path: Path) -> None:
    box = Box(1, 2, 57, 49)
    tight = scene.bounded(2**22)
    pieces = list(tight.pieces(box))
    assert len(pieces) > 3
    assert sum(piece.place.area for piece in pieces) == box.scaled(4).area
    for suffix in ("png", "tif", "jpg", "webp", "bmp"):
        write_in_pieces(tmp_path / f"a.{suffix}", tight, box)
        scene.restore(box).save(tmp_path / f"b.{suffix}")
        worst = np.abs(levels(tmp_path / f"a.{suffix}") - levels(tmp_path / f"b.{suffix}"))
        assert worst.mean() < (0.1 if suffix == "jpg" else 1e-3)


def test_a_canvas(tmp_path: Path, noise: localsr.Photo, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.random.default_rng(0).random((3, 5, 7), np.float32)
    with Canvas(tmp_path / "new" / "a.png", Size(20, 10), noise, alpha=True) as canvas:
        canvas.put(Box(3, 2, 10, 7), pixels)
        assert np.abs(canvas.get(Box(3, 2, 10, 7)) - pixels).max() <= 0.5 / 255 + 1e-6
        with pytest.raises(BoxError):
            canvas.put(Box(15, 2, 22, 7), pixels)
        assert list((tmp_path / "new").iterdir()) == []  # nothing with a name until it is finished
        canvas.finish()
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["a.png"]
    with pytest.raises(OutputError, match="its format ends at 16383"):
        Canvas(tmp_path / "a.webp", Size(20_000, 10), noise, alpha=False)
    with pytest.raises(OutputError, match=r"a\.gif is not written"):
        Canvas(tmp_path / "a.gif", Size(20, 10), noise, alpha=False)
    with pytest.raises(OutputError, match="MB are needed while it is made"):
        Canvas(tmp_path / "a.tif", Size(2**24, 2**24), noise, alpha=False)
    with Canvas(tmp_path / "b.png", Size(20, 10), noise, alpha=False) as canvas:
        whole_ = os.pwrite
        monkeypatch.setattr(os, "pwrite", lambda file, data, place: whole_(file, data[:5], place))  # a part at a time
        canvas.put(Box(3, 2, 10, 7), pixels)
        assert np.abs(canvas.get(Box(3, 2, 10, 7)) - pixels).max() <= 0.5 / 255 + 1e-6
        monkeypatch.setattr(os, "pwrite", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left")))
        with pytest.raises(OutputError, match="No space left"):
            canvas.put(Box(3, 2, 10, 7), pixels)


def test_a_small_box_is_not_lost_in_its_rim(scene: localsr.Scene, tmp_path: Path) -> None:
    box = Box(20, 20, 24, 24)
    paste(tmp_path / "a.png", scene, [box])
    middle = Box(22, 22, 23, 23).scaled(4)
    mine = np.rint(scene.restore(box).pixels[:, 8:12, 8:12] * 255)
    assert np.abs(levels(tmp_path / "a.png")[:, middle.rows, middle.columns] - mine).max() <= 1


def test_the_resolution_stays(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "in.jpg", dpi=(300, 300), quality=95)
    paste(tmp_path / "out.jpg", restorer(tiny()).encode(localsr.read(tmp_path / "in.jpg")), [Box(3, 4, 9, 12)])
    with Image.open(tmp_path / "out.jpg") as out:
        assert tuple(round(float(n)) for n in out.info["dpi"]) == (300, 300)


def test_cmyk_is_enlarged_and_not_pasted_at_its_own_size(tmp_path: Path) -> None:
    Image.new("CMYK", (40, 30), (10, 200, 30, 0)).save(tmp_path / "in.tif")
    scene = restorer(tiny()).encode(localsr.read(tmp_path / "in.tif"))
    assert paste(tmp_path / "out.tif", scene, [Box(3, 4, 9, 12)]) == Size(160, 120)
    with pytest.raises(ConfigError, match="CMYK"):
        paste(tmp_path / "same.tif", scene, [Box(3, 4, 9, 12)], how=Pasting(same_size=True))


def test_wrong_ways_to_paste(scene: localsr.Scene, tmp_path: Path) -> None:
    with pytest.raises(BoxError, match="leaves the picture"):
        paste(tmp_path / "a.png", scene, [Box(50, 40, 70, 45)])
    with pytest.raises(ConfigError, match="feather of 300"):
        paste(tmp_path / "a.png", scene, BOXES, how=Pasting(300))
    with pytest.raises(ConfigError, match="'best'"):
        paste(tmp_path / "a.png", scene, BOXES, "best")
    assert list(tmp_path.iterdir()) == []


LARGE = """
import sys, numpy as np, localsr
from localsr.geometry import Box
from localsr.inference.memory import peak
from localsr.inference.paste import Pasting, paste
photo = localsr.read(np.zeros((1500, 2000, 3), np.uint8))
scene = localsr.load("edsr-light-x4").encode(photo)
scene.restore(Box(0, 0, 24, 24))
before = peak()
print(paste(sys.argv[1], scene, [Box(10, 10, 200, 200)]))
print((peak() - before) // 2**20)
"""


@pytest.mark.slow
def test_a_large_picture_is_not_held(tmp_path: Path) -> None:
    """48 megapixels: 576 MB as floats, 144 MB as levels."""
    done = subprocess.run(
        [sys.executable, "-c", LARGE, tmp_path / "a.tif"], capture_output=True, text=True, check=True, timeout=300
    )
    size, taken = done.stdout.splitlines()
    assert size == "8000 x 6000"
    assert int(taken) < 400
    assert localsr.read(tmp_path / "a.tif").size == Size(8000, 6000)


def test_what_is_kept_at_a_reduced_scale_is_not_restored_again(
    scene: localsr.Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    box, sized = Box(4, 4, 20, 16), scene.sized(1.5)
    paste(tmp_path / "a.png", sized, [box])
    kept = {0: scene.restore(box)}

    def fail(self: localsr.Scene, boxes: list[Box], *_: object, **__: object) -> list[object]:
        assert not boxes
        return []

    monkeypatch.setattr(localsr.Scene, "_restorations", fail)
    paste(tmp_path / "b.png", sized, [box], kept=kept)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_many_regions_are_pasted_in_their_order_whatever_is_kept(scene: localsr.Scene, tmp_path: Path) -> None:
    boxes = [Box(3 * k, 2 * k, 3 * k + 12, 2 * k + 10) for k in range(6)]  # each over the last
    paste(tmp_path / "a.png", scene, boxes)
    paste(tmp_path / "b.png", scene, boxes, kept={n: scene.restore(boxes[n]) for n in (1, 4)})
    assert np.abs(levels(tmp_path / "a.png").astype(int) - levels(tmp_path / "b.png")).max() <= 1
    last = boxes[-1].grow(-4).scaled(4)
    alone = scene.restore(boxes[-1]).pixels[:, 16:-16, 16:-16] * 255
    assert np.abs(levels(tmp_path / "a.png")[:, last.rows, last.columns] - alone).max() <= 1


def test_exif_that_a_format_cannot_take_is_told(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "a maker"
    pixels = np.zeros((20, 20, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "in.jpg", exif=exif)
    photo = localsr.read(tmp_path / "in.jpg")
    made = localsr.images.Provenance(whole=True)
    for name in ("a.tif", "a.png", "a.jpg", "a.webp", "a.avif"):
        assert localsr.images.left_out(name, photo, made) == ()
    assert localsr.images.left_out("a.bmp", photo, made) == ("the photo's metadata is left out: a BMP holds none",)
    assert localsr.images.left_out("a.bmp", localsr.read(pixels), made) == ()
