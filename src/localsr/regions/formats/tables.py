"""Tables of regions: CSV, TSV and Parquet, as spreadsheets, data frames and `localsr batch` write them."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from localsr.errors import Advice, BoxError, DataError
from localsr.extras import need
from localsr.regions.formats.documents import (
    MAX_JSON_BYTES,
    Pictures,
    check_count,
    count_lines,
    load_document,
    read_text,
)
from localsr.regions.formats.records import (
    BOX_COLUMNS,
    PICTURE_KEYS,
    REGION_KEYS,
    SIDES,
    SIZE_WORDS,
    Record,
    column_names,
    holds_unknown,
    look_like_sides,
    record_detectors,
    record_picture,
    record_regions,
)
from localsr.regions.region import Region

TABLE_SUFFIXES = (".csv", ".tsv", ".parquet")
DECIMAL_COMMA = re.compile(r"^([+-]?[0-9]+),([0-9]+)$")  # where columns are parted by semicolons


def read_table_regions(path: Path) -> Pictures:
    """Read a table's regions by the names of their pictures; a bad one costs itself."""
    found: dict[str, list[Region]] = {}
    for origin, record in iterate_table(load_document(path, MAX_JSON_BYTES), str(path)):
        if detectors := record_detectors(record):
            raise misplaced(detectors[0], origin)
        found.setdefault(record_picture(record), []).extend(readable_regions(record, origin))
    return {picture: tuple(regions) for picture, regions in found.items()}


def readable_regions(record: Record, origin: str, *, corners: bool = False) -> list[Region]:
    """Return a record's regions, as `record_regions` has them, or one that no picture takes, for the reason."""
    try:
        return record_regions(record, origin, corners=corners)
    except BoxError as error:
        return [Region.unreadable(str(error))]
    except RecursionError:
        return [Region.unreadable(f"{origin}: is nested too deeply to be a region")]


def misplaced(detector: str, origin: str) -> BoxError:
    """Return the refusal of a detector that a file of regions asks for, and not a manifest of pictures."""
    advice = Advice("ask for it by RegionRequest(detect=...)", "ask for it by --detect")
    return BoxError(f"{origin}: the detector {detector} is for a manifest of pictures", advice)


def iterate_table(data: bytes, place: str) -> Iterator[tuple[str, Record]]:
    """Yield a table's rows, each with its place in the file.

    Raises:
        DataError: The file is no table, names no pictures, or has some sides of a box and not all.
        BoxError: It has more rows than a file of regions.
    """
    suffix = PurePosixPath(place).suffix.lower()
    title = PurePosixPath(place).name
    if suffix == ".parquet":
        yield from _iterate_parquet(data, place, title)
        return
    check_count(count_lines(data), "lines", place)
    lines = read_text(data, place).splitlines(keepends=True)
    first = next((n for n, line in enumerate(lines) if line.strip() and not line.startswith("sep=")), len(lines))
    delimiter = "\t" if suffix == ".tsv" else max(",;\t|", key=(lines[first] if lines[first:] else "").count)
    try:
        rows = csv.reader(lines[first:], delimiter=delimiter, skipinitialspace=True, strict=True)
        header = next(rows, [])
        columns = column_names(header)
        check_columns(columns, header, place)
        for row in rows:
            origin = f"{title}, line {first + rows.line_num}"
            if not any(row):
                continue
            row = row if any(row[len(columns) :]) else row[: len(columns)]  # a comma at the end
            if len(row) != len(columns):
                raise DataError(f"{origin}: it has not as many cells as the header")
            cells = (DECIMAL_COMMA.sub(r"\1.\2", cell) for cell in row) if delimiter == ";" else row
            yield origin, _known(dict(zip(columns, cells, strict=True)), columns, origin)
    except csv.Error as error:
        raise DataError(f"{place} cannot be read as CSV: {error}") from error


def _iterate_parquet(data: bytes, place: str, title: str) -> Iterator[tuple[str, Record]]:
    """Yield the rows of a Parquet file, whose number is known before they are read."""
    need("batch", "duckdb", what=place)
    from localsr.parquet import open_table

    with open_table(data, place) as table:
        check_count(table.height, "rows", place)
        check_count(table.values // 4, "boxes", place)  # of four sides each
        columns = column_names(table.columns)
        check_columns(columns, table.columns, place)
        for n, row in enumerate(table.rows(), start=1):
            origin = f"{title}, row {n}"
            yield origin, _known(dict(zip(columns, row, strict=True)), columns, origin)


def _known(record: Record, columns: Sequence[str], origin: str) -> Record:
    """Return a record; `DataError` where it may have regions and its columns do not say so."""
    if not names_regions(columns) and (unknown := holds_unknown(record)):
        sentence = f"{origin}: {unknown} may hold regions in words that are not known"
        raise DataError(f"{sentence}; give boxes as columns, or as COCO")
    return record


def check_columns(columns: Sequence[str], header: Sequence[str], place: str) -> None:
    """Refuse a table that names no pictures, or has some sides of a box and not all.

    Args:
        columns: What its columns mean (`records.column_names`).
        header: What they are called.
        place: The table, for messages.
    """
    if not set(PICTURE_KEYS) & set(columns):
        listed = ", ".join(header)[:200] or "none"
        raise DataError(f"{place} has no column called {', '.join(PICTURE_KEYS)}; its first line has {listed}")
    if not names_regions(columns):
        some = [name for name, column in zip(header, columns, strict=True) if column in SIDES - SIZE_WORDS]
        if said := sorted(some or look_like_sides(header)):
            known = "; or ".join(", ".join(names) for names in BOX_COLUMNS)
            raise DataError(f"{place} has the columns {', '.join(said)}; a box has {known}")


def names_regions(columns: Sequence[str]) -> bool:
    """Tell whether columns have regions, or all sides of one."""
    return bool(set(REGION_KEYS) & set(columns)) or any(set(names) <= set(columns) for names in BOX_COLUMNS)
