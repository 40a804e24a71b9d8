"""The header of a checkpoint, a safetensors file: what the network is, how it was trained and what it scored."""

from __future__ import annotations

import hashlib
import json
import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localsr.errors import CheckpointError, ConfigError
from localsr.models.config import ModelConfig

CHECKPOINT_FORMAT = "localsr-1"
MAX_HEADER_BYTES = 2**20  # an 89 MB header of empty tensors takes safetensors 58 s
MAX_TENSORS = 10_000
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


def read_checkpoint_card(path: Path) -> Card:
    """Read the card of a checkpoint, and none of its weights; `CheckpointError` for a file that is none."""
    return read_card(path, read_bounded(path, "checkpoint", MAX_CHECKPOINT_BYTES, header=True))


def read_card(path: Path, data: bytes) -> Card:
    """Return the card of a checkpoint's bytes; `CheckpointError` for what is none."""
    about = checked_header(path, data, (CHECKPOINT_FORMAT,), "checkpoint", "`localsr models` lists what is at hand")
    try:
        parts = {k: json.loads(about[k]) for k in ("config", "recipe", "training", "protocol", "plain")}
        if not all(isinstance(part, dict) for part in parts.values()):
            raise ValueError("a part of its header is no table")
        config = ModelConfig.from_dict(parts.pop("config"))
        parts["plain"] = {str(k): str(v) for k, v in parts["plain"].items()}
        return Card(name=about["name"], config=config, sha256=about["sha256"], **parts)
    except (ConfigError, KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"checkpoint {path} is damaged or of another version: {error}") from error


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
    about = bounded_header(path, data, what, f"{path} is no {what} of localsr, which is a safetensors file; {hint}")
    if not isinstance(about, dict) or about.get("format") not in forms:
        raise CheckpointError(f"{path} is no {what} of localsr (format {forms[0]})")
    if not all(isinstance(text, str) for text in about.values()) or CONTROL_CHARACTERS.search("".join(about.values())):
        raise CheckpointError(f"{what} {path} is damaged: its header holds control characters")
    return about


def bounded_header(path: Path, data: bytes, what: str, refusal: str) -> Any:  # noqa: ANN401  # whatever JSON holds
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


def sha256_of(tensors: Iterable[tuple[str, str, tuple[int, ...], bytes]]) -> str:
    """Return the sha256 of tensors: of their names, torch's names of their types, their shapes and bytes."""
    sha = hashlib.sha256()
    for name, dtype, shape, data in sorted(tensors):
        sha.update(f"{name} {dtype} {shape}\n".encode())
        sha.update(data)
    return sha.hexdigest()
