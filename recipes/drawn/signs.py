"""Number plates of invented numbers, and signs of streets, shops, doors and stations, on photographs and walls."""

from __future__ import annotations

import math
from random import Random

import numpy as np
import skia
from canvas import Colour, Photos, Pixels, Sheet, any_colour, fill, gradient, hsl, ink, paragraph, polygon, stroke
from PIL import Image, ImageFilter
from words import DISPLAY, SANS, Voice, code, number

PLATE_TYPE = ("OSP-DIN", "Liberation Sans Narrow", "DejaVu Sans Condensed", "Bebas Neue", "Roboto", "Inter", "Open Sans")
PLATES = ("AA 000 AA", "A AA 0000", "AA-00-AA", "000 AAA", "AAA 0000", "0 AAA 000", "A 000 AA", "AA00 AAA", "AAA-000", "00-AA-00", "AA 0000 AA", "A-AA 000")
SIGNAL = ((0.05, 0.25, 0.6), (0.0, 0.4, 0.25), (0.75, 0.05, 0.1), (0.98, 0.8, 0.0), (1, 1, 1), (0.05, 0.05, 0.05), (0.45, 0.25, 0.1), (0.95, 0.45, 0))


def draw(rng: Random, size: int, photos: Photos) -> Pixels:
    """Hang plates and signs before a photograph, large and small."""
    sheet = Sheet(size, factor=2)
    crop = Image.fromarray(photos.crop(rng, size, size))
    if rng.random() < 0.5:
        crop = crop.filter(ImageFilter.GaussianBlur(rng.uniform(1, 8)))
    sheet.photo(np.asarray(crop))
    make = rng.choices((plate, sign, arrows, round_sign), (45, 30, 15, 10))[0]
    count = rng.choice([1, 2, 4, 8, 14])
    rows = math.ceil(math.sqrt(count))
    cell = size / rows
    for i in range(count):
        x, y = (i % rows) * cell, (i // rows) * cell
        if make is plate and rows > 1:  # plates are broad: two to a cell
            for half in (0, 0.5):
                hang(rng, sheet, make, x, y + half * cell, cell, cell / 2)
        else:
            hang(rng, sheet, make if rng.random() < 0.8 else sign, x, y, cell, cell)
    return sheet.pixels()


def hang(rng: Random, sheet: Sheet, make: object, x: float, y: float, across: float, down: float) -> None:
    """Draw one sign inside a cell, seen a little from the side."""
    width, height = (520.0, rng.choice([110.0, 110.0, 150.0, 260.0])) if make is plate else (400.0, rng.uniform(150, 420))
    if make is round_sign:
        height = width
    scale = min(across / width, down / height) * rng.uniform(0.8, 0.98)
    w, h, slant = width * scale, height * scale, rng.choice([0, 0.02, 0.08])
    cx, cy, angle = x + across / 2, y + down / 2, rng.gauss(0, 0.05) * rng.choice([0, 1, 1, 2])
    corners = []
    for px, py in ((-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)):
        dx, dy = (px + rng.gauss(0, slant)) * w, (py + rng.gauss(0, slant)) * h
        corners.append((cx + dx * math.cos(angle) - dy * math.sin(angle), cy + dx * math.sin(angle) + dy * math.cos(angle)))
    with sheet.seen(width, height, corners) as canvas:
        shadow = fill((0, 0, 0), 0.5)
        shadow.setMaskFilter(skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, 8))
        canvas.drawRoundRect(skia.Rect.MakeXYWH(6, 8, width, height), 10, 10, shadow)
        make(rng, canvas, width, height)  # type: ignore[operator]
        light = gradient([hsl(0, 0, rng.uniform(0.55, 1)), hsl(0, 0, rng.uniform(0.75, 1))], (0, 0), (width, height))
        light.setBlendMode(skia.BlendMode.kMultiply)
        if make is not round_sign:
            canvas.drawRoundRect(skia.Rect.MakeWH(width, height), 8, 8, light)


def fitted(text: str, family: str, width: float, height: float, colour: Colour, weight: int = 400, spacing: float = 0.0) -> skia.textlayout.Paragraph:
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


def plate(rng: Random, canvas: skia.Canvas, width: float, height: float) -> None:
    """Draw a number plate: ground, rim, band, number, bolts and dirt."""
    ground = rng.choice([(1, 1, 1), (1, 1, 1), (0.97, 0.97, 0.93), (0.98, 0.8, 0.05), (0.05, 0.05, 0.06), (0.05, 0.2, 0.55), (0.0, 0.45, 0.3), any_colour(rng)])
    tint = rng.choice([(0.05, 0.05, 0.05), (0.05, 0.1, 0.4), (0.5, 0.05, 0.1), (0.02, 0.3, 0.15)]) if sum(ground) > 1.6 else (0.97, 0.97, 0.97)
    box = skia.Rect.MakeWH(width, height)
    canvas.drawRoundRect(box, 12, 12, fill(ground))
    inset = rng.uniform(4, 9)
    canvas.drawRoundRect(box.makeInset(inset, inset), 9, 9, stroke(tint, rng.uniform(2, 5)))
    left = inset
    if rng.random() < 0.5:
        left = 48
        canvas.drawRect(skia.Rect.MakeXYWH(inset, inset, left - inset, height - 2 * inset), fill(rng.choice(SIGNAL[:3])))
        centred(canvas, fitted(code(rng, rng.choice(["A", "AA", "AAA"])), "Liberation Sans", 34, 34, (1, 1, 1), 700), (left + inset) / 2, height - 32)
        for k in range(12):
            canvas.drawCircle((left + inset) / 2 + 12 * math.cos(k * math.tau / 12), 32 + 12 * math.sin(k * math.tau / 12), 1.8, fill((1, 0.85, 0.1)))
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
        canvas.drawCircle(rng.uniform(0, width), rng.uniform(0, height), rng.uniform(0.5, 4), fill((0.35, 0.3, 0.25), rng.uniform(0.1, 0.6)))


def sign(rng: Random, canvas: skia.Canvas, width: float, height: float) -> None:
    """Draw a board with one to four lines of text and a rim."""
    ground = rng.choice(SIGNAL) if rng.random() < 0.6 else any_colour(rng)
    tint = ink(rng, ground, 0.5)
    box = skia.Rect.MakeWH(width, height)
    radius = rng.choice([0, 6, 25])
    canvas.drawRoundRect(box, radius, radius, fill(ground))
    if rng.random() < 0.6:
        canvas.drawRoundRect(box.makeInset(8, 8), radius, radius, stroke(tint, rng.uniform(2, 7)))
    voice = Voice.drawn(rng, 0.55, rng.choice([SANS, SANS, DISPLAY]))
    count, weight = rng.randint(1, 4), rng.choice([400, 500, 700, 900])
    for i in range(count):
        text = number(rng) if rng.random() < 0.2 else voice.line(rng, rng.randint(1, 3))
        block = fitted(text, voice.family, width - 50, (height - 40) / count * 0.95, tint, weight)
        centred(canvas, block, width / 2, 20 + (i + 0.5) * (height - 40) / count)


def arrows(rng: Random, canvas: skia.Canvas, width: float, height: float) -> None:
    """Draw a guide board: rows of places, distances and arrows, in two scripts."""
    ground = rng.choice(SIGNAL[:6])
    tint = ink(rng, ground, 0.8)
    canvas.drawRoundRect(skia.Rect.MakeWH(width, height), 12, 12, fill(ground))
    canvas.drawRoundRect(skia.Rect.MakeWH(width, height).makeInset(6, 6), 9, 9, stroke(tint, 3))
    rows, latin, other = rng.randint(2, 5), Voice.drawn(rng, 1, SANS), Voice.drawn(rng, 0.3, SANS)
    pitch = (height - 24) / rows
    for i in range(rows):
        y, at = 12 + (i + 0.5) * pitch, 12 + pitch / 2
        canvas.save()
        canvas.translate(at, y)
        canvas.rotate(rng.choice([0, 90, 180, -90, -45, 45]))
        u = min(pitch, 90) * 0.32
        canvas.drawPath(polygon([(-u * 0.2, u), (-u * 0.2, -u * 0.2), (-u * 0.8, u * 0.3), (-u * 0.8, -u * 0.2), (0, -u), (u * 0.8, -u * 0.2), (u * 0.8, u * 0.3), (u * 0.2, -u * 0.2), (u * 0.2, u)]), fill(tint))
        canvas.restore()
        room = width - pitch - 90
        name = fitted(latin.line(rng, 1), latin.family, room, pitch * 0.5, tint, 700)
        name.paint(canvas, pitch + 10, y - pitch * 0.42)
        fitted(other.line(rng, 2), other.family, room, pitch * 0.34, tint).paint(canvas, pitch + 10, y + pitch * 0.08)
        far = fitted(str(rng.randint(1, 999)), latin.family, 60, pitch * 0.5, tint, 500)
        far.paint(canvas, width - 20 - far.LongestLine, y - far.Height / 2)


def round_sign(rng: Random, canvas: skia.Canvas, width: float, height: float) -> None:
    """Draw a round, three-cornered or eight-cornered sign with a number or a word."""
    rim, ground = rng.choice(SIGNAL), rng.choice(((1, 1, 1), (0.98, 0.8, 0), (0.05, 0.25, 0.6)))
    tint, r = ink(rng, ground, 0.7), width / 2
    count = rng.choice([60, 60, 3, 4, 8])
    turn = {3: -math.pi / 2, 4: 0.0, 8: math.pi / 8, 60: 0.0}[count]
    for radius, colour in ((r, rim), (r * 0.82, ground)):
        corners = [(r + radius * math.cos(turn + k * math.tau / count), r + radius * math.sin(turn + k * math.tau / count)) for k in range(count)]
        canvas.drawPath(polygon(corners), fill(colour))
    text = str(rng.choice([5, 10, 20, 30, 40, 50, 60, 70, 80, 100, 120])) if rng.random() < 0.5 else Voice.drawn(rng, 0.7, SANS).line(rng, 1)
    centred(canvas, fitted(text, rng.choice(PLATE_TYPE), r * (0.8 if count == 3 else 1.2), r, tint, 700), r, r * (1.1 if count == 3 else 1))
