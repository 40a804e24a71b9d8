"""A recipe: everything that decides what comes out of a training run, as one frozen value read from TOML."""

from __future__ import annotations

import dataclasses
import json
import math
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localsr.data.degradation import DEGRADATIONS
from localsr.data.pairs import MAX_BROKEN
from localsr.errors import ConfigError
from localsr.models.card import checked_name
from localsr.models.config import ModelConfig, refuse_unknown
from localsr.models.presets import PRESETS

OPTIMIZERS = ("adam", "muon")
TARGETS = ("hr", "whole")
LOSSES = ("l1", "rms")
PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")  # as lightning names them


@dataclass(frozen=True)
class Recipe:
    """One training run (Sec. 3.5, 4.1). A recipe file says only what differs from these defaults."""

    name: str  # of the checkpoint that comes out
    folders: tuple[str, ...]  # HR pictures, relative to where the command runs
    model: ModelConfig = field(default_factory=ModelConfig)
    lr_folders: tuple[str, ...] = ()  # LR of the same names, one for each of `folders`; () makes LR of HR
    shares: tuple[float, ...] = ()  # of the samples, one for each of `folders`; () is in proportion to their pixels
    teachers: tuple[str, ...] = ()  # files of other networks, whose mean output is blended into HR
    teacher_shares: tuple[float, ...] = ()  # of the teachers in the target, one for each of `folders`
    max_broken: float = MAX_BROKEN  # share of the pictures that may be unreadable
    init: str = ""  # a network, by name or path, whose backbone this run starts from; "" is random
    freeze: bool = False  # keep that backbone as it is: GCM and PIM, or cells, are trained around it
    target: str = "hr"  # one of TARGETS; "whole" is what `init` makes of all of the context, and the pictures are LR
    blend: str = ""  # a network, by name or path, whose backbone is mixed into the trained one; "" is none
    blend_share: float = 0.15  # of it
    degradation: str = "bicubic"  # how LR is made of HR: one of DEGRADATIONS
    validation: str = ""  # a data set, HR/ and perhaps LR_x4/, degraded as "photo" unless by bicubic; "" is none
    context: int = 48  # side of the LR window that plays the whole picture
    roi: tuple[int, int] = (48, 48)  # smallest and largest side of the ROI in LR px, drawn anew each step
    centred: bool = False  # the ROI in the middle of the context, as in the paper; else anywhere in it
    steps: int = 200_000
    batch: int = 16
    optimizer: str = "adam"  # one of OPTIMIZERS
    lr: float = 1e-4  # the optimizer's, at its peak; cosine to zero (Sec. 4.1) unless there is a decay
    warmup: int = 0  # steps of linear rise
    decay: int = 0  # last steps, in which the rate falls to zero after it stayed at its peak; 0 is the cosine
    loss: str = "l1"  # one of LOSSES: what Eq. 7 takes of the differences
    context_loss: tuple[float, float] = (0.5, 0.0)  # lambda of Eq. 7 at the first and the last step, linear between
    ema: float = 0.999  # decay of the averaged weights, which are the ones kept; lower in the first steps
    clip: float = 1.0  # of the gradient's norm
    precision: str = "32-true"  # one of PRECISIONS
    compile: bool = False  # by torch.compile, which takes a minute for each side of ROI
    half: bool = False  # keep the trained weights as 16-bit floats: half the file
    validate_every: int = 1000  # steps
    data: str = ""  # what the pictures are and their licences, for the card
    limits: str = ""  # what the network does not do well, for the card
    save_every: int = 250  # steps; at 2 steps a second a kill costs two minutes
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be trained."""
        for field_ in dataclasses.fields(self):
            value, kind = getattr(self, field_.name), type(field_.default)
            if kind in (int, float, bool, str) and type(value) is not kind:
                raise ConfigError(f"{field_.name} = {value!r} must be of type {kind.__name__}")
        if type(self.name) is not str:
            raise ConfigError(f"name = {self.name!r} must be of type str")
        checked_name(self.name)
        lists = {"folders": str, "lr_folders": str, "shares": float, "teachers": str, "teacher_shares": float}
        for name, kind in (lists | {"roi": int, "context_loss": float}).items():
            value = getattr(self, name)
            if type(value) is not tuple or any(type(part) is not kind for part in value):
                raise ConfigError(f"{name} = {value!r} must be a list of type {kind.__name__}")
        if len(self.roi) != 2 or len(self.context_loss) != 2 or min(self.context_loss) < 0:
            raise ConfigError("roi and context_loss must be two numbers each, and no loss below 0")
        if not 0 <= self.seed < 2**32:
            raise ConfigError(f"seed {self.seed} must be between 0 and {2**32 - 1}")
        if self.precision not in PRECISIONS:
            raise ConfigError(f"precision {self.precision!r} is not one of {', '.join(PRECISIONS)}")
        if self.optimizer not in OPTIMIZERS:
            raise ConfigError(f"optimizer {self.optimizer!r} is not one of {', '.join(OPTIMIZERS)}")
        if self.loss not in LOSSES:
            raise ConfigError(f"loss {self.loss!r} is not one of {', '.join(LOSSES)}")
        if self.target not in TARGETS:
            raise ConfigError(f"target {self.target!r} is not one of {', '.join(TARGETS)}")
        if self.freeze and (not self.init or (self.model.plain and not self.model.cells)):
            raise ConfigError("freeze needs a backbone, init, and what is trained around it: model.gcm, pim or cells")
        if self.target == "whole" and (not self.init or self.model.plain):
            raise ConfigError('target = "whole" needs a backbone, init, and context: model.gcm or model.pim')
        if self.model.cells != (self.degradation == "bursts"):
            raise ConfigError('cells are trained on bursts: model.cells = true and degradation = "bursts", or neither')
        if self.compile and not self.model.plain:  # torch 2.13 mistakes the layout of the PIM's padding's gradient
            raise ConfigError("compile takes a plain network: leave it out, or model.gcm and model.pim")
        if self.validation and self.degradation == "bursts":
            raise ConfigError("a validation has one frame of a picture, and bursts are several: leave validation out")
        if self.target == "whole" and (self.lr_folders or self.teachers or self.degradation != "bicubic"):
            raise ConfigError('the pictures of target = "whole" are LR: leave lr_folders, teachers and degradation out')
        if self.degradation not in DEGRADATIONS:
            raise ConfigError(f"degradation {self.degradation!r} is not one of {', '.join(DEGRADATIONS)}")
        if not self.folders:
            raise ConfigError("the recipe names no folders to train on")
        if not 1 <= self.roi[0] <= self.roi[1] <= self.context:
            raise ConfigError(f"roi {self.roi} must be two rising sides within the context of {self.context} LR px")
        if self.lr_folders and (len(self.lr_folders) != len(self.folders) or self.degradation != "bicubic"):
            raise ConfigError("lr_folders must be one for each of folders, and leave no degradation to be made")
        if len(self.shares) not in (0, len(self.folders)) or not all(0 < share < math.inf for share in self.shares):
            raise ConfigError(f"shares {self.shares} must be numbers above 0, one for each of folders")
        needed = len(self.folders) if self.teachers else 0
        if len(self.teacher_shares) != needed or not all(0 <= share <= 1 for share in self.teacher_shares):
            raise ConfigError(f"teacher_shares {self.teacher_shares} must be in [0, 1], one for each of folders")
        for name in ("steps", "batch", "validate_every", "save_every"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} = {getattr(self, name)} must be at least 1")
        floats = (self.lr, self.ema, self.clip, self.max_broken, *self.context_loss)
        if not all(math.isfinite(number) for number in floats) or self.clip <= 0:
            raise ConfigError("lr, ema, clip, max_broken and context_loss must be finite numbers, and clip above 0")
        if not 0 <= self.blend_share <= 1:
            raise ConfigError(f"blend_share {self.blend_share} must be in [0, 1]")
        if not (self.lr > 0 and 0 <= self.ema < 1 and 0 <= self.warmup < self.steps and 0 <= self.max_broken <= 1):
            raise ConfigError("lr must be above 0, ema in [0, 1), max_broken in [0, 1] and warmup below steps")
        if not 0 <= self.decay <= self.steps - self.warmup:
            raise ConfigError(f"a decay of {self.decay} steps must fit into {self.steps} steps after the warmup")

    @classmethod
    def read(cls, path: Path, settings: Sequence[str] = ()) -> Recipe:
        """Read a TOML file, `key=value` settings over it; unknown keys are refused, the nearest known one named.

        `like` names another recipe, as seen from this one, whose settings hold where this one has none.
        """
        values = _read_table(path)
        if (like := values.pop("like", None)) is not None:
            values = _like(path, like, values)
        for setting in settings:
            _set(values, setting)
        return cls.from_dict(values)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Recipe:
        """Build from TOML's tables."""
        refuse_unknown(values, cls, "recipe key")
        if missing := {"name", "folders"} - set(values):
            raise ConfigError(f"the recipe lacks {', '.join(sorted(missing))}")
        plain: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        model = values.get("model", {})
        if not isinstance(model, dict):
            raise ConfigError(f"model = {model!r} must be a table; choose a network with model.preset")
        try:
            preset = model.get("preset", "edsr-light")
            if preset not in PRESETS:
                raise ConfigError(f"no preset {preset!r}; choose one of {', '.join(PRESETS)}")
            changed = {key: value for key, value in model.items() if key != "preset"}
            return cls(**plain | {"model": ModelConfig.from_dict(PRESETS[preset].to_dict() | changed)})
        except TypeError as error:
            raise ConfigError(f"the recipe holds a value of the wrong type: {error}") from error

    @property
    def roi_pixels(self) -> float:
        """LR pixels of an ROI, on average."""
        sides = range(self.roi[0], self.roi[1] + 1)
        return sum(side**2 for side in sides) / len(sides)

    def to_dict(self) -> dict[str, Any]:
        """Return every setting as plain values, for the checkpoint's header."""
        return dataclasses.asdict(self)

    def to_toml(self) -> str:
        """Write every setting as a recipe that can be read again."""
        top = self.to_dict()
        lines = [*_lines({k: v for k, v in top.items() if k != "model"}), "", "[model]", *_lines(top["model"])]
        return "\n".join(lines) + "\n"


def _lines(table: dict[str, Any]) -> list[str]:
    """Write plain values as TOML, whose strings, numbers, booleans and lists are JSON's."""
    return [f"{key} = {json.dumps(value)}" for key, value in table.items()]


def _read_table(path: Path) -> dict[str, Any]:
    """Read the tables of a recipe's file."""
    try:
        return tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"recipe {path} cannot be read: {error}") from error


def _like(path: Path, like: Any, values: dict[str, Any]) -> dict[str, Any]:  # noqa: ANN401  # whatever TOML holds
    """Return the settings of the recipe that `path` is like, with `values` over them."""
    if not isinstance(like, str):
        raise ConfigError(f"like = {like!r} must be the path of a recipe")
    given = _read_table(path.parent / like)
    if "like" in given:
        raise ConfigError(f"{path} is like {like}, which is like another recipe itself; name that one")
    models = given.get("model", {}), values.get("model", {})
    if not all(isinstance(model, dict) for model in models):
        raise ConfigError("model must be a table; choose a network with model.preset")
    return given | values | {"model": models[0] | models[1]}


def _set(values: dict[str, Any], setting: str) -> None:
    """Put a setting `key=value` or `model.key=value` into a recipe's table; a value that is no TOML is a string."""
    name, equals, text = setting.partition("=")
    *tables, key = name.strip().split(".")
    if not equals or not key or tables not in ([], ["model"]):
        raise ConfigError(f"--set {setting} must be key=value or model.key=value")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    table = values.setdefault("model", {}) if tables else values
    if not isinstance(table, dict):
        raise ConfigError(f"model = {table!r} must be a table; choose a network with model.preset")
    table[key] = value
