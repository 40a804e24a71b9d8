"""Graphs for callers side by side."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import localsr
from localsr.geometry import Box
from localsr.onnx.devices import GraphSettings
from localsr.onnx.folder import RESTORE
from localsr.onnx.sessions import OpenGraphs


def test_graphs_are_opened_for_a_share_of_the_threads() -> None:
    """For callers side by side once more, together and not each; for all others with all threads."""
    opened: list[tuple[str, int]] = []

    def open_one(name: str, settings: GraphSettings) -> Any:
        opened.append((name, settings.threads))
        return settings.threads

    graphs = OpenGraphs([RESTORE], open_one, GraphSettings(threads=4))
    with graphs.shared_out(2) as begin, ThreadPoolExecutor(2, initializer=begin) as pool:
        assert list(pool.map(graphs.__getitem__, [RESTORE] * 6)) == [2] * 6
        assert graphs[RESTORE] == 4
    assert opened == [(RESTORE, 2), (RESTORE, 4)]
    with pytest.raises(KeyError):
        graphs["another"]


def test_a_list_by_two_threads_has_the_pixels_of_one() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    boxes = [Box.from_xywh(3 * k, 2 * k, 8, 8) for k in range(12)]
    one, two = (localsr.load("edsr-light-x4", runtime="onnx", threads=threads).encode(noise) for threads in (1, 2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("localsr.inference.batching.BATCH_AREA", 1)  # a batch for each
        found = two.restore(boxes)
    for mine, theirs in zip(found, one.restore(boxes), strict=True):
        assert np.abs(mine.pixels - theirs.pixels).max() < 1e-5
