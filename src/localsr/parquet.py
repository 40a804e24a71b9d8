"""Tables as Parquet files: a row is a named tuple, whose fields are the columns."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, get_type_hints

import duckdb

from localsr.errors import DataError, OutputError

R = TypeVar("R", bound=tuple[Any, ...])  # a NamedTuple

COLUMN_TYPES: dict[object, str] = {
    str: "VARCHAR",
    int: "BIGINT",
    float: "DOUBLE",
    int | None: "BIGINT",
    float | None: "DOUBLE",
}
ROWS_AT_ONCE = 10_000  # that are written
FETCHED_AT_ONCE = 512
SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "threads": 1,  # tables are small beside pictures
    "memory_limit": "2GB",  # of what a file that is hostile makes of itself
    "temp_directory": "",  # else what is over that is written into the folder one is in
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}


class ParquetTable(NamedTuple):
    """A Parquet file, whose rows are read as they are asked for."""

    columns: list[str]
    height: int
    values: int  # of the column that has most: its lists counted by their entries
    rows: Callable[..., Iterator[tuple[Any, ...]]]  # of all columns, or of those that are named as SQL names them


def parquet_bytes(rows: Sequence[R], kind: type[R]) -> bytes:
    """Return rows as a Parquet file.

    Raises:
        OutputError: There is no room for it among temporary files.
    """
    types = get_type_hints(kind)
    with _database("the table") as (database, path):
        columns = ", ".join(f'"{name}" {COLUMN_TYPES[cell]}' for name, cell in types.items())
        database.execute(f"CREATE TABLE t ({columns})")
        insert = f"INSERT INTO t SELECT {', '.join(f'unnest(?::{COLUMN_TYPES[cell]}[])' for cell in types.values())}"
        for first in range(0, len(rows), ROWS_AT_ONCE):
            cells = zip(*rows[first : first + ROWS_AT_ONCE], strict=True)
            database.execute(insert, [list(column) for column in cells])
        quoted = str(path).replace("'", "''")
        try:
            database.execute(f"COPY t TO '{quoted}' (FORMAT parquet, COMPRESSION zstd)")
        except duckdb.IOException as error:
            raise OutputError(f"{path.parent} could not be written to: {error}") from error
        return path.read_bytes()


def read_rows(data: bytes, place: str, kind: type[R], later: Collection[str] = ()) -> list[R]:
    """Read the rows of a Parquet file; what it has besides the fields of `kind` is passed over.

    Args:
        data: The file.
        place: Where it lies, for messages.
        kind: A named tuple.
        later: Fields that files of earlier versions lack, which have a default.

    Raises:
        DataError: It is no Parquet file, or lacks a field, or has other types.
    """
    types = get_type_hints(kind)
    with open_table(data, place) as table:
        fields = [name for name in types if name in table.columns or name not in later]
        cells = ", ".join(f'"{name}"::{COLUMN_TYPES[types[name]]}' for name in fields)
        return [kind(**dict(zip(fields, row, strict=True))) for row in table.rows(cells)]


@contextmanager
def open_table(data: bytes, place: str) -> Iterator[ParquetTable]:
    """Open a Parquet file of any columns.

    Raises:
        DataError: It is no Parquet file, or is damaged.
    """
    with _database(place) as (database, path):
        path.write_bytes(data)
        file = "FROM read_parquet(?, hive_partitioning = false)"
        columns = [name for name, *_ in database.execute(f"DESCRIBE SELECT * {file}", [str(path)]).fetchall()]
        ((height,),) = database.execute(f"SELECT count(*) {file}", [str(path)]).fetchall()

        counted = "SELECT sum(num_values)::BIGINT AS n FROM parquet_metadata(?) GROUP BY path_in_schema"
        ((values,),) = database.execute(f"SELECT coalesce(max(n), 0) FROM ({counted})", [str(path)]).fetchall()

        def rows(cells: str = "*") -> Iterator[tuple[Any, ...]]:
            found = database.execute(f"SELECT {cells} {file}", [str(path)])
            while some := found.fetchmany(FETCHED_AT_ONCE):
                yield from some

        yield ParquetTable(columns, height, values, rows)


@contextmanager
def _database(place: str) -> Iterator[tuple[duckdb.DuckDBPyConnection, Path]]:
    """Yield an empty database, and the path of a temporary file; `DataError` for what the database refuses."""
    with tempfile.TemporaryDirectory(prefix="localsr-") as folder:
        path = Path(folder) / "table.parquet"
        try:
            with duckdb.connect(config=SETTINGS) as database:
                yield database, path
        except (duckdb.Error, OverflowError) as error:
            reason = str(error).partition("\n")[0].replace(str(path), path.name)
            raise DataError(f"{place} cannot be read as Parquet: {reason}") from error
