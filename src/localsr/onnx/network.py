"""Networks whose weights are in ONNX graphs, computed by onnxruntime on the CPU in fp32."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from localsr.errors import CheckpointError, ConfigError
from localsr.geometry import Box
from localsr.models.clsr import count_scene, count_work, without_weights
from localsr.models.config import ModelConfig
from localsr.models.context import Context
from localsr.models.counting import WorkLoad, add_flops
from localsr.models.windows import NetworkGeometry, Taper
from localsr.onnx.folder import ATTEND, ENCODE, PLAIN, RESTORE, GraphCard, read_folder
from localsr.onnx.graphs import windows


class GraphSession(Protocol):
    """What onnxruntime's InferenceSession does here."""

    def run(self, names: None, inputs: dict[str, NDArray[Any]]) -> list[NDArray[np.float32]]:
        """Compute all outputs."""


class OnnxNetwork:
    """A `RunnableNetwork` of graphs; all but its pixels follows from its config."""

    runtime: ClassVar[str] = "onnx"

    def __init__(self, config: ModelConfig, graphs: Mapping[str, GraphSession]) -> None:
        """Take the graphs of a config by their names: *restore*, for one with GCM *encode* and *attend* too."""
        self._config, self._graphs = config, graphs

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

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return torch.device("cpu")

    def with_halo(self, halo: int) -> Self:
        """Return this network, its graphs shared, keeping `halo` LR px around an ROI at every step."""
        return type(self)(self._config.with_halo(halo), self._graphs)

    def encode(self, patches: Tensor, corners: Tensor) -> Context | None:
        """Make keys and values by the graph *encode*."""
        if not self._config.gcm:
            return None
        context = Context(*_run(self._graphs[ENCODE], patches=patches, corners=corners))
        add_flops(lambda: self.count_scene(patches.shape[1]).flops)
        return context

    def restore(self, pixels: Tensor, near: Box, taper: Taper, origins: Tensor, context: Context | None) -> Tensor:
        """Restore by the graph *restore*."""
        (y,) = _run(self._graphs[RESTORE], **_inputs(pixels, near, taper, origins, context))
        box = taper.roi.scaled(self._config.scale)
        if y.shape != (len(pixels), 3, box.height, box.width):
            raise CheckpointError(f"the graph gave {tuple(y.shape)} for {box.size} px; it is not what its card says")
        shape = self.geometry.context
        patches = 0 if context is None or shape is None else context.keys.shape[2] // shape.tokens(1)
        add_flops(lambda: len(pixels) * self.count_work(taper, near, patches).flops)
        return y

    def attention(self, pixels: Tensor, near: Box, taper: Taper, origins: Tensor, context: Context) -> Tensor:
        """Compute the weights of the attention by the graph *attend*."""
        (weights,) = _run(self._graphs[ATTEND], **_inputs(pixels, near, taper, origins, context))
        if weights.ndim != 4 or (len(weights), weights.shape[-1]) != (len(pixels), context.keys.shape[2]):
            raise CheckpointError(f"the graph gave weights {tuple(weights.shape)}; it is not what its card says")
        return weights

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


def open_networks(folder: Path, *, arena: bool = True) -> OnnxNetworks:
    """Check and open a folder of graphs; `CheckpointError` for one that is not sound."""
    card, graphs = read_folder(folder)
    sessions = {name: open_graph(folder / f"{name}.onnx", data, arena=arena) for name, data in graphs.items()}
    plain = OnnxNetwork(card.config.without_context(), {RESTORE: sessions[PLAIN]}) if PLAIN in sessions else None
    return OnnxNetworks(card, OnnxNetwork(card.config, sessions), plain)


def open_graph(path: Path, data: bytes, *, arena: bool = True) -> GraphSession:
    """Open a graph that was checked, for as many threads as torch has; without `arena` it returns freed memory."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    options.enable_cpu_mem_arena = options.enable_mem_pattern = arena
    try:
        session: GraphSession = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # a class for each of its codes, none of them public
        raise CheckpointError(f"graph {path} cannot be run: {str(error).splitlines()[0]}") from error
    return session


def _inputs(pixels: Tensor, near: Box, taper: Taper, origins: Tensor, context: Context | None) -> dict[str, Tensor]:
    """Name what the graphs of regions take."""
    inputs = {"pixels": pixels, "windows": windows(near, taper)}
    return inputs if context is None else inputs | {"origins": origins, **context._asdict()}


def _run(session: GraphSession, **inputs: Tensor) -> list[Tensor]:
    """Run a graph on tensors; `MemoryError` where there is not enough."""
    arrays = {name: np.ascontiguousarray(tensor.numpy()) for name, tensor in inputs.items()}
    try:
        return [torch.from_numpy(array) for array in session.run(None, arrays)]
    except Exception as error:  # a class for each of its codes, none of them public
        if "alloc" in str(error):
            raise MemoryError("out of memory; restore fewer or smaller boxes at a time") from error
        raise CheckpointError(f"the graph is not what its card says: {str(error).splitlines()[0]}") from error
