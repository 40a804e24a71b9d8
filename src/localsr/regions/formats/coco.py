"""COCO's annotations, and COCO's results: a list of annotations alone, which names pictures by their ids."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import msgspec

from localsr.errors import BoxError
from localsr.geometry import Size
from localsr.regions.formats.documents import (
    MAX_JSON_BYTES,
    Pictures,
    are_shares,
    bounds,
    check_objects,
    check_outline,
    identity,
    load_document,
    parse_json,
    stated_size,
)
from localsr.regions.formats.run_lengths import RunLengths, painted_sides
from localsr.regions.region import Region


class CocoImage(msgspec.Struct):
    """A picture and its id."""

    id: int | float | str
    file_name: str = ""
    coco_url: str = ""  # LVIS has it alone
    width: float | None = None
    height: float | None = None


class CocoAnnotation(msgspec.Struct):
    """A region: `bbox` is left, top, width, height; without it, `segmentation` has polygons of x, y, x, y, ..."""

    image_id: int | float | str
    bbox: msgspec.Raw = msgspec.Raw(b"null")
    segmentation: msgspec.Raw = msgspec.Raw()
    category_id: int | float | str | None = None
    score: float | None = None


class CocoCategory(msgspec.Struct):
    """A label and its number."""

    id: int | float | str
    name: int | float | str | None = None


class CocoDocument(msgspec.Struct):
    """A file of annotations."""

    images: list[CocoImage] | None = None
    annotations: list[CocoAnnotation] | None = None
    categories: list[CocoCategory] | None = None


def read_coco(path: Path) -> Pictures:
    """Read annotations, pictures without any among them; or results."""
    data = load_document(path, MAX_JSON_BYTES)
    check_objects(data, b"image_id", str(path))
    if data.lstrip()[:1] == b"[":
        return _index_results(parse_json(data, list[CocoAnnotation], str(path)), str(path))
    document = parse_json(data, CocoDocument, str(path))
    if document.images is None or document.annotations is None:
        raise BoxError(f"{path}: has neither images and annotations, as COCO, nor shapes, as LabelMe")
    return _index_annotations(document.images, document.annotations, document.categories or [], str(path))


def _index_annotations(
    images: list[CocoImage], annotations: list[CocoAnnotation], categories: list[CocoCategory], path: str
) -> Pictures:
    """Return annotations by the names of their pictures."""
    by_id = {identity(image.id): image for image in images}
    if len(by_id) < len(images):
        raise BoxError(f"{path}: has two images of the same id")
    names = {identity(category.id): "" if category.name is None else identity(category.name) for category in categories}
    pictures = {key: image.file_name or image.coco_url.rsplit("/", 1)[-1] or key for key, image in by_id.items()}
    found: dict[str, list[Region]] = {name: [] for name in pictures.values()}
    for n, annotation in enumerate(annotations):
        origin = f"{path}, annotations[{n}]"
        key = identity(annotation.image_id)
        image = by_id.get(key)
        if image is None:  # kept under its id, as in results, and counted among names without a picture
            missing = f"{origin}: is of image {annotation.image_id!r}, which is not among the images"
            found.setdefault(key, []).append(Region.unreadable(missing))
            continue
        label = names.get(identity(annotation.category_id), "") if annotation.category_id is not None else ""
        size = stated_size(image.width, image.height)
        found[pictures[key]].append(Region.attempt(partial(_region, annotation, label, size, origin)))
    return {name: tuple(regions) for name, regions in found.items()}


def _index_results(annotations: list[CocoAnnotation], path: str) -> Pictures:
    """Return results by the pictures' ids, which are their names without suffix."""
    found: dict[str, list[Region]] = {}
    for n, annotation in enumerate(annotations):
        label = "" if annotation.category_id is None else identity(annotation.category_id)
        region = Region.attempt(partial(_region, annotation, label, None, f"{path}, [{n}]"))
        found.setdefault(identity(annotation.image_id), []).append(region)
    return {name: tuple(regions) for name, regions in found.items()}


def _region(annotation: CocoAnnotation, label: str, size: Size | None, origin: str) -> Region:
    """Return the region of an annotation."""
    sides = parse_json(bytes(annotation.bbox), list[float] | None, f"{origin}.bbox")  # type: ignore[arg-type]
    if sides:
        if len(sides) != 4:
            raise BoxError(f"{origin}.bbox: has {len(sides)} numbers; a box has length 4: left, top, width, height")
        x, y, width, height = sides
        corners = (x, y, x + width, y + height)
        return Region(*corners, are_shares(corners), label, annotation.score, origin, size, by_size=True)
    outline = bytes(annotation.segmentation)
    check_outline(outline, origin)
    if outline.startswith(b"{"):
        painted = painted_sides(parse_json(outline, RunLengths, origin), origin)
        return Region(*painted, False, label, annotation.score, origin, size)
    polygons = parse_json(outline, list[list[float]], origin) if outline.startswith(b"[") else []
    if not any(polygons) or any(len(polygon) % 2 for polygon in polygons):
        raise BoxError(f"{origin}: has no bbox, and no polygons of x, y, x, y, ... either")
    points = [point for polygon in polygons for point in zip(polygon[::2], polygon[1::2], strict=True)]
    return Region(*bounds(points), False, label, annotation.score, origin, size)
