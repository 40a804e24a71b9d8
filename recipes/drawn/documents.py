"""Documents and forms: letters, tables, invoices, forms with boxes, newspapers, receipts and lists of code."""

from __future__ import annotations

import math
from random import Random

import numpy as np
import skia
from canvas import ALIGN, Colour, Photos, Pixels, Sheet, fill, gradient, hsl, image, ink, paper, paragraph, smooth, stroke
from PIL import Image
from words import MONO, SANS, SERIF, Voice, code, number


class Page:
    """A sheet of paper being filled from the top."""

    def __init__(self, rng: Random, canvas: skia.Canvas, width: float, height: float, ground: Colour) -> None:
        """Draw a language, type and inks for the page."""
        self.rng, self.canvas, self.width, self.height, self.ground = rng, canvas, width, height, ground
        self.voice = Voice.drawn(rng, 0.65, rng.choice([SANS, SANS, SERIF, MONO]))
        self.letter = rng.choice([13, 15, 17, 19, 22, 26, 32]) * rng.uniform(0.9, 1.1)
        self.ink, self.accent = ink(rng, ground, 0.45), ink(rng, ground, 0.3)
        self.y = rng.uniform(-60, 20)

    def put(self, text: str, x: float, width: float, scale: float = 1.0, **how: object) -> float:
        """Set text at the pen's height; return how high it is."""
        block = paragraph(text, self.voice.family, self.letter * scale, self.ink, max(width, 20), **how)  # type: ignore[arg-type]
        block.paint(self.canvas, x, self.y)
        return float(block.Height)

    def rule(self, x: float, width: float, thick: float = 1.0) -> None:
        """Draw a level line at the pen."""
        self.canvas.drawLine(x, self.y, x + width, self.y, stroke(self.ink, thick))


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
    corners = [(x * size + rng.gauss(0, jitter), y * size + rng.gauss(0, jitter)) for x, y in ((-0.05, -0.05), (1.05, -0.05), (1.05, 1.05), (-0.05, 1.05))]
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
    canvas.drawPath(smooth(points), stroke(rng.choice([(0.1, 0.15, 0.5), (0.05, 0.05, 0.05)]), rng.uniform(1.2, 3), round_=True))


def table(page: Page, photos: Photos) -> None:
    """Draw a title and a table of words and numbers, with lines, stripes or neither."""
    rng, voice, canvas = page.rng, page.voice, page.canvas
    page.y += page.put(voice.line(rng, 4), 20, page.width, rng.uniform(1.2, 2), weight=700) + 6
    cuts, x = [10.0], 10.0
    while x < page.width:
        x += page.letter * rng.uniform(3, 12)
        cuts.append(x)
    lines, stripes, thick = rng.random() < 0.6, rng.random() < 0.5, rng.choice([0.6, 1, 1, 2])
    row_height, top = page.letter * rng.uniform(1.4, 2), page.y
    numbers = [rng.random() < 0.6 for _ in cuts]
    row = 0
    while page.y < page.height:
        if row == 0 or (stripes and row % 2):
            tint = tuple(0.8 * a + 0.2 * b for a, b in zip(page.ground, page.accent, strict=True))
            canvas.drawRect(skia.Rect.MakeXYWH(10, page.y, page.width, row_height), fill(tint))  # type: ignore[arg-type]
        if lines:
            page.rule(10, page.width, thick)
        for left, right, is_number in zip(cuts, cuts[1:], numbers, strict=False):
            text = voice.line(rng, 1) if row == 0 or not is_number else f"{rng.uniform(0, 10 ** rng.randint(1, 5)):,.{rng.randint(0, 2)}f}"
            canvas.save()
            canvas.clipRect(skia.Rect.MakeLTRB(left, page.y, right, page.y + row_height))
            block = paragraph(text, voice.family, page.letter, page.ink, weight=700 if row == 0 else 400)
            at = right - 4 - block.LongestLine if is_number and row else left + 4
            block.paint(canvas, at, page.y + (row_height - block.Height) / 2)
            canvas.restore()
        page.y += row_height
        row += 1
    if lines and rng.random() < 0.7:
        for cut in cuts:
            canvas.drawLine(cut, top, cut, page.y, stroke(page.ink, thick))


def form(page: Page, photos: Photos) -> None:
    """Draw a form: labels, boxes for letters, lines to write on, boxes to tick, and what was filled in."""
    rng, voice, canvas = page.rng, page.voice, page.canvas
    page.letter = min(page.letter, 20)
    hand = rng.choice([Voice("en_US", "DkgHandwriting"), Voice("en_US", "Comic Neue"), Voice("en_US", "Liberation Mono")])
    blue = rng.choice([(0.1, 0.15, 0.55), (0.05, 0.05, 0.05)])
    page.y += page.put(voice.line(rng, 4), 16, page.width, 1.6, weight=700) + 8
    while page.y < page.height:
        style, left, inner = rng.randrange(4), 16.0, page.width - 32
        page.y += page.put(f"{rng.randint(1, 40)}. {voice.line(rng, rng.randint(1, 5))}", left, inner, 0.8) + 3
        box = page.letter * 1.7
        if style == 0:
            for i, sign in enumerate(code(rng, "".join(rng.choice("A0") for _ in range(int(inner / box))))):
                square = skia.Rect.MakeXYWH(left + i * box, page.y, box, box)
                canvas.drawRect(square, stroke(page.accent, 1.2))
                if i < inner / box * 0.7:
                    block = paragraph(sign, hand.family, page.letter * 1.3, blue)
                    block.paint(canvas, square.centerX() - block.LongestLine / 2, page.y + (box - block.Height) / 2)
        elif style == 1:
            for i in range(rng.randint(2, 5)):
                x = left + i * inner / 4
                canvas.drawRect(skia.Rect.MakeXYWH(x, page.y + 3, page.letter, page.letter), stroke(page.ink, 1.3))
                if rng.random() < 0.4:
                    for a, b in ((0, 1), (1, 0)):
                        canvas.drawLine(x - 2, page.y + 1 + a * page.letter, x + page.letter + 2, page.y + 3 + b * page.letter, stroke(blue, 2))
                paragraph(voice.line(rng, 1), voice.family, page.letter, page.ink).paint(canvas, x + page.letter * 1.5, page.y)
        else:
            if style == 2:
                canvas.drawRect(skia.Rect.MakeXYWH(left, page.y, inner * rng.uniform(0.4, 1), box), stroke(page.accent, 1))
            else:
                canvas.drawLine(left, page.y + box, left + inner, page.y + box, stroke(page.accent, 1, dash=rng.choice([(), (2, 3)])))
            text = hand.name(rng) if rng.random() < 0.5 else number(rng)
            paragraph(text, hand.family, page.letter * 1.3, blue).paint(canvas, left + 6, page.y)
        page.y += box + page.letter * 0.6


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
                page.canvas.drawImageRect(image(np.asarray(crop)), skia.Rect.MakeXYWH(x, page.y, w, h), skia.SamplingOptions(skia.FilterMode.kLinear, skia.MipmapMode.kLinear))
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
            page.y += page.put(f"{voice.line(rng, 1).upper()}  {rng.uniform(10, 500):.2f}", margin, inner, 1.3, weight=700, align=ALIGN.kRight)


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
            block = paragraph(word + " ", voice.family, page.letter, rng.choice(inks), weight=rng.choice([400, 400, 400, 700]))
            block.paint(page.canvas, x, page.y)
            x += block.MaxIntrinsicWidth
        page.y += page.letter * 1.35
        line += 1
