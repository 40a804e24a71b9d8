"""One record of a table or of JSON lines: its picture, its regions and its detectors, by the names of its columns.

A region is `box`, `bbox` or `boxes` (text as `--box` takes it; x, y, width, height; or a list or structure of such), or
four columns of `BOX_COLUMNS`. What says two different boxes at once is refused: nobody knows which one counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from localsr.errors import BoxError
from localsr.regions.region import Region
from localsr.regions.text import text

PICTURE_KEYS = ("picture", "image", "file", "path", "file_name", "filename", "input")  # what may name a picture
LABEL_KEYS = ("label", "labels", "class", "category", "categories")
SCORE_KEYS = ("score", "scores", "confidence")
REGION_KEYS = ("box", "bbox", "boxes", "objects")
CORNER_COLUMNS = (("left", "top", "right", "bottom"), ("x1", "y1", "x2", "y2"), ("xmin", "ymin", "xmax", "ymax"))
BOX_COLUMNS = (*CORNER_COLUMNS, ("x", "y", "width", "height"), ("x", "y", "w", "h"))

Record = Mapping[str, Any]  # cells by the names of columns, in small letters


def record_picture(record: Record) -> str:
    """Return the name of the record's picture, "" where it has none."""
    named = next((record[key] for key in PICTURE_KEYS if not is_empty(record.get(key))), "")
    named = named.get("path") if isinstance(named, Mapping) else named  # with its bytes, as data sets keep it
    return named if isinstance(named, str) else ""


def record_detectors(record: Record) -> tuple[str, ...]:
    """Return the names of the record's detectors."""
    return tuple(name.strip() for name in str(record.get("detector") or "").split(";") if name.strip())


def record_regions(record: Record, origin: str) -> list[Region]:
    """Return the record's regions, which may be none.

    Raises:
        BoxError: A region is none, or two ways to say it differ.
    """
    said = [_read_boxes(record[key], origin) for key in REGION_KEYS if not is_empty(record.get(key))]
    said += [[box] for box in _read_sides(record, origin)]
    said = [boxes for boxes in said if boxes]
    if any(boxes != said[0] for boxes in said):
        raise BoxError(f"{origin}: says two boxes, {_describe(said[0])} and {_describe(said[-1])}; leave one")
    boxes = said[0] if said else []
    if not boxes or not any(key in record for key in (*LABEL_KEYS, *SCORE_KEYS, "objects")):
        return boxes
    objects = record.get("objects")
    cells = {**objects, **record} if isinstance(objects, dict) else record
    labels, scores = (_spread(cells, keys, len(boxes), origin) for keys in (LABEL_KEYS, SCORE_KEYS))
    return [
        replace(
            box,
            label="" if is_empty(label) else str(label),
            score=None if is_empty(score) else _number(score, "score", origin),
        )
        for box, label, score in zip(boxes, labels, scores, strict=True)
    ]


def is_empty(cell: object) -> bool:
    """Tell whether a cell has nothing in it."""
    return cell is None or cell == "" or cell != cell or (isinstance(cell, str) and cell.lower() == "nan")  # of pandas


def _read_boxes(cell: Any, origin: str) -> list[Region]:  # noqa: ANN401  # a cell of a user's table
    """Read one region or several."""
    if isinstance(cell, str) and cell.lstrip().startswith(("[", "{")):
        try:
            cell = msgspec.json.decode(cell)
        except (msgspec.DecodeError, RecursionError):
            raise BoxError(f"{origin}: {cell[:80]!r} is no JSON") from None
    if isinstance(cell, str):
        return [text(part, origin) for part in cell.split(";") if part.strip()]
    if isinstance(cell, Mapping) and (inner := [cell[key] for key in REGION_KEYS if key in cell]):
        return _read_boxes(inner[0], origin)
    if isinstance(cell, Mapping):
        return _read_sides(cell, origin)
    if isinstance(cell, Sequence) and not any(isinstance(one, Sequence | Mapping) for one in cell) and len(cell) == 4:
        x, y, width, height = (_number(side, "box", origin) for side in cell)
        return [Region(x, y, x + width, y + height, origin=origin, by_size=True)]
    if isinstance(cell, Sequence) and all(isinstance(one, Sequence | Mapping) for one in cell):
        return [box for one in cell for box in _read_boxes(one, origin)]
    raise BoxError(f"{origin}: {str(cell)[:80]} is no region; give x, y, width and height")


def _read_sides(record: Record, origin: str) -> list[Region]:
    """Return a region for each set of four columns that has something in it."""
    found = []
    for names in BOX_COLUMNS:
        cells = [record[name] for name in names] if names[0] in record and all(name in record for name in names) else ()
        if not all(is_empty(cell) for cell in cells):
            a, b, c, d = (_number(cell, name, origin) for cell, name in zip(cells, names, strict=True))
            by_size = names not in CORNER_COLUMNS
            right, bottom = (a + c, b + d) if by_size else (c, d)
            found.append(Region(a, b, right, bottom, origin=origin, by_size=by_size))
    return found


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
