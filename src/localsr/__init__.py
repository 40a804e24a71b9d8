"""localsr: zoom into a region of any picture, with the whole picture as context, at the cost of the region."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from localsr.client import Client
    from localsr.errors import (
        BoxError,
        CheckpointError,
        ConfigError,
        DataError,
        ImageError,
        LocalSRError,
        OutputError,
        ServiceError,
        TrackLostError,
    )
    from localsr.frames.reading import Frames, read_frames
    from localsr.geometry import Box, Size
    from localsr.images import Photo, Saving, read
    from localsr.inference.restoration import Restoration
    from localsr.inference.restorer import Restorer
    from localsr.inference.scene import Scene
    from localsr.inference.strategies import Strategy
    from localsr.loading import load, restore

__version__ = "0.1.0"

_HOMES = {  # where each public name lives; loaded on first use, so that `localsr --help` does not import torch
    "Box": "geometry",
    "BoxError": "errors",
    "CheckpointError": "errors",
    "Client": "client",
    "ConfigError": "errors",
    "DataError": "errors",
    "Frames": "frames.reading",
    "ImageError": "errors",
    "LocalSRError": "errors",
    "OutputError": "errors",
    "Photo": "images",
    "Restoration": "inference.restoration",
    "Restorer": "inference.restorer",
    "Saving": "images",
    "Scene": "inference.scene",
    "ServiceError": "errors",
    "Size": "geometry",
    "Strategy": "inference.strategies",
    "TrackLostError": "errors",
    "load": "loading",
    "read": "images",
    "read_frames": "frames.reading",
    "restore": "loading",
}

__all__ = [
    "Box",
    "BoxError",
    "CheckpointError",
    "Client",
    "ConfigError",
    "DataError",
    "Frames",
    "ImageError",
    "LocalSRError",
    "OutputError",
    "Photo",
    "Restoration",
    "Restorer",
    "Saving",
    "Scene",
    "ServiceError",
    "Size",
    "Strategy",
    "TrackLostError",
    "__version__",
    "load",
    "read",
    "read_frames",
    "restore",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401
    """Load a public name from its home."""
    if name not in _HOMES:
        raise AttributeError(f"module 'localsr' has no attribute {name!r}")
    return getattr(import_module(f"localsr.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    """List the public names."""
    return __all__
