"""Regions of many pictures, by the names that a file or a folder of files gives them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from os import PathLike, fspath
from pathlib import Path, PurePosixPath

from localsr.errors import BoxError
from localsr.regions.formats import coco, documents, json_lines, voc, yolo
from localsr.regions.region import Region

PICTURES = (".png", ".tif", ".tiff", ".webp", ".bmp", ".jpg", ".jpeg")  # of masks, and of what names end in
MOST_FILES = 1_000_000
KINDS = "COCO or LabelMe (.json), Pascal VOC (.xml), YOLO (.txt), JSON lines (.jsonl), a mask (a picture)"
Pictures = dict[str, tuple[Region, ...]]


@dataclass(frozen=True)
class Annotations:
    """The regions of one picture or of many."""

    pictures: Mapping[str, tuple[Region, ...]]  # by name, as it was given; "" are the regions of any picture
    origin: str  # for messages
    broken: Mapping[str, str] = field(default_factory=dict)  # pictures whose own file is malformed, and why

    def of(self, picture: str | PathLike[str], *, paired: bool = False) -> tuple[Region, ...]:
        """Give the regions of a picture: those under its name, and those of any picture.

        Names are compared from their ends, folder by folder, as far as both go; a name without a picture's suffix
        stands for any, and one of digits for those with more zeros before them. With `paired`, regions of one picture
        only are meant for this one, whatever its name. Raises `BoxError` if two names fit, or if the picture's own
        file is malformed.
        """
        anywhere = self.pictures.get("", ())
        name = self.names[0] if paired and len(self.names) == 1 else self.named(picture)
        if name in self.broken:
            raise BoxError(self.broken[name])
        return anywhere + (self.pictures[name] if name else ())

    def named(self, picture: str | PathLike[str]) -> str:
        """Give the name that fits a picture best, or nothing."""
        own = _parts(fspath(picture))
        if not own:
            return ""
        fits: dict[str, int] = {}
        alike = self._index.get(_key(own[0]), ())
        for name in [name for name in alike if _stem(_parts(name)[0]) == _stem(own[0])] or alike:
            parts = _parts(name)
            if PurePosixPath(parts[0]).suffix.lower() in PICTURES and parts[0] != own[0]:
                continue
            common = min(len(own), len(parts))
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
        index: dict[str, list[str]] = {}
        for name in self.names:
            if parts := _parts(name):
                index.setdefault(_key(parts[0]), []).append(name)
        return index


def read(path: str | PathLike[str]) -> Annotations:
    """Read the regions of a file, or of all files of a folder; their kinds are told by suffix and content.

    Raises `BoxError` with file, line or entry, and reason. In a folder, a malformed file breaks its own picture only.
    Pictures in a folder are masks where no other file of regions is.
    """
    path = Path(path)
    if not path.is_dir():
        return Annotations(_file(path), str(path))
    within = sorted(path.rglob("*"))
    paths = [p for p in within if p.suffix.lower() in READERS and p.name not in yolo.NO_LABELS]
    paths = paths or [p for p in within if p.suffix.lower() in PICTURES]
    if not paths:
        raise BoxError(f"{path} holds no files of regions; known are {KINDS}")
    if len(paths) > MOST_FILES:
        raise BoxError(f"{path} holds {len(paths)} files; {MOST_FILES} are read")
    pictures: Pictures = {}
    broken: dict[str, str] = {}
    for each in paths:
        name = each.relative_to(path).with_suffix("").as_posix()
        try:
            for own, regions in _file(each).items():
                # the folder tells more than a name within the file
                inner = own if own and len(_parts(own)) > 1 else str(PurePosixPath(name).parent / own) if own else name
                pictures[inner] = pictures.get(inner, ()) + regions
        except BoxError as error:
            broken[name] = str(error)
    return Annotations(pictures, str(path), broken)


def read_lines(data: bytes, origin: str = "standard input") -> Annotations:
    """Read lines, each a region as `--box` takes it or a JSON object; `lines.py` says what is in it."""
    return Annotations(json_lines.read(data, origin), origin)


def _file(path: Path) -> Pictures:
    """Read one file."""
    suffix = path.suffix.lower()
    if suffix in PICTURES:
        from localsr.regions.formats import mask

        return {"": mask.read(path)}
    if suffix not in READERS:
        raise BoxError(f"{path} is no file of regions that is known: {KINDS}")
    return READERS[suffix](path)


def _lines(path: Path) -> Pictures:
    return json_lines.read(documents.load(path), str(path))


READERS: dict[str, Callable[[Path], Pictures]] = {
    ".json": coco.read,
    ".jsonl": _lines,
    ".ndjson": _lines,
    ".txt": yolo.read,
    ".xml": voc.read,
}


def _parts(name: str) -> list[str]:
    """Give a name's parts, the last one first, whichever system wrote it."""
    return [part for part in reversed(name.replace("\\", "/").split("/")) if part not in ("", ".", "..")]


def _key(name: str) -> str:
    """Give what names that mean one picture have in common: COCO's ids are numbers, its files have twelve digits."""
    stem = _stem(name)
    return (stem.lstrip("0") or "0") if stem.isascii() and stem.isdigit() else stem


def _stem(name: str) -> str:
    """Give a file's name without a picture's suffix."""
    return name[: -len(suffix)] if (suffix := PurePosixPath(name).suffix).lower() in PICTURES else name
