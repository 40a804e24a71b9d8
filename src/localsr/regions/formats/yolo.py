"""YOLO's text: a line a region, `class x-centre y-centre width height [confidence]`, shares of the picture."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from localsr.errors import BoxError
from localsr.regions.formats.documents import MAX_TEXT_BYTES, Pictures, load_document, split_lines
from localsr.regions.formats.json_lines import parse_json_lines
from localsr.regions.region import Region

NO_LABELS = re.compile(  # what tools put beside the labels
    r"(classes|train|val|test|requirements)\.txt|readme(\..*)?\.(txt|md)|notes\.json|.*\.cache\.json", re.IGNORECASE
)
NUMBER = re.compile(r"[+-]?([0-9]{1,18}(\.[0-9]{0,25})?|\.[0-9]{1,25})([eE][+-]?[0-9]{1,2})?", re.ASCII)
COLUMNS = ("class", "x centre", "y centre", "width", "height", "confidence")
MAX_ROUNDING = 1e-3  # by which a share may exceed 1


def read_yolo(path: Path) -> Pictures:
    """Read a picture's labels, under the file's name without suffix; lines with commas as `json_lines.py` has them."""
    data = load_document(path, MAX_TEXT_BYTES)
    rows = split_lines(data, str(path))
    first = next((row for row in rows if row.strip()), "")
    if "," in first or first.startswith("{"):
        return parse_json_lines(data, str(path))
    names = _names(path.parent)
    found = [
        Region.attempt(partial(_region, row.split(), names, f"{path}, line {n}"))
        for n, row in enumerate(rows, 1)
        if row.strip()
    ]
    return {path.stem: tuple(found)}


def _region(columns: list[str], names: list[str], origin: str) -> Region:
    """Read the columns of one line."""
    if len(columns) not in (5, 6):
        raise BoxError(
            f"{origin}: has {len(columns)} numbers; a region has {', '.join(COLUMNS[:5])} and, if any, {COLUMNS[5]}"
        )
    for name, column in zip(COLUMNS, columns, strict=False):
        if not NUMBER.fullmatch(column):
            raise BoxError(f"{origin}: {name} {column[:40]!r} is no number")
    kind, x, y, width, height, *score = map(float, columns)
    if kind < 0 or kind != int(kind):
        raise BoxError(f"{origin}: class {columns[0]} is no whole number from 0")
    for name, share in zip(COLUMNS[1:5], (x, y, width, height), strict=True):
        if not 0 <= share <= 1 + MAX_ROUNDING:
            raise BoxError(f"{origin}: {name} is {share:g}; it is a share of the picture, from 0 to 1")
    label = (names[int(kind)] if kind < len(names) else "") or str(int(kind))
    sides = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    return Region(*sides, True, label, score[0] if score else None, origin)


def _names(folder: Path) -> list[str]:
    """Read the classes' names, one a line, where they lie beside the labels."""
    path = folder / "classes.txt"
    rows = split_lines(load_document(path, MAX_TEXT_BYTES), str(path)) if path.is_file() else []
    return [row.strip() for row in rows]
