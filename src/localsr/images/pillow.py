"""Pillow images in: their pixels as the file gives them, with transparency by a key, palettes and Lab."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

KEPT_MODES = ("L", "LA", "RGB", "RGBA", "CMYK", "I;16", "I;16B", "I", "F", "LAB")
CONVERTED_MODES = {"1": "L", "La": "LA"}  # any other becomes RGB or RGBA
SPACES_OF_MODES = {"CMYK": "cmyk", "LAB": "lab"}
KEYED_MODES = ("1", "L", "I;16", "RGB")  # in which one level, or colour, may stand for transparency


def pixels_of(picture: Image.Image) -> tuple[NDArray[Any], str]:
    """Return `(h, w)` or `(h, w, bands)` of a Pillow image, with libvips' name for its colour space."""
    mode, key = picture.mode, picture.info.get("transparency")
    other = CONVERTED_MODES.get(mode, "RGBA" if picture.has_transparency_data else "RGB")
    pixels = np.asarray(picture.convert(mode if mode in KEPT_MODES else other))
    if key is not None and mode in KEYED_MODES and not isinstance(key, bytes):
        pixels = np.atleast_3d(pixels)
        top = np.iinfo(pixels.dtype).max
        matches = (pixels == ((255 if key else 0) if mode == "1" else key)).all(axis=2, keepdims=True)
        pixels = np.concatenate([pixels, np.where(matches, 0, top).astype(pixels.dtype)], axis=2)
    if mode == "LAB":  # L of 0 to 255 for 0 to 100; a and b from -128
        pixels = (pixels * np.array([100 / 255, 1, 1]) - np.array([0, 128, 128])).astype(np.float32)
    return pixels, SPACES_OF_MODES.get(mode, "multiband")
