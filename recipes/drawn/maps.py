"""Maps: streets with names, heights in contour lines, networks of lines with stops, and plans of floors."""

from __future__ import annotations

import math
from itertools import pairwise
from random import Random

import contourpy
import numpy as np
import skia
from canvas import (
    BLACK,
    WHITE,
    Colour,
    Photos,
    Pixels,
    Point,
    Sheet,
    fill,
    hsl,
    ink,
    mixed,
    paragraph,
    polygon,
    smooth,
    stroke,
)
from numpy.typing import NDArray
from plans import name, network, plan
from scipy.ndimage import gaussian_filter
from words import SANS, SERIF, Voice


def draw(rng: Random, size: int, photos: Photos) -> Pixels:
    """Draw one map."""
    sheet = Sheet(size, factor=2)
    rng.choices((town, heights, network, plan), (45, 25, 15, 15))[0](rng, sheet)
    return sheet.pixels()


def noise(rng: Random, side: int, smoothness: float) -> NDArray[np.float64]:
    """Return a smooth random field in [0, 1]."""
    field = gaussian_filter(
        np.random.default_rng(rng.getrandbits(32)).normal(size=(side, side)), smoothness, mode="wrap"
    )
    low, high = field.min(), field.max()
    return np.asarray((field - low) / (high - low))


def curves(field: NDArray[np.float64], level: float, size: int) -> list[list[Point]]:
    """Return the curves of one height, in px of the sheet."""
    scale = size / (field.shape[0] - 1)
    return [
        [(x * scale, y * scale) for x, y in line]
        for line in contourpy.contour_generator(z=field).lines(level)
        if len(line) > 8
    ]


def town(rng: Random, sheet: Sheet) -> None:
    """Draw blocks, houses, parks, water, streets with casings, and their names."""
    size, canvas = sheet.size, sheet.canvas
    dark = rng.random() < 0.2
    land = hsl(0.12, 0.25, rng.uniform(0.08, 0.2)) if dark else hsl(0.12, rng.uniform(0, 0.4), rng.uniform(0.88, 0.97))
    canvas.drawPaint(fill(land))
    pitch, warp = rng.uniform(38, 110), rng.uniform(0, 0.3)
    count = math.ceil(size * 1.6 / pitch) + 2
    fx, fy = noise(rng, 64, 8) - 0.5, noise(rng, 64, 8) - 0.5
    angle, stretch = rng.uniform(0, math.pi), rng.uniform(0.6, 1.6)

    def node(i: int, j: int) -> Point:
        x, y = (i - count / 2) * pitch, (j - count / 2) * pitch * stretch
        x, y = (
            x * math.cos(angle) - y * math.sin(angle) + size / 2,
            x * math.sin(angle) + y * math.cos(angle) + size / 2,
        )
        u, v = int(min(max(x / size * 40 + 12, 0), 63)), int(min(max(y / size * 40 + 12, 0), 63))
        return (x + fx[v, u] * warp * 600, y + fy[v, u] * warp * 600)

    nodes = {(i, j): node(i, j) for i in range(count + 1) for j in range(count + 1)}
    green, house = hsl(0.3, 0.4, 0.25 if dark else 0.75), hsl(0.08, 0.15, 0.25 if dark else 0.8)
    for i in range(count):
        for j in range(count):
            corners = [nodes[i, j], nodes[i + 1, j], nodes[i + 1, j + 1], nodes[i, j + 1]]
            if rng.random() < 0.12:
                canvas.drawPath(polygon(corners), fill(green))
            elif rng.random() < 0.8:
                houses(rng, canvas, corners, house, ink(rng, house, 0.3))
    if rng.random() < 0.6:
        water = hsl(0.57, 0.5, 0.3 if dark else 0.75)
        points = [(x, size * rng.uniform(0.3, 0.7)) for x in range(-60, size + 120, 110)]
        with sheet.turned(rng.uniform(0, 180), size / 2, size / 2):
            canvas.drawPath(smooth(points), stroke(water, rng.uniform(10, 70), round_=True))
    ways = [[nodes[i, j] for j in range(count + 1)] for i in range(count + 1)]
    ways += [[nodes[i, j] for i in range(count + 1)] for j in range(count + 1)]
    streets(rng, sheet, [way for way in ways if rng.random() < 0.92], land, dark)


def streets(rng: Random, sheet: Sheet, ways: list[list[Point]], land: Colour, dark: bool) -> None:
    """Draw streets of three ranks along the ways, a railway, and the names of streets and places."""
    size, canvas, width = sheet.size, sheet.canvas, rng.uniform(4, 12)
    casing, roads = ink(rng, land, 0.2), (WHITE, (0.98, 0.9, 0.6), (0.97, 0.75, 0.5))
    ranked = sorted(((rng.choice([0, 0, 0, 0, 1, 2]), way) for way in ways), key=lambda pair: pair[0])
    for grow, cased in ((2.2, True), (0, False)):
        for rank, way in ranked:
            tint = casing if cased else mixed(BLACK, roads[rank], 0.35 if dark else 1)
            canvas.drawPath(smooth(way), stroke(tint, width * (1 + 0.5 * rank) + grow, round_=True))
    if rng.random() < 0.5:
        rail = smooth([(x, rng.uniform(0, size)) for x in (-10, size / 2, size + 10)])
        canvas.drawPath(rail, stroke(mixed(BLACK, WHITE, 0.3), 4))
        canvas.drawPath(rail, stroke(WHITE, 2.4, dash=[9, 9]))
    voice = Voice.drawn(rng, 0.6, SANS)
    text, letter = mixed(BLACK, WHITE, 0.9 if dark else 0.2), rng.uniform(9, 17)
    for _, way in ranked:
        for (ax, ay), (bx, by) in pairwise(way[1:]):
            if rng.random() < 0.3 and 0 < ax < size and 0 < ay < size:
                turn = (math.degrees(math.atan2(by - ay, bx - ax)) + 90) % 180 - 90
                name(rng, canvas, voice, (ax + bx) / 2, (ay + by) / 2, letter, text, land if dark else WHITE, turn)
    for _ in range(rng.randint(1, 8)):
        x, y = rng.uniform(0, size), rng.uniform(0, size)
        canvas.drawCircle(x, y, 6, fill(hsl(rng.random(), 0.7, 0.45)))
        name(rng, canvas, voice, x, y + 16, letter * rng.uniform(1, 2), ink(rng, land, 0.6), land)


def houses(rng: Random, canvas: skia.Canvas, corners: list[Point], tint: Colour, line: Colour) -> None:
    """Fill a block with the outlines of houses."""
    n, m = rng.randint(1, 4), rng.randint(1, 3)

    def at(u: float, v: float) -> Point:
        (ax, ay), (bx, by), (cx, cy), (dx, dy) = corners
        return (
            (1 - v) * ((1 - u) * ax + u * bx) + v * ((1 - u) * dx + u * cx),
            (1 - v) * ((1 - u) * ay + u * by) + v * ((1 - u) * dy + u * cy),
        )

    for i in range(n):
        for j in range(m):
            if rng.random() < 0.2:
                continue
            u, v = 0.14 + 0.72 * i / n, 0.14 + 0.72 * j / m
            w, h = 0.72 / n * rng.uniform(0.6, 0.95), 0.72 / m * rng.uniform(0.6, 0.95)
            shape = polygon([at(u, v), at(u + w, v), at(u + w, v + h), at(u, v + h)])
            canvas.drawPath(shape, fill(tint))
            canvas.drawPath(shape, stroke(line, 0.7))


def heights(rng: Random, sheet: Sheet) -> None:
    """Draw contour lines with heights, woods, paths, a grid and names."""
    size, canvas = sheet.size, sheet.canvas
    land = hsl(rng.uniform(0.1, 0.35), rng.uniform(0, 0.3), rng.uniform(0.85, 0.98))
    canvas.drawPaint(fill(land))
    field = noise(rng, 180, rng.uniform(8, 26))
    for cover, level in ((hsl(0.3, 0.35, 0.8), 0.62), (hsl(0.57, 0.5, 0.8), 0.25)):
        side = field if level > 0.5 else 1 - field
        for line in curves(side, level if level > 0.5 else 1 - level, size):
            canvas.drawPath(polygon(line), fill(cover, 0.8))
    brown, width = hsl(rng.uniform(0.04, 0.1), rng.uniform(0.2, 0.6), rng.uniform(0.3, 0.55)), rng.uniform(0.5, 1.1)
    count = rng.randint(12, 45)
    for k in range(1, count):
        for line in curves(field, k / count, size):
            canvas.drawPath(polygon(line, False), stroke(brown, width * (2 if k % 5 == 0 else 1)))
            if k % 5 == 0 and len(line) > 40:
                (ax, ay), (bx, by) = line[len(line) // 2], line[len(line) // 2 + 2]
                block = paragraph(str(100 + 20 * k), "DejaVu Sans", 10, brown)
                with sheet.turned((math.degrees(math.atan2(by - ay, bx - ax)) + 90) % 180 - 90, ax, ay):
                    canvas.drawRect(skia.Rect.MakeXYWH(ax - 13, ay - 6, 26, 12), fill(land))
                    block.paint(canvas, ax - block.LongestLine / 2, ay - block.Height / 2)
    for _ in range(rng.randint(1, 5)):
        way = smooth([(rng.uniform(-30, size + 30), rng.uniform(-30, size + 30)) for _ in range(4)])
        canvas.drawPath(
            way,
            stroke(
                rng.choice([(0.7, 0.1, 0.1), (0.1, 0.1, 0.1), (0.1, 0.2, 0.6)]),
                rng.uniform(0.8, 3),
                dash=rng.choice([(), (6, 4), (2, 3)]),
            ),
        )
    if rng.random() < 0.5:
        pitch = rng.uniform(80, 170)
        for k in range(int(size / pitch) + 1):
            canvas.drawLine(k * pitch, 0, k * pitch, size, stroke((0.2, 0.3, 0.6), 0.8, 0.7))
            canvas.drawLine(0, k * pitch, size, k * pitch, stroke((0.2, 0.3, 0.6), 0.8, 0.7))
    voice = Voice.drawn(rng, 0.7, SERIF)
    for _ in range(rng.randint(4, 14)):
        name(
            rng,
            canvas,
            voice,
            rng.uniform(20, size - 20),
            rng.uniform(10, size - 10),
            rng.uniform(9, 26),
            (0.1, 0.1, 0.1),
            land,
        )
