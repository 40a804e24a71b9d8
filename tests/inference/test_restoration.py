"""What a program does with a restoration: arrays, Pillow, reading it again, copies in other processes."""

from __future__ import annotations

import io

import numpy as np
import pytest
from networks import restorer, tiny
from PIL import Image, ImageCms

import localsr
from localsr.geometry import Box, whole

BOX = Box(11, 7, 18, 12)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def photo_of(bands: int, depth: int) -> localsr.Photo:
    dtype = np.uint8 if depth == 8 else np.uint16
    return localsr.read(np.random.default_rng(0).integers(0, 2**depth, (50, 60, bands), dtype=dtype))


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("bands", [1, 2, 3, 4])
def test_a_restoration_is_an_array_and_is_read_again(bands: int, depth: int) -> None:
    """Family: what we give is taken, by NumPy, by Pillow and by ourselves, in the order of bands that each expects."""
    photo = photo_of(bands, depth)
    found = restorer(tiny()).encode(photo).restore(BOX, "halo")
    planes = [found.pixels] if found.alpha is None else [found.pixels, found.alpha]
    expected = np.concatenate(planes).transpose(1, 2, 0)
    assert np.array_equal(np.asarray(found), np.rint(expected * 255).astype(np.uint8))
    assert np.array_equal(np.asarray(found, np.uint16), np.rint(expected * np.float32(65535)).astype(np.uint16))
    for dtype in (np.float32, np.float64):
        assert np.asarray(found, dtype).dtype == dtype
        assert np.array_equal(np.asarray(found, dtype), expected)
    assert np.array_equal(np.asarray(found.to_pil()), np.asarray(found))
    again = localsr.read(found)
    assert (again.size, again.bands, again.depth) == (BOX.scaled(4).size, bands, depth)
    apart = np.abs(again.window(whole(again.size)) - found.pixels).max() if bands > 2 else 0
    assert apart <= 0.5 / (2**depth - 1) + 1e-6
    assert localsr.read(again) is again


def test_restored_pixels_and_windows_are_read_as_they_come() -> None:
    """Family: `(3, h, w)`, which nothing took back."""
    photo = photo_of(3, 8)
    found = restorer(tiny()).encode(photo).restore(BOX, "halo")
    again = localsr.read(found.pixels)
    assert again.size == BOX.scaled(4).size
    assert np.array_equal(again.window(whole(again.size)), found.pixels)
    with pytest.raises(localsr.ConfigError, match="no array of int64; ask for uint8"):
        np.asarray(found, np.int64)
    with pytest.raises(ValueError, match="always a new one"):
        np.array(found, copy=False)


def test_pillow_gets_the_profile() -> None:
    """Family: colour that is lost on the way out."""
    file = io.BytesIO()
    Image.effect_noise((60, 50), 60).convert("RGB").save(file, "PNG", icc_profile=SRGB)
    found = restorer(tiny()).encode(localsr.read(file.getvalue())).restore(BOX, "halo")
    assert found.to_pil().info["icc_profile"] == SRGB
    assert localsr.read(found).profile == SRGB


def test_restorations_can_be_kept_in_sets_and_compared() -> None:
    """Each is itself alone: arrays neither hash nor compare as a whole."""
    one, other = restorer(tiny()).encode(photo_of(3, 8)).restore([BOX, BOX], "halo")
    assert len({one, other}) == 2
    assert one != other


def test_what_is_no_path_is_refused_with_what_to_do() -> None:
    found = restorer(tiny()).encode(photo_of(3, 8)).restore(BOX, "halo")
    with pytest.raises(localsr.LocalSRError, match=r"a BytesIO is no path; .* to_pil\(\)"):
        found.save(io.BytesIO())  # type: ignore[arg-type]
