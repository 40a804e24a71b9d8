"""How fast this machine is: measured once, kept in the user's cache, and used to predict seconds."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
import platformdirs

from localsr import images
from localsr.errors import OutputError
from localsr.files import write_whole
from localsr.geometry import Box
from localsr.inference.batching import batch_work
from localsr.inference.execution import RunInputs, execute
from localsr.inference.planning import WorkSettings, plan_work
from localsr.inference.scene_context import SceneContext
from localsr.inference.strategies import Strategy
from localsr.systems import lock_file

TURNS = 5  # of each piece of work, whose median counts
SAMPLE_SIDE, SMALL_ROI, LARGE_ROI = 256, 24, 96  # LR px: of a picture of noise, and of two ROIs in its middle


class Speed(NamedTuple):
    """Seconds = `call` for each batch + FLOPs / `rate`."""

    call: float  # s
    rate: float  # FLOPs a second

    def seconds(self, batches: int, flops: int) -> float:
        """Predict how long work takes."""
        return batches * self.call + flops / self.rate


def measured_speed(settings: WorkSettings, inputs: RunInputs, sha256: str) -> Speed:
    """Return how fast this machine does such work by a network, whose weights have that sha256, on other pictures."""
    network, strategy = settings.network, settings.strategy
    side = SAMPLE_SIDE
    photo = images.read(np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8))
    scene = SceneContext(network, photo, sha256)
    settings = settings._replace(size=photo.size, patches=len(scene.patches), memory=None)

    def work(roi: int) -> int:
        context = scene.get() if strategy is Strategy.CLSR else None
        items = plan_work([Box.from_xywh((side - roi) // 2, (side - roi) // 2, roi, roi)], settings)
        list(execute(batch_work(items, settings), inputs._replace(photo=photo, context=context)))
        return sum(item.load(settings).flops for item in items)

    key = f"{sha256[:16]} {strategy} {inputs.precision} {network.version} {network.device} {network.threads} threads"
    return calibrated(key, partial(work, SMALL_ROI), partial(work, LARGE_ROI))


def calibrated(key: str, small: Callable[[], int], large: Callable[[], int], folder: Path | None = None) -> Speed:
    """Return the speed kept under `key` for this machine; measure it by two pieces of work that return their FLOPs."""
    numbers = recall(key, folder)
    if len(numbers) != 2 or not numbers[1]:
        (light, few), (heavy, many) = _timed(small), _timed(large)
        if heavy <= light:  # noise, or a device for which both are nothing: not worth keeping
            return Speed(0.0, many / heavy)
        rate = (many - few) / (heavy - light)
        numbers = remember(key, [max(light - few / rate, 0.0), rate], folder)
    return Speed(*numbers)


def recall(key: str, folder: Path | None = None) -> list[float]:
    """Return the numbers kept under `key` for this machine, none where there are none."""
    return _kept(_path(folder)).get(_of_machine(key), [])


def remember(key: str, numbers: list[float], folder: Path | None = None) -> list[float]:
    """Keep numbers under `key` for `recall` in other processes, and return them."""
    path = _path(folder)
    try:
        write_whole(path, json.dumps(_kept(path) | {_of_machine(key): numbers}, indent=2).encode())
    except OutputError:
        pass  # where the cache cannot be written, the second that this takes is spent again in each process
    return numbers


@contextmanager
def only_one() -> Iterator[None]:
    """Have other processes of this user wait that measure, too; where nothing can be kept, none waits."""
    path = _path(None).with_suffix(".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.open("w")
    except OSError:
        yield
        return
    with lock:
        lock_file(lock, wait=True)
        yield


def _path(folder: Path | None) -> Path:
    """Return the file that numbers are kept in."""
    return (folder or platformdirs.user_cache_path("localsr")) / "speed.json"


def _of_machine(key: str) -> str:
    """Return a key with what numbers depend on besides."""
    return f"{key}, {os.cpu_count()} cores, {platform.node()}"


def _timed(work: Callable[[], int]) -> tuple[float, int]:
    """Return the median seconds of a piece of work after a first call, and its FLOPs."""
    flops, spent = work(), []
    for _ in range(TURNS):
        began = time.perf_counter()
        work()
        spent.append(time.perf_counter() - began)
    return median(spent), flops


def _kept(path: Path) -> dict[str, list[float]]:
    """Read the numbers that are kept; a damaged file counts as none."""
    try:
        found = json.loads(path.read_text())
        return {k: [float(n) for n in v] for k, v in found.items() if min(v) >= 0}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
