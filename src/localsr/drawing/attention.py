"""Figure 8 of the paper: the sampled patches that the GCM drew on for a region, as circles over the photo."""

from __future__ import annotations

from os import PathLike

import numpy as np
from PIL import Image, ImageDraw

from localsr.drawing.lettering import draw_text, printable
from localsr.drawing.marks import BRIGHT, DARK, draw_ring
from localsr.drawing.rings import ring_radius
from localsr.drawing.sheet import GREY, Drawing, write_sheet
from localsr.geometry import Size
from localsr.images import Photo
from localsr.inference.restoration import Attention

MAX_PHOTO_SIDE = 1200  # pixels of the photo on the map
MIN_WIDTH = 720  # pixels of the map: its lines of text need them
LINE_HEIGHT, TYPE_SIZE, TEXT_MARGIN = 26, 11, 8  # pixels
RING_COLOUR = "#ff2d95"  # on few photos
DISC_OPACITY = 0.15


def attention_map(path: str | PathLike[str], photo: Photo, attention: Attention, model: str) -> None:
    """Write a picture of the photo, the region's box, and on each patch a circle whose area is its share."""
    write_sheet(path, _draw(photo, attention, model))


def _draw(photo: Photo, attention: Attention, model: str) -> Drawing:
    """Draw the photo, paler, with circles and box, and the captions below."""
    preview = photo.preview(MAX_PHOTO_SIDE)
    factor = max(1, min(-(-MIN_WIDTH // preview.shape[1]), MAX_PHOTO_SIDE // preview.shape[0]))
    preview = preview.repeat(factor, 0).repeat(factor, 1)
    grey = preview.mean(2, keepdims=True)
    shown = Image.fromarray(((preview + 2 * grey) / 3).astype(np.uint8))  # paler, so that the circles stand out
    _draw_circles(shown, attention, photo.size)
    lines = _captions(photo, attention, model)
    image = Image.new("RGB", (max(shown.width, MIN_WIDTH), shown.height + len(lines) * LINE_HEIGHT), "white")
    image.paste(shown, (0, 0))
    for n, line in enumerate(lines):
        draw_text(image, (TEXT_MARGIN, shown.height + LINE_HEIGHT * (n + 0.5)), line, TYPE_SIZE, GREY)
    return np.asarray(image)


def _draw_circles(shown: Image.Image, attention: Attention, picture: Size) -> None:
    """Draw a circle on each patch, and the box."""
    x, y = shown.width / picture.width, shown.height / picture.height
    for patch, share in zip(attention.patches, attention.shares, strict=True):
        centre = ((patch.left + patch.right) / 2 * x, (patch.top + patch.bottom) / 2 * y)
        radius = ring_radius(share, Size(*shown.size))
        draw_ring(shown, centre, radius, 6, DARK)
        draw_ring(shown, centre, radius, 3, RING_COLOUR)
        draw_ring(shown, centre, radius / 2, radius, RING_COLOUR, opacity=DISC_OPACITY)
        draw_ring(shown, centre, 0, 3, RING_COLOUR)  # the patch's own place
    box = attention.box
    left, top, right, bottom = (round(v) for v in (box.left * x, box.top * y, box.right * x, box.bottom * y))
    draw = ImageDraw.Draw(shown)
    for colour, out, width in ((DARK, 4, 8), (BRIGHT, 2, 4)):  # in the middle of the box's own edge
        draw.rectangle((left - out, top - out, right + out - 1, bottom + out - 1), outline=colour, width=width)


def _captions(photo: Photo, attention: Attention, model: str) -> tuple[str, ...]:
    """Say what is shown, and what the largest share is."""
    count, box = len(attention.patches), attention.box
    largest = max(range(count), key=lambda k: attention.shares[k])
    patch, share = attention.patches[largest], attention.shares[largest]
    region = f"box {box.left},{box.top},{box.width},{box.height}"
    return (
        f"{printable(photo.name or 'photo')}, {photo.size} px, {region}, {printable(model)}",
        f"circle: a patch of {patch.width} x {patch.height} px, its area the share of the GCM's attention",
        f"largest {share:.1%} at {patch.left},{patch.top}; an even share is {1 / count:.1%}",
    )
