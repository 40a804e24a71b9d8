"""A network whose weights are in ONNX graphs: its geometry from the config, its pixels from onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from localsr.errors import CheckpointError
from localsr.geometry import Box
from localsr.models.backbone import Taper
from localsr.models.clsr import CLSR
from localsr.models.config import ModelConfig
from localsr.models.context import Context
from localsr.onnx.folder import ATTEND, ENCODE, RESTORE
from localsr.onnx.graphs import windows


class Session(Protocol):
    """What onnxruntime's InferenceSession does here."""

    def run(self, names: None, inputs: dict[str, NDArray[Any]]) -> list[NDArray[np.float32]]:
        """Compute all outputs."""


class OnnxNetwork(CLSR):
    """Takes the place of the torch network wherever one is run; halos, tapers and costs follow from its config."""

    runtime: ClassVar[str] = "onnx"

    def __init__(self, config: ModelConfig, graphs: Mapping[str, Session]) -> None:
        """Take the graphs of a config by their names: *restore*, for one with GCM *encode* and *attend* too."""
        with torch.device("meta"):
            super().__init__(config)
        self.eval()
        self._graphs = graphs

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return torch.device("cpu")

    def encode(self, patches: Tensor, corners: Tensor) -> Context | None:
        """Make keys and values by the graph *encode*."""
        if self.gcm is None:
            return None
        return Context(*_run(self._graphs[ENCODE], patches=patches, corners=corners))

    def restore(self, pixels: Tensor, near: Box, taper: Taper, origins: Tensor, context: Context | None) -> Tensor:
        """Restore by the graph *restore*."""
        (y,) = _run(self._graphs[RESTORE], **_inputs(pixels, near, taper, origins, context))
        box = taper.roi.scaled(self.config.scale)
        if y.shape != (len(pixels), 3, box.height, box.width):
            raise CheckpointError(f"the graph gave {tuple(y.shape)} for {box.size} px; it is not what its card says")
        return y

    def attention(self, pixels: Tensor, near: Box, taper: Taper, origins: Tensor, context: Context) -> Tensor:
        """Give the weights of the attention by the graph *attend*."""
        (weights,) = _run(self._graphs[ATTEND], **_inputs(pixels, near, taper, origins, context))
        if weights.ndim != 4 or (len(weights), weights.shape[-1]) != (len(pixels), context.keys.shape[2]):
            raise CheckpointError(f"the graph gave weights {tuple(weights.shape)}; it is not what its card says")
        return weights


def _inputs(pixels: Tensor, near: Box, taper: Taper, origins: Tensor, context: Context | None) -> dict[str, Tensor]:
    """Name what the graphs of regions take."""
    inputs = {"pixels": pixels, "windows": windows(near, taper)}
    return inputs if context is None else inputs | {"origins": origins, **context._asdict()}


def _run(session: Session, **inputs: Tensor) -> list[Tensor]:
    """Run a graph on tensors; `MemoryError` where there is not enough."""
    arrays = {name: np.ascontiguousarray(tensor.numpy()) for name, tensor in inputs.items()}
    try:
        return [torch.from_numpy(array) for array in session.run(None, arrays)]
    except Exception as error:  # a class for each of its codes, none of them public
        if "alloc" in str(error):
            raise MemoryError("out of memory; restore fewer or smaller boxes at a time") from error
        raise CheckpointError(f"the graph is not what its card says: {str(error).splitlines()[0]}") from error
