"""Frames in: those of a clip around a moment, the pages of a file, or photos of one burst."""

from __future__ import annotations

import dataclasses
import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from localsr import images
from localsr.errors import ConfigError, ImageError
from localsr.frames.clip import ClipFrame
from localsr.frames.decoding import excerpt
from localsr.frames.pages import HEAD_BYTES, Page, page_excerpt, page_format
from localsr.geometry import Box, Size, whole
from localsr.images import Photo, Source
from localsr.images.metadata import SourceFile

DEFAULT_COUNT = 9
MAX_COUNT = 33
POOL = 2  # frames that are looked at for each that is used


class Window(Protocol):
    """A frame as fusion reads it: a `Photo`, or one of a clip."""

    @property
    def size(self) -> Size:
        """Width and height of the upright frame."""

    def window(self, box: Box) -> NDArray[np.float32]:
        """Read a box: `(3, h, w)` RGB in [0, 1]."""

    def sha256(self) -> str:
        """Return the sha256 of a photo's file, or of a clip's frame as it was decoded."""


class Frame(NamedTuple):
    """A frame beside the reference."""

    name: str  # the moment that it is shown at, its page or its file
    picture: Window
    step: int  # how many frames after the reference, negative before it; 0 where frames have no order
    motion: tuple[float, float] | None = None  # of the region against the reference in px, where it is known already


@dataclass(frozen=True, eq=False)
class Frames:
    """A reference and other frames of the same scene; made by `read_frames`, given to `Restorer.encode`.

    Attributes:
        reference: The frame whose regions are restored.
        others: The other frames, nearest first.
        count: How many frames a region is made from at most, the reference among them.
        left_out: Frames that cannot be used whatever the region, and why.

    Example:
        >>> import localsr, numpy as np
        >>> photos = [np.full((48, 64, 3), level, np.uint8) for level in (50, 52, 51)]
        >>> localsr.read_frames(photos)
        <Frames: 3 of 64 x 48 px>
    """

    reference: Photo
    others: tuple[Frame, ...]
    count: int
    left_out: tuple[tuple[str, str], ...] = ()
    name: str = ""  # of the reference, as `Frame.name`
    decoded: Window | None = None  # the reference as it was decoded, where it is of a clip

    def __repr__(self) -> str:
        """Return a line that says what it is."""
        return f"<Frames: {len(self.others) + 1} of {self.reference.size} px>"


def read_frames(source: Source | Sequence[Source], *, at: float | None = None, count: int | None = None) -> Frames:
    """Read a reference frame and others that show the same.

    Args:
        source: A clip, or a file of several pages (TIFF, GIF, animated WebP or PNG): its path or bytes. Or a list of
            photos of one size, each as `localsr.read` takes it, the reference first.
        at: The moment of the reference in seconds from the clip's beginning; the beginning without it. A page of a TIFF
            lasts a second. Not for a list.
        count: How many frames a region may be made from, the reference among them: 1 to 33. Twice as many are read, of
            which each region takes those that bring most. By default 9 of a clip, and all of a list.

    Returns:
        The frames.

    Raises:
        ImageError: A file is damaged, or of a kind that is not read: interlaced, HDR.
        ConfigError: The clip has no such moment, a number is out of range, or a package is missing.

    Example:
        >>> import localsr, numpy as np
        >>> photos = [np.full((48, 64, 3), level, np.uint8) for level in (50, 52, 51)]
        >>> frames = localsr.read_frames(photos)
        >>> frames.reference.size, len(frames.others)
        (Size(width=64, height=48), 2)
    """
    if count is not None and not 1 <= count <= MAX_COUNT:
        raise ConfigError(f"{count} frames cannot be; give 1 to {MAX_COUNT}")
    source = images.file_bytes(source) if not isinstance(source, list | tuple) else source
    if isinstance(source, list | tuple):
        if at is not None:
            raise ConfigError("photos have no time; name the reference first and leave out the moment")
        return _of_photos(source, count)
    if not isinstance(source, bytes | str | os.PathLike):
        return _of_photos([source], count)
    with opened(source) as clip:
        return _of_file(clip, at or 0.0, count or DEFAULT_COUNT)


class OpenClip(NamedTuple):
    """A clip or a file of pages that is open."""

    file: IO[bytes]
    title: str  # in messages
    name: str  # of the file, without its folder; empty for bytes
    source: SourceFile  # which its hash is made of

    def photo(self, frame: ClipFrame) -> Photo:
        """Return a frame as a photo, which knows the clip that it is from."""
        return self.named(images.read(frame.levels(whole(frame.size))))

    def named(self, photo: Photo) -> Photo:
        """Return a photo with the clip's name and hash."""
        return dataclasses.replace(
            photo, name=self.name, metadata=dataclasses.replace(photo.metadata, source=self.source)
        )


@contextmanager
def opened(source: bytes | str | os.PathLike[str]) -> Iterator[OpenClip]:
    """Open a clip by its path or bytes."""
    if isinstance(source, bytes):
        yield OpenClip(io.BytesIO(source), "the clip", "", SourceFile(source))
        return
    path = Path(source)
    try:
        with path.open("rb") as file:
            yield OpenClip(file, os.fspath(source), path.name, SourceFile(path))
    except OSError as error:
        raise ImageError(f"{path} cannot be read: {error.strerror or error}") from error


def _of_file(clip: OpenClip, at: float, count: int) -> Frames:
    """Decode a clip, or a file of pages, around a moment: half of what is looked at before it, half after."""
    reach = POOL * (count - 1) // 2
    kind = page_format(clip.file.read(HEAD_BYTES))
    clip.file.seek(0)
    decoded: Window | None = None
    if kind is not None:
        pages = page_excerpt(clip.file, kind, clip.title, at, reach, reach)
        reference, seconds = clip.named(pages.reference.photo), pages.reference.seconds
        before, after = _timed(pages.before), _timed(pages.after)
    else:
        found = excerpt(clip.file, clip.title, at, reach, reach)
        decoded = found.reference
        reference, seconds = clip.photo(found.reference), found.reference.seconds
        before, after = _timed(found.before), _timed(found.after)
    near = [*((-n, *one) for n, one in enumerate(before, 1)), *((n, *one) for n, one in enumerate(after, 1))]
    others, left_out = [], []
    for step, moment, frame in sorted(near, key=lambda one: abs(one[0])):
        if frame.size == reference.size:
            others.append(Frame(moment_name(moment), frame, step))
        else:
            left_out.append((moment_name(moment), f"it has {frame.size} px, the reference {reference.size}"))
    return Frames(reference, tuple(others), count, tuple(left_out), moment_name(seconds), decoded)


def _timed(side: Sequence[Page | ClipFrame]) -> list[tuple[float, Photo | ClipFrame]]:
    """Return frames with the moments that they are shown at."""
    return [(one.seconds, one if isinstance(one, ClipFrame) else one.photo) for one in side]


def moment_name(seconds: float) -> str:
    """Return how a moment is called."""
    return f"{seconds:.3f} s"


def _of_photos(sources: Sequence[Source], count: int | None) -> Frames:
    """Open photos; what differs in size or colours from the first is left out."""
    if not 1 <= len(sources) <= POOL * MAX_COUNT:
        raise ConfigError(f"{len(sources)} photos cannot be put together; give 1 to {POOL * MAX_COUNT}")
    photos = [images.read(source) for source in sources]
    reference, others, left_out = photos[0], [], []
    for n, photo in enumerate(photos[1:], 2):
        name = photo.name or f"photo {n}"
        if photo.size != reference.size:
            left_out.append((name, f"it has {photo.size} px, the reference {reference.size}"))
        elif photo.profile != reference.profile:
            left_out.append((name, "it has another colour profile than the reference"))
        else:
            others.append(Frame(name, photo, 0))
    count = min(count or len(photos), MAX_COUNT)
    return Frames(reference, tuple(others), count, tuple(left_out), reference.name or "photo 1")
