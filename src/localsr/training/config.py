"""A recipe: everything that decides what comes out of a training run, as one frozen value read from TOML."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localsr.data.degradation import DEGRADATIONS
from localsr.errors import ConfigError
from localsr.models.config import ModelConfig, refuse_unknown

PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")  # as lightning names them


@dataclass(frozen=True)
class Recipe:
    """One training run (Sec. 3.5, 4.1). A recipe file says only what differs from these defaults."""

    name: str  # of the checkpoint that comes out
    folders: tuple[str, ...]  # HR pictures, relative to where the command runs
    model: ModelConfig = field(default_factory=ModelConfig)
    init: str = ""  # a plain network, by name or path, whose backbone this run starts from; "" is random
    degradation: str = "bicubic"  # how LR is made of HR: one of DEGRADATIONS
    validation: str = ""  # a data set with HR/ and perhaps LR_x4/; "" validates nothing
    context: int = 48  # side of the LR window that plays the whole picture
    roi: tuple[int, int] = (48, 48)  # smallest and largest side of the ROI, drawn anew each step
    steps: int = 200_000
    batch: int = 16
    lr: float = 1e-4  # Adam's, at its peak; cosine to zero (Sec. 4.1)
    warmup: int = 0  # steps of linear rise
    context_loss: tuple[float, float] = (0.5, 0.0)  # lambda of Eq. 7 at the first and the last step, linear between
    ema: float = 0.999  # decay of the averaged weights, which are the ones kept
    clip: float = 1.0  # of the gradient's norm
    precision: str = "32-true"  # one of PRECISIONS
    half: bool = False  # keep the trained weights as 16-bit floats: half the file
    validate_every: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be trained."""
        for field_ in dataclasses.fields(self):
            value, kind = getattr(self, field_.name), type(field_.default)
            if kind in (int, float, bool, str) and type(value) is not kind:
                raise ConfigError(f"{field_.name} = {value!r} must be of type {kind.__name__}")
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", str(self.name)):
            raise ConfigError(f"{self.name!r} is no name for a folder; use letters, digits, '.', '_' and '-'")
        for name, kind in (("folders", str), ("roi", int), ("context_loss", float)):
            value = getattr(self, name)
            if type(value) is not tuple or any(type(part) is not kind for part in value):
                raise ConfigError(f"{name} = {value!r} must be a list of type {kind.__name__}")
        if len(self.roi) != 2 or len(self.context_loss) != 2 or min(self.context_loss) < 0:
            raise ConfigError("roi and context_loss must be two numbers each, and no loss below 0")
        if not 0 <= self.seed < 2**32:
            raise ConfigError(f"seed {self.seed} must be between 0 and {2**32 - 1}")
        if self.precision not in PRECISIONS:
            raise ConfigError(f"precision {self.precision!r} is not one of {', '.join(PRECISIONS)}")
        if self.degradation not in DEGRADATIONS:
            raise ConfigError(f"degradation {self.degradation!r} is not one of {', '.join(DEGRADATIONS)}")
        if not self.folders:
            raise ConfigError("the recipe names no folders to train on")
        if not 1 <= self.roi[0] <= self.roi[1] <= self.context:
            raise ConfigError(f"roi {self.roi} must be two rising sides within the context of {self.context} LR px")
        for name in ("steps", "batch", "validate_every"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} = {getattr(self, name)} must be at least 1")
        if not (self.lr > 0 and 0 <= self.ema < 1 and 0 <= self.warmup < self.steps):
            raise ConfigError("lr must be above 0, ema in [0, 1) and warmup below steps")

    @classmethod
    def read(cls, path: Path) -> Recipe:
        """Read a TOML file; unknown keys are refused, the nearest known one named."""
        try:
            values = tomllib.loads(path.read_text())
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigError(f"recipe {path} cannot be read: {error}") from error
        return cls.from_dict(values)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Recipe:
        """Build from TOML's tables."""
        refuse_unknown(values, cls, "recipe key")
        if missing := {"name", "folders"} - set(values):
            raise ConfigError(f"the recipe lacks {', '.join(sorted(missing))}")
        plain: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        try:
            return cls(**plain | {"model": ModelConfig.from_dict(values.get("model", {}))})
        except TypeError as error:
            raise ConfigError(f"the recipe holds a value of the wrong type: {error}") from error

    def to_dict(self) -> dict[str, Any]:
        """Give every setting as plain values, for the checkpoint's header."""
        return dataclasses.asdict(self)
