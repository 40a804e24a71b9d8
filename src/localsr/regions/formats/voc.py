"""Pascal VOC's XML, read by expat itself: it tells the line, and no document type, so no entity, is let in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from xml.parsers import expat

from localsr.errors import BoxError
from localsr.geometry import Size
from localsr.regions.formats.documents import MAX_TEXT_BYTES, Pictures, check_count, load_document
from localsr.regions.region import MAX_REGIONS, Region

MAX_DEPTH = 32  # of elements
SIDES = ("xmin", "ymin", "xmax", "ymax")
NUMBER = re.compile(r"[+-]?[0-9]{1,18}(\.[0-9]{0,25})?([eE][+-]?[0-9]{1,2})?", re.ASCII)


def read_voc(path: Path) -> Pictures:
    """Read a picture's objects, under the name that the file says, or the file's own name without suffix.

    As VOC's own tools have it, pixels are counted from 1 and `xmax`, `ymax` are the last ones inside. A 0, which only
    tools that count from 0 write, is the border.
    """
    data = load_document(path, MAX_TEXT_BYTES)
    check_count(data.count(b"<object"), "objects", str(path), MAX_REGIONS)
    reader = _VocReader(str(path))
    reader.parse(data)
    size = Size(*reader.size) if all(reader.size) else None
    found = []
    for line, said in reader.objects:
        found.append(Region.attempt(partial(_object_region, said, size, f"{path}, line {line}")))
    return {reader.picture or path.stem: tuple(found)}


def _object_region(said: Mapping[str, str], size: Size | None, origin: str) -> Region:
    """Return the region of an object."""
    if missing := [side for side in SIDES if side not in said]:
        raise BoxError(f"{origin}: the object lacks {', '.join(missing)}")
    x1, y1, x2, y2 = (_number(said[side], side, origin) for side in SIDES)
    x1, y1 = (0.0 if side == 0 else side - 1 for side in (x1, y1))
    return Region(x1, y1, x2, y2, False, said.get("name", ""), None, origin, size)


def _number(text: str, name: str, origin: str) -> float:
    """Read a side of a box."""
    if not NUMBER.fullmatch(text):
        raise BoxError(f"{origin}: {name} {text[:40]!r} is no number")
    return float(text)


class _VocReader:
    """The size, the name and the objects of a picture, as expat comes across them."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.picture = ""
        self.size = [0, 0]
        self.objects: list[tuple[int, dict[str, str]]] = []
        self._path: list[str] = []
        self._text: list[str] = []
        self._parser = expat.ParserCreate()
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text.append

    def parse(self, data: bytes) -> None:
        """Read a document; `BoxError` where it is none of Pascal VOC's."""
        try:
            self._parser.Parse(data, True)
        except expat.ExpatError as error:
            reason = expat.ErrorString(error.code)
            raise BoxError(f"{self.origin}, line {error.lineno}: is no XML: {reason}") from None
        except BoxError:
            raise
        except (LookupError, ValueError) as error:  # of an encoding that is unknown, or of several bytes
            raise BoxError(f"{self.origin}, line 1: {error}") from None

    def _refuse(self, reason: str) -> None:
        """Stop with the line that expat is at."""
        raise BoxError(f"{self.origin}, line {self._parser.CurrentLineNumber}: {reason}")

    def _doctype(self, *_: object) -> None:
        self._refuse("a document type is not allowed; VOC's files have none")

    def _start(self, tag: str, _: object) -> None:
        if not self._path and tag != "annotation":
            self._refuse(f"begins with {tag[:40]!r}; a Pascal VOC file begins with annotation")
        self._path.append(tag)
        self._text.clear()
        if len(self._path) > MAX_DEPTH:
            self._refuse("is nested too deeply to be a Pascal VOC file")
        if self._path == ["annotation", "object"]:
            self.objects.append((self._parser.CurrentLineNumber, {}))

    def _end(self, tag: str) -> None:
        text, place = "".join(self._text).strip(), self._path[1:]
        self._text.clear()
        self._path.pop()
        if place == ["filename"]:
            self.picture = text
        elif place in (["size", "width"], ["size", "height"]):
            if not re.fullmatch(r"[0-9]{1,9}(\.0*)?", text, re.ASCII):
                self._refuse(f"{tag} {text[:40]!r} is no whole number")
            self.size[tag == "height"] = int(float(text))
        elif place == ["object", "name"] or (place[:2] == ["object", "bndbox"] and place[2:] in [[s] for s in SIDES]):
            self.objects[-1][1][tag] = text
