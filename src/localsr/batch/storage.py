"""Files that lie on this machine or behind a URL (s3://, gs://, memory://, ...), which fsspec opens."""

from __future__ import annotations

import glob
import os
import posixpath
import re
import secrets
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from localsr.errors import ConfigError, DataError, OutputError
from localsr.files import write_whole
from localsr.regions.names import walk_files

# An upload to these appears whole or not at all; to others, such as sftp, under another name first.
OBJECT_STORES = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "memory")
VERSION_KEYS = ("ETag", "etag", "md5Hash", "LastModified", "mtime", "created")  # what stores call a file's state


def is_remote(place: str) -> bool:
    """Tell whether a place is a URL; one of `file:` is none once it went through `normalise`."""
    return "://" in place


def normalise(place: str) -> str:
    """Return a path made absolute, a `file:` URL as a path, any other URL as it is."""
    if place.startswith("file://"):
        place = place.removeprefix("file://")
    return place.rstrip("/") if is_remote(place) else os.path.abspath(place)


def join(folder: str, name: str) -> str:
    """Name something in a folder; what is absolute or a URL stays."""
    if is_remote(name):
        return normalise(name)
    return posixpath.join(folder, name) if is_remote(folder) else os.path.abspath(os.path.join(folder, name))


def parent(place: str) -> str:
    """Return the folder that something lies in."""
    return place.rsplit("/", 1)[0] if is_remote(place) else os.path.dirname(place)


def exists(place: str) -> bool:
    """Tell whether there is a file."""
    if is_remote(place):
        system, path = open_filesystem(place)
        return bool(system.isfile(path))
    return os.path.isfile(place)


def is_folder(place: str) -> bool:
    """Tell whether there is a folder."""
    if is_remote(place):
        system, path = open_filesystem(place)
        return bool(system.isdir(path))
    return os.path.isdir(place)


def file_stamp(place: str) -> str:
    """Return a word that changes when a file is replaced: its size, and its time or what the store calls it."""
    if not is_remote(place):
        about = os.stat(place)
        return f"{about.st_size}-{about.st_mtime_ns}"
    system, path = open_filesystem(place)
    facts: dict[str, Any] = system.info(path)
    version = next((facts[key] for key in VERSION_KEYS if key in facts), "")
    return f"{facts.get('size')}-{version}"


@contextmanager
def fetched(place: str) -> Iterator[Path]:
    """Yield the path of a file on this machine, which of a remote one is a copy."""
    if not is_remote(place):
        yield Path(place)
        return
    system, path = open_filesystem(place)
    with tempfile.TemporaryDirectory(prefix="localsr-") as folder:
        here = Path(folder) / (posixpath.basename(path) or "file")
        system.get_file(path, str(here))
        yield here


@contextmanager
def storing(place: str) -> Iterator[Path]:
    """Yield a path to write a file to, whole; it is uploaded when the block ends without an error."""
    if not is_remote(place):
        yield Path(place)
        return
    with tempfile.TemporaryDirectory(prefix="localsr-") as folder:
        here = Path(folder) / posixpath.basename(place)
        yield here
        write_file(place, here.read_bytes())


def write_file(place: str, data: bytes) -> None:
    """Write a file whole or not at all; `OutputError` where it cannot be written."""
    if not is_remote(place):
        write_whole(place, data)
        return
    system, path = open_filesystem(place)
    try:
        if place.split("://")[0] in OBJECT_STORES:
            system.pipe_file(path, data)
            return
        system.makedirs(parent(path), exist_ok=True)
        temporary = posixpath.join(parent(path), f".localsr-{secrets.token_hex(6)}.part")
        system.pipe_file(temporary, data)
        system.mv(temporary, path)
    except OSError as error:
        raise OutputError(f"{place} could not be written: {error.strerror or error}") from error


def read_file(place: str, max_bytes: int | None = None) -> bytes:
    """Return the bytes of a file; `DataError` for one of more than `max_bytes`, before it is read."""
    system, path = open_filesystem(place) if is_remote(place) else (None, place)
    size = os.path.getsize(path) if system is None else int(system.size(path) or 0)
    if max_bytes is not None and size > max_bytes:
        raise DataError(f"{place} has {size:,} bytes; up to {max_bytes:,} are read: split it")
    return Path(path).read_bytes() if system is None else bytes(system.cat_file(path))


def remove_file(place: str) -> None:
    """Remove a file, if it is there."""
    if is_remote(place):
        system, path = open_filesystem(place)
        if system.exists(path):
            system.rm_file(path)
    else:
        Path(place).unlink(missing_ok=True)


def list_files(folder: str, pattern: str) -> list[str]:
    """List the files in a folder that a pattern such as `**/*.jpg` names, in order; `DataError` if it is not there."""
    if not is_folder(folder):
        raise DataError(f"there is no folder {folder}")
    if not is_remote(folder):
        matches = _compile_pattern(pattern)
        return sorted(os.path.join(folder, name) for name in walk_files(folder) if matches(name))
    system, path = open_filesystem(folder)
    found = system.glob(f"{glob.escape(path.rstrip('/'))}/{pattern}", detail=True)
    return sorted(system.unstrip_protocol(name) for name, about in found.items() if about["type"] == "file")


def _compile_pattern(pattern: str) -> Callable[[str], object]:
    """Return what tells whether a path within a folder fits a pattern, as fsspec reads it in stores."""
    from fsspec.utils import glob_translate

    try:
        if os.path.isabs(pattern):
            raise ValueError("it begins with a slash")
        return re.compile(glob_translate(pattern)).match
    except ValueError as error:
        raise ConfigError(f"{pattern!r} is no pattern within a folder: {error}") from error


def open_filesystem(place: str) -> tuple[Any, str]:
    """Return fsspec's file system of a URL, and the path in it; `ConfigError` for one that no package here knows."""
    try:
        import fsspec

        system, path = fsspec.core.url_to_fs(place)
    except (ImportError, ValueError) as error:
        raise ConfigError(f"{place} cannot be opened: {error}") from error
    return system, str(path)
