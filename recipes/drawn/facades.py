"""Buildings, fences, floors and gratings: fine lines repeated in perspective, with light, dirt and reflections."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

import numpy as np
import skia
from canvas import Colour, Photos, Pixels, Point, Sheet, fill, gradient, hsl, image, reduced, stroke
from PIL import Image, ImageFilter
from scipy.ndimage import map_coordinates
from surfaces import SURFACES

Plane = Callable[[Random, skia.Canvas, float, float, skia.Image], None]


def draw(rng: Random, size: int, photos: Photos) -> Pixels:
    """Draw one wall, or two or three that meet, and soften the picture as a lens does."""
    sheet = Sheet(size, factor=4)
    sky(rng, sheet, photos)
    mirrored = image(photos.crop(rng, size, size))
    layout = rng.choices((wall, corner, towers, floor), (40, 25, 20, 15))[0]
    layout(rng, sheet, mirrored)
    if rng.random() < 0.5:
        sheet.photo(photos.crop(rng, size, size), rng.uniform(0.1, 0.35), skia.BlendMode.kSoftLight)
    if rng.random() < 0.2:
        wires(rng, sheet)
    fine = reduced(sheet.fine(), 2)
    if rng.random() < 0.25:
        fine = bent(rng, fine)
    return softened(rng, reduced(fine, 2))


def bent(rng: Random, fine: Pixels) -> Pixels:
    """Return the picture as on a round wall: its columns or rows drawn together to the sides and arched."""
    side = fine.shape[0]
    along = np.linspace(-1, 1, side, dtype=np.float32)
    reach, lift = rng.uniform(0.5, 0.95), rng.uniform(-0.25, 0.25)
    across = np.arcsin(along * reach) / math.asin(reach)
    arch = lift * (1 - along**2)
    x = np.broadcast_to(across[None, :], (side, side))
    y = along[:, None] * (1 - abs(lift)) + arch[None, :]
    if rng.random() < 0.3:
        x, y = y.T, x.T
    grid = [(v + 1) * (side - 1) / 2 for v in (y, x)]
    return np.dstack([map_coordinates(fine[..., c], grid, order=1, mode="mirror") for c in range(3)])


def softened(rng: Random, pixels: Pixels) -> Pixels:
    """Return the picture blurred by up to half a px, with noise of up to one step of 255 on it."""
    picture = Image.fromarray(pixels)
    if rng.random() < 0.6:
        picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.2, 0.5)))
    noise = np.random.default_rng(rng.getrandbits(32)).normal(0, rng.uniform(0, 1), pixels.shape)
    return np.clip(np.rint(np.asarray(picture) + noise), 0, 255).astype(np.uint8)


def sky(rng: Random, sheet: Sheet, photos: Photos) -> None:
    """Cover the sheet with a sky or a photograph."""
    size = sheet.size
    if rng.random() < 0.3:
        sheet.photo(photos.crop(rng, size, size))
        return
    blue = hsl(rng.uniform(0.52, 0.65), rng.uniform(0, 0.7), rng.uniform(0.4, 0.9))
    pale = hsl(rng.uniform(0, 1), rng.uniform(0, 0.3), rng.uniform(0.7, 0.98))
    sheet.canvas.drawPaint(gradient([blue, pale], (0, 0), (0, size)))


def plane(rng: Random, sheet: Sheet, corners: list[Point], cells: float, mirrored: skia.Image, light: float) -> None:
    """Draw one surface, about `cells` of its pattern's units high, in a view, lit from `light` (0 dark, 1 bright)."""
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = corners
    across = (math.hypot(bx - ax, by - ay) + math.hypot(cx - dx, cy - dy)) / 2
    down = (math.hypot(dx - ax, dy - ay) + math.hypot(cx - bx, cy - by)) / 2
    height = cells
    width = cells * across / down
    with sheet.seen(width, height, corners) as canvas:
        canvas.clipRect(skia.Rect.MakeWH(width, height), doAntiAlias=True)
        rng.choice(SURFACES)(rng, canvas, width, height, mirrored)
        shade: Colour = (0, 0, 0.05)
        deep = [0.6 * (1 - light) * rng.uniform(0.5, 1), 0.6 * (1 - light)]
        rng.shuffle(deep)
        colours = [skia.ColorSetARGB(round(255 * d), *(round(255 * c) for c in shade)) for d in deep]
        ends = [skia.Point(0, 0), skia.Point(width * rng.random(), height)]
        canvas.drawPaint(skia.Paint(Shader=skia.GradientShader.MakeLinear(ends, colours)))


def wall(rng: Random, sheet: Sheet, mirrored: skia.Image) -> None:
    """Fill the sheet with one wall seen straight on, from below or from the side."""
    s = sheet.size
    tilt, lean = rng.choice([0, 0.1, 0.3, 0.6]) * rng.random(), rng.choice([0, 0.1, 0.3, 0.6]) * rng.random()
    corners = [(-0.1, -0.1), (1.1, -0.1), (1.1, 1.1), (-0.1, 1.1)]
    squeezed = []
    for x, y in corners:
        w = 1 / (1 + tilt * x + lean * (1 - y))  # farther to the right and to the top
        squeezed.append((x * w, 1 - (1 - y) * w))
    right, top = squeezed[1][0], squeezed[0][1]
    fit = 1.15 / min(right, 1 - top, 1)
    placed = [((x - right / 2) * fit + 0.5, (y - (1 + top) / 2) * fit + 0.5) for x, y in squeezed]
    angle = rng.choice([0, rng.gauss(0, 0.04), rng.gauss(0, 0.3)])
    grow = 1 + abs(math.sin(2 * angle)) * 0.5
    turned = []
    for x, y in placed:
        x, y = (x - 0.5) * grow, (y - 0.5) * grow
        x, y = x * math.cos(angle) - y * math.sin(angle), x * math.sin(angle) + y * math.cos(angle)
        turned.append(((x + 0.5) * s, (y + 0.5) * s))
    flip = rng.random() < 0.5
    if flip:
        turned = [(s - x, y) for x, y in (turned[1], turned[0], turned[3], turned[2])]
    plane(rng, sheet, turned, octave(rng, 4, 28) * 1.2, mirrored, rng.uniform(0.6, 1))


def corner(rng: Random, sheet: Sheet, mirrored: skia.Image) -> None:
    """Draw two walls that meet at an edge, seen from the street."""
    s = sheet.size
    edge = rng.uniform(0.25, 0.75) * s
    top, bottom = rng.uniform(-0.4, 0.15) * s, rng.uniform(0.9, 1.6) * s
    horizon = rng.uniform(0.5, 0.95) * s
    cells = octave(rng, 5, 30)
    for side, light in ((-1, rng.uniform(0.7, 1)), (1, rng.uniform(0.3, 0.8))):
        far = edge + side * rng.uniform(0.5, 0.9) * s
        shrink = rng.uniform(0.25, 0.8)
        up, low = horizon + (top - horizon) * shrink, horizon + (bottom - horizon) * shrink
        corners = [(edge, top), (far, up), (far, low), (edge, bottom)]
        if side < 0:
            corners = [corners[1], corners[0], corners[3], corners[2]]
        plane(rng, sheet, corners, cells, mirrored, light)


def towers(rng: Random, sheet: Sheet, mirrored: skia.Image) -> None:
    """Draw three to six towers before the sky, each with a lit and a dark side."""
    s = sheet.size
    count = rng.randint(3, 6)
    for i in range(count):
        x, width = rng.uniform(-0.1, 0.9) * s, rng.uniform(0.15, 0.4) * s
        top = (0.05 + 0.5 * (i / count)) * s + rng.uniform(-0.1, 0.2) * s
        lean = (0.5 * s - x - width / 2) * rng.uniform(0, 0.25)
        cells, depth = octave(rng, 10, 36), width * rng.uniform(0.2, 0.7)
        dip = rng.uniform(0, 0.1) * s
        front = [(x + lean, top), (x + width * 0.95 + lean, top), (x + width, s * 1.05), (x, s * 1.05)]
        side = [front[1], (front[1][0] + depth * 0.9, top + dip), (x + width + depth, s * 1.05), front[2]]
        plane(rng, sheet, side, cells, mirrored, rng.uniform(0.3, 0.6))
        plane(rng, sheet, front, cells, mirrored, rng.uniform(0.7, 1))


def floor(rng: Random, sheet: Sheet, mirrored: skia.Image) -> None:
    """Draw a hall: floor and ceiling that run to a horizon, and walls between them."""
    s = sheet.size
    vx, vy = rng.uniform(0.3, 0.7) * s, rng.uniform(0.3, 0.7) * s
    near, far = rng.uniform(0.1, 0.2) * s, rng.uniform(0.3, 0.7)
    left, right = vx - near * rng.uniform(0.7, 1.3), vx + near * rng.uniform(0.7, 1.3)
    top, bottom = vy - near * far * 1.3, vy + near * far * 1.3
    out = -0.05 * s, 1.05 * s
    cells = octave(rng, 6, 20)
    plane(rng, sheet, [(out[0], out[0]), (out[1], out[0]), (right, top), (left, top)], cells, mirrored, 0.9)
    plane(rng, sheet, [(left, bottom), (right, bottom), (out[1], out[1]), (out[0], out[1])], cells, mirrored, 0.8)
    plane(rng, sheet, [(out[0], out[0]), (left, top), (left, bottom), (out[0], out[1])], cells, mirrored, 0.6)
    plane(rng, sheet, [(right, top), (out[1], out[0]), (out[1], out[1]), (right, bottom)], cells, mirrored, 0.7)
    plane(rng, sheet, [(left, top), (right, top), (right, bottom), (left, bottom)], 6, mirrored, 0.9)


def wires(rng: Random, sheet: Sheet) -> None:
    """Hang cables and a pole before the picture."""
    s, dark = sheet.size, hsl(0, 0, rng.uniform(0, 0.2))
    for _ in range(rng.randint(1, 7)):
        left, right, sag = rng.uniform(0, 0.6) * s, rng.uniform(0, 0.6) * s, rng.uniform(0, 0.2) * s
        path = skia.PathBuilder()
        path.moveTo(-5, left)
        path.quadTo(s / 2, (left + right) / 2 + sag, s + 5, right)
        sheet.canvas.drawPath(path.detach(), stroke(dark, rng.uniform(0.7, 3)))
    if rng.random() < 0.5:
        sheet.canvas.drawRect(skia.Rect.MakeXYWH(rng.uniform(0, s), 0, rng.uniform(4, 16), s), fill(dark))


def octave(rng: Random, least: float, most: float) -> float:
    """Return a number between two, evenly by its logarithm."""
    return math.exp(rng.uniform(math.log(least), math.log(most)))
