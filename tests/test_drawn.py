"""The program that draws training pictures: what picture k depends on."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("skia", reason="recipes/drawn has requirements of its own; skia-python is one")
pytest.importorskip("faker", reason="recipes/drawn has requirements of its own; faker is one")
for name in ("barcode", "contourpy", "scipy", "segno"):
    pytest.importorskip(name, reason=f"recipes/drawn has requirements of its own; {name} is one")

RECIPE = Path(__file__).parents[1] / "recipes" / "drawn"
KINDS = ("lettering", "documents", "signs", "facades", "comics", "pages", "plots", "maps", "packages", "lineart")
SIZE = 192


@pytest.fixture
def program(monkeypatch, tmp_path):
    """The program, and five photographs of noise for it."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(RECIPE))
    import draw
    from canvas import Photos

    rng = np.random.default_rng(0)
    for i in range(5):
        pixels = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((640, 480)).save(tmp_path / f"{i}.png")
    yield draw, Photos(tmp_path)
    for module in set(sys.modules) - before:  # their plain names are free for others
        if getattr(sys.modules[module], "__file__", None) and RECIPE in Path(sys.modules[module].__file__).parents:
            del sys.modules[module]


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_is_a_function_of_seed_and_number(program, kind):
    draw, photos = program
    if kind == "pages":
        pytest.importorskip("playwright", reason="pages are taken with playwright")
        if not Path("/usr/bin/chromium").exists():
            pytest.skip("pages are taken with Debian's Chromium, which is not here")
    first = draw.picture(3, 7, SIZE, photos, kind)
    assert first.shape == (SIZE, SIZE, 3)
    assert first.dtype == np.uint8
    assert first.std() > 3  # not blank
    other = draw.picture(3, 8, SIZE, photos, kind)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first, draw.picture(4, 7, SIZE, photos, kind))
    np.testing.assert_array_equal(draw.picture(3, 7, SIZE, photos, kind), first)


def test_every_kind_is_tested(program):
    assert set(program[0].KINDS) == set(KINDS)


def test_pictures_that_exist_are_kept(program, monkeypatch, tmp_path):
    draw, photos = program
    out = tmp_path / "out"
    command = ["draw.py", str(out), "--kind", "lettering", "--size", "96", "--photos", str(photos.paths[0].parent)]
    monkeypatch.setattr(sys, "argv", [*command, "--count", "2"])
    draw.main()
    kept = (out / "000000.png").stat().st_mtime_ns
    monkeypatch.setattr(sys, "argv", [*command, "--count", "3"])
    draw.main()
    assert sorted(path.name for path in out.iterdir()) == ["000000.png", "000001.png", "000002.png"]
    assert (out / "000000.png").stat().st_mtime_ns == kept
    with Image.open(out / "000002.png") as drawn:
        assert drawn.size == (96, 96)
