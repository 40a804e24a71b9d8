"""A page of paper that fills from the top, and the tables and forms on it."""

from __future__ import annotations

from random import Random

import skia
from canvas import (
    ALIGN,
    Colour,
    Photos,
    fill,
    ink,
    mixed,
    paragraph,
    stroke,
)
from words import MONO, SANS, SERIF, Voice, code, number


class Page:
    """A sheet of paper being filled from the top."""

    def __init__(self, rng: Random, canvas: skia.Canvas, width: float, height: float, ground: Colour) -> None:
        """Draw a language, type and inks for the page."""
        self.rng, self.canvas, self.width, self.height, self.ground = rng, canvas, width, height, ground
        self.voice = Voice.drawn(rng, 0.65, rng.choice([SANS, SANS, SERIF, MONO]))
        self.letter = rng.choice([13, 15, 17, 19, 22, 26, 32]) * rng.uniform(0.9, 1.1)
        self.ink, self.accent = ink(rng, ground, 0.45), ink(rng, ground, 0.3)
        self.y = rng.uniform(-60, 20)

    def put(
        self,
        text: str,
        x: float,
        width: float,
        scale: float = 1.0,
        weight: int = 400,
        italic: bool = False,
        align: skia.textlayout.TextAlign = ALIGN.kLeft,
    ) -> float:
        """Set text at the pen's height; return how high it is."""
        letter = self.letter * scale
        block = paragraph(text, self.voice.family, letter, self.ink, max(width, 20), weight, italic, align)
        block.paint(self.canvas, x, self.y)
        return float(block.Height)

    def rule(self, x: float, width: float, thick: float = 1.0) -> None:
        """Draw a level line at the pen."""
        self.canvas.drawLine(x, self.y, x + width, self.y, stroke(self.ink, thick))


def table(page: Page, photos: Photos) -> None:
    """Draw a title and a table of words and numbers, with lines, stripes or neither."""
    rng, voice, canvas = page.rng, page.voice, page.canvas
    page.y += page.put(voice.line(rng, 4), 20, page.width, rng.uniform(1.2, 2), weight=700) + 6
    cuts, x = [10.0], 10.0
    while x < page.width:
        x += page.letter * rng.uniform(3, 12)
        cuts.append(x)
    lines, stripes, thick = rng.random() < 0.6, rng.random() < 0.5, rng.choice([0.6, 1, 1, 2])
    row_height, top = page.letter * rng.uniform(1.4, 2), page.y
    numbers = [rng.random() < 0.6 for _ in cuts]
    row = 0
    while page.y < page.height:
        if row == 0 or (stripes and row % 2):
            tint = mixed(page.ground, page.accent, 0.2)
            canvas.drawRect(skia.Rect.MakeXYWH(10, page.y, page.width, row_height), fill(tint))
        if lines:
            page.rule(10, page.width, thick)
        for left, right, is_number in zip(cuts, cuts[1:], numbers, strict=False):
            text = (
                voice.line(rng, 1)
                if row == 0 or not is_number
                else f"{rng.uniform(0, 10 ** rng.randint(1, 5)):,.{rng.randint(0, 2)}f}"
            )
            canvas.save()
            canvas.clipRect(skia.Rect.MakeLTRB(left, page.y, right, page.y + row_height))
            block = paragraph(text, voice.family, page.letter, page.ink, weight=700 if row == 0 else 400)
            at = right - 4 - block.LongestLine if is_number and row else left + 4
            block.paint(canvas, at, page.y + (row_height - block.Height) / 2)
            canvas.restore()
        page.y += row_height
        row += 1
    if lines and rng.random() < 0.7:
        for cut in cuts:
            canvas.drawLine(cut, top, cut, page.y, stroke(page.ink, thick))


def form(page: Page, photos: Photos) -> None:
    """Draw a form: labels, boxes for letters, lines to write on, boxes to tick, and what was filled in."""
    rng, voice, canvas = page.rng, page.voice, page.canvas
    page.letter = min(page.letter, 20)
    hand = rng.choice(
        [Voice("en_US", "DkgHandwriting"), Voice("en_US", "Comic Neue"), Voice("en_US", "Liberation Mono")]
    )
    blue = rng.choice([(0.1, 0.15, 0.55), (0.05, 0.05, 0.05)])
    page.y += page.put(voice.line(rng, 4), 16, page.width, 1.6, weight=700) + 8
    while page.y < page.height:
        style, left, inner = rng.randrange(4), 16.0, page.width - 32
        page.y += page.put(f"{rng.randint(1, 40)}. {voice.line(rng, rng.randint(1, 5))}", left, inner, 0.8) + 3
        box = page.letter * 1.7
        if style == 0:
            for i, sign in enumerate(code(rng, "".join(rng.choice("A0") for _ in range(int(inner / box))))):
                square = skia.Rect.MakeXYWH(left + i * box, page.y, box, box)
                canvas.drawRect(square, stroke(page.accent, 1.2))
                if i < inner / box * 0.7:
                    block = paragraph(sign, hand.family, page.letter * 1.3, blue)
                    block.paint(canvas, square.centerX() - block.LongestLine / 2, page.y + (box - block.Height) / 2)
        elif style == 1:
            for i in range(rng.randint(2, 5)):
                x = left + i * inner / 4
                canvas.drawRect(skia.Rect.MakeXYWH(x, page.y + 3, page.letter, page.letter), stroke(page.ink, 1.3))
                if rng.random() < 0.4:
                    for a, b in ((0, 1), (1, 0)):
                        canvas.drawLine(
                            x - 2,
                            page.y + 1 + a * page.letter,
                            x + page.letter + 2,
                            page.y + 3 + b * page.letter,
                            stroke(blue, 2),
                        )
                paragraph(voice.line(rng, 1), voice.family, page.letter, page.ink).paint(
                    canvas, x + page.letter * 1.5, page.y
                )
        else:
            if style == 2:
                canvas.drawRect(
                    skia.Rect.MakeXYWH(left, page.y, inner * rng.uniform(0.4, 1), box), stroke(page.accent, 1)
                )
            else:
                canvas.drawLine(
                    left,
                    page.y + box,
                    left + inner,
                    page.y + box,
                    stroke(page.accent, 1, dash=rng.choice([(), (2, 3)])),
                )
            text = hand.name(rng) if rng.random() < 0.5 else number(rng)
            paragraph(text, hand.family, page.letter * 1.3, blue).paint(canvas, left + 6, page.y)
        page.y += box + page.letter * 0.6
