"""Pieces of a network's pixels reduced to the size that was asked for, none of which waits for all others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from localsr.geometry import Box, Size, tiles, whole
from localsr.inference.restoration import Piece
from localsr.resize import needed, resample

TILE_SIDE = 256  # px of a result that become ready together: 0.8 MB; those at two of its borders wait until the end


class Grid(NamedTuple):
    """The pixels of a result."""

    box: Box  # LR px: the region that the result covers, or all of the picture
    size: Size  # of the result
    scale: int  # of the network

    def under(self, box: Box) -> Box:
        """Return the pixels that have a part of a box, in px of the result."""
        (x, width), (y, height) = (self.box.left, self.box.width), (self.box.top, self.box.height)
        left, right = (box.left - x) * self.size.width // width, -((x - box.right) * self.size.width // width)
        top, bottom = (box.top - y) * self.size.height // height, -((y - box.bottom) * self.size.height // height)
        return Box(left, top, right, bottom)


@dataclass
class _Tile:
    """A part of a result that is not ready yet."""

    seen: Box  # what it draws on, in the network's px of the grid
    left: int  # pixels of that which are still to come
    pixels: NDArray[np.float32] | None = None
    precisions: set[str] = field(default_factory=set)


def reduced_pieces(pieces: Iterable[Piece], box: Box, grid: Grid) -> Iterator[Piece]:
    """Reduce the pieces of a restored box to a grid; yield parts in px of the grid as soon as each is ready.

    The kernel sees nothing beyond the box, whose edge is repeated.
    """
    large, inside = whole(grid.box.size).scaled(grid.scale), box.within(grid.box).scaled(grid.scale)
    if large.size == grid.size:
        yield from (piece._replace(place=piece.place.shifted(inside.left, inside.top)) for piece in pieces)
        return
    waiting: dict[Box, _Tile] = {}
    for part in tiles(grid.under(box), TILE_SIDE):
        seen = needed(part, large, grid.size).intersection(inside)
        waiting[part] = _Tile(seen, seen.area)
    for piece in pieces:
        there = piece.place.shifted(inside.left, inside.top)
        for part, tile in list(waiting.items()):
            if not _overlap(tile.seen, there):
                continue
            common = tile.seen.intersection(there)
            local = common.within(there)
            window = piece.pixels[:, local.rows, local.columns]
            found = resample(window, common, large, grid.size, part, inside)
            tile.pixels = found if tile.pixels is None else tile.pixels + found
            tile.precisions.add(piece.precision)
            tile.left -= common.area
            if not tile.left:
                yield Piece(part, tile.pixels.clip(0, 1), joint_precision(tile.precisions))
                del waiting[part]


def _overlap(one: Box, other: Box) -> bool:
    """Tell whether two boxes have a pixel in common."""
    across = max(one.left, other.left) < min(one.right, other.right)
    return across and max(one.top, other.top) < min(one.bottom, other.bottom)


def joint_precision(precisions: set[str]) -> str:
    """Return the precision of what was computed in several: the finest."""
    return "fp32" if "fp32" in precisions else next(iter(precisions))
