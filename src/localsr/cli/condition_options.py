"""How much a network is to take away of noise and of blur, and what was measured of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from localsr.conditions import Adjustment, Conditions
from localsr.errors import ConfigError

AUTO = "auto"
Denoise = Annotated[
    str,
    typer.Option(
        "--denoise",
        metavar="auto|0..100",
        help="How much noise, and traces of compression, to take away; auto: as much as the whole picture shows.",
    ),
]
Deblur = Annotated[
    str,
    typer.Option(
        "--deblur", metavar="auto|0..100", help="How much blur to take away; auto: as much as the whole picture shows."
    ),
]


@dataclass(frozen=True)
class ConditionOptions:
    """What is to be taken away."""

    denoise: Denoise = AUTO
    deblur: Deblur = AUTO

    def adjustment(self) -> Adjustment:
        """Return both as numbers; `ConfigError` for what is none."""
        return Adjustment(number("denoise", self.denoise), number("deblur", self.deblur))


def number(name: str, text: str) -> float | None:
    """Read an option's value; None for `auto`."""
    if text == AUTO:
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 100:
        raise ConfigError(f"--{name} {text} is neither auto nor a number from 0 to 100")
    return value


def condition_facts(found: Conditions | None) -> dict[str, Any]:
    """Return what `--json` says of conditions; nothing for a network that is not told of any."""
    return {} if found is None else {"conditions": {name: round(value, 3) for name, value in found._asdict().items()}}
