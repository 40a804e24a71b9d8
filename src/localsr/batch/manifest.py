"""Manifests: the pictures that a folder or a file names, and what is asked of each."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from localsr.batch import storage
from localsr.batch.tasks import Task
from localsr.errors import BoxError, ConfigError, DataError
from localsr.images import FORMATS
from localsr.regions import Annotations, Region, RegionRequest, read, text
from localsr.regions.formats.json_lines import PICTURE_KEYS, iterate_lines
from localsr.regions.names import PICTURE_SUFFIXES, is_stray, locate

CORNER_COLUMNS = (("left", "top", "right", "bottom"), ("x1", "y1", "x2", "y2"), ("xmin", "ymin", "xmax", "ymax"))
BOX_COLUMNS = (*CORNER_COLUMNS, ("x", "y", "width", "height"), ("x", "y", "w", "h"))
MAX_LISTED = 5  # names in a note
TABLE_SUFFIXES, LINES_SUFFIXES = (".csv", ".tsv", ".parquet"), (".jsonl", ".ndjson")


class ManifestEntry(NamedTuple):
    """What a manifest asks of a picture."""

    regions: tuple[Region, ...] = ()
    detect: tuple[str, ...] = ()

    def also(self, regions: Iterable[Region], detect: Iterable[str]) -> ManifestEntry:
        """Return this entry with more asked of the same picture."""
        return ManifestEntry((*self.regions, *regions), tuple(dict.fromkeys((*self.detect, *detect))))


def read_manifest(
    manifest: str,
    base: RegionRequest,
    pattern: str | None = None,
    boxes: Annotations | None = None,
    out: str = "",
    note: Callable[[str], None] = lambda _: None,
) -> list[Task]:
    """Read a manifest; each picture comes once, with all that is asked of it.

    Args:
        manifest: A folder of pictures, or a CSV, TSV, Parquet, JSON lines or annotation file that names pictures.
        base: What is asked of every picture besides.
        pattern: Which pictures of a folder, such as `**/*.jpg`.
        boxes: Annotations of the pictures.
        out: Folder or URL of the results, which are no pictures.
        note: Called with sentences about annotated names without a picture, and names that fit several.

    Returns:
        A task for each picture.

    Raises:
        BoxError: A line is no region; the message has file, line and reason.
        ConfigError: No regions are asked for, or the pattern or `out` cannot be.
        DataError: There is no such manifest, or it names no pictures.
    """
    place = storage.normalise(manifest)
    if storage.is_folder(place):
        entries = _list_folder(place, pattern, storage.normalise(out) if out else "")
    elif pattern:
        raise ConfigError(f"--pattern chooses pictures in a folder, but {manifest} is none")
    elif not storage.exists(place):
        raise DataError(f"there is neither a file nor a folder {manifest}")
    else:
        entries = _read_file(place)
    if not entries:
        raise DataError(f"{manifest} names no pictures" + (f" by {pattern!r}" if pattern else ""))
    more, wrong = ({}, {}) if boxes is None else _match_annotations(boxes, list(entries), manifest, note)
    tasks = [
        Task(
            picture,
            replace(
                base,
                given=(*base.given, *own.regions, *more.get(picture, ())),
                detect=tuple(dict.fromkeys((*base.detect, *own.detect))),
            ),
            wrong.get(picture, ""),
        )
        for picture, own in entries.items()
    ]
    if boxes is None and not any(task.request.given or task.request.detect for task in tasks):
        raise ConfigError(
            f"{manifest} names {len(entries)} pictures but no regions; add boxes to it, --box or --detect"
        )
    return tasks


def _match_annotations(
    boxes: Annotations, pictures: Sequence[str], manifest: str, note: Callable[[str], None]
) -> tuple[dict[str, tuple[Region, ...]], dict[str, str]]:
    """Return the regions of pictures, and why those of others are unknown; `BoxError` for a malformed file of none."""
    found: dict[str, tuple[Region, ...]] = {}
    wrong: dict[str, str] = {}
    owners: dict[str, list[str]] = defaultdict(list)
    for picture in pictures:
        try:
            owners[boxes.match(picture)].append(picture)
            found[picture] = boxes.of(picture)
        except BoxError as error:
            wrong[picture] = str(error)
    owners.pop("", None)
    twice = []
    for name, own in owners.items():
        exact = [picture for picture in own if PurePosixPath(picture).name == PurePosixPath(name).name]
        if len(exact) == 1:  # the others only mean the same
            for picture in set(own) - set(exact):
                found[picture] = boxes.pictures.get("", ())
        elif len(own) > 1:
            twice.append(name)
            why = f"{boxes.origin} has regions for {name}, which may be {own[0]} or {own[1]}; name folders in it too"
            wrong |= dict.fromkeys(own, why)
    for name, why in boxes.broken.items():  # it may have been of many pictures
        if name not in owners:
            raise BoxError(why)
    if boxes.names and not owners and not wrong and "" not in boxes.pictures:
        raise DataError(f"{boxes.origin} has regions for {boxes.names[0]}, which is no picture of {manifest}")
    for names, what in (
        ([name for name in boxes.names if name not in owners], "without a picture"),
        (twice, "that fit several pictures"),
    ):
        if names:
            listed = ", ".join(names[:MAX_LISTED]) + (", ..." if len(names) > MAX_LISTED else "")
            note(f"{boxes.origin}: {len(names)} names {what}: {listed}")
    return found, wrong


def _list_folder(folder: str, pattern: str | None, out: str) -> dict[str, ManifestEntry]:
    """List the pictures of a folder."""
    if out == folder:
        raise ConfigError(f"OUT is the folder of the pictures; choose one of its own, such as {folder}/out")
    found = storage.list_files(folder, pattern or "**/*")
    if out:
        found = [place for place in found if not place.startswith(f"{out}/")]
    if not pattern:
        found = [place for place in found if PurePosixPath(place).suffix.lower() in (*FORMATS, *PICTURE_SUFFIXES)]
    if not pattern or not is_stray(PurePosixPath(pattern)):
        found = [place for place in found if not is_stray(PurePosixPath(place.removeprefix(folder).lstrip("/")))]
    return dict.fromkeys(found, ManifestEntry())


def _read_file(place: str) -> dict[str, ManifestEntry]:
    """Read the pictures that a file names, and what it asks of them; names are relative to its folder."""
    folder, entries = storage.parent(place), dict[str, ManifestEntry]()
    for picture, regions, detect in _iterate(place):
        if not picture:
            raise DataError(f"{place} has regions but names no picture; give a folder and this file as --boxes")
        whole = storage.join(folder, picture)
        if not storage.is_remote(whole) or picture.startswith("file:"):
            whole = locate(folder, picture) or whole
        entries[whole] = entries.get(whole, ManifestEntry()).also(regions, detect)
    return entries


def _iterate(place: str) -> Iterator[tuple[str, Sequence[Region], Sequence[str]]]:
    """Read a file line by line or picture by picture: a name, regions, detectors."""
    suffix = PurePosixPath(place).suffix.lower()
    if suffix in TABLE_SUFFIXES:
        yield from (_parse_row(row, origin) for origin, row in _iterate_table(place))
    elif suffix in LINES_SUFFIXES:
        for picture, region, detector in iterate_lines(storage.read_file(place), place):
            yield picture, () if region is None else (region,), (detector,) if detector else ()
    else:
        with storage.fetched(place) as path:
            annotations = read(path)
        yield from ((picture, regions, ()) for picture, regions in annotations.pictures.items())


def _iterate_table(place: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Read a table row by row, each with its place in the file."""
    title = PurePosixPath(place).name
    suffix = PurePosixPath(place).suffix.lower()
    if suffix == ".parquet":
        import polars as pl

        try:
            frame = pl.read_parquet(io.BytesIO(storage.read_file(place)))
        except (OSError, pl.exceptions.PolarsError) as error:
            raise DataError(f"{place} cannot be read as Parquet: {error}") from error
        frame = frame.rename(lambda name: name.strip().lower(), strict=False)
        _check_columns(frame.columns, place)
        yield from ((f"{title}, row {n}", row) for n, row in enumerate(frame.iter_rows(named=True), start=1))
        return
    try:
        file = io.StringIO(storage.read_file(place).decode("utf-8-sig"), newline="")
        reader = csv.DictReader(file, delimiter="\t" if suffix == ".tsv" else ",", skipinitialspace=True, strict=True)
        reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or []]
        _check_columns(reader.fieldnames, place)
        for row in reader:
            if not any(row.values()):
                continue
            if None in row or None in row.values():
                raise DataError(f"{title}, line {reader.line_num}: it has not as many cells as the header")
            yield f"{title}, line {reader.line_num}", row
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{place} cannot be read as CSV: {error}") from error


def _check_columns(columns: Sequence[str], place: str) -> None:
    """Refuse a table that names no pictures, or has some sides of a box and not all."""
    if not set(PICTURE_KEYS) & set(columns):
        raise DataError(
            f"{place} has no column called {', '.join(PICTURE_KEYS)}; it has {', '.join(columns) or 'none'}"
        )
    sides = {side for names in BOX_COLUMNS for side in names} - {"width", "height"}  # which may be the picture's
    if (some := sides & set(columns)) and not any(set(names) <= set(columns) for names in BOX_COLUMNS):
        known = "; or ".join(", ".join(names) for names in BOX_COLUMNS)
        raise DataError(f"{place} has the columns {', '.join(sorted(some))}; a box has {known}")


def _parse_row(line: dict[str, Any], origin: str) -> tuple[str, list[Region], list[str]]:
    """Read a row: the picture, its regions as `box`, `boxes` or four columns, and detectors; only the picture must be.

    A label or a score of 0 is no empty cell.
    """
    picture = next(line[name] for name in PICTURE_KEYS if name in line)
    if not isinstance(picture, str) or not picture:
        raise DataError(f"{origin}: {picture!r} is no picture's name")
    label = "" if _empty(line.get("label")) else str(line["label"])
    score = None if _empty(line.get("score")) else _number(line["score"], "score", origin)
    detect = [name.strip() for name in str(line.get("detector") or "").split(";") if name.strip()]
    given = line.get("boxes") or line.get("box") or line.get("bbox")
    if given:
        each = [part for part in given.split(";") if part.strip()] if isinstance(given, str) else list(given)
        if given is not line.get("boxes") and not isinstance(given, str):
            each = [given]
        return picture, [replace(_region(one, origin), label=label, score=score) for one in each], detect
    for names in BOX_COLUMNS:
        if all(name in line for name in names):
            cells = [line[name] for name in names]
            if all(_empty(cell) for cell in cells):
                return picture, [], detect
            a, b, c, d = (_number(cell, name, origin) for cell, name in zip(cells, names, strict=True))
            right, bottom = (c, d) if names in CORNER_COLUMNS else (a + c, b + d)
            return picture, [Region(a, b, right, bottom, label=label, score=score, origin=origin)], detect
    return picture, [], detect


def _region(one: Any, origin: str) -> Region:  # noqa: ANN401  # a cell of a user's table
    """Read one region: text, or x, y, width and height."""
    if isinstance(one, str):
        return text(one, origin)
    if isinstance(one, Sequence) and len(one) == 4:
        x, y, width, height = (_number(side, "box", origin) for side in one)
        return Region(x, y, x + width, y + height, origin=origin)
    raise BoxError(f"{origin}: {one!r} is no region; give x, y, width and height")


def _empty(cell: Any) -> bool:  # noqa: ANN401  # a cell of a user's table
    """Tell whether a cell has nothing in it."""
    return cell is None or cell == "" or str(cell).lower() == "nan"  # which pandas writes for none


def _number(cell: Any, name: str, origin: str) -> float:  # noqa: ANN401  # a cell of a user's table
    """Read a number; `BoxError` names the cell that is none."""
    try:
        return float(cell)
    except (TypeError, ValueError):
        raise BoxError(f"{origin}: {name} is {cell!r}, which is no number") from None
