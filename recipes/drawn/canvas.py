"""A sheet to draw on with Skia: paints, colours, type, photographs as ground, and views in perspective."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from random import Random

import numpy as np
import skia
from numpy.typing import NDArray
from PIL import Image

Colour = tuple[float, float, float]  # RGB in [0, 1]
Pixels = NDArray[np.uint8]  # (height, width, 3)
Point = tuple[float, float]

BLACK: Colour = (0, 0, 0)
WHITE: Colour = (1, 1, 1)
WEIGHTS = (300, 400, 400, 400, 500, 600, 700, 700, 900)


class Photos:
    """The photographs that pictures take their grounds and textures from."""

    def __init__(self, folder: Path) -> None:
        """List the pictures under the folder, in the order of their names."""
        self.paths = sorted(path for path in folder.rglob("*") if path.suffix in {".jpg", ".png", ".webp"})
        if not self.paths:
            raise SystemExit(f"{folder} holds no pictures; name a folder of photographs with --photos")

    def crop(self, rng: Random, width: int, height: int) -> Pixels:
        """Return a window of a random photograph, reduced at least by two where the photograph is large enough."""
        photo = opened(rng.choice(self.paths))
        least = max(width / photo.width, height / photo.height)
        scale = max(least, rng.uniform(0.25, 0.5) if photo.width > 1000 else least)
        photo = photo.resize(
            (math.ceil(photo.width * scale), math.ceil(photo.height * scale)), Image.Resampling.LANCZOS
        )
        x, y = rng.randint(0, photo.width - width), rng.randint(0, photo.height - height)
        window = photo.crop((x, y, x + width, y + height))
        return np.asarray(window.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.random() < 0.5 else window)


@lru_cache(maxsize=24)
def opened(path: Path) -> Image.Image:
    """Return the picture of a file as RGB, the 4K ones reduced by two on reading."""
    with Image.open(path) as picture:
        if picture.width > 3000:
            picture.draft("RGB", (picture.width // 2, picture.height // 2))
        return picture.convert("RGB")


class Sheet:
    """A square to draw on, `size` px wide, rasterised `factor` times finer and reduced at the end."""

    def __init__(self, size: int, ground: Colour = (1, 1, 1), factor: int = 1) -> None:
        """Make a sheet of one colour."""
        self.size, self.factor = size, factor
        self.surface = skia.Surface(size * factor, size * factor)
        self.canvas: skia.Canvas = self.surface.getCanvas()
        self.canvas.clear(argb(ground))
        self.canvas.scale(factor, factor)

    def fine(self) -> Pixels:
        """Return what is drawn, `factor` times finer than the sheet."""
        drawn = self.surface.makeImageSnapshot().toarray(colorType=skia.ColorType.kRGBA_8888_ColorType)
        return np.ascontiguousarray(drawn[..., :3])

    def pixels(self) -> Pixels:
        """Return what is drawn: each pixel the mean of its `factor`² finer ones."""
        return reduced(self.fine(), self.factor)

    def photo(self, pixels: Pixels, alpha: float = 1.0, mode: skia.BlendMode = skia.BlendMode.kSrcOver) -> None:
        """Lay a picture over the sheet, stretched to its size."""
        paint = skia.Paint(AntiAlias=True, Alphaf=alpha, BlendMode=mode)
        self.canvas.drawImageRect(image(pixels), skia.Rect.MakeWH(self.size, self.size), CUBIC, paint)

    @contextmanager
    def turned(self, degrees: float, x: float, y: float) -> Iterator[skia.Canvas]:
        """Draw turned about a point."""
        self.canvas.save()
        self.canvas.rotate(degrees, x, y)
        yield self.canvas
        self.canvas.restore()

    @contextmanager
    def seen(self, width: float, height: float, corners: Sequence[Point]) -> Iterator[skia.Canvas]:
        """Draw in a plane of width x height whose corners, clockwise from the upper left, come to `corners`."""
        flat = [skia.Point(0, 0), skia.Point(width, 0), skia.Point(width, height), skia.Point(0, height)]
        matrix = skia.Matrix()
        if not matrix.setPolyToPoly(flat, [skia.Point(*corner) for corner in corners]):
            raise ValueError(f"no view has its corners at {corners}")
        self.canvas.save()
        self.canvas.concat(matrix)
        yield self.canvas
        self.canvas.restore()


def reduced(fine: Pixels, factor: int) -> Pixels:
    """Return a picture with each `factor`² px averaged into one."""
    return fine if factor == 1 else np.asarray(Image.fromarray(fine).reduce(factor))


CUBIC = skia.SamplingOptions(skia.CubicResampler.Mitchell())


def image(pixels: Pixels) -> skia.Image:
    """Return pixels as a picture that Skia draws."""
    opaque = np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])
    return skia.Image.fromarray(np.ascontiguousarray(opaque), colorType=skia.ColorType.kRGBA_8888_ColorType)


def argb(colour: Colour, alpha: float = 1.0) -> int:
    """Return a colour as Skia's integer."""
    r, g, b = (round(255 * min(max(c, 0), 1)) for c in colour)
    return int(skia.ColorSetARGB(round(255 * alpha), r, g, b))


def fill(colour: Colour, alpha: float = 1.0) -> skia.Paint:
    """Return a paint that fills."""
    return skia.Paint(AntiAlias=True, Color=argb(colour, alpha))


def stroke(
    colour: Colour, width: float, alpha: float = 1.0, dash: Sequence[float] = (), round_: bool = False
) -> skia.Paint:
    """Return a paint that strokes, dashed where `dash` has lengths."""
    paint = skia.Paint(AntiAlias=True, Color=argb(colour, alpha), Style=skia.Paint.kStroke_Style, StrokeWidth=width)
    if round_:
        paint.setStrokeCap(skia.Paint.kRound_Cap)
        paint.setStrokeJoin(skia.Paint.kRound_Join)
    if dash:
        paint.setPathEffect(skia.DashPathEffect.Make(list(dash), 0))
    return paint


def gradient(colours: Sequence[Colour], start: Point, end: Point, alpha: float = 1.0) -> skia.Paint:
    """Return a paint that goes from colour to colour between two points."""
    shader = skia.GradientShader.MakeLinear([skia.Point(*start), skia.Point(*end)], [argb(c, alpha) for c in colours])
    return skia.Paint(AntiAlias=True, Shader=shader, Dither=False)


def polygon(points: Sequence[Point], closed: bool = True) -> skia.Path:
    """Return the path through points."""
    return skia.Path.Polygon([skia.Point(*point) for point in points], closed)


def smooth(points: Sequence[Point], closed: bool = False) -> skia.Path:
    """Return a smooth curve through points (Catmull-Rom)."""
    n = len(points)
    path = skia.PathBuilder() if hasattr(skia, "PathBuilder") else skia.Path()
    path.moveTo(*points[0])
    for i in range(n if closed else n - 1):
        a, b, c, d = (points[(i + k) % n if closed else min(max(i + k, 0), n - 1)] for k in (-1, 0, 1, 2))
        one = (b[0] + (c[0] - a[0]) / 6, b[1] + (c[1] - a[1]) / 6)
        two = (c[0] - (d[0] - b[0]) / 6, c[1] - (d[1] - b[1]) / 6)
        path.cubicTo(*one, *two, *c)
    return path.detach() if hasattr(path, "detach") else path


def hsl(hue: float, saturation: float, lightness: float) -> Colour:
    """Return a colour by hue, saturation and lightness, each in [0, 1]."""
    return colorsys.hls_to_rgb(hue % 1, lightness, saturation)


def mixed(first: Colour, second: Colour, share: float) -> Colour:
    """Return a colour between two: `share` of the second."""
    r, g, b = ((1 - share) * a + share * c for a, c in zip(first, second, strict=True))
    return (r, g, b)


def any_colour(rng: Random) -> Colour:
    """Return any colour, grey ones among them."""
    return hsl(rng.random(), rng.choice([0, rng.random(), rng.random()]), rng.uniform(0.03, 0.97))


def paper(rng: Random) -> Colour:
    """Return the colour of a paper: mostly white or nearly so."""
    return hsl(rng.random(), rng.uniform(0, 0.6), rng.choice([1.0, 1.0, rng.uniform(0.9, 1), rng.uniform(0.75, 0.95)]))


def luma(colour: Colour) -> float:
    """Return how light a colour is, in [0, 1]."""
    return 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]


def ink(rng: Random, ground: Colour, faintest: float = 0.2) -> Colour:
    """Return a colour that stands out of the ground: mostly much, at the least by `faintest`."""
    contrast = rng.choice([1.0, 1.0, rng.uniform(0.6, 1), rng.uniform(faintest, 1)])
    dark = luma(ground) > rng.uniform(0.35, 0.65)
    target = luma(ground) * (1 - contrast) if dark else luma(ground) + (1 - luma(ground)) * contrast
    return hsl(rng.random(), rng.choice([0, 0, rng.random()]), target)


FONTS = skia.textlayout.FontCollection()
FONTS.setDefaultFontManager(skia.FontMgr())
UNICODE = skia.Unicodes.ICU.Make()
ALIGN = skia.textlayout.TextAlign


def paragraph(
    text: str,
    family: str,
    size: float,
    paint: skia.Paint | Colour,
    width: float = 1e5,
    weight: int = 400,
    italic: bool = False,
    align: skia.textlayout.TextAlign = ALIGN.kLeft,
    spacing: float = 0.0,
) -> skia.textlayout.Paragraph:
    """Return text set in lines at most `width` wide; letters that the family lacks come from another."""
    slant = skia.FontStyle.kItalic_Slant if italic else skia.FontStyle.kUpright_Slant
    style, block = skia.textlayout.TextStyle(), skia.textlayout.ParagraphStyle()
    style.setFontFamilies([family, "DejaVu Sans"])
    style.setFontSize(size)
    style.setFontStyle(skia.FontStyle(weight, skia.FontStyle.kNormal_Width, slant))
    style.setForegroundPaint(fill(paint) if isinstance(paint, tuple) else paint)
    style.setLetterSpacing(spacing)
    block.setTextStyle(style)
    block.setTextAlign(align)
    builder = skia.textlayout.ParagraphBuilder.make(block, FONTS, UNICODE)
    builder.pushStyle(style)
    builder.addText(text)
    built = builder.Build()
    built.layout(width)
    return built
