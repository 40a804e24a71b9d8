"""Flat patterns of bricks, tiles, arches, steps and roofs, on planes of their own units."""

from __future__ import annotations

import math
from random import Random

import skia
from canvas import BLACK, WHITE, Colour, fill, gradient, hsl, mixed, stroke


def material(rng: Random) -> Colour:
    """Return the colour of stone, plaster, metal, wood or brick, now and then a bright one."""
    hue, saturation = rng.choice([(0.08, 0.25), (0.03, 0.5), (0.1, 0.1), (0.6, 0.1), (0.0, 0.0), (rng.random(), 0.6)])
    return hsl(hue + rng.gauss(0, 0.02), saturation * rng.random(), rng.uniform(0.15, 0.9))


def near(rng: Random, colour: Colour, spread: float) -> Colour:
    """Return the colour a little lighter or darker."""
    by = rng.gauss(0, spread)
    return (colour[0] + by, colour[1] + by, colour[2] + by)


def grid(
    canvas: skia.Canvas, width: float, height: float, dx: float, dy: float, down: skia.Paint, across: skia.Paint
) -> None:
    """Draw upright lines every dx and level ones every dy."""
    for i in range(math.ceil(width / dx) + 1):
        canvas.drawLine(i * dx, 0, i * dx, height, down)
    for i in range(math.ceil(height / dy) + 1):
        canvas.drawLine(0, i * dy, width, i * dy, across)


def bricks(rng: Random, canvas: skia.Canvas, width: float, height: float, mirrored: skia.Image) -> None:
    """Draw courses of bricks, tiles or stones with joints."""
    colour, joint = material(rng), material(rng)
    tall, long_ = rng.uniform(0.3, 0.6), rng.uniform(0.6, 1.6)
    gap, spread, shift = rng.uniform(0.02, 0.07), rng.choice([0.02, 0.06, 0.12]), rng.choice([0, 0.5, 0.5, 0.33])
    canvas.drawPaint(fill(joint))
    for row in range(math.ceil(height / tall)):
        offset = (row * shift % 1) * long_
        for column in range(-1, math.ceil(width / long_) + 1):
            box = skia.Rect.MakeXYWH(column * long_ + offset + gap, row * tall + gap, long_ - gap, tall - gap)
            canvas.drawRect(box, fill(near(rng, colour, spread)))


def tiles(rng: Random, canvas: skia.Canvas, width: float, height: float, mirrored: skia.Image) -> None:
    """Draw a floor of squares, diamonds or hexagons in two or more colours."""
    colours = [material(rng) for _ in range(rng.choice([2, 2, 3]))]
    style, pitch = rng.randrange(3), rng.uniform(0.5, 1.2)
    joint = stroke(material(rng), rng.uniform(0.01, 0.06))
    step = pitch * (1, 0.5, 0.866)[style]
    for row in range(-1, math.ceil(height / step) + 1):
        for column in range(-1, math.ceil(width / pitch) + 1):
            x, y = (column + (row % 2) * 0.5 * (style > 0)) * pitch, row * step
            count = (4, 4, 6)[style]
            radius, turn = (
                (pitch * 0.7071, math.pi / 4) if style == 0 else (pitch * (0.5 if style == 1 else 0.5774), math.pi / 2)
            )
            points = [
                skia.Point(
                    x + radius * math.cos(turn + k * math.tau / count),
                    y + radius * math.sin(turn + k * math.tau / count),
                )
                for k in range(count)
            ]
            shape = skia.Path.Polygon(points, True)
            canvas.drawPath(shape, fill(near(rng, colours[(row + column) % len(colours)], 0.03)))
            canvas.drawPath(shape, joint)


def colonnade(rng: Random, canvas: skia.Canvas, width: float, height: float, mirrored: skia.Image) -> None:
    """Draw storeys of arches on columns with grooves, between cornices."""
    stone = material(rng)
    dark = mixed(stone, BLACK, 0.7)
    canvas.drawPaint(fill(stone))
    pitch, open_ = rng.uniform(0.5, 1), rng.uniform(0.5, 0.8)
    for row in range(math.ceil(height)):
        for column in range(math.ceil(width / pitch)):
            x, w = column * pitch + pitch * (1 - open_) / 2, pitch * open_
            canvas.drawRect(skia.Rect.MakeLTRB(x, row + 0.2 + w / 2, x + w, row + 0.92), fill(dark))
            canvas.drawOval(skia.Rect.MakeXYWH(x, row + 0.2, w, w), fill(dark))
            canvas.drawArc(
                skia.Rect.MakeXYWH(x - 0.04, row + 0.16, w + 0.08, w + 0.08),
                180,
                180,
                False,
                stroke(near(rng, stone, 0.1), 0.03),
            )
            for groove in range(4):
                at = x + w + pitch * (1 - open_) * (groove + 0.5) / 4
                canvas.drawLine(at, row + 0.35, at, row + 0.9, stroke(near(rng, dark, 0.05), pitch * (1 - open_) / 10))
        for k in range(3):
            canvas.drawRect(skia.Rect.MakeXYWH(0, row + 0.04 * k, width, 0.025), fill(near(rng, stone, 0.12)))


def steps(rng: Random, canvas: skia.Canvas, width: float, height: float, mirrored: skia.Image) -> None:
    """Draw treads and risers, or boards, with light edges and worn faces."""
    tread, pitch = material(rng), rng.uniform(0.3, 0.7)
    riser, lip = mixed(tread, BLACK, 0.5), mixed(tread, WHITE, 0.3)
    share = rng.uniform(0.3, 0.7)
    for k in range(math.ceil(height / pitch)):
        y = k * pitch
        canvas.drawRect(
            skia.Rect.MakeXYWH(0, y, width, pitch * share),
            gradient([near(rng, tread, 0.03), near(rng, tread, 0.03)], (0, y), (width, y)),
        )
        canvas.drawRect(
            skia.Rect.MakeXYWH(0, y + pitch * share, width, pitch * (1 - share)), fill(near(rng, riser, 0.03))
        )
        canvas.drawRect(skia.Rect.MakeXYWH(0, y + pitch * share - 0.03, width, 0.04), fill(lip))
    if rng.random() < 0.4:
        rail = stroke(material(rng), rng.uniform(0.04, 0.12))
        grid(canvas, width, height, rng.uniform(1, 4), 2 * height, rail, rail)


def scales(rng: Random, canvas: skia.Canvas, width: float, height: float, mirrored: skia.Image) -> None:
    """Draw a roof of overlapping round, pointed or waved tiles."""
    colour, pitch, style = material(rng), rng.uniform(0.3, 0.7), rng.randrange(3)
    line = stroke(mixed(colour, BLACK, 0.6), 0.03)
    rows = math.ceil(height / pitch * 2) + 1
    for row in range(rows, -2, -1):
        for column in range(-1, math.ceil(width / pitch) + 1):
            x, y = (column + row % 2 / 2) * pitch, row * pitch / 2
            shape = skia.PathBuilder()
            shape.moveTo(x, y - pitch)
            shape.lineTo(x, y)
            if style == 0:
                shape.cubicTo(x, y + pitch * 0.6, x + pitch, y + pitch * 0.6, x + pitch, y)
            elif style == 1:
                shape.lineTo(x + pitch / 2, y + pitch * 0.5)
                shape.lineTo(x + pitch, y)
            else:
                shape.lineTo(x + pitch, y)
            shape.lineTo(x + pitch, y - pitch)
            path = shape.detach()
            canvas.drawPath(path, fill(near(rng, colour, 0.05)))
            canvas.drawPath(path, line)
