"""Line drawings: engravings after photographs, ornaments, gears, circuits, music, mazes and charts of fine lines."""

from __future__ import annotations

import math
from random import Random

import numpy as np
import skia
from canvas import (
    Colour,
    Photos,
    Pixels,
    Sheet,
    any_colour,
    fill,
    ink,
    paper,
    paragraph,
    polygon,
    smooth,
    stroke,
)
from diagrams import circuit, gears, music
from inking import FINE, edge, eight_bits
from PIL import Image
from scipy.ndimage import gaussian_filter


def draw(rng: Random, size: int, photos: Photos) -> Pixels:
    """Draw one piece of line art in one ink on one ground."""
    if rng.random() < 0.3:
        return engraving(rng, size, photos)
    sheet = Sheet(size, factor=3)
    ground = paper(rng) if rng.random() < 0.75 else any_colour(rng)
    sheet.canvas.drawPaint(fill(ground))
    with sheet.turned(rng.choice([0, 0, rng.uniform(-30, 30)]), size / 2, size / 2):
        rng.choice((ornament, ornament, chart, circuit, music, maze, gears, waves))(
            rng, sheet.canvas, size, ink(rng, ground, 0.4)
        )
    return sheet.pixels()


def engraving(rng: Random, size: int, photos: Photos) -> Pixels:
    """Return a photograph cut in lines that swell where it is dark, crossed where it is darkest."""
    crop = (
        Image.fromarray(photos.crop(rng, size, size))
        .convert("L")
        .resize((size * FINE, size * FINE), Image.Resampling.LANCZOS)
    )
    tone = gaussian_filter(np.asarray(crop, np.float32) / 255, 1.5 * FINE)
    low, high = np.percentile(tone, [3, 97])
    tone = np.clip((tone - low) / max(high - low, 0.05), 0, 1)
    y, x = np.mgrid[: size * FINE, : size * FINE].astype(np.float32)
    bent = gaussian_filter(tone, 12 * FINE) * rng.uniform(0, 30) * FINE
    period, angle, ink_ = rng.uniform(4, 10) * FINE, rng.uniform(0, math.pi), np.ones_like(tone)
    for layer, level in ((0, 0.0), (1, 0.35)):
        turn = angle + layer * rng.uniform(0.7, 1.6)
        wave = 0.5 + 0.5 * np.cos((x * math.cos(turn) + y * math.sin(turn) + bent) * math.tau / period)
        share = np.clip(tone + level, 0.04, 1.1)
        ink_ = np.minimum(ink_, edge(share - wave, 1.5 * math.pi / period))
    dark, light = np.array(ink(rng, (1, 1, 1), 0.6)), np.array(paper(rng))
    return eight_bits((dark + (light - dark) * ink_[..., None]).astype(np.float32))


def ornament(rng: Random, canvas: skia.Canvas, size: int, tint: Colour) -> None:
    """Draw curves of turning wheels about one or several middles, as on banknotes."""
    for _ in range(rng.choice([1, 1, 3, 6])):
        cx, cy, reach = rng.uniform(0.2, 0.8) * size, rng.uniform(0.2, 0.8) * size, rng.uniform(0.2, 0.7) * size
        a, b, c, depth = rng.randint(1, 9), rng.randint(5, 40), rng.randint(2, 60), rng.uniform(0.1, 0.6)
        paint = stroke(tint, rng.uniform(0.6, 2))
        for layer in range(rng.choice([1, 3, 10, 24])):
            points = []
            for k in range(900):
                t = k * math.tau / 900
                r = (
                    reach
                    * (1 - 0.03 * layer)
                    * (1 - depth + depth * math.cos(b * t + 0.1 * layer) * math.cos(c * t / 4))
                )
                points.append((cx + r * math.cos(a * t), cy + r * math.sin(a * t)))
            canvas.drawPath(smooth(points, True), paint)


def chart(rng: Random, canvas: skia.Canvas, size: int, tint: Colour) -> None:
    """Draw wedges, stars, rings and gratings that grow finer, as on charts that measure lenses."""
    n = rng.choice([1, 2, 2, 3])
    cell = size / n
    for i in range(n * n):
        x, y, kind, pitch = (i % n) * cell, (i // n) * cell, rng.randrange(4), rng.uniform(6, 14)
        canvas.save()
        canvas.clipRect(skia.Rect.MakeXYWH(x + 4, y + 4, cell - 8, cell - 8))
        cx, cy = x + cell / 2, y + cell / 2
        if kind == 0:
            count = rng.randint(12, 72)
            for k in range(count):
                t, half = k * math.tau / count, math.pi / count / 2
                canvas.drawPath(
                    polygon(
                        [(cx, cy), *((cx + cell * math.cos(t + s), cy + cell * math.sin(t + s)) for s in (-half, half))]
                    ),
                    fill(tint),
                )
        elif kind == 1:
            radius = cell * 0.7
            while radius > 2:
                canvas.drawCircle(cx, cy, radius, stroke(tint, pitch / 2))
                radius -= pitch
                pitch = max(pitch * rng.uniform(0.9, 1), 2.4)
        else:
            at = x
            while at < x + cell:
                box = (
                    skia.Rect.MakeXYWH(at, y, pitch / 2, cell)
                    if kind == 2
                    else skia.Rect.MakeXYWH(x, y + at - x, cell, pitch / 2)
                )
                canvas.drawRect(box, fill(tint))
                at += pitch
                pitch = max(pitch * 0.96, 2.2)
        canvas.restore()
        block = paragraph(f"{rng.uniform(1, 99):.1f}", "Liberation Sans", rng.uniform(10, 24), tint)
        canvas.drawRect(
            skia.Rect.MakeXYWH(x + 4, y + 4, block.LongestLine + 6, block.Height),
            fill((1, 1, 1) if sum(tint) < 1.5 else (0, 0, 0)),
        )
        block.paint(canvas, x + 7, y + 4)


def maze(rng: Random, canvas: skia.Canvas, size: int, tint: Colour) -> None:
    """Draw a field of squares each with a line, an arc or a hatch, that join into paths."""
    pitch, width, kind = rng.uniform(9, 40), rng.uniform(0.08, 0.3), rng.randrange(3)
    paint = stroke(tint, max(pitch * width, 1))
    for i in range(-4, int(size / pitch) + 5):
        for j in range(-4, int(size / pitch) + 5):
            x, y, flip = i * pitch, j * pitch, rng.random() < 0.5
            if kind == 0:
                canvas.drawLine(x, y + pitch * flip, x + pitch, y + pitch * (not flip), paint)
            elif kind == 1:
                for cx, cy in ((x, y + pitch * flip), (x + pitch, y + pitch * (not flip))):
                    canvas.save()
                    canvas.clipRect(skia.Rect.MakeXYWH(x, y, pitch, pitch))
                    canvas.drawCircle(cx, cy, pitch / 2, paint)
                    canvas.restore()
            else:
                canvas.drawLine(x, y, x + pitch * flip, y + pitch * (not flip), paint)


def waves(rng: Random, canvas: skia.Canvas, size: int, tint: Colour) -> None:
    """Draw many lines side by side that bend together."""
    pitch, width = rng.uniform(3, 10), rng.uniform(0.25, 0.6)
    terms = [
        (
            rng.uniform(4, 40),
            rng.uniform(0.5, 4) / size * math.tau,
            rng.uniform(0, 3) / size * math.tau,
            rng.uniform(0, 6),
        )
        for _ in range(3)
    ]
    for k in range(-20, int(size / pitch) + 20):
        points = []
        for x in range(-10, size + 20, 12):
            points.append((x, k * pitch + sum(a * math.sin(f * x + g * k * pitch + p) for a, f, g, p in terms)))
        canvas.drawPath(smooth(points), stroke(tint, pitch * width))
