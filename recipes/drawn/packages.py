"""Labels, tickets and boxes of goods that do not exist, with barcodes, matrix codes, tables of contents and seals."""

from __future__ import annotations

import math
from random import Random

import skia
from canvas import (
    ALIGN,
    BLACK,
    CUBIC,
    WHITE,
    Colour,
    Photos,
    Pixels,
    Sheet,
    any_colour,
    fill,
    gradient,
    hsl,
    image,
    ink,
    mixed,
    paper,
    paragraph,
    polygon,
    stroke,
)
from codes import bars, codes, matrix
from plates import centred, fitted
from words import DISPLAY, HAND, SANS, SERIF, Voice, code, number


def draw(rng: Random, size: int, photos: Photos) -> Pixels:
    """Lay one to nine labels on a ground, or stand a box before a photograph."""
    sheet = Sheet(size, factor=2)
    if rng.random() < 0.35:
        sheet.photo(photos.crop(rng, size, size))
        box(rng, sheet, photos)
        return sheet.pixels()
    if rng.random() < 0.5:
        sheet.photo(photos.crop(rng, size, size))
    else:
        sheet.canvas.drawPaint(gradient([any_colour(rng), any_colour(rng)], (0, 0), (size, size)))
    rows = rng.choice([1, 1, 2, 3])
    cell = size / rows
    for i in range(rows * rows):
        x, y, by = (i % rows) * cell, (i // rows) * cell, cell * rng.uniform(0.01, 0.05)
        corners = [
            (x + px * cell + rng.gauss(0, by), y + py * cell + rng.gauss(0, by))
            for px, py in ((0.04, 0.04), (0.96, 0.04), (0.96, 0.96), (0.04, 0.96))
        ]
        side = max(cell, 340)
        with sheet.seen(side, side, corners) as canvas:
            rng.choice((goods, shipping, contents, codes))(rng, canvas, side, side, photos)
            canvas.drawRect(skia.Rect.MakeWH(side, side), sheen(rng, side))
    return sheet.pixels()


def sheen(rng: Random, side: float) -> skia.Paint:
    """Return a paint that lays light and shade over a face."""
    paint = gradient(
        [hsl(0, 0, rng.uniform(0.7, 1)), hsl(0, 0, rng.uniform(0.85, 1)), hsl(0, 0, rng.uniform(0.7, 1))],
        (0, 0),
        (side, side * rng.random()),
    )
    paint.setBlendMode(skia.BlendMode.kMultiply)
    return paint


def box(rng: Random, sheet: Sheet, photos: Photos) -> None:
    """Draw a carton with a front, a side and a top."""
    s = sheet.size
    left, edge, right = rng.uniform(0.02, 0.15) * s, rng.uniform(0.55, 0.75) * s, rng.uniform(0.85, 0.99) * s
    top, bottom = rng.uniform(0.12, 0.25) * s, rng.uniform(0.85, 0.97) * s
    rise, dip = rng.uniform(0.02, 0.1) * s, rng.uniform(0.02, 0.08) * s
    front = [(left, top + dip), (edge, top + rise), (edge, bottom), (left, bottom - dip)]
    side = [(edge, top + rise), (right, top), (right, bottom - 2 * dip), (edge, bottom)]
    lid = [(left, top + dip), (left + (right - edge), top - rise), (right, top), (edge, top + rise)]
    tint = any_colour(rng)
    with sheet.seen(s, s * 0.5, lid) as canvas:
        canvas.drawRect(skia.Rect.MakeWH(s, s * 0.5), fill(tint))
        voice = Voice.drawn(rng, 0.7, DISPLAY)
        centred(
            canvas, fitted(voice.line(rng, 1), voice.family, s * 0.7, s * 0.3, ink(rng, tint, 0.5), 700), s / 2, s / 4
        )
    with sheet.seen(s, s * 1.3, front) as canvas:
        goods(rng, canvas, s, s * 1.3, photos)
    with sheet.seen(s * 0.6, s * 1.3, side) as canvas:
        contents(rng, canvas, s * 0.6, s * 1.3, photos)
        shade = fill(BLACK, rng.uniform(0.1, 0.5))
        canvas.drawRect(skia.Rect.MakeWH(s * 0.6, s * 1.3), shade)


def goods(rng: Random, canvas: skia.Canvas, width: float, height: float, photos: Photos) -> None:
    """Draw the face of a package: name, promise, picture, seal, weight, barcode."""
    tint, second = any_colour(rng), any_colour(rng)
    canvas.save()
    canvas.clipRect(skia.Rect.MakeWH(width, height), doAntiAlias=True)
    canvas.drawPaint(gradient([tint, mixed(tint, second, 0.3)], (0, 0), (0, height)))
    if rng.random() < 0.7:
        canvas.drawOval(skia.Rect.MakeXYWH(width * 0.1, height * 0.42, width * 0.8, height * 0.5), fill(second))
        canvas.save()
        canvas.clipPath(
            skia.Path.Oval(skia.Rect.MakeXYWH(width * 0.2, height * 0.48, width * 0.6, height * 0.4)), doAntiAlias=True
        )
        canvas.drawImageRect(
            image(photos.crop(rng, 400, 300)),
            skia.Rect.MakeXYWH(width * 0.2, height * 0.48, width * 0.6, height * 0.4),
            CUBIC,
        )
        canvas.restore()
    voice = Voice.drawn(rng, 0.7, rng.choice([DISPLAY, HAND, SANS, SERIF]))
    band = skia.Rect.MakeXYWH(0, height * 0.08, width, height * 0.24)
    ground = rng.choice([tint, second])
    if ground is second:
        canvas.drawRect(band, fill(second))
    name = fitted(
        voice.line(rng, rng.randint(1, 2)),
        voice.family,
        width * 0.9,
        height * 0.22,
        ink(rng, ground, 0.5),
        rng.choice([400, 700, 900]),
    )
    centred(canvas, name, width / 2, height * 0.2)
    small = ink(rng, tint, 0.4)
    for i in range(2):
        paragraph(voice.line(rng, 4), voice.family, rng.uniform(14, 26), small, width * 0.9, align=ALIGN.kCenter).paint(
            canvas, width * 0.05, height * (0.33 + 0.06 * i)
        )
    seal(rng, canvas, width * rng.uniform(0.75, 0.85), height * rng.uniform(0.42, 0.6), width * 0.12)
    paragraph(number(rng) + "  " + number(rng), "Liberation Sans", rng.uniform(14, 24), small).paint(
        canvas, width * 0.05, height * 0.92
    )
    if rng.random() < 0.6:
        bars(rng, canvas, width * 0.66, height * 0.8, width * 0.3, height * 0.15)
    canvas.restore()


def seal(rng: Random, canvas: skia.Canvas, x: float, y: float, radius: float) -> None:
    """Draw a star or a disc with a word."""
    ground, count = any_colour(rng), rng.randint(12, 30)
    rim = [(radius * (1 if i % 2 else rng.choice([0.85, 0.97])), i * math.pi / count) for i in range(2 * count)]
    canvas.drawPath(polygon([(x + r * math.cos(t), y + r * math.sin(t)) for r, t in rim]), fill(ground))
    canvas.drawCircle(x, y, radius * 0.78, stroke(ink(rng, ground, 0.5), 1.5))
    voice = Voice.drawn(rng, 0.7, SANS)
    centred(
        canvas, fitted(voice.line(rng, 1), voice.family, radius * 1.3, radius * 0.6, ink(rng, ground, 0.6), 700), x, y
    )


def shipping(rng: Random, canvas: skia.Canvas, width: float, height: float, photos: Photos) -> None:
    """Draw a label for a parcel or a ticket: sender, receiver, codes, fields with heavy rules."""
    ground = paper(rng)
    canvas.drawRect(skia.Rect.MakeWH(width, height), fill(ground))
    tint, voice = ink(rng, ground, 0.8), Voice.drawn(rng, 0.7, SANS)
    y = 6.0
    while y < height - 40:
        row, style = rng.uniform(0.12, 0.28) * height, rng.randrange(4)
        canvas.drawLine(0, y, width, y, stroke(tint, rng.choice([1, 2, 4])))
        if style == 0:
            bars(rng, canvas, width * 0.05, y + 6, width * 0.9, row - 10)
        elif style == 1:
            matrix(rng, canvas, width - row - 4, y + 4, row - 8)
            paragraph(
                f"{voice.name(rng)}\n{voice.line(rng, 2)} {rng.randint(1, 99)}\n{number(rng)}",
                voice.family,
                row * 0.18,
                tint,
            ).paint(canvas, 8, y + 6)
        elif style == 2:
            centred(
                canvas,
                fitted(code(rng, "AA0 000"), voice.family, width * 0.85, row * 0.9, tint, 900),
                width / 2,
                y + row / 2,
            )
        else:
            for i in range(3):
                canvas.drawLine(i * width / 3, y, i * width / 3, y + row, stroke(tint, 1))
                fitted(voice.line(rng, 1), voice.family, width / 3 - 12, row * 0.25, tint).paint(
                    canvas, i * width / 3 + 5, y + 3
                )
                block = fitted(number(rng), voice.family, width / 3 - 12, row * 0.5, tint, 700)
                block.paint(canvas, i * width / 3 + 5, y + row * 0.4)
        y += row


def contents(rng: Random, canvas: skia.Canvas, width: float, height: float, photos: Photos) -> None:
    """Draw what is in it: a table of amounts with rules, and lines in small type."""
    ground: Colour = rng.choice([WHITE, BLACK, any_colour(rng)])
    tint = ink(rng, ground, 0.7)
    canvas.save()
    canvas.clipRect(skia.Rect.MakeWH(width, height), doAntiAlias=True)
    canvas.drawPaint(fill(ground))
    voice, letter = Voice.drawn(rng, 0.75, SANS), rng.uniform(11, 20)
    y = 8.0
    head = fitted(voice.line(rng, 2), voice.family, width - 16, letter * 2.5, tint, 900)
    head.paint(canvas, 8, y)
    y += head.Height
    while y < height * 0.62:
        canvas.drawLine(8, y, width - 8, y, stroke(tint, rng.choice([0.8, 0.8, 0.8, 4])))
        paragraph(voice.line(rng, rng.randint(1, 2)), voice.family, letter, tint, weight=rng.choice([400, 700])).paint(
            canvas, 8 + rng.choice([0, 12]), y + 2
        )
        amount = paragraph(
            f"{rng.uniform(0, 99):.1f} {rng.choice(['g', 'mg', 'kcal', '%'])}", voice.family, letter, tint, weight=700
        )
        amount.paint(canvas, width - 8 - amount.LongestLine, y + 2)
        y += letter * 1.45
    paragraph(voice.text(rng, 60), voice.family, letter * 0.8, tint, width - 16).paint(canvas, 8, y + 4)
    bars(rng, canvas, width * 0.1, height * 0.84, width * 0.8, height * 0.14)
    canvas.restore()
