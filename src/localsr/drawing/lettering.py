"""Lines of text on a drawn picture, in a font that the package brings: they look the same everywhere.

DejaVu Sans 2.37 (fonts/LICENSE.txt) has the letters of the Latin, Greek, Cyrillic, Arabic, Hebrew, Armenian and
Georgian scripts; the font inside Pillow has no letter beyond ASCII. Other characters are drawn as question marks.
"""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from typing import Literal

from PIL import Image, ImageDraw, ImageFont

FONTS = Path(__file__).with_name("fonts")
NOT_A_CHARACTER = "\uffff"  # which no font has: what is drawn for it stands for any character that is missing
Align = Literal["left", "centre"]


def printable(words: str) -> str:
    """Replace what cannot be drawn, or is no visible character, by question marks."""
    return "".join(character if _has_glyph(character) else "?" for character in words)


def text_width(words: str, size: float, *, bold: bool = False) -> int:
    """Return the width in pixels of a line of text in type of `size` px."""
    return math.ceil(_font(size, bold=bold).getlength(words))


def draw_text(
    image: Image.Image,
    place: tuple[float, float],
    words: str,
    size: float,
    colour: str,
    align: Align = "left",
    *,
    bold: bool = False,
) -> None:
    """Write a line of text whose left end or centre lies at `place`, x and the middle of its height y."""
    anchor = "lm" if align == "left" else "mm"
    ImageDraw.Draw(image).text(place, words, fill=colour, font=_font(size, bold=bold), anchor=anchor)


@cache
def _font(size: float, *, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Open the font at a size in pixels."""
    return ImageFont.truetype(FONTS / ("DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"), size)


@cache
def _has_glyph(character: str) -> bool:
    """Tell whether a character is visible or a space, and in the font."""
    font = _font(16)
    return character.isprintable() and bytes(font.getmask(character)) != bytes(font.getmask(NOT_A_CHARACTER))
