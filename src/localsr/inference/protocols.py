"""What the engine takes as a network, and what its callers take as an encoder, here or at a service."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from localsr.conditions import Conditions
    from localsr.geometry import Box
    from localsr.images import Source
    from localsr.inference.region_scene import RegionScene
    from localsr.models.patches import Context
    from localsr.models.windows import NetworkGeometry, Taper
    from localsr.models.work import WorkLoad

    Floats = NDArray[np.float32]


class CountableNetwork(Protocol):
    """A network whose work can be counted, with weights or without."""

    @property
    def geometry(self) -> NetworkGeometry:
        """Where it looks."""

    def count_work(self, taper: Taper, near: Box, patches: int) -> WorkLoad:
        """Count what restoring one ROI takes: its windows, and of how many patches it asks keys and values."""

    def count_scene(self, patches: int) -> WorkLoad:
        """Count what making keys and values of so many patches takes; nothing without GCM."""


class RunnableNetwork(CountableNetwork, Protocol):
    """A network as the engine runs it, whatever computes it: torch, onnxruntime, or code of others."""

    @property
    def runtime(self) -> str:
        """What computes it: torch, onnx or foreign."""

    @property
    def version(self) -> str:
        """What computes it, with its version: numbers measured by another do not hold."""

    @property
    def device(self) -> str:
        """Where it computes: cpu, or an accelerator's name."""

    @property
    def threads(self) -> int:
        """How many threads of the CPU it computes with."""

    @property
    def conditioned(self) -> bool:
        """Whether it can be told how a picture was degraded."""

    @property
    def short_precision(self) -> str | None:
        """The precision of 16 bits that may be faster here; None where it runs in fp32 alone."""

    def shared_out(self, parts: int) -> AbstractContextManager[Callable[[], None]] | None:
        """Share its threads out among so many callers, each of which first calls what this gives; None: it does not."""

    def packed(self) -> Self:
        """Return this network as it runs fastest in fp32, its weights shared."""

    def shortened(self, precision: str) -> Self:
        """Return this network in a precision of 16 bits; `ConfigError` where it runs in fp32 alone."""

    def with_halo(self, halo: int) -> Self:
        """Return this network, its weights shared, keeping `halo` LR px around an ROI at every step."""

    def with_conditions(self, conditions: Conditions) -> Self:
        """Return this network, its weights shared, told how a picture was degraded; itself if it cannot be told."""

    def encode(self, patches: Floats, corners: Floats) -> Context[Floats] | None:
        """Make keys and values (Eq. 2) of a picture's patches; None without GCM.

        `patches` `(1, N, 3, r, r)` are RGB in [0, 1], `corners` `(1, N, 2)` their x and y in LR px.
        """

    def restore(
        self, pixels: Floats, near: Box, taper: Taper, origins: Floats, context: Context[Floats] | None
    ) -> Floats:
        """Restore B ROIs of one taper: `(B, 3, h, w)` RGB in [0, 1] -> `(B, 3, s roi.h, s roi.w)`, not clamped.

        `pixels` cover the window `near`. Boxes are in coordinates whose 0, 0 lies at `origins` `(B, 2)`, x and y in LR
        px of the picture, multiples of the geometry's `grid`. Raises `DeviceMemoryError` where fewer ROIs might do.
        """

    def attention(self, pixels: Floats, near: Box, taper: Taper, origins: Floats, context: Context[Floats]) -> Floats:
        """Return the weights `(B, heads, queries, tokens)` with which the GCM draws on the patches (Eq. 3, Fig. 8)."""


class DeviceMemoryError(MemoryError):
    """An accelerator has not the memory for a batch."""


class PictureEncoder(Protocol):
    """Who looks at a picture once: a `Restorer` of this process, or a `Client` of a service."""

    def encode(self, source: Source, *, denoise: float | None = None, deblur: float | None = None) -> RegionScene:
        """Look at whatever `localsr.read` takes, and return the scene whose regions can be restored."""
