"""Files that are written whole or not at all, and folders that one process holds."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from localsr.errors import DataError, OutputError
from localsr.systems import lock_file


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside `path` to write to; in the end the file is synced and takes the name, synced too.

    Missing folders are made. After an error (`OutputError`), a kill, or on a full disk the old file is untouched.
    """
    target = Path(os.path.realpath(path))  # a link stays a link
    if target.exists() and not target.is_file():
        raise OutputError(f"{path} is not a file that could be replaced; choose another name")
    temporary = target.with_name(
        f".localsr-{secrets.token_hex(6)}.part"
    )  # short: the name may have all the length allowed
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            os.replace(temporary, target)
            _sync_folder(target.parent)
        finally:
            temporary.unlink(missing_ok=True)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(f"{path} could not be written: {error.strerror}; what was there is untouched") from error


def _sync_folder(folder: Path) -> None:
    """Sync a folder where its filesystem can, so that a loss of power cannot take a new name back."""
    with suppress(OSError):  # the file is whole and in its place, whatever comes of this
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_whole(path: str | os.PathLike[str], data: bytes | memoryview) -> None:
    """Write a file, whole or not at all, by `replacing`."""
    with replacing(path) as temporary, temporary.open("xb") as file:
        file.write(data)


def remove_leftovers(folder: Path) -> None:
    """Remove what kills during `replacing` have left, at any depth of a folder that no other process writes to."""
    for path in folder.rglob(".localsr-*.part"):
        path.unlink(missing_ok=True)


def lock_folder(folder: Path) -> TextIO:
    """Hold a folder until the returned file is closed or the process ends; `DataError` if another one holds it."""
    lock = (folder / ".lock").open("w")
    try:
        lock_file(lock, wait=False)
    except OSError as error:
        lock.close()
        raise DataError(f"another process is at work in {folder}; wait for it or choose another folder") from error
    return lock
