"""Ink drawings of comics: faces with hair, rays, bursts, hatching and streets."""

from __future__ import annotations

import math
from random import Random

import skia
from canvas import BLACK, WHITE, Colour, Point, fill, hsl, polygon, smooth, stroke


def brush(canvas: skia.Canvas, points: list[Point], width: float) -> None:
    """Draw a stroke of the brush through points, thick in the middle and thin at its ends."""
    left, right = [], []
    for i, (x, y) in enumerate(points):
        a, b = points[max(i - 1, 0)], points[min(i + 1, len(points) - 1)]
        length = math.hypot(b[0] - a[0], b[1] - a[1]) or 1
        half = 0.5 * width * math.sin(math.pi * (i + 0.15) / (len(points) - 0.7))
        nx, ny = -(b[1] - a[1]) / length * half, (b[0] - a[0]) / length * half
        left.append((x + nx, y + ny))
        right.append((x - nx, y - ny))
    canvas.drawPath(smooth(left + right[::-1], True), fill(BLACK))


def face(rng: Random, canvas: skia.Canvas, x: float, y: float, size: float, colour: bool) -> None:
    """Draw a head of about `size` px with neck, hair, eyes, nose and mouth."""
    line = max(size * rng.uniform(0.006, 0.014), 1.0)
    skin = hsl(rng.uniform(0.03, 0.1), rng.uniform(0.3, 0.8), rng.uniform(0.45, 0.9)) if colour else WHITE
    hair = (
        hsl(rng.random(), rng.uniform(0, 0.8), rng.uniform(0.1, 0.7))
        if colour
        else rng.choice([WHITE, BLACK, (0.75,) * 3])
    )
    turn, tall = rng.uniform(-0.25, 0.25), rng.uniform(1.05, 1.35)
    w, h = size * 0.42, size * 0.42 * tall
    canvas.save()
    canvas.rotate(rng.gauss(0, 8), x, y)
    shoulders = [
        (x - size * 0.9, y + size * 1.3),
        (x - size * 0.5, y + h * 1.35),
        (x - w * 0.4, y + h * 1.15),
        (x - w * 0.35, y + h * 0.7),
    ]
    body = shoulders + [(2 * x - px, py) for px, py in shoulders[::-1]]
    cloth = (
        hsl(rng.random(), rng.random() * 0.7, rng.uniform(0.2, 0.9))
        if colour
        else rng.choice([WHITE, (0.85,) * 3, BLACK])
    )
    back = [
        (x + w * 1.25 * math.cos(t), y - h * 0.15 + h * rng.uniform(1.0, 1.2) * math.sin(t))
        for t in (math.pi + i * math.pi / 8 for i in range(9))
    ]
    length = rng.uniform(0.1, 1.2) * h
    back += [(x + w * 1.3, y + length), (x, y + length * 0.8), (x - w * 1.3, y + length)]
    for shape, paint in ((smooth(back, True), hair), (smooth(body, True), cloth)):
        canvas.drawPath(shape, fill(paint))
        canvas.drawPath(shape, stroke(BLACK, line))
    head = [
        (x - w, y - h * 0.3),
        (x - w * 0.95, y + h * 0.2),
        (x - w * 0.55, y + h * 0.75),
        (x + turn * w, y + h),
        (x + w * 0.55, y + h * 0.75),
    ]
    head += [(x + w * 0.95, y + h * 0.2), (x + w, y - h * 0.3), (x + w * 0.6, y - h), (x - w * 0.6, y - h)]
    canvas.drawPath(smooth(head, True), fill(skin))
    canvas.drawPath(smooth(head, True), stroke(BLACK, line * 1.3))
    features(rng, canvas, x + turn * w * 0.6, y, w, h, line, colour)
    fringe(rng, canvas, x, y, w, h, line, hair)
    canvas.restore()


def features(
    rng: Random, canvas: skia.Canvas, x: float, y: float, w: float, h: float, line: float, colour: bool
) -> None:
    """Draw eyes with lids and lights, brows, a nose and a mouth."""
    iris = hsl(rng.random(), 0.6, 0.4) if colour else rng.choice([BLACK, (0.5,) * 3])
    big, shut = rng.uniform(0.7, 1.3), rng.random() < 0.15
    for side in (-1, 1):
        ex, ey, ew, eh = x + side * w * 0.45, y + h * 0.12, w * 0.2 * big, h * 0.17 * big
        lid = [
            (ex - ew * 1.1, ey - eh * 0.2),
            (ex - ew * 0.5, ey - eh * 0.9),
            (ex + ew * 0.5, ey - eh * 0.9),
            (ex + ew * 1.1, ey - eh * 0.2),
        ]
        if not shut:
            canvas.drawOval(skia.Rect.MakeXYWH(ex - ew, ey - eh, 2 * ew, 2 * eh), fill(WHITE))
            canvas.drawOval(skia.Rect.MakeXYWH(ex - ew * 0.7, ey - eh * 0.9, ew * 1.4, eh * 1.9), fill(iris))
            canvas.drawOval(skia.Rect.MakeXYWH(ex - ew * 0.35, ey - eh * 0.5, ew * 0.7, eh), fill(BLACK))
            canvas.drawCircle(ex - ew * 0.3, ey - eh * 0.4, ew * 0.28, fill(WHITE))
            canvas.drawCircle(ex + ew * 0.3, ey + eh * 0.4, ew * 0.14, fill(WHITE))
        brush(canvas, lid, line * 4)
        for k in range(rng.randint(0, 3)):
            start = (ex + side * ew * (0.6 + 0.2 * k), ey - eh * (0.8 - 0.2 * k))
            canvas.drawLine(*start, start[0] + side * ew * 0.35, start[1] - eh * 0.25, stroke(BLACK, line))
        brow = ey - eh * rng.uniform(1.4, 2)
        brush(
            canvas, [(ex - ew, brow), (ex, brow - eh * 0.3), (ex + ew, brow + rng.uniform(-0.3, 0.3) * eh)], line * 2.5
        )
    brush(canvas, [(x + w * 0.02, y + h * 0.38), (x + w * 0.08, y + h * 0.48), (x, y + h * 0.5)], line * 1.5)
    mouth = [(x - w * 0.25, y + h * 0.7), (x, y + h * rng.uniform(0.66, 0.76)), (x + w * 0.25, y + h * 0.7)]
    if rng.random() < 0.4:
        shape = smooth([*mouth, (x, y + h * 0.88)], True)
        canvas.drawPath(shape, fill((0.5, 0.1, 0.1) if colour else rng.choice([BLACK, WHITE])))
        canvas.drawPath(shape, stroke(BLACK, line))
    else:
        brush(canvas, mouth, line * 2)
    if rng.random() < 0.4:
        for k in range(5):
            canvas.drawLine(
                x - w * (0.75 - 0.07 * k),
                y + h * 0.45,
                x - w * (0.79 - 0.07 * k),
                y + h * 0.55,
                stroke(BLACK, line * 0.8),
            )


def fringe(rng: Random, canvas: skia.Canvas, x: float, y: float, w: float, h: float, line: float, hair: Colour) -> None:
    """Draw strands of hair over the brow, with single hairs and a gloss."""
    count = rng.randint(5, 11)
    points: list[Point] = [(x - w * 1.15, y + h * rng.uniform(0, 0.5))]
    for i in range(count):
        t = (i + 0.5) / count
        points.append((x + w * (2.1 * (t - 0.5 / count) - 1.05), y - h * rng.uniform(0.35, 0.6)))
        points.append((x + w * (2.1 * t - 1.05) + rng.gauss(0, 0.05) * w, y - h * rng.uniform(-0.05, 0.25)))
    points += [
        (x + w * 1.15, y + h * rng.uniform(0, 0.5)),
        (x + w * 1.2, y - h * 0.5),
        (x + w * 0.5, y - h * 1.2),
        (x - w * 0.5, y - h * 1.2),
    ]
    points.append((x - w * 1.2, y - h * 0.5))
    shape = smooth(points, True) if rng.random() < 0.4 else polygon(points)
    canvas.drawPath(shape, fill(hair))
    canvas.drawPath(shape, stroke(BLACK, line * 1.2, round_=True))
    dark = sum(hair) < 0.6
    canvas.save()
    canvas.clipPath(shape, doAntiAlias=True)
    for _ in range(rng.randint(5, 25)):
        t = rng.uniform(-1, 1)
        start, end = (
            (x + w * t * 0.6, y - h * rng.uniform(1.0, 1.15)),
            (x + w * t * 1.05, y - h * rng.uniform(0.3, 0.6)),
        )
        bend = ((start[0] + end[0]) / 2 + w * t * 0.2, (start[1] + end[1]) / 2)
        canvas.drawPath(smooth([start, bend, end]), stroke(WHITE if dark else BLACK, line * rng.uniform(0.4, 1)))
    canvas.restore()


def rays(rng: Random, canvas: skia.Canvas, box: skia.Rect) -> None:
    """Draw lines of speed: towards a point, or all one way."""
    ink = rng.choice([BLACK, BLACK, WHITE])
    reach = box.width() + box.height()
    if rng.random() < 0.6:
        cx, cy = rng.uniform(box.left(), box.right()), rng.uniform(box.top(), box.bottom())
        free = rng.uniform(0.1, 0.35) * min(box.width(), box.height())
        for _ in range(rng.randint(60, 260)):
            t, half = rng.uniform(0, math.tau), rng.uniform(0.001, 0.012)
            start = free * rng.uniform(1, 2)
            ends = [(cx + reach * math.cos(t + s), cy + reach * math.sin(t + s)) for s in (-half, half)]
            canvas.drawPath(polygon([(cx + start * math.cos(t), cy + start * math.sin(t)), *ends]), fill(ink))
        return
    angle = rng.choice([0, math.pi / 2, rng.uniform(0, math.pi)])
    dx, dy = math.cos(angle), math.sin(angle)
    cx, cy = box.centerX(), box.centerY()
    for _ in range(rng.randint(40, 160)):
        off, a, b = rng.uniform(-0.5, 0.5) * reach, rng.uniform(-0.6, 0.6) * reach, rng.uniform(0.1, 0.6) * reach
        x, y = cx - dy * off, cy + dx * off
        points = [(x + dx * (a + b * k / 6), y + dy * (a + b * k / 6)) for k in range(7)]
        canvas.drawLine(*points[0], *points[-1], stroke(ink, rng.uniform(0.6, 2.5)))


def burst(rng: Random, canvas: skia.Canvas, box: skia.Rect) -> None:
    """Draw a flash of dark and light wedges about the middle."""
    cx, cy, count = box.centerX(), box.centerY(), rng.randint(12, 60)
    reach = box.width() + box.height()
    for i in range(count):
        t, half = (i + rng.uniform(-0.2, 0.2)) * math.tau / count, rng.uniform(0.2, 0.5) * math.pi / count
        canvas.drawPath(
            polygon([(cx, cy), *((cx + reach * math.cos(t + s), cy + reach * math.sin(t + s)) for s in (-half, half))]),
            fill(BLACK),
        )


def hatched(rng: Random, canvas: skia.Canvas, box: skia.Rect) -> None:
    """Hatch the box in one to three directions, by hand or by ruler, denser on one side."""
    reach, cx, cy = (box.width() + box.height()) * 0.7, box.centerX(), box.centerY()
    shaky, width = rng.choice([0, 0.6, 1.5]), rng.uniform(0.6, 1.6)
    first = rng.uniform(0, math.pi)
    for layer in range(rng.randint(1, 3)):
        angle, at = first + layer * rng.uniform(0.5, 1.2), -reach
        dx, dy = math.cos(angle), math.sin(angle)
        pitch = rng.uniform(2.2, 8)
        while at < reach:
            a, b = -reach * rng.uniform(0.8, 1), reach * rng.uniform(0.2, 1)
            points = []
            for k in range(5):
                along = a + (b - a) * k / 4
                points.append(
                    (cx + dx * along - dy * at + rng.gauss(0, shaky), cy + dy * along + dx * at + rng.gauss(0, shaky))
                )
            canvas.drawPath(smooth(points), stroke(BLACK, width))
            at += pitch * (1 + 0.8 * (at / reach))


def streets(rng: Random, canvas: skia.Canvas, box: skia.Rect, colour: bool) -> None:
    """Draw houses in outline, with windows, roofs, bricks and wires."""
    x = box.left() - 10
    line = rng.uniform(0.8, 1.8)
    while x < box.right():
        w, h = rng.uniform(40, 110), rng.uniform(0.3, 0.9) * box.height()
        house = skia.Rect.MakeLTRB(x, box.bottom() - h, x + w, box.bottom() + 5)
        wall = hsl(rng.random(), 0.3, rng.uniform(0.5, 0.9)) if colour else WHITE
        canvas.drawRect(house, fill(wall))
        canvas.drawRect(house, stroke(BLACK, line * 1.3))
        pitch, rows = rng.uniform(9, 22), rng.uniform(12, 26)
        dark = rng.random() < 0.5
        for i in range(int(w / pitch) - 1):
            for j in range(int(h / rows)):
                pane = skia.Rect.MakeXYWH(
                    x + (i + 0.7) * pitch, box.bottom() - h + (j + 0.4) * rows, pitch * 0.6, rows * 0.6
                )
                if dark:
                    canvas.drawRect(pane, fill(BLACK))
                canvas.drawRect(pane, stroke(BLACK, line))
                canvas.drawLine(pane.centerX(), pane.top(), pane.centerX(), pane.bottom(), stroke(BLACK, line * 0.8))
        x += w + rng.choice([0, rng.uniform(0, 30)])
