"""What the service and its workers say to each other: structs with a tag, each a line of JSON."""

from __future__ import annotations

import json
from typing import Any, TypeAlias

from msgspec import Struct, convert, to_builtins

from localsr.conditions import Adjustment
from localsr.geometry import Box
from localsr.images import Saving

MOMENT_SIGN = "~"  # between a clip's id and the seconds of a moment of it
Sides: TypeAlias = tuple[int, int, int, int]  # left, top, right, bottom as they were asked for; a worker checks them


class WorkerSettings(Struct, frozen=True, tag="settings"):
    """What a worker starts with: its first message."""

    networks: tuple[str, ...]  # names or paths; none for those that the package offers
    runtime: str
    precision: str  # as `localsr.load` takes it
    memory: int  # MiB of decoded pictures and scenes
    megapixels: int  # of an uploaded picture
    output: int  # megapixels of one answer


class PictureFile(Struct, frozen=True):
    """A picture on disk."""

    id: str
    path: str
    name: str  # as the client calls it: what errors say instead of the path
    any_size: bool  # the picture that `localsr view` was started on has no limit
    tolerant: bool = False  # read a damaged one as far as it goes
    at: float | None = None  # of a clip, the moment in seconds


class PictureTask(Struct, frozen=True):
    """What all tasks say: which picture they are about, and by which id the log knows the request."""

    picture: PictureFile
    request: str


class OpenTask(PictureTask, frozen=True, tag="open"):
    """Read the header of a picture: `PictureFacts`."""


class TileTask(PictureTask, frozen=True, tag="tile"):
    """Cut a tile of the Deep Zoom pyramid, as JPEG."""

    level: int
    column: int
    row: int


class NetworkTask(PictureTask, frozen=True):
    """What tasks say that a network is for: boxes, which network, and how large results are."""

    boxes: list[Sides]
    network: str | None
    scale: float | None  # as `Scene.sized` takes both
    size: str | None


class WritingTask(NetworkTask, frozen=True):
    """What tasks say that make files of restored boxes."""

    strategy: str | None
    format: str
    saving: Saving
    adjustment: Adjustment


class RestoreTask(WritingTask, frozen=True, tag="restore"):
    """Restore boxes, to one picture or to a zip of several: `RestorationFacts`."""

    frames: int = 1  # of a clip: from how many frames a region may be made


class StripTask(NetworkTask, frozen=True, tag="strip"):
    """Show what the frames around a moment of a clip show of a box, the only one: a list of `FrameFacts`."""

    frames: int


class BicubicTask(PictureTask, frozen=True, tag="bicubic"):
    """Enlarge a box by bicubic, as PNG."""

    box: Sides
    scale: float


class CostTask(NetworkTask, frozen=True, tag="cost"):
    """Estimate the cost of boxes: a `StrategyCost` by strategy."""


class AttentionTask(NetworkTask, frozen=True, tag="attention"):
    """Find what a box, the only one, draws on: `AttentionFacts`."""


class PasteTask(WritingTask, frozen=True, tag="paste"):
    """Restore boxes and put them back into the picture: `PasteFacts`."""

    feather: int
    same_size: bool


class ConditionsTask(NetworkTask, frozen=True, tag="conditions"):
    """Measure how the picture was degraded, without boxes: `ConditionFacts`."""


WorkerTask: TypeAlias = (
    OpenTask | TileTask | RestoreTask | StripTask | BicubicTask | CostTask | AttentionTask | PasteTask | ConditionsTask
)


class Job(Struct, frozen=True, tag="job"):
    """A task that a worker is given, with a number and an empty folder for its files."""

    number: int
    folder: str
    task: WorkerTask


class CancelJob(Struct, frozen=True, tag="cancel"):
    """Nobody waits for a job any more."""

    number: int


class ForgetPicture(Struct, frozen=True, tag="forget"):
    """A picture is gone and is to be closed."""

    picture: str  # its id


class TilePyramid(Struct, frozen=True):
    """The Deep Zoom pyramid of a picture."""

    size: int  # pixels of a tile's side
    levels: int


class ClipSpan(Struct, frozen=True):
    """How long a clip is."""

    seconds: float
    rate: float  # frames a second, on average


class PictureFacts(Struct, frozen=True):
    """What the header of a picture says, of a clip with its first frame."""

    width: int
    height: int
    depth: int  # bits
    alpha: bool
    tiles: TilePyramid
    notes: tuple[str, ...] = ()  # what is odd with its file
    clip: ClipSpan | None = None


class RestorationFacts(Struct, frozen=True):
    """How a box was restored; for several, the first box with the seconds and GFLOPs of all."""

    box: Box
    scale: int | float
    strategy: str
    network: str
    seconds: float
    gflops: float
    precision: str = "fp32"  # that its pixels were computed in; services of earlier versions have this one
    frames: int = 1  # that it was made from


class FrameFacts(Struct, frozen=True):
    """What a frame beside a moment of a clip brings to a box."""

    name: str
    used: bool
    reason: str  # why it is not used
    correlation: float
    motion: tuple[float, float]  # of the region against the moment's frame, in px
    picture: str  # what it shows of the box, a data URL; empty for one that is not used


class PasteFacts(Struct, frozen=True):
    """How a picture with restored boxes was made."""

    scale: int | float
    strategy: str
    precision: str


class StrategyCost(Struct, frozen=True):
    """What boxes cost by one strategy, the scene counted with them."""

    gflops: float
    seconds: float
    megabytes: float


class PatchShare(Struct, frozen=True):
    """A sampled patch, its share of a box's attention, and the radius in LR px of the ring that shows it."""

    left: int
    top: int
    right: int
    bottom: int
    weight: float
    radius: float


class AttentionFacts(Struct, frozen=True):
    """Where the context of a box came from."""

    box: Box
    patches: list[PatchShare]


class ConditionFacts(Struct, frozen=True):
    """How a picture was degraded, as measured; the `denoise` and `deblur` that stand for it, and all in words."""

    noise: float
    blur: float
    compression: float
    denoise: float
    deblur: float
    described: str


class OfferedNetwork(Struct, frozen=True):
    """A network that a worker has loaded."""

    name: str
    scale: int
    strategies: list[str]
    default: bool
    description: str
    default_strategy: str
    attention: bool  # whether it has a global context module, of which `AttentionTask` asks
    conditioned: bool = False  # whether it can be told how much to denoise and to deblur; earlier services have none


class WorkerReady(Struct, frozen=True, tag="ready"):
    """A worker has loaded its networks."""

    networks: list[OfferedNetwork]


class WorkerRefused(Struct, frozen=True, tag="refused"):
    """A worker cannot start with its settings, nor could another."""

    error: str


class JobDone(Struct, frozen=True, tag="done"):
    """A job is done; `result` holds the facts that its task names, as JSON has them."""

    number: int
    result: Any


class JobFailed(Struct, frozen=True, tag="failed"):
    """A job cannot be done: a sentence without a path of this machine, and the class of the error."""

    number: int
    error: str
    kind: str


ToWorker: TypeAlias = WorkerSettings | Job | CancelJob | ForgetPicture
FromWorker: TypeAlias = WorkerReady | WorkerRefused | JobDone | JobFailed


def encode_message(message: ToWorker | FromWorker) -> bytes:
    """Return a message as a line of JSON; escapes keep paths whole that are not UTF-8, which msgspec would refuse."""
    return json.dumps(to_builtins(message)).encode() + b"\n"


def decode_for_worker(line: bytes) -> ToWorker:
    """Return what a line says to a worker; `ValueError` for anything else."""
    message: ToWorker = convert(json.loads(line), ToWorker)
    return message


def decode_from_worker(line: bytes) -> FromWorker:
    """Return what a line says from a worker; `ValueError` for anything else."""
    message: FromWorker = convert(json.loads(line), FromWorker)
    return message
