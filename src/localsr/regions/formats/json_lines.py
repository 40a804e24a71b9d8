"""Regions line by line, from a program or a person.

A line is a region as `--box` takes it, `40,60,128,96`, or a JSON object:

    {"picture": "a.jpg", "box": [40, 60, 168, 156], "label": "sign", "score": 0.9}

`box` is left, top, right, bottom in pixels, as `localsr restore --json` prints it, or a text as `--box` takes it;
`bbox`, instead, is left, top, width, height in pixels, as COCO has it. All else may be left out; a region without
`picture` (or another name of `PICTURE_KEYS`) is of any picture. Empty lines are passed over. In a manifest of
`localsr batch`, a line may name a picture alone, or with a `"detector"`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from localsr.errors import BoxError
from localsr.regions.formats.documents import (
    MAX_JSON_BYTES,
    Pictures,
    Sides,
    load_document,
    parse_json,
    split_lines,
)
from localsr.regions.region import Region
from localsr.regions.text import text

PICTURE_KEYS = ("picture", "image", "file", "path", "file_name", "filename")  # what may name a picture


class RegionLine(msgspec.Struct):
    """A JSON object of a line."""

    box: str | list[float] | None = None
    bbox: Sides | None = None
    picture: str = ""
    image: str = ""
    file: str = ""
    path: str = ""
    file_name: str = ""
    filename: str = ""
    detector: str = ""
    label: str = ""
    score: float | None = None


class LineEntry(NamedTuple):
    """What a line asks for; not all of it is empty."""

    picture: str  # its name, "" for any picture
    region: Region | None
    detector: str


def read_json_lines(path: Path) -> Pictures:
    """Read a file of lines."""
    return parse_json_lines(load_document(path, MAX_JSON_BYTES), str(path))


def parse_json_lines(data: bytes, origin: str) -> Pictures:
    """Read lines; `BoxError` for one that asks for a detector, which is for a manifest."""
    found: dict[str, list[Region]] = {}
    for picture, region, detector in iterate_lines(data, origin):
        if detector:
            raise BoxError(
                f"{origin}: the detector {detector} is for a manifest of `localsr batch`; here give --detect"
            )
        found.setdefault(picture, []).extend([] if region is None else [region])
    return {picture: tuple(regions) for picture, regions in found.items()}


def iterate_lines(data: bytes, origin: str) -> Iterator[LineEntry]:
    """Yield what each line asks for."""
    if len(data) > MAX_JSON_BYTES:
        raise BoxError(f"{origin} has more than {MAX_JSON_BYTES} bytes")
    for number, line in enumerate(split_lines(data, origin), 1):
        if line.strip():
            yield _entry(line.strip(), f"{origin}, line {number}")


def _entry(line: str, origin: str) -> LineEntry:
    """Read a line that is not empty."""
    if not line.startswith("{"):
        return LineEntry("", text(line, origin), "")
    said = parse_json(line.encode(), RegionLine, origin)
    picture = next((name for key in PICTURE_KEYS if (name := getattr(said, key))), "")
    if said.box is None and said.bbox is None and picture:
        return LineEntry(picture, None, said.detector)
    if (said.box is None) == (said.bbox is None):
        raise BoxError(f"{origin}: must have one of box and bbox")
    sides, relative = _sides(said, origin)
    return LineEntry(picture, Region(*sides, relative, said.label, said.score, origin), said.detector)


def _sides(said: RegionLine, origin: str) -> tuple[Sides, bool]:
    """Return left, top, right, bottom of a line's region, and whether they are shares of the picture."""
    if isinstance(said.box, str):
        found = text(said.box, origin)
        return (found.left, found.top, found.right, found.bottom), found.relative
    if said.bbox is not None:
        x, y, width, height = said.bbox
        return (x, y, x + width, y + height), False
    if said.box is not None and len(said.box) == 4:
        return (said.box[0], said.box[1], said.box[2], said.box[3]), False
    raise BoxError(f"{origin}: box must be a text, or left, top, right, bottom")
