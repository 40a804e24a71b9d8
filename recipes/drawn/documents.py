"""Documents and forms: letters, tables, invoices, forms with boxes, newspapers, receipts and lists of code."""

from __future__ import annotations

import math
from random import Random

import numpy as np
import skia
from canvas import (
    ALIGN,
    Photos,
    Pixels,
    Sheet,
    fill,
    gradient,
    hsl,
    image,
    ink,
    paper,
    paragraph,
    smooth,
    stroke,
)
from paperwork import Page, form, table
from PIL import Image
from words import MONO, Voice, number


def draw(rng: Random, size: int, photos: Photos) -> Pixels:
    """Draw a part of a page, flat as scanned or lying on a table."""
    sheet = Sheet(size, factor=rng.choice([1, 2]))
    ground = paper(rng)
    fill_page = rng.choice((letter, table, table, form, form, news, receipt, listing))
    width, height = size * rng.uniform(1.0, 1.25), size * rng.uniform(1.0, 1.2)
    if rng.random() < 0.55:
        sheet.canvas.drawPaint(fill(ground))
        sheet.canvas.translate(-rng.uniform(0, width - size), 0)
        fill_page(Page(rng, sheet.canvas, width, height, ground), photos)
        return sheet.pixels()
    sheet.photo(photos.crop(rng, size, size))
    jitter = size * rng.uniform(0.02, 0.12)
    corners = [
        (x * size + rng.gauss(0, jitter), y * size + rng.gauss(0, jitter))
        for x, y in ((-0.05, -0.05), (1.05, -0.05), (1.05, 1.05), (-0.05, 1.05))
    ]
    with sheet.seen(width, height, corners) as canvas:
        page = skia.Rect.MakeWH(width, height)
        canvas.clipRect(page, doAntiAlias=True)
        canvas.drawRect(page, fill(ground))
        fill_page(Page(rng, canvas, width, height, ground), photos)
        shades = [hsl(0.1, 0.1, rng.uniform(0.6, 1)) for _ in range(2)]
        light = gradient(shades, (0, 0), (width * rng.random(), height))
        light.setBlendMode(skia.BlendMode.kMultiply)
        canvas.drawRect(page, light)
    return sheet.pixels()


def letter(page: Page, photos: Photos) -> None:
    """Write a letter: address, date, subject, paragraphs, signature."""
    rng, voice, margin = page.rng, page.voice, page.width * page.rng.uniform(0.04, 0.12)
    inner = page.width - 2 * margin
    for _ in range(rng.randint(2, 4)):
        page.y += page.put(f"{voice.name(rng)} {number(rng)}", margin, inner, 0.9)
    page.y += page.put(number(rng), margin, inner, align=ALIGN.kRight)
    page.y += page.put(voice.line(rng, 5), margin, inner, 1.2, weight=700) + page.letter
    align = rng.choice([ALIGN.kLeft, ALIGN.kJustify])
    while page.y < page.height:
        page.y += page.put(voice.text(rng, rng.randint(20, 60)), margin, inner, align=align) + page.letter * 0.7
        if rng.random() < 0.2:
            signature(rng, page.canvas, margin, page.y, page.letter)
            page.y += page.letter * 2.5


def signature(rng: Random, canvas: skia.Canvas, x: float, y: float, letter: float) -> None:
    """Draw a scrawl in blue or black."""
    points, phase = [], rng.uniform(0, 6)
    for i in range(rng.randint(30, 60)):
        at = x + i * letter * 0.12 + letter * 0.4 * math.cos(i * 0.9 + phase)
        points.append((at, y + letter + letter * rng.uniform(0.3, 0.9) * math.sin(i * 0.9 + phase)))
    canvas.drawPath(
        smooth(points), stroke(rng.choice([(0.1, 0.15, 0.5), (0.05, 0.05, 0.05)]), rng.uniform(1.2, 3), round_=True)
    )


def news(page: Page, photos: Photos) -> None:
    """Draw a newspaper: headlines, columns, a picture in print."""
    rng, voice = page.rng, page.voice
    page.letter = min(page.letter, 19)
    page.y += page.put(voice.line(rng, 5), 12, page.width - 24, rng.uniform(2, 4), weight=rng.choice([700, 900]))
    page.rule(12, page.width - 24, rng.uniform(0.7, 3))
    columns, top = rng.randint(2, 4), page.y + 8
    wide = (page.width - 24) / columns
    for column in range(columns):
        page.y, x = top, 12 + column * wide
        while page.y < page.height:
            draw_ = rng.random()
            if draw_ < 0.2:
                w, h = round(wide - 12), rng.randint(70, 180)
                crop = Image.fromarray(photos.crop(rng, w * 2, h * 2)).convert(rng.choice(["L", "RGB"])).convert("RGB")
                page.canvas.drawImageRect(
                    image(np.asarray(crop)),
                    skia.Rect.MakeXYWH(x, page.y, w, h),
                    skia.SamplingOptions(skia.FilterMode.kLinear, skia.MipmapMode.kLinear),
                )
                page.y += h + 4
                page.y += page.put(voice.line(rng, 6), x, wide - 12, 0.8, italic=True) + 6
            elif draw_ < 0.4:
                page.y += page.put(voice.line(rng, 4), x, wide - 12, 1.5, weight=700) + 4
            else:
                page.y += page.put(voice.text(rng, 30), x, wide - 12, align=ALIGN.kJustify) + 5
        if rng.random() < 0.5:
            page.canvas.drawLine(x - 6, top, x - 6, page.height, stroke(page.ink, 0.7))


def receipt(page: Page, photos: Photos) -> None:
    """Print a receipt: goods, counts and prices in type of one width."""
    rng = page.rng
    voice = page.voice = Voice(rng.choice(["en_US", "de_DE", "fr_FR", "es_ES", "pl_PL"]), rng.choice(MONO))
    margin = page.width * rng.uniform(0.03, 0.2)
    inner = page.width - 2 * margin
    for _ in range(3):
        page.y += page.put(voice.line(rng, 2).upper(), margin, inner, align=ALIGN.kCenter)
    while page.y < page.height:
        page.put(f"{rng.randint(1, 9)} x {voice.line(rng, 2)}"[: int(inner / page.letter)], margin, inner)
        page.y += page.put(f"{rng.uniform(0, 200):.2f}", margin, inner, align=ALIGN.kRight)
        if rng.random() < 0.15:
            page.y += page.put("-" * int(inner / page.letter / 0.62), margin, inner)
            page.y += page.put(
                f"{voice.line(rng, 1).upper()}  {rng.uniform(10, 500):.2f}",
                margin,
                inner,
                1.3,
                weight=700,
                align=ALIGN.kRight,
            )


def listing(page: Page, photos: Photos) -> None:
    """Print lines of a program's code or of a log, coloured or not."""
    rng = page.rng
    voice = page.voice = Voice("en_US", rng.choice(MONO))
    coloured, depth, line = rng.random() < 0.6, 0, rng.randint(1, 400)
    inks = [ink(rng, page.ground, 0.4) for _ in range(4)] if coloured else [page.ink] * 4
    while page.y < page.height:
        words = [word.lower() for word in voice.words(rng, 4)]
        text, depth = rng.choice(
            [
                (f"{words[0]}_{words[1]} = {words[2]}({words[3]}, {rng.randint(0, 99)})", depth),
                (f"for {words[0]} in range({rng.randint(2, 64)}):", depth + 1),
                (f"if {words[0]} >= {words[1]}[{rng.randint(0, 9)}]:  # {words[2]} {words[3]}", depth + 1),
                (f'return "{words[0]} {words[1]}" + str({words[2]})', max(depth - 1, 0)),
                (f"{number(rng)} [{words[0]}] {words[1]}: {number(rng)}", depth),
                ("", depth),
            ]
        )
        x = 8 + page.letter * 3 + min(depth, 4) * page.letter * 2.4
        paragraph(f"{line:3d}", voice.family, page.letter, page.accent).paint(page.canvas, 6, page.y)
        for word in text.split(" "):
            block = paragraph(
                word + " ", voice.family, page.letter, rng.choice(inks), weight=rng.choice([400, 400, 400, 700])
            )
            block.paint(page.canvas, x, page.y)
            x += block.MaxIntrinsicWidth
        page.y += page.letter * 1.35
        line += 1
