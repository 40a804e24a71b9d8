"""The networks that come in the package, those that the user imported, and where any is found by its name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from os import PathLike
from pathlib import Path

import platformdirs

from localsr.errors import CheckpointError, ConfigError

FOREIGN_FORMAT = "localsr-foreign-1"  # of networks of others
EMBEDDED_FOLDER = Path(__file__).parents[1] / "weights"
DEFAULT_NETWORKS = {4: "clsr-photo-x4", 2: "clsr-photo-x2"}  # by scale, for photos as people have them
BENCHMARK_NETWORKS = {4: "clsr-light-x4", 2: "clsr-light-x2"}  # for LR by bicubic, as the field's benchmarks have it
OFFERED_NETWORKS = (*DEFAULT_NETWORKS.values(), *BENCHMARK_NETWORKS.values())  # where one chooses from a list


def embedded_networks() -> dict[str, Path]:
    """Return the files of the networks in the package, by name."""
    return {path.stem: path for path in sorted(EMBEDDED_FOLDER.glob("*.safetensors"))}


def imported_folder() -> Path:
    """Return the folder that imported networks are kept in."""
    return platformdirs.user_data_path("localsr") / "networks"


def imported_networks() -> dict[str, Path]:
    """Return the files of the networks that the user imported, by name."""
    try:
        found = sorted(imported_folder().iterdir())
    except OSError:  # nothing was imported yet
        return {}
    return {path.stem: path for path in found if path.suffix in (".safetensors", ".onnx") and path.name[0] != "."}


def find_network(name_or_path: str | PathLike[str] | None, scale: float | None = None) -> Path:
    """Return the file of a network by its name or its path; for None the default that enlarges `scale` times or more.

    Of several the one that enlarges least; x4 for no scale.
    """
    named = imported_networks() | embedded_networks()
    if name_or_path is None:
        most = max(DEFAULT_NETWORKS)
        enough = [each for each in DEFAULT_NETWORKS if each >= (most if scale is None else scale)]
        if not enough:
            raise ConfigError(
                f"the networks of localsr enlarge up to x{most}, not x{scale:g}; ask for at most x{most}, or name a "
                "network that enlarges more"
            )
        name_or_path = DEFAULT_NETWORKS[min(enough)]
    if name_or_path in named:
        return named[str(name_or_path)]
    path = Path(name_or_path)
    if not os.path.isfile(path):
        raise CheckpointError(f"no network {str(name_or_path)!r}: neither a file nor one of {', '.join(named)}")
    return path


def is_graph(path: Path) -> bool:
    """Tell whether a file is an ONNX graph, by its name."""
    return path.suffix.lower() == ".onnx"


def is_foreign(path: Path) -> bool:
    """Tell whether a file is kept for a network that is no checkpoint of localsr: by its name, or its first bytes."""
    if is_graph(path):
        return True
    try:
        with path.open("rb") as file:
            return f'"{FOREIGN_FORMAT}"'.encode() in file.read(4096)
    except OSError:
        return False


def suiting_network(scales: Mapping[str, int], factor: float, default: str) -> str:
    """Return of networks, given with their scales, the one for results of `factor` times a region.

    It is the default network of the least scale that suffices, or where none does the other of the least; where none
    suffices, `default`.
    """
    for names in (DEFAULT_NETWORKS.values(), scales):
        enough = [name for name in names if scales.get(name, 0) >= factor]
        if enough:
            return min(enough, key=lambda name: scales[name])
    return default
