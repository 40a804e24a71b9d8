"""The layouts in which other projects name the tensors of their networks, and how sizes are read off them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from localsr.errors import ConfigError
from localsr.models.config import MAX_HALO
from localsr.models.presets import tapered

TensorTable = dict[str, Tensor]


@dataclass(frozen=True)
class KeyLayout:
    """How another project names the parts of a network, and what else must be known of its files."""

    mark: str  # a regular expression; a file has the layout if it matches all of one name
    sizes: Callable[[TensorTable, int | None], dict[str, Any]]  # reads `ModelConfig`'s settings off names and shapes
    names: str  # of modules, between commas: ours, then theirs; the first that is in the file counts
    ignored: str = ""  # a regular expression: constants, tables of indices, scales other than {scale}
    white: int = 0  # in their colours, if it is not 1; it is folded into the first and the last convolution
    folded: Callable[[TensorTable, dict[str, Any]], TensorTable] = lambda given, _: given  # several tensors as one


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


def _rrdb(given: TensorTable, scale: int | None) -> dict[str, Any]:
    """Read width, growth, blocks and steps of enlargement, by BasicSR's names, the authors' or their older ones."""
    first = ("conv_first.weight", "model.0.weight")
    unshuffle = {3: 1, 12: 2, 48: 4}.get(inputs := _size(given, *first, axis=1))
    if unshuffle is None:
        raise ConfigError(f"it begins with {inputs} channels; only networks of three colours can be imported")
    dense = ("body.0.rdb1.conv1.weight", "RRDB_trunk.0.RDB1.conv1.weight", "model.1.sub.0.RDB1.conv1.0.weight")
    stages = _blocks(given, r"()(?:body|RRDB_trunk|model\.1\.sub)\.([0-9]+)\.(?:rdb|RDB)1\.conv1(?:\.0)?\.weight")[
        "blocks"
    ]
    steps = sum(f"{name}{k}.weight" in given for name in ("conv_up", "upconv") for k in (1, 2, 3))
    if "model.0.weight" in given:  # each step is three modules: enlarge, convolve, activate
        steps = sum(bool(re.fullmatch(r"model\.[0-9]+\.weight", name)) for name in given) - 3
    own = 3 if (scale, steps) == (3, 1) else 2**steps // unshuffle  # a step by 3 has the same weights as one by 2
    sizes = {"backbone": "rrdb", "scale": own, "channels": _size(given, *first), "growth": _size(given, *dense)}
    sizes |= {"unshuffle": unshuffle, "stages": stages, "blocks": 1}
    return sizes | {"halo": tapered(min(unshuffle * (80 if stages > 12 else 48), MAX_HALO), stages)}


def _compact(given: TensorTable, scale: int | None) -> dict[str, Any]:
    """Read width and length of the chain, whose activations must be those with weights."""
    if not any(name.endswith(".weight") and tensor.ndim == 1 for name, tensor in given.items()):
        raise ConfigError("its activation cannot be told: only those with weights (PReLU) leave a trace in a file")
    row = sum(tensor.ndim == 4 for tensor in given.values()) - 2  # convolutions but the first and the last
    blocks = 1 if row % 4 else 4
    last = _size(given, f"body.{2 * row + 2}.weight")
    sizes = {"backbone": "compact", "channels": _size(given, "body.0.weight"), "activation": "prelu"}
    sizes |= {"scale": math.isqrt(last // 3), "stages": row // blocks, "blocks": blocks}
    return sizes | {"halo": tapered(min(row + 2, 48), row // blocks)}


def _span(given: TensorTable, scale: int | None) -> dict[str, Any]:
    """Read width and length; a tensor without meaning but its name says that no mean colour is subtracted."""
    blocks = _blocks(given, r"block_([0-9]+)\.()c1_r\.(?:.*\.)?weight")
    sizes = {"backbone": "span", "channels": _size(given, "conv_cat.weight"), "centred": "no_norm" not in given}
    own = math.isqrt(_size(given, "upsampler.0.weight") // 3)
    return sizes | {"scale": own, **blocks, "halo": tapered(min(3 * blocks["stages"] + 2, 48), blocks["stages"])}


def _plain_convs(given: TensorTable, sizes: dict[str, Any]) -> TensorTable:
    """Fold SPAN's convolutions: a 1x1, a 3x3 and a 1x1 in a row, beside a 1x1, are one 3x3; colours reach to 255.

    Where a file has both, the parts are what was trained; the authors keep their sum beside them as `eval_conv`, where
    it may be old.
    """
    table = dict(given)
    for name in [k.removesuffix(".sk.weight") for k in given if k.endswith(".sk.weight")]:
        parts = [
            f"{name}.{part}.{leaf}" for part in ("conv.0", "conv.1", "conv.2", "sk") for leaf in ("weight", "bias")
        ]
        (m, i), n, o = (_size(given, parts[0], axis=a) for a in (0, 1)), _size(given, parts[2]), _size(given, parts[4])
        shapes = [(m, i, 1, 1), (m,), (n, m, 3, 3), (n,), (o, n, 1, 1), (o,), (o, i, 1, 1), (o,)]
        if m < i or n < o or [tuple(given[k].shape) if k in given else None for k in parts] != shapes:
            raise ConfigError(f"the parts of {name} do not fit each other")
        w1, b1, w2, b2, w3, b3, skip, b4 = (table.pop(k).detach().double() for k in parts)
        inner = torch.einsum("ompq,mi->oipq", w2, w1[:, :, 0, 0])
        weight = torch.einsum("om,mipq->oipq", w3[:, :, 0, 0], inner) + functional.pad(skip, (1, 1, 1, 1))
        bias = w3[:, :, 0, 0] @ (w2.sum((2, 3)) @ b1 + b2) + b3 + b4
        table = {k: t for k, t in table.items() if not k.startswith(f"{name}.eval_conv.")}
        table |= {f"{name}.weight": weight, f"{name}.bias": bias}
    table = {k.replace(".eval_conv.", "."): tensor for k, tensor in table.items()}
    if "conv_1.weight" in table and sizes["centred"]:
        table["conv_1.weight"] = 255 * table["conv_1.weight"].double()
    return table


DENSE = ", ".join(
    f"stages.{{i}}.{{j}}.dense.{d}.convs.{c} body.{{n}}.rdb{d + 1}.conv{c + 1} "
    f"RRDB_trunk.{{n}}.RDB{d + 1}.conv{c + 1} model.1.sub.{{n}}.RDB{d + 1}.conv{c + 1}.0"
    for d in range(3)
    for c in range(5)
)
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
        mark=r"body\.[0-9]+\.conv[12]\.(weight|bias)",
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
    "RRDBNet of ESRGAN and Real-ESRGAN": KeyLayout(
        mark=r"(body\.0\.rdb1\.conv1|RRDB_trunk\.0\.RDB1\.conv1|model\.1\.sub\.0\.RDB1\.conv1\.0)\.weight",
        sizes=_rrdb,
        names=DENSE
        + """, head.conv conv_first model.0, tail.conv conv_body trunk_conv model.1.sub.{total},
            upsample.convs.{k} conv_up{k1} upconv{k1} model.{up}, upsample.refine conv_hr HRconv model.{refine},
            upsample.conv conv_last model.{last}""",
    ),
    "SRVGGNetCompact of Real-ESRGAN": KeyLayout(
        mark=r"body\.0\.(weight|bias)",
        sizes=_compact,
        names="""head.widen.conv body.0, head.widen.activation body.1, stages.{i}.{j}.conv body.{even},
            stages.{i}.{j}.activation body.{odd}, upsample.conv body.{end}""",
    ),
    "SPAN of its authors": KeyLayout(
        mark=r"block_1\.c1_r\.(.*\.)?weight",
        sizes=_span,
        names="""head.conv conv_1, {block}.convs.{k} block_{n1}.c{k1}_r, tail.conv conv_2, tail.join conv_cat,
            upsample.conv upsampler.0""",
        ignored=r"no_norm",
        folded=_plain_convs,
    ),
}
