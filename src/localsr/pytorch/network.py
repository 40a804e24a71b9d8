"""A network of torch as the engine runs it: NumPy's arrays go in and come out, without a copy on a CPU."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import ClassVar, Protocol, Self, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from localsr.conditions import Conditions
from localsr.errors import ConfigError
from localsr.geometry import Box
from localsr.inference.memory import keep_freed
from localsr.inference.protocols import DeviceMemoryError
from localsr.models.patches import Context
from localsr.models.windows import NetworkGeometry, Taper
from localsr.models.work import WorkLoad
from localsr.pytorch.prepacking import packed, shortened

TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}  # by precision
Floats = NDArray[np.float32]


class TensorNetwork(Protocol):
    """What a `TorchNetwork` runs: the same methods on tensors, those of `localsr.models.clsr.CLSR`."""

    runtime: ClassVar[str]

    @property
    def geometry(self) -> NetworkGeometry:
        """Where it looks."""

    @property
    def device(self) -> torch.device:
        """Where it computes, and where its inputs are put."""

    @property
    def conditioned(self) -> bool:
        """Whether it can be told how a picture was degraded."""

    def with_halo(self, halo: int) -> Self:
        """Return this network with another halo."""

    def with_conditions(self, conditions: Conditions) -> Self:
        """Return this network told how a picture was degraded."""

    def encode(self, patches: Tensor, corners: Tensor) -> Context[Tensor] | None:
        """Make keys and values (Eq. 2) of a picture's patches."""

    def restore(
        self, pixels: Tensor, near: Box, taper: Taper, origins: Tensor, context: Context[Tensor] | None
    ) -> Tensor:
        """Restore B ROIs of one taper."""

    def attention(self, pixels: Tensor, near: Box, taper: Taper, origins: Tensor, context: Context[Tensor]) -> Tensor:
        """Return the weights with which the GCM draws on the patches."""

    def count_work(self, taper: Taper, near: Box, patches: int) -> WorkLoad:
        """Count what restoring one ROI takes."""

    def count_scene(self, patches: int) -> WorkLoad:
        """Count what making keys and values takes."""


@runtime_checkable
class ShortenableNetwork(Protocol):
    """A network of others' code that knows how to run in 16 bits; ours are converted by `prepacking.shortened`."""

    def shortened(self, dtype: torch.dtype) -> TensorNetwork | None:
        """Return this network in 16 bits, None where it cannot run so."""


class TorchNetwork:
    """A `RunnableNetwork` of tensors: `module` is what computes."""

    def __init__(self, module: TensorNetwork) -> None:
        """Take a network in evaluation mode."""
        self.module = module
        self.runtime, self.version = module.runtime, f"torch {torch.__version__}"

    @property
    def geometry(self) -> NetworkGeometry:
        """Where it looks."""
        return self.module.geometry

    @property
    def device(self) -> str:
        """Where it computes."""
        return str(self.module.device)

    @property
    def threads(self) -> int:
        """Torch's."""
        return torch.get_num_threads()

    @property
    def conditioned(self) -> bool:
        """Whether it can be told how a picture was degraded."""
        return self.module.conditioned

    @property
    def short_precision(self) -> str | None:
        """bf16 on a CPU, fp16 on an accelerator; none for code of others that cannot."""
        precision = "bf16" if self.device == "cpu" else "fp16"
        is_ours = isinstance(self.module, nn.Module)
        return precision if is_ours or self._in_16_bits(precision) is not None else None

    def shared_out(self, parts: int) -> AbstractContextManager[Callable[[], None]] | None:
        """Share torch's threads out on a CPU; those of code of others are not ours to arrange."""
        return _sharing(parts) if isinstance(self.module, nn.Module) and self.device == "cpu" else None

    def packed(self) -> Self:
        """Return this network with weights in the order that oneDNN computes in, where that is ours to arrange."""
        if not isinstance(self.module, nn.Module) or self.device != "cpu":
            return self
        keep_freed()
        return self._of(packed(self.module))

    def shortened(self, precision: str) -> Self:
        """Return this network in a precision of 16 bits."""
        module = self._in_16_bits(precision)
        if module is None:
            raise ConfigError(f"this network runs in fp32 alone, not in {precision}")
        return self._of(module)

    def _in_16_bits(self, precision: str) -> TensorNetwork | None:
        """Return what computes in 16 bits; None for what cannot."""
        if isinstance(self.module, nn.Module):
            return shortened(self.module, TYPES[precision])
        return self.module.shortened(TYPES[precision]) if isinstance(self.module, ShortenableNetwork) else None

    def with_halo(self, halo: int) -> Self:
        """Return this network, its weights shared, keeping `halo` LR px around an ROI at every step."""
        return self._of(self.module.with_halo(halo))

    def with_conditions(self, conditions: Conditions) -> Self:
        """Return this network, its weights shared, told how a picture was degraded; itself if it cannot be told."""
        return self._of(self.module.with_conditions(conditions)) if self.conditioned else self

    def encode(self, patches: Floats, corners: Floats) -> Context[Floats] | None:
        """Make keys and values of a picture's patches; None without GCM."""
        with torch.inference_mode():
            context = self.module.encode(self._tensor(patches), self._tensor(corners))
            return None if context is None else Context(*map(_array, context))

    def restore(
        self, pixels: Floats, near: Box, taper: Taper, origins: Floats, context: Context[Floats] | None
    ) -> Floats:
        """Restore B ROIs of one taper."""
        with torch.inference_mode():
            known = None if context is None else Context(*map(self._tensor, context))
            try:
                return _array(self.module.restore(self._pixels(pixels), near, taper, self._tensor(origins), known))
            except torch.OutOfMemoryError as error:
                failure = DeviceMemoryError(str(error))
        torch.accelerator.empty_cache()
        raise failure

    def attention(self, pixels: Floats, near: Box, taper: Taper, origins: Floats, context: Context[Floats]) -> Floats:
        """Return the weights with which the GCM draws on the patches."""
        with torch.inference_mode():
            known = Context(*map(self._tensor, context))
            return _array(self.module.attention(self._pixels(pixels), near, taper, self._tensor(origins), known))

    def count_work(self, taper: Taper, near: Box, patches: int) -> WorkLoad:
        """Count what restoring one ROI takes."""
        return self.module.count_work(taper, near, patches)

    def count_scene(self, patches: int) -> WorkLoad:
        """Count what making keys and values of so many patches takes."""
        return self.module.count_scene(patches)

    def _of(self, module: TensorNetwork) -> Self:
        """Return the same of another module."""
        other = copy.copy(self)
        other.module = module
        return other

    def _tensor(self, array: Floats) -> Tensor:
        """Put an array where the network computes."""
        return torch.from_numpy(array).to(self.module.device)

    def _pixels(self, array: Floats) -> Tensor:
        """Put pixels there in the order that convolutions are fastest in."""
        return self._tensor(array).contiguous(memory_format=torch.channels_last)


def _array(tensor: Tensor) -> Floats:
    """Return the numbers of a tensor in float32."""
    array: Floats = tensor.float().cpu().numpy()
    return array


@contextmanager
def _sharing(parts: int) -> Iterator[Callable[[], None]]:
    """Give what has a thread compute with its share of the cores."""
    cores = torch.get_num_threads()
    try:
        yield lambda: torch.set_num_threads(cores // parts)
    finally:
        torch.set_num_threads(cores)  # which threads that are started later begin with, too
