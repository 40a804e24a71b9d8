"""The drawing of a comparison sheet: rows of pictures with captions, everything in whole pixels of the sheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from localsr import images
from localsr.drawing.lettering import draw_text, text_width
from localsr.drawing.marks import mark_box
from localsr.geometry import Box, Size

STACKING_RATIO = 1.6  # width to height from which panels stand under each other instead of side by side
PLAIN_WIDTH = 1250  # sheet pixels at which type has its own size; on a wider sheet it grows, up to MAX_UNIT times
MAX_UNIT = 2.5
MIN_LETTERS = 8  # of a note that is shortened
INK, GREY, HAIRLINE = "#1a1a1a", "#666666", "#cccccc"

Drawing: TypeAlias = NDArray[np.uint8]  # (h, w, 3) sRGB


@dataclass(frozen=True)
class SheetRow:
    """A region: the photo, three panels of one size, their captions and the notes below."""

    photo: Drawing
    size: Size  # of the photo that the box lies in
    box: Box
    panels: tuple[Drawing, Drawing, Drawing]
    captions: tuple[str, str, str]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class SheetLayout:
    """Where things stand, in sheet pixels."""

    unit: float = 1.0  # by which type, lines and gaps are multiplied

    @property
    def gap(self) -> int:
        """The distance between panels, and the margin."""
        return round(16 * self.unit)

    @property
    def line(self) -> int:
        """The height of a line of text."""
        return round(24 * self.unit)

    @property
    def caption(self) -> float:
        """The size of the type under a panel."""
        return 13 * self.unit

    @property
    def note(self) -> float:
        """The size of the type under a row."""
        return 11 * self.unit

    def column_width(self, row: SheetRow) -> int:
        """Return the width of a panel or of the widest caption."""
        captions = (text_width(caption, self.caption, bold=True) for caption in row.captions)
        return max(int(row.panels[0].shape[1]), *captions)

    def photo_width(self, row: SheetRow) -> int:
        """Return the width of the photo or of its caption."""
        return max(int(row.photo.shape[1]), text_width("photo", self.caption))

    def extent(self, row: SheetRow) -> tuple[int, int]:
        """Return width and height of photo and panels, captions included."""
        width, height = self.column_width(row), row.panels[0].shape[0] + self.line
        if stacked(row.panels[0]):
            height = 3 * height + 2 * self.gap
        else:
            width = 3 * width + 2 * self.gap
        return self.photo_width(row) + self.gap + width, max(row.photo.shape[0] + self.line, height)


def stacked(panel: Drawing) -> bool:
    """Tell whether panels like this stand under each other."""
    height, width, _ = panel.shape
    return bool(width > STACKING_RATIO * height)


def draw_sheet(rows: Sequence[SheetRow]) -> Drawing:
    """Draw rows under each other; the pixels of photos and panels stay as they are."""
    widest = max(SheetLayout().extent(row)[0] for row in rows)
    layout = SheetLayout(min(max(widest / PLAIN_WIDTH, 1.0), MAX_UNIT))
    extents = [layout.extent(row) for row in rows]
    width = max(extent[0] for extent in extents)
    notes = [folded_notes(row.notes, width, layout.note) for row in rows]
    heights = [height + layout.line * len(lines) for (_, height), lines in zip(extents, notes, strict=True)]
    margin = layout.gap
    sheet = Image.new("RGB", (width + 2 * margin, sum(heights) + margin + layout.gap * len(rows)), "white")
    top = margin
    for row, lines, (_, below), height in zip(rows, notes, extents, heights, strict=True):
        _draw_row(sheet, layout, row, margin, top)
        for n, line in enumerate(lines):
            draw_text(sheet, (margin, top + below + layout.line * (n + 0.5)), line, layout.note, GREY)
        top += height + layout.gap
    return np.asarray(sheet)


def write_sheet(path: str | PathLike[str], sheet: Drawing) -> None:
    """Write a drawing in the format that the suffix says, whole or not at all."""
    pixels = np.moveaxis(sheet, 2, 0).astype(np.float32) / np.float32(255)
    images.write(path, pixels, None, images.read(sheet))


def folded_notes(notes: Sequence[str], width: int, size: float) -> list[str]:
    """Put notes on as few lines of `width` px as they need, and shorten one that is wider alone."""
    lines: list[str] = []
    for note in notes:
        longer = f"{lines[-1]}  \N{MIDDLE DOT}  {note}" if lines else note
        if lines and text_width(longer, size) <= width:
            lines[-1] = longer
        else:
            lines.append(_shortened(note, width, size))
    return lines


def _draw_row(sheet: Image.Image, layout: SheetLayout, row: SheetRow, left: int, top: int) -> None:
    """Draw the photo with its box, and the panels beside it."""
    column, beside = layout.column_width(row), layout.photo_width(row)
    _draw_panel(sheet, layout, row.photo, "photo", (left, top, beside))
    height, width, _ = row.photo.shape
    corner = (left + (beside - width) // 2, top)
    mark_box(sheet, corner, Size(width, height), row.box, row.size, layout.unit)
    x, y = left + beside + layout.gap, top
    for panel, caption in zip(row.panels, row.captions, strict=True):
        _draw_panel(sheet, layout, panel, caption, (x, y, column), strong=panel is row.panels[-1])
        if stacked(panel):
            y += panel.shape[0] + layout.line + layout.gap
        else:
            x += column + layout.gap


def _draw_panel(
    sheet: Image.Image,
    layout: SheetLayout,
    pixels: Drawing,
    caption: str,
    place: tuple[int, int, int],
    *,
    strong: bool = False,
) -> None:
    """Copy pixels into the middle of a column (left, top, width), a hairline around them and the caption below."""
    height, width, _ = pixels.shape
    left, top = place[0] + (place[2] - width) // 2, place[1]
    ImageDraw.Draw(sheet).rectangle((left - 1, top - 1, left + width, top + height), outline=HAIRLINE)
    sheet.paste(Image.fromarray(pixels), (left, top))
    middle = (left + width / 2, top + height + layout.line / 2)
    draw_text(sheet, middle, caption, layout.caption, INK, "centre", bold=strong)


def _shortened(words: str, width: int, size: float) -> str:
    """Take out of the middle of a note what does not fit."""
    short = words
    keep = min(len(words), len(words) * width // text_width(words, size) + 1)
    while keep > MIN_LETTERS and text_width(short, size) > width:
        keep -= 1
        short = f"{words[: keep // 2]}\N{HORIZONTAL ELLIPSIS}{words[-(keep - keep // 2) :]}"
    return short
