"""One record of a table or of JSON lines: its picture, its regions and its detectors, by the names of its columns.

A region is `box`, `bbox` or `boxes` (text as `--box` takes it; x, y, width, height; or a list or structure of such), or
four columns of `BOX_COLUMNS`, however their names are spelt (`column_names`). Numbers from 0 to 1 are shares of the
picture (`are_shares`), beside `ImageID` always, as Open Images has them. What says two different boxes at once
is refused: nobody knows which one counts; and what looks like a box in other words is never passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import msgspec

from localsr.errors import BoxError
from localsr.regions.formats.documents import are_shares, bounds, check_count
from localsr.regions.region import MAX_REGIONS, Region
from localsr.regions.text import PATTERN, text

# names of columns, as `column_names` returns them
PICTURE_KEYS: tuple[str, ...] = ("picture", "image", "file", "path", "filename", "input")  # what may name a picture
PICTURE_KEYS += ("imagepath", "imagefile", "imagename", "filepath", "img", "imgpath", "imgname", "imageid", "photo")
PICTURE_KEYS += ("uri", "url", "imageuri", "imageurl")
LABEL_KEYS: tuple[str, ...] = ("label", "labels", "classname", "categoryname", "labelname", "name")
LABEL_KEYS += ("class", "category", "categories")  # which may be numbers beside the names
SCORE_KEYS = ("score", "scores", "confidence", "conf")
REGION_KEYS = ("box", "bbox", "boxes", "boundingbox", "objects", "regionshapeattributes")  # the last is VIA's
CORNER_COLUMNS = (
    ("left", "top", "right", "bottom"),
    ("x1", "y1", "x2", "y2"),
    ("x0", "y0", "x1", "y1"),
    ("xmin", "ymin", "xmax", "ymax"),
    ("minx", "miny", "maxx", "maxy"),
    ("xtl", "ytl", "xbr", "ybr"),
    ("l", "t", "r", "b"),
    ("xstart", "ystart", "xend", "yend"),
    ("topleftx", "toplefty", "bottomrightx", "bottomrighty"),
)
CENTRE_COLUMNS = (
    ("cx", "cy", "w", "h"),
    ("cx", "cy", "width", "height"),
    ("xcenter", "ycenter", "width", "height"),
    ("xcentre", "ycentre", "width", "height"),
)
# of those that begin alike the first counts: width and height beside w and h, or right and bottom, are the picture's
BOX_COLUMNS = (
    *CORNER_COLUMNS,
    *CENTRE_COLUMNS,
    ("x", "y", "w", "h"),
    ("x", "y", "width", "height"),
    ("left", "top", "width", "height"),
    ("xmin", "ymin", "w", "h"),
    ("xmin", "ymin", "width", "height"),
)
VIA_SHAPES = ("rect", "polygon", "polyline")  # what VIA calls `name` in a shape
SIDES = frozenset(name for names in BOX_COLUMNS for name in names)
SIDE_WORDS = frozenset("x y l t r b x0 y0 x1 y1 x2 y2 left top right bottom row col column bbox box rect roi".split())
SIZE_WORDS = frozenset("width height w h".split())
BOX_WORDS = re.compile("box|rect|roi|poly|vertices|coord|geometry|shape|region")  # in the key of an object
PLAIN_NUMBER = r"['\"]?([+-]?[0-9]+\.?[0-9]*(?:[eE][+-]?[0-9]+)?)['\"]?"
LISTED = re.compile(r"[\[(]?\s*" + r"(?:\s*,\s*|\s+)".join([PLAIN_NUMBER] * 4) + r"\s*[\])]?")
NUMBERS = re.compile(
    rf"\s*(?:\S+\s+)?(?:{PLAIN_NUMBER}\s+){{3,}}{PLAIN_NUMBER}(?:\s.*)?", re.DOTALL
)  # a label may lead
OF_A_BOX = re.compile(r"(boundingbox|bbox|bndbox|box|bb|region|rect)(?=.)")  # before a side, as in `bbox_xmin`

Record = Mapping[str, Any]  # cells by the names of columns, as `column_names` returns them


def column_names(names: Iterable[str]) -> list[str]:
    """Return what the names of columns mean, in their order: `bbox_xmin`, `X Min` and `xMin` are `xmin`.

    A column `width` beside `bbox_width` is the picture's, and keeps a name that means no side.

    Example:
        >>> column_names(["Image_Path", "width", "bbox_x", "bbox_width"])
        ['imagepath', 'of the picture: width', 'x', 'width']
    """
    plain = [re.sub(r"[\s_.#-]+", "", name.strip().lower()) for name in names]
    bare = [OF_A_BOX.sub("", name, count=1) if OF_A_BOX.match(name) else "" for name in plain]
    own = {name for name in bare if name in SIDES}
    return [
        inner if inner in own else f"of the picture: {name}" if name in own else name
        for name, inner in zip(plain, bare, strict=True)
    ]


def canonical(record: Mapping[str, Any]) -> Record:
    """Return a record's cells by what their names mean."""
    return dict(zip(_meanings(tuple(record)), record.values(), strict=True))


@lru_cache(maxsize=64)
def _meanings(names: tuple[str, ...]) -> list[str]:
    """Return what the names of columns mean; the records of a file mostly have the same ones."""
    return column_names(names)


def record_picture(record: Record) -> str:
    """Return the name of the record's picture, "" where it has none."""
    named = next((record[key] for key in PICTURE_KEYS if not is_empty(record.get(key))), "")
    named = named.get("path") if isinstance(named, Mapping) else named  # with its bytes, as data sets keep it
    return named if isinstance(named, str) else ""


def record_detectors(record: Record) -> tuple[str, ...]:
    """Return the names of the record's detectors."""
    return tuple(name.strip() for name in str(record.get("detector") or "").split(";") if name.strip())


def record_regions(record: Record, origin: str, *, corners: bool = False) -> list[Region]:
    """Return the record's regions, which may be none.

    Args:
        record: Its cells.
        origin: Where it is, for messages.
        corners: Whether four numbers called `box` are left, top, right, bottom, as in JSON lines, and not x, y, width,
            height.

    Raises:
        BoxError: A region is none, or two ways to say it differ.
    """
    said = [
        _read_boxes(record[key], origin, corners=corners and key == "box")
        for key in REGION_KEYS
        if not is_empty(record.get(key))
    ]
    said += [[box] for box in _read_sides(record, origin)]
    said = [boxes for boxes in said if boxes]
    if any(boxes != said[0] for boxes in said):
        raise BoxError(f"{origin}: says two boxes, {_describe(said[0])} and {_describe(said[-1])}; leave one")
    return name_regions(said[0] if said else [], record, origin)


def name_regions(boxes: list[Region], record: Record, origin: str) -> list[Region]:
    """Return a record's regions with the labels and scores that it has for them."""
    if not boxes or not any(key in record for key in (*LABEL_KEYS, *SCORE_KEYS)):
        return boxes
    labels, scores = (_spread(record, keys, len(boxes), origin) for keys in (LABEL_KEYS, SCORE_KEYS))
    return [
        replace(
            box,
            label=box.label if is_empty(label) else str(label),
            score=box.score if is_empty(score) else _number(score, "score", origin),
        )
        for box, label, score in zip(boxes, labels, scores, strict=True)
    ]


def look_like_sides(header: Iterable[str]) -> list[str]:
    """Return the names of columns that look like the sides of a box, none where they are not enough for one."""
    words = {name: set(re.findall(r"[a-z]+[0-9]?", name.lower())) for name in header}
    places = [name for name, own in words.items() if own & SIDE_WORDS]
    sizes = [name for name, own in words.items() if own & SIZE_WORDS and name not in places]
    return [*places, *sizes] if len(places) >= 2 and len(places) + len(sizes) >= 4 else []


def holds_unknown(record: Record) -> str:
    """Return the name of a cell that may hold regions in words that are not known, "" if none does.

    That is objects, or JSON of such; or four numbers or more in a row, as Kaggle's `PredictionString` has them, which
    one task means as corners and the next as sizes.
    """
    for key, cell in record.items():
        if key in PICTURE_KEYS:
            continue
        objects = (isinstance(cell, list) and any(isinstance(one, dict) for one in cell)) or (
            isinstance(cell, dict) and BOX_WORDS.search(key) is not None
        )
        if objects or (isinstance(cell, str) and (re.match(r"\s*\[\s*\{", cell) or NUMBERS.fullmatch(cell))):
            return key
    return ""


def is_empty(cell: object) -> bool:
    """Tell whether a cell has nothing in it."""
    return cell is None or cell == "" or cell != cell or (isinstance(cell, str) and cell.lower() == "nan")  # of pandas


def _read_boxes(cell: Any, origin: str, *, corners: bool) -> list[Region]:  # noqa: ANN401  # a cell of a user's table
    """Read one region or several."""
    if isinstance(cell, str) and (listed := LISTED.fullmatch(cell.strip())) and not PATTERN.fullmatch(cell):
        cell = [float(side) for side in listed.groups()]  # as Python, NumPy and others print four numbers
    if isinstance(cell, str) and cell.lstrip().startswith(("[", "{")):
        try:
            cell = msgspec.json.decode(cell)
        except (msgspec.DecodeError, RecursionError):
            raise BoxError(f"{origin}: {cell[:80]!r} is no JSON") from None
    if isinstance(cell, str):
        return [text(part, origin) for part in cell.split(";") if part.strip()]
    if isinstance(cell, Mapping):
        return _read_structure(canonical(cell), origin)
    if isinstance(cell, Sequence) and not any(isinstance(one, Sequence | Mapping) for one in cell) and len(cell) == 4:
        a, b, c, d = (_number(side, "box", origin) for side in cell)
        sides = (a, b, c, d) if corners else (a, b, a + c, b + d)
        return [Region(*sides, are_shares(sides), origin=origin, by_size=not corners)]
    if isinstance(cell, Sequence) and all(isinstance(one, Sequence | Mapping) for one in cell):
        check_count(len(cell), "regions", origin, MAX_REGIONS)
        return [box for one in cell for box in _read_boxes(one, origin, corners=corners)]
    raise BoxError(f"{origin}: {str(cell)[:80]} is no region; give x, y, width and height")


def _read_structure(cells: Record, origin: str) -> list[Region]:
    """Read the regions of an object in a cell: sides, boxes with their labels, or VIA's points."""
    if "allpointsx" in cells and "allpointsy" in cells:
        x, y = ([_number(each, key, origin) for each in cells[key]] for key in ("allpointsx", "allpointsy"))
        if not x or len(x) != len(y):
            raise BoxError(f"{origin}: has {len(x)} x and {len(y)} y of points")
        return [Region(*bounds(list(zip(x, y, strict=True))), origin=origin)]
    if cells.get("name") in VIA_SHAPES:
        cells = {key: cell for key, cell in cells.items() if key != "name"}
    found = record_regions(cells, origin)
    if not found and cells and not any(key in cells for key in REGION_KEYS):
        raise BoxError(f"{origin}: {', '.join(cells)[:80]} are no sides of a region; give x, y, width and height")
    return found


def _read_sides(record: Record, origin: str) -> list[Region]:
    """Return a region for each set of four columns that has something in it."""
    found: dict[tuple[str, str], Region] = {}
    for names in BOX_COLUMNS:
        cells = [record[name] for name in names] if names[0] in record and all(name in record for name in names) else ()
        if names[:2] in found or all(is_empty(cell) for cell in cells):
            continue
        a, b, c, d = (_number(cell, name, origin) for cell, name in zip(cells, names, strict=True))
        if names in CENTRE_COLUMNS:
            a, b = a - c / 2, b - d / 2
        by_size = names not in CORNER_COLUMNS
        right, bottom = (a + c, b + d) if by_size else (c, d)
        sides = (a, b, right, bottom)
        shares = are_shares(sides) or ("imageid" in record and all(0 <= side <= 1 for side in sides))
        found[names[:2]] = Region(*sides, shares, origin=origin, by_size=by_size)
    return list(found.values())


def _spread(cells: Record, keys: Sequence[str], count: int, origin: str) -> Sequence[Any]:
    """Return a value for each of `count` regions: of a list its own, else the same."""
    value = next((cells[key] for key in keys if key in cells), None)
    if not isinstance(value, list):
        return [value] * count
    if len(value) != count:
        raise BoxError(f"{origin}: has {len(value)} of {' or '.join(keys[:2])} for {count} regions")
    return value


def _number(cell: Any, name: str, origin: str) -> float:  # noqa: ANN401  # a cell of a user's table
    """Read a number; `BoxError` names the cell that is none."""
    try:
        return float(cell)
    except (TypeError, ValueError, OverflowError):
        raise BoxError(f"{origin}: {name} is {str(cell)[:40]!r}, which is no number") from None


def _describe(boxes: Sequence[Region]) -> str:
    """Return the first of some regions as `--box` takes it."""
    box = boxes[0]
    return f"{box.left:.10g},{box.top:.10g}:{box.right:.10g},{box.bottom:.10g}"
