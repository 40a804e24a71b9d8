"""What a batch would cost: a sample of its pictures is opened, the rest is arithmetic."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from localsr.batch import storage
from localsr.batch.clips import open_picture
from localsr.batch.tasks import Task
from localsr.errors import LocalSRError
from localsr.geometry import whole
from localsr.inference.restorer import Restorer
from localsr.inference.strategies import Strategy
from localsr.progress import Progress
from localsr.regions.request import sift_sizes

SAMPLE_SIZE = 24  # pictures that an estimate opens


class BatchEstimate(NamedTuple):
    """What a batch costs; all but `pictures` is projected from the pictures that were opened."""

    pictures: int
    opened: int  # pictures
    broken: int  # of them
    regions: float
    gflops: float
    seconds: float  # of one worker
    megabytes: float  # of a worker, at most
    pixels: float  # of all results


def estimate_batch(
    tasks: Sequence[Task],
    restorer: Restorer,
    strategy: Strategy,
    sample_size: int = SAMPLE_SIZE,
    progress: Progress = lambda *_: None,
    *,
    tolerant: bool = False,
) -> BatchEstimate:
    """Open `sample_size` pictures from all over the list, and ask each scene what its regions cost.

    Seconds are those of the restorer's threads: measured for opening and finding regions, by `Scene.cost` for the rest.
    """
    sample = [tasks[k] for k in np.unique(np.linspace(0, len(tasks) - 1, min(sample_size, len(tasks))).astype(int))]
    broken, regions, gflops, seconds, megabytes, pixels = 0, 0, 0.0, 0.0, 0.0, 0
    for k, task in enumerate(sample, start=1):
        began = time.perf_counter()
        try:
            with storage.fetched(task.file) as path:
                photo, frames = open_picture(path, task.moment, None, tolerant=tolerant)
                boxes = [found.box for found in sift_sizes(task.sift_regions(photo)[0], restorer.size_of)[0]]
                seconds += time.perf_counter() - began
                cost = restorer.encode(frames or photo).cost(boxes)[strategy] if boxes else None
        except (LocalSRError, OSError):
            broken += 1
            continue
        finally:
            progress(k, len(sample))
        if cost is not None:
            regions += len(boxes)
            gflops += cost.gflops + cost.gflops_scene
            seconds += cost.seconds
            megabytes = max(megabytes, cost.megabytes)
            pixels += sum(whole(restorer.size_of(box)).area for box in boxes)
    share = len(tasks) / len(sample)
    totals = (regions * share, gflops * share, seconds * share, megabytes, pixels * share)
    return BatchEstimate(len(tasks), len(sample), broken, *totals)
