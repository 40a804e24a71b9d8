"""A scene on disk: the keys and values of a photo's patches, of use with the same patches and weights alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from localsr.errors import CheckpointError
from localsr.files import write_whole
from localsr.inference.execution import Floats
from localsr.inference.protocols import RunnableNetwork
from localsr.models.card import checked_header, read_bounded, sha256_of
from localsr.models.patches import Context

SCENE_FORMAT = "localsr-scene-2"
UNSIGNED_FORMAT = "localsr-scene-1"  # of earlier versions, without a digest; no flipped bit makes it of the other
MAX_SCENE_BYTES = 2**28  # the default's 64 patches have 0.3 MB


def write_scene(path: Path, context: Context[Floats], identity: dict[str, str]) -> None:
    """Write keys, values and places, whole or not at all; `identity` says what they belong to."""
    arrays = {name: np.ascontiguousarray(array) for name, array in context._asdict().items()}
    write_whole(path, save(arrays, {"format": SCENE_FORMAT, "sha256": _digest(arrays), **identity}))


def read_scene(path: Path, network: RunnableNetwork, patches: int, identity: dict[str, str]) -> Context[Floats]:
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
        arrays = load(data)
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise CheckpointError(f"scene {path} is damaged: {error}") from error
    sound = {k: v.shape for k, v in arrays.items()} == shapes
    if not sound or not all(a.dtype == np.float32 and np.isfinite(a).all() for a in arrays.values()):
        raise CheckpointError(f"scene {path} is damaged: its tensors are not what {shapes} are")
    if about["format"] != UNSIGNED_FORMAT and about.get("sha256") != _digest(arrays):
        raise CheckpointError(f"scene {path} is damaged: it lacks the sha256 of its tensors; encode the photo again")
    return Context(**arrays)


def _digest(arrays: dict[str, Floats]) -> str:
    """Return the sha256 of arrays, as of torch's tensors of the same numbers."""
    return sha256_of((name, f"torch.{a.dtype}", a.shape, a.tobytes()) for name, a in arrays.items())
