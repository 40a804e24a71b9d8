"""Number plates of invented numbers, and type fitted to its room."""

from __future__ import annotations

import math
from random import Random

import skia
from canvas import (
    WHITE,
    Colour,
    any_colour,
    fill,
    paragraph,
    stroke,
)
from words import SANS, Voice, code

PLATE_TYPE = (
    "OSP-DIN",
    "Liberation Sans Narrow",
    "DejaVu Sans Condensed",
    "Bebas Neue",
    "Roboto",
    "Inter",
    "Open Sans",
)


PLATES = (
    "AA 000 AA",
    "A AA 0000",
    "AA-00-AA",
    "000 AAA",
    "AAA 0000",
    "0 AAA 000",
    "A 000 AA",
    "AA00 AAA",
    "AAA-000",
    "00-AA-00",
    "AA 0000 AA",
    "A-AA 000",
)


SIGNAL = (
    (0.05, 0.25, 0.6),
    (0.0, 0.4, 0.25),
    (0.75, 0.05, 0.1),
    (0.98, 0.8, 0.0),
    (1, 1, 1),
    (0.05, 0.05, 0.05),
    (0.45, 0.25, 0.1),
    (0.95, 0.45, 0),
)


def fitted(
    text: str, family: str, width: float, height: float, colour: Colour, weight: int = 400, spacing: float = 0.0
) -> skia.textlayout.Paragraph:
    """Return one line of text as large as the room allows."""
    block = paragraph(text, family, 100, colour, weight=weight, spacing=spacing)
    size = 100 * min(width / max(block.LongestLine, 1), height / block.Height)
    return paragraph(text, family, size, colour, weight=weight, spacing=spacing * size / 100)


def centred(canvas: skia.Canvas, block: skia.textlayout.Paragraph, x: float, y: float, stretch: float = 1.0) -> None:
    """Set a block about a point, drawn out upwards and downwards by `stretch`."""
    canvas.save()
    canvas.translate(x, y)
    canvas.scale(1, stretch)
    block.paint(canvas, -block.LongestLine / 2, -block.Height / 2)
    canvas.restore()


def band(rng: Random, canvas: skia.Canvas, box: skia.Rect) -> None:
    """Draw the coloured band at the left of a plate: invented letters below a ring of dots."""
    canvas.drawRect(box, fill(rng.choice(SIGNAL[:3])))
    letters = fitted(code(rng, rng.choice(["A", "AA", "AAA"])), "Liberation Sans", 34, 34, WHITE, 700)
    centred(canvas, letters, box.centerX(), box.bottom() - 25)
    count = rng.randint(3, 9)
    for k in range(count):
        x, y = 11 * math.cos(k * math.tau / count), 11 * math.sin(k * math.tau / count)
        canvas.drawCircle(box.centerX() + x, box.top() + 24 + y, 2.4, fill((1, 0.85, 0.1)))


def plate(rng: Random, canvas: skia.Canvas, width: float, height: float) -> None:
    """Draw a number plate: ground, rim, band, number, bolts and dirt."""
    ground = rng.choice(
        [
            (1, 1, 1),
            (1, 1, 1),
            (0.97, 0.97, 0.93),
            (0.98, 0.8, 0.05),
            (0.05, 0.05, 0.06),
            (0.05, 0.2, 0.55),
            (0.0, 0.45, 0.3),
            any_colour(rng),
        ]
    )
    tint = (
        rng.choice([(0.05, 0.05, 0.05), (0.05, 0.1, 0.4), (0.5, 0.05, 0.1), (0.02, 0.3, 0.15)])
        if sum(ground) > 1.6
        else (0.97, 0.97, 0.97)
    )
    box = skia.Rect.MakeWH(width, height)
    canvas.drawRoundRect(box, 12, 12, fill(ground))
    inset = rng.uniform(4, 9)
    canvas.drawRoundRect(box.makeInset(inset, inset), 9, 9, stroke(tint, rng.uniform(2, 5)))
    left = inset
    if rng.random() < 0.5:
        left = 48
        band(rng, canvas, skia.Rect.MakeLTRB(inset, inset, left, height - inset))
    text, family = code(rng, rng.choice(PLATES)), rng.choice(PLATE_TYPE)
    lines = [text] if height < 160 else [text[: len(text) // 2].strip(" -"), text[len(text) // 2 :].strip(" -")]
    weight, spacing = rng.choice([400, 500, 700]), rng.uniform(0, 10)
    room = (height - 2 * inset) / len(lines)
    for i, line in enumerate(lines):
        block = fitted(line, family, width - left - 40, room * 1.2, tint, weight, spacing)
        stretch = min(rng.uniform(1, 1.3), room * 1.25 / block.Height)
        centred(canvas, block, (left + width) / 2, inset + (i + 0.5) * room, stretch)
    if rng.random() < 0.5:
        small = fitted(Voice.drawn(rng, 0.8, SANS).line(rng, 2), "DejaVu Sans", width * 0.4, 16, tint)
        centred(canvas, small, width / 2, rng.choice([16, height - 16]))
    for x in (0.2, 0.8) if rng.random() < 0.6 else ():
        canvas.drawCircle(x * width, height * 0.12, 5, fill((0.6, 0.6, 0.6)))
        canvas.drawCircle(x * width, height * 0.12, 5, stroke((0.2, 0.2, 0.2), 1))
    for _ in range(rng.choice([0, 0, 40])):
        canvas.drawCircle(
            rng.uniform(0, width),
            rng.uniform(0, height),
            rng.uniform(0.5, 4),
            fill((0.35, 0.3, 0.25), rng.uniform(0.1, 0.6)),
        )
