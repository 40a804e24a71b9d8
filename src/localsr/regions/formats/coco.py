"""JSON: COCO's annotations, COCO's results, LabelMe."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import msgspec

from localsr.errors import BoxError
from localsr.geometry import Size
from localsr.regions.formats import documents
from localsr.regions.region import Region

Four = tuple[float, float, float, float]
Point = tuple[float, float]
Pictures = dict[str, tuple[Region, ...]]


class Image(msgspec.Struct):
    """A picture of COCO."""

    id: int | str
    file_name: str
    width: int | None = None
    height: int | None = None


class Annotation(msgspec.Struct):
    """A region of COCO: `bbox` is left, top, width, height; without it, polygons x, y, x, y, ..."""

    image_id: int | str
    bbox: Four | None = None
    segmentation: msgspec.Raw = msgspec.Raw()
    category_id: int | str | None = None
    score: float | None = None


class Category(msgspec.Struct):
    """What COCO calls a number."""

    id: int | str
    name: str


class Shape(msgspec.Struct):
    """A region of LabelMe."""

    points: list[Point]
    label: str | None = None
    shape_type: str | None = None


class Document(msgspec.Struct):
    """COCO or LabelMe, by what is there."""

    images: list[Image] | None = None
    annotations: list[Annotation] | None = None
    categories: list[Category] | None = None
    shapes: list[Shape] | None = None
    imagePath: str | None = None  # noqa: N815  # LabelMe's
    imageWidth: int | None = None  # noqa: N815
    imageHeight: int | None = None  # noqa: N815


def read(path: Path) -> Pictures:
    """Read COCO or LabelMe by the pictures' names."""
    data = documents.load(path)
    if data.lstrip()[:1] == b"[":
        return _results(documents.from_json(data, list[Annotation], str(path)), str(path))
    said = documents.from_json(data, Document, str(path))
    if said.shapes is not None:
        return _labelme(said, said.shapes, str(path))
    if said.images is not None and said.annotations is not None:
        return _coco(said.images, said.annotations, said.categories or [], str(path))
    raise BoxError(f"{path}: has neither images and annotations, as COCO, nor shapes, as LabelMe")


def _coco(images: list[Image], annotations: list[Annotation], categories: list[Category], path: str) -> Pictures:
    """Give COCO's regions, pictures without any among them."""
    by_id = {image.id: image for image in images}
    if len(by_id) < len(images):
        raise BoxError(f"{path}: has two images of the same id")
    names = {category.id: category.name for category in categories}
    found: dict[str, list[Region]] = {image.file_name: [] for image in images}
    for n, each in enumerate(annotations):
        origin = f"{path}, annotations[{n}]"
        image = by_id.get(each.image_id)
        if image is None:
            raise BoxError(f"{origin}: is of image {each.image_id!r}, which is not among the images")
        label = names.get(each.category_id, "") if each.category_id is not None else ""
        found[image.file_name].append(_region(each, label, _size(image.width, image.height), origin))
    return {name: tuple(regions) for name, regions in found.items()}


def _results(annotations: list[Annotation], path: str) -> Pictures:
    """Give the regions of COCO's results, where a picture's id is its name without suffix."""
    found: dict[str, list[Region]] = {}
    for n, each in enumerate(annotations):
        label = "" if each.category_id is None else str(each.category_id)
        found.setdefault(str(each.image_id), []).append(_region(each, label, None, f"{path}, [{n}]"))
    return {name: tuple(regions) for name, regions in found.items()}


def _region(said: Annotation, label: str, size: Size | None, origin: str) -> Region:
    """Give one of COCO's regions."""
    if said.bbox is not None:
        x, y, width, height = said.bbox
        return Region(x, y, x + width, y + height, False, label, said.score, origin, size)
    outline = bytes(said.segmentation)
    polygons = documents.from_json(outline, list[list[float]], origin) if outline.startswith(b"[") else []
    if not any(polygons) or any(len(polygon) % 2 for polygon in polygons):
        raise BoxError(f"{origin}: has no bbox, and no polygons of x, y, x, y, ... either")
    points = [point for polygon in polygons for point in zip(polygon[::2], polygon[1::2], strict=True)]
    return Region(*_around(points), False, label, said.score, origin, size)


def _labelme(said: Document, shapes: list[Shape], path: str) -> Pictures:
    """Give LabelMe's regions: the box around each shape's points, or around its circle."""
    size = _size(said.imageWidth, said.imageHeight)
    found = []
    for n, each in enumerate(shapes):
        origin = f"{path}, shapes[{n}]"
        if not each.points:
            raise BoxError(f"{origin}: has no points")
        left, top, right, bottom = _around(each.points)
        if each.shape_type == "circle" and len(each.points) == 2:  # its centre, and a point on it
            (x, y), radius = each.points[0], math.dist(*each.points)
            left, top, right, bottom = x - radius, y - radius, x + radius, y + radius
        if each.shape_type == "mask":  # its corners are pixels, both inside
            right, bottom = right + 1, bottom + 1
        found.append(Region(left, top, right, bottom, False, each.label or "", None, origin, size))
    return {said.imagePath or "": tuple(found)}


def _around(points: Sequence[Point]) -> Four:
    """Give left, top, right, bottom of points."""
    x, y = zip(*points, strict=True)
    return min(x), min(y), max(x), max(y)


def _size(width: int | None, height: int | None) -> Size | None:
    """Give the size that a file states; 0 states none."""
    return Size(width, height) if width and height else None
