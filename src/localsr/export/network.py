"""A network whose weights are in ONNX graphs: its geometry from the config, its pixels from onnxruntime."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from localsr.errors import CheckpointError, ConfigError
from localsr.export.graphs import windows
from localsr.geometry import Box
from localsr.models.backbone import Taper
from localsr.models.clsr import CLSR
from localsr.models.config import ModelConfig
from localsr.models.context import Context


class Session(Protocol):
    """What onnxruntime's InferenceSession does here."""

    def run(self, names: None, inputs: dict[str, NDArray[Any]]) -> list[NDArray[np.float32]]:
        """Compute all outputs."""


class OnnxNetwork(CLSR):
    """Takes the place of the torch network wherever one is run; halos, tapers and costs follow from its config."""

    runtime: ClassVar[str] = "onnx"

    def __init__(self, config: ModelConfig, restoring: Session, encoding: Session | None = None) -> None:
        """Take the graphs of a config, *encode* for one with GCM."""
        with torch.device("meta"):
            super().__init__(config)
        self.eval()
        self._restoring, self._encoding = restoring, encoding

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return torch.device("cpu")

    def encode(self, patches: Tensor, corners: Tensor) -> Context | None:
        """Make keys and values by the graph *encode*."""
        if self._encoding is None:
            return None
        return Context(*_run(self._encoding, patches=patches, corners=corners))

    def restore(self, pixels: Tensor, near: Box, taper: Taper, origins: Tensor, context: Context | None) -> Tensor:
        """Restore by the graph *restore*."""
        inputs = {"pixels": pixels, "windows": windows(near, taper)}
        if context is not None:
            inputs |= {"origins": origins, **context._asdict()}
        (y,) = _run(self._restoring, **inputs)
        box = taper.roi.scaled(self.config.scale)
        if y.shape != (len(pixels), 3, box.height, box.width):
            raise CheckpointError(f"the graph gave {tuple(y.shape)} for {box.size} px; it is not what its card says")
        return y

    def attention(self, pixels: Tensor, near: Box, taper: Taper, origins: Tensor, context: Context) -> Tensor:
        """Refuse: the weights of the attention stay inside the graph."""
        raise ConfigError("a graph does not tell what it attends to; explain regions with the checkpoint it came from")


def _run(session: Session, **inputs: Tensor) -> list[Tensor]:
    """Run a graph on tensors; `MemoryError` where there is not enough."""
    arrays = {name: np.ascontiguousarray(tensor.numpy()) for name, tensor in inputs.items()}
    try:
        return [torch.from_numpy(array) for array in session.run(None, arrays)]
    except Exception as error:  # a class for each of its codes, none of them public
        if "alloc" in str(error):
            raise MemoryError("out of memory; restore fewer or smaller boxes at a time") from error
        raise CheckpointError(f"the graph is not what its card says: {str(error).splitlines()[0]}") from error
