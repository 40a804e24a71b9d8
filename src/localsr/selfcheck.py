"""What the engine promises, checked with a network's own weights: one box, one answer, whatever the route."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from localsr.errors import ConfigError
from localsr.extras import need
from localsr.geometry import Box, Size, whole
from localsr.images import Photo
from localsr.inference.execution import read_windows
from localsr.inference.restorer import Restorer
from localsr.inference.sample import sample_photo
from localsr.inference.scene import Scene
from localsr.inference.strategies import Strategy
from localsr.loading import as_graphs
from localsr.models.backbone import crop
from localsr.models.clsr import CLSR
from localsr.onnx.devices import GraphSettings

PICTURE_SIZE = Size(232, 168)  # multiples of SwinIR's window
EXACT_DIFFERENCE = 1e-5  # of [0, 1]: sums in another order
DEVICE_DIFFERENCE = 2e-3  # an accelerator's convolutions may be TF32; half a level of 8 bits
TIGHT_BYTES = 2**25  # bytes: tiles of a few dozen px of the default


class Check(NamedTuple):
    """One promise, and how far it is from being kept."""

    name: str
    worst: float | None  # largest difference of a pixel in [0, 1]; None where it could not be tried
    allowed: float
    note: str = ""

    @property
    def passed(self) -> bool:
        """Whether it is kept; what could not be tried is not broken."""
        return self.worst is None or self.worst <= self.allowed


def probe_boxes(size: Size) -> list[Box]:
    """Return regions of a picture, 60 x 50 px or larger, that are hard to restore alike by every route.

    One pixel, odd sizes, two alike but for their place, at each border and corner, and all of it.
    """
    width, height = size.width, size.height
    return [
        Box.from_xywh(width // 2, height * 2 // 5, 1, 1),
        Box(11, 7, 18, 12),
        Box(18, 13, 42, 37),
        Box(19, 14, 43, 38),
        Box(0, 0, 9, 9),
        Box(width - 9, 0, width, 5),
        Box(0, height - 9, 8, height),
        Box(width - 13, height - 5, width, height),
        Box(width - 1, height - 1, width, height),
        whole(size),
    ]


def verify(restorer: Restorer, load: Callable[[str], Restorer]) -> Iterator[Check]:
    """Try each promise by every strategy that the network has; `load` gives the network on another device."""
    photo = sample_photo(PICTURE_SIZE)
    scene, boxes = restorer.encode(photo), probe_boxes(photo.size)
    alone = {way: [scene.restore(box, way).pixels for box in boxes] for way in scene.strategies}

    def worst(other: Scene, order: Sequence[int] = range(len(boxes))) -> float:
        apart = [
            np.abs(alone[way][n] - r.pixels).max()
            for way in alone
            for n, r in zip(order, other.restore([boxes[n] for n in order], way), strict=True)
        ]
        return float(np.max(apart))  # NaN if any is

    yield Check("a list of boxes = one by one", worst(scene), EXACT_DIFFERENCE)
    yield Check("any order = the given one", worst(scene, range(len(boxes))[::-1]), EXACT_DIFFERENCE)
    tight = scene.bounded(TIGHT_BYTES)
    try:
        pieces = max(sum(1 for _ in tight.pieces(boxes[-1], way)) for way in alone)
    except ConfigError:  # no tile is that small
        pieces = 1
    if pieces > 1:
        yield Check("in tiles = in one piece", worst(tight), EXACT_DIFFERENCE)
    else:
        yield Check(
            "in tiles = in one piece", None, EXACT_DIFFERENCE, "a tile of this network is larger than the picture"
        )
    network = getattr(restorer.network, "module", None)
    if not isinstance(network, CLSR) or network.pim is None:
        yield Check("PIM on what is near = on all of the picture", None, EXACT_DIFFERENCE, "no PIM")
    else:
        yield Check("PIM on what is near = on all of the picture", _proximity(network, photo), EXACT_DIFFERENCE)
    if restorer.network.geometry.context is None:
        yield Check("a saved scene = a fresh one", None, EXACT_DIFFERENCE, "no GCM, nothing to save")
    else:
        with tempfile.TemporaryDirectory(prefix="localsr-") as folder:
            path = Path(folder) / "scene.safetensors"
            scene.save(path)
            yield Check("a saved scene = a fresh one", worst(restorer.encode(photo, path)), EXACT_DIFFERENCE)
    yield _onnx(restorer if restorer.network.device == "cpu" else load("cpu"))
    if torch.accelerator.is_available():
        other = "cpu" if restorer.network.device != "cpu" else "auto"
        yield Check("accelerator = CPU", worst(load(other).encode(photo)), DEVICE_DIFFERENCE)
    else:
        yield Check("accelerator = CPU", None, DEVICE_DIFFERENCE, "there is no accelerator")


def _onnx(restorer: Restorer) -> Check:
    """Compare the graphs of `localsr export` with torch."""
    from localsr.onnx import export as onnx

    name = "ONNX = torch"
    try:
        need("onnx", *onnx.NEEDED)
    except ConfigError as error:
        return Check(name, None, onnx.MAX_DIFFERENCE, str(error))
    if not restorer.card.sha256:  # nothing would tell its graphs from another's
        return Check(name, onnx.traced(restorer)[0].difference, onnx.MAX_DIFFERENCE)
    try:
        graphs = as_graphs(restorer, GraphSettings())
    except ConfigError as error:  # they differ, and none is written
        return Check(name, math.inf, onnx.MAX_DIFFERENCE, str(error))
    return Check(name, onnx.compare(restorer, graphs), onnx.MAX_DIFFERENCE)


@torch.inference_mode()
def _proximity(network: CLSR, photo: Photo) -> float:
    """Return the largest difference of p_k (Eq. 6) between the PIM on what a box reads and on the whole picture."""
    assert network.pim is not None
    geometry = network.geometry
    everything, bounds = whole(photo.size), whole(photo.size)
    p_all, _ = network.pim(torch.from_numpy(read_windows(photo, [(everything, bounds)])))
    apart = []
    for box in probe_boxes(photo.size):
        taper = Strategy.CLSR.taper(box, photo.size, geometry)
        near = geometry.near(taper, photo.size)
        p_near, _ = network.pim(torch.from_numpy(read_windows(photo, [(near, bounds)])))
        for one, other, window in zip(p_all, p_near, taper.windows[1:], strict=True):
            inside = window.intersection(bounds)
            apart.append(float((crop(one, inside) - crop(other, inside.within(near))).abs().max()))
    return float(np.max(apart))
