"""The graphs of the package: of an architecture, without weights, which those of its checkpoints are handed to.

graphs/NAME/card.json and *.onnx; the card names the checkpoints that the graphs were compared with torch on, by sha256.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import NamedTuple

from localsr.errors import CheckpointError
from localsr.inference.restorer import Restorer
from localsr.models.arrays import read_arrays
from localsr.models.card import Card, read_bounded, read_checkpoint_card
from localsr.models.embedded import EMBEDDED_FOLDER
from localsr.onnx.bare import PREFIX
from localsr.onnx.devices import GraphSettings
from localsr.onnx.folder import CARD, MAX_CARD_BYTES, MAX_GRAPH_BYTES, RESTORE, GraphFacts, digest, read_facts
from localsr.onnx.network import OnnxNetwork
from localsr.onnx.sessions import GraphSession, OpenGraphs, open_graph

FORMAT = "localsr-graphs-1"
GRAPHS_FOLDER = Path(__file__).parents[1] / "graphs"


class ArchitectureCard(NamedTuple):
    """What the graphs of an architecture are."""

    graphs: dict[str, str]  # name -> sha256
    weights: dict[str, list[str]]  # name -> the weights that it takes, by their names in a checkpoint
    checkpoints: dict[str, str]  # the sha256 of each checkpoint that they were compared with torch on
    difference: float  # the largest that there was, of a pixel in [0, 1]
    facts: GraphFacts


@cache
def find_graphs(sha256: str) -> Path | None:
    """Return the folder of the graphs for a checkpoint of the package; None where there is none."""
    for path in sorted(GRAPHS_FOLDER.glob(f"*/{CARD}")):
        if sha256 in read_graph_card(path.parent).checkpoints.values():
            return path.parent
    return None


@cache
def read_graph_card(folder: Path) -> ArchitectureCard:
    """Read the card of an architecture of the package."""
    values = json.loads(read_bounded(folder / CARD, "card of graphs", MAX_CARD_BYTES))
    if values.pop("format") != FORMAT:
        raise CheckpointError(f"{folder / CARD} is of another version; install localsr anew")
    return ArchitectureCard(**{**values, "facts": read_facts({RESTORE: values["facts"]})[RESTORE]})


def read_embedded(path: Path, settings: GraphSettings, max_memory: int | None = None) -> Restorer | None:
    """Read a checkpoint as a restorer that onnxruntime computes for; None for one that the package has no graphs for.

    Raises `CheckpointError` for a file that is no sound checkpoint.
    """
    folder = find_graphs(read_checkpoint_card(path).sha256)
    if folder is None:
        return None
    network, card = open_checkpoint(path, folder, read_graph_card(folder), settings)
    plain = None
    if card.plain and (beside := find_graphs(card.plain.get("sha256", ""))) is not None:
        twin = EMBEDDED_FOLDER / f"{card.plain['name']}.safetensors"
        plain, _ = open_checkpoint(twin, beside, read_graph_card(beside), settings)
    return Restorer(network, card, plain, max_memory=max_memory)


def open_checkpoint(
    path: Path, folder: Path, about: ArchitectureCard, settings: GraphSettings
) -> tuple[OnnxNetwork, Card]:
    """Open the graphs of an architecture with the weights of a checkpoint; `CheckpointError` for one not compared."""
    arrays, card = read_arrays(path)
    if card.sha256 not in about.checkpoints.values():
        raise CheckpointError(f"the graphs in {folder} are not of {path}, whose weights have sha256 {card.sha256[:12]}")

    def open_one(name: str, settings: GraphSettings) -> GraphSession:
        file = folder / f"{name}.onnx"
        data = read_bounded(file, "graph", MAX_GRAPH_BYTES)
        if digest(data) != about.graphs[name]:
            raise CheckpointError(f"graph {file} is damaged: it does not have the sha256 of {CARD}")
        return open_graph(file, data, settings, {PREFIX + weight: arrays[weight] for weight in about.weights[name]})

    return OnnxNetwork(card.config, about.facts, OpenGraphs(about.graphs, open_one, settings), settings), card
