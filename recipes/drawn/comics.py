"""Pages of comics and manga: panels of inked photographs, faces and lines, with bubbles, captions and sounds."""

from __future__ import annotations

import math
from random import Random

import skia
from canvas import ALIGN, CUBIC, Photos, Pixels, Point, Sheet, fill, hsl, image, paragraph, polygon, smooth, stroke
from figures import burst, face, hatched, rays, streets
from inking import inked, painted, toned
from words import HAND, JAPANESE, Voice

BLACK, WHITE = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)


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
    panels = divided(rng, [(gutter, gutter), (page - gutter, gutter), (page - gutter, page - gutter), (gutter, page - gutter)], gutter, 0)
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
        left, right = mixed(a, d, t), mixed(b, c, u)
        upper = [a, b, (right[0], right[1] - gutter / 2), (left[0], left[1] - gutter / 2)]
        lower = [(left[0], left[1] + gutter / 2), (right[0], right[1] + gutter / 2), c, d]
        return divided(rng, upper, gutter, depth + 1) + divided(rng, lower, gutter, depth + 1)
    top, bottom = mixed(a, b, t), mixed(d, c, u)
    first = [a, (top[0] - gutter / 2, top[1]), (bottom[0] - gutter / 2, bottom[1]), d]
    second = [(top[0] + gutter / 2, top[1]), b, c, (bottom[0] + gutter / 2, bottom[1])]
    return divided(rng, first, gutter, depth + 1) + divided(rng, second, gutter, depth + 1)


def mixed(a: Point, b: Point, t: float) -> Point:
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
                reach = min(width, height) * rng.uniform(0.35, 0.6) / (1 + 0.3 * i)
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


def bubble(rng: Random, canvas: skia.Canvas, corners: list[Point], japanese: bool) -> None:
    """Draw a balloon or a caption with what is said in it."""
    x = rng.uniform(corners[0][0] + 40, max(corners[1][0] - 40, corners[0][0] + 41))
    y = rng.uniform(corners[0][1] + 30, max(corners[3][1] - 60, corners[0][1] + 31))
    letter = rng.uniform(11, 22)
    blocks, w, h = spoken(rng, letter, japanese)
    rx, ry = w * 0.66 + 7, h * 0.66 + 7
    kind = rng.random()
    if kind < 0.15:
        shape = polygon([(x - w / 2 - 8, y - h / 2 - 6), (x + w / 2 + 8, y - h / 2 - 6), (x + w / 2 + 8, y + h / 2 + 6), (x - w / 2 - 8, y + h / 2 + 6)])
    elif kind < 0.35:
        count = rng.randint(14, 30)
        spikes = [(1.0 if i % 2 else rng.uniform(1.15, 1.5), i * math.tau / (2 * count)) for i in range(2 * count)]
        shape = polygon([(x + rx * r * math.cos(t), y + ry * r * math.sin(t)) for r, t in spikes])
    else:
        wobble, count = rng.choice([0, 0.03, 0.1]), rng.randint(8, 16)
        rim = [1 + (wobble if i % 2 else -wobble) + rng.gauss(0, 0.015) for i in range(count)]
        shape = smooth([(x + rx * r * math.cos(i * math.tau / count), y + ry * r * math.sin(i * math.tau / count)) for i, r in enumerate(rim)], True)
    line, black = rng.uniform(1, 3), rng.random() < 0.06
    if kind > 0.35 and rng.random() < 0.7:
        t, reach = rng.uniform(0, math.tau), rng.uniform(1.2, 1.6)
        tail = [(x + rx * 0.8 * math.cos(t + s), y + ry * 0.8 * math.sin(t + s)) for s in (-0.2, 0.2)]
        tip = (x + rx * reach * math.cos(t + 0.2), y + ry * reach * math.sin(t + 0.2))
        shape = skia.Op(shape, polygon([tail[0], tip, tail[1]]), skia.PathOp.kUnion_PathOp)
    canvas.drawPath(shape, fill(BLACK if black else WHITE))
    canvas.drawPath(shape, stroke(BLACK, line, round_=True))
    for block, across, down in blocks(WHITE if black else BLACK):
        block.paint(canvas, x + across, y + down)


def spoken(rng: Random, letter: float, japanese: bool):  # noqa: ANN201 - a function that sets the text in a colour
    """Return what is said: a function of the colour, and its width and height. Japanese runs in columns from the right."""
    if not japanese:
        voice = Voice(rng.choice(["en_US", "fr_FR", "es_ES", "it_IT", "de_DE"]), rng.choice(HAND[:2] + HAND[:2] + HAND))
        text = voice.text(rng, rng.randint(2, 12))
        text = text.upper() if rng.random() < 0.6 else text
        weight = rng.choice([400, 400, 700])
        first = paragraph(text, voice.family, letter, BLACK, letter * rng.uniform(5, 9), weight, align=ALIGN.kCenter)
        first.layout(max(first.MinIntrinsicWidth, first.LongestLine) + 1)
        wide, tall = first.LongestLine, first.Height

        def set_(colour: tuple[float, float, float]) -> list[tuple[skia.textlayout.Paragraph, float, float]]:
            block = paragraph(text, voice.family, letter, colour, wide + 1, weight, align=ALIGN.kCenter)
            return [(block, -wide / 2, -tall / 2)]

        return set_, wide, tall
    family = rng.choice(JAPANESE[:-1])
    lines = [Voice("ja_JP", family).line(rng, rng.randint(1, 4)).replace("ー", "")[: rng.randint(4, 9)] for _ in range(rng.randint(1, 4))]
    pitch, step = letter * rng.uniform(1.25, 1.6), letter * rng.uniform(1.0, 1.15)
    wide, tall = pitch * len(lines), step * max(map(len, lines))
    weight = rng.choice([400, 500, 700])

    def columns(colour: tuple[float, float, float]) -> list[tuple[skia.textlayout.Paragraph, float, float]]:
        blocks = []
        for i, line in enumerate(lines):
            for j, sign in enumerate(line):
                block = paragraph(sign, family, letter, colour, weight=weight)
                at = wide / 2 - (i + 0.5) * pitch - block.LongestLine / 2
                blocks.append((block, at, -tall / 2 + j * step - (block.Height - letter) / 2))
        return blocks

    return columns, wide, tall


def sound(rng: Random, canvas: skia.Canvas, corners: list[Point], japanese: bool) -> None:
    """Letter a sound across the panel: large, outlined, turned."""
    if japanese:
        text = "".join(rng.choice("ガギグゲゴザジズゼゾダドバビブベボッンァィゥォドゴパピプペポキシャワ") for _ in range(rng.randint(2, 5)))
        family = rng.choice(("Reggae One", "Noto Sans CJK JP Black", "Yusei Magic"))
    else:
        text = rng.choice("BKPTWZCRS") + rng.choice(["A", "O", "U", "OO", "RA", "LA"]) + rng.choice(["M", "SH", "NG", "CK", "P", "K"])
        text, family = text + "!" * rng.randint(0, 2), rng.choice(("Tomson Talks", "Bebas Neue", "Comic Neue", "Lato Black"))
    letter = rng.uniform(40, 120)
    x, y = corners[0][0] + rng.uniform(0, 80), corners[0][1] + rng.uniform(0, 120)
    light = rng.random() < 0.5
    canvas.save()
    canvas.rotate(rng.gauss(0, 15), x, y)
    canvas.skew(rng.gauss(0, 0.2), 0)
    paragraph(text, family, letter, stroke(BLACK if light else WHITE, letter * 0.12, round_=True)).paint(canvas, x, y)
    paragraph(text, family, letter, WHITE if light else BLACK).paint(canvas, x, y)
    canvas.restore()
