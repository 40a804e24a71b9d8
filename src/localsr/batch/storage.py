"""Files that lie on this machine or behind a URL (s3://, gs://, memory://, ...), which fsspec opens."""

from __future__ import annotations

import os
import posixpath
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from localsr.errors import ConfigError, DataError, OutputError
from localsr.files import write_whole

# An upload to these appears whole or not at all; to others, such as sftp, under another name first.
OBJECTS = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "memory")


VERSIONS = ("ETag", "etag", "md5Hash", "LastModified", "mtime", "created")  # what stores call a file's state


def remote(place: str) -> bool:
    """Tell whether a place is a URL; `file:` is none once it went through `normal`."""
    return "://" in place


def normal(place: str) -> str:
    """Give a path as it is absolute, a `file:` URL as a path, and any other URL as it is."""
    if place.startswith("file://"):
        place = place.removeprefix("file://")
    return place.rstrip("/") if remote(place) else os.path.abspath(place)


def join(folder: str, name: str) -> str:
    """Name something in a folder; what is absolute or a URL stays."""
    if remote(name):
        return normal(name)
    return posixpath.join(folder, name) if remote(folder) else os.path.abspath(os.path.join(folder, name))


def parent(place: str) -> str:
    """Give the folder that something lies in."""
    return place.rsplit("/", 1)[0] if remote(place) else os.path.dirname(place)


def exists(place: str) -> bool:
    """Tell whether there is a file."""
    if remote(place):
        system, path = opened(place)
        return bool(system.isfile(path))
    return os.path.isfile(place)


def is_folder(place: str) -> bool:
    """Tell whether there is a folder."""
    if remote(place):
        system, path = opened(place)
        return bool(system.isdir(path))
    return os.path.isdir(place)


def stamp(place: str) -> str:
    """Say in a word what changes when a file is replaced: its size, and its time or what the store calls it."""
    if not remote(place):
        about = os.stat(place)
        return f"{about.st_size}-{about.st_mtime_ns}"
    system, path = opened(place)
    told: dict[str, Any] = system.info(path)
    version = next((told[key] for key in VERSIONS if key in told), "")
    return f"{told.get('size')}-{version}"


@contextmanager
def fetched(place: str) -> Iterator[Path]:
    """Give a file as one of this machine."""
    if not remote(place):
        yield Path(place)
        return
    system, path = opened(place)
    with tempfile.TemporaryDirectory(prefix="localsr-") as folder:
        here = Path(folder) / (posixpath.basename(path) or "file")
        system.get_file(path, str(here))
        yield here


@contextmanager
def storing(place: str) -> Iterator[Path]:
    """Give a path to write a file to, whole; it is stored when the block ends without an error."""
    if not remote(place):
        yield Path(place)
        return
    with tempfile.TemporaryDirectory(prefix="localsr-") as folder:
        here = Path(folder) / posixpath.basename(place)
        yield here
        store(place, here.read_bytes())


def store(place: str, data: bytes) -> None:
    """Write a file, whole or not at all; `OutputError`."""
    if not remote(place):
        write_whole(place, data)
        return
    system, path = opened(place)
    try:
        if place.split("://")[0] in OBJECTS:
            system.pipe_file(path, data)
            return
        system.makedirs(parent(path), exist_ok=True)
        temporary = posixpath.join(parent(path), f".localsr-{secrets.token_hex(6)}.part")
        system.pipe_file(temporary, data)
        system.mv(temporary, path)
    except OSError as error:
        raise OutputError(f"{place} could not be written: {error.strerror or error}") from error


def load(place: str) -> bytes:
    """Read a file."""
    if remote(place):
        system, path = opened(place)
        return bytes(system.cat_file(path))
    return Path(place).read_bytes()


def remove(place: str) -> None:
    """Remove a file, if it is there."""
    if remote(place):
        system, path = opened(place)
        if system.exists(path):
            system.rm_file(path)
    else:
        Path(place).unlink(missing_ok=True)


def listed(folder: str, pattern: str) -> list[str]:
    """List the files in a folder that a pattern such as `**/*.jpg` names, in order; `DataError` if it is none."""
    if not is_folder(folder):
        raise DataError(f"there is no folder {folder}")
    if not remote(folder):
        try:
            return sorted(str(path) for path in Path(folder).glob(pattern) if path.is_file())
        except (NotImplementedError, ValueError) as error:
            raise ConfigError(f"{pattern!r} is no pattern within a folder: {error}") from error
    system, path = opened(folder)
    found = system.glob(f"{path.rstrip('/')}/{pattern}", detail=True)
    return sorted(system.unstrip_protocol(name) for name, about in found.items() if about["type"] == "file")


def opened(place: str) -> tuple[Any, str]:
    """Give fsspec's file system of a URL, and the path in it; `ConfigError` for one that no package here knows."""
    try:
        import fsspec

        system, path = fsspec.core.url_to_fs(place)
    except (ImportError, ValueError) as error:
        raise ConfigError(f"{place} cannot be opened: {error}") from error
    return system, str(path)
