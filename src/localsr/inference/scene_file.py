"""A scene on disk: the keys and values of a photo's patches, of use with the same patches and weights alone."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from localsr.errors import CheckpointError
from localsr.files import write_whole
from localsr.inference.protocols import RunnableNetwork
from localsr.models.checkpoint import checked_header, digest, read_bounded
from localsr.models.context import Context

SCENE_FORMAT = "localsr-scene-2"
UNSIGNED_FORMAT = "localsr-scene-1"  # of earlier versions, without a digest; no flipped bit makes it of the other
MAX_SCENE_BYTES = 2**28  # the default's 64 patches have 0.3 MB


def write_scene(path: Path, context: Context, identity: dict[str, str]) -> None:
    """Write keys, values and places, whole or not at all; `identity` says what they belong to."""
    tensors = {name: tensor.contiguous().cpu() for name, tensor in context._asdict().items()}
    write_whole(path, save(tensors, {"format": SCENE_FORMAT, "sha256": digest(tensors), **identity}))


def read_scene(path: Path, network: RunnableNetwork, patches: int, identity: dict[str, str]) -> Context:
    """Read keys and values for a network; `CheckpointError` for a damaged file, or one that belongs to another."""
    data = read_bounded(path, "scene", MAX_SCENE_BYTES, header=True)
    about = checked_header(path, data, (SCENE_FORMAT, UNSIGNED_FORMAT), "scene", "encode the photo and save it")
    for key, value in identity.items():
        if about.get(key) != value:
            raise CheckpointError(f"scene {path} is of another {key}; encode the photo again")
    shape = network.geometry.context
    if shape is None:
        raise CheckpointError(f"scene {path} is of a network with a global context module; this one has none")
    tokens = shape.tokens(patches)
    one = (1, shape.heads, tokens, shape.width)
    shapes = {"keys": one, "values": one, "places": (1, tokens, 2)}
    try:
        tensors = load(data)
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise CheckpointError(f"scene {path} is damaged: {error}") from error
    sound = {k: tuple(v.shape) for k, v in tensors.items()} == shapes
    if not sound or not all(t.dtype == torch.float32 and t.isfinite().all() for t in tensors.values()):
        raise CheckpointError(f"scene {path} is damaged: its tensors are not what {shapes} are")
    if about["format"] != UNSIGNED_FORMAT and about.get("sha256") != digest(tensors):
        raise CheckpointError(f"scene {path} is damaged: it lacks the sha256 of its tensors; encode the photo again")
    return Context(**{name: tensor.to(network.device) for name, tensor in tensors.items()})
