"""Networks whose weights are in ONNX graphs, computed by onnxruntime on the CPU in fp32."""

from __future__ import annotations

import copy
import importlib.metadata
import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from localsr.conditions import Conditions
from localsr.errors import CheckpointError, ConfigError
from localsr.geometry import Box
from localsr.models.clsr import count_scene, count_work, without_weights
from localsr.models.config import ModelConfig
from localsr.models.patches import Context
from localsr.models.windows import NetworkGeometry, Taper
from localsr.models.work import WorkLoad
from localsr.onnx.folder import ATTEND, ENCODE, PLAIN, RESTORE, GraphCard, read_folder

Floats = NDArray[np.float32]


class GraphSession(Protocol):
    """What onnxruntime's InferenceSession does here."""

    def run(self, names: None, inputs: dict[str, NDArray[Any]]) -> list[NDArray[np.float32]]:
        """Compute all outputs."""


class OnnxNetwork:
    """A `RunnableNetwork` of graphs; all but its pixels follows from its config."""

    runtime: ClassVar[str] = "onnx"

    def __init__(self, config: ModelConfig, graphs: Mapping[str, GraphSession], threads: int = 1) -> None:
        """Take the graphs of a config by their names: *restore*, for one with GCM *encode* and *attend* too."""
        self._config, self._graphs, self._threads = config, graphs, threads
        self._conditions = Conditions()

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
        return without_weights(self._config).geometry

    device: ClassVar[str] = "cpu"
    short_precision: ClassVar[None] = None

    @property
    def version(self) -> str:
        """What computes it."""
        return f"onnxruntime {importlib.metadata.version('onnxruntime')}"

    @property
    def threads(self) -> int:
        """How many threads its graphs were opened for."""
        return self._threads

    def shared_out(self, parts: int) -> AbstractContextManager[Callable[[], None]] | None:
        """Return None: a graph keeps the threads that it was opened for."""
        return None

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
        return other

    @property
    def conditioned(self) -> bool:
        """Whether it can be told how a picture was degraded."""
        return self._config.conditioned

    def with_conditions(self, conditions: Conditions) -> Self:
        """Return this network, its graphs shared, told how a picture was degraded."""
        other = copy.copy(self)
        other._conditions = conditions
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
        (y,) = _run(self._graphs[RESTORE], **self._inputs(pixels, near, taper, origins, context))
        box = taper.roi.scaled(self._config.scale)
        if y.shape != (len(pixels), 3, box.height, box.width):
            raise CheckpointError(f"the graph gave {tuple(y.shape)} for {box.size} px; it is not what its card says")
        return y

    def attention(self, pixels: Floats, near: Box, taper: Taper, origins: Floats, context: Context[Floats]) -> Floats:
        """Compute the weights of the attention by the graph *attend*."""
        (weights,) = _run(self._graphs[ATTEND], **self._inputs(pixels, near, taper, origins, context))
        if weights.ndim != 4 or (len(weights), weights.shape[-1]) != (len(pixels), context.keys.shape[2]):
            raise CheckpointError(f"the graph gave weights {tuple(weights.shape)}; it is not what its card says")
        return weights

    def _inputs(
        self, pixels: Floats, near: Box, taper: Taper, origins: Floats, context: Context[Floats] | None
    ) -> dict[str, NDArray[Any]]:
        """Name what the graphs of regions take."""
        sides = [[b.left, b.top, b.right, b.bottom] for b in (near, *taper.windows, taper.roi)]
        inputs: dict[str, NDArray[Any]] = {"pixels": pixels, "windows": np.array(sides, np.int64)}
        if self.conditioned:
            inputs["conditions"] = np.array([self._conditions.encoded()], np.float32)
        return inputs if context is None else inputs | {"origins": origins, **context._asdict()}

    def count_work(self, taper: Taper, near: Box, patches: int) -> WorkLoad:
        """Count what restoring one ROI takes, as by torch."""
        return count_work(self._config, taper, near, patches)

    def count_scene(self, patches: int) -> WorkLoad:
        """Count what making keys and values of so many patches takes, as by torch."""
        return count_scene(self._config, patches)


class OnnxNetworks(NamedTuple):
    """What a folder of graphs holds."""

    card: GraphCard
    network: OnnxNetwork
    plain: OnnxNetwork | None  # the plain twin, where there is one


def open_networks(folder: Path, *, arena: bool = True, threads: int | None = None) -> OnnxNetworks:
    """Check and open a folder of graphs; `CheckpointError` for one that is not sound."""
    card, graphs = read_folder(folder)
    count = threads or cpu_threads()
    sessions = {name: open_graph(folder / f"{name}.onnx", data, count, arena=arena) for name, data in graphs.items()}
    twin = card.config.without_context()
    plain = OnnxNetwork(twin, {RESTORE: sessions[PLAIN]}, count) if PLAIN in sessions else None
    return OnnxNetworks(card, OnnxNetwork(card.config, sessions, count), plain)


def open_graph(path: Path, data: bytes, threads: int, *, arena: bool = True) -> GraphSession:
    """Open a graph that was checked, for so many threads; without `arena` it returns freed memory."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    options.enable_cpu_mem_arena = options.enable_mem_pattern = arena
    try:
        session: GraphSession = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # a class for each of its codes, none of them public
        raise CheckpointError(f"graph {path} cannot be run: {str(error).splitlines()[0]}") from error
    return session


def cpu_threads() -> int:
    """Return how many threads this process is to compute with: OMP_NUM_THREADS, or the cores that it may run on."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdecimal() and int(asked):
        return int(asked)
    mine = getattr(os, "sched_getaffinity", None)  # where the system has it
    return len(mine(0)) if mine else os.cpu_count() or 1


def _run(session: GraphSession, **inputs: NDArray[Any]) -> list[Floats]:
    """Run a graph on arrays; `MemoryError` where there is not enough."""
    arrays = {name: np.ascontiguousarray(array) for name, array in inputs.items()}
    try:
        return session.run(None, arrays)
    except Exception as error:  # a class for each of its codes, none of them public
        if "alloc" in str(error):
            raise MemoryError("out of memory; restore fewer or smaller boxes at a time") from error
        raise CheckpointError(f"the graph is not what its card says: {str(error).splitlines()[0]}") from error
