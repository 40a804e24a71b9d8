"""Networks whose weights are in ONNX graphs, computed by onnxruntime on the CPU in fp32."""

from __future__ import annotations

import copy
import dataclasses
import importlib.metadata
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from localsr.conditions import Conditions
from localsr.errors import CheckpointError, ConfigError
from localsr.geometry import Box
from localsr.inference.restorer import Restorer
from localsr.models.card import Card
from localsr.models.config import ModelConfig
from localsr.models.patches import Context
from localsr.models.windows import NetworkGeometry, Taper
from localsr.models.work import WorkLoad
from localsr.onnx.devices import GraphSettings
from localsr.onnx.folder import ATTEND, CLEAN, ENCODE, PLAIN, RESTORE, GraphCard, GraphFacts, read_folder
from localsr.onnx.sessions import GraphSession, OpenGraphs, open_graph

Floats = NDArray[np.float32]


class OnnxNetwork:
    """A `RunnableNetwork` of graphs; all but its pixels follows from its config."""

    runtime: ClassVar[str] = "onnx"

    def __init__(
        self,
        config: ModelConfig,
        facts: GraphFacts,
        graphs: Mapping[str, GraphSession],
        settings: GraphSettings = GraphSettings(),  # noqa: B008  # cannot be changed
    ) -> None:
        """Take the graphs of a config by their names, as `folder` has them."""
        self._config, self._facts, self._graphs, self._settings = config, facts, graphs, settings
        self._conditions: Conditions | None = Conditions()  # None for a clean picture, which has graphs of its own

    def __copy__(self) -> Self:
        """Return a network of the same graphs."""
        other = object.__new__(type(self))
        vars(other).update(vars(self))
        return other

    def __deepcopy__(self, memo: object) -> Self:
        """Return the network itself, whose graphs nothing can change."""
        return self

    def __getstate__(self) -> dict[str, Any]:
        """Refuse to be sent to another process, as graphs that are open cannot."""
        raise ConfigError("graphs that are open cannot be sent to another process; load their folder there")

    @property
    def geometry(self) -> NetworkGeometry:
        """Where it looks."""
        return self._facts.geometry

    short_precision: ClassVar[None] = None

    @property
    def device(self) -> str:
        """Where its graphs were opened."""
        return self._settings.device

    @property
    def version(self) -> str:
        """What computes it."""
        return f"onnxruntime {importlib.metadata.version('onnxruntime')}"

    @property
    def threads(self) -> int:
        """How many threads its graphs were opened for."""
        return self._settings.threads

    def shared_out(self, parts: int) -> AbstractContextManager[Callable[[], None]] | None:
        """Have graphs opened once more, for a share of a CPU's threads."""
        if not isinstance(self._graphs, OpenGraphs) or self.device != "cpu":
            return None
        return self._graphs.shared_out(parts)

    def packed(self) -> Self:
        """Return the network itself: onnxruntime packs weights when a graph is opened."""
        return self

    def shortened(self, precision: str) -> Self:
        """Refuse: graphs run in fp32 alone."""
        raise ConfigError(f"graphs run in fp32 alone, not in {precision}")

    def with_halo(self, halo: int) -> Self:
        """Return this network, its graphs shared, keeping `halo` LR px around an ROI at every step."""
        other = copy.copy(self)
        other._config = self._config.with_halo(halo)
        geometry = dataclasses.replace(self.geometry, halo=other._config.halo)
        other._facts = self._facts._replace(geometry=geometry)
        return other

    @property
    def conditioned(self) -> bool:
        """Whether it can be told how a picture was degraded."""
        return self._config.conditioned

    def with_conditions(self, conditions: Conditions) -> Self:
        """Return this network, its graphs shared, told how a picture was degraded."""
        other = copy.copy(self)
        other._conditions = None if self._config.clean and conditions.negligible else conditions
        return other

    def encode(self, patches: Floats, corners: Floats) -> Context[Floats] | None:
        """Make keys and values by the graph *encode*."""
        if not self._config.gcm:
            return None
        return Context(*_run(self._graphs[ENCODE], patches=patches, corners=corners))

    def restore(
        self, pixels: Floats, near: Box, taper: Taper, origins: Floats, context: Context[Floats] | None
    ) -> Floats:
        """Restore by the graph *restore*."""
        (y,) = _run(self._graphs[self._of_region(RESTORE)], **self._inputs(pixels, near, taper, origins, context))
        box = taper.roi.scaled(self._config.scale)
        if y.shape != (len(pixels), 3, box.height, box.width):
            raise CheckpointError(f"the graph gave {tuple(y.shape)} for {box.size} px; it is not what its card says")
        return y

    def attention(self, pixels: Floats, near: Box, taper: Taper, origins: Floats, context: Context[Floats]) -> Floats:
        """Compute the weights of the attention by the graph *attend*."""
        (weights,) = _run(self._graphs[self._of_region(ATTEND)], **self._inputs(pixels, near, taper, origins, context))
        if weights.ndim != 4 or (len(weights), weights.shape[-1]) != (len(pixels), context.keys.shape[2]):
            raise CheckpointError(f"the graph gave weights {tuple(weights.shape)}; it is not what its card says")
        return weights

    def _of_region(self, name: str) -> str:
        """Return the name of a graph of regions, for what the network was told."""
        return name if self._conditions is not None else CLEAN + name

    def _inputs(
        self, pixels: Floats, near: Box, taper: Taper, origins: Floats, context: Context[Floats] | None
    ) -> dict[str, NDArray[Any]]:
        """Name what the graphs of regions take."""
        sides = [[b.left, b.top, b.right, b.bottom] for b in (near, *taper.windows, taper.roi)]
        inputs: dict[str, NDArray[Any]] = {"pixels": pixels, "windows": np.array(sides, np.int64)}
        if self.conditioned and self._conditions is not None:
            inputs["conditions"] = np.array([self._conditions.encoded()], np.float32)
        return inputs if context is None else inputs | {"origins": origins, **context._asdict()}

    def count_work(self, taper: Taper, near: Box, patches: int) -> WorkLoad:
        """Count what restoring one ROI takes, as by torch."""
        return self._facts.work.roi(self.geometry, taper, near, patches)

    def count_scene(self, patches: int) -> WorkLoad:
        """Count what making keys and values of so many patches takes, as by torch."""
        return self._facts.work.scene(patches)


class OnnxNetworks(NamedTuple):
    """What a folder of graphs holds."""

    card: GraphCard
    network: OnnxNetwork
    plain: OnnxNetwork | None  # the plain twin, where there is one


def read_restorer(folder: Path, settings: GraphSettings, max_memory: int | None = None) -> Restorer:
    """Read a folder that `export` wrote, as a restorer that onnxruntime computes for.

    Raises `CheckpointError` for a folder that is not sound.
    """
    card, network, plain = open_networks(folder, settings)
    about = Card(card.name, card.config, plain=card.plain, sha256=card.sha256)
    return Restorer(network, about, plain, max_memory=max_memory)


def open_networks(folder: Path, settings: GraphSettings) -> OnnxNetworks:
    """Check and open a folder of graphs; `CheckpointError` for one that is not sound."""
    card, graphs = read_folder(folder)

    def opened(names: Mapping[str, str]) -> OpenGraphs:
        """Open graphs of the folder by the names that a network has for them."""

        def open_one(name: str, settings: GraphSettings) -> GraphSession:
            return open_graph(folder / f"{names[name]}.onnx", graphs[names[name]], settings)

        found = OpenGraphs(names, open_one, settings)
        for name in names:  # those that cannot be run are refused now
            found[name]
        return found

    network = OnnxNetwork(card.config, card.facts[RESTORE], opened({n: n for n in graphs if PLAIN not in n}), settings)
    plain = None
    if PLAIN in graphs:
        own = opened({name.replace(PLAIN, RESTORE): name for name in graphs if PLAIN in name})
        plain = OnnxNetwork(card.config.without_context(), card.facts[PLAIN], own, settings)
    return OnnxNetworks(card, network, plain)


def _run(session: GraphSession, **inputs: NDArray[Any]) -> list[Floats]:
    """Run a graph on arrays; `MemoryError` where there is not enough."""
    arrays = {name: np.ascontiguousarray(array) for name, array in inputs.items()}
    try:
        return session.run(None, arrays)
    except Exception as error:  # a class for each of its codes, none of them public
        if "alloc" in str(error):
            raise MemoryError("out of memory; restore fewer or smaller boxes at a time") from error
        raise CheckpointError(f"the graph is not what its card says: {str(error).splitlines()[0]}") from error
