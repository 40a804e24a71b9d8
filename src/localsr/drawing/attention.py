"""Figure 8: the sampled patches that the GCM drew on for a region, as circles over the photo."""

from __future__ import annotations

from os import PathLike

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle

from localsr.drawing.compare import write_sheet
from localsr.drawing.rings import ring_radius
from localsr.drawing.sheet import BRIGHT, DARK, DPI, FONT, GREY, Pixels, printable
from localsr.geometry import Size
from localsr.images import Photo
from localsr.inference.restoration import Attention

LONG, WIDE = 1200, 720  # pixels of the photo's long side at most, and of the map's width at least
LINE = 26  # pixels of a line of text
RING = "#ff2d95"  # on few photos


def attention_map(path: str | PathLike[str], photo: Photo, attention: Attention, model: str) -> None:
    """Write a PNG: the photo, the region's box, and a circle on each patch whose area is its share of the attention."""
    write_sheet(path, _draw(photo, attention, model))


def _draw(photo: Photo, attention: Attention, model: str) -> Pixels:
    """Draw the map."""
    preview = photo.preview(LONG)
    factor = max(1, min(-(-WIDE // preview.shape[1]), LONG // preview.shape[0]))
    preview = preview.repeat(factor, 0).repeat(factor, 1)
    height, width, _ = preview.shape
    x, y = width / photo.size.width, height / photo.size.height
    tall, broad = height + 3 * LINE, max(width, WIDE)
    figure = Figure(figsize=(broad / DPI, tall / DPI), dpi=DPI, facecolor="white")
    axes = figure.add_axes((0, 3 * LINE / tall, 1, height / tall))
    axes.set(xlim=(0, broad), ylim=(height, 0))
    axes.axis("off")
    grey = preview.mean(2, keepdims=True).repeat(3, 2)
    axes.imshow(((preview + 2 * grey) / 3).astype(np.uint8), extent=(0, width, height, 0), aspect="auto")
    count = len(attention.patches)
    for patch, share in zip(attention.patches, attention.shares, strict=True):
        middle = ((patch.left + patch.right) / 2 * x, (patch.top + patch.bottom) / 2 * y)
        radius = ring_radius(share, Size(width, height))
        for thick, colour in ((3.2, DARK), (1.6, RING)):
            axes.add_patch(Circle(middle, radius, fill=False, linewidth=thick, edgecolor=colour))
        axes.add_patch(Circle(middle, radius, alpha=0.15, linewidth=0, facecolor=RING))
        axes.add_patch(Circle(middle, 1.5, facecolor=RING, linewidth=0))
    box = attention.box
    for thick, colour in ((4.5, DARK), (2.2, BRIGHT)):
        corner = (box.left * x, box.top * y)
        sides = (box.width * x, box.height * y)
        axes.add_patch(Rectangle(corner, *sides, fill=False, linewidth=thick, edgecolor=colour))
    most = max(range(count), key=lambda k: attention.shares[k])
    strongest, share = attention.patches[most], attention.shares[most]
    region = f"box {box.left},{box.top},{box.width},{box.height}"
    lines = (
        f"{printable(photo.name or 'photo')}, {photo.size} px, {region}, {printable(model)}",
        f"circle: a patch of {strongest.width} x {strongest.height} px, its area the share of the GCM's attention",
        f"largest {share:.1%} at {strongest.left},{strongest.top}; an even share is {1 / count:.1%}",
    )
    for n, line in enumerate(lines):
        high, size = 1 - (height + LINE * (n + 0.5)) / tall, 11 * 72 / DPI
        figure.text(8 / broad, high, line, family=FONT, fontsize=size, color=GREY, va="center", parse_math=False)
    drawn = FigureCanvasAgg(figure)
    drawn.draw()  # type: ignore[no-untyped-call]
    return np.asarray(drawn.buffer_rgba(), np.uint8)[..., :3].copy()  # type: ignore[no-untyped-call]
