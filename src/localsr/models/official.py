"""Weights of other projects, in their own layouts: the one importer. Nothing in such a file is executed."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import torch
from torch import Tensor

from localsr.errors import CheckpointError
from localsr.models import checkpoint
from localsr.models.clsr import CLSR
from localsr.models.config import ModelConfig

CARN_M = ModelConfig(backbone="carn", groups=4, blocks=3)

_CARN_M_NAMES = (  # the authors' names, and ours
    (r"entry\.", "backbone.head.conv."),
    (r"b(\d)\.b1\.body\.0\.", "backbone.stages.{0}.cascade.block.conv1."),
    (r"b(\d)\.b1\.body\.2\.", "backbone.stages.{0}.cascade.block.conv2."),
    (r"b(\d)\.b1\.body\.4\.", "backbone.stages.{0}.cascade.block.point."),
    (r"b(\d)\.c(\d)\.body\.0\.", "backbone.stages.{0}.cascade.points.{1}."),
    (r"c(\d)\.body\.0\.", "backbone.stages.{0}.point."),
    (r"exit\.", "backbone.upsample.conv."),
)


def import_carn_m(path: Path, scale: int) -> CLSR:
    """Read the authors' CARN-M (nmhkahn), whose file holds x2, x3 and x4, as a plain network of one scale.

    Raises `CheckpointError` for a file that is not one, naming what differs.
    """
    try:
        raw = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, pickle.UnpicklingError, EOFError, ValueError, KeyError) as error:
        raise CheckpointError(f"{path} is no file of weights that can be read safely: {error}") from error
    if not isinstance(raw, dict) or not all(isinstance(v, Tensor) for v in raw.values()):
        raise CheckpointError(f"{path} is no table of tensors")
    config = ModelConfig.from_dict(CARN_M.to_dict() | {"scale": scale})
    upsampler = {f"upsample.up{scale}.body.{3 * k}.": f"backbone.upsample.doublers.{k}." for k in range(2)}
    tensors = {}
    for name, tensor in raw.items():
        if ours := _renamed(name, upsampler):
            tensors[ours] = tensor
    network = CLSR(config)
    checkpoint.fit(path, network, tensors)
    return network.to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload, no-any-return]


def _renamed(name: str, upsampler: dict[str, str]) -> str | None:
    """Give our name of one of theirs; None for other scales' upsamplers and for the mean shifts, constants here."""
    for theirs, ours in upsampler.items():
        if name.startswith(theirs):
            return ours + name.removeprefix(theirs)
    if name.startswith(("upsample.up", "sub_mean.", "add_mean.")):
        return None
    for pattern, ours in _CARN_M_NAMES:
        if found := re.match(pattern, name):
            return ours.format(*(int(n) - 1 for n in found.groups())) + name[found.end() :]
    return name
