"""Jobs: a picture and what is asked of it; what the outputs are called."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from string import Formatter
from typing import NamedTuple

from localsr.errors import BoxError, ConfigError
from localsr.images import FORMATS, Photo
from localsr.regions import Found, RegionRequest

LAYOUT = "{stem}-{left}-{top}-{width}x{height}-x{scale}-{key}.png"
FIELDS = ("key", "folder", "stem", "label", "n", "left", "top", "width", "height", "scale")
NAME = 80  # bytes of a word that comes from a picture or a label; file systems take 255 in all
KEY = 16  # hexadecimal digits of a key: among a million outputs two are alike once in 40 million runs


class Job(NamedTuple):
    """A picture to be looked at once."""

    picture: str  # path or URL
    regions: RegionRequest
    wrong: str = ""  # why its regions cannot be told

    def found(self, photo: Photo) -> list[Found]:
        """Give the regions; `BoxError` if they cannot be told or cannot be of this picture."""
        if self.wrong:
            raise BoxError(self.wrong)
        return list(self.regions.find(photo))


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
    detectors: tuple[tuple[str, str], ...] = ()  # those that are files, and their sha256

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
        files = "".join(f" {sha256}" for name, sha256 in self.detectors if name in job.regions.detect)
        asked = str(job.regions).removeprefix("RegionRequest")  # tables of before know it under its former name
        asked = f"Regions{asked} {self.made_by} {self.layout}{files}"
        return hashlib.sha256(asked.encode(errors="surrogatepass")).hexdigest()[:KEY]


def word(given: str, otherwise: str) -> str:
    """Make a word that every file system takes and no shell trips over."""
    made = re.sub(r"[^\w.-]+", "_", given.encode(errors="replace").decode()).strip("._-")
    return made.encode()[:NAME].decode(errors="ignore") or otherwise
