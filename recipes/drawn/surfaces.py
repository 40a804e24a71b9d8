"""Flat patterns of buildings and grounds. Each is drawn on a plane of width x height of its own units."""

from __future__ import annotations

import math
from random import Random

import skia
from canvas import BLACK, CUBIC, fill, gradient, hsl, mixed, stroke
from masonry import bricks, colonnade, grid, material, near, scales, steps, tiles


def windows(rng: Random, canvas: skia.Canvas, width: float, height: float, mirrored: skia.Image) -> None:
    """Draw rows of windows with frames, bars, sills, blinds and rooms that are dark, lit or reflect."""
    body, frame = material(rng), material(rng)
    canvas.drawPaint(fill(body))
    w, h = rng.uniform(0.45, 0.9), rng.uniform(0.4, 0.85)
    pitch = rng.uniform(0.7, 1.6)
    bars, rails = rng.choice([0, 1, 1, 2, 3]), rng.choice([0, 0, 1, 2])
    glass = hsl(rng.uniform(0.5, 0.65), rng.uniform(0, 0.4), rng.uniform(0.08, 0.45))
    sill, band, blind = rng.random() < 0.4, rng.random() < 0.4, rng.choice([0, 0.2, 0.5])
    thick = rng.uniform(0.02, 0.06)
    arch = rng.random() < 0.15
    for row in range(math.ceil(height)):
        if band:
            canvas.drawRect(skia.Rect.MakeXYWH(0, row, width, 0.06), fill(near(rng, body, 0.1)))
        for column in range(math.ceil(width / pitch)):
            x, y = (column + 0.5) * pitch - w * pitch / 2, row + 0.5 - h / 2
            pane = skia.Rect.MakeXYWH(x, y, w * pitch, h)
            if arch:
                canvas.drawOval(skia.Rect.MakeXYWH(x, y - 0.12, w * pitch, 0.5), fill(near(rng, glass, 0.04)))
            canvas.drawRect(pane, fill(near(rng, glass, 0.06)))
            if rng.random() < blind:
                canvas.drawRect(
                    skia.Rect.MakeXYWH(x, y, w * pitch, h * rng.random()), fill(near(rng, (0.8, 0.8, 0.75), 0.05))
                )
            elif rng.random() < 0.05:
                canvas.drawRect(pane, fill((1, 0.9, 0.6), 0.8))
            for bar in range(1, bars + 1):
                at = x + w * pitch * bar / (bars + 1)
                canvas.drawLine(at, y, at, y + h, stroke(frame, thick * 0.7))
            for rail in range(1, rails + 1):
                at = y + h * rail / (rails + 1)
                canvas.drawLine(x, at, x + w * pitch, at, stroke(frame, thick * 0.7))
            canvas.drawRect(pane, stroke(frame, thick))
            if sill:
                canvas.drawRect(
                    skia.Rect.MakeXYWH(x - 0.04, y + h, w * pitch + 0.08, 0.05), fill(near(rng, frame, 0.08))
                )


def curtain(rng: Random, canvas: skia.Canvas, width: float, height: float, mirrored: skia.Image) -> None:
    """Draw a front of glass that mirrors a photograph, its panes each a little off, between thin bars."""
    pitch, bar = rng.uniform(0.4, 1.2), rng.uniform(0.02, 0.09)
    metal = hsl(0.6, rng.uniform(0, 0.2), rng.uniform(0.1, 0.8))
    tint = hsl(rng.uniform(0.45, 0.65), rng.uniform(0.1, 0.5), rng.uniform(0.2, 0.5))
    side = mirrored.width()
    plain = rng.uniform(0.3, 0.9)
    for row in range(math.ceil(height)):
        for column in range(math.ceil(width / pitch)):
            x, y = side * (column * pitch / width) * 0.8, side * (row / height) * 0.8
            x, y = x + rng.uniform(0, 0.03) * side, y + rng.uniform(0, 0.03) * side
            part = skia.Rect.MakeXYWH(x, y, side * pitch / width * 0.8, side / height * 0.8)
            pane = skia.Rect.MakeXYWH(column * pitch, row, pitch, 1)
            canvas.drawImageRect(mirrored, part, pane, CUBIC, skia.Paint(AntiAlias=True))
            canvas.drawRect(pane, fill(near(rng, tint, 0.03), plain))
    grid(canvas, width, height, pitch, 1, stroke(metal, bar), stroke(metal, bar * rng.choice([0.5, 1, 3])))


def louvres(rng: Random, canvas: skia.Canvas, width: float, height: float, mirrored: skia.Image) -> None:
    """Draw level or upright slats, each from light to dark, between posts."""
    colour, pitch = material(rng), rng.uniform(0.25, 0.6)
    dark = mixed(colour, BLACK, rng.uniform(0.3, 0.9))
    upright, solid = rng.random() < 0.4, rng.uniform(0.4, 0.95)
    canvas.drawPaint(fill(dark))
    for i in range(math.ceil((width if upright else height) / pitch)):
        shade = [near(rng, colour, 0.02), mixed(colour, BLACK, 0.4)]
        at, thick = i * pitch, pitch * solid
        if upright:
            canvas.drawRect(skia.Rect.MakeXYWH(at, 0, thick, height), gradient(shade, (at, 0), (at + thick, 0)))
        else:
            canvas.drawRect(skia.Rect.MakeXYWH(0, at, width, thick), gradient(shade, (0, at), (0, at + thick)))
    if rng.random() < 0.5:
        post = stroke(near(rng, colour, 0.15), rng.uniform(0.05, 0.2))
        grid(canvas, width, height, rng.uniform(1.5, 5), height * 2, post, post)


def fence(rng: Random, canvas: skia.Canvas, width: float, height: float, mirrored: skia.Image) -> None:
    """Draw bars, wire mesh or chain link before a photograph or a plain ground."""
    if rng.random() < 0.6:
        canvas.drawImageRect(mirrored, skia.Rect.MakeWH(width, height), CUBIC, skia.Paint(AntiAlias=True))
    else:
        canvas.drawPaint(fill(material(rng)))
    bar = stroke(material(rng), rng.uniform(0.03, 0.15))
    style = rng.randrange(3)
    if style == 0:
        grid(canvas, width, height, rng.uniform(0.25, 0.7), rng.uniform(2, 6), bar, bar)
    elif style == 1:
        pitch = rng.uniform(0.4, 0.8)
        grid(canvas, width, height, pitch, pitch * rng.choice([1, 0.5, 2]), bar, bar)
    else:
        pitch = rng.uniform(0.5, 1)
        for i in range(-math.ceil(height / pitch), math.ceil((width + height) / pitch)):
            canvas.drawLine(i * pitch, 0, i * pitch + height, height, bar)
            canvas.drawLine(i * pitch, 0, i * pitch - height, height, bar)


def balconies(rng: Random, canvas: skia.Canvas, width: float, height: float, mirrored: skia.Image) -> None:
    """Draw storeys of windows behind slabs and railings of thin bars."""
    windows(rng, canvas, width, height, mirrored)
    slab, bar = fill(material(rng)), stroke(material(rng), rng.uniform(0.015, 0.03))
    pitch, rail = rng.uniform(0.07, 0.15), rng.uniform(0.25, 0.4)
    part = rng.choice([width, rng.uniform(1, 3)])
    for row in range(math.ceil(height) + 1):
        canvas.drawRect(skia.Rect.MakeXYWH(0, row - 0.05, width, 0.1), slab)
        for start in range(math.ceil(width / part)):
            x = start * part
            for i in range(int(part * 0.8 / pitch)):
                canvas.drawLine(x + i * pitch, row - 0.05, x + i * pitch, row - rail, bar)
            canvas.drawLine(x, row - rail, x + part * 0.8, row - rail, bar)


SURFACES = (colonnade, steps, scales, windows, windows, curtain, curtain, louvres, bricks, fence, tiles, balconies)
