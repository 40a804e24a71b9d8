"""YOLO's text: a line a region, `class x-centre y-centre width height [confidence]`, shares of the picture.

Segments and turned boxes (OBB) have a class and the shares `x y x y x y ...` of three points or more, turned boxes
perhaps a confidence. Key points follow the box by threes: x, y and 0, 1 or 2. A line that begins with # is none.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from localsr.errors import BoxError
from localsr.regions.formats.documents import (
    MAX_ROUNDING,
    MAX_TEXT_BYTES,
    Pictures,
    bounds,
    check_count,
    count_lines,
    load_document,
    split_lines,
)
from localsr.regions.formats.json_lines import parse_json_lines
from localsr.regions.region import MAX_REGIONS, Region

NO_LABELS = re.compile(  # what tools put beside the labels
    r"(_?classes|predefined_classes|labels|names|obj_names|requirements|licen[cs]e)\.txt"
    r"|(autosplit_)?(train|val|valid|test|trainval|minival)[0-9]*(-dev)?\.txt"
    r"|readme(\..*)?\.(txt|md)|notes\.json|meta\.json|.*\.cache\.json",
    re.IGNORECASE,
)
NUMBER = re.compile(r"[+-]?([0-9]{1,18}(\.[0-9]{0,25})?|\.[0-9]{1,25})([eE][+-]?[0-9]{1,2})?", re.ASCII)
COLUMNS = ("class", "x centre", "y centre", "width", "height", "confidence")
SEEN = ("0", "1", "2", "0.0", "1.0", "2.0")  # of a key point: not labelled, hidden, visible


def read_yolo(path: Path) -> Pictures:
    """Read a picture's labels, under the file's name without suffix; lines with commas as `json_lines.py` has them."""
    data = load_document(path, MAX_TEXT_BYTES)
    check_count(count_lines(data), "lines", str(path), MAX_REGIONS)
    rows = split_lines(data, str(path))
    first = next((row for row in rows if row.strip()), "")
    if "," in first or first.startswith("{"):
        return parse_json_lines(data, str(path))
    names = _names(path.parent)
    found = [
        Region.attempt(partial(_region, row.split(), names, f"{path}, line {n}"))
        for n, row in enumerate(rows, 1)
        if row.strip() and not row.lstrip().startswith("#")
    ]
    return {path.stem: tuple(found)}


def _region(columns: list[str], names: list[str], origin: str) -> Region:
    """Read the columns of one line."""
    if len(columns) > 6 and len(columns) % 3 == 2 and all(seen in SEEN for seen in columns[7::3]):
        columns = columns[:5]
    if len(columns) == 7 and columns[6].isdecimal():
        return _tracked(columns, names, origin)
    if len(columns) >= 7 and len(columns) % 2:
        return _outline(columns, names, None, origin)
    if len(columns) == 10:
        return _outline(columns[:9], names, columns[9], origin)
    if len(columns) not in (5, 6):
        raise BoxError(
            f"{origin}: has {len(columns)} numbers; a region has {', '.join(COLUMNS[:5])} and, if any, {COLUMNS[5]}"
        )
    for name, column in zip(COLUMNS, columns, strict=False):
        if not NUMBER.fullmatch(column):
            raise BoxError(f"{origin}: {name} {column[:40]!r} is no number")
    x, y, width, height, *score = map(float, columns[1:])
    label = _label(columns[0], names, origin)
    for name, share in zip(COLUMNS[1:5], (x, y, width, height), strict=True):
        if not 0 <= share <= 1 + MAX_ROUNDING:
            raise BoxError(f"{origin}: {name} is {share:g}; it is a share of the picture, from 0 to 1")
    sides = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    return Region(*sides, True, label, score[0] if score else None, origin)


def _tracked(columns: list[str], names: list[str], origin: str) -> Region:
    """Read a box with its confidence and the number of its track, if it cannot be a triangle, which has as many."""
    if float(columns[6]) <= 1:
        raise BoxError(
            f"{origin}: may be a triangle, or a box with confidence and track {columns[6]}; leave out the track"
        )
    return _region(columns[:6], names, origin)


def _outline(columns: list[str], names: list[str], score: str | None, origin: str) -> Region:
    """Read a line of a polygon, or of the four corners of a turned box: the box around its points."""
    if bad := [column for column in (*columns, score or "0") if not NUMBER.fullmatch(column)]:
        raise BoxError(f"{origin}: {bad[0][:40]!r} is no number")
    shares = [float(column) for column in columns[1:]]
    if not all(0 <= share <= 1 + MAX_ROUNDING for share in shares):
        raise BoxError(f"{origin}: has {len(columns)} numbers and is no polygon, whose points are shares from 0 to 1")
    sides = bounds(list(zip(shares[::2], shares[1::2], strict=True)))
    return Region(*sides, True, _label(columns[0], names, origin), None if score is None else float(score), origin)


def _label(column: str, names: list[str], origin: str) -> str:
    """Return the name of a class, or its number."""
    kind = float(column)
    if kind < 0 or kind != int(kind):
        raise BoxError(f"{origin}: class {column} is no whole number from 0")
    return (names[int(kind)] if kind < len(names) else "") or str(int(kind))


def _names(folder: Path) -> list[str]:
    """Read the classes' names, one a line, where they lie beside the labels."""
    path = folder / "classes.txt"
    rows = split_lines(load_document(path, MAX_TEXT_BYTES), str(path)) if path.is_file() else []
    return [row.strip() for row in rows]
