"""The importer of other projects' weights, each in its own layout of names. Nothing in such a file is executed."""

from __future__ import annotations

import math
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from localsr.errors import CheckpointError, ConfigError
from localsr.models import checkpoint
from localsr.models.clsr import CLSR
from localsr.models.config import ModelConfig
from localsr.models.layers import RGB_MEAN
from localsr.models.presets import PRESETS

WRAPPERS = ("params_ema", "params", "state_dict")  # keys that a file may hold its table under, the best first
IMPORTED_TYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
TensorTable = dict[str, Tensor]


@dataclass(frozen=True)
class KeyLayout:
    """How another project names the parts of a network, and what else must be known of its files."""

    mark: str  # a regular expression; a file has the layout if it matches all of one name
    sizes: Callable[[TensorTable, int | None], dict[str, Any]]  # reads `ModelConfig`'s settings off names and shapes
    names: str  # of modules, between commas: ours, then theirs; the first that is in the file counts
    ignored: str = ""  # a regular expression: constants, tables of indices, scales other than {scale}
    white: int = 0  # in their colours, if it is not 1; it is folded into the first and the last convolution


def import_network(path: Path, scale: int | None = None) -> CLSR:
    """Read another project's file, in one of the `LAYOUTS`, as a network without context in evaluation mode.

    `scale` chooses one of several in a file, x4 if not given, and must be the one of a file with one. Raises
    `CheckpointError` for a file that has none of the layouts or does not fit its own; the message names what differs.
    """
    given = read_table(path)
    layout = next((one for one in LAYOUTS.values() if any(re.fullmatch(one.mark, name) for name in given)), None)
    if layout is None:
        raise CheckpointError(f"{path} has none of the layouts that can be imported: {', '.join(LAYOUTS)}")
    try:
        sizes = layout.sizes(given, scale)
        if scale not in (None, sizes["scale"]):
            raise ConfigError(f"it enlarges x{sizes['scale']}, not x{scale}")
        with torch.device("meta"):
            network = CLSR(_config(sizes))
    except ConfigError as error:
        raise CheckpointError(f"{path} cannot be imported: {error}") from error
    given = {name: t for name, t in given.items() if not re.fullmatch(layout.ignored.format(**sizes), name)}
    if odd := {str(t.dtype) for t in given.values() if t.dtype not in IMPORTED_TYPES}:
        raise CheckpointError(f"{path} holds {', '.join(sorted(odd))}; its weights must be floats of 16, 32 or 64 bits")
    shifts = [_shift(given, module, layout.white) for module in ("sub_mean", "add_mean") if layout.white]
    checkpoint.fill(path, network, _renamed(given, layout, network))
    if shifts:
        _fold(network, layout.white, *shifts)
    return network.float().to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload, no-any-return]


def read_table(path: Path) -> TensorTable:
    """Read a file's tensors by their names; torch builds tensors and containers from it and refuses anything else."""
    try:
        size = path.stat().st_size
        if zipfile.is_zipfile(path):  # whose parts torch decompresses
            with zipfile.ZipFile(path) as parts:
                size = max(size, sum(part.file_size for part in parts.infolist()))
        raw = torch.load(path, map_location="cpu", weights_only=True) if size <= checkpoint.MAX_CHECKPOINT_BYTES else {}
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}") from error
    except Exception as error:  # a damaged pickle raises anything, and torch's own words advise to run its code
        reason = "it is no file of torch, is damaged, or holds more than tensors; save the network's state_dict() alone"
        raise CheckpointError(f"{path} is no file of weights that can be read safely: {reason}") from error
    raw = raw if isinstance(raw, dict) else {None: raw}  # whose name, not a string, is refused below
    raw = next((raw[key] for key in WRAPPERS if isinstance(raw.get(key), dict)), raw)
    tensors = [part for name, part in raw.items() if isinstance(name, str) and isinstance(part, Tensor)]
    if len(tensors) < len(raw) or not all(t.layout == torch.strided and t.is_cpu and not t.is_nested for t in tensors):
        raise CheckpointError(f"{path} is no table of tensors by name; save the network's state_dict() alone")
    size = max(size, sum(t.numel() * t.element_size() for t in tensors))  # of broadcast tensors, more than is stored
    if size > checkpoint.MAX_CHECKPOINT_BYTES:
        raise CheckpointError(f"{path} holds {size} bytes; weights have at most {checkpoint.MAX_CHECKPOINT_BYTES}")
    prefix = "module." if all(name.startswith("module.") for name in raw) else ""
    return {name.removeprefix(prefix): tensor for name, tensor in raw.items()}


def _size(given: TensorTable, *names: str, axis: int = 0) -> int:
    """Return the length of an axis of the first of these tensors that is there."""
    name = next((name for name in names if name in given), names[0])
    if name not in given or not math.prod(given[name].shape[axis : axis + 1] or (0,)):
        raise ConfigError(f"it has no {name} to read a size off")
    return given[name].shape[axis]


def _blocks(given: TensorTable, pattern: str) -> dict[str, int]:
    """Count the stages, and the blocks of a stage, by the different numbers in a pattern's two groups."""
    found = [match for match in (re.fullmatch(pattern, name) for name in given) if match]
    return {"stages": len({match[1] for match in found}), "blocks": len({match[2] for match in found})}


def _scale(given: TensorTable, channels: int, *convs: str) -> int:
    """Return the scale that the pixel shuffles after these convolutions make; the first of them must be there."""
    return math.prod(math.isqrt(_size(given, k) // channels) for k in convs if k in given or k == convs[0])


def _carn(given: TensorTable, scale: int | None) -> dict[str, Any]:
    """Distinguish CARN-M, whose blocks share weights, from CARN; choose one of the scales that a file may hold."""
    c, efficient = _size(given, "entry.weight"), not any(name.startswith("b1.b2.") for name in given)
    several = [s for s in (4, 2, 3) if f"upsample.up{s}.body.0.weight" in given]
    several = several or [_scale(given, c, "upsample.up.body.0.weight", "upsample.up.body.3.weight")]
    if scale is not None and scale not in several:
        raise ConfigError(f"it enlarges x{', x'.join(map(str, sorted(several)))}, not x{scale}")
    groups = max(1, c // _size(given, "b1.b1.body.0.weight", axis=1)) if efficient else 1
    sizes = _blocks(given, r"b([0-9]+)\.c([0-9]+)\.body\.0\.weight") | {"scale": scale or several[0], "channels": c}
    return {"backbone": "carn", "groups": groups, "efficient": efficient, **sizes}


def _srresnet(given: TensorTable, scale: int | None) -> dict[str, Any]:
    """Divide the row of blocks into stages of four, as in the preset, or else of one."""
    c, row = _size(given, "conv_first.weight"), _blocks(given, r"()body\.([0-9]+)\.conv[12]\.weight")["blocks"]
    blocks, scale = 1 if row % 4 else 4, _scale(given, c, "upconv1.weight", "upconv2.weight")
    return {"backbone": "srresnet", "scale": scale, "channels": c, "stages": row // blocks, "blocks": blocks}


def _rcan(given: TensorTable, scale: int | None) -> dict[str, Any]:
    """Read groups, blocks, width and reduction, by the authors' names or BasicSR's."""
    c, up = _size(given, "head.0.weight", "conv_first.weight"), "tail.0" if "head.0.weight" in given else "upsample"
    squeeze = ("body.0.body.0.body.3.conv_du.0.weight", "body.0.residual_group.0.rcab.3.attention.1.weight")
    sizes: dict[str, Any] = {"backbone": "rcan", "channels": c, "reduction": c // _size(given, *squeeze)}
    sizes |= {"scale": _scale(given, c, f"{up}.0.weight", f"{up}.2.weight")}
    return sizes | _blocks(given, r"body\.([0-9]+)\.(?:body|residual_group)\.([0-9]+)\.(?:body|rcab)\..*")


def _swinir(given: TensorTable, scale: int | None) -> dict[str, Any]:
    """Read stages, layers, width and heads, and which of the two upsamplers there is."""
    table = "layers.0.residual_group.blocks.0.attn.relative_position_bias_table"
    if (rows := _size(given, table)) != 15**2:
        raise ConfigError(f"its windows are of {(math.isqrt(rows) + 1) // 2} px; only windows of 8 are supported")
    sizes = {"backbone": "swinir", "channels": _size(given, "conv_first.weight"), "heads": _size(given, table, axis=1)}
    sizes |= _blocks(given, r"layers\.([0-9]+)\.residual_group\.blocks\.([0-9]+)\..*")
    if not any(name.startswith("conv_before_upsample.") for name in given):
        return sizes | {"upsampler": "pixelshuffledirect", "scale": math.isqrt(_size(given, "upsample.0.weight") // 3)}
    features = _size(given, "conv_before_upsample.0.weight")
    return sizes | {"features": features, "scale": _scale(given, features, "upsample.0.weight", "upsample.2.weight")}


def _config(sizes: dict[str, Any]) -> ModelConfig:
    """Fill in what a file does not say from the preset that is nearest in size."""
    c, stages, groups = sizes["channels"], sizes["stages"], sizes.get("groups", 1)
    own = [preset for preset in PRESETS.values() if preset.backbone == sizes["backbone"]]
    near = min(own, key=lambda p: (p.efficient != sizes.get("efficient", p.efficient), abs(p.channels - c)))
    halo = near.halo if stages == near.stages else (near.halo[0], *[near.halo[2]] * (stages - 1), near.halo[-1])
    unit = sizes.get("heads", math.lcm(8, groups))  # a tenth of the channels is rounded up to its multiple
    slim, heads = -(-c // (10 * unit)) * unit, math.gcd(near.gcm_heads, c // groups)
    return replace(near, **sizes, halo=halo, gcm_heads=heads, pim_channels=slim)


def _renamed(given: TensorTable, layout: KeyLayout, network: CLSR) -> TensorTable:
    """Return the tensors by our names, as float32; an unknown one keeps its name, which `checkpoint.fill` reports."""
    config, wanted, found = network.config, network.state_dict(), TensorTable()
    for i, j, k in product(range(config.stages), range(config.blocks), range(2)):
        at = {"block": f"stages.{i}.blocks.{j}", "i": i, "j": j, "k": k, "i1": i + 1, "j1": j + 1, "k1": k + 1}
        at |= {"k2": 2 * k, "k3": 3 * k, "n": i * config.blocks + j} | config.to_dict()
        for words, leaf in product(layout.names.format(**at).split(","), ("", ".weight", ".bias")):
            ours, *theirs = (f"{name}{leaf}" for name in words.split())
            there = next((name for name in theirs if name in given), None)
            if there and f"backbone.{ours}" in wanted and f"backbone.{ours}" not in found:
                found[f"backbone.{ours}"] = given.pop(there)
    return {name: tensor.detach().float().contiguous() for name, tensor in (found | given).items()}


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


LAYOUTS = {
    "CARN and CARN-M of nmhkahn": KeyLayout(
        mark=r"b[0-9]\.c[0-9]\.body\.0\.(weight|bias)",
        sizes=_carn,
        names="""head.conv entry, upsample.conv exit, stages.{i}.point c{i1}.body.0,
            stages.{i}.cascade.blocks.{j}.conv1 b{i1}.b{j1}.body.0,
            stages.{i}.cascade.blocks.{j}.conv2 b{i1}.b{j1}.body.2,
            stages.{i}.cascade.blocks.{j}.point b{i1}.b{j1}.body.4,
            stages.{i}.cascade.points.{j} b{i1}.c{j1}.body.0,
            upsample.shuffles.convs.{k} upsample.up{scale}.body.{k3} upsample.up.body.{k3}""",
        ignored=r"(upsample\.up[234](?<!{scale})\.body\.[03]|(sub|add)_mean\.shifter)\.(weight|bias)",
    ),
    "SRResNet of BasicSR": KeyLayout(
        mark=r"upconv1\.(weight|bias)",
        sizes=_srresnet,
        names="""stages.{i}.{j}.conv1 body.{n}.conv1, stages.{i}.{j}.conv2 body.{n}.conv2, head.conv conv_first,
            upsample.shuffles.convs.{k} upconv{k1}, upsample.refine conv_hr, upsample.conv conv_last""",
    ),
    "RCAN of its authors or of BasicSR": KeyLayout(
        mark=r"body\.[0-9]+\.(body\.[0-9]+\.body|residual_group\.[0-9]+\.rcab)\.[023]\..*",
        sizes=_rcan,
        names="""{block}.conv1 body.{i}.body.{j}.body.0 body.{i}.residual_group.{j}.rcab.0,
            {block}.conv2 body.{i}.body.{j}.body.2 body.{i}.residual_group.{j}.rcab.2,
            {block}.attention.squeeze body.{i}.body.{j}.body.3.conv_du.0 body.{i}.residual_group.{j}.rcab.3.attention.1,
            {block}.attention.excite body.{i}.body.{j}.body.3.conv_du.2 body.{i}.residual_group.{j}.rcab.3.attention.3,
            stages.{i}.conv body.{i}.body.{blocks} body.{i}.conv, tail.conv body.{stages} conv_after_body,
            head.conv head.0 conv_first, upsample.conv tail.1 conv_last,
            upsample.shuffles.convs.{k} tail.0.{k2} upsample.{k2}""",
        white=255,
    ),
    "SwinIR of its authors": KeyLayout(
        mark=r"layers\.[0-9]+\.residual_group\.blocks\.[0-9]+\.attn\.qkv\.(weight|bias)",
        sizes=_swinir,
        names="""{block}.norm1 layers.{i}.residual_group.blocks.{j}.norm1,
            {block}.norm2 layers.{i}.residual_group.blocks.{j}.norm2,
            {block}.attention.qkv layers.{i}.residual_group.blocks.{j}.attn.qkv,
            {block}.attention.proj layers.{i}.residual_group.blocks.{j}.attn.proj,
            {block}.attention.table layers.{i}.residual_group.blocks.{j}.attn.relative_position_bias_table,
            {block}.mlp.0 layers.{i}.residual_group.blocks.{j}.mlp.fc1,
            {block}.mlp.2 layers.{i}.residual_group.blocks.{j}.mlp.fc2,
            head.conv conv_first, head.norm patch_embed.norm, stages.{i}.conv layers.{i}.conv,
            tail.norm norm, tail.conv conv_after_body, upsample.narrow conv_before_upsample.0,
            upsample.shuffles.convs.{k} upsample.{k2}, upsample.conv conv_last upsample.0""",
        ignored=r"layers\.[0-9]+\.residual_group\.blocks\.[0-9]+\.(attn\.relative_position_index|attn_mask)",
    ),
}
