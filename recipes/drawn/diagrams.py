"""Circuits, music and machines in lines, drawn for the line art."""

from __future__ import annotations

import math
from random import Random

import skia
from canvas import (
    Colour,
    Point,
    fill,
    paragraph,
    polygon,
    stroke,
)
from words import SANS, Voice, code


def circuit(rng: Random, canvas: skia.Canvas, size: int, tint: Colour) -> None:
    """Draw a diagram of parts and wires with their names and values."""
    pitch, line = rng.uniform(40, 80), stroke(tint, rng.uniform(1, 2.4))
    voice, letter = Voice.drawn(rng, 0.9, SANS), rng.uniform(9, 16)
    n = int(size / pitch) + 1
    for i in range(n):
        for j in range(n):
            x, y = i * pitch, j * pitch
            for dx, dy in ((pitch, 0), (0, pitch)):
                if rng.random() < 0.4:
                    continue
                canvas.save()
                canvas.translate(x, y)
                canvas.rotate(math.degrees(math.atan2(dy, dx)))
                part, a, b = rng.randrange(6), pitch * 0.3, pitch * 0.7
                if part == 0:
                    canvas.drawRect(skia.Rect.MakeLTRB(a, -5, b, 5), line)
                elif part == 1:
                    canvas.drawLine(pitch / 2 - 3, -9, pitch / 2 - 3, 9, line)
                    canvas.drawLine(pitch / 2 + 3, -9, pitch / 2 + 3, 9, line)
                    a, b = pitch / 2 - 3, pitch / 2 + 3
                elif part == 2:
                    canvas.drawPath(
                        polygon(
                            [(a, 0), *((a + (b - a) * (k + 0.5) / 6, 7 * (-1) ** k) for k in range(6)), (b, 0)], False
                        ),
                        line,
                    )
                elif part == 3:
                    canvas.drawCircle(pitch / 2, 0, (b - a) / 2, line)
                else:
                    a = b = pitch / 2
                canvas.drawLine(0, 0, a, 0, line)
                canvas.drawLine(b, 0, pitch, 0, line)
                canvas.restore()
                if part < 4 and rng.random() < 0.8:
                    label = (
                        f"{code(rng, 'A0')} {rng.randint(1, 990)} {rng.choice(['Ω', 'kΩ', 'nF', 'µF', 'V', 'mH'])}"
                        if rng.random() < 0.7
                        else voice.line(rng, 1)
                    )
                    paragraph(label, "DejaVu Sans", letter, tint).paint(canvas, x + dx / 2 - 15, y + dy / 2 + 7)
            if rng.random() < 0.4:
                canvas.drawCircle(x, y, 3, fill(tint))


def music(rng: Random, canvas: skia.Canvas, size: int, tint: Colour) -> None:
    """Draw staves with notes, stems, beams, bars and words below."""
    gap, voice = rng.uniform(5, 12), Voice.drawn(rng, 0.9)
    y = -gap * rng.uniform(0, 6)
    while y < size:
        for k in range(5):
            canvas.drawLine(0, y + k * gap, size, y + k * gap, stroke(tint, max(gap * 0.1, 0.7)))
        x, beam = gap * 2, None
        while x < size:
            at = y + rng.randint(-2, 9) * gap / 2
            up = at > y + 2 * gap
            tip = at - gap * 3.2 if up else at + gap * 3.2
            stem = x + gap * 0.55 if up else x - gap * 0.55
            with_head = fill(tint) if rng.random() < 0.75 else stroke(tint, gap * 0.18)
            canvas.save()
            canvas.rotate(-20, x, at)
            canvas.drawOval(skia.Rect.MakeXYWH(x - gap * 0.62, at - gap * 0.42, gap * 1.24, gap * 0.84), with_head)
            canvas.restore()
            canvas.drawLine(stem, at, stem, tip, stroke(tint, gap * 0.14))
            if beam and rng.random() < 0.6:
                canvas.drawPath(
                    polygon([beam, (stem, tip), (stem, tip + gap * 0.45), (beam[0], beam[1] + gap * 0.45)]), fill(tint)
                )
            beam = (stem, tip) if rng.random() < 0.6 else None
            x += gap * rng.uniform(1.8, 3.5)
            if rng.random() < 0.2:
                canvas.drawLine(x, y, x, y + 4 * gap, stroke(tint, gap * 0.16))
                x += gap * 1.5
        if rng.random() < 0.7:
            paragraph(voice.line(rng, 12), voice.family, gap * 1.6, tint, spacing=gap * 0.4).paint(
                canvas, gap, y + gap * 6.2
            )
        y += gap * rng.uniform(9.5, 11)


def gears(rng: Random, canvas: skia.Canvas, size: int, tint: Colour) -> None:
    """Draw wheels with teeth, hubs, axes and their diameters, as on the drawing of a machine."""
    thin = stroke(tint, rng.uniform(0.6, 1.2))
    for _ in range(rng.randint(2, 9)):
        cx, cy, r, count = rng.uniform(0, size), rng.uniform(0, size), rng.uniform(30, 170), rng.randint(10, 60)
        rim: list[Point] = []
        for k in range(4 * count):
            t, reach = k * math.tau / (4 * count), r * (1.08 if k % 4 in (1, 2) else 0.95)
            rim.append((cx + reach * math.cos(t), cy + reach * math.sin(t)))
        canvas.drawPath(polygon(rim), stroke(tint, rng.uniform(1.2, 3)))
        for share in (0.8, 0.3, 0.12):
            canvas.drawCircle(cx, cy, r * share, thin)
        axis = stroke(tint, 0.8, dash=[12, 3, 3, 3])
        canvas.drawLine(cx - r * 1.2, cy, cx + r * 1.2, cy, axis)
        canvas.drawLine(cx, cy - r * 1.2, cx, cy + r * 1.2, axis)
        for k in range(rng.randint(0, 8)):
            canvas.drawCircle(cx + r * 0.55 * math.cos(k), cy + r * 0.55 * math.sin(k), r * 0.1, thin)
        paragraph(f"⌀{r:.1f} ±0.{rng.randint(1, 9)}", "DejaVu Sans", rng.uniform(10, 20), tint).paint(
            canvas, cx + r * 0.2, cy - r * 0.75
        )
