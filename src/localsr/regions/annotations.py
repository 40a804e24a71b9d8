"""Regions of many pictures, by the names that a file or a folder of files gives them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from os import PathLike, fspath
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from localsr.errors import BoxError
from localsr.regions.formats.coco import read_coco
from localsr.regions.formats.documents import Pictures, top_keys
from localsr.regions.formats.json_lines import (
    parse_json_lines,
    read_answer,
    read_array,
    read_inspected,
    read_json_lines,
)
from localsr.regions.formats.labelme import read_labelme
from localsr.regions.formats.mask import read_mask
from localsr.regions.formats.tables import TABLE_SUFFIXES, read_table_regions
from localsr.regions.formats.voc import read_voc
from localsr.regions.formats.yolo import NO_LABELS, read_yolo
from localsr.regions.names import (
    PICTURE_SUFFIXES,
    fold,
    fold_exported,
    fold_loosely,
    is_foreign,
    is_stray,
    walk_files,
)
from localsr.regions.region import Region

MAX_FILES = 1_000_000  # of a folder
FORMATS = (
    "COCO or LabelMe (.json), Pascal VOC (.xml), YOLO (.txt), JSON lines (.jsonl), a table (.csv, .parquet), a mask"
)


class BrokenFile(NamedTuple):
    """A file in a folder that is malformed."""

    reason: str
    is_text: bool  # YOLO's, which is about one picture; others may have been about many


@dataclass(frozen=True)
class Annotations:
    """The regions of one picture or of many.

    Args:
        pictures: Regions by the picture's name, as the file gives it; under "" those of any picture.
        origin: The file or folder, for messages.
        broken: Pictures whose own file is malformed.
        files: What the file of a picture's regions is called, without suffix, where it is called otherwise.

    Example:
        >>> from localsr.regions import Annotations, text
        >>> annotations = Annotations({"train/a.jpg": (text("1,2,3,4"),)}, "boxes.json")
        >>> len(annotations.of("/data/train/a.jpg")), len(annotations.of("/data/val/a.jpg"))
        (1, 0)
    """

    pictures: Mapping[str, tuple[Region, ...]]
    origin: str
    broken: Mapping[str, BrokenFile] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    def of(self, picture: str | PathLike[str], *, paired: bool = False) -> tuple[Region, ...]:
        """Return the regions of a picture: those of any picture, and those under its name.

        Names are compared from their ends, folder by folder, as far as both go. A name without a picture's suffix
        stands for any suffix, and one of digits for those with more zeros before them. Where no name is the same,
        one that means the same counts (`names.fold`), then one that may (`names.fold_loosely`), of which a whole path
        of another machine is compared as far as it is the same; then the file that is called as the picture is, which
        may have been renamed since.

        Args:
            picture: Path or name of the picture.
            paired: Regions of one named picture only are meant for this one, whatever its name.

        Raises:
            BoxError: Two names fit equally well, or the picture's own file is malformed.
        """
        anywhere = self.pictures.get("", ())
        name = self.names[0] if paired and len(self.names) == 1 else self.match(picture)
        if name in self.broken:
            raise BoxError(self.broken[name].reason)
        return anywhere + (self.pictures[name] if name else ())

    def match(self, picture: str | PathLike[str]) -> str:
        """Return the name that fits a picture best, "" if none does; `BoxError` if two fit equally well."""
        said = fspath(picture)
        return (
            self._best(said, _parts(said), self._index, str)
            or self._best(said, _parts(fold(said)), self._folded, fold_exported)
            or self._best(said, _parts(fold_loosely(said)), self._loose, fold_loosely)
            or self._best(said, _parts(fold(said)), self._files, self._file)
        )

    def _best(self, picture: str, own: list[str], index: Mapping[str, list[str]], form: Callable[[str], str]) -> str:
        """Return the name that fits the parts of a picture best, each name in the form it is indexed by."""
        if not own:
            return ""
        fits: dict[str, int] = {}
        alike = index.get(_key(own[0]), ())
        for name in [name for name in alike if _stem(_parts(form(name))[0]) == _stem(own[0])] or alike:
            parts = _parts(form(name))
            if PurePosixPath(parts[0]).suffix.lower() in PICTURE_SUFFIXES and parts[0] != own[0]:
                continue
            common = min(len(own), len(parts))
            if form is fold_loosely and is_foreign(name, picture):
                common = next((n for n in range(1, common) if parts[n] != own[n]), common)
            if parts[1:common] == own[1:common]:
                fits[name] = common
        best = [name for name, common in fits.items() if common == max(fits.values())]
        if len(best) > 1:
            raise BoxError(f"{self.origin} has regions for {' and for '.join(sorted(best)[:3])}; {picture} fits each")
        return best[0] if best else ""

    @cached_property
    def names(self) -> list[str]:
        """The pictures that have a name, in order."""
        return [name for name in (*self.pictures, *self.broken) if name]

    @cached_property
    def _index(self) -> dict[str, list[str]]:
        """Names by their last part without suffix."""
        return self._index_by(str)

    @cached_property
    def _folded(self) -> dict[str, list[str]]:
        """Names by the last part of what they mean, without suffix."""
        return self._index_by(fold_exported)

    @cached_property
    def _loose(self) -> dict[str, list[str]]:
        """Names by the last part of what they may mean, without suffix."""
        return self._index_by(fold_loosely)

    @cached_property
    def _files(self) -> dict[str, list[str]]:
        """Names by what the last part of their file is called."""
        return self._index_by(self._file)

    def _file(self, name: str) -> str:
        """Return what a picture's file of regions is called, "" where it is called as the picture."""
        return fold_exported(self.files.get(name, ""))

    def _index_by(self, form: Callable[[str], str]) -> dict[str, list[str]]:
        """Return names by the last part of a form of theirs, without suffix."""
        index: dict[str, list[str]] = {}
        for name in self.names:
            if parts := _parts(form(name)):
                index.setdefault(_key(parts[0]), []).append(name)
        return index


def read(path: str | PathLike[str]) -> Annotations:
    """Read the regions of a file, or of all files of a folder; the format follows from suffix and content.

    In a folder, a malformed file breaks its own picture only. Pictures in a folder are read as masks where it holds no
    other file of regions.

    Args:
        path: A file in COCO's, LabelMe's, Pascal VOC's or YOLO's format, of JSON lines, what `localsr restore
            --json` printed, a table (CSV, Parquet), a mask; or a folder of files about one picture each.

    Returns:
        Regions by the names of their pictures.

    Raises:
        BoxError: The file is malformed or of no known format; the message has file, line or entry, and reason.

    Example:
        >>> import pathlib, tempfile
        >>> from localsr.regions import read
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "a.txt")
        ...     _ = path.write_text("0 0.5 0.5 0.1 0.2")
        ...     [region] = read(path).of("a.jpg")
        >>> region.relative, region.label
        (True, '0')
    """
    path = Path(path)
    if not path.is_dir():
        found = _read_file(path)
        return Annotations(found, str(path), files=dict.fromkeys(found, path.stem) if len(found) == 1 else {})
    within = [path / name for name in islice(walk_files(str(path)), MAX_FILES + 1) if not is_stray(PurePosixPath(name))]
    paths = [p for p in within if p.suffix.lower() in PER_PICTURE and not NO_LABELS.fullmatch(p.name)]
    paths = paths or [p for p in within if p.suffix.lower() in PICTURE_SUFFIXES]
    if not paths:
        raise BoxError(f"{path} holds no files of regions; known are {FORMATS}")
    if len(paths) > MAX_FILES:
        raise BoxError(f"{path} holds {len(paths)} files; {MAX_FILES} are read")
    pictures: Pictures = {}
    broken, files = dict[str, BrokenFile](), dict[str, str]()
    for each in paths:
        name = each.relative_to(path).with_suffix("").as_posix()
        try:
            found = _read_file(each)
            for own, regions in found.items():
                # the folder tells more than a name within the file
                inner = own if own and len(_parts(own)) > 1 else str(PurePosixPath(name).parent / own) if own else name
                pictures[inner] = pictures.get(inner, ()) + regions
                if len(found) == 1 and inner != name:
                    files[inner] = name
        except BoxError as error:
            broken[name] = BrokenFile(str(error), each.suffix.lower() == ".txt")
    return Annotations(pictures, str(path), broken, files)


def read_lines(data: bytes, origin: str = "standard input") -> Annotations:
    """Read lines, each a region as `--box` takes it or a JSON object (`formats/json_lines.py`).

    Args:
        data: The lines, in UTF-8.
        origin: Where they come from, for messages.

    Raises:
        BoxError: A line is no region; the message has its number.

    Example:
        >>> from localsr.regions import read_lines
        >>> len(read_lines(b'40,60,128,96').of("any.jpg"))
        1
    """
    return Annotations(parse_json_lines(data, origin), origin)


def read_json(path: Path) -> Pictures:
    """Read a JSON file by what it holds.

    LabelMe's have `shapes`, our own `regions`, or `provenance` of a result; an array without `image_id` has records,
    and others are COCO's.
    """
    keys = top_keys(path)
    if "records" in keys:
        return read_array(path)
    if keys == ("provenance",):
        return read_inspected(path)
    return read_labelme(path) if "shapes" in keys else read_answer(path) if "regions" in keys else read_coco(path)


READERS: dict[str, Callable[[Path], Pictures]] = {
    ".json": read_json,
    ".jsonl": read_json_lines,
    ".ndjson": read_json_lines,
    ".txt": read_yolo,
    ".xml": read_voc,
}
PER_PICTURE = tuple(READERS)  # suffixes that count in a folder; a table beside labels is about something else
READERS |= dict.fromkeys(TABLE_SUFFIXES, read_table_regions)


def _read_file(path: Path) -> Pictures:
    """Read one file by its suffix."""
    suffix = path.suffix.lower()
    if suffix in PICTURE_SUFFIXES:
        return read_mask(path)
    if suffix not in READERS:
        raise BoxError(f"{path} is no file of regions that is known: {FORMATS}")
    return READERS[suffix](path)


def _parts(name: str) -> list[str]:
    """Return a name's parts, the last one first, whichever system wrote it."""
    return [part for part in reversed(name.replace("\\", "/").split("/")) if part not in ("", ".", "..")]


def _key(name: str) -> str:
    """Return what names that mean one picture have in common: COCO's ids are numbers, its files have twelve digits."""
    stem = _stem(name)
    return (stem.lstrip("0") or "0") if stem.isascii() and stem.isdigit() else stem


def _stem(name: str) -> str:
    """Return a file's name without a picture's suffix."""
    return name[: -len(suffix)] if (suffix := PurePosixPath(name).suffix).lower() in PICTURE_SUFFIXES else name
