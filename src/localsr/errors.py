"""One family of errors: whoever catches `LocalSRError` catches them all.

    LocalSRError
    ├── ImageError        a picture that cannot be read, or is not what it says it is
    ├── BoxError          a region without area, outside its picture, or not made of numbers
    ├── ConfigError       a setting that does not exist, or a value that it cannot have
    ├── CheckpointError   weights that are damaged, of another architecture, or not safetensors
    ├── DataError         a folder of pictures that is missing, empty, mostly broken or in use
    ├── TrackLostError    a region that a clip does not show any more
    ├── OutputError       a result that could not be written; what stood there is untouched
    ├── ServiceError      a service that refuses, is busy, or cannot be reached
    └── StoppedError      work that a signal stopped; its state is saved, and it can go on

A message says what was given, what is allowed and what to do: the last in the words of whoever is told, for the same
error reaches people who call a function, type a command or send a request.
"""

from __future__ import annotations

import copyreg
from typing import Any, ClassVar, Literal, NamedTuple


class Advice(NamedTuple):
    """What to do about an error, in the words of each edge; "" where it offers no way."""

    library: str
    command: str
    service: str = ""


class LocalSRError(Exception):
    """The base of every error that localsr raises on purpose.

    Args:
        fact: What was given, and what is allowed.
        advice: What to do; `str` has it in the library's words.

    Example:
        >>> error = LocalSRError("it is too large", Advice("pass small=True", "add --small"))
        >>> str(error), error.told("command")
        ('it is too large; pass small=True', 'it is too large; add --small')
    """

    def __init__(self, fact: str, advice: Advice | None = None) -> None:
        super().__init__(f"{fact}; {advice.library}" if advice is not None and advice.library else fact)
        self.fact, self.advice = fact, advice

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what copies it, and brings it to another process, whatever a subclass is made of."""
        return copyreg.__newobj__, (type(self),), {**vars(self), "args": self.args}  # type: ignore[attr-defined]

    def told(self, edge: Literal["library", "command", "service"]) -> str:
        """Return the message in the words of an edge."""
        words = "" if self.advice is None else getattr(self.advice, edge)
        return f"{self.fact}; {words}" if words else self.fact


class ImageError(LocalSRError, ValueError):
    """A picture that cannot be read, or is not what it says it is."""


class BoxError(LocalSRError, ValueError):
    """A region without area, outside its picture, or not made of numbers.

    Args:
        problem: What is wrong.
        advice: What to do.
        box: The region that it is wrong with, as it was given.
    """

    ORDERED: ClassVar = Advice(*["right must exceed left and bottom exceed top"] * 3)
    POSITIVE: ClassVar = Advice(*["width and height must be above 0"] * 3)
    CLIP: ClassVar = Advice("clip it with Box.clipped(size), or pass clip=True", "cut off what leaves it with --clip")

    def __init__(self, problem: str, advice: Advice | None = None, *, box: str = "") -> None:
        super().__init__(f"box {box} {problem}" if box else problem, advice)
        self.problem = problem


class ConfigError(LocalSRError, ValueError):
    """A setting that does not exist, or a value it cannot have."""


class CheckpointError(LocalSRError, ValueError):
    """Weights that are damaged, of another architecture, or not safetensors."""


class DataError(LocalSRError, ValueError):
    """A folder of pictures that is missing, empty, mostly broken or in use by another process."""


class TrackLostError(LocalSRError):
    """A region that the frames of a clip do not show any more; what was found before stands."""


class OutputError(LocalSRError, OSError):
    """A result that could not be written; what stood there before is untouched."""


class ServiceError(LocalSRError):
    """A service that refuses, is busy, or cannot be reached; `status` is its HTTP answer, 0 if there was none."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class StoppedError(LocalSRError):
    """Work that the signal `signum` stopped; its state is saved, and it can go on."""

    def __init__(self, message: str, signum: int) -> None:
        super().__init__(message)
        self.signum = signum
