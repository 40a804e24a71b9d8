"""Names that mean one picture, whichever system or tool wrote them."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from pathlib import PurePosixPath
from urllib.parse import unquote

PICTURE_SUFFIXES = (
    ".png",
    ".tif",
    ".tiff",
    ".webp",
    ".bmp",
    ".jpg",
    ".jpeg",
    ".jpe",
    ".jfif",
)  # of masks, and of pictures' names
FILE_URL = re.compile(r"file:(//[^/]*)?(?=/)")  # file:///a, file://localhost/a, file:/a
EXPORT_FOLDER = re.compile(r"(.*/)?(upload/[0-9]+|images)/(?=[^/]+$)")  # that Label Studio puts before names


def fold(name: str) -> str:
    """Return what names of one picture have in common: composed, decoded, with slashes and a suffix in small letters.

    Example:
        >>> fold("file:///data/my%20photo.JPG")
        '/data/my photo.jpg'
    """
    plain = FILE_URL.sub("", name, count=1) if name.startswith("file:") else name
    plain = plain.partition("?d=")[2] or plain  # Label Studio's data/local-files/?d=pics/a.jpg
    plain = unquote(plain, errors="surrogateescape").replace("\\", "/")
    plain = unicodedata.normalize("NFC", plain)
    suffix = PurePosixPath(plain).suffix
    return plain.removesuffix(suffix) + suffix.lower() if suffix.lower() in PICTURE_SUFFIXES else plain


def is_stray(path: PurePosixPath) -> bool:
    """Tell whether a path within a folder is what systems leave there: `._a.jpg`, `.thumbnails`, `@eaDir`."""
    return any(part.startswith((".", "@eaDir")) for part in path.parts)


def walk_files(folder: str) -> Iterator[str]:
    """Yield the paths of all files below a folder, relative to it and in order; links to folders are followed.

    A link to a folder that one is in already is not; nor is what may not be read.
    """
    yield from _walk(folder, "", ())


def _walk(folder: str, within: str, above: tuple[str, ...]) -> Iterator[str]:
    """Yield the files below a folder within `folder`, on a way through the folders `above`."""
    real = os.path.realpath(os.path.join(folder, within))
    try:
        entries = sorted(os.scandir(real), key=lambda entry: entry.name) if real not in above else []
    except OSError:
        entries = []
    for entry in entries:
        path = f"{within}{entry.name}"
        if entry.is_dir():
            yield from _walk(folder, f"{path}/", (*above, real))
        elif entry.is_file():
            yield path


def fold_exported(name: str) -> str:
    """Return `fold` of a name in annotations, without the folder that the exporting tool put before it.

    YOLO has `labels/train/a.txt` beside `images/train/a.jpg`.
    """
    return EXPORT_FOLDER.sub("", re.sub(r"(^|/)labels/", r"\1images/", fold(name)), count=1)


def locate(folder: str, name: str) -> str:
    """Return the path of the file on this machine that a name in `folder` means, or "" if there is none, or several.

    The name as it is comes first; then the only file on the way that has the same `fold`.
    """
    whole = os.path.abspath(os.path.join(folder, name))
    if os.path.isfile(whole):
        return whole
    wanted = PurePosixPath(os.path.abspath(os.path.join(folder, fold(name))))
    here = wanted.anchor
    for part in wanted.parts[1:]:
        inner = os.path.join(here, part)
        if not os.path.exists(inner):
            alike = _list_by_fold(here).get(fold(part), ())
            if len(alike) != 1:
                return ""
            inner = os.path.join(here, alike[0])
        here = inner
    return here if os.path.isfile(here) else ""


@lru_cache(maxsize=16)
def _list_by_fold(folder: str) -> dict[str, list[str]]:
    """Return the names in a folder by their `fold`."""
    found: dict[str, list[str]] = {}
    try:
        for name in os.listdir(folder):
            found.setdefault(fold(name), []).append(name)
    except OSError:
        return {}
    return found
