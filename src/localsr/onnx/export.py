"""Networks written as ONNX graphs, once they are proven equal to torch."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path

import numpy as np

from localsr import images
from localsr.conditions import Conditions
from localsr.errors import ConfigError
from localsr.extras import need
from localsr.geometry import Box, Size, whole
from localsr.inference.restorer import Restorer
from localsr.inference.scene import Scene
from localsr.models.clsr import CLSR
from localsr.onnx.devices import GraphSettings
from localsr.onnx.folder import PLAIN, RESTORE, GraphCard, digest, write_folder
from localsr.onnx.graphs import tracings
from localsr.onnx.network import read_restorer
from localsr.onnx.tables import facts_of
from localsr.progress import Progress

NEEDED = ("onnx", "onnxscript", "onnxruntime")  # the extra [onnx]
MAX_DIFFERENCE = 1e-4  # of a pixel in [0, 1]: sums in another order
COMPARED_SIZE = Size(93, 75)  # of the picture that an export is compared on
COMPARED_BOXES = (  # one px, odd and even places, at borders and corners, all
    Box(50, 40, 51, 41),
    Box(31, 23, 55, 47),
    Box(30, 22, 54, 46),
    Box(0, 0, 9, 13),
    Box(80, 70, 93, 75),
    whole(COMPARED_SIZE),
)


def export(restorer: Restorer, folder: Path, progress: Progress = lambda *_: None) -> GraphCard:
    """Write a restorer's graphs and return their card.

    Raises `ConfigError` where they differ from torch by more than MAX_DIFFERENCE, and nothing is written then.
    """
    need("onnx", *NEEDED)
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is a file; name a folder for the graphs")
    card, graphs = traced(restorer, progress)
    if not card.difference <= MAX_DIFFERENCE:
        raise ConfigError(f"the graphs of {card.name} differ from torch by {card.difference:.1e}, so none is written")
    write_folder(folder, card, graphs)
    return card


def traced(restorer: Restorer, progress: Progress = lambda *_: None) -> tuple[GraphCard, dict[str, bytes]]:
    """Make a restorer's graphs, run them, and say in their card how far they are from torch."""
    card = restorer.card
    network, plain = (getattr(one, "module", None) for one in (restorer.network, restorer.plain))
    if not isinstance(network, CLSR) or not isinstance(plain, CLSR | None):
        raise ConfigError(f"{card.name} is not of torch; export the checkpoint that it came from")
    work = tracings(network)
    if plain is not None and plain is not network:
        work |= {name.replace(RESTORE, PLAIN): trace for name, trace in tracings(plain).items()}
    graphs: dict[str, bytes] = {}
    for name, make in work.items():
        progress(len(graphs), len(work) + 1)
        graphs[name] = make()
    progress(len(work), len(work) + 1)
    hashes = {name: digest(data) for name, data in graphs.items()}
    facts = {name: facts_of(one) for name, one in ((RESTORE, network), (PLAIN, plain)) if name in graphs and one}
    made = GraphCard(card.name, card.config, card.sha256, hashes, facts, card.plain if PLAIN in graphs else {})
    with tempfile.TemporaryDirectory(prefix="localsr-") as scratch:
        write_folder(Path(scratch), made, graphs)
        made = dataclasses.replace(made, difference=compare(restorer, read_restorer(Path(scratch), GraphSettings())))
    progress(1, 1)
    return made, graphs


def compare(restorer: Restorer, other: Restorer) -> float:
    """Return the largest difference of a pixel, or of a patch's share, in [0, 1]: by all strategies of both."""
    pixels = np.random.default_rng(0).integers(0, 256, (COMPARED_SIZE.height, COMPARED_SIZE.width, 3), dtype=np.uint8)
    photo = images.read(pixels)
    scene, found = restorer.encode(photo), other.encode(photo)
    attends = other.network.geometry.context is not None
    apart = _apart(scene, found, attends=attends)
    if restorer.conditioned:  # the picture is noise, and so it is measured
        apart += _apart(scene.told(Conditions()), found.told(Conditions()), attends=attends)
    return float(np.max(apart))  # NaN if any is


def _apart(scene: Scene, found: Scene, *, attends: bool) -> list[float]:
    """Return the largest differences of two scenes of one picture, by each strategy and in each box."""
    apart = [
        float(np.abs(mine.pixels - theirs.pixels).max())
        for way in scene.strategies
        if way in found.strategies
        for mine, theirs in zip(scene.restore(COMPARED_BOXES, way), found.restore(COMPARED_BOXES, way), strict=True)
    ]
    if attends:
        shares = [[each.attention(box).shares for each in (scene, found)] for box in COMPARED_BOXES]
        apart += [float(np.abs(np.subtract(mine, theirs)).max()) for mine, theirs in shares]
    return apart
