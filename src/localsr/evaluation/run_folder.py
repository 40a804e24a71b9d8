"""A run as far as it has come: each picture's rows are on disk as soon as they are there, whole or not at all."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

import msgspec
import numpy as np

from localsr.errors import DataError
from localsr.evaluation.records import (
    EvaluationSettings,
    Example,
    Interval,
    MethodMeans,
    PictureRow,
    ResultRecord,
    RoiRow,
    json_bytes,
    plain_values,
)
from localsr.evaluation.results import MEANS, paired_difference, picture_values
from localsr.files import lock_folder, remove_leftovers, write_whole
from localsr.parquet import parquet_bytes, read_rows

Row = TypeVar("Row", RoiRow, PictureRow)


class RunFolder:
    """The folder of a run, which one process at a time holds: to be used in a `with`."""

    def __init__(self, folder: Path, settings: EvaluationSettings) -> None:
        """Begin a run in `folder`, or go on with it.

        Raises:
            DataError: The folder holds another run, or another process is at work in it.
        """
        self.folder, self.settings = folder, settings
        self._parts = folder / "parts"
        self.finished = False
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = lock_folder(folder)
        try:
            self._begin()
        except DataError:
            self._lock.close()
            raise

    def _begin(self) -> None:
        """Look at what is there, and clean up behind a kill."""
        folder = self.folder
        mine = json.loads(json_bytes(plain_values(self.settings)))
        del mine["machine"]  # a run may go on on another
        for name in ("result.json", "run.json"):
            if (folder / name).is_file():
                theirs = _read_object(folder / name)
                if differing := [key for key in sorted(mine) if theirs.get(key) != mine[key]]:
                    text = _describe_differences(mine, theirs, differing)
                    raise DataError(f"{folder} holds another run: {text}; choose another folder")
                self.finished = name == "result.json"
                break
        else:
            if self._parts.exists():
                raise DataError(f"{self._parts} are of an unknown run; remove them or choose another folder")
            write_whole(folder / "run.json", json_bytes(mine))
        for place in (folder, self._parts, folder / "examples"):
            remove_leftovers(place)
        if self.finished:
            self._tidy()

    def has(self, k: int) -> bool:
        """Tell whether picture k is done; of its two files the second one written says so."""
        return self._part(k, "pictures").is_file()

    def add(self, k: int, rois: Sequence[RoiRow], picture: Sequence[PictureRow]) -> None:
        """Keep the rows of picture k."""
        write_whole(self._part(k, "rois"), parquet_bytes(rois, RoiRow))
        write_whole(self._part(k, "pictures"), parquet_bytes(picture, PictureRow))

    def rois(self) -> list[RoiRow]:
        """Read the rows of all ROIs so far."""
        return self._read_parts("rois", RoiRow)

    def finish(self, examples: list[Example]) -> None:
        """Put the parts together; the folder is a result from now on."""
        pictures, methods = self._read_parts("pictures", PictureRow), self.settings.methods
        base = "halo" if "halo" in methods else methods[0]  # the baseline to beat
        psnr = {method: picture_values(pictures, method, "psnr_y") for method in methods}
        apart = {m: paired_difference(psnr[m], psnr[base]) for m in methods if m != base}
        record = ResultRecord(
            **{key: getattr(self.settings, key) for key in self.settings.__struct_fields__},
            means={method: _method_means(pictures, method) for method in methods},
            differences={f"{method} - {base}": _rounded(interval) for method, interval in apart.items()},
            pictures=list(dict.fromkeys(row.picture for row in pictures)),
            examples=examples,
        )
        write_whole(self.folder / "rois.parquet", parquet_bytes(self.rois(), RoiRow))
        write_whole(self.folder / "pictures.parquet", parquet_bytes(pictures, PictureRow))
        write_whole(self.folder / "result.json", json_bytes(plain_values(record)))
        self._tidy()

    def _tidy(self) -> None:
        """Remove what only an unfinished run needs."""
        shutil.rmtree(self._parts, ignore_errors=True)
        for name in ("run.json", ".lock"):
            (self.folder / name).unlink(missing_ok=True)

    def __enter__(self) -> Self:
        """Return the run."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let another process go on."""
        self._lock.close()

    def _part(self, k: int, kind: str) -> Path:
        """Return the path of one of the two files of picture k."""
        return self._parts / f"{k:05d}-{kind}.parquet"

    def _read_parts(self, name: str, kind: type[Row]) -> list[Row]:
        """Read all parts of a name."""
        paths = sorted(self._parts.glob(f"*-{name}.parquet"))
        return [row for path in paths for row in read_rows(path.read_bytes(), str(path), kind)]


def _rounded(interval: Interval) -> Interval:
    """Round a difference to a tenth of a thousandth of a dB."""
    low, high = (None if bound is None else round(bound, 4) for bound in (interval.low, interval.high))
    return Interval(round(interval.mean, 4), low, high)


def _method_means(pictures: Sequence[PictureRow], method: str) -> MethodMeans:
    """Return the means over pictures."""
    rows = [row for row in pictures if row.way == method]
    means = {key: float(np.mean([getattr(row, key) for row in rows])) for key in MEANS}
    seconds = sum(row.seconds for row in rows) / sum(row.rois for row in rows)
    numbers = {key: None if np.isnan(value) else round(value, 5) for key, value in means.items()}
    return msgspec.convert(numbers | {"seconds_roi": round(seconds, 6)}, MethodMeans)


def _describe_differences(mine: dict[str, Any], theirs: dict[str, Any], keys: list[str]) -> str:
    """Say what differs under `keys`, down to the settings; three of them are enough."""
    found = []
    for key in keys:
        one, other = mine[key], theirs.get(key)
        if isinstance(one, dict) and isinstance(other, dict):
            inner = sorted(one.keys() | other.keys(), key=[*one, *other].index)
            found += [f"{k} was {other.get(k)!r}, is {one.get(k)!r}" for k in inner if one.get(k) != other.get(k)]
        else:
            found.append(f"{key} was {other!r}, is {one!r}")
    return "; ".join(f"{text[:120]}" for text in found[:3])


def _read_object(path: Path) -> dict[str, Any]:
    """Read a JSON object; `DataError` for what is none."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise DataError(f"{path} is no run's")
    return found
