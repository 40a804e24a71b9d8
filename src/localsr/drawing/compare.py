"""Comparison sheets: the photo with its box, and the region by nearest neighbour, by bicubic and restored.

Pixels of a region stay pixels: enlarged by a whole factor or copied as they are; only a region too large for a sheet is
shrunk. Colours are those of a file saved with the pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from os import PathLike

import numpy as np
from numpy.typing import NDArray

from localsr import images
from localsr.drawing.lettering import printable
from localsr.drawing.sheet import Drawing, SheetLayout, SheetRow, draw_sheet, stacked, write_sheet
from localsr.errors import ConfigError
from localsr.images import Photo
from localsr.inference.fused_restoration import FusedRestoration
from localsr.inference.restoration import Restoration, bicubic
from localsr.resize import resize

MAX_ROWS = 24  # regions on a sheet; with 50,000 px of height it is as much as viewers open
MIN_PANEL_SIDE, MAX_PANEL_SIDE = 320, 1000  # sheet pixels of a panel's long side
MIN_SHORT_SIDE = 96  # sheet pixels that a panel's short side should have, if the long one allows it
MIN_PHOTO_WIDTH = 560  # sheet pixels that the photo may be wide, or a fifth more than a panel


def compare_sheet(path: str | PathLike[str], photo: Photo, restorations: Restoration | Sequence[Restoration]) -> None:
    """Write a sheet that shows one region, or a row for each of up to 24, beside the photo.

    The file appears whole or, with an `OutputError`, not at all.
    """
    found = [restorations] if isinstance(restorations, Restoration) else list(restorations)
    if not 1 <= len(found) <= MAX_ROWS:
        raise ConfigError(f"a sheet shows 1 to {MAX_ROWS} regions, not {len(found)}")
    write_sheet(path, draw_sheet([_row(photo, restoration) for restoration in found]))


def _row(photo: Photo, r: Restoration) -> SheetRow:
    """Compute the panels of a region."""
    if isinstance(r, FusedRestoration):
        used = 1 + sum(use.used for use in r.uses)
        shown = (bicubic(photo, r.box, r.size), r.single, r.pixels)
        captions = ("bicubic", printable(f"one frame ({r.model})"), f"{used} frames together")
    else:
        rows, columns = (np.arange(2 * to)[1::2] * of // (2 * to) for to, of in _lengths(r))
        shown = (photo.window(r.box)[:, rows[:, None], columns], bicubic(photo, r.box, r.size), r.pixels)
        captions = ("nearest", "bicubic", printable(f"localsr ({r.model})"))
    panels = (_panel(shown[0], photo), _panel(shown[1], photo), _panel(shown[2], photo))
    notes = (
        f"{printable(photo.name or 'photo')}, {photo.size} px",
        f"box {r.box.left},{r.box.top},{r.box.width},{r.box.height}",
        f"x{r.scale:.4g} to {r.size} px",
        f"strategy {r.strategy}",
        f"{r.seconds:.2f} s",
    )
    return SheetRow(_overview(photo, panels[0]), photo.size, r.box, panels, captions, notes)


def _lengths(r: Restoration) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the pixels of a result and of its box, down and across."""
    return (r.size.height, r.box.height), (r.size.width, r.box.width)


def _overview(photo: Photo, panel: Drawing) -> Drawing:
    """Show the whole photo, as high as what stands beside it unless it would be too wide then."""
    height, width, _ = panel.shape
    size, layout = photo.size, SheetLayout()
    if stacked(panel):
        height = max(3 * height + 2 * (layout.line + layout.gap), MIN_PANEL_SIDE)
    factor = min(max(MIN_PHOTO_WIDTH, 1.2 * width) / size.width, height / size.height)
    sides = [max(1, round(side * factor)) for side in (size.height, size.width)]
    small = photo.preview(max(max(sides), 16))
    if small.shape[:2] == tuple(sides):
        return small
    fitted = resize(small.transpose(2, 0, 1).astype(np.float32), *sides)
    return np.ascontiguousarray(np.rint(fitted).clip(0, 255).transpose(1, 2, 0), np.uint8)


def _panel(pixels: NDArray[np.float32], photo: Photo) -> Drawing:
    """Bring HR pixels `(3, H, W)` in [0, 1], in the photo's colours, to sRGB at the size of a panel."""
    _, height, width = pixels.shape
    long, short = max(height, width), min(height, width)
    if long > MAX_PANEL_SIDE:
        size = [max(1, round(side * MAX_PANEL_SIDE / long)) for side in (height, width)]
        return images.srgb(resize(pixels, *size).clip(0, 1), photo)
    factor = math.ceil(MIN_PANEL_SIDE / long)
    while short * factor < MIN_SHORT_SIDE and long * (factor + 1) <= MAX_PANEL_SIDE:
        factor += 1
    return images.srgb(pixels, photo).repeat(factor, axis=0).repeat(factor, axis=1)
