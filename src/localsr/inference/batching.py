"""Work that is alike, put into batches; and how many batches run side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from localsr.geometry import Box
from localsr.inference.planning import WorkItem, WorkSettings
from localsr.models.windows import Taper

BATCH_AREA = 2**15  # LR px of first windows in a batch: 8 MB a feature map at 64 channels, near the size of the cache
MAX_THREADS = 8  # with a batch each: a tile of `full` takes 100 MB in each
MIN_BATCHES_PER_THREAD = 4  # then the cores are idle for an eighth of the time at most


class BatchPlan(NamedTuple):
    """Batches in the order in which they run."""

    batches: list[list[WorkItem]]
    threads: int  # that run a batch each, and share the cores out among them


def batch_work(items: Sequence[WorkItem], settings: WorkSettings) -> BatchPlan:
    """Put items that are alike into batches of up to BATCH_AREA px and the memory allowed; one item always fits.

    Many batches on a CPU go to threads, with BATCH_AREA px in all of them together. Few batches would leave cores idle
    at the end, and a bound on memory is for one batch.
    """
    threads = min(settings.network.threads, MAX_THREADS)
    many = MIN_BATCHES_PER_THREAD * threads
    if threads > 1 and len(items) >= many and settings.memory is None and settings.network.shared_out(threads):
        batches = list(_batches_of(items, settings, BATCH_AREA // threads))
        if len(batches) >= many:
            return BatchPlan(batches, threads)
    return BatchPlan(list(_batches_of(items, settings, BATCH_AREA)), 1)


def _batches_of(items: Sequence[WorkItem], settings: WorkSettings, area: int) -> Iterator[list[WorkItem]]:
    """Yield batches of items that are alike, with up to `area` px of first windows and the memory allowed."""
    grid = settings.network.geometry.grid
    tiles = Counter(item.boxes for item in items)  # those of one box stay together: it is ready before the next begins
    alike: dict[tuple[Taper, Box, tuple[int, ...]], list[WorkItem]] = {}
    for item in items:
        alike.setdefault((*item.local(grid), item.boxes if tiles[item.boxes] > 1 else ()), []).append(item)
    for (taper, _, _), members in alike.items():
        count = max(1, area // taper.windows[0].area)
        if settings.memory is not None:
            count = max(1, min(count, settings.memory // max(members[0].load(settings).bytes, 1)))
        for first in range(0, len(members), count):
            yield members[first : first + count]
