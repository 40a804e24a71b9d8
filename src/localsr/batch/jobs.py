"""Jobs: a picture and where its regions come from; what the outputs are called."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from string import Formatter
from typing import Any, NamedTuple

from localsr.batch import places
from localsr.errors import BoxError, ConfigError, DataError
from localsr.images import FORMATS
from localsr.sources import Annotations, Found, Region, Regions, read, text

LAYOUT = "{stem}-{left}-{top}-{width}x{height}-x{scale}-{key}.png"
FIELDS = ("key", "folder", "stem", "label", "n", "left", "top", "width", "height", "scale")
PICTURE = ("picture", "image", "file", "path", "file_name", "filename")  # what manifests call that column
CORNERS = (("left", "top", "right", "bottom"), ("x1", "y1", "x2", "y2"))
SIDES = (*CORNERS, ("x", "y", "width", "height"), ("x", "y", "w", "h"))
TABLES = (".csv", ".tsv", ".parquet")
NAME = 80  # bytes of a word that comes from a picture or a label; file systems take 255 in all
KEY = 16  # hexadecimal digits of a key: among a million outputs two are alike once in 40 million runs


class Job(NamedTuple):
    """A picture to be looked at once."""

    picture: str  # path or URL
    regions: Regions


@dataclass(frozen=True, slots=True)
class Setup:
    """What outputs follow from besides the picture and its regions, and where they go; every worker has it."""

    folder: str  # path or URL
    layout: str = LAYOUT
    model: str | None = None  # name or path, the same on every machine
    sha256: str = ""  # of the network that must be found there
    name: str = ""  # of the network
    scale: int = 4
    strategy: str = "clsr"
    precision: str = "fp32"
    device: str = "cpu"
    runtime: str = "torch"  # one of export.restorer.RUNTIMES
    max_memory: int | None = None  # MB of a worker

    def __post_init__(self) -> None:
        """Refuse a layout that names no file, or not one of its own for each result."""
        try:
            used = [field for _, field, form, turn in Formatter().parse(self.layout) if field is not None]
            plain = all(not form and not turn for _, field, form, turn in Formatter().parse(self.layout) if field)
        except ValueError as error:
            raise ConfigError(f"layout {self.layout!r} is none: {error}") from error
        if unknown := [field for field in used if field not in FIELDS]:
            raise ConfigError(f"layout {self.layout!r} has {{{unknown[0]}}}; choose from {', '.join(FIELDS)}")
        if "key" not in used or not plain:
            raise ConfigError(
                f"layout {self.layout!r} must have {{key}} in it, which follows from picture, region, network and "
                "options, so that a name that is there is a result that is there"
            )
        path = PurePosixPath(self.layout)
        if path.is_absolute() or ".." in path.parts or path.suffix.lower() not in FORMATS:
            raise ConfigError(f"layout {self.layout!r} must be a path within OUT that ends in {', '.join(FORMATS)}")

    @property
    def made_by(self) -> str:
        """Say what all outputs follow from besides picture and region."""
        runtime = "" if self.runtime == "torch" else f" {self.runtime}"  # sums in another order: other last bits
        return f"{self.sha256} x{self.scale} {self.strategy} {self.precision}{runtime}"

    def outputs(self, picture: str, content: str, found: Sequence[Found]) -> list[str]:
        """Name the outputs of a picture whose file has the sha256 `content`, relative to the folder."""
        path, names = PurePosixPath(picture), []
        for n, one in enumerate(found, start=1):
            box = one.box
            made = f"{content} {box.left} {box.top} {box.right} {box.bottom} {self.made_by}"
            values = {
                "key": hashlib.sha256(made.encode()).hexdigest()[:KEY],
                "folder": word(path.parent.name, "folder"),
                "stem": word(path.stem, "picture"),
                "label": word(one.label, "region"),
            }
            numbers = {"n": n, "left": box.left, "top": box.top, "width": box.width, "height": box.height}
            names.append(self.layout.format(**values, **numbers, scale=self.scale))
        return names

    def ask(self, job: Job) -> str:
        """Give a digest of all that is asked of a picture, its content aside."""
        asked = f"{job.regions!r} {self.made_by} {self.layout}"
        return hashlib.sha256(asked.encode(errors="surrogatepass")).hexdigest()[:KEY]


def word(given: str, otherwise: str) -> str:
    """Make a word that every file system takes and no shell trips over."""
    made = re.sub(r"[^\w.-]+", "_", given.encode(errors="replace").decode()).strip("._-")
    return made.encode()[:NAME].decode(errors="ignore") or otherwise


def jobs(manifest: str, base: Regions, pattern: str | None = None, boxes: Annotations | None = None) -> list[Job]:
    """Read a manifest: a folder, or a CSV, TSV, Parquet, JSON lines or annotation file that names pictures.

    `base` is what is asked of each picture besides; `boxes` are annotations of others. A picture comes once, with all
    that is asked of it. Raises `DataError` or `BoxError` that names file, line and reason.
    """
    place = places.normal(manifest)
    if places.is_folder(place):
        asked = _in_folder(place, pattern)
    elif pattern is not None:
        raise ConfigError(f"--pattern chooses pictures in a folder, but {manifest} is none")
    elif not places.exists(place):
        raise DataError(f"there is neither a file nor a folder {manifest}")
    else:
        asked = _in_file(place)
    made = []
    for picture, given in asked.items():
        more = () if boxes is None else boxes.of(picture)
        job = Job(picture, replace(base, given=(*base.given, *given, *more)))
        if job.regions.given or job.regions.detect or boxes is not None:
            made.append(job)
    if not made and asked:
        raise ConfigError(f"{manifest} names {len(asked)} pictures but no regions; add boxes to it, --box or --detect")
    if not made:
        raise DataError(f"{manifest} names no pictures" + (f" by {pattern!r}" if pattern else ""))
    return made


def _in_folder(folder: str, pattern: str | None) -> dict[str, tuple[Region, ...]]:
    """List the pictures of a folder."""
    found = places.listed(folder, pattern or "**/*")
    if pattern is None:
        found = [place for place in found if PurePosixPath(place).suffix.lower() in FORMATS]
    return dict.fromkeys(found, ())


def _in_file(place: str) -> dict[str, tuple[Region, ...]]:
    """Read the pictures that a file names, and its regions of them; names are relative to its folder."""
    folder = places.parent(place)
    asked: dict[str, tuple[Region, ...]] = {}
    if PurePosixPath(place).suffix.lower() in TABLES:
        lines: dict[str, list[Region]] = {}
        for origin, line in _lines(place):
            picture, regions = _line(line, origin)
            lines.setdefault(places.join(folder, picture), []).extend(regions)
        return {picture: tuple(regions) for picture, regions in lines.items()}
    with places.fetched(place) as path:
        annotations = read(path)
    for picture, given in annotations.pictures.items():
        if not picture:
            raise DataError(f"{place} has regions but names no picture; give a folder and this file as --boxes")
        asked[places.join(folder, picture)] = given
    return asked


def _lines(place: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Read a table line by line, with where each stands."""
    title = PurePosixPath(place).name
    suffix = PurePosixPath(place).suffix.lower()
    if suffix == ".parquet":
        import polars as pl

        try:
            frame = pl.read_parquet(io.BytesIO(places.load(place)))
        except (OSError, pl.exceptions.PolarsError) as error:
            raise DataError(f"{place} cannot be read as Parquet: {error}") from error
        _has_picture(frame.columns, place)
        yield from ((f"{title}, row {n}", row) for n, row in enumerate(frame.iter_rows(named=True), start=1))
        return
    try:
        file = io.StringIO(places.load(place).decode("utf-8-sig"), newline="")
        reader = csv.DictReader(file, delimiter="\t" if suffix == ".tsv" else ",", strict=True)
        _has_picture(reader.fieldnames or [], place)
        for row in reader:
            if None in row or None in row.values():
                raise DataError(f"{title}, line {reader.line_num}: it has not as many cells as the header")
            yield f"{title}, line {reader.line_num}", row
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{place} cannot be read as CSV: {error}") from error


def _has_picture(columns: Iterable[str], place: str) -> None:
    """Refuse a table that names no pictures."""
    if not set(PICTURE) & set(columns):
        raise DataError(f"{place} has no column called {', '.join(PICTURE)}; it has {', '.join(columns) or 'none'}")


def _line(line: dict[str, Any], origin: str) -> tuple[str, list[Region]]:
    """Read a line: the picture and its regions, as `box`, `boxes`, or four columns; none if these are empty."""
    picture = next(line[name] for name in PICTURE if name in line)
    if not isinstance(picture, str) or not picture:
        raise DataError(f"{origin}: {picture!r} is no picture's name")
    label, score = str(line.get("label") or ""), _number(line.get("score") or None, "score", origin)
    given = line.get("boxes") or line.get("box")
    if given:
        each = [part for part in given.split(";") if part.strip()] if isinstance(given, str) else list(given)
        if given is line.get("box") and not isinstance(given, str):
            each = [given]
        return picture, [replace(_region(one, origin), label=label, score=score) for one in each]
    for names in SIDES:
        if all(name in line for name in names):
            cells = [line[name] for name in names]
            if all(cell in (None, "") for cell in cells):
                return picture, []
            a, b, c, d = (_number(cell, name, origin) or 0.0 for cell, name in zip(cells, names, strict=True))
            right, bottom = (c, d) if names in CORNERS else (a + c, b + d)
            return picture, [Region(a, b, right, bottom, label=label, score=score, origin=origin)]
    return picture, []


def _region(one: Any, origin: str) -> Region:  # noqa: ANN401  # a cell of a user's table
    """Read one region: text, or x, y, width and height."""
    if isinstance(one, str):
        return text(one, origin)
    if isinstance(one, Sequence) and len(one) == 4:
        x, y, width, height = (_number(side, "box", origin) or 0.0 for side in one)
        return Region(x, y, x + width, y + height, origin=origin)
    raise BoxError(f"{origin}: {one!r} is no region; give x, y, width and height")


def _number(cell: Any, name: str, origin: str) -> float | None:  # noqa: ANN401  # a cell of a user's table
    """Read a number; None for none."""
    if cell is None:
        return None
    try:
        return float(cell)
    except (TypeError, ValueError):
        raise BoxError(f"{origin}: {name} is {cell!r}, which is no number") from None
