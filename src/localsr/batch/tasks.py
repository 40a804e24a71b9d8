"""Tasks: a picture and what is asked of it; what the outputs are called."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from string import Formatter
from typing import NamedTuple

from localsr.conditions import Adjustment
from localsr.errors import BoxError, ConfigError
from localsr.frames.moments import split_moment
from localsr.geometry import Enlargement
from localsr.images import FORMATS, Photo, Saving, check_quality
from localsr.regions import Found, RefusedRegion, RegionRequest

LAYOUT = "{stem}-{left}-{top}-{width}x{height}-x{scale}-{key}.png"
LAYOUT_FIELDS = ("key", "folder", "stem", "label", "n", "left", "top", "width", "height", "scale")
MAX_WORD_BYTES = 80  # of a word that comes from a picture or a label; file systems take 255 in all
KEY_DIGITS = 16  # hexadecimal; among a million outputs two keys are equal once in 40 million runs


class Task(NamedTuple):
    """A picture to be looked at once."""

    picture: str  # path or URL, of a clip with its moment: clip.mp4#t=12.4
    request: RegionRequest
    problem: str = ""  # why it is not known which regions are meant

    @property
    def file(self) -> str:
        """The file that the picture is in: without the moment, for one of a clip."""
        return split_moment(self.picture)[0]

    @property
    def moment(self) -> float | None:
        """The moment of a clip, in seconds; None for a picture."""
        return split_moment(self.picture)[1]

    def sift_regions(self, photo: Photo) -> tuple[tuple[Found, ...], tuple[RefusedRegion, ...]]:
        """Return the regions, and those that cannot be of this picture; `BoxError` if they are not known."""
        if self.problem:
            raise BoxError(self.problem)
        return self.request.sift(photo)


@dataclass(frozen=True, slots=True)
class Setup:
    """What outputs follow from besides the picture and its regions, and where they go; every worker has it."""

    folder: str  # path or URL
    layout: str = LAYOUT
    model: str | None = None  # name or path, the same on every machine
    sha256: str = ""  # of the network that must be found there
    name: str = ""  # of the network
    scale: float = 4  # of the results; of the network where a size is asked for
    size: str = ""  # of the results, where it is asked for: `1200x`
    strategy: str = "clsr"
    precision: str = "fp32"
    device: str = "cpu"
    runtime: str = "torch"  # or "onnx"
    max_memory: int | None = None  # MB of a worker
    detectors: tuple[tuple[str, str], ...] = ()  # those that are files, and their sha256
    tolerant: bool = False  # read damaged pictures as far as they go
    saving: Saving = Saving()  # noqa: RUF009  # frozen
    adjustment: Adjustment = Adjustment()  # noqa: RUF009  # frozen
    frames: int | None = None  # from how many frames of a clip a region may be made; 9 without it

    def __post_init__(self) -> None:
        """Refuse a layout that names no file, or not one of its own for each result."""
        try:
            parsed = list(Formatter().parse(self.layout))
        except ValueError as error:
            raise ConfigError(f"layout {self.layout!r} is none: {error}") from error
        fields = [field for _, field, _, _ in parsed if field is not None]
        if unknown := [field for field in fields if field not in LAYOUT_FIELDS]:
            raise ConfigError(f"layout {self.layout!r} has {{{unknown[0]}}}; choose from {', '.join(LAYOUT_FIELDS)}")
        if "key" not in fields or any(form or conversion for _, _, form, conversion in parsed):
            raise ConfigError(
                f"layout {self.layout!r} must have {{key}} in it, which follows from picture, region, network and "
                "options, so that a name that is there is a result that is there"
            )
        path = PurePosixPath(self.layout)
        if path.is_absolute() or ".." in path.parts or path.suffix.lower() not in FORMATS:
            raise ConfigError(f"layout {self.layout!r} must be a path within OUT that ends in {', '.join(FORMATS)}")
        check_quality(FORMATS[path.suffix.lower()], self.saving.quality)

    @property
    def enlargement(self) -> Enlargement:
        """How large results are."""
        return Enlargement.to_size(self.size) if self.size else Enlargement(self.scale)

    @property
    def made_by(self) -> str:
        """What all outputs follow from besides picture and region, in one line."""
        runtime = "" if self.runtime == "torch" else f" {self.runtime}"  # sums in another order: other last bits
        saving = "" if self.saving == Saving() else f" {self.saving}"
        tolerant = " tolerant" if self.tolerant else ""
        size = f" to {self.size}" if self.size else ""
        adjustment = "" if self.adjustment == Adjustment() else f" {self.adjustment}"
        how = f"{self.precision}{runtime}{saving}{tolerant}{adjustment}"
        return f"{self.sha256} x{self.scale}{size} {self.strategy} {how}"

    def output_names(self, picture: str, content: str, found: Sequence[Found]) -> list[str]:
        """Name the outputs of a picture whose file has the sha256 `content`, relative to the folder."""
        (place, moment), names = split_moment(picture), []
        path, shown = PurePosixPath(place), "" if moment is None else f"-{moment:.3f}s"
        if moment is not None:
            content = f"{content} {moment} {self.frames}"
        for n, one in enumerate(found, start=1):
            box = one.box
            made = f"{content} {box.left} {box.top} {box.right} {box.bottom} {self.made_by}"
            words = {
                "key": hashlib.sha256(made.encode()).hexdigest()[:KEY_DIGITS],
                "folder": safe_word(path.parent.name, "folder"),
                "stem": safe_word(f"{path.stem}{shown}", "picture"),
                "label": safe_word(one.label, "region"),
            }
            numbers = {"n": n, "left": box.left, "top": box.top, "width": box.width, "height": box.height}
            names.append(self.layout.format(**words, **numbers, scale=f"{self.enlargement.factor(box.size):.4g}"))
        return names

    def digest(self, task: Task) -> str:
        """Return a digest of all that is asked of a picture, its content aside; tables keep it as `ask`."""
        request = str(task.request).removeprefix("RegionRequest")  # earlier tables know it under its former name
        files = "".join(f" {sha256}" for name, sha256 in self.detectors if name in task.request.detect)
        frames = "" if task.moment is None else f" {self.frames}"
        asked = f"Regions{request} {self.made_by} {self.layout}{files}{frames}"
        return hashlib.sha256(asked.encode(errors="surrogatepass")).hexdigest()[:KEY_DIGITS]


def safe_word(given: str, otherwise: str) -> str:
    """Make a word that every file system takes and no shell trips over."""
    made = re.sub(r"[^\w.-]+", "_", given.encode(errors="replace").decode()).strip("._-")
    return made.encode()[:MAX_WORD_BYTES].decode(errors="ignore") or otherwise
