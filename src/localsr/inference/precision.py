"""Which precision a network restores regions in on this machine: measured once, and kept in the user's cache."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from localsr.errors import ConfigError
from localsr.geometry import Box, Size
from localsr.inference.calibration import only_one, recall, remember
from localsr.inference.sample import sample_photo
from localsr.inference.scene import Scene
from localsr.inference.strategies import NetworkPair, Strategy

AUTO = "auto"
MAX_LEVELS = 1.0  # of 255, between a pixel in 16 bits and in fp32
MIN_GAINS = (1.0, 1.2)  # with a small ROI and with a large one, below which fp32 is as good
SAMPLE_SIZE, SAMPLE_ROIS = Size(160, 160), (24, 64)  # LR px: of a picture, and of the sides of two ROIs in its middle
MAX_TURNS, PATIENCE = 7, 0.5  # that ROIs are timed by turns, and seconds after which no further turn begins
log = logging.getLogger(__name__)


class Gain(NamedTuple):
    """What 16 bits cost and bring, compared with fp32."""

    levels: float  # largest difference of a pixel of the sample, in levels of 255; infinite where it is not finite
    small: float  # times as fast with an ROI of 24 px
    large: float  # and of 64 px


def choose_precision(networks: NetworkPair, sha256: str) -> str:
    """Return the precision that restores regions fastest and at most `MAX_LEVELS` from fp32.

    One for regions of all sizes, so that a region comes out the same alone, in a list and in tiles.

    Args:
        networks: The networks, in fp32.
        sha256: Of the network's weights; empty where they were never saved, and what is measured is not kept.
    """
    precision, device = networks.network.short_precision, networks.network.device
    if precision is None:
        return "fp32"
    gain = _known_gain(networks, precision, sha256)
    if gain.levels > MAX_LEVELS:
        apart = f"{gain.levels:.1f} levels of 255 from fp32" if math.isfinite(gain.levels) else "not finite"
        log.warning("%s is %s in %s on a sample, so it runs in fp32", networks.name, apart, precision)
        return "fp32"
    is_faster = gain.small >= MIN_GAINS[0] and gain.large >= MIN_GAINS[1]
    if device == "cpu" and not is_faster:  # an accelerator waits for its calls with such small ROIs
        log.info("%s runs in fp32; %s is %.2f and %.2f times as fast", networks.name, precision, gain.small, gain.large)
        return "fp32"
    return precision


def _known_gain(networks: NetworkPair, precision: str, sha256: str) -> Gain:
    """Return what is kept of networks on this machine; where nothing is, one process measures and others wait for it.

    Workers of a service start together: measured by each, beside each other, they might choose differently.
    """
    if not sha256:
        return measure_gain(networks, precision)
    network = networks.network
    key = f"{sha256[:16]} {precision} to fp32 {network.version} {network.device}, {network.threads} threads"
    with only_one():
        numbers = recall(key)
        if len(numbers) != len(Gain._fields):
            numbers = remember(key, list(measure_gain(networks, precision)))
    return Gain(*numbers)


def measure_gain(networks: NetworkPair, precision: str) -> Gain:
    """Restore regions of a picture in fp32 and in a precision of 16 bits by turns."""
    photo, exact = sample_photo(SAMPLE_SIZE), networks.converted(lambda network: network.packed())
    scenes = [Scene(photo, exact), Scene(photo, exact, precision, shortened_pair(networks, precision))]
    levels, times = 0.0, []
    for side in SAMPLE_ROIS:
        box = Box.from_xywh((SAMPLE_SIZE.width - side) // 2, (SAMPLE_SIZE.height - side) // 2, side, side)
        strategies = {networks.choose(), Strategy.HALO}.intersection(networks.strategies)  # of the network and its twin
        levels = max(levels, *(_levels_apart(scenes, box, strategy) for strategy in strategies))
        slow, fast = _least_seconds(scenes, box)
        times.append(slow / fast)
        if slow > PATIENCE:  # so much work is a large region's already
            break
    return Gain(levels, times[0], times[-1])


def shortened_pair(networks: NetworkPair, precision: str) -> NetworkPair:
    """Return networks in a precision of 16 bits; `ConfigError` for those that run in fp32 alone."""
    if networks.network.short_precision is None:
        runtime = networks.network.runtime
        raise ConfigError(f"{networks.name} runs by {runtime}, in fp32 alone, not in {precision}")
    return networks.converted(lambda network: network.shortened(precision))


def _levels_apart(scenes: Sequence[Scene], box: Box, strategy: Strategy) -> float:
    """Return how far a box is in 16 bits from the same in fp32, in levels of 255."""
    exact, short = (scene.restore(box, strategy) for scene in scenes)
    if short.precision == exact.precision:  # it was not finite, and was done again
        return math.inf
    return 255 * float(np.abs(exact.pixels - short.pixels).max())


def _least_seconds(scenes: Sequence[Scene], box: Box) -> list[float]:
    """Return the least seconds that each scene takes for a box, by turns: what else runs meets all alike."""
    spent: list[list[float]] = [[] for _ in scenes]
    while len(spent[0]) < MAX_TURNS and sum(map(sum, spent)) < PATIENCE:
        for scene, own in zip(scenes, spent, strict=True):
            began = time.perf_counter()
            scene.restore(box)
            own.append(time.perf_counter() - began)
    return [min(own) for own in spent]
