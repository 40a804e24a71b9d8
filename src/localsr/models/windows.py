"""The windows of a picture that a network reads for an ROI; arithmetic of boxes, without a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, Self

from localsr.geometry import Box, Size, snapped, whole


@dataclass(frozen=True)
class Taper:
    """The windows that one ROI occupies on its way through a network, in LR px of the picture (or of `windows[0]`).

    `windows[0]` is what the head reads, `windows[k]` what is kept after stage k, the last what the upsampler sees.
    A window stops at the picture's border, so that the network pads there, and only there, as on the whole picture.
    Stages that work on a grid of `multiple` px find it start at the corner of `windows[0]`; only there is a window
    allowed to leave the picture, at the right and the bottom by less than a cell, where the picture's edge is repeated.
    Where a place of the feature maps has `unit` px, every window lies on the grid of units from the picture's corner.
    """

    windows: tuple[Box, ...]
    roi: Box
    multiple: int = 1  # of LR px: the sides of all windows but the last, which no stage reads
    unit: int = 1  # LR px; divides `multiple`, and the sides of the last window

    @classmethod
    def around(
        cls, roi: Box, size: Size, halo: tuple[int, ...], multiple: int = 1, unit: int = 1, *, aligned: bool = False
    ) -> Self:
        """Grow `roi` by `halo[k]` px at step k, clipped to a picture of `size`.

        Windows grow on to `multiple` px within the picture wherever that can be. `aligned` has them on the grid that
        starts at the picture's corner, as on the whole picture; they are so too where they would leave the picture.
        """
        windows = [roi.grow(h).clipped(size) for h in halo]
        x, y = (0, 0) if aligned or unit > 1 else (windows[0].left, windows[0].top)
        if not whole(size).contains(snapped(windows[0], multiple, x, y)):
            x, y = 0, 0
        return cls._on_grid(windows, roi, (multiple, unit), x, y)

    @classmethod
    def _on_grid(cls, windows: Sequence[Box], roi: Box, steps: tuple[int, int], x: int, y: int) -> Self:
        """Push windows out to the grid that starts at x, y: of the first of two steps, the last window to the second.

        The steps are multiple and unit.
        """
        multiple, unit = steps
        inner = (snapped(w, multiple, x, y) for w in windows[:-1])
        return cls((*inner, snapped(windows[-1], unit, x, y)), roi, multiple, unit)

    def part(self, tile: Box, halo: tuple[int, ...]) -> Self:
        """Return the taper of a tile of this ROI: with the exact `halo`, the tile comes out as the whole ROI would."""
        windows = [tile.grow(h).intersection(w) for h, w in zip(halo, self.windows, strict=True)]
        return self._on_grid(windows, tile, (self.multiple, self.unit), self.windows[0].left, self.windows[0].top)

    def shifted(self, right: int, down: int) -> Self:
        """Move all of it by whole pixels."""
        windows = tuple(w.shifted(right, down) for w in self.windows)
        return replace(self, windows=windows, roi=self.roi.shifted(right, down))


class ContextGeometry(NamedTuple):
    """What of a picture the GCM samples, what its keys and values look like, and where it acts (Sec. 3.2)."""

    patch: int  # LR px of a patch's side, r in the paper
    patches: int  # at most so many of a picture, N in the paper
    stride: int  # LR px of a token's side
    heads: int
    width: int  # channels of a head
    after: int  # the stage after which it is added
    reach: int  # LR px that it looks beyond a pixel of the features

    def tokens(self, patches: int) -> int:
        """Return how many keys so many patches have."""
        return patches * (self.patch // self.stride) ** 2


@dataclass(frozen=True)
class NetworkGeometry:
    """Where a network looks: all that planning needs to know of it, whatever computes it."""

    scale: int
    halo: tuple[int, ...]  # LR px kept around the ROI at each step: at the head, then after each stage
    receptive_field: tuple[int, ...]  # LR px that the head, each stage, and tail with upsampler look beyond a pixel
    multiple: int = 1  # LR px that the sides of a window must be multiples of
    near_reach: tuple[int, ...] = ()  # LR px that the PIM looks beyond a pixel after each stage; none without PIM
    context: ContextGeometry | None = None  # None without GCM
    unit: int = 1  # LR px whose square is one place of the feature maps
    sees_all: bool = False  # whether only the whole picture is exact: then there are no tiles

    def taper(self, roi: Box, size: Size, halo: tuple[int, ...], *, aligned: bool = False) -> Taper:
        """Return the windows of an ROI of a picture of `size` with a halo, as `Taper.around` has them."""
        return Taper.around(roi, size, halo, self.multiple, self.unit, aligned=aligned)

    @property
    def has_context(self) -> bool:
        """Whether there is a GCM or a PIM, so that `clsr` can run."""
        return self.context is not None or bool(self.near_reach)

    @property
    def grid(self) -> int:
        """LR px by whose multiples a window may be moved without changing what the network makes of it."""
        return 1 if self.context is None else self.context.stride

    @cached_property
    def exact_halo(self) -> tuple[int, ...]:
        """The halo at each step with which a tile comes out as the same place of the whole picture does."""
        field = self.receptive_field
        halo = (sum(field), *(sum(field[k:]) for k in range(2, len(field))))
        if self.context is None:
            return halo
        reach, last = self.context.reach, self.context.after
        return tuple(h + reach if k <= last else h for k, h in enumerate(halo))

    def near(self, taper: Taper, size: Size) -> Box:
        """Return the window that is read for an ROI, of a picture of `size`.

        Without a PIM it is the taper's first window; with one it is so large that the features of the PIM are, wherever
        they are fused, as on the whole picture (Sec. 3.3).
        """
        near = taper.windows[0]
        if self.near_reach:
            for window, reach in zip(taper.windows[1:], self.near_reach, strict=True):
                near = near.union(window.grow(reach).clipped(size))
            near = snapped(near, self.multiple)
        return near
