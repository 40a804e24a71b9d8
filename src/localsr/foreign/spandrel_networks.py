"""Networks of other people by the library spandrel, which knows 42 architectures by their tensors."""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from localsr.errors import CheckpointError
from localsr.extras import need
from localsr.foreign.black_box import ForeignNetwork
from localsr.models.config import SCALES
from localsr.models.key_layouts import TensorTable

STUBS = {"torchvision": (), "torchvision.transforms": (), "torchvision.transforms.functional": ("normalize", "rotate")}


def build(path: Path, tensors: TensorTable, device: torch.device) -> ForeignNetwork:
    """Build the network of tensors; `CheckpointError` for one that is not for enlarging pictures of three colours."""
    need("spandrel", "spandrel", "einops", what="a network of this kind")
    with _torchvision_or_stub():
        from spandrel import ImageModelDescriptor, ModelLoader, UnsupportedModelError

    try:
        model: Any = ModelLoader().load_from_state_dict(dict(tensors))
    except UnsupportedModelError as error:
        raise CheckpointError(f"{path} is of no architecture that localsr or spandrel knows") from error
    except Exception as error:  # whatever networks say of tensors that do not fit them
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(f"{path} is no network that can be imported: {reason[:200]}") from error
    name, channels = model.architecture.name, (model.input_channels, model.output_channels)
    if not isinstance(model, ImageModelDescriptor) or model.purpose == "FaceSR":
        raise CheckpointError(f"{path} is a {name}, which fills in masks or draws faces; only networks that enlarge")
    if channels not in ((3, 3), (1, 1)):
        raise CheckpointError(f"{path} is a {name} of {channels[0]} to {channels[1]} channels, not of 3 or of 1")
    if model.scale not in SCALES:
        raise CheckpointError(f"{path} enlarges x{model.scale}, not one of x{', x'.join(map(str, SCALES))}")
    model.model.to(device).float().eval()  # spandrel returns networks in training mode
    return ForeignNetwork(model, name, model.scale, channels[0], "spandrel", device)


@contextmanager
def _torchvision_or_stub() -> Iterator[None]:
    """Let two of spandrel's modules import torchvision where there is none, or a broken one, and take that away again.

    What they take from it serves faces and inpainting alone, which are refused here.
    """
    try:
        importlib.import_module("torchvision.transforms.functional")
    except (ImportError, RuntimeError, OSError, AttributeError):  # absent, or built for another torch
        broken = {k: sys.modules.pop(k) for k in list(sys.modules) if k.partition(".")[0] == "torchvision"}
        del broken
        for name, members in STUBS.items():
            stub: Any = types.ModuleType(name)
            for member in (*members, "InterpolationMode"):
                setattr(stub, member, None)
            sys.modules[name] = stub
        try:
            yield
        finally:
            for name in STUBS:
                sys.modules.pop(name, None)
    else:
        yield
