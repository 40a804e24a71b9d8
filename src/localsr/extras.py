"""Optional packages: one sentence for each that is missing, with what to install."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from localsr.errors import ConfigError

PACKAGES = {  # by the name to install, where it is not the module's
    "cv2": "opencv-python-headless, version 4",
    "prometheus_client": "prometheus-client",
    "skimage": "scikit-image",
}


def is_installed(module: str) -> bool:
    """Tell whether a module can be imported; folders that an uninstalled package left behind hold none."""
    found = find_spec(module)
    return found is not None and found.origin is not None


def need(extra: str, *modules: str, what: str = "this") -> None:
    """Raise `ConfigError` with what to install if a module is missing that `what` needs and `extra` installs."""
    if missing := [name for name in modules if not is_installed(name)]:
        raise missing_package(what, extra, missing)


def optional(module: str, extra: str, what: str) -> Any:  # noqa: ANN401  # a module whose types are not there
    """Import a module of an extra; `ConfigError` with what to install if it is missing or cannot be imported."""
    try:
        return import_module(module)
    except ImportError as error:
        raise missing_package(what, extra, [module]) from error


def missing_package(what: str, extra: str, modules: Sequence[str]) -> ConfigError:
    """Return the error that says which packages `what` needs and how to install them."""
    names = ", ".join(PACKAGES.get(name, name) for name in modules)
    return ConfigError(f"{what} needs {names}; install it with: pip install 'localsr[{extra}]'")
