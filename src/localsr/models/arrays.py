"""The weights of a checkpoint as NumPy's arrays, for whoever computes without torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, deserialize

from localsr.errors import CheckpointError
from localsr.models.card import MAX_CHECKPOINT_BYTES, Card, read_bounded, read_card, sha256_of

TYPES = {"F16": ("float16", np.float16), "BF16": ("bfloat16", np.uint16), "F32": ("float32", np.float32)}


def read_arrays(path: Path) -> tuple[dict[str, NDArray[np.float32]], Card]:
    """Read the weights, in float32, and the card of a checkpoint; `CheckpointError` for what is none."""
    data = read_bounded(path, "checkpoint", MAX_CHECKPOINT_BYTES, header=True)
    card = read_card(path, data)
    try:
        tensors = {name: (t["dtype"], tuple(t["shape"]), bytes(t["data"])) for name, t in deserialize(data)}  # type: ignore[no-untyped-call]
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise CheckpointError(f"checkpoint {path} is damaged or of another version: {error}") from error
    if odd := {dtype for dtype, _, _ in tensors.values()} - set(TYPES):
        raise CheckpointError(f"checkpoint {path} holds {', '.join(sorted(odd))}; its weights must be floats")
    named = ((name, f"torch.{TYPES[dtype][0]}", shape, part) for name, (dtype, shape, part) in tensors.items())
    if sha256_of(named) != card.sha256:
        raise CheckpointError(f"checkpoint {path} is damaged: its weights do not have the sha256 of its header")
    return {name: _floats(dtype, part).reshape(shape) for name, (dtype, shape, part) in tensors.items()}, card


def _floats(dtype: str, data: bytes) -> NDArray[np.float32]:
    """Return numbers as float32; bfloat16, which NumPy lacks, is its upper half."""
    numbers = np.frombuffer(data, TYPES[dtype][1])
    if dtype == "BF16":
        return (numbers.astype(np.uint32) << 16).view(np.float32)
    return numbers.astype(np.float32)
