"""Manifests: the pictures that a folder or a file names, and what is asked of each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import NamedTuple

from localsr.batch import storage
from localsr.batch.clips import ClipMoments, is_clip
from localsr.batch.tasks import Task
from localsr.errors import BoxError, ConfigError, DataError
from localsr.frames.moments import at_moment, split_moment
from localsr.images import FORMATS
from localsr.regions import Annotations, Region, RegionRequest, read
from localsr.regions.annotations import PER_PICTURE
from localsr.regions.formats.documents import MAX_JSON_BYTES
from localsr.regions.formats.json_lines import iterate_lines
from localsr.regions.formats.records import Record, record_detectors, record_picture
from localsr.regions.formats.tables import TABLE_SUFFIXES, iterate_table, readable_regions
from localsr.regions.names import PICTURE_SUFFIXES, is_stray, locate

MAX_LISTED = 5  # names in a note
OTHER_SUFFIXES = tuple(
    ".heic .heif .jxl .jp2 .psd .exr .cr2 .cr3 .nef .arw .dng .raf .orf .rw2 .pef .srw".split()
)  # of pictures that are not read
LINES_SUFFIXES = (".jsonl", ".ndjson")


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
        entries = _list_folder(place, pattern, storage.normalise(out) if out else "", note)
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
            wrong[picture] = error.told("command")
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
    for name, file in boxes.broken.items():
        if name not in owners and not file.is_text:
            raise BoxError(file.reason)
    if boxes.names and not owners and not wrong and "" not in boxes.pictures:
        raise DataError(f"{boxes.origin} has regions for {boxes.names[0]}, which is no picture of {manifest}")
    for names, what in (
        ([name for name in boxes.names if name not in owners], "without a picture"),
        (twice, "that fit several pictures"),
    ):
        if names:
            note(f"{boxes.origin}: {len(names)} names {what}: {_listed(names)}")
    return found, wrong


def _list_folder(folder: str, pattern: str | None, out: str, note: Callable[[str], None]) -> dict[str, ManifestEntry]:
    """List the pictures of a folder, and note those that are passed over."""
    if out == folder:
        raise ConfigError(f"OUT is the folder of the pictures; choose one of its own, such as {folder}/out")
    found = storage.list_files(folder, pattern or "**/*")
    if out:
        found = [place for place in found if not place.startswith(f"{out}/")]
    suffixes = {place: PurePosixPath(place).suffix.lower() for place in found}
    own = [place for place, suffix in suffixes.items() if suffix in (*FORMATS, *PICTURE_SUFFIXES)]
    labels = [place for place, suffix in suffixes.items() if suffix in PER_PICTURE]
    if labels and not own and not pattern:
        raise DataError(
            f"{folder} holds no pictures but {len(labels)} files that may be of regions; give the pictures' folder, "
            "and this one as --boxes"
        )
    strange = [place for place, suffix in suffixes.items() if suffix in OTHER_SUFFIXES]
    kept, strays = found if pattern else own, set[str]()
    if not pattern or not is_stray(PurePosixPath(pattern)):
        strays = {place for place in kept if is_stray(PurePosixPath(place.removeprefix(folder).lstrip("/")))}
    for places, what in (
        ([] if pattern else strange, "pictures in formats that are not read"),
        (sorted(strays), "pictures that systems leave behind"),
    ):
        if places:
            names = [place.removeprefix(folder).lstrip("/") for place in places]
            note(f"{folder}: {len(names)} {what} are passed over: {_listed(names)}")
    return dict.fromkeys([place for place in kept if place not in strays], ManifestEntry())


def _listed(names: Sequence[str]) -> str:
    """Return the first of some names."""
    return ", ".join(names[:MAX_LISTED]) + (", ..." if len(names) > MAX_LISTED else "")


def _read_file(place: str) -> dict[str, ManifestEntry]:
    """Read the pictures that a file names, and what it asks of them; names are relative to its folder."""
    folder, entries, moments = storage.parent(place), dict[str, ManifestEntry](), ClipMoments()
    for named, regions, detect, record, origin in _iterate(place):
        picture, moment = split_moment(named)
        if not picture:
            raise DataError(f"{place} has regions but names no picture; give a folder and this file as --boxes")
        whole = storage.join(folder, picture)
        if not storage.is_remote(whole) or picture.startswith("file:"):
            whole = locate(folder, picture) or whole
        whole = moments.name(whole, record, origin) if moment is None else at_moment(whole, moment)
        if is_clip(whole):
            raise DataError(
                f"{origin or place}: {picture} is a clip; say which moment of it, by a column `at` or `frame`"
            )
        entries[whole] = entries.get(whole, ManifestEntry()).also(regions, detect)
    return entries


class _Line(NamedTuple):
    """What a file says of a picture."""

    picture: str
    regions: Sequence[Region]
    detectors: Sequence[str] = ()
    record: Record = {}  # noqa: RUF012  # never changed; of a table
    origin: str = ""


def _iterate(place: str) -> Iterator[_Line]:
    """Read a file line by line or picture by picture."""
    suffix = PurePosixPath(place).suffix.lower()
    if suffix in TABLE_SUFFIXES:
        for origin, record in iterate_table(storage.read_file(place, MAX_JSON_BYTES), place):
            if not (picture := record_picture(record)):
                raise DataError(f"{origin}: has no picture's name")
            yield _Line(picture, readable_regions(record, origin), record_detectors(record), record, origin)
    elif suffix in LINES_SUFFIXES:
        for picture, region, detector in iterate_lines(storage.read_file(place, MAX_JSON_BYTES), place):
            yield _Line(picture, () if region is None else (region,), (detector,) if detector else ())
    else:
        with storage.fetched(place) as path:
            annotations = read(path)
        yield from (_Line(picture, regions) for picture, regions in annotations.pictures.items())
