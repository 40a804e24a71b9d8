"""Files of regions, hostile until read: bounded, JSON of known types, and every refusal with its place."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TypeVar

import msgspec

from localsr.errors import BoxError

LARGEST = 2**29  # bytes; the annotations of COCO's 118,287 training pictures have 448 MB
ENCODING = "utf-8-sig"  # Windows' editors put a mark before UTF-8

T = TypeVar("T")


def load(path: Path, largest: int = LARGEST) -> bytes:
    """Read a file of at most `largest` bytes."""
    try:
        if not path.is_file():
            raise BoxError(f"{path} is {'no file' if path.exists() else 'not there'}; name a file of regions")
        with path.open("rb") as file:
            data = file.read(largest + 1)
    except OSError as error:
        raise BoxError(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > largest:
        raise BoxError(f"{path} has more than {largest} bytes, which is no file of regions of its kind")
    return data


def lines(data: bytes, origin: str) -> list[str]:
    """Give the lines of a text; `BoxError` where it is none."""
    try:
        return data.decode(ENCODING).split("\n")  # splitlines() also parts a JSON text at U+2028; \r is white space
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BoxError(f"{origin}, line {line}: is no text in UTF-8") from None


def from_json(data: bytes, kind: type[T], origin: str) -> T:
    """Read JSON of a known type; what the type does not name is passed over, and a number is never a text.

    Raises `BoxError` with the entry, or the line, and the reason.
    """
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        return msgspec.json.decode(data, type=kind)
    except RecursionError:
        raise BoxError(f"{origin}: is nested too deeply to be a file of regions") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        told = re.sub(r"`\$\.?(.*)`$", r"\1", str(error).replace("JSON is malformed: ", "")).rstrip()
        if byte := re.search(r" \(byte ([0-9]+)\)$", told):
            line = data.count(b"\n", 0, int(byte[1])) + 1
            raise BoxError(f"{origin}, line {line}: is no JSON: {told[: byte.start()]}") from None
        if "truncated" in told:
            last = data.count(b"\n") + 1
            raise BoxError(f"{origin}, line {last}: is cut off in the middle of its JSON") from None
        what, _, entry = told.partition(" - at ")
        raise BoxError(f"{origin}{f', {entry}' if entry else ''}: {what}".replace("`", "")) from None
