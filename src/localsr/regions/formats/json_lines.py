"""Regions line by line, from a program or a person.

A line is a region as `--box` takes it, `40,60,128,96`, or a JSON object:

    {"picture": "a.jpg", "box": [40, 60, 168, 156], "label": "sign", "score": 0.9}

`box` is left, top, right, bottom in pixels, as `localsr restore --json` prints it, or a text as `--box` takes it;
`bbox`, instead, is left, top, width, height in pixels, as COCO has it. All else may be left out; a region without
`picture` (or another name of PICTURE) is of any picture. Empty lines are passed over. Of `localsr batch`, a line may
name a picture alone, or with a `"detector"`.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from localsr.errors import BoxError
from localsr.regions.formats import documents
from localsr.regions.region import Region
from localsr.regions.text import text

PICTURE = ("picture", "image", "file", "path", "file_name", "filename")  # what that is called
Four = tuple[float, float, float, float]


class Line(msgspec.Struct):
    """What a JSON object says."""

    box: str | list[float] | None = None
    bbox: Four | None = None
    picture: str = ""
    image: str = ""
    file: str = ""
    path: str = ""
    file_name: str = ""
    filename: str = ""
    detector: str = ""
    label: str = ""
    score: float | None = None


def read(data: bytes, origin: str) -> dict[str, tuple[Region, ...]]:
    """Read regions by the pictures' names."""
    found: dict[str, list[Region]] = {}
    for picture, region, detector in entries(data, origin):
        if detector:
            raise BoxError(
                f"{origin}: the detector {detector} is for a manifest of `localsr batch`; here give --detect"
            )
        found.setdefault(picture, []).extend([] if region is None else [region])
    return {picture: tuple(regions) for picture, regions in found.items()}


def entries(data: bytes, origin: str) -> Iterator[tuple[str, Region | None, str]]:
    """Read line by line: the picture's name, a region, a detector; not all of the three are empty."""
    if len(data) > documents.LARGEST:
        raise BoxError(f"{origin} has more than {documents.LARGEST} bytes")
    for number, line in enumerate(documents.lines(data, origin), 1):
        if line.strip():
            yield _entry(line.strip(), f"{origin}, line {number}")


def _entry(line: str, origin: str) -> tuple[str, Region | None, str]:
    """Read a line."""
    if not line.startswith("{"):
        return "", text(line, origin), ""
    said = documents.from_json(line.encode(), Line, origin)
    picture = next((name for key in PICTURE if (name := getattr(said, key))), "")
    if said.box is None and said.bbox is None and picture:
        return picture, None, said.detector
    if (said.box is None) == (said.bbox is None):
        raise BoxError(f"{origin}: must have one of box and bbox")
    if isinstance(said.box, str):
        found = text(said.box, origin)
        sides, relative = (found.left, found.top, found.right, found.bottom), found.relative
    else:
        relative = False
        if said.bbox is not None:
            x, y, width, height = said.bbox
            sides = (x, y, x + width, y + height)
        elif said.box is not None and len(said.box) == 4:
            sides = (said.box[0], said.box[1], said.box[2], said.box[3])
        else:
            raise BoxError(f"{origin}: box must be a text, or left, top, right, bottom")
    return picture, Region(*sides, relative, said.label, said.score, origin), said.detector
