"""Networks of others on disk: read once from where they were found, kept as safetensors or ONNX, and loaded."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import save as save_tensors

from localsr.errors import CheckpointError
from localsr.foreign.black_box import BlackBox, ForeignNetwork
from localsr.foreign.measured import known
from localsr.foreign.onnx_networks import count_graph, graph_weights, read_graph
from localsr.foreign.spandrel_networks import build
from localsr.inference.restorer import Restorer
from localsr.models.card import Card
from localsr.models.checkpoint import digest, read_tensors
from localsr.models.config import MAX_HALO, ModelConfig
from localsr.models.embedded import FOREIGN_FORMAT, is_graph
from localsr.models.importer import IMPORTED_TYPES, read_table
from localsr.onnx.folder import digest as graph_digest
from localsr.pytorch.device import find_device
from localsr.pytorch.network import TorchNetwork

KEPT_TYPES = {str(each) for each in (*IMPORTED_TYPES, torch.int64, torch.int32, torch.bool)}  # weights; indices, masks
log = logging.getLogger(__name__)


class ForeignFile(NamedTuple):
    """A network of others, and what its file holds."""

    network: ForeignNetwork
    sha256: str
    data: bytes  # as it is kept


def read_foreign(path: Path, device: torch.device) -> ForeignFile:
    """Read anybody's file of a network: `.onnx`, or tensors that spandrel knows; nothing in it is executed."""
    if is_graph(path):
        data, network = read_graph(path)
        return ForeignFile(network, graph_digest(data), data)
    tensors = {k: t.detach().contiguous().clone() for k, t in read_table(path).items()}
    if odd := {str(t.dtype) for t in tensors.values()} - KEPT_TYPES:
        raise CheckpointError(f"{path} holds {', '.join(sorted(odd))}; weights are floats of 16, 32 or 64 bits")
    network = build(path, tensors, device)
    return ForeignFile(network, digest(tensors), save_tensors(tensors, {"format": FOREIGN_FORMAT}))


def read_about(path: Path) -> tuple[dict[str, torch.Tensor], Card]:
    """Return the weights of a kept network, and a card."""
    _, card = load_foreign(path, torch.device("cpu"))
    return graph_weights(path) if is_graph(path) else read_tensors(path), card


def measured_box(file: ForeignFile) -> BlackBox:
    """Return the network of a file to be run, and measure it if that was never done."""
    count = (lambda: count_graph(file.data)) if file.network.runtime == "onnxruntime" else None
    return BlackBox(file.network, *known(file.network, file.sha256, count))


def load_foreign(path: Path, device: torch.device) -> tuple[BlackBox, Card]:
    """Load a network that was kept, and measure it if that was never done."""
    file = read_foreign(path, device)
    box, network = measured_box(file), file.network
    found = box.found
    if found.is_global:
        log.warning(
            "%s looks at all of a picture: a region with a halo of %d px is %.1f dB from the whole picture's",
            path.stem,
            found.halo,
            found.psnr(found.halo),
        )
    halo = min(found.halo, MAX_HALO)
    config = ModelConfig(backbone=network.architecture, scale=network.scale, stages=1, halo=(halo, 0))
    return box, Card(path.stem, config, sha256=file.sha256)


def read_restorer(path: Path, device: str, precision: str, max_memory: int | None = None) -> Restorer:
    """Read a network that was kept as a restorer; see `localsr.load` for the settings."""
    network, card = load_foreign(path, find_device(device))
    return Restorer(TorchNetwork(network), card, None, precision, max_memory=max_memory)
