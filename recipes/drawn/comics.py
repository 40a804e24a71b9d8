"""Pages of comics and manga: panels of inked photographs, faces and lines, with bubbles, captions and sounds."""

from __future__ import annotations

import math
from random import Random

import skia
from bubbles import bubble, sound
from canvas import (
    BLACK,
    CUBIC,
    WHITE,
    Photos,
    Pixels,
    Point,
    Sheet,
    fill,
    hsl,
    image,
    polygon,
    stroke,
)
from figures import burst, face, hatched, rays, streets
from inking import inked, painted, toned


def draw(rng: Random, size: int, photos: Photos) -> Pixels:
    """Draw a part of a page."""
    colour = rng.random() < 0.25
    paper = WHITE if rng.random() < 0.8 else hsl(rng.random(), 0.3, rng.uniform(0.85, 1))
    sheet = Sheet(size, paper if colour or rng.random() < 0.9 else BLACK, factor=2)
    page = size * rng.uniform(1.0, 1.5)
    dx, dy = rng.uniform(0, page - size), rng.uniform(0, page - size)
    sheet.canvas.save()
    sheet.canvas.translate(-dx, -dy)
    if rng.random() < 0.2:
        sheet.canvas.rotate(rng.gauss(0, 2), page / 2, page / 2)
    japanese = rng.random() < 0.65
    gutter, border = rng.uniform(3, 14), rng.uniform(1.2, 5)
    panels = divided(
        rng,
        [(gutter, gutter), (page - gutter, gutter), (page - gutter, page - gutter), (gutter, page - gutter)],
        gutter,
        0,
    )
    for corners in panels:
        panel(rng, sheet, corners, photos, colour)
        sheet.canvas.drawPath(polygon(corners), stroke(BLACK, border))
    for corners in panels:
        for _ in range(rng.choice([0, 0, 1, 1])):
            bubble(rng, sheet.canvas, corners, japanese)
        if rng.random() < 0.15:
            sound(rng, sheet.canvas, corners, japanese)
    sheet.canvas.restore()
    return sheet.pixels()


def divided(rng: Random, corners: list[Point], gutter: float, depth: int) -> list[list[Point]]:
    """Return the panels that a region is cut into, now and then on the slant."""
    a, b, c, d = corners
    width, height = (b[0] - a[0] + c[0] - d[0]) / 2, (d[1] - a[1] + c[1] - b[1]) / 2
    if depth > 3 or max(width, height) < 260 or (depth > 1 and rng.random() < 0.3):
        return [corners]
    t = rng.uniform(0.35, 0.65)
    u = t + rng.choice([0, 0, rng.uniform(-0.1, 0.1)])
    if height > width * rng.uniform(0.7, 1.3):
        left, right = between(a, d, t), between(b, c, u)
        upper = [a, b, (right[0], right[1] - gutter / 2), (left[0], left[1] - gutter / 2)]
        lower = [(left[0], left[1] + gutter / 2), (right[0], right[1] + gutter / 2), c, d]
        return divided(rng, upper, gutter, depth + 1) + divided(rng, lower, gutter, depth + 1)
    top, bottom = between(a, b, t), between(d, c, u)
    first = [a, (top[0] - gutter / 2, top[1]), (bottom[0] - gutter / 2, bottom[1]), d]
    second = [(top[0] + gutter / 2, top[1]), b, c, (bottom[0] + gutter / 2, bottom[1])]
    return divided(rng, first, gutter, depth + 1) + divided(rng, second, gutter, depth + 1)


def between(a: Point, b: Point, t: float) -> Point:
    """Return the point at share t from a to b."""
    return (a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t)


def panel(rng: Random, sheet: Sheet, corners: list[Point], photos: Photos, colour: bool) -> None:
    """Fill one panel."""
    canvas = sheet.canvas
    left, right = min(p[0] for p in corners), max(p[0] for p in corners)
    top, bottom = min(p[1] for p in corners), max(p[1] for p in corners)
    box = skia.Rect.MakeLTRB(left, top, right, bottom)
    canvas.save()
    canvas.clipPath(polygon(corners), doAntiAlias=True)
    style = rng.random()
    width, height = math.ceil(box.width()), math.ceil(box.height())
    if style < 0.42:
        pixels = (painted if colour else inked)(rng, photos, width, height)
        canvas.drawImageRect(image(pixels), box, CUBIC)
    else:
        backdrop(rng, canvas, box, colour)
        if style < 0.8:
            for i in range(rng.choice([1, 1, 2, 3])):
                reach = min(width, height) * rng.uniform(0.35, rng.choice([0.6, 1.1])) / (1 + 0.3 * i)
                x, y = rng.uniform(left + 0.2 * width, right - 0.2 * width), bottom - reach * rng.uniform(0.3, 0.8)
                face(rng, canvas, x, y, reach, colour)
    canvas.restore()


def backdrop(rng: Random, canvas: skia.Canvas, box: skia.Rect, colour: bool) -> None:
    """Draw what stands behind the figures: nothing, a tone, rays, hatching, a burst or a street."""
    if colour:
        canvas.drawRect(box, fill(hsl(rng.random(), rng.uniform(0.1, 0.8), rng.uniform(0.3, 0.95))))
    else:
        canvas.drawRect(box, fill(rng.choice([WHITE, WHITE, WHITE, BLACK])))
    draw_ = rng.random()
    if draw_ < 0.25 and not colour:
        side = math.ceil(max(box.width(), box.height()))
        canvas.drawImage(image(toned(rng, side)), box.left(), box.top(), CUBIC)
    elif draw_ < 0.45:
        rays(rng, canvas, box)
    elif draw_ < 0.6:
        hatched(rng, canvas, box)
    elif draw_ < 0.7:
        burst(rng, canvas, box)
    elif draw_ < 0.85:
        streets(rng, canvas, box, colour)
