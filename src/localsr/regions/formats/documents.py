"""Files of regions, hostile until read: bounded, JSON of known types, and every refusal with its place."""

from __future__ import annotations

import codecs
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
MAX_FILE_REGIONS = 1_000_000  # the annotations of COCO's training pictures are 860,001
MAX_OUTLINE_BYTES = 2**20  # of a region's points or runs: 100,000 points; 11 MB of them took 4 s and 650 MB
MAX_ROUNDING = 1e-3  # by which a share may exceed 1
ENCODING = "utf-8-sig"  # Windows' editors put a mark before UTF-8
NO_NUMBER = re.compile(rb"([:\[,]\s*)-?(?:NaN|Infinity)(?=\s*[,\]}])")

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


def check_count(count: int, what: str, origin: str, most: int = MAX_FILE_REGIONS) -> None:
    """Refuse a file that would have more regions than are read, before they are."""
    if count > most:
        raise BoxError(f"{origin} has {count:,} {what}; of a file, {most:,} regions are read: split it")


def check_objects(data: bytes, key: bytes, origin: str, most: int = MAX_FILE_REGIONS) -> None:
    """Refuse JSON with more objects that have a key, or may have it by another spelling, than regions are read."""
    check_count(max(data.count(b'"%b"' % key), data.count(b"{") // 3), "regions", origin, most)


def check_outline(data: bytes, origin: str) -> None:
    """Refuse a region whose points or runs are too many, before they are read."""
    if len(data) > MAX_OUTLINE_BYTES:
        raise BoxError(f"{origin}: its outline has {len(data):,} bytes; {MAX_OUTLINE_BYTES:,} are read: simplify it")


def count_lines(data: bytes) -> int:
    """Return how many ends of lines there are, whichever system wrote them."""
    return max(data.count(b"\n"), data.count(b"\r"))


def read_text(data: bytes, origin: str) -> str:
    """Return a text in UTF-8, or in the UTF-16 that its first bytes tell of; `BoxError` for another encoding."""
    encoding = "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else ENCODING
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BoxError(f"{origin}, line {line}: is no text in UTF-8; save it as UTF-8") from None


def split_lines(data: bytes, origin: str) -> list[str]:
    """Return the lines of a text, whichever system ended them; `BoxError` for one in another encoding."""
    return re.split("\r\n|\r|\n", read_text(data, origin))  # splitlines() also parts a JSON text at U+2028


def parse_json(data: bytes, kind: type[T], origin: str) -> T:
    """Read JSON of a known type; what the type does not name is passed over; a number may be said as text.

    NaN and Infinity, which Python writes and JSON does not know, count as null. Raises `BoxError` with the entry, or
    the line, and the reason.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        data = read_text(data, origin).encode()
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        return msgspec.json.decode(data, type=kind, strict=False)
    except RecursionError:
        raise BoxError(f"{origin}: is nested too deeply to be a file of regions") from None
    except UnicodeDecodeError:
        raise BoxError(f"{origin}: is no text in UTF-8; save it as UTF-8") from None
    except msgspec.DecodeError as error:
        if (plain := NO_NUMBER.sub(rb"\1null", data)) != data:
            return parse_json(plain, kind, origin)
        reason = re.sub(r"`\$\.?(.*)`$", r"\1", str(error).replace("JSON is malformed: ", "")).rstrip()
        if byte := re.search(r" \(byte ([0-9]+)\)$", reason):
            line = data.count(b"\n", 0, int(byte[1])) + 1
            raise BoxError(f"{origin}, line {line}: is no JSON: {reason[: byte.start()]}") from None
        if "truncated" in reason:
            last = data.count(b"\n") + 1
            raise BoxError(f"{origin}, line {last}: is cut off in the middle of its JSON") from None
        what, _, entry = reason.partition(" - at ")
        place = f"{'' if entry.startswith('[') else ', '}{entry}" if entry else ""
        raise BoxError(f"{origin}{place}: {what}".replace("`", "")) from None


class _Contents(msgspec.Struct):
    """What tells formats from others."""

    shapes: msgspec.Raw = msgspec.Raw()
    regions: msgspec.Raw = msgspec.Raw()
    provenance: msgspec.Raw = msgspec.Raw()


def top_keys(path: Path) -> tuple[str, ...]:
    """Tell which of `shapes`, `regions` and `provenance` a JSON file, or its first line, has, and more than null in it.

    An array of other objects than COCO's, which have `image_id`, has `records`.
    """
    data = load_document(path, MAX_JSON_BYTES)
    if data.removeprefix(codecs.BOM_UTF8).lstrip()[:1] == b"[":
        return () if b'"image_id"' in data else ("records",)
    candidates = [key for key in ("shapes", "regions", "provenance") if f'"{key}"'.encode() in data]
    if not candidates:  # a large file of COCO's is not parsed for it
        return ()
    try:  # of several objects, one a line
        contents = parse_json(data.partition(b"\n")[0], _Contents, str(path))
    except BoxError:
        contents = parse_json(data, _Contents, str(path))
    return tuple(key for key in candidates if bytes(getattr(contents, key)) not in (b"", b"null"))


def bounds(points: Sequence[Point]) -> Sides:
    """Return left, top, right, bottom of points."""
    x, y = zip(*points, strict=True)
    return min(x), min(y), max(x), max(y)


def are_shares(sides: Sequence[float]) -> bool:
    """Tell whether a box is in shares of the picture: all within 0 to 1, where pixels have no place to be 0.1 or 0.37.

    Whole numbers and eighths may be of a box within the first pixel, and are taken for that.
    """
    inside = all(0 <= side <= 1 + MAX_ROUNDING for side in sides)
    return inside and not all((8.0 * side).is_integer() for side in sides)


def stated_size(width: float | None, height: float | None) -> Size | None:
    """Return the picture's size that a file states, 64.0 for 64 too; 0 and parts of a pixel state none."""
    if not width or not height or not (float(width).is_integer() and float(height).is_integer()):
        return None
    return Size(int(width), int(height))


def identity(said: float | str) -> str:
    """Return an id as text, the same for 7, 7.0 and "7", which tools write for one."""
    return str(int(said)) if isinstance(said, float) and said.is_integer() else str(said)
