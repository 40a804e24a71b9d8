"""The drawing of a comparison sheet: rows of pictures with captions, everything in whole pixels of the sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Patch, Rectangle
from matplotlib.textpath import TextToPath
from matplotlib.transforms import Bbox, IdentityTransform
from numpy.typing import NDArray

from localsr.geometry import Box, Size

WIDE = 1.6  # width to height from which panels stand under each other instead of side by side
TINY = 14  # sheet pixels; a box smaller than that on the photo gets a ring
READ = 1250  # sheet pixels of width at which type has its own size; on a wider sheet it grows, up to LARGEST times
LARGEST = 2.5
DPI = 128  # a power of two: sizes in inches are exact
FONT = "DejaVu Sans"  # comes with matplotlib: a sheet looks the same everywhere
INK, GREY, BRIGHT, DARK = "#1a1a1a", "#666666", "#ffd60a", "#101010"

Pixels = NDArray[np.uint8]  # (h, w, 3) sRGB


@dataclass(frozen=True)
class Row:
    """A region: the photo, three panels of one size, their captions and the notes below."""

    photo: Pixels
    size: Size  # of the photo that the box lies in
    box: Box
    panels: tuple[Pixels, Pixels, Pixels]
    captions: tuple[str, str, str]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """Where things stand, in sheet pixels."""

    unit: float = 1.0  # type, lines and gaps are so many times their size

    @property
    def gap(self) -> int:
        """Between panels."""
        return round(16 * self.unit)

    @property
    def line(self) -> int:
        """Height of a line of text."""
        return round(24 * self.unit)

    @property
    def caption(self) -> float:
        """Size of the type under a panel."""
        return 13 * self.unit

    @property
    def note(self) -> float:
        """Size of the type under a row."""
        return 11 * self.unit

    def column(self, row: Row) -> int:
        """Width of a panel or its caption."""
        return max(int(row.panels[0].shape[1]), *(text_width(c, self.caption, bold=True) for c in row.captions))

    def photo(self, row: Row) -> int:
        """Width of the photo or its caption."""
        return max(int(row.photo.shape[1]), text_width("photo", self.caption))

    def extent(self, row: Row) -> tuple[int, int]:
        """Width and height of photo and panels, captions included."""
        width, height = self.column(row), row.panels[0].shape[0] + self.line
        if stacked(row.panels[0]):
            height = 3 * height + 2 * self.gap
        else:
            width = 3 * width + 2 * self.gap
        return self.photo(row) + self.gap + width, max(row.photo.shape[0] + self.line, height)


def stacked(panel: Pixels) -> bool:
    """Tell whether panels like this stand under each other."""
    height, width, _ = panel.shape
    return bool(width > WIDE * height)


def draw(rows: Sequence[Row]) -> Pixels:
    """Draw the rows under each other."""
    widest = max(Layout().extent(row)[0] for row in rows)
    layout = Layout(min(max(widest / READ, 1.0), LARGEST))
    extents = [layout.extent(row) for row in rows]
    width = max(extent[0] for extent in extents)
    notes = [_folded(row.notes, width, layout.note) for row in rows]
    heights = [height + layout.line * len(lines) for (_, height), lines in zip(extents, notes, strict=True)]
    margin = layout.gap
    sheet = _Sheet(width + 2 * margin, sum(heights) + margin + layout.gap * len(rows), layout)
    top = margin
    for row, lines, (_, below), height in zip(rows, notes, extents, heights, strict=True):
        sheet.row(row, margin, top)
        for n, line in enumerate(lines):
            sheet.text(margin, top + below + layout.line * (n + 0.5), line, layout.note, GREY, align="left")
        top += height + layout.gap
    return sheet.pixels()


class _Sheet:
    """A white figure drawn on in pixels, y downwards."""

    def __init__(self, width: int, height: int, layout: Layout) -> None:
        self.height = height
        self.layout = layout
        self._figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor="white")
        self._canvas = FigureCanvasAgg(self._figure)

    def row(self, row: Row, left: int, top: int) -> None:
        """Draw the photo and the panels beside it."""
        layout, column, beside = self.layout, self.layout.column(row), self.layout.photo(row)
        self.panel(row.photo, "photo", left, top, beside)
        self.mark(row, left + (beside - row.photo.shape[1]) // 2, top)
        x, y = left + beside + layout.gap, top
        for panel, caption in zip(row.panels, row.captions, strict=True):
            self.panel(panel, caption, x, y, column, strong=panel is row.panels[-1])
            if stacked(panel):
                y += panel.shape[0] + layout.line + layout.gap
            else:
                x += column + layout.gap

    def panel(self, pixels: Pixels, caption: str, left: int, top: int, width: int, *, strong: bool = False) -> None:
        """Copy pixels into the middle of `width`, with a hairline around them and the caption below."""
        h, w, _ = pixels.shape
        left += (width - w) // 2
        self._figure.figimage(pixels, xo=left, yo=self.height - top - h, origin="upper")
        self._add(Rectangle((left - 0.5, self.height - top - h - 0.5), w + 1, h + 1), 1, "#cccccc")
        weight = "bold" if strong else "normal"
        middle = top + h + self.layout.line / 2
        self.text(left + w / 2, middle, caption, self.layout.caption, INK, align="center", weight=weight)

    def mark(self, row: Row, left: int, top: int) -> None:
        """Draw the box on the photo, just outside its pixels; a ring around a tiny one."""
        h, w, _ = row.photo.shape
        thin, edge = round(2 * self.layout.unit), round(self.layout.unit)
        x, y = w / row.size.width, h / row.size.height
        x0, x1 = left + round(row.box.left * x), left + round(row.box.right * x)
        y0, y1 = self.height - top - round(row.box.bottom * y), self.height - top - round(row.box.top * y)
        around = Bbox.from_extents(left, self.height - top - h, left + w, self.height - top).padded(thin + edge)
        for thickness, colour in ((thin + 2 * edge, DARK), (thin, BRIGHT)):
            outline = Rectangle((x0 - thin / 2, y0 - thin / 2), x1 - x0 + thin, y1 - y0 + thin)
            self._add(outline, thickness, colour, around)
            if max(x1 - x0, y1 - y0) < TINY * self.layout.unit:
                ring = Circle(((x0 + x1) / 2, (y0 + y1) / 2), 24 * self.layout.unit)
                self._add(ring, thickness, colour, around)

    def text(
        self, x: float, y: float, words: str, size: float, colour: str, *, align: str, weight: str = "normal"
    ) -> None:
        """Write a line whose middle has the height y."""
        self._figure.text(
            x,
            self.height - y,
            words,
            transform=IdentityTransform(),
            ha=align,
            va="center",
            color=colour,
            family=FONT,
            weight=weight,
            fontsize=size * 72 / DPI,
            parse_math=False,
        )

    def pixels(self) -> Pixels:
        """Give what was drawn."""
        self._canvas.draw()  # type: ignore[no-untyped-call]
        drawn = np.asarray(self._canvas.buffer_rgba(), np.uint8)  # type: ignore[no-untyped-call]
        return drawn[..., :3].copy()

    def _add(self, patch: Patch, thickness: int, colour: str, clip: Bbox | None = None) -> None:
        """Draw an outline."""
        patch.set(fill=False, linewidth=thickness * 72 / DPI, edgecolor=colour, transform=IdentityTransform())
        patch.set_antialiased(isinstance(patch, Circle))
        patch.set_snap(False)  # the coordinates are exact; snapping would move a hairline onto the pixels
        if clip is not None:
            patch.set_clip_box(clip)
        self._figure.add_artist(patch, clip=False)


def _folded(notes: Sequence[str], width: int, size: float) -> list[str]:
    """Put notes on as few lines as `width` sheet pixels allow."""
    lines: list[str] = []
    for note in notes:
        longer = f"{lines[-1]}  \N{MIDDLE DOT}  {note}" if lines else note
        if lines and text_width(longer, size) <= width:
            lines[-1] = longer
        else:
            lines.append(_shortened(note, width, size))
    return lines


def _shortened(words: str, width: int, size: float) -> str:
    """Take out of the middle of a note what does not fit."""
    short = words
    keep = min(len(words), len(words) * width // text_width(words, size) + 1)
    while keep > 8 and text_width(short, size) > width:
        keep -= 1
        short = f"{words[: keep // 2]}\N{HORIZONTAL ELLIPSIS}{words[-(keep - keep // 2) :]}"
    return short


def printable(words: str) -> str:
    """Replace what the font has not; matplotlib would warn of it."""
    known = font_manager.get_font(font_manager.findfont(FONT)).get_charmap()
    return "".join(c if c.isprintable() and ord(c) in known else "?" for c in words)


def text_width(words: str, size: float, *, bold: bool = False) -> int:
    """Measure a line of text in sheet pixels."""
    font = font_manager.FontProperties(family=FONT, size=size, weight="bold" if bold else "normal")
    width, _, _ = TextToPath().get_text_width_height_descent(words, font, ismath=False)
    return math.ceil(width) + 2
