"""What a batch costs, before it is done: a sample of its pictures is opened, the rest is arithmetic."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from localsr import images
from localsr.batch import storage
from localsr.batch.tasks import Job
from localsr.batch.worker import THREADS, Rates
from localsr.errors import LocalSRError
from localsr.geometry import Box, Size
from localsr.inference.cost import load, scene_load
from localsr.inference.restorer import Restorer
from localsr.inference.strategies import Strategy
from localsr.models.context import sample_patches
from localsr.progress import Progress

SAMPLE = 24  # pictures that a bill opens
SIDES = (24, 96)  # px of the regions that rates are counted from


class Bill(NamedTuple):
    """What a batch costs; all but `pictures` is projected from the pictures that were opened."""

    pictures: int
    opened: int  # pictures
    broken: int  # of them
    regions: float
    gflops: float
    seconds: float  # of one worker
    megabytes: float  # of a worker, at most
    pixels: float  # of all results


def rates(restorer: Restorer, way: Strategy) -> Rates:
    """Count four sizes of regions, which gives all others."""
    network = restorer.network if way is Strategy.CLSR else restorer.plain
    if network is None:
        raise ValueError(f"{restorer.card.name} does not run {way}")
    config, size = network.config, Size(2048, 2048)
    patches = len(sample_patches(size, config.gcm_patch, config.gcm_patches)) if config.gcm else 0
    sides, counted = [(w, h) for w in SIDES for h in SIDES], []
    for width, height in sides:
        taper = way.taper(Box.from_xywh(1024, 1024, width, height), size, network)
        counted.append(load(config, taper, network.near(taper, size), patches).flops / 1e9)
    terms = np.array([[1, w, h, w * h] for w, h in sides])
    one, across, down, area = np.linalg.solve(terms, np.array(counted)).tolist()
    return Rates(one, across, down, area, scene_load(config, patches).flops / 1e9)


def bill(
    jobs: Sequence[Job],
    restorer: Restorer,
    way: Strategy,
    sample: int = SAMPLE,
    progress: Progress = lambda *_: None,
) -> Bill:
    """Open `sample` pictures from all over the list, encode them, and ask each scene what its regions cost.

    Seconds are those of one thread, measured for opening and finding regions, told by `Scene.cost` for the rest.
    """
    torch.set_num_threads(THREADS)
    chosen = [jobs[k] for k in np.unique(np.linspace(0, len(jobs) - 1, min(sample, len(jobs))).astype(int))]
    broken, regions, gflops, seconds, megabytes, pixels = 0, 0, 0.0, 0.0, 0.0, 0
    for k, job in enumerate(chosen):
        began = time.perf_counter()
        try:
            with storage.fetched(job.picture) as path:
                photo = images.read(path)
                boxes = [found.box for found in job.found(photo)]
                seconds += time.perf_counter() - began
                told = restorer.encode(photo).cost(boxes)[way] if boxes else None
        except (LocalSRError, OSError):
            broken += 1
            continue
        finally:
            progress(k + 1, len(chosen))
        if told is not None:
            regions += len(boxes)
            gflops += told.gflops + told.gflops_scene
            seconds += told.seconds
            megabytes = max(megabytes, told.megabytes)
            pixels += sum(box.area for box in boxes) * restorer.scale**2
    share = len(jobs) / len(chosen)
    return Bill(
        len(jobs), len(chosen), broken, regions * share, gflops * share, seconds * share, megabytes, pixels * share
    )
