"""Optional packages: one sentence for each that is missing, with what to install."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from localsr.errors import ConfigError

PACKAGES = {  # what to look for under another name than the module's
    "cv2": "opencv-python-headless, version 4",
    "prometheus_client": "prometheus-client",
    "skimage": "scikit-image",
}


def need(extra: str, *modules: str, what: str = "this") -> None:
    """Refuse to go on without the packages of an extra, before anything of them is imported.

    Args:
        extra: The extra of this package that installs them, as `onnx`.
        *modules: The modules that must be there, as Python imports them.
        what: What needs them; it begins the sentence.

    Raises:
        ConfigError: A module is missing; the message says how to install it.

    """
    if missing := [name for name in modules if find_spec(name) is None]:
        raise _missing(what, extra, missing)


def optional(module: str, extra: str, what: str) -> Any:  # noqa: ANN401  # a module whose types are not there
    """Import a module of an extra; a module that is there but cannot be imported counts as missing.

    Raises:
        ConfigError: The module is missing; the message says how to install it.

    """
    try:
        return import_module(module)
    except ImportError as error:
        raise _missing(what, extra, [module]) from error


def _missing(what: str, extra: str, modules: Sequence[str]) -> ConfigError:
    """Say what is missing and how to install it."""
    names = ", ".join(PACKAGES.get(name, name) for name in modules)
    return ConfigError(f"{what} needs {names}; install it with: pip install 'localsr[{extra}]'")
