"""The graphs of the package made: of each architecture once, and compared with torch on each of its checkpoints."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import msgspec
import onnx

from localsr.errors import ConfigError
from localsr.files import write_whole
from localsr.inference.restorer import Restorer
from localsr.models import checkpoint
from localsr.models.card import read_card
from localsr.models.clsr import CLSR
from localsr.models.embedded import embedded_networks
from localsr.onnx.architectures import FORMAT, GRAPHS_FOLDER, ArchitectureCard, open_checkpoint
from localsr.onnx.bare import PREFIX
from localsr.onnx.devices import GraphSettings
from localsr.onnx.export import MAX_DIFFERENCE, compare
from localsr.onnx.folder import CARD, digest
from localsr.onnx.graphs import tracings
from localsr.onnx.tables import facts_of
from localsr.pytorch.network import TorchNetwork


def architectures() -> dict[str, list[Path]]:
    """Return the checkpoints of the package by their architectures: `BACKBONE-xSCALE`, what else it has in between."""
    found: dict[str, list[Path]] = {}
    for path in embedded_networks().values():
        config = read_card(path, path.read_bytes()).config
        more = {
            "attention": config.pixel_attention,
            "conditioned": config.conditioned,
            "clean": config.clean,
            "clsr": not config.plain,
        }
        parts = [config.backbone, *(name for name, has in more.items() if has), f"x{config.scale}"]
        found.setdefault("-".join(parts), []).append(path)
    return found


def traced_bare(network: CLSR) -> dict[str, bytes]:
    """Trace the graphs of a network, without its weights."""
    return {name: trace() for name, trace in tracings(network, bare=True).items()}


def make_graphs(name: str, checkpoints: list[Path], folder: Path = GRAPHS_FOLDER) -> ArchitectureCard:
    """Make the graphs of an architecture; `ConfigError` where they differ from torch, and none are left then."""
    network, _ = checkpoint.load(checkpoints[0])
    return write_graphs(folder / name, checkpoints, traced_bare(network))


def write_graphs(folder: Path, checkpoints: list[Path], graphs: dict[str, bytes]) -> ArchitectureCard:
    """Write graphs with the card that names them and what they were compared on."""
    loaded = {path: checkpoint.load(path) for path in checkpoints}
    network, _ = loaded[checkpoints[0]]
    if len({replace(one.config, halo=network.config.halo) for one, _ in loaded.values()}) > 1:
        raise ConfigError(f"{', '.join(path.stem for path in checkpoints)} are not of one architecture")
    card = ArchitectureCard(
        {graph: digest(data) for graph, data in graphs.items()},
        {graph: _weights(data) for graph, data in graphs.items()},
        {path.stem: about.sha256 for path, (_, about) in loaded.items()},
        0.0,
        facts_of(network),
    )
    for graph, data in graphs.items():
        write_whole(folder / f"{graph}.onnx", data)
    worst = 0.0
    for path, (one, about) in loaded.items():
        theirs, _ = open_checkpoint(path, folder, card, GraphSettings())
        worst = max(worst, compare(Restorer(TorchNetwork(one), about), Restorer(theirs, about)))
    if not worst <= MAX_DIFFERENCE:
        shutil.rmtree(folder)
        raise ConfigError(f"the graphs of {folder.name} differ from torch by {worst:.1e}, so none is written")
    card = card._replace(difference=worst)
    write_whole(folder / CARD, msgspec.json.format(msgspec.json.encode({"format": FORMAT, **card._asdict()}), indent=1))
    return card


def _weights(data: bytes) -> list[str]:
    """Return the weights that a graph takes, by their names in a checkpoint."""
    graph = onnx.load_model_from_string(data).graph
    return [t.name.removeprefix(PREFIX) for t in graph.initializer if t.data_location == onnx.TensorProto.EXTERNAL]
