"""Number plates of invented numbers, and signs of streets, shops, doors and stations, on photographs and walls."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

import numpy as np
import skia
from canvas import Photos, Pixels, Sheet, any_colour, fill, gradient, hsl, ink, polygon, stroke
from PIL import Image, ImageFilter
from plates import PLATE_TYPE, SIGNAL, centred, fitted, plate
from words import DISPLAY, SANS, Voice, number

Make = Callable[[Random, skia.Canvas, float, float], None]


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


def hang(rng: Random, sheet: Sheet, make: Make, x: float, y: float, across: float, down: float) -> None:
    """Draw one sign inside a cell, seen a little from the side."""
    width, height = (
        (520.0, rng.choice([110.0, 110.0, 150.0, 260.0])) if make is plate else (400.0, rng.uniform(150, 420))
    )
    if make is round_sign:
        height = width
    scale = min(across / width, down / height) * rng.uniform(0.8, 0.98)
    w, h, slant = width * scale, height * scale, rng.choice([0, 0.02, 0.08])
    cx, cy, angle = x + across / 2, y + down / 2, rng.gauss(0, 0.05) * rng.choice([0, 1, 1, 2])
    corners = []
    for px, py in ((-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)):
        dx, dy = (px + rng.gauss(0, slant)) * w, (py + rng.gauss(0, slant)) * h
        corners.append(
            (cx + dx * math.cos(angle) - dy * math.sin(angle), cy + dx * math.sin(angle) + dy * math.cos(angle))
        )
    with sheet.seen(width, height, corners) as canvas:
        shadow = fill((0, 0, 0), 0.5)
        shadow.setMaskFilter(skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, 8))
        canvas.drawRoundRect(skia.Rect.MakeXYWH(6, 8, width, height), 10, 10, shadow)
        make(rng, canvas, width, height)
        light = gradient([hsl(0, 0, rng.uniform(0.55, 1)), hsl(0, 0, rng.uniform(0.75, 1))], (0, 0), (width, height))
        light.setBlendMode(skia.BlendMode.kMultiply)
        if make is not round_sign:
            canvas.drawRoundRect(skia.Rect.MakeWH(width, height), 8, 8, light)


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
        canvas.drawPath(
            polygon(
                [
                    (-u * 0.2, u),
                    (-u * 0.2, -u * 0.2),
                    (-u * 0.8, u * 0.3),
                    (-u * 0.8, -u * 0.2),
                    (0, -u),
                    (u * 0.8, -u * 0.2),
                    (u * 0.8, u * 0.3),
                    (u * 0.2, -u * 0.2),
                    (u * 0.2, u),
                ]
            ),
            fill(tint),
        )
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
        corners = [
            (r + radius * math.cos(turn + k * math.tau / count), r + radius * math.sin(turn + k * math.tau / count))
            for k in range(count)
        ]
        canvas.drawPath(polygon(corners), fill(colour))
    text = (
        str(rng.choice([5, 10, 20, 30, 40, 50, 60, 70, 80, 100, 120]))
        if rng.random() < 0.5
        else Voice.drawn(rng, 0.7, SANS).line(rng, 1)
    )
    centred(
        canvas,
        fitted(text, rng.choice(PLATE_TYPE), r * (0.8 if count == 3 else 1.2), r, tint, 700),
        r,
        r * (1.1 if count == 3 else 1),
    )
