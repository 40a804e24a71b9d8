"""`OnnxRestorer`: a `Restorer` that onnxruntime computes for; and `export`, which makes what it reads."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any, Self

import numpy as np
import platformdirs
import torch

from localsr import __version__, images
from localsr.errors import CheckpointError, ConfigError
from localsr.extras import need
from localsr.geometry import Box, Size, whole
from localsr.inference.restorer import Restorer
from localsr.models.checkpoint import Card
from localsr.onnx import folder as folders
from localsr.onnx.folder import ATTEND, ENCODE, PLAIN, RESTORE, GraphCard
from localsr.onnx.graphs import attending, encoding, restoring
from localsr.onnx.network import OnnxNetwork, Session
from localsr.progress import Progress

RUNTIMES = ("torch", "onnx")
NEEDED = ("onnx", "onnxscript", "onnxruntime")  # the extra [onnx]
ALLOWED = 1e-4  # of [0, 1]: sums in another order
SIZE = Size(93, 75)  # of the picture that an export is compared on
BOXES = (  # one px, odd and even places, at borders and corners, all
    Box(50, 40, 51, 41),
    Box(31, 23, 55, 47),
    Box(30, 22, 54, 46),
    Box(0, 0, 9, 13),
    Box(80, 70, 93, 75),
    whole(SIZE),
)


class OnnxRestorer(Restorer):
    """A network, and its plain twin, as graphs; to its user what a `Restorer` is, on the CPU and in fp32."""

    @classmethod
    def load(
        cls,
        name_or_path: str | PathLike[str] | None = None,
        *,
        scale: int | None = None,
        device: str = "auto",
        precision: str = "fp32",
        max_memory: int | None = None,
        progress: Progress = lambda *_: None,
    ) -> Self:
        """Read a folder that `export` wrote; or what `Restorer.load` takes, exported once into the user's cache."""
        need("onnx", *NEEDED)
        if device not in ("auto", "cpu") or precision != "fp32":
            raise ConfigError(f"graphs run on the CPU in fp32, not on {device} in {precision}; leave both out")
        if name_or_path is not None and Path(name_or_path).is_dir():
            return cls._read(Path(name_or_path), scale, max_memory)
        restorer = Restorer.load(name_or_path, scale=scale, device="cpu")
        twin = restorer.card.plain.get("sha256", "") if restorer.plain is not None else ""
        key = f"{restorer.card.sha256[:16]}-{twin[:16]}-{__version__}-{torch.__version__.partition('+')[0]}"
        folder = platformdirs.user_cache_path("localsr") / "onnx" / key
        try:
            return cls._read(folder, scale, max_memory)
        except CheckpointError:  # not there yet, or damaged
            export(restorer, folder, progress)
        return cls._read(folder, scale, max_memory)

    @classmethod
    def _read(cls, folder: Path, scale: int | None, max_memory: int | None) -> Self:
        """Check and load a folder."""
        card, graphs = folders.read(folder)
        if scale is not None and scale != card.config.scale:
            raise ConfigError(f"{card.name} enlarges x{card.config.scale}, not x{scale}")
        arena = max_memory is None
        sessions = {name: session(folder / f"{name}.onnx", data, arena=arena) for name, data in graphs.items()}
        network = OnnxNetwork(card.config, sessions)
        plain = OnnxNetwork(card.config.without_context(), {RESTORE: sessions[PLAIN]}) if PLAIN in sessions else None
        told = Card(card.name, card.config, plain=card.plain, sha256=card.sha256)
        return cls(network, told, plain, max_memory=max_memory)


def load(
    runtime: str,
    name_or_path: str | PathLike[str] | None,
    progress: Progress = lambda *_: None,
    **settings: Any,  # noqa: ANN401
) -> Restorer:
    """Load the restorer that a runtime computes for, one of RUNTIMES; `settings` are `Restorer.load`'s."""
    if runtime not in RUNTIMES:
        raise ConfigError(f"runtime {runtime!r} is not one of {', '.join(RUNTIMES)}")
    if runtime == "onnx":
        return OnnxRestorer.load(name_or_path, progress=progress, **settings)
    if name_or_path is not None and Path(name_or_path).is_dir():
        raise ConfigError(f"{name_or_path} is a folder; for one of `localsr export`, add --runtime onnx")
    return Restorer.load(name_or_path, **settings)


def session(path: Path, data: bytes, *, arena: bool = True) -> Session:
    """Load a graph that was checked, for as many threads as torch has; without `arena` it gives freed memory back."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    options.enable_cpu_mem_arena = options.enable_mem_pattern = arena
    try:
        made: Session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # a class for each of its codes, none of them public
        raise CheckpointError(f"graph {path} cannot be run: {str(error).splitlines()[0]}") from error
    return made


def export(restorer: Restorer, folder: Path, progress: Progress = lambda *_: None) -> GraphCard:
    """Write a restorer's graphs and return their card.

    Raises `ConfigError` where they differ from torch by more than ALLOWED, and nothing is written then.
    """
    need("onnx", *NEEDED)
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is a file; name a folder for the graphs")
    card, graphs = traced(restorer, progress)
    if not card.difference <= ALLOWED:
        raise ConfigError(f"the graphs of {card.name} differ from torch by {card.difference:.1e}, so none is written")
    folders.write(folder, card, graphs)
    return card


def traced(restorer: Restorer, progress: Progress = lambda *_: None) -> tuple[GraphCard, dict[str, bytes]]:
    """Make a restorer's graphs, run them, and say in their card how far they are from torch."""
    network, plain, card = restorer.network, restorer.plain, restorer.card
    work: dict[str, Callable[[], bytes]] = {RESTORE: lambda: restoring(network)}
    if network.gcm is not None:
        work |= {ENCODE: lambda: encoding(network), ATTEND: lambda: attending(network)}
    if plain is not None and plain is not network:
        work[PLAIN] = lambda: restoring(plain)
    graphs: dict[str, bytes] = {}
    for name, make in work.items():
        progress(len(graphs), len(work) + 1)
        graphs[name] = make()
    progress(len(work), len(work) + 1)
    hashes = {name: folders.digest(data) for name, data in graphs.items()}
    made = GraphCard(card.name, card.config, card.sha256, hashes, card.plain if PLAIN in graphs else {})
    with tempfile.TemporaryDirectory(prefix="localsr-") as scratch:
        folders.write(Path(scratch), made, graphs)
        made = dataclasses.replace(made, difference=compare(restorer, OnnxRestorer.load(scratch)))
    progress(1, 1)
    return made, graphs


def compare(restorer: Restorer, other: Restorer) -> float:
    """Give the largest difference at BOXES by all strategies of both: of a pixel, or of a patch's share, in [0, 1]."""
    pixels = np.random.default_rng(0).integers(0, 256, (SIZE.height, SIZE.width, 3), dtype=np.uint8)
    photo = images.read(pixels)
    scene, found = restorer.encode(photo), other.encode(photo)
    apart = [
        np.abs(mine.pixels - theirs.pixels).max()
        for way in scene.strategies
        if way in found.strategies
        for mine, theirs in zip(scene.restore(BOXES, way), found.restore(BOXES, way), strict=True)
    ]
    if other.network.gcm is not None:
        shares = [[each.attention(box).shares for each in (scene, found)] for box in BOXES]
        apart += [np.abs(np.subtract(mine, theirs)).max() for mine, theirs in shares]
    return float(np.max(apart))  # NaN if any is
