"""The table of a run: kept in small parts as it grows, one Parquet file in the end, whatever ends the run before.

- `results.parquet`: a row for each region, and for each picture without one
- `.parts/`: what has come since that file was written; a kill costs the rows of the last moments, never a result, and
  the next run tells of those results again
"""

from __future__ import annotations

import io
import secrets
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self, get_type_hints

import polars as pl

from localsr.batch import storage
from localsr.batch.worker import DONE, Row
from localsr.errors import DataError
from localsr.files import lock_folder, remove_leftovers

NAME, PARTS = "results.parquet", ".parts"
EVERY = 2.0  # seconds of rows that a kill may cost
MOST_PARTS = 256  # before they are put together
KINDS: dict[type | object, pl.DataType] = {
    str: pl.String(),
    int: pl.Int64(),
    float: pl.Float64(),
    int | None: pl.Int64(),
    float | None: pl.Float64(),
}


def schema() -> dict[str, pl.DataType]:
    """Give the columns of the table and their types."""
    return {name: KINDS[kind] for name, kind in get_type_hints(Row).items()}


class Table:
    """The rows of a folder, of this run and of those before. To be used in a `with`: one run at a time."""

    def __init__(self, folder: str) -> None:
        """Begin or go on in a folder; `DataError` if another process is at work there, or its table is none."""
        self.folder = folder
        self._lock = None
        if not storage.remote(folder):  # a store has no locks
            Path(folder).mkdir(parents=True, exist_ok=True)
            self._lock = lock_folder(Path(folder))
            remove_leftovers(Path(folder))
        self._rows: list[Row] = []
        self._kept = time.monotonic()
        try:
            self._parts = self._found()
            self.frame = self._read([f"{PARTS}/{part}" for part in self._parts])
        except BaseException:
            self.close()
            raise
        self._first = _index(self.frame)

    def before(self, picture: str, ask: str) -> list[Row]:
        """Give the rows that a picture has from earlier runs that asked the same of it."""
        first, count = self._first.get((clean(picture), ask), (0, 0))
        return [Row(*values) for values in self.frame.slice(first, count).iter_rows()]

    def add(self, rows: Iterable[Row]) -> None:
        """Keep rows; they are on the disk within EVERY seconds."""
        self._rows += rows
        if time.monotonic() - self._kept > EVERY:
            self.keep()

    def keep(self) -> None:
        """Write the rows that are only in memory."""
        self._kept = time.monotonic()
        if not self._rows:
            return
        part = f"{time.time_ns():020d}-{secrets.token_hex(3)}.parquet"
        storage.store(storage.join(self.folder, f"{PARTS}/{part}"), _parquet(_frame(self._rows)))
        self._rows = []
        self._parts.append(part)
        if len(self._parts) > MOST_PARTS:
            self.finish()

    def finish(self) -> pl.DataFrame:
        """Put all rows together into `results.parquet`, and give them."""
        self.keep()
        frame = self._read([f"{PARTS}/{part}" for part in self._parts])
        if self._parts or not storage.exists(storage.join(self.folder, NAME)):
            storage.store(storage.join(self.folder, NAME), _parquet(frame))
        for part in self._parts:
            storage.remove(storage.join(self.folder, f"{PARTS}/{part}"))
        self._parts = []
        return frame

    def _found(self) -> list[str]:
        """List the parts that an earlier run has left."""
        parts = storage.join(self.folder, PARTS)
        if not storage.is_folder(parts):
            return []
        return [place.rsplit("/", 1)[-1] for place in storage.listed(parts, "*.parquet")]

    def _read(self, parts: Sequence[str]) -> pl.DataFrame:
        """Read the table and its parts; of what was told several times of one picture, the last."""
        names = [name for name in (NAME, *parts) if storage.exists(storage.join(self.folder, name))]
        frames = [_frame([])]
        for name in names:
            place = storage.join(self.folder, name)
            try:
                frame = pl.read_parquet(io.BytesIO(storage.load(place)))
                frames.append(frame.select(pl.col(key).cast(kind) for key, kind in schema().items()))
            except (OSError, pl.exceptions.PolarsError) as error:
                raise DataError(f"{place} is no table of localsr ({error}); move it away, results are kept") from error
        return latest(pl.concat(frames))

    def close(self) -> None:
        """Let another process go on; workers that were killed may have left pieces."""
        if self._lock is not None:
            remove_leftovers(Path(self.folder))
            with suppress(OSError):
                (Path(self.folder) / PARTS).rmdir()  # if nothing is in it
            self._lock.close()

    def __enter__(self) -> Self:
        """Give the table."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let another process go on."""
        self.close()


def latest(frame: pl.DataFrame) -> pl.DataFrame:
    """Give the rows that were made last, in order: of a picture, for all that was asked of it and came to a result.

    What came to none is forgotten once something else was asked of the picture.
    """
    when = pl.col("finished")
    same, newest = when == when.max().over("input", "ask"), when == when.max().over("input")
    kept = frame.filter(same & ((pl.col("status") == DONE) | newest)).unique(maintain_order=True)
    return kept.sort("input", "ask", "top", "left", "output", maintain_order=True)


def read(folder: str) -> pl.DataFrame:
    """Read a finished table."""
    return pl.read_parquet(io.BytesIO(storage.load(storage.join(folder, NAME))))


def clean(name: str) -> str:
    """Give a name as a cell may have it: a file's may be no text at all, and is told from others all the same."""
    return name.encode(errors="backslashreplace").decode()


def _index(frame: pl.DataFrame) -> dict[tuple[str, str], tuple[int, int]]:
    """Tell where the rows of each picture and of what was asked of it begin, and how many they are."""
    runs = frame.with_row_index("first").group_by("input", "ask").agg(pl.col("first").min(), pl.len())
    return {(picture, ask): (first, count) for picture, ask, first, count in runs.iter_rows()}


def _frame(rows: Sequence[Row]) -> pl.DataFrame:
    """Put rows into columns."""
    cells = [[clean(value) if isinstance(value, str) else value for value in row] for row in rows]
    return pl.DataFrame(cells, schema=schema(), orient="row")


def _parquet(frame: pl.DataFrame) -> bytes:
    """Write a table as the bytes of a Parquet file."""
    file = io.BytesIO()
    frame.write_parquet(file)
    return file.getvalue()
