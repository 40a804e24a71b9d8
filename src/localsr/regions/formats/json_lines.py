"""Regions line by line, from a program or a person.

A line is a region as `--box` takes it, `40,60,128,96`, or a JSON object:

    {"picture": "a.jpg", "box": [40, 60, 168, 156], "label": "sign", "score": 0.9}

`box` is left, top, right, bottom in pixels, as `localsr restore --json` prints it, or a text as `--box` takes it;
`bbox`, instead, is left, top, width, height in pixels, as COCO has it; all that the columns of a table may say
(`records.py`) does too. All else may be left out; a region without `picture` (or another name of `PICTURE_KEYS`) is of
any picture. An object with `regions` has several, of its `input`: what `localsr restore --json` prints. Empty lines are
passed over. In a manifest of `localsr batch`, a line may name a picture alone, or with a `"detector"`. A JSON array of
such objects is read as their lines; what `localsr inspect --json` printed of a result, as the boxes that it is of.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from localsr.errors import BoxError
from localsr.geometry import Size
from localsr.regions.formats.documents import (
    MAX_JSON_BYTES,
    Pictures,
    are_shares,
    check_count,
    check_objects,
    count_lines,
    load_document,
    parse_json,
    split_lines,
)
from localsr.regions.formats.records import canonical, holds_unknown, name_regions, record_picture
from localsr.regions.formats.tables import misplaced, readable_regions
from localsr.regions.region import Region
from localsr.regions.text import text

NOTHING = msgspec.Raw(b"null")


class RegionLine(msgspec.Struct):
    """A JSON object of a line, or a region in it."""

    box: msgspec.Raw = NOTHING
    bbox: msgspec.Raw = NOTHING
    detector: str = ""
    label: str = ""
    score: float | None = None
    size: tuple[int, int] | None = None
    regions: list[RegionLine] | None = None


class ResultOrigin(msgspec.Struct):
    """What a result says of how it was made."""

    boxes: list[tuple[float, float, float, float]]


class InspectedResult(msgspec.Struct):
    """What `localsr inspect --json` printed."""

    provenance: ResultOrigin


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
    return _by_picture(iterate_lines(data, origin), origin)


def _by_picture(entries: Iterable[LineEntry], origin: str) -> Pictures:
    """Return what entries ask for by the names of pictures."""
    found: dict[str, list[Region]] = {}
    for picture, region, detector in entries:
        if detector:
            raise misplaced(detector, origin)
        found.setdefault(picture, []).extend([] if region is None else [region])
    return {picture: tuple(regions) for picture, regions in found.items()}


def iterate_lines(data: bytes, origin: str) -> Iterator[LineEntry]:
    """Yield what each line asks for."""
    if len(data) > MAX_JSON_BYTES:
        raise BoxError(f"{origin} has more than {MAX_JSON_BYTES} bytes")
    check_count(count_lines(data), "lines", origin)
    _check_boxes(data, origin)
    for number, line in enumerate(split_lines(data, origin), 1):
        if line.strip():
            yield from _entries(line.strip(), f"{origin}, line {number}")


def read_answer(path: Path) -> Pictures:
    """Read what `localsr restore --json` printed: one object, however it is laid out, or one a line."""
    data = load_document(path, MAX_JSON_BYTES)
    _check_boxes(data, str(path))
    try:
        return _by_picture(_read_object(data, str(path)), str(path))
    except BoxError:  # several, or malformed
        return parse_json_lines(data, str(path))


def read_inspected(path: Path) -> Pictures:
    """Read the boxes that a result was made from, of any picture: it knows its source by the sha256 alone."""
    data = load_document(path, MAX_JSON_BYTES)
    boxes = parse_json(data, InspectedResult, str(path)).provenance.boxes
    return {"": tuple(Region(*sides, origin=f"{path}, provenance.boxes[{n}]") for n, sides in enumerate(boxes))}


def read_array(path: Path) -> Pictures:
    """Read one JSON array whose entries are objects as of lines."""
    data = load_document(path, MAX_JSON_BYTES)
    _check_boxes(data, str(path))
    entries = enumerate(parse_json(data, list[dict[str, msgspec.Raw]], str(path)))
    encoded = ((msgspec.json.encode(entry), f"{path}[{n}]") for n, entry in entries)
    return _by_picture((found for entry, place in encoded for found in _read_object(entry, place)), str(path))


def _check_boxes(data: bytes, origin: str) -> None:
    """Refuse more regions than are read, as objects or as lists, before they are."""
    check_objects(data, b"box", origin)
    check_count(data.count(b"["), "lists", origin)


def _entries(line: str, origin: str) -> Iterator[LineEntry]:
    """Read a line that is not empty; a region of it that is none costs itself."""
    if not line.startswith("{"):
        yield LineEntry("", text(line, origin), "")
        return
    yield from _read_object(line.encode(), origin)


def _read_object(data: bytes, origin: str) -> Iterator[LineEntry]:
    """Read a JSON object."""
    said = parse_json(data, RegionLine, origin)
    record = canonical(parse_json(data, dict[str, Any], origin))
    picture = record_picture(record)
    if said.regions is not None:
        yield from (LineEntry(picture, region, "") for region in _regions(said, origin) or (None,))
        return
    given = [bytes(raw) for raw in (said.box, said.bbox) if raw != NOTHING]
    if not given or any(raw.startswith(b"{") for raw in given):
        found = readable_regions(record, origin)
    else:
        region = Region.attempt(partial(_line_region, said, None, origin))
        named = region.problem or (region.label and region.score is not None)
        found = [region] if named else name_regions([region], record, origin)
    if not found and (not picture or holds_unknown(record)):
        raise BoxError(f"{origin}: must have one of box and bbox")
    yield from (LineEntry(picture, region, said.detector) for region in found or (None,))


def _regions(answer: RegionLine, origin: str) -> list[Region]:
    """Return the regions of an object that has several, or none."""
    size = None if answer.size is None else Size(*answer.size)
    return [
        Region.attempt(partial(_line_region, said, size, f"{origin}, regions[{n}]"))
        for n, said in enumerate(answer.regions or ())
    ]


def _line_region(said: RegionLine, size: Size | None, origin: str) -> Region:
    """Read the region of an object that has `box` or `bbox`."""
    if (said.box == NOTHING) == (said.bbox == NOTHING):
        raise BoxError(f"{origin}: must have one of box and bbox")
    if said.bbox != NOTHING:
        x, y, width, height = parse_json(bytes(said.bbox), tuple[float, float, float, float], f"{origin}, bbox")
        sides = (x, y, x + width, y + height)
        return Region(*sides, are_shares(sides), said.label, said.score, origin, size, by_size=True)
    if bytes(said.box).startswith(b'"'):
        found = text(parse_json(bytes(said.box), str, origin), origin)
        return replace(found, label=said.label, score=said.score, size=size)
    box = parse_json(bytes(said.box), list[float], f"{origin}, box")
    if len(box) != 4:
        raise BoxError(f"{origin}: box must be a text, or left, top, right, bottom")
    left, top, right, bottom = box
    return Region(left, top, right, bottom, are_shares(box), said.label, said.score, origin, size)
