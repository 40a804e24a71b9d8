"""Tables as the bytes of a Parquet file, for whoever writes files whole."""

from __future__ import annotations

import io

import polars as pl


def parquet_bytes(frame: pl.DataFrame) -> bytes:
    """Return a table as a Parquet file; where polars writes a file itself, a full disk is no `OSError`."""
    file = io.BytesIO()
    frame.write_parquet(file)
    return file.getvalue()
