"""LabelMe's JSON: the shapes of one picture."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path

import msgspec

from localsr.errors import BoxError
from localsr.geometry import Size
from localsr.regions.formats.documents import (
    MAX_JSON_BYTES,
    Pictures,
    Point,
    Sides,
    bounds,
    check_objects,
    check_outline,
    identity,
    load_document,
    parse_json,
    stated_size,
)
from localsr.regions.region import MAX_REGIONS, Region


class LabelmeShape(msgspec.Struct):
    """A region: a polygon, a rectangle by two corners, a circle by its centre and a point on it, or a mask."""

    points: msgspec.Raw
    label: int | float | str | None = None
    shape_type: str | None = None


class LabelmeDocument(msgspec.Struct, rename={"path": "imagePath", "width": "imageWidth", "height": "imageHeight"}):
    """A file about one picture."""

    shapes: list[LabelmeShape]
    path: str | None = None
    width: float | None = None
    height: float | None = None


def read_labelme(path: Path) -> Pictures:
    """Read a picture's shapes: the box around each one's points, or around its circle."""
    data = load_document(path, MAX_JSON_BYTES)
    check_objects(data, b"points", str(path), MAX_REGIONS)
    document = parse_json(data, LabelmeDocument, str(path))
    size = stated_size(document.width, document.height)
    found = [
        Region.attempt(partial(_region, shape, size, f"{path}, shapes[{n}]")) for n, shape in enumerate(document.shapes)
    ]
    return {document.path or "": tuple(found)}


def _region(shape: LabelmeShape, size: Size | None, origin: str) -> Region:
    """Return the region of a shape."""
    check_outline(bytes(shape.points), origin)
    points = parse_json(bytes(shape.points), list[Point], f"{origin}.points")
    if not points:
        raise BoxError(f"{origin}: has no points")
    label = "" if shape.label is None else identity(shape.label)
    return Region(*_sides(points, shape.shape_type), False, label, None, origin, size)


def _sides(points: list[Point], kind: str | None) -> Sides:
    """Return left, top, right, bottom of a shape."""
    left, top, right, bottom = bounds(points)
    if kind == "circle" and len(points) == 2:
        (x, y), radius = points[0], math.dist(*points)
        return x - radius, y - radius, x + radius, y + radius
    if kind == "mask":  # its corners are pixels, and the last ones lie inside
        return left, top, right + 1, bottom + 1
    return left, top, right, bottom
