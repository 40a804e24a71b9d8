"""OpenCV, where it is installed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from localsr.errors import ConfigError

INSTALL = "install it with: pip install 'localsr[detect]'"


def opencv(what: str) -> Any:  # noqa: ANN401  # a module without types
    """Give OpenCV; `ConfigError` with what to install where it is not there."""
    try:
        return import_module("cv2")
    except ImportError as error:
        raise ConfigError(f"{what} needs opencv-python-headless, version 4; {INSTALL}") from error
