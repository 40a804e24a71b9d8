"""Parquet files as other programs write them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb


def write_parquet(path: Path, columns: Mapping[str, Sequence[object]]) -> None:
    """Write columns by their names; cells may be lists, structures and bytes."""
    cells = ", ".join(f'unnest(?) AS "{name}"' for name in columns)
    with duckdb.connect() as database:
        database.execute(f"CREATE TABLE t AS SELECT {cells}", list(columns.values()))
        database.execute(f"COPY t TO '{path}' (FORMAT parquet)")
