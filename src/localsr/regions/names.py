"""Names that mean one picture, whichever system or tool wrote them."""

from __future__ import annotations

import os
import re
import unicodedata
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
