"""Barcodes and matrix codes of random numbers, and fields of them."""

from __future__ import annotations

from random import Random

import barcode
import segno
import skia
from canvas import (
    BLACK,
    WHITE,
    Photos,
    fill,
    paper,
    paragraph,
)
from plates import centred, fitted
from words import code, number


def bars(rng: Random, canvas: skia.Canvas, x: float, y: float, width: float, height: float) -> None:
    """Draw a barcode with its number on a white field."""
    kind = rng.choice(["ean13", "ean8", "code128", "code39", "upca"])
    text = code(
        rng, {"ean13": "0" * 12, "ean8": "0" * 7, "upca": "0" * 11, "code128": "AA00000A", "code39": "A0000"}[kind]
    )
    made = barcode.get_barcode_class(kind)(text)
    modules = made.build()[0].replace("G", "1")
    canvas.drawRect(skia.Rect.MakeXYWH(x, y, width, height), fill(WHITE))
    step, tall = width * 0.9 / len(modules), height * 0.76
    for i, module in enumerate(modules):
        if module == "1":
            canvas.drawRect(skia.Rect.MakeXYWH(x + width * 0.05 + i * step, y + height * 0.04, step, tall), fill(BLACK))
    centred(
        canvas,
        fitted(made.get_fullcode(), "Liberation Mono", width * 0.8, height * 0.2, BLACK),
        x + width / 2,
        y + height * 0.9,
    )


def matrix(rng: Random, canvas: skia.Canvas, x: float, y: float, side: float) -> None:
    """Draw a matrix code of random text on a white field."""
    rows = segno.make("".join(code(rng, "A0") for _ in range(rng.randint(3, 40))), micro=False).matrix
    canvas.drawRect(skia.Rect.MakeXYWH(x, y, side, side), fill(WHITE))
    step = side / (len(rows) + 4)
    for j, row in enumerate(rows):
        for i, dark in enumerate(row):
            if dark:
                canvas.drawRect(
                    skia.Rect.MakeXYWH(x + (i + 2) * step, y + (j + 2) * step, step, step),
                    skia.Paint(Color=0xFF000000, AntiAlias=True),
                )


def codes(rng: Random, canvas: skia.Canvas, width: float, height: float, photos: Photos) -> None:
    """Draw a field of barcodes and matrix codes with their numbers."""
    canvas.drawRect(skia.Rect.MakeWH(width, height), fill(paper(rng)))
    rows = rng.randint(2, 5)
    cell = height / rows
    for i in range(rows):
        matrix(rng, canvas, width * 0.03, i * cell + 4, min(cell - 8, width * 0.4))
        bars(rng, canvas, width * 0.45, i * cell + 4, width * 0.5, cell * 0.6)
        paragraph(number(rng) + " " + number(rng), "Liberation Mono", cell * 0.14, BLACK).paint(
            canvas, width * 0.46, i * cell + cell * 0.68
        )
