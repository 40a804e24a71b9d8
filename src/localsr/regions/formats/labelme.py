"""LabelMe's JSON: the shapes of one picture."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec

from localsr.regions.formats.documents import (
    MAX_JSON_BYTES,
    Pictures,
    Point,
    Sides,
    bounds,
    load_document,
    parse_json,
    stated_size,
)
from localsr.regions.region import Region


class LabelmeShape(msgspec.Struct):
    """A region: a polygon, a rectangle by two corners, a circle by its centre and a point on it, or a mask."""

    points: list[Point]
    label: str | None = None
    shape_type: str | None = None


class LabelmeDocument(msgspec.Struct, rename={"path": "imagePath", "width": "imageWidth", "height": "imageHeight"}):
    """A file about one picture."""

    shapes: list[LabelmeShape]
    path: str | None = None
    width: float | None = None
    height: float | None = None


class _Contents(msgspec.Struct):
    """What tells the format from others."""

    shapes: msgspec.Raw = msgspec.Raw()


def is_labelme(path: Path) -> bool:
    """Tell LabelMe's JSON from others by its `shapes`."""
    data = load_document(path, MAX_JSON_BYTES)
    if b'"shapes"' not in data or data.lstrip()[:1] == b"[":  # a large file of COCO's is not parsed for it
        return False
    return bytes(parse_json(data, _Contents, str(path)).shapes) not in (b"", b"null")


def read_labelme(path: Path) -> Pictures:
    """Read a picture's shapes: the box around each one's points, or around its circle."""
    document = parse_json(load_document(path, MAX_JSON_BYTES), LabelmeDocument, str(path))
    size = stated_size(document.width, document.height)
    found = []
    for n, shape in enumerate(document.shapes):
        origin = f"{path}, shapes[{n}]"
        if not shape.points:
            found.append(Region.unreadable(f"{origin}: has no points"))
            continue
        found.append(Region(*_sides(shape), False, shape.label or "", None, origin, size))
    return {document.path or "": tuple(found)}


def _sides(shape: LabelmeShape) -> Sides:
    """Return left, top, right, bottom of a shape."""
    left, top, right, bottom = bounds(shape.points)
    if shape.shape_type == "circle" and len(shape.points) == 2:
        (x, y), radius = shape.points[0], math.dist(*shape.points)
        return x - radius, y - radius, x + radius, y + radius
    if shape.shape_type == "mask":  # its corners are pixels, and the last ones lie inside
        return left, top, right + 1, bottom + 1
    return left, top, right, bottom
