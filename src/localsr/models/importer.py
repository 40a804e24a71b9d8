"""The importer of other projects' weights, each in its own layout of names. Nothing in such a file is executed."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from localsr.errors import CheckpointError, ConfigError
from localsr.models import checkpoint
from localsr.models.clsr import CLSR
from localsr.models.config import ModelConfig
from localsr.models.key_layouts import LAYOUTS, KeyLayout, TensorTable
from localsr.models.layers import RGB_MEAN, SHUFFLE_FACTORS
from localsr.models.presets import PRESETS
from localsr.models.torch_file import load_torch_file, refuse_large

# keys that a file may hold its table under, the best first; one alone may be any
WRAPPERS = ("params_ema", "params-ema", "params", "state_dict", "model_state_dict", "model", "net")
PREFIXES = ("module.", "netG.")  # of all names of a table, by what trained it
IMPORTED_TYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


class UnknownLayoutError(CheckpointError):
    """A table of tensors in none of the layouts that localsr builds networks of its own from."""


def import_network(path: Path, scale: int | None = None) -> CLSR:
    """Read another project's file, in one of the `LAYOUTS`, as a network without context in evaluation mode.

    `scale` chooses one of several in a file, x4 if not given, and must be the one of a file with one. Raises
    `CheckpointError` for a file that has none of the layouts or does not fit its own; the message names what differs.
    """
    given = read_table(path)
    layout = next((one for one in LAYOUTS.values() if any(re.fullmatch(one.mark, name) for name in given)), None)
    if layout is None:
        if any(name.startswith("backbone.") for name in given):
            raise CheckpointError(f"{path} is a checkpoint of localsr, which every command takes by its path as it is")
        raise UnknownLayoutError(f"{path} has none of the layouts that can be imported: {', '.join(LAYOUTS)}")
    try:
        sizes = layout.sizes(given, scale)
        if scale not in (None, sizes["scale"]):
            raise ConfigError(f"it enlarges x{sizes['scale']}, not x{scale}")
        if 2 * sizes["stages"] * sizes["blocks"] > len(given):  # a block of any layout has more
            raise ConfigError(f"it has too few tensors for {sizes['stages']} stages of {sizes['blocks']} blocks")
        with torch.device("meta"):
            network = CLSR(_config(sizes))
    except ConfigError as error:
        raise CheckpointError(f"{path} cannot be imported: {error}") from error
    given = {name: t for name, t in given.items() if not re.fullmatch(layout.ignored.format(**sizes), name)}
    if odd := {str(t.dtype) for t in given.values() if t.dtype not in IMPORTED_TYPES}:
        raise CheckpointError(f"{path} holds {', '.join(sorted(odd))}; its weights must be floats of 16, 32 or 64 bits")
    try:
        given = layout.folded(given, sizes)
    except ConfigError as error:
        raise CheckpointError(f"{path} cannot be imported: {error}") from error
    shifts = [_shift(given, module, layout.white) for module in ("sub_mean", "add_mean") if layout.white]
    checkpoint.fill(path, network, _renamed(given, layout, network))
    if shifts:
        _fold(network, layout.white, *shifts)
    return network.float().to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload, no-any-return]


def read_table(path: Path) -> TensorTable:
    """Read a file's tensors by their names; of a file of torch, it builds tensors and containers and nothing else."""
    if path.suffix.lower() == ".safetensors":
        return _unprefixed(checkpoint.read_tensors(path))
    raw = load_torch_file(path)
    raw = raw if isinstance(raw, dict) else {None: raw}  # whose name, not a string, is refused below
    keys = WRAPPERS if len(raw) > 1 else tuple(raw)
    raw = next((raw[key] for key in keys if isinstance(raw.get(key), dict)), raw)
    tensors = [part for name, part in raw.items() if isinstance(name, str) and isinstance(part, Tensor)]
    if len(tensors) < len(raw) or not all(t.layout == torch.strided and t.is_cpu and not t.is_nested for t in tensors):
        raise CheckpointError(f"{path} is no table of tensors by name; save the network's state_dict() alone")
    refuse_large(path, sum(t.numel() * t.element_size() for t in tensors))  # of broadcast ones, more than is stored
    return _unprefixed(raw)


def _unprefixed(table: TensorTable) -> TensorTable:
    """Return a table without the prefixes that all its names have."""
    for prefix in PREFIXES:
        if all(name.startswith(prefix) for name in table):
            table = {name.removeprefix(prefix): tensor for name, tensor in table.items()}
    return table


def _config(sizes: dict[str, Any]) -> ModelConfig:
    """Fill in what a file does not say from the preset that is nearest in size."""
    c, stages, groups = sizes["channels"], sizes["stages"], sizes.get("groups", 1)
    own = [preset for preset in PRESETS.values() if preset.backbone == sizes["backbone"]]
    near = min(own, key=lambda p: (p.efficient != sizes.get("efficient", p.efficient), abs(p.channels - c)))
    halo = near.halo if stages == near.stages else (near.halo[0], *[near.halo[2]] * (stages - 1), near.halo[-1])
    unit = sizes.get("heads", math.lcm(8, groups))  # a tenth of the channels is rounded up to its multiple
    slim, heads = -(-c // (10 * unit)) * unit, math.gcd(near.gcm_heads, c // groups)
    return replace(near, **({"halo": halo} | sizes), gcm_heads=heads, pim_channels=slim)


def _renamed(given: TensorTable, layout: KeyLayout, network: CLSR) -> TensorTable:
    """Return the tensors by our names, as float32; an unknown one keeps its name, which `checkpoint.fill` reports."""
    config, wanted, found = network.config, network.state_dict(), TensorTable()
    settings = config.to_dict()  # once: of a deep network it takes a millisecond
    for i, j, k in product(range(config.stages), range(config.blocks), range(3)):
        at = settings | _numbers(config, i, j, k)
        for words, leaf in product(layout.names.format(**at).split(","), ("", ".weight", ".bias")):
            ours, *theirs = (f"{name}{leaf}" for name in words.split())
            there = next((name for name in theirs if name in given), None)
            if there and f"backbone.{ours}" in wanted and f"backbone.{ours}" not in found:
                found[f"backbone.{ours}"] = given.pop(there)
    return {name: tensor.detach().float().contiguous() for name, tensor in (found | given).items()}


def _numbers(config: ModelConfig, i: int, j: int, k: int) -> dict[str, Any]:
    """Return what the names of a layout are filled with for stage i, block j and part k, all counted from 0."""
    n, total, steps = (
        i * config.blocks + j,
        config.stages * config.blocks,
        len(SHUFFLE_FACTORS[config.scale * config.unshuffle]),
    )
    at = {"i": i, "j": j, "k": k, "n": n, "n1": n + 1, "i1": i + 1, "j1": j + 1, "k1": k + 1, "k2": 2 * k, "k3": 3 * k}
    at |= {"total": total, "even": 2 * n + 2, "odd": 2 * n + 3, "end": 2 * total + 2}  # of a chain of pairs
    at |= {"up": 3 * k + 3, "refine": 3 * steps + 2, "last": 3 * steps + 4}  # of ESRGAN's numbered modules
    return at | {"block": f"stages.{i}.blocks.{j}"}


def _shift(given: TensorTable, module: str, white: int) -> tuple[Tensor, Tensor]:
    """Take a 1x1 convolution of colours out of a file; if it is missing, return the one that its authors start from."""
    weight, bias = (given.get(f"{module}.{leaf}", torch.empty(0)).double() for leaf in ("weight", "bias"))
    if weight.shape != (3, 3, 1, 1) or bias.shape != (3,) or not (weight.isfinite().all() and bias.isfinite().all()):
        mean = white * torch.tensor(RGB_MEAN, dtype=torch.float64)
        return torch.eye(3, dtype=torch.float64), -mean if module == "sub_mean" else mean
    del given[f"{module}.weight"], given[f"{module}.bias"]
    return weight[:, :, 0, 0], bias


@torch.no_grad()
def _fold(network: CLSR, white: int, first: tuple[Tensor, Tensor], last: tuple[Tensor, Tensor]) -> None:
    """Fold what their network does to colours, (A f(W s x + b) + a) / s, into ours, f(x - mean) + mean; s is `white`.

    As RCAN's authors meant it, W = A = 1 and a = -b = s mean: the first weight is multiplied by s, the last weight and
    bias are divided by it. But their flag that should freeze these freezes nothing, so the file's own W, b, A and a are
    folded in. That is exact but for one thing: beyond the picture's border, our colour is the mean, theirs the one that
    W and b turn into 0.
    """
    (w, b), (a_weight, a_bias), mean = first, last, torch.tensor(RGB_MEAN, dtype=torch.float64)
    head: Any = network.get_submodule("backbone.head.conv").double()
    head.bias += head.weight.sum((2, 3)) @ (white * w @ mean + b)
    head.weight.copy_(torch.einsum("oihw,ij->ojhw", head.weight, white * w))
    tail: Any = network.get_submodule("backbone.upsample.conv").double()
    tail.bias.copy_((a_weight @ tail.bias + a_bias) / white - mean)
    tail.weight.copy_(torch.einsum("oihw,po->pihw", tail.weight, a_weight / white))
