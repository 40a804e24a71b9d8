"""Rows of the table of results: what became of a region, or of a picture without one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from localsr.batch import storage
from localsr.batch.tasks import Setup, Task
from localsr.errors import DataError, LocalSRError
from localsr.geometry import Box


class Status(StrEnum):
    """What a picture came to."""

    DONE = "done"
    EMPTY = "empty"  # it has no region
    FAILED = "failed"
    ASIDE = "set aside"  # its workers died


MAX_REASON = 500  # characters
FINAL = (Status.DONE, Status.EMPTY)  # that a rerun leaves as it is


class ResultRow(NamedTuple):
    """A region of a picture, or a picture that has none to show; its fields are the table's columns."""

    input: str
    status: str  # a Status
    reason: str = ""  # why there is no result
    left: int | None = None  # the box, px of the upright picture
    top: int | None = None
    right: int | None = None
    bottom: int | None = None
    label: str = ""
    score: float | None = None
    output: str = ""  # relative to the table's folder
    seconds: float | None = None  # a region's own, and its share of its picture's; None for one that was there already
    gflops: float | None = None  # its share, by area, of what was computed for its picture; None for one that was there
    width: int | None = None  # of the upright picture
    height: int | None = None
    content: str = ""  # the sha256 of the picture's file
    network: str = ""
    sha256: str = ""  # of the network
    strategy: str = ""
    scale: float | None = None  # how many times the region is enlarged
    stamp: str = ""  # of the picture's file: its size and time
    ask: str = ""  # digest of what was asked
    finished: float = 0.0  # seconds since 1970; the same for all rows of a picture
    notes: str = ""  # what is odd with the picture's file, sentences with "; " between them

    @property
    def box(self) -> Box:
        """The region's box; `DataError` for a row without one."""
        if self.left is None or self.top is None or self.right is None or self.bottom is None:
            raise DataError(f"{self.input} has no region in this row")
        return Box(self.left, self.top, self.right, self.bottom)


Rows = list[ResultRow]  # of one picture


class NoRoom(NamedTuple):
    """Instead of rows: there is no room to write to."""

    reason: str


def failure_row(task: Task, setup: Setup, status: Status, reason: str) -> ResultRow:
    """Return the row of a picture that came to nothing."""
    return ResultRow(
        task.picture,
        status,
        reason,
        network=setup.name,
        sha256=setup.sha256,
        strategy=setup.strategy,
        scale=setup.scale,
        ask=setup.digest(task),
        finished=time.time(),
    )


def rows_hold(task: Task, rows: Sequence[ResultRow], setup: Setup) -> bool:
    """Tell whether an earlier run's rows are still true: the same file, asked the same, and all results there.

    Raises `OSError` for a picture that is gone.
    """
    if not rows or any(row.ask != setup.digest(task) or row.status not in FINAL for row in rows):
        return False
    if rows[0].stamp != storage.file_stamp(task.file):
        return False
    return all(storage.exists(storage.join(setup.folder, r.output)) for r in rows if r.status == Status.DONE)


def describe_error(error: BaseException) -> str:
    """Return an error as one line, in the words of the command."""
    if isinstance(error, OSError) and not isinstance(error, LocalSRError) and error.strerror:
        return f"{error.filename or 'the system'}: {error.strerror}"
    sentence = error.told("command") if isinstance(error, LocalSRError) else str(error)
    return " ".join(sentence.split())[:MAX_REASON] or type(error).__name__
