"""The table of a run: kept in small parts as it grows, one Parquet file in the end, whatever ends the run before.

- `results.parquet`: a row for each region, and for each picture without one
- `.parts/`: what has come since that file was written; a kill costs the rows of the last moments, never a result, and
  the next run tells of those results again
"""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from localsr.batch import storage
from localsr.batch.rows import ResultRow, Rows, Status
from localsr.errors import DataError
from localsr.files import lock_folder, remove_leftovers
from localsr.parquet import parquet_bytes, read_rows

TABLE, PARTS = "results.parquet", ".parts"
KEEP_SECONDS = 2.0  # of rows that a kill may cost
MAX_PARTS = 256  # before they are put together
LATER = ("notes",)  # which tables of 0.1.0 lack


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
            self._before: dict[tuple[str, str], Rows] = {}
            for row in self._read():
                self._before.setdefault((row.input, row.ask), []).append(row)
        except BaseException:
            self.close()
            raise

    @property
    def asks(self) -> set[str]:
        """The digests of what earlier runs asked of pictures."""
        return {ask for _, ask in self._before}

    def before(self, picture: str, ask: str) -> Rows:
        """Return the rows that a picture has from earlier runs that asked the same of it."""
        return self._before.get((as_text(picture), ask), [])

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
        storage.write_file(storage.join(self.folder, f"{PARTS}/{part}"), _table_bytes(self._rows))
        self._rows = []
        self._parts.append(part)
        if len(self._parts) > MAX_PARTS:
            self.finish()

    def finish(self) -> Rows:
        """Put all rows together into `results.parquet`, and return them."""
        self.keep()
        rows = self._read()
        if self._parts or not storage.exists(storage.join(self.folder, TABLE)):
            storage.write_file(storage.join(self.folder, TABLE), _table_bytes(rows))
        for part in self._parts:
            storage.remove_file(storage.join(self.folder, f"{PARTS}/{part}"))
        self._parts = []
        return rows

    def _list_parts(self) -> list[str]:
        """List the parts that an earlier run has left."""
        parts = storage.join(self.folder, PARTS)
        if not storage.is_folder(parts):
            return []
        return [place.rsplit("/", 1)[-1] for place in storage.list_files(parts, "*.parquet")]

    def _read(self) -> Rows:
        """Read the table and its parts; of several rows about one thing, the last."""
        rows: Rows = []
        for name in (TABLE, *(f"{PARTS}/{part}" for part in self._parts)):
            place = storage.join(self.folder, name)
            if not storage.exists(place):
                continue
            try:
                rows += read_rows(storage.read_file(place), place, ResultRow, LATER)
            except (OSError, DataError) as error:
                raise DataError(f"{error}; it is no table of localsr: move it away, results are kept") from error
        return latest_rows(rows)

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


def latest_rows(rows: Rows) -> Rows:
    """Return the rows that were made last, in order: of a picture, for all that was asked of it and came to a result.

    What came to none is forgotten once something else was asked of the picture.
    """
    newest: dict[str, float] = {}
    newest_asked: dict[tuple[str, str], float] = {}
    for row in rows:
        newest[row.input] = max(row.finished, newest.get(row.input, row.finished))
        asked = row.input, row.ask
        newest_asked[asked] = max(row.finished, newest_asked.get(asked, row.finished))
    kept = dict.fromkeys(
        row
        for row in rows
        if row.finished == newest_asked[row.input, row.ask]
        and (row.status == Status.DONE or row.finished == newest[row.input])
    )
    return sorted(kept, key=_place)


def read_table(folder: str) -> Rows:
    """Read a finished table."""
    place = storage.join(folder, TABLE)
    return read_rows(storage.read_file(place), place, ResultRow, LATER)


def as_text(name: str) -> str:
    """Return a name as a cell can hold it: a file's name may be no text at all, and yet differs from others."""
    return name.encode(errors="backslashreplace").decode()


def _place(row: ResultRow) -> tuple[str, str, float, float, str]:
    """Return what rows are sorted by; one without a box comes before the others of its picture."""
    top, left = (-math.inf if side is None else side for side in (row.top, row.left))
    return row.input, row.ask, top, left, row.output


def _table_bytes(rows: Sequence[ResultRow]) -> bytes:
    """Return rows as a Parquet file."""
    cells = ((as_text(cell) if isinstance(cell, str) else cell for cell in row) for row in rows)
    return parquet_bytes([ResultRow._make(row) for row in cells], ResultRow)
