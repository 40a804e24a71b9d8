"""Files are written whole or not at all."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from localsr.errors import DataError, OutputError


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary name beside `path` to write to; at the end it is synced and takes the name. Folders are made.

    After an error, a kill or on a full disk the old file stands untouched. Raises `OutputError`.
    """
    target = Path(os.path.realpath(path))  # a link stays a link
    if target.exists() and not target.is_file():
        raise OutputError(f"{path} is no file that could be replaced; choose another name")
    temporary = target.with_name(f".localsr-{secrets.token_hex(6)}.part")  # short: the name may be at its limit
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(f"{path} could not be written: {error.strerror}; what was there is untouched") from error


def write_whole(path: str | os.PathLike[str], data: bytes | memoryview) -> None:
    """Write a file by `replacing`."""
    with replacing(path) as temporary, temporary.open("xb") as file:
        file.write(data)


def remove_leftovers(folder: Path) -> None:
    """Remove what a kill in the middle of `replacing` has left at any depth of a folder that nobody else writes to."""
    for path in folder.rglob(".localsr-*.part"):
        path.unlink(missing_ok=True)


def lock_folder(folder: Path) -> TextIO:
    """Hold a folder until the file that is given is closed, if only by a kill; `DataError` if another process does."""
    lock = (folder / ".lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise DataError(f"another process is at work in {folder}; wait for it or choose another folder") from error
    return lock
