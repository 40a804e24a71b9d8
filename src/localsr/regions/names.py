"""Names that mean one picture, whichever system or tool wrote them."""

from __future__ import annotations

import html
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
    ".avif",
    ".gif",
    ".bmp",
    ".jpg",
    ".jpeg",
    ".jpe",
    ".jfif",
)  # of masks, and of pictures' names
STRAYS: tuple[str, ...] = (".", "~$", "@eadir", "@tmp", "@recycle", "#recycle", "#snapshot", "$recycle.bin", "__macosx")
STRAYS += ("system volume information",)  # beginnings of names, in small letters: Windows', macOS', Synology's, QNAP's
WEB_URL = re.compile(r"(https?://[^?#]*)[?#].*")  # what follows is no part of the name
FILE_URL = re.compile(r"file:(//[^/]*)?(?=/)")  # file:///a, file://localhost/a, file:/a
QUERY = re.compile(rf"({'|'.join(map(re.escape, PICTURE_SUFFIXES))})[?#].*", re.IGNORECASE)  # that a crawler has kept
EXPORT_FOLDER = re.compile(r"(.*/)?(upload/[0-9]+|images)/(?=[^/]+$)")  # that Label Studio puts before names
EXPORT_MARK = re.compile(r"(^|/)[0-9a-f]{8}-(?=[^/]+$)")  # that it puts before an uploaded file's own name


def fold(name: str) -> str:
    """Return what names of one picture have in common: composed, decoded, with slashes and a suffix in small letters.

    Blanks of all kinds are one: screenshots of macOS have a narrow one before PM.

    Example:
        >>> fold("file:///data/my%20photo.JPG")
        '/data/my photo.jpg'
    """
    plain = FILE_URL.sub("", name, count=1) if name.startswith("file:") else name
    plain = WEB_URL.sub(r"\1", plain)
    plain = plain.partition("?d=")[2] or plain  # Label Studio's data/local-files/?d=pics/a.jpg
    plain = unquote(plain, errors="surrogateescape").replace("\\", "/")
    plain = " ".join(unicodedata.normalize("NFC", plain).split())
    suffix = PurePosixPath(plain).suffix
    return plain.removesuffix(suffix) + suffix.lower() if suffix.lower() in PICTURE_SUFFIXES else plain


def is_stray(path: PurePosixPath) -> bool:
    """Tell whether a path within a folder is what systems leave there: `._a.jpg`, `.thumbnails`, `@eaDir`, bins."""
    return any(part.lower().startswith(STRAYS) for part in path.parts)


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


def fold_loosely(name: str) -> str:
    """Return what names may have in common: letters count alike, large or small, and a plus as the blank it stood for.

    Without Label Studio's mark, what follows an address's `?`, and HTML's entities.

    Example:
        >>> fold_loosely("Tom+&amp;+Ann.JPG?size=large"), fold_loosely("tom & ann.jpg")
        ('tom & ann.jpg', 'tom & ann.jpg')
    """
    bare = QUERY.sub(r"\1", html.unescape(name))
    folded = " ".join(fold_exported(bare).replace("+", " ").split())
    return EXPORT_MARK.sub(r"\1", folded.casefold(), count=1)


def is_foreign(name: str, picture: str) -> bool:
    """Tell whether a name is a whole path or URL of another machine, where only its end can be that of a picture."""
    if not re.match(r"/|\\\\|[A-Za-z]:[\\/]|\w+://", name):
        return False
    roots = [next((part for part in re.split(r"[/\\]", path) if part), "") for path in (name, picture)]
    return roots[0].casefold() != roots[1].casefold()


def locate(folder: str, name: str) -> str:
    """Return the path of the file on this machine that a name in `folder` means, or "" if there is none, or several.

    The name as it is comes first; then the only file on the way that has the same `fold`, then `fold_loosely`.
    """
    whole = os.path.abspath(os.path.join(folder, name))
    if os.path.isfile(whole):
        return whole
    wanted = PurePosixPath(os.path.abspath(os.path.join(folder, fold(name))))
    here = wanted.anchor
    for part in wanted.parts[1:]:
        inner = os.path.join(here, part)
        if not os.path.exists(inner):
            alike = _list_by_fold(here).get(fold_loosely(part), [])
            alike = [name for name in alike if fold(name) == fold(part)] or alike
            if len(alike) != 1:
                return ""
            inner = os.path.join(here, alike[0])
        here = inner
    return here if os.path.isfile(here) else ""


@lru_cache(maxsize=16)
def _list_by_fold(folder: str) -> dict[str, list[str]]:
    """Return the names in a folder by their `fold_loosely`."""
    found: dict[str, list[str]] = {}
    try:
        for name in os.listdir(folder):
            found.setdefault(fold_loosely(name), []).append(name)
    except OSError:
        return {}
    return found
