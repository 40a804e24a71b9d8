"""Marks on a photo: the box of a region, and rings with smooth edges; both stand out from light and from dark."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw

from localsr.geometry import Box, Size

BRIGHT, DARK = "#ffd60a", "#101010"  # of the box and of its rim
MIN_MARKED = 14  # sheet pixels; a box smaller than that on the photo gets a ring
RING_RADIUS = 24  # sheet pixels, of that ring


def mark_box(
    image: Image.Image, corner: tuple[int, int], shown: Size, box: Box, picture: Size, unit: float = 1.0
) -> None:
    """Mark a region on a photo, just outside its pixels, and with a ring if it would hardly be seen.

    `box` is in pixels of a `picture` of that size; the image shows it from `corner` on at the size `shown`. At a unit
    of 1 the bright line has 2 px, between two dark ones of 1 px.
    """
    bright, rim = round(2 * unit), round(unit)
    x, y = shown.width / picture.width, shown.height / picture.height
    out = bright + rim  # px beyond the photo that a line may take
    left, right = round(box.left * x) + out, round(box.right * x) + out
    top, bottom = round(box.top * y) + out, round(box.bottom * y) + out
    extent = (corner[0] - out, corner[1] - out, corner[0] + shown.width + out, corner[1] + shown.height + out)
    part = image.crop(extent)
    draw = ImageDraw.Draw(part)
    for colour, more in ((DARK, rim), (BRIGHT, 0)):
        beyond = bright + more
        sides = (left - beyond, top - beyond, right + beyond - 1, bottom + beyond - 1)
        draw.rectangle(sides, outline=colour, width=bright + 2 * more)
    if max(right - left, bottom - top) < MIN_MARKED * unit:
        centre = ((left + right) / 2, (top + bottom) / 2)
        for colour, width in ((DARK, bright + 2 * rim), (BRIGHT, bright)):
            draw_ring(part, centre, RING_RADIUS * unit, width, colour)
    image.paste(part, extent[:2])


def draw_ring(
    image: Image.Image,
    centre: tuple[float, float],
    radius: float,
    width: float,
    colour: str,
    *,
    opacity: float = 1.0,
) -> None:
    """Draw a ring with smooth edges; a ring as wide as twice its radius is a disc of twice that radius."""
    reach = radius + width / 2 + 1
    left, top = math.floor(centre[0] - reach), math.floor(centre[1] - reach)
    side = math.ceil(2 * reach) + 1
    y, x = np.ogrid[:side, :side]
    distance = np.hypot(left + x + 0.5 - centre[0], top + y + 0.5 - centre[1])
    covered = np.clip(width / 2 + 0.5 - np.abs(distance - radius), 0, 1)  # of each pixel, in [0, 1]
    image.paste(colour, (left, top), Image.fromarray(np.rint(255 * opacity * covered).astype(np.uint8)))
