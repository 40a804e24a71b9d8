"""What is said and heard on a page of comics: balloons, captions and lettered sounds."""

from __future__ import annotations

import math
from collections.abc import Iterable
from random import Random

import skia
from canvas import ALIGN, BLACK, WHITE, Colour, Point, fill, paragraph, polygon, smooth, stroke
from words import HAND, JAPANESE, Voice

Placed = tuple[skia.textlayout.Paragraph, float, float]  # a block of text and where it stands


def bubble(rng: Random, canvas: skia.Canvas, corners: list[Point], japanese: bool) -> None:
    """Draw a balloon or a caption with what is said in it."""
    x = rng.uniform(corners[0][0] + 40, max(corners[1][0] - 40, corners[0][0] + 41))
    y = rng.uniform(corners[0][1] + 30, max(corners[3][1] - 60, corners[0][1] + 31))
    black, letter = rng.random() < 0.06, rng.uniform(11, 22)
    blocks, w, h = (spoken_down if japanese else spoken)(rng, letter, WHITE if black else BLACK)
    shape = outline(rng, x, y, w, h)
    canvas.drawPath(shape, fill(BLACK if black else WHITE))
    canvas.drawPath(shape, stroke(BLACK, rng.uniform(1, 3), round_=True))
    for block, across, down in blocks:
        block.paint(canvas, x + across, y + down)


def outline(rng: Random, x: float, y: float, w: float, h: float) -> skia.Path:
    """Return the outline of a balloon about text of w x h: a box, a star, or an oval with a tail."""
    rx, ry, kind = w * 0.66 + 7, h * 0.66 + 7, rng.random()

    def around(radii: Iterable[float]) -> list[Point]:
        radii = list(radii)
        turns = [i * math.tau / len(radii) for i in range(len(radii))]
        return [(x + rx * r * math.cos(t), y + ry * r * math.sin(t)) for r, t in zip(radii, turns, strict=True)]

    if kind < 0.15:
        return skia.Path.Rect(skia.Rect.MakeXYWH(x - w / 2 - 8, y - h / 2 - 6, w + 16, h + 12))
    if kind < 0.35:
        return polygon(around(1.0 if i % 2 else rng.uniform(1.15, 1.5) for i in range(2 * rng.randint(14, 30))))
    wobble, count = rng.choice([0, 0.03, 0.1]), 2 * rng.randint(4, 8)
    oval = smooth(around(1 + (wobble if i % 2 else -wobble) + rng.gauss(0, 0.015) for i in range(count)), True)
    if rng.random() < 0.3:
        return oval
    t, reach = rng.uniform(0, math.tau), rng.uniform(1.2, 1.6)
    ends = [(0.8, t - 0.2), (reach, t + 0.2), (0.8, t + 0.2)]
    tail = polygon([(x + rx * r * math.cos(turn), y + ry * r * math.sin(turn)) for r, turn in ends])
    return skia.Op(oval, tail, skia.PathOp.kUnion_PathOp)


def spoken(rng: Random, letter: float, colour: Colour) -> tuple[list[Placed], float, float]:
    """Return what is said in lines of Latin letters, placed about the middle, and its width and height."""
    voice = Voice(rng.choice(["en_US", "fr_FR", "es_ES", "it_IT", "de_DE"]), rng.choice(HAND[:2] + HAND[:2] + HAND))
    text = voice.text(rng, rng.randint(2, 12))
    text = text.upper() if rng.random() < 0.6 else text
    width = letter * rng.uniform(5, 9)
    block = paragraph(text, voice.family, letter, colour, width, rng.choice([400, 400, 700]), align=ALIGN.kCenter)
    block.layout(max(block.MinIntrinsicWidth, block.LongestLine) + 1)
    return [(block, -block.Width / 2, -block.Height / 2)], block.LongestLine, block.Height


def spoken_down(rng: Random, letter: float, colour: Colour) -> tuple[list[Placed], float, float]:
    """Return what is said in columns of Japanese from the right, placed about the middle, and its width and height."""
    family, weight = rng.choice(JAPANESE[:-1]), rng.choice([400, 500, 700])
    voice = Voice("ja_JP", family)
    lines = [voice.line(rng, rng.randint(1, 4)).replace("ー", "") for _ in range(rng.randint(1, 4))]
    lines = [line[: rng.randint(4, 9)] for line in lines]
    pitch, step = letter * rng.uniform(1.25, 1.6), letter * rng.uniform(1.0, 1.15)
    wide, tall = pitch * len(lines), step * max(map(len, lines))
    placed = []
    for i, line in enumerate(lines):
        for j, sign in enumerate(line):
            block = paragraph(sign, family, letter, colour, weight=weight)
            at = wide / 2 - (i + 0.5) * pitch - block.LongestLine / 2
            placed.append((block, at, -tall / 2 + j * step - (block.Height - letter) / 2))
    return placed, wide, tall


def sound(rng: Random, canvas: skia.Canvas, corners: list[Point], japanese: bool) -> None:
    """Letter a sound across the panel: large, outlined, turned."""
    if japanese:
        text = "".join(
            rng.choice("ガギグゲゴザジズゼゾダドバビブベボッンァィゥォドゴパピプペポキシャワ")
            for _ in range(rng.randint(2, 5))
        )
        family = rng.choice(("Reggae One", "Noto Sans CJK JP Black", "Yusei Magic"))
    else:
        text = (
            rng.choice("BKPTWZCRS")
            + rng.choice(["A", "O", "U", "OO", "RA", "LA"])
            + rng.choice(["M", "SH", "NG", "CK", "P", "K"])
        )
        text, family = (
            text + "!" * rng.randint(0, 2),
            rng.choice(("Tomson Talks", "Bebas Neue", "Comic Neue", "Lato Black")),
        )
    letter = rng.uniform(40, 120)
    x, y = corners[0][0] + rng.uniform(0, 80), corners[0][1] + rng.uniform(0, 120)
    light = rng.random() < 0.5
    canvas.save()
    canvas.rotate(rng.gauss(0, 15), x, y)
    canvas.skew(rng.gauss(0, 0.2), 0)
    paragraph(text, family, letter, stroke(BLACK if light else WHITE, letter * 0.12, round_=True)).paint(canvas, x, y)
    paragraph(text, family, letter, WHITE if light else BLACK).paint(canvas, x, y)
    canvas.restore()
