"""Checkpoints: safetensors files whose header says what the network is, how it was trained and what it scored."""

from __future__ import annotations

import hashlib
import json
import re
import struct
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from localsr.errors import CheckpointError, ConfigError
from localsr.files import write_whole
from localsr.models.clsr import CLSR
from localsr.models.config import ModelConfig

CHECKPOINT_FORMAT = "localsr-1"
MAX_HEADER_BYTES = 2**20  # an 89 MB header of empty tensors takes safetensors 58 s
MAX_TENSORS = 10_000
MAX_DIFFERENCES = 5  # that a message names
WEIGHT_TYPES = (torch.float16, torch.bfloat16, torch.float32)
CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f]|\\u00[0189]")  # themselves, or as JSON escapes them
MAX_CHECKPOINT_BYTES = 2**30  # the largest of the paper's networks has 64 MB
NETWORK_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class Card:
    """The header of a checkpoint: everything but its tensors."""

    name: str
    config: ModelConfig
    recipe: dict[str, Any] = field(default_factory=dict)  # as `Recipe.to_dict`
    training: dict[str, Any] = field(default_factory=dict)  # data, steps, hours, device, versions
    protocol: dict[str, Any] = field(default_factory=dict)  # numbers of `localsr evaluate`, by data set
    plain: dict[str, str] = field(
        default_factory=dict
    )  # name and sha256 of the backbone that a CLSR network started from
    sha256: str = ""  # of the tensors; set when saved


def checked_name(name: str) -> str:
    """Return a network's name if files can be named after it on any system; raise `ConfigError` if not."""
    if not NETWORK_NAME.fullmatch(name):
        raise ConfigError(f"{name!r} is no name for a folder or a file; use letters, digits, '.', '_' and '-'")
    return name


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
    about = checked_header(path, data, (CHECKPOINT_FORMAT,), "checkpoint", "`localsr models` lists what is at hand")
    try:
        tensors = load_tensors(data)
        parts = {k: json.loads(about[k]) for k in ("config", "recipe", "training", "protocol", "plain")}
        if not all(isinstance(part, dict) for part in parts.values()):
            raise ValueError("a part of its header is no table")
        config = ModelConfig.from_dict(parts.pop("config"))
        parts["plain"] = {str(k): str(v) for k, v in parts["plain"].items()}
        card = Card(name=about["name"], config=config, sha256=about["sha256"], **parts)
    except (SafetensorError, ConfigError, KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
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
    sha = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        sha.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        sha.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return sha.hexdigest()


def read_bounded(path: Path, what: str, max_bytes: int, *, header: bool = False) -> bytes:
    """Read a file of at most `max_bytes`; `what` is what a message calls it. Raises `CheckpointError`.

    Of one that should begin with a `header` and does not, only the first bytes are read: `checked_header` refuses them.
    """
    try:
        if path.stat().st_size > max_bytes:
            raise CheckpointError(f"{path} has {path.stat().st_size} bytes; a {what} has at most {max_bytes}")
        with path.open("rb") as file:
            start = file.read(9)
            odd = start[8:] != b"{" or int.from_bytes(start[:8], "little") > MAX_HEADER_BYTES
            return start if header and odd else start + file.read()
    except OSError as error:
        raise CheckpointError(f"{what} {path} cannot be read: {error.strerror}") from error


def checked_header(path: Path, data: bytes, forms: tuple[str, ...], what: str, hint: str) -> dict[str, str]:
    """Check the header of a safetensors file before it is parsed, and return its metadata.

    The metadata must name one of the formats `forms`. `what` is what messages call the file, `hint` what they advise
    for one that is none.
    """
    about = _bounded_header(path, data, what, f"{path} is no {what} of localsr, which is a safetensors file; {hint}")
    if not isinstance(about, dict) or about.get("format") not in forms:
        raise CheckpointError(f"{path} is no {what} of localsr (format {forms[0]})")
    if not all(isinstance(text, str) for text in about.values()) or CONTROL_CHARACTERS.search("".join(about.values())):
        raise CheckpointError(f"{what} {path} is damaged: its header holds control characters")
    return about


def _bounded_header(path: Path, data: bytes, what: str, refusal: str) -> Any:  # noqa: ANN401  # whatever JSON holds
    """Return the metadata of a safetensors file whose header is short enough to be parsed, or say `refusal`."""
    length = struct.unpack("<Q", data[:8])[0] if len(data) >= 8 else 0
    if not 2 <= length <= min(MAX_HEADER_BYTES, len(data) - 8) or data[8:9] != b"{":
        raise CheckpointError(refusal)
    try:
        header = json.loads(data[8 : 8 + length])
        about = header.pop("__metadata__", {})
    except (ValueError, RecursionError, AttributeError) as error:
        raise CheckpointError(f"{what} {path} is damaged: its header is not JSON") from error
    if len(header) > MAX_TENSORS:
        raise CheckpointError(f"{path} has {len(header)} tensors; a {what} has at most {MAX_TENSORS}")
    return about


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read the tensors of anybody's safetensors file; `CheckpointError` for what is none."""
    data = read_bounded(path, "file of weights", MAX_CHECKPOINT_BYTES, header=True)
    _bounded_header(path, data, "file of weights", f"{path} is no safetensors file")
    try:
        return load_tensors(data)
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise CheckpointError(f"{path} is a damaged safetensors file: {error}") from error
