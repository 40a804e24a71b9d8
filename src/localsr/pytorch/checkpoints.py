"""Checkpoints as restorers that torch computes for, with the plain twin that lies beside them or in the package."""

from __future__ import annotations

from pathlib import Path

import torch

from localsr.errors import CheckpointError
from localsr.inference.restorer import Restorer
from localsr.models import checkpoint
from localsr.models.card import Card
from localsr.models.clsr import CLSR
from localsr.models.embedded import EMBEDDED_FOLDER, imported_folder
from localsr.pytorch.device import find_device
from localsr.pytorch.network import TorchNetwork


def read_checkpoint(path: Path, device: str, precision: str, max_memory: int | None = None) -> Restorer:
    """Read a checkpoint, and its plain twin for a network with context; see `localsr.load` for the settings."""
    place = find_device(device)
    network, card = checkpoint.load(path)
    twin = None if network.config.plain else find_twin(card, path)
    plain = None if twin is None else TorchNetwork(twin.to(place))
    return Restorer(TorchNetwork(network.to(place)), card, plain, precision, max_memory=max_memory)


def use_threads(count: int | None) -> None:
    """Have torch compute with so many threads of the CPU in all of this process; None for as many as it has."""
    if count is not None:
        torch.set_num_threads(count)


def find_twin(card: Card, path: Path) -> CLSR | None:
    """Find the plain network that a CLSR network started from, by name and sha256."""
    wanted = f"{Path(card.plain.get('name', '')).name}.safetensors"  # a name, whatever a hostile header says
    for folder in (path.parent, path.parent.parent / Path(wanted).stem, imported_folder(), EMBEDDED_FOLDER):
        try:
            network, twin = checkpoint.load(folder / wanted)
        except CheckpointError:  # not there, or another's; only crop, halo and full need it, and say so
            continue
        fits = network.config.plain and network.config.scale == card.config.scale
        if fits and twin.sha256 == card.plain.get("sha256"):
            return network
    return None
