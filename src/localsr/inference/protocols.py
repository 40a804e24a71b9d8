"""What the engine takes as a network, and what its callers take as a scene, here or at a service."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from os import PathLike
from typing import TYPE_CHECKING, ClassVar, Protocol, Self, overload

if TYPE_CHECKING:  # who only asks for regions, as a client does, needs no torch
    import torch
    from torch import Tensor

    from localsr.geometry import Box
    from localsr.images import Photo, Saving, Source
    from localsr.inference.cost import CostEstimate
    from localsr.inference.paste import Pasting
    from localsr.inference.restoration import Attention, Restoration
    from localsr.inference.strategies import Strategy
    from localsr.models.context import Context
    from localsr.models.counting import WorkLoad
    from localsr.models.windows import NetworkGeometry, Taper
    from localsr.progress import Progress


class RunnableNetwork(Protocol):
    """A network as the engine runs it, whatever computes it: torch, onnxruntime, or code of others."""

    runtime: ClassVar[str]  # what computes it

    @property
    def geometry(self) -> NetworkGeometry:
        """Where it looks."""

    @property
    def device(self) -> torch.device:
        """Where it computes, and where its inputs are put."""

    def with_halo(self, halo: int) -> Self:
        """Return this network, its weights shared, keeping `halo` LR px around an ROI at every step."""

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


class PictureEncoder(Protocol):
    """Who looks at a picture once: a `Restorer` of this process, or a `Client` of a service."""

    def encode(self, source: Source) -> RegionScene:
        """Look at whatever `localsr.read` takes, and return the scene whose regions can be restored."""


class RegionScene(Protocol):
    """A photo whose regions can be restored: a `Scene` of this process, or a `RemoteScene` of a service."""

    @property
    def photo(self) -> Photo:
        """The photo."""

    @property
    def scale(self) -> int:
        """How many times a region is enlarged."""

    @property
    def strategies(self) -> list[Strategy]:
        """The strategies that can run."""

    def strategy(self, asked: Strategy | str | None = None) -> Strategy:
        """Return the strategy that runs when `asked` is asked for, the default for None; `ConfigError` for no such."""

    @overload
    def restore(
        self,
        boxes: Box,
        strategy: Strategy | str | None = ...,
        *,
        clip: bool = ...,
        progress: Progress | None = ...,
    ) -> Restoration: ...

    @overload
    def restore(
        self,
        boxes: Sequence[Box],
        strategy: Strategy | str | None = ...,
        *,
        clip: bool = ...,
        progress: Progress | None = ...,
    ) -> list[Restoration]: ...

    def stream(
        self,
        boxes: Sequence[Box],
        strategy: Strategy | str | None = None,
        *,
        clip: bool = False,
        progress: Progress | None = None,
    ) -> Iterator[tuple[int, Restoration]]:
        """Restore boxes, and yield each one's number and restoration as soon as it is ready."""

    def cost(self, boxes: Box | Sequence[Box]) -> dict[Strategy, CostEstimate]:
        """Return what restoring boxes would cost by each strategy that can run."""

    def attention(self, box: Box) -> Attention:
        """Return which of the sampled patches the network draws on for a box."""

    def paste(
        self,
        path: str | PathLike[str],
        boxes: Sequence[Box],
        strategy: Strategy | str | None = None,
        how: Pasting = ...,
        progress: Progress | None = None,
        saving: Saving = ...,
    ) -> None:
        """Write the picture with its boxes restored."""
