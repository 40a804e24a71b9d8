"""A network of others as the engine runs it: a function of a window, and what was measured of it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import ClassVar, NamedTuple, Self

import torch
from torch import Tensor
from torch.nn import functional

from localsr.conditions import Conditions
from localsr.errors import CheckpointError, ConfigError
from localsr.foreign.probe import Measurement
from localsr.geometry import Box
from localsr.models.backbone import crop
from localsr.models.patches import Context
from localsr.models.windows import NetworkGeometry, Taper
from localsr.models.work import WorkLoad

EVERYTHING = 2**20  # LR px: more than a picture has, so that a window is the picture


class ForeignNetwork(NamedTuple):
    """A network of others, read and checked, before it is measured."""

    run: Callable[[Tensor], Tensor]  # (B, channels, h, w) in [0, 1] -> (B, channels, s h, s w), on its device
    architecture: str
    scale: int
    channels: int  # 3, or 1: then colours run one by one
    runtime: str  # what computes it: spandrel or onnxruntime
    device: torch.device

    def upscale(self, x: Tensor) -> Tensor:
        """Enlarge `(B, 3, h, w)` RGB in [0, 1] to `(B, 3, s h, s w)`; what is not that shape is refused."""
        b, _, h, w = x.shape
        # a copy: networks of others may change their input in place
        y = self.run(x.reshape(3 * b // self.channels, self.channels, h, w).clone())
        if y.shape != (3 * b // self.channels, self.channels, self.scale * h, self.scale * w):
            raise CheckpointError(f"a {self.architecture} gave {tuple(y.shape)} for {tuple(x.shape)} at x{self.scale}")
        return y.reshape(b, 3, self.scale * h, self.scale * w)

    def shortened(self, dtype: torch.dtype) -> ForeignNetwork:
        """Return it in 16 bits, as torch's autocast has them: what loses by them, such as normalisation, stays fp32."""

        def run(x: Tensor) -> Tensor:
            with torch.autocast(self.device.type, dtype):
                return self.run(x).float()

        return self._replace(run=run)


class BlackBox:
    """A `TensorNetwork` that sees a region with the halo that was measured, on the grid that was measured."""

    runtime: ClassVar[str] = "foreign"  # code of others: threads and weights are not ours to arrange

    def __init__(self, network: ForeignNetwork, found: Measurement, per_pixel: WorkLoad) -> None:
        """Take a network, its measurement, and what an LR pixel takes."""
        self.network, self.found, self._per_pixel, self._halo = network, found, per_pixel, found.halo

    @property
    def geometry(self) -> NetworkGeometry:
        """Where it looks; one that is global sees all there is, and only the whole picture is exact."""
        reach = EVERYTHING if self.found.is_global else self.found.reach
        grid = self.found.grid
        return NetworkGeometry(
            self.network.scale, (self._halo, 0), (reach, 0, 0), grid, unit=grid, sees_all=self.found.is_global
        )

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.network.device

    conditioned: ClassVar[bool] = False

    def with_conditions(self, conditions: Conditions) -> Self:
        """Return the network itself, which nothing can be told."""
        return self

    def with_halo(self, halo: int) -> Self:
        """Return this network keeping `halo` LR px around an ROI."""
        other = copy.copy(self)
        other._halo = halo
        return other

    def shortened(self, dtype: torch.dtype) -> Self | None:
        """Return this network in 16 bits; None for one that onnxruntime computes, in the type of its graph."""
        if self.network.runtime == "onnxruntime":
            return None
        other = copy.copy(self)
        other.network = self.network.shortened(dtype)
        return other

    def encode(self, patches: Tensor, corners: Tensor) -> Context[Tensor] | None:
        """Return None: it has no context."""
        return None

    def restore(
        self, pixels: Tensor, near: Box, taper: Taper, origins: Tensor, context: Context[Tensor] | None
    ) -> Tensor:
        """Restore ROIs from their windows, `(B, 3, h, w)` RGB in [0, 1]."""
        window = taper.windows[0]
        x = crop(pixels, window.within(near))
        least = max(self.found.grid, 8)  # px of a side: several architectures pad by reflection, up to 7 px
        short = [max(least - side, 0) for side in (window.width, window.height)]
        y = self.network.upscale(functional.pad(x, (0, short[0], 0, short[1]), mode="replicate"))
        return crop(y, taper.roi.within(window).scaled(self.network.scale))

    def attention(self, pixels: Tensor, near: Box, taper: Taper, origins: Tensor, context: Context[Tensor]) -> Tensor:
        """Refuse: it has no context."""
        raise ConfigError("this network has no global context module, so there is no attention to show")

    def count_work(self, taper: Taper, near: Box, patches: int) -> WorkLoad:
        """Count what restoring one ROI takes, by what a pixel takes."""
        area = taper.windows[0].area
        return WorkLoad(self._per_pixel.flops * area, self._per_pixel.bytes * area)

    def count_scene(self, patches: int) -> WorkLoad:
        """Count nothing: it has no context."""
        return WorkLoad(0, 0)
