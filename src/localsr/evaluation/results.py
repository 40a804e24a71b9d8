"""A finished result on disk, and what is computed of several.

- `result.json`: the protocol, the checkpoint, the machine, the means of each method and their differences
- `pictures.parquet`, `rois.parquet`: a row for each picture and method, and for each ROI and method
- `timing.json`: seconds and memory of each strategy by picture size, if they were asked for
- `examples/`: regions where context gained and lost most, as pictures
- `run.json`, `parts/`: of an unfinished run; a pair of files for each picture
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import numpy as np

from localsr.errors import DataError
from localsr.evaluation.methods import Method
from localsr.evaluation.records import (
    Interval,
    MethodMeans,
    PictureRow,
    ResultRecord,
    RoiRow,
    Timing,
    read_record,
)
from localsr.models.config import ModelConfig
from localsr.parquet import read_rows

RESAMPLES = 10_000
MEANS = tuple(key for key in MethodMeans.__struct_fields__ if key != "seconds_roi")  # columns of pictures.parquet


class Setting(NamedTuple):
    """What two results must share to stand in one table."""

    scale: int
    degradation: str
    roi: int
    against: str = ""  # what is compared with, where that is not HR

    def __str__(self) -> str:
        """Return a title such as `x4, ROI 24 x 24, LR by bicubic`."""
        made = "LR by bicubic" if self.degradation == "bicubic" else "LR as photos (blur, noise, JPEG)"
        against = f", against its own `{self.against}`" if self.against else ""
        return f"x{self.scale}, ROI {self.roi} x {self.roi}, {made}{against}"

    @property
    def file(self) -> str:
        """How names of files end that are of it."""
        return f"x{self.scale}-{self.degradation}-roi{self.roi}{'-to-' if self.against else ''}{self.against}"


@dataclass(frozen=True)
class Result:
    """A finished run."""

    folder: Path
    record: ResultRecord
    pictures: list[PictureRow]
    timing: Timing | None

    @classmethod
    def read(cls, folder: Path) -> Result:
        """Read a folder that `evaluate` wrote.

        Raises:
            DataError: `evaluate` did not write it, or did not finish.
        """
        try:
            record = read_record(folder / "result.json", ResultRecord)
            table = folder / "pictures.parquet"
            pictures = read_rows(table.read_bytes(), str(table), PictureRow)
            timed = folder / "timing.json"
            timing = read_record(timed, Timing) if timed.is_file() else None
        except FileNotFoundError as error:
            raise DataError(f"{folder} holds no finished evaluation: it lacks {Path(error.filename).name}") from error
        except (OSError, ValueError, RecursionError) as error:
            raise DataError(f"{folder} holds no evaluation that can be read: {error}") from error
        return cls(folder, record, pictures, timing)

    @property
    def methods(self) -> list[Method]:
        """What was compared."""
        return [Method.named(name) for name in self.record.methods]

    @property
    def network(self) -> str:
        """The name of the network."""
        return self.record.checkpoint.name

    @property
    def config(self) -> ModelConfig:
        """The config of the network."""
        return ModelConfig.from_dict(self.record.model)

    @property
    def data(self) -> str:
        """The name of the data set."""
        return self.record.protocol.data

    @property
    def setting(self) -> Setting:
        """What results must share to stand in one table with this one."""
        protocol = self.record.protocol
        return Setting(protocol.scale, protocol.degradation, protocol.roi, protocol.against or "")

    @property
    def pairing(self) -> tuple[str | int, ...]:
        """What results must share for their pictures to be compared one by one, besides the pictures' names."""
        protocol = self.record.protocol
        return protocol.data, *self.setting, protocol.lr, protocol.rois, protocol.crop

    def pairs_with(self, other: Result) -> bool:
        """Tell whether another result is of the same pictures, cropped and reduced the same way."""
        return self.record.pictures == other.record.pictures and self.pairing == other.pairing

    def rois(self) -> list[RoiRow]:
        """Read the numbers of each ROI."""
        table = self.folder / "rois.parquet"
        return read_rows(table.read_bytes(), str(table), RoiRow)

    def values(self, method: Method | str, key: str = "psnr_y") -> list[float]:
        """Return a number of each picture; see `picture_values`."""
        return picture_values(self.pictures, method, key)

    def psnr(self, method: Method) -> float:
        """Return the mean PSNR Y in dB: of stitched pictures, or of ROIs where pictures were only sampled."""
        return fmean(self.values(method))


def picture_values(pictures: Sequence[PictureRow], method: Method | str, key: str) -> list[float]:
    """Return a number of each picture, in the data set's order; the mean over its ROIs where it was not stitched."""
    rows = [row for row in pictures if row.way == str(method)]
    found = [getattr(row, key) for row in rows]
    if key in ("psnr_y", "psnr_rgb", "ssim_y") and any(map(math.isnan, found)):
        found = [getattr(row, f"roi_{key}") for row in rows]
    return [float(value) for value in found]


def paired_difference(one: list[float], other: list[float]) -> Interval:
    """Return the mean of `one` - `other`, picture by picture, with its bootstrap interval of 95 %."""
    apart = np.subtract(one, other)
    if len(apart) < 2:
        return Interval(float(apart.mean()), None, None)
    draws = np.random.default_rng(0).integers(0, len(apart), (RESAMPLES, len(apart)))
    low, high = np.quantile(apart[draws].mean(1), (0.025, 0.975))
    return Interval(float(apart.mean()), float(low), float(high))
