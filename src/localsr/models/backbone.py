"""The narrow contract of a backbone, the same class at full and at slim width, and an ROI's taper through it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple, Self

from torch import Tensor, nn

from localsr.geometry import Box, Size, whole
from localsr.models.config import ModelConfig


@dataclass(frozen=True)
class Taper:
    """The windows that one ROI occupies on its way through a network, in LR px of the picture (or of `windows[0]`).

    `windows[0]` is what the head reads, `windows[k]` what is kept after stage k, the last what the upsampler sees.
    A window stops at the picture's border, so that the network pads there, and only there, as on the whole picture.
    Stages that work on a grid of `multiple` px find it start at the corner of `windows[0]`; only there is a window
    allowed to leave the picture, at the right and the bottom by less than a cell, where the picture's edge is repeated.
    """

    windows: tuple[Box, ...]
    roi: Box
    multiple: int = 1  # of LR px: the sides of all windows but the last, which no stage reads

    @classmethod
    def around(cls, roi: Box, size: Size, halo: tuple[int, ...], multiple: int = 1, *, aligned: bool = False) -> Self:
        """Grow `roi` by `halo[k]` px at step k, clipped to a picture of `size`.

        Windows grow on to `multiple` px within the picture wherever that can be. `aligned` has them on the grid that
        starts at the picture's corner, as on the whole picture; they are so too where they would leave the picture.
        """
        windows = [roi.grow(h).clipped(size) for h in halo]
        x, y = (0, 0) if aligned else (windows[0].left, windows[0].top)
        if not whole(size).contains(windows[0].snapped(multiple, x, y)):
            x, y = 0, 0
        return cls._on_grid(windows, roi, multiple, x, y)

    @classmethod
    def _on_grid(cls, windows: Sequence[Box], roi: Box, multiple: int, x: int, y: int) -> Self:
        """Push all windows but the last out to the grid that starts at x, y."""
        return cls((*(w.snapped(multiple, x, y) for w in windows[:-1]), windows[-1]), roi, multiple)

    def part(self, tile: Box, halo: tuple[int, ...]) -> Self:
        """Give the taper of a tile of this ROI: with the exact `halo`, the tile comes out as the whole ROI would."""
        windows = [tile.grow(h).intersection(w) for h, w in zip(halo, self.windows, strict=True)]
        return self._on_grid(windows, tile, self.multiple, self.windows[0].left, self.windows[0].top)

    def shifted(self, right: int, down: int) -> Self:
        """Move all of it by whole pixels."""
        windows = tuple(w.shifted(right, down) for w in self.windows)
        return replace(self, windows=windows, roi=self.roi.shifted(right, down))


class Features(NamedTuple):
    """What flows between stages: `z` `(B, c, h, w)` of Eq. 6, and what is carried along at the same size."""

    z: Tensor
    carry: tuple[Tensor, ...]

    def crop(self, box: Box) -> Features:
        """Cut every map to `box`, given in the maps' own coordinates."""
        return Features(crop(self.z, box), tuple(crop(c, box) for c in self.carry))


def crop(maps: Tensor, box: Box) -> Tensor:
    """Cut `(..., h, w)` to `box`: a view."""
    return maps.narrow(-2, box.top, box.height).narrow(-1, box.left, box.width)


class Backbone(nn.Module):
    """A super-resolution network in four steps, each a module.

    `head`: `(B, 3, h, w)` RGB in [0, 1] -> `Features`. Each of `stages`, and `tail`: `Features` -> `Features`.
    `upsample`: `Features` -> `(B, 3, s h, s w)` RGB, nominally in [0, 1], not clamped.
    """

    multiple: ClassVar[int] = 1  # of LR px that a window's sides must be
    receptive_field: tuple[int, ...]  # LR px that the head, each stage, and tail with upsampler look beyond a pixel
    head: nn.Module
    stages: nn.ModuleList
    tail: nn.Module
    upsample: nn.Module

    def __init__(self, config: ModelConfig) -> None:
        """Remember what every backbone has."""
        super().__init__()
        self.channels = config.channels
        self.scale = config.scale

    @property
    def exact_halo(self) -> tuple[int, ...]:
        """The halo at each step with which an ROI comes out as the same place of the whole picture does."""
        field = self.receptive_field
        return (sum(field), *(sum(field[k:]) for k in range(2, len(field))))

    def forward(self, x: Tensor, taper: Taper, fuse: Callable[[int, Tensor], Tensor] | None = None) -> Tensor:
        """Restore an ROI: `x` `(B, 3, h, w)` is the taper's first window, the answer `(B, 3, s roi.h, s roi.w)`.

        Taper and `x` share their coordinates. `fuse(k, z)` adds what the context knows after stage k = 1, 2, ...
        """
        y: Tensor = self.upsample(self.tail(self.deep(x, taper, len(self.stages), fuse)))
        return crop(y, taper.roi.within(taper.windows[-1]).scaled(self.scale))

    def deep(
        self, x: Tensor, taper: Taper, stages: int, fuse: Callable[[int, Tensor], Tensor] | None = None
    ) -> Features:
        """Run the head and the first `stages`: features that cover `taper.windows[stages]`."""
        features: Features = self.head(x)
        for k, stage in enumerate(self.stages[:stages], start=1):
            here, kept = taper.windows[k - 1], taper.windows[k]
            features = stage(features).crop(kept.within(here))
            if fuse is not None:
                features = features._replace(z=fuse(k, features.z))
        return features
