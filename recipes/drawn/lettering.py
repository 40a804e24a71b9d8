"""Type in many scripts, sizes and weights on plain, graded, patterned and photographic grounds."""

from __future__ import annotations

import math
from random import Random

import numpy as np
import skia
from canvas import (
    ALIGN,
    WEIGHTS,
    Colour,
    Photos,
    Pixels,
    Sheet,
    any_colour,
    fill,
    gradient,
    ink,
    mixed,
    paper,
    paragraph,
    stroke,
)
from words import DISPLAY, SANS, Voice, number

ALIGNS = (ALIGN.kLeft, ALIGN.kLeft, ALIGN.kCenter, ALIGN.kRight, ALIGN.kJustify)


def draw(rng: Random, size: int, photos: Photos) -> Pixels:
    """Draw a page of one of four layouts."""
    layout = rng.choices((columns, scattered, poster, ladder), (35, 20, 30, 15))[0]
    sheet = Sheet(size, factor=rng.choice([1, 1, 2]))
    colour = ground(rng, sheet, photos)
    angle = rng.choice([0, 0, rng.uniform(-4, 4), rng.uniform(-25, 25)]) if layout is not scattered else 0
    with sheet.turned(angle, size / 2, size / 2):
        layout(rng, sheet, colour)
    return sheet.pixels()


def ground(rng: Random, sheet: Sheet, photos: Photos) -> Colour:
    """Cover the sheet and return the colour that text is to stand out of."""
    size, draw_ = sheet.size, rng.random()
    whole = skia.Rect.MakeWH(size, size)
    if draw_ < 0.45:
        colour = paper(rng) if rng.random() < 0.6 else any_colour(rng)
        sheet.canvas.drawRect(whole, fill(colour))
        return colour
    if draw_ < 0.62:
        first, second = any_colour(rng), any_colour(rng)
        second = mixed(first, second, 0.4)
        sheet.canvas.drawRect(whole, gradient([first, second], (0, 0), (rng.uniform(0, size), size)))
        return first
    crop = photos.crop(rng, size, size)
    if draw_ < 0.8:
        sheet.photo(crop)
        r, g, b = crop.mean((0, 1)) / 255
        return (float(r), float(g), float(b))
    colour = any_colour(rng)
    sheet.canvas.drawRect(whole, fill(colour))
    sheet.photo(
        crop, alpha=rng.uniform(0.05, 0.5), mode=rng.choice([skia.BlendMode.kSrcOver, skia.BlendMode.kSoftLight])
    )
    return colour


def type_size(rng: Random, least: float = 14, most: float = 80) -> float:
    """Return a size of type, small ones as likely as large ones by the octave."""
    return math.exp(rng.uniform(math.log(least), math.log(most)))


def columns(rng: Random, sheet: Sheet, colour: Colour) -> None:
    """Set running text in one to three columns."""
    size, count = sheet.size, rng.choice([1, 1, 2, 3])
    letter = type_size(rng, 14, 64 if count == 1 else 30)
    voice, tint = Voice.drawn(rng), ink(rng, colour)
    weight, italic = rng.choice(WEIGHTS), rng.random() < 0.15
    gutter = letter
    width = (size - gutter * (count + 1)) / count
    for column in range(count):
        y = rng.uniform(-letter, gutter)
        x = gutter + column * (width + gutter)
        while y < size:
            if rng.random() < 0.25:
                head = paragraph(voice.line(rng, 4), voice.family, letter * 1.4, tint, width, 700)
                head.paint(sheet.canvas, x, y)
                y += head.Height + letter * 0.3
            text = voice.text(rng, rng.randint(12, 50))
            block = paragraph(text, voice.family, letter, tint, width, weight, italic, rng.choice(ALIGNS))
            block.paint(sheet.canvas, x, y)
            y += block.Height + letter * rng.uniform(0.2, 1)


def scattered(rng: Random, sheet: Sheet, colour: Colour) -> None:
    """Scatter words and numbers of all sizes and angles, most of them away from each other."""
    taken: list[skia.Rect] = []
    for _ in range(60):
        voice, letter = Voice.drawn(rng), type_size(rng, 12, 110)
        text = number(rng) if rng.random() < 0.25 else voice.line(rng, rng.randint(1, 4))
        block = paragraph(text, voice.family, letter, ink(rng, colour), weight=rng.choice(WEIGHTS))
        x, y = rng.uniform(-30, sheet.size * 0.8), rng.uniform(-20, sheet.size)
        box = skia.Rect.MakeXYWH(x, y, block.LongestLine, block.Height)
        if any(skia.Rect.Intersects(box, other) for other in taken):
            continue
        taken.append(box)
        with sheet.turned(rng.choice([0, 0, rng.gauss(0, 5), 90]), x, y) as canvas:
            block.paint(canvas, x, y)


def poster(rng: Random, sheet: Sheet, colour: Colour) -> None:
    """Set a title with outline or shadow, lines below, and a bar or two."""
    size = sheet.size
    voice = Voice.drawn(rng, families=rng.choice([DISPLAY, SANS]))
    y = rng.uniform(0, size * 0.2)
    tint = ink(rng, colour, 0.4)
    align = rng.choice(ALIGNS[1:4])
    while y < size:
        letter = type_size(rng, 16, 150)
        text = voice.line(rng, max(1, round(rng.uniform(0.5, 2) * size / letter / 6)))
        weight, spacing = rng.choice(WEIGHTS), rng.choice([0, 0, letter * rng.uniform(0, 0.2)])
        block = paragraph(text, voice.family, letter, tint, size - 30, weight, align=align, spacing=spacing)
        effect = rng.random()
        if effect < 0.15:
            bar = ink(rng, colour, 0.3)
            sheet.canvas.drawRect(skia.Rect.MakeXYWH(0, y - 4, size, block.Height + 8), fill(bar))
            block = paragraph(text, voice.family, letter, ink(rng, bar, 0.4), size - 30, weight, align=align)
        elif effect < 0.3:
            edge = stroke(ink(rng, tint, 0.5), letter * rng.uniform(0.05, 0.2), round_=True)
            paragraph(text, voice.family, letter, edge, size - 30, weight, False, align, spacing).paint(
                sheet.canvas, 15, y
            )
        elif effect < 0.4:
            line = stroke(tint, max(letter * 0.03, 1.2))
            block = paragraph(text, voice.family, letter, line, size - 30, weight, False, align, spacing)
        elif effect < 0.5:
            offset = letter * rng.uniform(0.03, 0.08)
            shade = paragraph(text, voice.family, letter, ink(rng, tint, 0.5), size - 30, weight, False, align, spacing)
            shade.paint(sheet.canvas, 15 + offset, y + offset)
        block.paint(sheet.canvas, 15, y)
        y += block.Height + rng.uniform(0, 30)
        if rng.random() < 0.3:
            sheet.canvas.drawLine(15, y - 4, size - 15, y - 4, stroke(tint, rng.uniform(1, 5)))


def ladder(rng: Random, sheet: Sheet, colour: Colour) -> None:
    """Set the same words line under line, from tiny to large or the other way round, as on a chart for eyes."""
    voice, tint, weight = Voice.drawn(rng), ink(rng, colour), rng.choice(WEIGHTS)
    sizes = np.geomspace(rng.uniform(9, 14), rng.uniform(50, 110), rng.randint(9, 14))
    y = 4.0
    for letter in sizes if rng.random() < 0.6 else sizes[::-1]:
        text = voice.line(rng, max(1, int(90 / letter * 1.6)))
        block = paragraph(text + " " + number(rng), voice.family, float(letter), tint, weight=weight)
        block.paint(sheet.canvas, 12, y)
        y += block.Height
