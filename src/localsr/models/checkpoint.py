"""Checkpoints: safetensors files with a card and the weights of a network, which torch builds."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from localsr.errors import CheckpointError, ConfigError
from localsr.files import write_whole
from localsr.models.card import (
    CHECKPOINT_FORMAT,
    MAX_CHECKPOINT_BYTES,
    Card,
    bounded_header,
    read_bounded,
    read_card,
    sha256_of,
)
from localsr.models.clsr import CLSR

MAX_DIFFERENCES = 5  # that a message names
WEIGHT_TYPES = (torch.float16, torch.bfloat16, torch.float32)


def save(path: Path, network: CLSR, card: Card, *, half: bool = False) -> Card:
    """Write a network as a checkpoint, with `half` in 16-bit floats, and return the card with its sha256."""
    dtype = torch.float16 if half else torch.float32
    tensors = {k: v.detach().to(dtype).contiguous().cpu() for k, v in network.state_dict().items()}
    return write(path, tensors, card)


def write(path: Path, tensors: dict[str, Tensor], card: Card) -> Card:
    """Write tensors and card as they are, whole or not at all; return the card with its sha256."""
    if not all(bool(t.isfinite().all()) for t in tensors.values()):
        raise CheckpointError(f"{path.name} is not written: its weights are not finite")
    card = replace(card, sha256=digest(tensors))
    about = {
        "format": CHECKPOINT_FORMAT,
        "name": card.name,
        "config": json.dumps(card.config.to_dict()),
        "recipe": json.dumps(card.recipe),
        "training": json.dumps(card.training),
        "protocol": json.dumps(card.protocol),
        "plain": json.dumps(card.plain),
        "sha256": card.sha256,
    }
    write_whole(path, save_tensors(tensors, about))
    return card


def read(path: Path) -> tuple[dict[str, Tensor], Card]:
    """Read the tensors and the card of a checkpoint, `CheckpointError` for what is none; nothing in it is executed."""
    data = read_bounded(path, "checkpoint", MAX_CHECKPOINT_BYTES, header=True)
    card = read_card(path, data)
    try:
        tensors = load_tensors(data)
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise CheckpointError(f"checkpoint {path} is damaged or of another version: {error}") from error
    if odd := {str(t.dtype) for t in tensors.values()} - {str(t) for t in WEIGHT_TYPES}:
        raise CheckpointError(f"checkpoint {path} holds {', '.join(sorted(odd))}; its weights must be floats")
    if digest(tensors) != card.sha256:
        raise CheckpointError(f"checkpoint {path} is damaged: its weights do not have the sha256 of its header")
    return tensors, card


def load(path: Path) -> tuple[CLSR, Card]:
    """Build a checkpoint's network, with float32 weights and in evaluation mode; `CheckpointError` if it cannot be."""
    tensors, card = read(path)
    try:
        with torch.device("meta"):
            network = CLSR(card.config)
    except ConfigError as error:
        raise CheckpointError(f"checkpoint {path} asks for a network that cannot be built: {error}") from error
    fill(path, network, tensors)
    return network.to(memory_format=torch.channels_last).eval(), card  # type: ignore[call-overload]


def fill(path: Path, network: CLSR, tensors: dict[str, Tensor]) -> None:
    """Put tensors into a network as float32, or raise `CheckpointError` with what differs and change nothing."""
    wanted = network.state_dict()
    differing = [f"lacks {k}" for k in wanted if k not in tensors]
    differing += [f"has the unknown {k}" for k in tensors if k not in wanted]
    differing += [
        f"{k} is {tuple(tensors[k].shape)}, not {tuple(v.shape)}"
        for k, v in wanted.items()
        if k in tensors and tensors[k].shape != v.shape
    ]
    differing += [f"{k} is not finite" for k, v in tensors.items() if not v.isfinite().all()]
    if differing:
        more = f" and {len(differing) - MAX_DIFFERENCES} more" if len(differing) > MAX_DIFFERENCES else ""
        named = "; ".join(differing[:MAX_DIFFERENCES])
        raise CheckpointError(f"checkpoint {path} does not fit its architecture: {named}{more}")
    network.load_state_dict({k: v.float() for k, v in tensors.items()}, assign=True)


def digest(tensors: dict[str, Tensor]) -> str:
    """Return the sha256 of the names, types, shapes and bytes of tensors."""
    flat = {name: tensor.contiguous() for name, tensor in tensors.items()}
    return sha256_of(
        (name, str(t.dtype), tuple(t.shape), t.reshape(-1).view(torch.uint8).numpy().tobytes())
        for name, t in flat.items()
    )


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read the tensors of anybody's safetensors file; `CheckpointError` for what is none."""
    data = read_bounded(path, "file of weights", MAX_CHECKPOINT_BYTES, header=True)
    bounded_header(path, data, "file of weights", f"{path} is no safetensors file")
    try:
        return load_tensors(data)
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise CheckpointError(f"{path} is a damaged safetensors file: {error}") from error
