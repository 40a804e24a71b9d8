"""Files of regions, hostile until read: bounded, JSON of known types, and every refusal with its place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias, TypeVar

import msgspec

from localsr.errors import BoxError
from localsr.geometry import Size
from localsr.regions.region import Region

MAX_JSON_BYTES = 2**29  # the annotations of COCO's 118,287 training pictures have 448 MB
MAX_TEXT_BYTES = 2**24  # of a file about one picture: 100,000 lines of YOLO have 5 MB
ENCODING = "utf-8-sig"  # Windows' editors put a mark before UTF-8

Pictures: TypeAlias = dict[str, tuple[Region, ...]]  # regions by the picture's name, "" for any picture
Sides: TypeAlias = tuple[float, float, float, float]
Point: TypeAlias = tuple[float, float]
T = TypeVar("T")


def load_document(path: Path, max_bytes: int) -> bytes:
    """Read a file of at most `max_bytes`; `BoxError` for any other."""
    try:
        if not path.is_file():
            raise BoxError(f"{path} is {'no file' if path.exists() else 'not there'}; name a file of regions")
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except OSError as error:
        raise BoxError(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > max_bytes:
        raise BoxError(f"{path} has more than {max_bytes} bytes, which is no file of regions of its kind")
    return data


def split_lines(data: bytes, origin: str) -> list[str]:
    """Return the lines of a text in UTF-8; `BoxError` for another encoding."""
    try:
        return data.decode(ENCODING).split("\n")  # splitlines() also parts a JSON text at U+2028; \r is white space
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BoxError(f"{origin}, line {line}: is no text in UTF-8") from None


def parse_json(data: bytes, kind: type[T], origin: str) -> T:
    """Read JSON of a known type; what the type does not name is passed over, and a number is never a text.

    Raises `BoxError` with the entry, or the line, and the reason.
    """
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        return msgspec.json.decode(data, type=kind)
    except RecursionError:
        raise BoxError(f"{origin}: is nested too deeply to be a file of regions") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        reason = re.sub(r"`\$\.?(.*)`$", r"\1", str(error).replace("JSON is malformed: ", "")).rstrip()
        if byte := re.search(r" \(byte ([0-9]+)\)$", reason):
            line = data.count(b"\n", 0, int(byte[1])) + 1
            raise BoxError(f"{origin}, line {line}: is no JSON: {reason[: byte.start()]}") from None
        if "truncated" in reason:
            last = data.count(b"\n") + 1
            raise BoxError(f"{origin}, line {last}: is cut off in the middle of its JSON") from None
        what, _, entry = reason.partition(" - at ")
        raise BoxError(f"{origin}{f', {entry}' if entry else ''}: {what}".replace("`", "")) from None


def bounds(points: Sequence[Point]) -> Sides:
    """Return left, top, right, bottom of points."""
    x, y = zip(*points, strict=True)
    return min(x), min(y), max(x), max(y)


def stated_size(width: float | None, height: float | None) -> Size | None:
    """Return the picture's size that a file states, 64.0 for 64 too; 0 and parts of a pixel state none."""
    if not width or not height or not (float(width).is_integer() and float(height).is_integer()):
        return None
    return Size(int(width), int(height))


def identity(said: float | str) -> str:
    """Return an id as text, the same for 7, 7.0 and "7", which tools write for one."""
    return str(int(said)) if isinstance(said, float) and said.is_integer() else str(said)
