"""A scene on disk: the keys and values of a photo's patches, of use with the same patches and weights alone."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from localsr.errors import CheckpointError
from localsr.files import write_whole
from localsr.models.checkpoint import checked_header, read_bounded
from localsr.models.clsr import CLSR
from localsr.models.context import Context

FORMAT = "localsr-scene-1"
MAX_FILE = 2**28  # bytes; the default's 64 patches have 0.3 MB


def write(path: Path, context: Context, about: dict[str, str]) -> None:
    """Write keys, values and places, whole or not at all; `about` says what they belong to."""
    tensors = {name: tensor.contiguous().cpu() for name, tensor in context._asdict().items()}
    write_whole(path, save(tensors, {"format": FORMAT, **about}))


def read(path: Path, network: CLSR, patches: int, about: dict[str, str]) -> Context:
    """Read them for a network; `CheckpointError` for a file that is damaged, or belongs to something else."""
    data = read_bounded(path, "scene", MAX_FILE)
    told = checked_header(path, data, FORMAT, "scene", "encode the photo and save it")
    for key, value in about.items():
        if told.get(key) != value:
            raise CheckpointError(f"scene {path} is of another {key}; encode the photo again")
    config, device = network.config, network.device
    tokens = patches * (config.gcm_patch // config.gcm_stride) ** 2  # the config makes it a whole number
    one = (1, config.gcm_heads, tokens, config.channels // config.gcm_heads)
    shapes = {"keys": one, "values": one, "places": (1, tokens, 2)}
    try:
        tensors = load(data)
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise CheckpointError(f"scene {path} is damaged: {error}") from error
    sound = {k: tuple(v.shape) for k, v in tensors.items()} == shapes
    if not sound or not all(t.dtype == torch.float32 and t.isfinite().all() for t in tensors.values()):
        raise CheckpointError(f"scene {path} is damaged: its tensors are not what {shapes} are")
    return Context(**{name: tensor.to(device) for name, tensor in tensors.items()})
