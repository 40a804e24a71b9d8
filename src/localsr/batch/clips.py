"""Clips in a batch: moments of them by time or by the number of a frame, and the boxes that trackers write."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from localsr import images
from localsr.batch import storage
from localsr.batch.tasks import Task
from localsr.errors import BoxError, ConfigError, DataError
from localsr.frames.decoding import stamps
from localsr.frames.moments import CLIP_SUFFIXES, at_moment, read_moment
from localsr.frames.reading import Frames, opened, read_frames
from localsr.images import Photo
from localsr.regions import Region, RegionRequest
from localsr.regions.formats.documents import MAX_JSON_BYTES, check_count, count_lines, read_text
from localsr.regions.formats.records import Record, column_names, is_empty
from localsr.regions.formats.tables import readable_regions

FRAME_NUMBER = re.compile(r"\d{1,9}(?:\.\d{0,9})?", re.ASCII)  # some trackers write 12.0
MOT_CELLS = 6  # frame, identity, left, top, width, height; what follows is a score, and what no box needs


class TaskPicture(NamedTuple):
    """A picture of a task, and the frames around it where it is of a clip."""

    photo: Photo
    frames: Frames | None

    @property
    def source(self) -> Photo | Frames:
        """What a restorer encodes."""
        return self.frames or self.photo


def open_picture(path: Path, moment: float | None, count: int | None, *, tolerant: bool = False) -> TaskPicture:
    """Open a picture, or a clip around a moment, of which a region is made from `count` frames at most."""
    if moment is None:
        return TaskPicture(images.read(path, tolerant=tolerant), None)
    if tolerant:
        raise ConfigError("--tolerant reads damaged pictures, not clips; do the clips in a run of their own")
    frames = read_frames(path, at=moment, count=count)
    return TaskPicture(frames.reference, frames)


def is_clip(place: str) -> bool:
    """Tell whether a place is called as a clip is."""
    return PurePosixPath(place).suffix.lower() in CLIP_SUFFIXES


class ClipMoments:
    """The moments that records name of clips, each of which is opened once for the numbers of its frames."""

    def __init__(self) -> None:
        """Begin without any."""
        self._stamps: dict[str, list[float]] = {}

    def name(self, place: str, record: Record, origin: str) -> str:
        """Return the picture that a record is about: a moment of a clip by `at` or `frame` (from 1), else the place."""
        at, frame = (None if is_empty(record.get(key)) else str(record[key]) for key in ("at", "frame"))
        if not is_clip(place) or (at is None and frame is None):
            return place
        if at is not None and frame is not None:
            raise BoxError(f"{origin}: says at and frame; leave one")
        if at is not None:
            try:
                return at_moment(place, read_moment(at))
            except ConfigError as error:
                raise BoxError(f"{origin}: {error}") from None
        return at_moment(place, self._seconds(place, str(frame), origin))

    def _seconds(self, place: str, frame: str, origin: str) -> float:
        """Return when a frame is shown."""
        if place not in self._stamps:
            with storage.fetched(place) as path, opened(path) as clip:
                self._stamps[place] = stamps(clip.file, clip.title)
        known = self._stamps[place]
        number = float(frame) if FRAME_NUMBER.fullmatch(frame) else 0.0
        if not (number.is_integer() and 1 <= number <= len(known)):
            raise BoxError(f"{origin}: frame {frame[:20]} is not one of 1 to {len(known)} of {place}")
        return known[int(number) - 1]


def read_tracked(clip: str, boxes: str, base: RegionRequest) -> list[Task]:
    """Read what a tracker wrote of a clip: a task for each frame that it has boxes in.

    Args:
        clip: The clip.
        boxes: MOT text (frame, identity, left, top, width, height, score), or CSV with a box and `frame` or `at`.
        base: What is asked of every frame besides.

    Raises:
        DataError: The file is neither.
        BoxError: A line names no frame of the clip.
    """
    moments, found = ClipMoments(), dict[str, list[Region]]()
    for origin, record in _records(storage.read_file(storage.normalise(boxes), MAX_JSON_BYTES), boxes):
        picture = moments.name(clip, record, origin)
        if picture == clip:
            raise DataError(
                f"{origin}: names no frame; boxes of a clip have a column `frame`, from 1, or `at`, in seconds"
            )
        found.setdefault(picture, []).extend(readable_regions(record, origin))
    if not found:
        raise DataError(f"{boxes} has no boxes in it")
    return [Task(picture, replace(base, given=(*base.given, *regions))) for picture, regions in found.items()]


def _records(data: bytes, place: str) -> Iterator[tuple[str, Record]]:
    """Yield the lines of a tracker's file by the names of their columns."""
    check_count(count_lines(data), "lines", place)
    title, lines = PurePosixPath(place).name, [line for line in read_text(data, place).splitlines() if line.strip()]
    first = lines[0] if lines else ""
    delimiter = next((each for each in ",;\t" if each in first), " ")
    rows = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    columns: Sequence[str] | None = None
    for number, row in enumerate(_parsed(rows, place), 1):
        origin, cells = f"{title}, line {number}", [cell.strip() for cell in row]
        if number == 1 and not _is_number(cells[0]):
            columns = column_names(cells)
            continue
        if columns is not None:
            if len(cells) != len(columns):
                raise DataError(f"{origin}: it has not as many cells as the header")
            yield origin, dict(zip(columns, cells, strict=True))
        elif len(cells) < MOT_CELLS:
            raise DataError(
                f"{origin}: MOT text has frame, identity, left, top, width and height, not {len(cells)} cells"
            )
        else:
            names = ("frame", "label", "left", "top", "width", "height", "score")
            record = dict(zip(names, cells, strict=False))
            if record.get("score", "").startswith("-"):  # -1 stands for none
                del record["score"]
            yield origin, record


def _parsed(rows: Iterator[list[str]], place: str) -> Iterator[list[str]]:
    """Yield the rows of a table; `DataError` where it is none."""
    try:
        yield from rows
    except csv.Error as error:
        raise DataError(f"{place} cannot be read as CSV: {error}") from error


def _is_number(cell: str) -> bool:
    """Tell whether a cell is a number."""
    try:
        float(cell)
    except ValueError:
        return False
    return True
