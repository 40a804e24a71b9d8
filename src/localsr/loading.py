"""The one entry of every command: a restorer by its network's name, whatever computes it."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from os import PathLike
from pathlib import Path
from typing import Any

import platformdirs

from localsr import __version__, images
from localsr.errors import Advice, CheckpointError, ConfigError
from localsr.extras import is_installed, need
from localsr.geometry import MAX_SCALE, AskedSize, Box, Enlargement, checked_boxes
from localsr.images import Source
from localsr.inference.precision import AUTO
from localsr.inference.restoration import Restoration
from localsr.inference.restorer import Restorer
from localsr.inference.strategies import Strategy
from localsr.models.card import read_checkpoint_card
from localsr.models.embedded import DEFAULT_NETWORKS, embedded_networks, find_network, is_foreign
from localsr.onnx.architectures import read_embedded
from localsr.onnx.devices import GraphSettings
from localsr.onnx.network import read_restorer
from localsr.progress import Progress

RUNTIMES = ("torch", "onnx")


def load(
    name_or_path: str | PathLike[str] | None = None,
    *,
    runtime: str = AUTO,
    scale: float | None = None,
    device: str = "auto",
    precision: str = AUTO,
    max_memory: int | None = None,
    threads: int | None = None,
    progress: Progress = lambda *_: None,
) -> Restorer:
    """Load a network, to be run by torch or by onnxruntime.

    Args:
        name_or_path: A network of the package or an imported one by its name, or a checkpoint by its path; the default
            of `scale` when None. For `onnx` also a folder that `localsr export` wrote; a network that is no folder is
            exported once, into the user's cache.
        runtime: What computes it: `torch`; `onnx`, which computes in fp32 and starts at once; `auto` for torch where it
            is installed.
        scale: How many times a region is enlarged, 1 to 8: at most what the network does, whose results are reduced to
            less. By default what it does.
        device: torch's name of a device; for `onnx` cpu, cuda, directml or coreml, whose package must be installed; or
            `auto` for an accelerator where there is one.
        precision: `fp32`, `bf16` or `fp16`; `auto` for bf16 on a CPU and fp16 on an accelerator wherever that is faster
            and at most one level of 255 from fp32, as measured once for the network and the machine.
        max_memory: MB that the process is to stay below, kept results aside.
        threads: Of the CPU, to compute with; torch has one number for all of a process. By default all cores.
        progress: Called with how many graphs are exported, and of how many.

    Returns:
        The restorer.

    Raises:
        CheckpointError: A file or a folder is not sound.
        ConfigError: The network, the runtime or the machine cannot do what is asked.

    Example:
        >>> import localsr
        >>> localsr.load("clsr-light-x4", device="cpu")
        <Restorer of clsr-light-x4, x4: crop, halo, clsr, full>
    """
    folder = None if name_or_path is None else Path(name_or_path)
    is_folder = folder is not None and folder.is_dir()
    runtime = chosen_runtime(runtime)
    if runtime == "torch":
        need("torch", "torch", what="computing by torch")
        if is_folder:
            advice = Advice('for one of graphs, pass runtime="onnx"', "for one of `localsr export`, add --runtime onnx")
            raise ConfigError(f"{folder} is a folder", advice)
        path = find_network(name_or_path, scale)
        return _by_torch(path, device, precision, max_memory, threads).sized(scale)
    if precision not in (AUTO, "fp32"):
        raise ConfigError(f"graphs run in fp32, not in {precision}; leave it out")
    settings = GraphSettings.of(device, threads, max_memory)
    if folder is not None and is_folder:
        need("onnx", "onnx", what="a folder of graphs")
        return read_restorer(folder, settings, max_memory).sized(scale)
    path = find_network(name_or_path, scale)
    if is_foreign(path):
        raise ConfigError(f"{name_or_path} is a network of others, which is not exported; leave the runtime out")
    if (restorer := read_embedded(path, settings, max_memory)) is not None:
        return restorer.sized(scale)
    return as_graphs(_by_torch(path, "cpu", "fp32", None, None), settings, max_memory, progress).sized(scale)


def chosen_runtime(asked: str) -> str:
    """Return what computes when `asked` is asked for: `auto` is torch where it is installed, else onnx.

    torch starts in seconds, but computes in 16 bits where that is faster, on accelerators, and any checkpoint.
    """
    if asked not in (AUTO, *RUNTIMES):
        raise ConfigError(f"runtime {asked!r} is not one of {AUTO}, {', '.join(RUNTIMES)}")
    if asked != AUTO:
        return asked
    return "torch" if is_installed("torch") else "onnx"


def _by_torch(path: Path, device: str, precision: str, max_memory: int | None, threads: int | None) -> Restorer:
    """Load a checkpoint or a network of others, to be run by torch."""
    need("torch", "torch", what=f"{path.name}, of which the package has no graphs,")
    from localsr.pytorch.checkpoints import read_checkpoint, use_threads

    use_threads(threads)
    if not is_foreign(path):
        return read_checkpoint(path, device, precision, max_memory)
    from localsr.foreign.files import read_restorer as read_foreign_restorer

    return read_foreign_restorer(path, device, precision, max_memory)


def as_graphs(
    restorer: Restorer,
    settings: GraphSettings,
    max_memory: int | None = None,
    progress: Progress = lambda *_: None,
) -> Restorer:
    """Return a restorer's network as graphs: of the package, or from the user's cache; exported into it if need be.

    Raises `CheckpointError` where they are not sound, `ConfigError` where they cannot be made or differ from torch.
    """
    embedded = embedded_networks().get(restorer.card.name)
    if embedded is not None and read_checkpoint_card(embedded).sha256 == restorer.card.sha256:
        if (found := read_embedded(embedded, settings, max_memory)) is not None:
            return found
    from localsr.onnx.export import NEEDED, export

    need("onnx", *NEEDED)
    cached = _cache_folder(restorer)
    try:
        return read_restorer(cached, settings, max_memory)
    except CheckpointError:  # not there yet, or damaged
        export(restorer, cached, progress)
    return read_restorer(cached, settings, max_memory)


def restore(
    source: Source,
    box: Box,
    *,
    model: str | PathLike[str] | None = None,
    scale: float | None = None,
    size: AskedSize | None = None,
    strategy: Strategy | str | None = None,
    clip: bool = False,
    denoise: float | None = None,
    deblur: float | None = None,
) -> Restoration:
    """Restore one box of a picture in one call.

    Args:
        source: A path, the bytes of a file, a Pillow image or a NumPy array, as `localsr.read` takes.
        box: The region, in LR px of the upright picture.
        model: A network of the package by its name, or a checkpoint by its path; the default of `scale` when None.
        scale: How many times the region is enlarged, 1 to 8; by default what the model does, 4 without one.
        size: Or how large the result is: `1200x`, `x800` or `1200x800`, in pixels.
        strategy: How it is restored; by default `clsr` for a network with context, `halo` for a plain one.
        clip: Cut off what leaves the picture instead of refusing the box.
        denoise: How much noise to take away, 0 to 100, as in `Scene.adjusted`; by default as much as is measured.
        deblur: How much blur to take away, 0 to 100; by default as much as is measured.

    Returns:
        The restoration.

    Raises:
        ImageError: The source is no picture.
        BoxError: The box leaves the picture, or cannot have the size.
        CheckpointError: The model's file is no sound checkpoint.
        ConfigError: The network cannot do what is asked.

    Example:
        >>> import localsr, numpy as np
        >>> localsr.restore(np.zeros((40, 60, 3), np.uint8), localsr.Box(10, 10, 34, 30), model="edsr-light-x4")
        <Restoration of (10, 10, 34, 30): 96 x 80 px by edsr-light-x4, halo, fp32>
    """
    asked, photo = Enlargement.asked(scale, size), images.read(source)
    inside = checked_boxes(box, photo.size, clip=clip)
    restorer = load_sized(asked, inside, model)
    return restorer.encode(photo, denoise=denoise, deblur=deblur).restore(inside[0], strategy)


def load_sized(
    asked: Enlargement | None,
    boxes: Sequence[Box],
    name_or_path: str | PathLike[str] | None = None,
    **settings: Any,  # noqa: ANN401
) -> Restorer:
    """Load a network for boxes whose results are to have a size; without a name the one of the least scale for all.

    Args:
        asked: The scale or the size, None for what the network does.
        boxes: Regions, in LR px.
        name_or_path: As in `load`.
        settings: The others of `load`.

    Returns:
        The restorer, whose results have that size. A box of which no network makes it is refused when it is restored.

    Raises:
        CheckpointError: A file or a folder is not sound.
        ConfigError: The network cannot do what is asked.

    Example:
        >>> import localsr
        >>> from localsr.geometry import Enlargement
        >>> load_sized(Enlargement.asked(size="100x"), [localsr.Box(0, 0, 60, 40)], device="cpu")
        <Restorer of clsr-photo-x2, 100x px: crop, halo, clsr, full>
    """
    if asked is None or asked.scale is not None:
        return load(name_or_path, scale=None if asked is None else asked.scale, **settings)
    least = max((asked.factor(box.size) for box in boxes), default=MAX_SCALE)
    scale = min(max(least, 1), max(DEFAULT_NETWORKS)) if name_or_path is None else None
    return load(name_or_path, scale=scale, **settings).sized(size=(asked.width, asked.height))


def _cache_folder(restorer: Restorer) -> Path:
    """Return where a restorer's graphs are kept: by its weights, and the versions that they were made with."""
    twin = restorer.card.plain.get("sha256", "") if restorer.plain is not None else ""
    key = f"{restorer.card.sha256[:16]}-{twin[:16]}-{__version__}-{version('torch').partition('+')[0]}"
    return platformdirs.user_cache_path("localsr") / "onnx" / key
