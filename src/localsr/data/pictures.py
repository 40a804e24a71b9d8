"""Pictures in folders: which files are pictures, their pixels, and which LR came with an HR."""

from __future__ import annotations

import glob
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from localsr import images
from localsr.errors import DataError
from localsr.geometry import whole

PICTURE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp"})


def is_picture(path: Path) -> bool:
    """Tell whether a path is a file whose name ends as a picture's does."""
    return path.suffix.lower() in PICTURE_SUFFIXES and path.is_file()


def list_pictures(folder: Path) -> list[Path]:
    """List the pictures of a folder and of all folders below, sorted by path.

    Raises:
        DataError: `folder` is no folder, or holds no picture.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder; name one that holds pictures")
    found = sorted(path for path in folder.rglob("*") if is_picture(path))
    if not found:
        raise DataError(f"{folder} holds no picture ({', '.join(sorted(PICTURE_SUFFIXES))})")
    return found


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """Read a picture as 8-bit RGB `(3, h, w)`; raises `ImageError` for one that cannot be read."""
    photo = images.read(path)
    pixels = photo.window(whole(photo.size))
    return np.rint(pixels * 255).astype(np.uint8)


def find_lr(hr: Path, folder: Path, scale: int) -> Path:
    """Find the LR of an HR picture: of the same name, or with `x4` (the scale) after it, as DIV2K unpacks.

    Args:
        hr: The HR picture's file; only its name counts.
        folder: Where the LR lies.
        scale: How many times smaller the LR is.

    Returns:
        The file of the same suffix if there is one, else the first picture of that name.

    Raises:
        DataError: `folder` holds no such file.
    """
    stems = hr.stem, f"{hr.stem}x{scale}"
    for stem in stems:
        if (path := folder / f"{stem}{hr.suffix}").is_file():
            return path
    for stem in stems:
        for path in sorted(folder.glob(f"{glob.escape(stem)}.*")):
            if path.stem == stem and is_picture(path):
                return path
    raise DataError(f"{folder} has no LR of {hr.name}: neither {stems[0]} nor {stems[1]}")
