"""The work of a network as a function of its windows: fitted to what torch counts, and held to it exactly."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from localsr.errors import ConfigError
from localsr.geometry import Box
from localsr.models.clsr import CLSR, roi_work, scene_work, without_weights
from localsr.models.config import ModelConfig
from localsr.models.counting import count_moments
from localsr.models.windows import NetworkGeometry, Taper
from localsr.models.work import WorkTable, work_sizes
from localsr.onnx.folder import GraphFacts

PROBES, SCENES = 48, 12  # windows and numbers of patches that are counted
CHECKED = 5  # of them, the last, check what was fitted to the others
MEMORY_SLACK = 0.01  # of bytes; FLOPs are exact
FINEST = 1024  # numbers are multiples of one part in so many: a cell has 4 px, a place of features at most 64

Probe = tuple[Taper, Box, int]


def fit_table(config: ModelConfig) -> WorkTable:
    """Return the table of a config's network; `ConfigError` where its work is no such function."""
    geometry, random = without_weights(config).geometry, np.random.default_rng(0)
    probes = [_probe(geometry, random) for _ in range(PROBES)]
    sizes = np.array([work_sizes(geometry, *probe) for probe in probes], np.float64)
    flops, moments = _fitted([roi_work(config, *probe) for probe in probes], sizes)
    if not config.gcm:
        return WorkTable(flops, moments)
    counts = list(range(1, SCENES + 1))
    scenes = np.array([[1, count] for count in counts], np.float64)
    scene_flops, scene_moments = _fitted([scene_work(config, count) for count in counts], scenes)
    return WorkTable(flops, moments, scene_flops[1], scene_moments)


def facts_of(network: CLSR) -> GraphFacts:
    """Return what the card of a network's graphs says of it."""
    return GraphFacts(network.geometry, fit_table(network.config))


def _fitted(
    work: Sequence[Callable[[], object]], sizes: NDArray[np.float64]
) -> tuple[tuple[float, ...], tuple[tuple[float, ...], ...]]:
    """Fit FLOPs, and the bytes of each moment, to sizes `(works, n)`; what can never be most is left out.

    Work takes more steps where the GCM fills cells at a border: windows that do not are not asked.
    """
    counted = [count_moments(each) for each in work]
    steps = max(len(moments) for _, moments in counted)
    rows = [k for k, (_, moments) in enumerate(counted) if len(moments) == steps]
    values = np.array([[counted[k][0], *counted[k][1]] for k in rows], np.float64)
    fitted, checked = rows[:-CHECKED], rows[-CHECKED:]
    numbers = np.linalg.lstsq(sizes[fitted], values[: len(fitted)], rcond=None)[0].T
    numbers = np.round(numbers * FINEST) / FINEST
    apart = np.abs(sizes[checked] @ numbers.T - values[len(fitted) :])
    if apart[:, 0].max() >= 0.5 or (apart[:, 1:] > MEMORY_SLACK * values[len(fitted) :, 1:].max()).any():
        raise ConfigError("the work of this network is no sum of the sizes of its windows")
    flops, *moments = (tuple(map(float, row)) for row in numbers)
    return flops, tuple(_most(moments))


def _most(moments: Sequence[tuple[float, ...]]) -> list[tuple[float, ...]]:
    """Return the moments that no other one is above in all numbers."""
    kept: list[tuple[float, ...]] = []
    for one in sorted(set(moments), key=sum, reverse=True):
        if not any(all(a <= b for a, b in zip(one, other, strict=True)) for other in kept):
            kept.append(one)
    return kept


def _probe(geometry: NetworkGeometry, random: np.random.Generator) -> Probe:
    """Return windows of random sizes around an ROI, and a number of patches."""
    multiple, unit = geometry.multiple, geometry.unit

    def around(box: Box, step: int) -> Box:
        left, top, right, bottom = (step * int(side) for side in random.integers(1, 4, 4))
        return Box(box.left - left, box.top - top, box.right + right, box.bottom + bottom)

    def between(step: int) -> Box:
        left, top, width, height = (step * int(side) for side in random.integers(1, 5, 4))
        return Box.from_xywh(128 + left, 128 + top, width, height)

    roi = between(multiple)
    windows = [around(roi, unit)] if unit > 1 or multiple == 1 else [roi]
    if multiple > 1 and unit > 1:
        windows = [roi]
    for _ in range(len(geometry.halo) - 1):
        windows.insert(0, around(windows[0], multiple))
    near = around(windows[0], multiple) if geometry.near_reach else windows[0]
    return Taper(tuple(windows), roi, multiple, unit), near, int(random.integers(1, 30))
