"""Detectors: a callable from a photo to regions with scores, which any package may bring.

    [project.entry-points."localsr.detectors"]
    sign = "my_package:find_signs"

    def find_signs(photo: localsr.Photo) -> Iterable[Found]:
        pixels = photo.window(box)  # or photo.preview(1024), 8-bit sRGB
        yield Found(Box(40, 60, 168, 156), "sign", 0.9)

`localsr restore --detect sign` finds it there. The built-in ones come the same way; a path of an ONNX file is one too.
A detector may have a method `check`, which is called before any work and raises `ConfigError` where it lacks something.
"""

from __future__ import annotations

import functools
import hashlib
import math
from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TypeAlias

from localsr.errors import BoxError, ConfigError, LocalSRError
from localsr.geometry import Box
from localsr.images import Photo
from localsr.regions.detectors.onnx import OnnxDetector
from localsr.regions.region import MAX_REGIONS, Found

ENTRY_POINTS = "localsr.detectors"
Detector: TypeAlias = Callable[[Photo], Iterable[Found]]


def detector_names() -> list[str]:
    """List the detectors that are installed."""
    return sorted(_entry_points())


def check_detector(name: str) -> str:
    """Refuse a detector that is not there, before any work.

    Args:
        name: Name of an installed detector, or path of one in ONNX.

    Returns:
        The sha256 of a detector that is a file, "" for an installed one.

    Raises:
        ConfigError: It is not there, or lacks what it needs; the message lists what there is.
    """
    detector = _load(name)
    if callable(ready := getattr(detector, "check", None)):
        ready()
    if not _is_file(name):
        return ""
    with open(name, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def detect(name: str, photo: Photo) -> list[Found]:
    """Return what a detector finds, cut to the picture, the surest first.

    Raises:
        BoxError: It gave something that is no region of the picture, or more than `MAX_REGIONS`.
        ConfigError: It is not there, or fails.
    """
    detector = _load(name)
    try:
        found = [_check_found(one, name, photo) for one in detector(photo)]
    except (LocalSRError, MemoryError):
        raise
    except Exception as error:  # of a package that we do not know
        raise ConfigError(f"the detector {name} failed: {type(error).__name__}: {error}") from error
    if len(found) > MAX_REGIONS:
        raise BoxError(f"the detector {name} found {len(found)} regions; a picture may have {MAX_REGIONS}")
    return sorted(found, key=lambda f: math.inf if f.score is None else -f.score)


def _is_file(name: str) -> bool:
    """Tell whether a name is that of an ONNX file."""
    return name.lower().endswith(".onnx")


def _entry_points() -> dict[str, EntryPoint]:
    """Return the installed detectors by name."""
    return {entry.name: entry for entry in entry_points(group=ENTRY_POINTS)}


@functools.lru_cache(maxsize=16)
def _load(name: str) -> Detector:
    """Load a detector, once a process."""
    if _is_file(name):
        return OnnxDetector(Path(name))
    entries = _entry_points()
    if name not in entries:
        raise ConfigError(
            f"no detector {name!r}; there are {', '.join(sorted(entries)) or 'none'}, or name an ONNX file"
        )
    try:
        detector = entries[name].load()
    except Exception as error:  # whatever a package does while it is imported
        raise ConfigError(f"the detector {name} cannot be loaded: {error}") from error
    if not callable(detector):
        raise ConfigError(f"the detector {name} of {entries[name].value} is no callable")
    found: Detector = detector
    return found


def _check_found(one: object, name: str, photo: Photo) -> Found:
    """Refuse what is no region of the photo; name it after the detector where it has no label."""
    origin = f"the detector {name}"
    if not isinstance(one, Found) or not isinstance(one.box, Box):
        raise BoxError(f"{origin} gave {type(one).__name__}, which is no Found with a Box")
    if one.score is not None and not math.isfinite(one.score):
        raise BoxError(f"{origin} gave the score {one.score}")
    try:
        return Found(one.box.clipped(photo.size), one.label or name, one.score, origin)
    except BoxError as error:
        raise BoxError(f"{origin}: {error}") from None
