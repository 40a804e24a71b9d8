"""Where a photo comes from, so that another process can open it again."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from localsr.errors import ImageError

if TYPE_CHECKING:
    from localsr.images.photo import Photo


class PhotoSource(NamedTuple):
    """A path or the bytes of a file, and how they were read."""

    read: Callable[..., Photo]
    source: str | bytes
    stamp: tuple[int, int] | None  # size and time of the file
    options: dict[str, Any]

    @classmethod
    def of(cls, read: Callable[..., Photo], source: object, options: dict[str, Any]) -> PhotoSource | None:
        """Return the source that another process can open, None for pixels in memory."""
        if isinstance(source, bytes):
            return cls(read, source, None, options)
        if not isinstance(source, str | os.PathLike):
            return None
        path = os.path.abspath(os.fsdecode(source))
        return cls(read, path, file_stamp(path), options)

    def open(self) -> Photo:
        """Read the photo again; `ImageError` for a file that has changed since, or gone."""
        if isinstance(self.source, str) and file_stamp(self.source) != self.stamp:
            raise ImageError(f"{self.source} has changed since it was read, or gone; read it anew")
        return self.read(self.source, **self.options)


def original(photo: Photo) -> bytes | None:
    """Return the bytes of the file that a photo is all of.

    Args:
        photo: A photo.

    Returns:
        The bytes; None for pixels in memory, a page that was chosen of a file, or a file that has changed or gone.

    Example:
        >>> import localsr, numpy as np
        >>> original(localsr.read(np.zeros((48, 64, 3), np.uint8))) is None
        True
    """
    known = photo._source
    if known is None or known.options.get("page") is not None:
        return None
    if isinstance(known.source, bytes):
        return known.source
    try:
        data = Path(known.source).read_bytes()
    except OSError:
        return None
    return data if file_stamp(known.source) == known.stamp else None


def file_stamp(path: str) -> tuple[int, int] | None:
    """Return a file's size and time, None where there is none."""
    try:
        about = os.stat(path)
    except OSError:
        return None
    return about.st_size, about.st_mtime_ns


def remembering(read: Callable[..., Photo]) -> Callable[..., Photo]:
    """Let photos that `read` makes of a path or of bytes remember them."""

    @functools.wraps(read)
    def reading(source: object, *args: Any, **options: Any) -> Photo:  # noqa: ANN401  # those of `read`
        photo = read(source, *args, **options)
        again = {name: value for name, value in options.items() if name != "progress"}
        found = PhotoSource.of(reading, source, again) if photo is not source else None
        return photo if found is None else dataclasses.replace(photo, _source=found)

    return reading
