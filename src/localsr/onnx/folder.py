"""A folder of graphs: a card that says what they are, and what is checked before any of them runs.

card.json       the network's name, config and sha256, the plain twin's, each graph's sha256, opset and versions
restore.onnx    the network
encode.onnx     its keys and values, where it has a GCM
attend.onnx     what of them a region drew on, there too
plain.onnx      *restore* of the plain twin, where it has one
clean-*.onnx    *restore*, *attend* and *plain* for pictures that were not degraded, where it has a backbone for them
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from localsr.errors import CheckpointError, ConfigError
from localsr.files import write_whole
from localsr.models.card import CONTROL_CHARACTERS, read_bounded
from localsr.models.config import ModelConfig
from localsr.models.windows import NetworkGeometry
from localsr.models.work import WorkTable, work_length
from localsr.onnx.wire import check_parts

FORMAT = "localsr-onnx-3"
OPSET = 18  # Resize as torch has it, and old enough for what people run
CONTEXT = ("keys", "values", "places")
CARD = "card.json"
RESTORE, ENCODE, ATTEND, PLAIN = ("restore", "encode", "attend", "plain")
CLEAN = "clean-"  # before the names of graphs of the backbone for clean pictures
GRAPHS = (RESTORE, ENCODE, ATTEND, PLAIN, CLEAN + RESTORE, CLEAN + ATTEND, CLEAN + PLAIN)
MAX_REACH = 2**20  # LR px
MAX_NUMBER = 2.0**50  # of FLOPs or bytes by the px
MAX_CARD_BYTES, MAX_GRAPH_BYTES = 2**20, 2**30
MAX_NODES = 20_000  # of a graph; so many take onnxruntime 5 s to open, and large networks of windows have 10,000
INPUTS = {ENCODE: ["patches", "corners"], PLAIN: ["pixels", "windows"]}  # of the others they follow from the config
VERSIONS = ("localsr", "torch", "onnx", "onnxscript")


class GraphFacts(NamedTuple):
    """What the engine must know of a network of graphs besides its arithmetic."""

    geometry: NetworkGeometry
    work: WorkTable


@dataclass(frozen=True)
class GraphCard:
    """What a folder of graphs says of itself."""

    name: str
    config: ModelConfig
    sha256: str  # of the network's weights, as its checkpoint has it
    graphs: dict[str, str]  # name -> sha256
    facts: dict[str, GraphFacts]  # of *restore*, and of *plain* where there is one
    plain: dict[str, str] = field(default_factory=dict)  # name and sha256 of the plain twin
    difference: float = 0.0  # the largest that there was to torch, of a pixel in [0, 1]
    opset: int = OPSET
    versions: dict[str, str] = field(default_factory=lambda: {k: importlib.metadata.version(k) for k in VERSIONS})


def write_folder(folder: Path, card: GraphCard, graphs: dict[str, bytes]) -> None:
    """Write graphs, then the card that names their hashes: a folder whose card is not of its graphs is refused."""
    for name, data in graphs.items():
        write_whole(folder / f"{name}.onnx", data)
    about = {"format": FORMAT, **dataclasses.asdict(card)}
    write_whole(folder / CARD, (json.dumps(about, indent=2) + "\n").encode())
    for name in set(GRAPHS) - set(graphs):  # of another network that was here before
        (folder / f"{name}.onnx").unlink(missing_ok=True)


def read_folder(folder: Path) -> tuple[GraphCard, dict[str, bytes]]:
    """Read card and graphs; `CheckpointError` for what is damaged or holds more than a network's arithmetic."""
    card = _card(folder)
    graphs = {}
    for name, sha256 in card.graphs.items():
        path = folder / f"{name}.onnx"
        graphs[name] = read_bounded(path, "graph", MAX_GRAPH_BYTES)
        if digest(graphs[name]) != sha256:
            raise CheckpointError(f"graph {path} is damaged: it does not have the sha256 of {CARD}")
        kind = name.removeprefix(CLEAN)
        wanted = INPUTS.get(kind) or [*INPUTS[PLAIN], *(("origins", *CONTEXT) if card.config.gcm else ())]
        if card.config.conditioned and name not in (ENCODE, CLEAN + kind):
            wanted = [*wanted, "conditions"]
        check_graph(path, graphs[name], wanted)
    return card, graphs


def digest(data: bytes) -> str:
    """Return the sha256 of a graph."""
    return hashlib.sha256(data).hexdigest()


def _card(folder: Path) -> GraphCard:
    """Read the card."""
    path = folder / CARD
    data = read_bounded(path, "card of graphs", MAX_CARD_BYTES)
    try:
        values = json.loads(data)
        if not isinstance(values, dict) or values.pop("format", None) != FORMAT:
            raise ValueError(f"it is no card of graphs (format {FORMAT}); `localsr export` makes one")
        facts = read_facts(values["facts"])
        card = GraphCard(**{**values, "config": ModelConfig.from_dict(values["config"]), "facts": facts})
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, ConfigError) as error:
        raise CheckpointError(f"{path} is damaged or of another version: {error}") from error
    texts = [card.name, card.sha256, *_texts(card.graphs), *_texts(card.plain), *_texts(card.versions)]
    if not all(isinstance(text, str) for text in texts) or CONTROL_CHARACTERS.search("".join(texts)):
        raise CheckpointError(f"{path} is damaged: its texts are not text")
    of_regions = {RESTORE, ATTEND} if card.config.gcm else {RESTORE}
    needed = of_regions | ({ENCODE} if card.config.gcm else set())
    twin = set() if card.config.plain else {PLAIN}
    if card.config.clean:
        needed, twin = needed | {CLEAN + name for name in of_regions}, twin | {CLEAN + name for name in twin}
    if set(card.graphs) not in (needed, needed | twin):
        raise CheckpointError(f"{path} names the graphs {', '.join(card.graphs)}; its network has others")
    if set(card.facts) != {RESTORE, PLAIN} & set(card.graphs) or not fitting(card.config, card.facts[RESTORE]):
        raise CheckpointError(f"{path} is damaged: what it says of its network does not fit it")
    return card


def read_facts(values: Any) -> dict[str, GraphFacts]:  # noqa: ANN401  # whatever JSON holds
    """Return what a card says of its networks; `ValueError` for what is not of that form."""
    facts = msgspec.convert(values, dict[str, GraphFacts])
    for geometry, work in facts.values():
        reach = [*geometry.halo, *geometry.receptive_field, *geometry.near_reach]
        grid = (geometry.scale, geometry.multiple, geometry.unit)
        sound = all(0 <= px <= MAX_REACH for px in reach) and all(1 <= side <= MAX_REACH for side in grid)
        rows = (work.flops, *work.moments)
        scene = (work.patch_flops, *(number for row in work.scene_moments for number in row))
        numbers = (number for row in (*rows, scene) for number in row)
        fits = {len(row) for row in rows} == {work_length(geometry)} and {len(r) for r in work.scene_moments} <= {2}
        if not (sound and fits and all(abs(number) <= MAX_NUMBER for number in numbers)):
            raise ValueError("what it says of a network cannot be")
    return facts


def fitting(config: ModelConfig, facts: GraphFacts) -> bool:
    """Tell whether facts may be of a network of a config."""
    geometry, shape = facts.geometry, facts.geometry.context
    context = config.gcm and (config.gcm_patch, config.gcm_heads, config.gcm_after)
    lengths = (config.scale, config.stages + 1, config.stages if config.pim else 0)
    found = shape is not None and (shape.patch, shape.heads, shape.after)
    return found == context and (geometry.scale, len(geometry.halo), len(geometry.near_reach)) == lengths


def _texts(table: Any) -> list[Any]:  # noqa: ANN401
    """List the keys and values of a table that came from outside."""
    return [*table, *table.values()] if isinstance(table, dict) else [None]


def check_graph(path: Path, data: bytes, inputs: list[str] | None = None) -> None:
    """Refuse a graph that is more than standard operators on its inputs, if these are told, and the weights in it."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        check_parts(data)
    except ValueError as error:
        raise CheckpointError(f"graph {path} is not read: {error}") from error
    try:
        model = onnx.load_model_from_string(data)
        graph = model.graph
        if len(graph.node) > MAX_NODES:
            raise CheckpointError(f"graph {path} has {len(graph.node)} operators; a network has at most {MAX_NODES}")
        domains = {entry.domain for entry in model.opset_import} | {node.domain for node in graph.node}
        if domains - {"", "ai.onnx"} or model.functions:
            raise CheckpointError(f"graph {path} has operators that are not ONNX's own")
        if any(a.HasField("g") or a.graphs for node in graph.node for a in node.attribute):
            raise CheckpointError(f"graph {path} has loops or branches, which no network of localsr has")
        tensors = [*graph.initializer, *(a.t for node in graph.node for a in node.attribute if a.HasField("t"))]
        if graph.sparse_initializer or any(t.external_data or t.data_location for t in tensors):
            raise CheckpointError(f"graph {path} takes weights from other files, which localsr's never do")
        if inputs is not None and [given.name for given in graph.input] != inputs:
            raise CheckpointError(f"graph {path} does not take {', '.join(inputs)}")
        onnx.checker.check_model(model)
    except (DecodeError, onnx.checker.ValidationError) as error:
        raise CheckpointError(f"graph {path} is damaged: {str(error).splitlines()[0]}") from error
