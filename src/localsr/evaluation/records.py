"""What a result's JSON files hold, as typed values: the settings of a run, its numbers, seconds and memory.

Keys that are not known are passed over; `UNSET` stands for one that results of an earlier version lack.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from localsr.evaluation.methods import Method
from localsr.models.card import NETWORK_NAME
from localsr.models.config import ModelConfig

MAX_JSON_BYTES = 2**26  # of a result's file; one of 100 pictures with their degradations has 35 KB
FileName = Annotated[str, msgspec.Meta(pattern=rf"^(?:{NETWORK_NAME.pattern})\Z")]  # the report's files are called so

Record = TypeVar("Record", bound=msgspec.Struct)


class Interval(NamedTuple):
    """A mean difference and its bootstrap interval of 95 %; of one picture alone there is none."""

    mean: float
    low: float | None
    high: float | None

    def __str__(self) -> str:
        """Return all three, and say so if it holds 0, which is a tie."""
        if self.low is None or self.high is None:
            return f"{self.mean:+.3f} (of one picture: no interval)"
        text = f"{self.mean:+.3f} ({self.low:+.3f} to {self.high:+.3f})"
        return f"{text}, a tie" if self.low <= 0 <= self.high else text


class Protocol(msgspec.Struct, frozen=True, kw_only=True):
    """How was measured: all that the numbers depend on besides the network and the pictures."""

    data: FileName
    pictures: int | UnsetType = UNSET
    scale: int
    degradation: FileName  # one of DEGRADATIONS
    lr: str  # "published" or "made by localsr"
    roi: int  # side in LR px
    rois: str  # "all", or how many of a picture
    crop: str
    border: int | UnsetType = UNSET  # px cropped before comparing
    levels: str | UnsetType = UNSET
    precision: str | UnsetType = UNSET
    localsr: str | UnsetType = UNSET  # versions
    torch: str | UnsetType = UNSET
    runtime: str | UnsetType = UNSET  # if it was not torch
    degradations: list[dict[str, Any]] | UnsetType = UNSET  # of each picture, `Degradation.to_dict`
    against: FileName | UnsetType = UNSET  # "full": what is compared with, where that is not HR


class CheckpointNote(msgspec.Struct, frozen=True):
    """Which network was measured."""

    name: FileName
    sha256: str
    plain: dict[str, str] = {}  # its plain twin


class MethodMeans(msgspec.Struct, frozen=True):
    """Means over pictures by one method; None where no picture was stitched, or one is too small for SSIM."""

    psnr_y: float | None
    psnr_rgb: float | None
    ssim_y: float | None
    roi_psnr_y: float | None
    roi_psnr_rgb: float | None
    roi_ssim_y: float | None
    gflops_roi: float
    gflops_first_roi: float
    seconds_roi: float | None = None


class Example(msgspec.Struct, frozen=True):
    """An ROI where context gained or lost much; its pixels are in `examples/NAME.png`."""

    name: FileName
    kind: str  # "gain" or "loss"
    against: str  # the method compared with
    picture: str
    box: tuple[int, int, int, int]  # left, top, right, bottom in LR px
    difference: float  # of PSNR Y in dB
    panels: list[str]  # from left to right


class RoiRow(NamedTuple):
    """A row of `rois.parquet`: an ROI by a method."""

    picture: str
    way: str  # the method
    left: int  # LR px
    top: int
    psnr_y: float
    psnr_rgb: float
    ssim_y: float


class PictureRow(NamedTuple):
    """A row of `pictures.parquet`: a picture by a method; NaN where it was not stitched, or is too small for SSIM."""

    picture: str
    way: str  # the method
    psnr_y: float
    psnr_rgb: float
    ssim_y: float
    roi_psnr_y: float  # means over its ROIs
    roi_psnr_rgb: float
    roi_ssim_y: float
    rois: int
    seconds: float
    gflops_roi: float
    gflops_first_roi: float


class EvaluationSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a run is, before it has any numbers."""

    protocol: Protocol
    checkpoint: CheckpointNote
    files: str = ""  # `Benchmark.digest`
    model: dict[str, Any]  # `ModelConfig.to_dict`
    recipe: dict[str, Any]
    methods: list[str] = msgspec.field(name="ways")
    machine: dict[str, Any]

    def __post_init__(self) -> None:
        """Refuse what is no network or no method."""
        ModelConfig.from_dict(self.model)
        for name in self.methods:
            Method.named(name)


class ResultRecord(EvaluationSettings, frozen=True, kw_only=True):
    """A finished run: `result.json`."""

    means: dict[str, MethodMeans] = msgspec.field(name="strategies")
    differences: dict[str, Interval] = {}
    pictures: list[str]
    examples: list[Example]

    def __post_init__(self) -> None:
        """Refuse numbers of other methods than those that were compared."""
        super().__post_init__()
        if set(self.methods) != self.means.keys():
            raise ValueError("its ways and strategies differ")


class TimingRow(msgspec.Struct, frozen=True):
    """Seconds and memory of one strategy on pictures of one size."""

    strategy: str
    picture: str
    size: str
    first: float  # seconds of a picture's first ROI, with its scene
    later: float
    peak_mb: int


class Timing(msgspec.Struct, frozen=True):
    """What a region takes on one machine: `timing.json`."""

    machine: str
    precision: str
    rows: list[TimingRow]


def read_record(path: Path, kind: type[Record]) -> Record:
    """Read a record from JSON; `OSError`, `ValueError` or `MsgspecError` for what is none."""
    if (size := path.stat().st_size) > MAX_JSON_BYTES:
        raise ValueError(f"{path.name} has {size} bytes, more than the {MAX_JSON_BYTES} of any result")
    return msgspec.json.decode(path.read_bytes(), type=kind)


def plain_values(record: msgspec.Struct) -> dict[str, Any]:
    """Return a record as JSON's values under the keys of its file."""
    values: dict[str, Any] = msgspec.to_builtins(record)
    return values


def json_bytes(values: dict[str, Any]) -> bytes:
    """Return JSON as people read it."""
    return (json.dumps(values, indent=2) + "\n").encode()
