"""A result on disk: what was run, a row for each ROI and each picture, and what an unfinished run has so far.

- `result.json`: the protocol, the checkpoint, the machine, the means of each way and their differences
- `pictures.parquet`, `rois.parquet`: a row for each picture and way, and for each ROI and way
- `timing.json`: seconds and memory of each strategy by picture size, if they were asked for
- `examples/`: regions where context gained and lost most, as pictures
- `run.json`, `parts/`: of an unfinished run; a pair of files for each picture
"""

from __future__ import annotations

import io
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl

from localsr.errors import DataError
from localsr.evaluation.methods import Way
from localsr.files import lock_folder, remove_leftovers, write_whole
from localsr.models.checkpoint import NETWORK_NAME
from localsr.models.config import ModelConfig

RESAMPLES = 10_000
MEANS = ("psnr_y", "psnr_rgb", "ssim_y", "roi_psnr_y", "roi_psnr_rgb", "roi_ssim_y", "gflops_roi", "gflops_first_roi")
Interval = tuple[float, float | None, float | None]  # mean, low, high; no interval of one picture alone


@dataclass(frozen=True)
class Result:
    """A finished run."""

    folder: Path
    about: dict[str, Any]  # result.json
    pictures: pl.DataFrame  # picture, way, MEANS, rois, seconds; NaN for a stitched picture that was only sampled
    timing: dict[str, Any] | None  # timing.json

    @classmethod
    def read(cls, folder: Path) -> Result:
        """Read a folder that `evaluate` wrote; `DataError` for one that it did not, or did not finish."""
        try:
            about = _checked(json.loads((folder / "result.json").read_text()))
            pictures = pl.read_parquet(folder / "pictures.parquet", glob=False)
            if not {"picture", "way", *MEANS} <= set(pictures.columns):
                raise ValueError("its pictures.parquet has other columns")
            timed = folder / "timing.json"
            timing = _timing(json.loads(timed.read_text())) if timed.is_file() else None
        except FileNotFoundError as error:
            raise DataError(f"{folder} holds no finished evaluation: it lacks {Path(error.filename).name}") from error
        except (OSError, ValueError, TypeError, KeyError, RecursionError, pl.exceptions.PolarsError) as error:
            raise DataError(f"{folder} holds no evaluation that can be read: {error}") from error
        return cls(folder, about, pictures, timing)

    @property
    def ways(self) -> list[Way]:
        """What was compared."""
        return [Way.named(name) for name in self.about["ways"]]

    def rois(self) -> pl.DataFrame:
        """Read picture, way, left, top, psnr_y, psnr_rgb and ssim_y of each ROI."""
        return pl.read_parquet(self.folder / "rois.parquet", glob=False)

    def values(self, way: Way | str, key: str = "psnr_y") -> list[float]:
        """Give a number of each picture, in the data set's order."""
        return values(self.pictures, way, key)


def values(pictures: pl.DataFrame, way: Way | str, key: str) -> list[float]:
    """Give a number of each picture, in the data set's order; that of the mean over ROIs where none was stitched."""
    rows = pictures.filter(pl.col("way") == str(way))
    found = rows[key]
    if key in ("psnr_y", "psnr_rgb", "ssim_y") and found.is_nan().any():
        found = rows[f"roi_{key}"]
    return [float(v) for v in found]


def difference(one: list[float], other: list[float]) -> Interval:
    """Give the mean of `one` - `other`, picture by picture, and its bootstrap interval of 95 %: mean, low, high."""
    apart = np.subtract(one, other)
    if len(apart) < 2:
        return float(apart.mean()), None, None
    draws = np.random.default_rng(0).integers(0, len(apart), (RESAMPLES, len(apart)))
    low, high = np.quantile(apart[draws].mean(1), (0.025, 0.975))
    return float(apart.mean()), float(low), float(high)


class Run:
    """A run as far as it has come: each picture's rows are kept as soon as they are there, whole or not at all.

    To be used in a `with`: one process at a time.
    """

    def __init__(self, folder: Path, about: dict[str, Any]) -> None:
        """Begin or go on in `folder`; `DataError` if it holds another run."""
        self.folder, self._about = folder, about
        self._parts = folder / "parts"
        self.finished = False
        self._mine = json.loads(json.dumps({key: value for key, value in about.items() if key != "machine"}))
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = lock_folder(folder)
        try:
            self._begin()
        except DataError:
            self._lock.close()
            raise

    def _begin(self) -> None:
        """Look at what is there, and clean up behind a kill."""
        folder, mine = self.folder, self._mine
        for name in ("result.json", "run.json"):
            if (folder / name).is_file():
                theirs = _read(folder / name)
                differing = sorted(key for key in mine if theirs.get(key) != mine[key])
                if differing:
                    told = _apart(mine, theirs, differing)
                    raise DataError(f"{folder} holds another run: {told}; choose another folder")
                self.finished = name == "result.json"
                break
        else:
            if self._parts.exists():
                raise DataError(f"{self._parts} are of an unknown run; remove them or choose another folder")
            write_whole(folder / "run.json", _json(mine))
        for place in (folder, self._parts, folder / "examples"):
            remove_leftovers(place)
        if self.finished:
            self._tidy()

    def has(self, k: int) -> bool:
        """Tell whether picture k is done; of its two files the second one written says so."""
        return self._part(k, "pictures").is_file()

    def add(self, k: int, rois: pl.DataFrame, picture: pl.DataFrame) -> None:
        """Keep the rows of picture k."""
        write_whole(self._part(k, "rois"), _parquet(rois))
        write_whole(self._part(k, "pictures"), _parquet(picture))

    def rois(self) -> pl.DataFrame:
        """Give the rows of all ROIs so far."""
        return self._all("rois")

    def finish(self, examples: list[dict[str, Any]]) -> None:
        """Put the parts together; the folder is a result from now on."""
        pictures = self._all("pictures")
        names = pictures["picture"].unique(maintain_order=True).to_list()
        way_names = [str(name) for name in self._about["ways"]]
        means = {way: _means(pictures, way) for way in way_names}
        base = "halo" if "halo" in means else way_names[0]  # the baseline to beat
        psnr = {way: values(pictures, way, "psnr_y") for way in means}
        apart = {f"{way} - {base}": difference(psnr[way], psnr[base]) for way in means if way != base}
        differences = {key: [n if n is None else round(n, 4) for n in told] for key, told in apart.items()}
        about = self._about | {
            "strategies": means,
            "differences": differences,
            "pictures": names,
            "examples": examples,
        }
        write_whole(self.folder / "rois.parquet", _parquet(self._all("rois")))
        write_whole(self.folder / "pictures.parquet", _parquet(pictures))
        write_whole(self.folder / "result.json", _json(about))
        self._tidy()

    def _tidy(self) -> None:
        """Remove what only an unfinished run needs."""
        shutil.rmtree(self._parts, ignore_errors=True)
        for name in ("run.json", ".lock"):
            (self.folder / name).unlink(missing_ok=True)

    def __enter__(self) -> Self:
        """Give the run."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let another process go on."""
        self._lock.close()

    def _part(self, k: int, kind: str) -> Path:
        """Name a file of picture k."""
        return self._parts / f"{k:05d}-{kind}.parquet"

    def _all(self, kind: str) -> pl.DataFrame:
        """Read all parts of a kind."""
        return pl.concat([pl.read_parquet(path, glob=False) for path in sorted(self._parts.glob(f"*-{kind}.parquet"))])


def _means(pictures: pl.DataFrame, way: str) -> dict[str, float | None]:
    """Give the means over pictures; None where no picture was stitched."""
    rows = pictures.filter(pl.col("way") == way)
    means = {key: float(np.mean(rows[key].to_numpy())) for key in MEANS}
    seconds = float(rows["seconds"].to_numpy().sum() / rows["rois"].to_numpy().sum())
    return {key: None if np.isnan(v) else round(v, 5) for key, v in means.items()} | {"seconds_roi": round(seconds, 6)}


def _apart(mine: dict[str, Any], theirs: dict[str, Any], keys: list[str]) -> str:
    """Name what differs, down to the settings."""
    found = []
    for key in keys:
        one, other = mine[key], theirs.get(key)
        if isinstance(one, dict) and isinstance(other, dict):
            found += [f"{k} was {other.get(k)!r}, is {one.get(k)!r}" for k in one if one[k] != other.get(k)]
        else:
            found.append(f"{key} was {other!r}, is {one!r}")
    return "; ".join(f"{text[:120]}" for text in found[:3])


def _checked(about: object) -> dict[str, Any]:
    """Refuse a result.json whose values are not what a report reads; names go into files, so they must be names."""
    if not isinstance(about, dict):
        raise TypeError("its result.json is no object")
    protocol, strategies = about["protocol"], about["strategies"]
    for key, kind in (("data", str), ("degradation", str), ("lr", str), ("rois", str), ("crop", str), ("roi", int)):
        if not isinstance(protocol[key], kind):
            raise TypeError(f"its {key} is {protocol[key]!r}")
    for text in (protocol["data"], protocol["degradation"], about["checkpoint"]["name"]):
        if not NETWORK_NAME.fullmatch(str(text)):
            raise ValueError(f"{text!r} is no name")
    ModelConfig.from_dict(about["model"])
    if not isinstance(strategies, dict) or set(map(str, map(Way.named, about["ways"]))) != strategies.keys():
        raise ValueError("its ways and strategies differ")
    for way, numbers in strategies.items():
        if not all(numbers[key] is None or isinstance(numbers[key], int | float) for key in MEANS):
            raise TypeError(f"the numbers of {way} are none")
    if not all(isinstance(about[key], dict) for key in ("recipe", "machine")) or not isinstance(protocol["scale"], int):
        raise TypeError("its recipe, machine or scale is none")
    for one in about["examples"]:
        if (
            not NETWORK_NAME.fullmatch(one["name"])
            or len(one["box"]) != 4
            or not isinstance(one["difference"], int | float)
        ):
            raise ValueError(f"{one!r} is no example")
        if not all(isinstance(text, str) for text in (one["kind"], one["against"], one["picture"], *one["panels"])):
            raise TypeError(f"{one!r} is no example")
    if not all(isinstance(name, str) for name in about["pictures"]):
        raise TypeError("its pictures have no names")
    return about


def _timing(found: object) -> dict[str, Any]:
    """Refuse a timing.json that is none."""
    keys = {"strategy": str, "size": str, "first": float, "later": float, "peak_mb": int}
    if not isinstance(found, dict) or not all(isinstance(found[key], str) for key in ("machine", "precision")):
        raise TypeError("its timing.json is none")
    if not all(isinstance(row[key], kind | int) for row in found["rows"] for key, kind in keys.items()):
        raise TypeError("its timing.json holds no seconds")
    return found


def _read(path: Path) -> dict[str, Any]:
    """Read a JSON object; `DataError` for what is none."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise DataError(f"{path} is no run's")
    return found


def _json(value: dict[str, Any]) -> bytes:
    """Write JSON as people read it."""
    return (json.dumps(value, indent=2) + "\n").encode()


def _parquet(rows: pl.DataFrame) -> bytes:
    """Write a table as the bytes of a Parquet file."""
    file = io.BytesIO()
    rows.write_parquet(file)
    return file.getvalue()
