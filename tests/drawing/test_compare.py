"""Comparison sheets: the pixels are the pixels, and nothing overlaps."""

import dataclasses

import numpy as np
import pytest
from PIL import Image, ImageCms

from localsr import images
from localsr.drawing import compare, marks, sheet
from localsr.drawing.compare import compare_sheet
from localsr.drawing.lettering import printable, text_width
from localsr.errors import ConfigError, OutputError
from localsr.geometry import Box, whole
from localsr.inference.restoration import Restoration, bicubic
from localsr.inference.strategies import Strategy


def picture(width, height, seed=0):
    """Smooth colours, so that previews can be compared."""
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x / 9 + seed) + np.cos(y / 7), np.sin(y / 11), np.cos((x + y) / 13 + seed)]
    return np.stack([np.interp(w, (-2, 2), (20, 235)) for w in waves], axis=2).astype(np.uint8)


def restoration(photo, box, scale=4, seed=1):
    """Noise, on 8-bit levels, as the restored pixels."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (3, box.height * scale, box.width * scale)).astype(np.float32) / 255
    return Restoration(pixels, None, box, scale, Strategy.CLSR, "clsr-light-x4", "fp32", 0.21, photo)


def drawn(path):
    """A sheet's pixels (h, w, 3)."""
    return np.asarray(Image.open(path).convert("RGB"))


def find(big, small):
    """Top and left of each place where `small` stands in `big`."""
    height, width, _ = small.shape
    corners = np.argwhere((big[: big.shape[0] - height + 1, : big.shape[1] - width + 1] == small[0, 0]).all(2))
    return [(y, x) for y, x in corners if np.array_equal(big[y : y + height, x : x + width], small)]


def enlarged(pixels, factor):
    """(3, h, w) in [0, 1] -> (h, w, 3) levels, each pixel `factor` x `factor`."""
    return np.rint(pixels * 255).astype(np.uint8).transpose(1, 2, 0).repeat(factor, 0).repeat(factor, 1)


@pytest.mark.parametrize(
    ("size", "box", "scale", "factor"),
    [
        ((200, 150), Box(40, 30, 125, 110), 4, 1),
        ((150, 200), Box(10, 100, 40, 140), 2, 4),
        ((150, 200), Box(149, 199, 150, 200), 4, 80),
        ((150, 200), Box(0, 0, 150, 6), 4, 1),
    ],
    ids=["large", "small", "one pixel", "wide"],
)
def test_panels_hold_the_pixels(tmp_path, size, box, scale, factor):
    photo = images.read(picture(*size))
    r = restoration(photo, box, scale)
    compare_sheet(tmp_path / "s.png", photo, r)
    got = drawn(tmp_path / "s.png")
    restored = find(got, enlarged(r.pixels, factor))
    nearest = find(got, enlarged(photo.window(box), factor * scale))
    second = find(got, enlarged(bicubic(photo, box, scale), factor))
    assert len(restored) == 1
    assert nearest
    assert second
    if box.width > sheet.STACKING_RATIO * box.height:
        assert nearest[0][0] < second[0][0] < restored[0][0]
        assert nearest[0][1] == second[0][1] == restored[0][1]
    else:
        assert nearest[0][0] == second[0][0] == restored[0][0]
        assert nearest[0][1] < second[-1][1] < restored[0][1]


def test_a_row_for_each_region(tmp_path):
    photo = images.read(picture(200, 150))
    found = [restoration(photo, Box(10 + n, 20, 90 + n, 110), seed=n) for n in range(3)]
    compare_sheet(tmp_path / "s.png", photo, found)
    got = drawn(tmp_path / "s.png")
    places = [find(got, enlarged(r.pixels, 1)) for r in found]
    assert [len(p) for p in places] == [1, 1, 1]
    assert places[0][0][0] < places[1][0][0] < places[2][0][0]
    assert len({p[0][1] for p in places}) == 1


def test_bicubic_knows_what_is_around():
    photo = images.read(picture(60, 50))
    full = bicubic(photo, whole(photo.size), 4)
    for box in (Box(20, 20, 30, 31), Box(0, 0, 1, 1), Box(59, 40, 60, 50)):
        large = box.scaled(4)
        np.testing.assert_allclose(bicubic(photo, box, 4), full[:, large.rows, large.columns], atol=1e-6)


def test_a_large_region_is_shrunk(tmp_path, monkeypatch):
    monkeypatch.setattr(compare, "MAX_PANEL_SIDE", 400)
    photo = images.read(picture(160, 140))
    compare_sheet(tmp_path / "s.png", photo, restoration(photo, whole(photo.size)))
    height, width, _ = drawn(tmp_path / "s.png").shape
    assert 350 < height < 480
    assert 4 * 400 < width < 4.5 * 400


@pytest.mark.parametrize("size", [(300, 40), (40, 300), (4, 3), (1, 1), (500, 2)])
def test_the_photo_is_there_with_its_box(tmp_path, size):
    photo = images.read(picture(*size))
    box = Box(size[0] // 2, size[1] // 2, size[0] // 2 + 1, size[1] // 2 + 1)
    compare_sheet(tmp_path / "s.png", photo, restoration(photo, box))
    got = drawn(tmp_path / "s.png")
    bright = (got == tuple(bytes.fromhex(marks.BRIGHT[1:]))).all(2)
    assert bright.sum() > 12
    assert not bright[:, int(np.argwhere(bright)[:, 1].max()) + 1 :].any()


def swapped_profile():
    """An ICC profile that takes red for blue and blue for red."""
    data = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return data.replace(b"rXYZ", b"?XYZ", 1).replace(b"bXYZ", b"rXYZ", 1).replace(b"?XYZ", b"bXYZ", 1)


@pytest.mark.parametrize("kind", ["L", "CMYK", "16 bit", "profile"])
def test_colours_are_those_of_the_photo(tmp_path, kind):
    pixels = picture(90, 80)
    source = Image.fromarray(pixels).convert(kind if kind in ("L", "CMYK") else "RGB")
    if kind == "profile":
        source.info["icc_profile"] = swapped_profile()
    photo = images.read(pixels.astype(np.uint16) * 257 if kind == "16 bit" else source)
    if kind == "profile":
        assert np.abs(photo.preview(90).astype(int) - pixels[..., ::-1]).max() < 12
    box = whole(photo.size)
    panel = compare._panel(photo.window(box), photo)[::4, ::4].astype(int)  # 90 px -> 4 sheet px each
    assert panel.shape == (80, 90, 3)
    assert np.abs(panel - photo.preview(90).astype(int)).max() <= 1
    compare_sheet(tmp_path / "s.png", photo, restoration(photo, Box(3, 4, 60, 70)))
    assert drawn(tmp_path / "s.png").shape[2] == 3


@pytest.mark.parametrize("name", ["$x_1$ {n} %s.png", "日本\u0301\n\t.png", "n" * 250 + ".png"])
def test_any_name_can_be_written_down(tmp_path, name):
    photo = dataclasses.replace(images.read(picture(60, 50)), name=name)
    r = dataclasses.replace(restoration(photo, Box(5, 5, 25, 25)), model="model $a$ \N{SNOWMAN}")
    compare_sheet(tmp_path / "s.png", photo, r)
    assert drawn(tmp_path / "s.png").shape[1] < 2500


def test_a_ring_covers_its_area_and_may_leave_the_picture():
    image = Image.new("L", (60, 50), 0)
    marks.draw_ring(image, (30.3, 24.6), 12.0, 3.0, "#ffffff")
    covered = np.asarray(image, float) / 255
    assert abs(covered.sum() - 2 * np.pi * 12 * 3) < 1
    assert covered[24, 30] == 0
    assert covered[24, 42] == 1
    assert 0 < covered[24, 40] < 1
    marks.draw_ring(image, (0, 0), 2.0, 4.0, "#ffffff")  # a disc of 4 px, a quarter of it in the picture
    assert abs(np.asarray(image, float)[:6, :6].sum() / 255 - 4 * np.pi) < 0.5


def test_letters_of_many_scripts_are_drawn():
    assert printable("Zażółć Ünïcode Ελλάς Москва שלום x±1 · … €") == "Zażółć Ünïcode Ελλάς Москва שלום x±1 · … €"
    assert printable("日本\n☠a\x00") == "???☠a?"
    assert text_width("MMM", 13) < text_width("MMM", 13, bold=True) < text_width("MMM", 26)


def test_a_note_that_is_too_long_is_shortened():
    lines = sheet.folded_notes(["a" * 500, "short", "b" * 20], 200, 11)
    assert all(text_width(line, 11) <= 200 for line in lines)
    assert "\N{HORIZONTAL ELLIPSIS}" in lines[0]
    assert len(lines) in (2, 3)


def test_what_cannot_be_drawn(tmp_path):
    photo = images.read(picture(60, 50))
    r = restoration(photo, Box(5, 5, 15, 15))
    for found in ([], [r] * (compare.MAX_ROWS + 1)):
        with pytest.raises(ConfigError, match="1 to 24 regions"):
            compare_sheet(tmp_path / "s.png", photo, found)
    (tmp_path / "taken").write_text("a file where a folder should be")
    with pytest.raises(OutputError, match="what was there is untouched"):
        compare_sheet(tmp_path / "taken" / "s.png", photo, r)
    assert [p.name for p in tmp_path.iterdir()] == ["taken"]
