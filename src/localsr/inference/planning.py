"""From boxes to work: tiles of what is too large for one, and one tile for boxes that crowd."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

from localsr.errors import ConfigError
from localsr.geometry import Box, Size, tiles, whole
from localsr.inference.memory import available
from localsr.inference.protocols import RunnableNetwork
from localsr.inference.strategies import Strategy
from localsr.models.windows import Taper
from localsr.models.work import WorkLoad

TILE_SIDE = 192  # LR px. With the exact halo of the default, a feature map has 13 MB
MIN_TILE_SIDE = 24  # LR px; no memory is so small that tiles are smaller


class WorkSettings(NamedTuple):
    """What work depends on besides its boxes."""

    network: RunnableNetwork
    strategy: Strategy
    size: Size  # of the picture
    patches: int = 0  # of the picture, whose keys and values the network asks
    memory: int | None = None  # bytes that a batch's tensors may take; None for no bound


class WorkItem(NamedTuple):
    """A piece of work: a box, a tile of one, or a tile that several boxes share."""

    boxes: tuple[int, ...]  # the numbers of the boxes that it is for
    taper: Taper  # in LR px of the picture
    near: Box  # what must be read for it; what of it lies outside `bounds` repeats their edge
    bounds: Box

    def origin(self, grid: int) -> tuple[int, int]:
        """Return the multiple of the grid at or left above the window that is read."""
        return self.near.left // grid * grid, self.near.top // grid * grid

    def local(self, grid: int) -> tuple[Taper, Box]:
        """Return taper and window in coordinates from `origin`: items alike here can be one batch."""
        x, y = self.origin(grid)
        return self.taper.shifted(-x, -y), self.near.shifted(-x, -y)

    def load(self, settings: WorkSettings) -> WorkLoad:
        """Count what it takes."""
        return settings.network.count_work(*self.local(settings.network.geometry.grid), settings.patches)


def plan_work(boxes: Sequence[Box], settings: WorkSettings, *, share: bool = False) -> list[WorkItem]:
    """Return the work that makes `boxes`: an item for each box, or for each tile of a large one.

    A tile is at least twice as wide as the exact halo, so that it costs at most four times its own pixels, unless it
    would take more than the memory allowed. With `share`, boxes that crowd become one tile wherever that is cheaper.
    """
    geometry, size = settings.network.geometry, settings.size
    if geometry.sees_all and settings.memory is None:
        settings = settings._replace(memory=available())
    exact = geometry.exact_halo
    margin = exact[0]
    side = max(TILE_SIDE, 2 * margin)
    items = []
    for n, box in enumerate(boxes):
        bounds = box if settings.strategy is Strategy.CROP else whole(size)
        taper = settings.strategy.taper(box, size, geometry)
        item = WorkItem((n,), taper, geometry.near(taper, size), bounds)
        small = taper.windows[0].area <= (side + 2 * margin) ** 2
        if small and (settings.memory is None or item.load(settings).bytes <= settings.memory):
            items.append(item)
            continue
        if geometry.sees_all:
            taken, left = item.load(settings).bytes, settings.memory or 0
            raise ConfigError(
                f"this network looks at all of a picture, and {taper.windows[0].size} px of it at once take "
                f"{taken >> 20} MB, but only {left >> 20} MB are left; choose a smaller box with halo or crop"
            )
        parts = [taper.part(tile, exact) for tile in tiles(box, _tile_side(side, settings))]
        items += [WorkItem((n,), part, geometry.near(part, size), bounds) for part in parts]
    return _share_tiles(items, settings) if share and settings.strategy is not Strategy.CROP else items


def _tile_side(side: int, settings: WorkSettings) -> int:
    """Halve the side of a tile until it fits into the memory allowed; `ConfigError` if none is that small."""
    memory = settings.memory
    while memory is not None and (taken := _tile_bytes(Box(0, 0, side, side), settings)) > memory:
        if side <= MIN_TILE_SIDE:
            raise ConfigError(f"the smallest tile takes {taken >> 20} MB, but only {memory >> 20} MB are left for it")
        side = max(side // 2, MIN_TILE_SIDE)
    return side


def _tile_bytes(tile: Box, settings: WorkSettings) -> int:
    """Count the memory of a tile in the middle of a large picture."""
    geometry = settings.network.geometry
    margin = 2 * geometry.exact_halo[0] + 64
    size = Size(tile.width + 2 * margin, tile.height + 2 * margin)
    taper = Strategy.FULL.taper(tile.shifted(margin, margin), size, geometry)
    return settings.network.count_work(taper, geometry.near(taper, size), settings.patches).bytes


def _share_tiles(items: Sequence[WorkItem], settings: WorkSettings) -> list[WorkItem]:
    """Merge items whose ROIs have their middle in one cell of TILE_SIDE px.

    Wherever that counts fewer FLOPs and the tile does not take more than the memory allowed.
    """
    cells: dict[tuple[int, int], list[WorkItem]] = {}
    for item in items:
        roi = item.taper.roi
        cell = (roi.left + roi.right) // (2 * TILE_SIDE), (roi.top + roi.bottom) // (2 * TILE_SIDE)
        cells.setdefault(cell, []).append(item)
    found = []
    for members in cells.values():
        tile = _shared_tile(members, settings)
        together, apart = tile.load(settings), sum(item.load(settings).flops for item in members)
        fits = settings.memory is None or together.bytes <= settings.memory
        found += [tile] if len(members) > 1 and fits and together.flops < apart else members
    return found


def _shared_tile(items: Sequence[WorkItem], settings: WorkSettings) -> WorkItem:
    """Return one item that restores all that the items do, with windows as on the whole picture."""
    geometry, size = settings.network.geometry, settings.size
    roi = reduce(Box.union, (item.taper.roi for item in items))
    taper = geometry.taper(roi, size, geometry.exact_halo, aligned=True)
    boxes = tuple(dict.fromkeys(n for item in items for n in item.boxes))
    return WorkItem(boxes, taper, geometry.near(taper, size), whole(size))
