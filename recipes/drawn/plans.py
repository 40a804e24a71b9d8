"""Networks of lines with stops, and plans of floors, drawn for the maps."""

from __future__ import annotations

import math
from random import Random

import skia
from canvas import Colour, Point, Sheet, fill, hsl, ink, paragraph, polygon, stroke
from words import SANS, Voice


def name(
    rng: Random,
    canvas: skia.Canvas,
    voice: Voice,
    x: float,
    y: float,
    letter: float,
    tint: Colour,
    halo: Colour,
    angle: float = 0,
) -> None:
    """Set a name in the middle of a point, with a halo of the ground's colour."""
    text, weight, italic = voice.line(rng, rng.randint(1, 2)), rng.choice([400, 400, 600, 700]), rng.random() < 0.2
    edge = paragraph(text, voice.family, letter, stroke(halo, letter * 0.28, round_=True), weight=weight, italic=italic)
    block = paragraph(text, voice.family, letter, tint, weight=weight, italic=italic)
    canvas.save()
    canvas.translate(x, y)
    canvas.rotate(angle)
    for layer in (edge, block):
        layer.paint(canvas, -block.LongestLine / 2, -block.Height / 2)
    canvas.restore()


def network(rng: Random, sheet: Sheet) -> None:
    """Draw lines of a metro at angles of 45°, with stops and their names."""
    size, canvas = sheet.size, sheet.canvas
    ground: Colour = rng.choice([(1, 1, 1), (0.97, 0.97, 0.93), (0.1, 0.1, 0.13)])
    canvas.drawPaint(fill(ground))
    voice, letter, width = Voice.drawn(rng, 0.7, SANS), rng.uniform(9, 18), rng.uniform(4, 12)
    stops: list[Point] = []
    for _ in range(rng.randint(3, 8)):
        x, y, heading = rng.uniform(0, size), rng.uniform(0, size), rng.randrange(8)
        for back in (0, 4):
            way, px, py, h = [(x, y)], x, y, heading + back
            while -50 < px < size + 50 and -50 < py < size + 50 and len(way) < 12:
                reach = rng.uniform(50, 130)
                px, py = px + reach * math.cos(h * math.pi / 4), py + reach * math.sin(h * math.pi / 4)
                way.append((px, py))
                h += rng.choice([0, 0, 1, -1])
            tint = hsl(0.13 * heading + 0.02, 0.75, rng.uniform(0.4, 0.55))
            canvas.drawPath(polygon(way, False), stroke(tint, width, round_=True))
            stops += way[:-1]
    for x, y in stops:
        canvas.drawCircle(x, y, width * 0.7, fill((1, 1, 1)))
        canvas.drawCircle(x, y, width * 0.7, stroke((0, 0, 0), max(width * 0.25, 1.2)))
        if rng.random() < 0.8:
            name(
                rng,
                canvas,
                voice,
                x + rng.choice([-1, 1]) * 20,
                y + letter * 1.3,
                letter,
                ink(rng, ground, 0.8),
                ground,
                rng.choice([0, 0, -45]),
            )


def plan(rng: Random, sheet: Sheet) -> None:
    """Draw the plan of a floor or a part: walls, doors, hatching, measures with arrows, names of rooms."""
    size, canvas = sheet.size, sheet.canvas
    ground: Colour = rng.choice([(1, 1, 1), (1, 1, 1), (0.97, 0.95, 0.9), (0.1, 0.2, 0.45)])
    canvas.drawPaint(fill(ground))
    tint = ink(rng, ground, 0.8)
    thick, thin = rng.uniform(3, 8), rng.uniform(0.6, 1.4)
    voice = Voice.drawn(rng, 0.8, SANS)
    rooms = [skia.Rect.MakeXYWH(30, 30, size - 45, size - 45)]
    for _ in range(rng.randint(3, 9)):
        rooms.sort(key=lambda room: room.width() * room.height())
        room = rooms.pop()
        at = rng.uniform(0.35, 0.65)
        if room.width() > room.height():
            cut = room.left() + at * room.width()
            rooms += [
                skia.Rect.MakeLTRB(room.left(), room.top(), cut, room.bottom()),
                skia.Rect.MakeLTRB(cut, room.top(), room.right(), room.bottom()),
            ]
        else:
            cut = room.top() + at * room.height()
            rooms += [
                skia.Rect.MakeLTRB(room.left(), room.top(), room.right(), cut),
                skia.Rect.MakeLTRB(room.left(), cut, room.right(), room.bottom()),
            ]
    for room in rooms:
        if rng.random() < 0.3:
            canvas.save()
            canvas.clipRect(room)
            pitch = rng.uniform(4, 14)
            for k in range(-int(room.height() / pitch) - 1, int(room.width() / pitch) + 1):
                canvas.drawLine(
                    room.left() + k * pitch,
                    room.top(),
                    room.left() + k * pitch + room.height(),
                    room.bottom(),
                    stroke(tint, thin * 0.7),
                )
            canvas.restore()
        canvas.drawRect(room, stroke(tint, thick))
        door = rng.uniform(20, 40)
        x, y = room.left() + 12, room.top()
        canvas.drawLine(x, y, x + door, y, stroke(ground, thick + 1))
        canvas.drawLine(x, y, x, y + door, stroke(tint, thin * 1.5))
        canvas.drawArc(skia.Rect.MakeXYWH(x - door, y - door, 2 * door, 2 * door), 0, 90, False, stroke(tint, thin))
        name(rng, canvas, voice, room.centerX(), room.centerY(), rng.uniform(9, 18), tint, ground)
        area = paragraph(f"{room.width() * room.height() / 900:.1f} m²", voice.family, 11, tint)
        area.paint(canvas, room.centerX() - 18, room.centerY() + 10)
        for start, end, upright in ((room.left(), room.right(), False), (room.top(), room.bottom(), True)):
            a, b = ((start, 16.0), (end, 16.0)) if not upright else ((16.0, start), (16.0, end))
            canvas.drawLine(*a, *b, stroke(tint, thin))
            for x, y in (a, b):
                canvas.drawLine(x - 4, y + 4, x + 4, y - 4, stroke(tint, thin * 1.5))
            with sheet.turned(-90 if upright else 0, (a[0] + b[0]) / 2, (a[1] + b[1]) / 2):
                paragraph(f"{(end - start) / 30:.2f}", voice.family, 10, tint).paint(
                    canvas, (a[0] + b[0]) / 2 - 10, (a[1] + b[1]) / 2 - 14
                )
