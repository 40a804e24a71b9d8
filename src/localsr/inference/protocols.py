"""What the engine takes as a network, and what its callers take as an encoder, here or at a service."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol, Self, runtime_checkable

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from localsr.conditions import Conditions
    from localsr.geometry import Box
    from localsr.images import Source
    from localsr.inference.region_scene import RegionScene
    from localsr.models.context import Context
    from localsr.models.counting import WorkLoad
    from localsr.models.windows import NetworkGeometry, Taper


class RunnableNetwork(Protocol):
    """A network as the engine runs it, whatever computes it: torch, onnxruntime, or code of others."""

    runtime: ClassVar[str]  # what computes it

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
        """Return this network, its weights shared, keeping `halo` LR px around an ROI at every step."""

    def with_conditions(self, conditions: Conditions) -> Self:
        """Return this network, its weights shared, told how a picture was degraded; itself if it cannot be told."""

    def encode(self, patches: Tensor, corners: Tensor) -> Context | None:
        """Make keys and values (Eq. 2) of a picture's patches; None without GCM.

        `patches` `(1, N, 3, r, r)` are RGB in [0, 1], `corners` `(1, N, 2)` their x and y in LR px.
        """

    def restore(self, pixels: Tensor, near: Box, taper: Taper, origins: Tensor, context: Context | None) -> Tensor:
        """Restore B ROIs of one taper: `(B, 3, h, w)` RGB in [0, 1] -> `(B, 3, s roi.h, s roi.w)`, not clamped.

        `pixels` cover the window `near`. Boxes are in coordinates whose 0, 0 lies at `origins` `(B, 2)`, x and y in LR
        px of the picture, multiples of the geometry's `grid`.
        """

    def attention(self, pixels: Tensor, near: Box, taper: Taper, origins: Tensor, context: Context) -> Tensor:
        """Return the weights `(B, heads, queries, tokens)` with which the GCM draws on the patches (Eq. 3, Fig. 8)."""

    def count_work(self, taper: Taper, near: Box, patches: int) -> WorkLoad:
        """Count what restoring one ROI takes: its windows, and of how many patches it asks keys and values."""

    def count_scene(self, patches: int) -> WorkLoad:
        """Count what making keys and values of so many patches takes; nothing without GCM."""


@runtime_checkable
class ShortenableNetwork(Protocol):
    """A network of others' code that knows how to run in 16 bits; ours are converted by `prepacking.shortened`."""

    def shortened(self, dtype: torch.dtype) -> RunnableNetwork | None:
        """Return this network in 16 bits, None where it cannot run so."""


class PictureEncoder(Protocol):
    """Who looks at a picture once: a `Restorer` of this process, or a `Client` of a service."""

    def encode(self, source: Source, *, denoise: float | None = None, deblur: float | None = None) -> RegionScene:
        """Look at whatever `localsr.read` takes, and return the scene whose regions can be restored."""
