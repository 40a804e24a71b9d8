"""Arrays, Pillow images and what localsr itself gives, to a `Photo`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import pyvips

from localsr.errors import ImageError
from localsr.images import metadata
from localsr.images.metadata import Metadata, SourceFile
from localsr.images.photo import Photo
from localsr.images.upright import ORIENTATION_TAG, upright_photo
from localsr.images.vips import VIPS_FORMATS, from_array, with_profile

Picture: TypeAlias = Any  # a NumPy array or a Pillow image


def choose_page(title: str, page: int | None, pages: int) -> int:
    """Return the page that is asked for, or the only one; refuse one that is not there, and a choice left open."""
    if page is None and pages > 1:
        raise ImageError(f"{title} holds {pages} pages; choose a page from 1 to {pages}")
    if page is not None and not 1 <= page <= pages:
        raise ImageError(f"{title} has {pages} pages, counted from 1; there is no page {page}")
    return page or 1


def read_array(
    title: str, name: str, source: Picture, page: int | None = None, file: SourceFile | None = None
) -> Photo:
    """Copy the pixels of a NumPy array, or of a Pillow image: its frame `page`, or the one where it stands."""
    pages = 1 if getattr(source, "format", "") == "MPO" else getattr(source, "n_frames", 1)  # a phone's JPEG
    number = choose_page(title, page or (source.tell() + 1 if pages > 1 else 1), pages)
    if pages > 1:
        source.seek(number - 1)
    space, profile, turn, found = "multiband", None, None, Metadata(source=file)
    if hasattr(source, "mode"):
        from localsr.images.pillow import pixels_of

        profile, turn = source.info.get("icc_profile"), source.getexif().get(ORIENTATION_TAG)
        found = metadata.of_pillow(source.info, file)
        source, space = pixels_of(source)
    pixels = np.asarray(source)
    if pixels.ndim == 3 and len(pixels) == 3 and pixels.shape[2] > 4 and pixels.dtype.kind == "f":
        pixels = pixels.transpose(1, 2, 0)  # as windows of a photo and restored pixels are
    pixels = pixels.astype(np.float32) if pixels.dtype.kind == "f" else pixels
    outside = pixels.dtype.kind == "f" and space != "lab" and not ((pixels >= 0) & (pixels <= 1)).all()
    bands = pixels.shape[2] if pixels.ndim == 3 else 1
    fits = pixels.ndim in (2, 3) and 1 <= bands <= 4 and pixels.size > 0
    if outside or not fits or pixels.dtype.str[1:] not in VIPS_FORMATS:
        given = f"an array {pixels.shape} of {pixels.dtype}{' not in [0, 1]' if outside else ''}"
        raise ImageError(f"{given} is no picture; give (h, w) or (h, w, 1..4) of uint8, uint16, or float in [0, 1]")
    image = from_array(pixels.reshape(*pixels.shape[:2], bands), space)
    if turn in range(1, 9):
        image.set_type(pyvips.GValue.gint_type, "orientation", turn)
    return replace(upright_photo(title, name, with_profile(image, profile), found=found), page=number, pages=pages)


def read_restored(title: str, source: Picture) -> Photo:
    """Copy a restoration, with the depth and the profile of the photo it was made from; CMYK comes as sRGB."""
    like = source.photo
    levels = np.asarray(source, f"u{like.depth // 8}")
    if like.bands < 3:
        levels = levels[..., [0, 3] if like.has_alpha else [0]]
    image = with_profile(from_array(levels, "multiband"), None if like.is_cmyk else like.profile)
    return upright_photo(title, "", image)
