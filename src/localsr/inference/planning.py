"""From boxes to jobs: tiles of what is too large for one, and one tile for boxes that crowd."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from localsr.errors import ConfigError
from localsr.geometry import Box, Size, tiles, whole
from localsr.inference.cost import load
from localsr.inference.execution import Job
from localsr.inference.strategies import Strategy
from localsr.models.backbone import Taper
from localsr.models.clsr import CLSR

TILE = 192  # LR px; the side of a tile. With the exact halo of the default, a feature map has 13 MB
LEAST = 24  # LR px; no memory is so small that tiles are smaller


def plan(
    boxes: Sequence[Box], size: Size, network: CLSR, way: Strategy, patches: int, memory: int | None = None
) -> list[Job]:
    """Give the jobs that together make `boxes` of a picture of `size`: one for each, or for each tile of a large one.

    A tile is at least twice as wide as the exact halo, so that it costs at most four times its own pixels, unless it
    would take more than `memory` bytes.
    """
    jobs = []
    for n, box in enumerate(boxes):
        bounds = box if way is Strategy.CROP else whole(size)

        def job(taper: Taper, n: int = n, bounds: Box = bounds) -> Job:
            return Job((n,), taper, network.near(taper, size), bounds)

        one, exact = job(way.taper(box, size, network)), network.exact_halo
        first, margin = one.taper.windows[0], exact[0]
        side = max(TILE, 2 * margin)
        small = first.area <= (side + 2 * margin) ** 2
        if small and (memory is None or one.load(network, patches).bytes <= memory):
            jobs.append(one)
            continue
        if memory is not None:
            side = _side(side, network, patches, memory)
        jobs += [job(one.taper.part(tile, exact)) for tile in tiles(box, side)]
    return jobs


def _side(side: int, network: CLSR, patches: int, memory: int) -> int:
    """Halve the side of a tile until it takes no more than `memory` bytes; `ConfigError` if none is that small."""
    while (taken := _bytes(Box(0, 0, side, side), network, patches)) > memory:
        if side <= LEAST:
            raise ConfigError(f"the smallest tile takes {taken >> 20} MB, but only {memory >> 20} MB are left for it")
        side = max(side // 2, LEAST)
    return side


def _bytes(tile: Box, network: CLSR, patches: int) -> int:
    """Count the memory of a tile in the middle of a large picture."""
    margin = 2 * network.exact_halo[0] + 64
    size = Size(tile.width + 2 * margin, tile.height + 2 * margin)
    roi = tile.shifted(margin, margin)
    taper = Strategy.FULL.taper(roi, size, network)
    return load(network.config, taper, network.near(taper, size), patches).bytes


def shared(jobs: Sequence[Job], size: Size, network: CLSR, patches: int, memory: int | None = None) -> list[Job]:
    """Put jobs whose boxes have their middle in one cell of TILE px together.

    Wherever that counts fewer FLOPs and the tile does not take more than `memory` bytes.
    """
    cells: dict[tuple[int, int], list[Job]] = {}
    for job in jobs:
        roi = job.taper.roi
        cells.setdefault(((roi.left + roi.right) // (2 * TILE), (roi.top + roi.bottom) // (2 * TILE)), []).append(job)
    found = []
    for members in cells.values():
        tile = _tile(members, size, network)
        together, apart = tile.load(network, patches), sum(job.load(network, patches).flops for job in members)
        fits = memory is None or together.bytes <= memory
        found += [tile] if len(members) > 1 and fits and together.flops < apart else members
    return found


def _tile(jobs: Sequence[Job], size: Size, network: CLSR) -> Job:
    """Give the job of all that the jobs restore: windows as on the whole picture."""
    roi = reduce(Box.union, (job.taper.roi for job in jobs))
    taper = Taper.around(roi, size, network.exact_halo, network.backbone.multiple, aligned=True)
    boxes = tuple(dict.fromkeys(n for job in jobs for n in job.boxes))
    return Job(boxes, taper, network.near(taper, size), whole(size))
