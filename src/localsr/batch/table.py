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
from typing import Self, get_type_hints

import polars as pl

from localsr.batch import storage
from localsr.batch.rows import ResultRow, Rows, Status
from localsr.errors import DataError
from localsr.files import lock_folder, remove_leftovers
from localsr.parquet import parquet_bytes

TABLE, PARTS = "results.parquet", ".parts"
KEEP_SECONDS = 2.0  # of rows that a kill may cost
MAX_PARTS = 256  # before they are put together
COLUMN_TYPES: dict[type | object, pl.DataType] = {
    str: pl.String(),
    int: pl.Int64(),
    float: pl.Float64(),
    int | None: pl.Int64(),
    float | None: pl.Float64(),
}


def schema() -> dict[str, pl.DataType]:
    """Return the columns of the table and their types."""
    return {name: COLUMN_TYPES[kind] for name, kind in get_type_hints(ResultRow).items()}


class ResultTable:
    """The rows of a folder, of this run and of those before; one run at a time, in a `with`."""

    def __init__(self, folder: str) -> None:
        """Begin or go on in a folder; `DataError` if another process is at work there, or its table is none."""
        self.folder = folder
        self._lock = None
        if not storage.is_remote(folder):  # a store has no locks
            Path(folder).mkdir(parents=True, exist_ok=True)
            self._lock = lock_folder(Path(folder))
            remove_leftovers(Path(folder))
        self._rows: Rows = []
        self._kept_at = time.monotonic()
        try:
            self._parts = self._list_parts()
            self.frame = self._read([f"{PARTS}/{part}" for part in self._parts])
        except BaseException:
            self.close()
            raise
        self._index = _index_rows(self.frame)

    def before(self, picture: str, ask: str) -> Rows:
        """Return the rows that a picture has from earlier runs that asked the same of it."""
        first, count = self._index.get((as_text(picture), ask), (0, 0))
        return [ResultRow(*values) for values in self.frame.slice(first, count).iter_rows()]

    def add(self, rows: Iterable[ResultRow]) -> None:
        """Add rows; the first call after `KEEP_SECONDS` writes all that are new."""
        self._rows += rows
        if time.monotonic() - self._kept_at > KEEP_SECONDS:
            self.keep()

    def keep(self) -> None:
        """Write the rows that are only in memory."""
        self._kept_at = time.monotonic()
        if not self._rows:
            return
        part = f"{time.time_ns():020d}-{secrets.token_hex(3)}.parquet"
        storage.write_file(storage.join(self.folder, f"{PARTS}/{part}"), parquet_bytes(_frame(self._rows)))
        self._rows = []
        self._parts.append(part)
        if len(self._parts) > MAX_PARTS:
            self.finish()

    def finish(self) -> pl.DataFrame:
        """Put all rows together into `results.parquet`, and return them."""
        self.keep()
        frame = self._read([f"{PARTS}/{part}" for part in self._parts])
        if self._parts or not storage.exists(storage.join(self.folder, TABLE)):
            storage.write_file(storage.join(self.folder, TABLE), parquet_bytes(frame))
        for part in self._parts:
            storage.remove_file(storage.join(self.folder, f"{PARTS}/{part}"))
        self._parts = []
        return frame

    def _list_parts(self) -> list[str]:
        """List the parts that an earlier run has left."""
        parts = storage.join(self.folder, PARTS)
        if not storage.is_folder(parts):
            return []
        return [place.rsplit("/", 1)[-1] for place in storage.list_files(parts, "*.parquet")]

    def _read(self, parts: Sequence[str]) -> pl.DataFrame:
        """Read the table and its parts; of several rows about one thing, the last."""
        names = [name for name in (TABLE, *parts) if storage.exists(storage.join(self.folder, name))]
        frames = [_frame([])]
        for name in names:
            place = storage.join(self.folder, name)
            try:
                frame = pl.read_parquet(io.BytesIO(storage.read_file(place)))
                if "notes" not in frame.columns:  # a table of 0.1.0
                    frame = frame.with_columns(pl.lit("").alias("notes"))
                frames.append(frame.select(pl.col(key).cast(kind) for key, kind in schema().items()))
            except (OSError, pl.exceptions.PolarsError) as error:
                raise DataError(f"{place} is no table of localsr ({error}); move it away, results are kept") from error
        return latest_rows(pl.concat(frames))

    def close(self) -> None:
        """Let another process go on; workers that were killed may have left pieces."""
        if self._lock is not None:
            remove_leftovers(Path(self.folder))
            with suppress(OSError):
                (Path(self.folder) / PARTS).rmdir()  # if nothing is in it
            self._lock.close()

    def __enter__(self) -> Self:
        """Hold the folder until the block ends."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let another process go on."""
        self.close()


def latest_rows(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the rows that were made last, in order: of a picture, for all that was asked of it and came to a result.

    What came to none is forgotten once something else was asked of the picture.
    """
    when = pl.col("finished")
    same, newest = when == when.max().over("input", "ask"), when == when.max().over("input")
    kept = frame.filter(same & ((pl.col("status") == Status.DONE.value) | newest)).unique(maintain_order=True)
    return kept.sort("input", "ask", "top", "left", "output", maintain_order=True)


def read_table(folder: str) -> pl.DataFrame:
    """Read a finished table."""
    return pl.read_parquet(io.BytesIO(storage.read_file(storage.join(folder, TABLE))))


def as_text(name: str) -> str:
    """Return a name as a cell can hold it: a file's name may be no text at all, and yet differs from others."""
    return name.encode(errors="backslashreplace").decode()


def _index_rows(frame: pl.DataFrame) -> dict[tuple[str, str], tuple[int, int]]:
    """Return where the rows of each picture, and of what was asked of it, begin, and how many they are."""
    runs = frame.with_row_index("first").group_by("input", "ask").agg(pl.col("first").min(), pl.len())
    return {(picture, ask): (first, count) for picture, ask, first, count in runs.iter_rows()}


def _frame(rows: Sequence[ResultRow]) -> pl.DataFrame:
    """Return rows as a table."""
    cells = [[as_text(value) if isinstance(value, str) else value for value in row] for row in rows]
    return pl.DataFrame(cells, schema=schema(), orient="row")
