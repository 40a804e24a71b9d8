"""Other projects' weights: each published layout written out here, and its formulas, without our modules."""

import dataclasses
import hashlib
import io
import pickle
import re
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional
from typer.testing import CliRunner

import localsr
from localsr.cli import app
from localsr.geometry import Box, Size, whole
from localsr.inference.strategies import Strategy
from localsr.models import checkpoint, torch_file
from localsr.models.clsr import CLSR
from localsr.models.importer import LAYOUTS, import_network
from localsr.models.presets import PRESETS

Shapes = dict[str, tuple[int, ...]]
Table = dict[str, Tensor]
SIZE = Size(24, 16)  # multiples of SwinIR's windows
MEAN = (0.4488, 0.4371, 0.4040)


# The layouts: names and shapes as the projects save them.


def conv(name: str, outputs: int, inputs: int, side: int = 3) -> Shapes:
    return {f"{name}.weight": (outputs, inputs, side, side), f"{name}.bias": (outputs,)}


def linear(name: str, outputs: int, inputs: int) -> Shapes:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def norm(name: str, channels: int) -> Shapes:
    return {f"{name}.weight": (channels,), f"{name}.bias": (channels,)}


def shuffles(name: str, channels: int, scale: int, step: int = 2, groups: int = 1) -> Shapes:
    """The convolutions before pixel shuffles, of which x4 has two by 2."""
    if scale == 4:
        first, second = (conv(f"{name}.{k}", 4 * channels, channels // groups) for k in (0, step))
        return first | second
    return conv(f"{name}.0", scale**2 * channels, channels // groups)


def carn(c: int = 64, groups: int = 4, *, m: bool = True, scale: int | None = None) -> Shapes:
    shapes = conv("sub_mean.shifter", 3, 3, 1) | conv("add_mean.shifter", 3, 3, 1) | conv("entry", c, 3)
    for i in (1, 2, 3):
        for j in (1, 2, 3):
            if m and j == 1:
                shapes |= conv(f"b{i}.b1.body.0", c, c // groups) | conv(f"b{i}.b1.body.2", c, c // groups)
                shapes |= conv(f"b{i}.b1.body.4", c, c, 1)
            if not m:
                shapes |= conv(f"b{i}.b{j}.body.0", c, c) | conv(f"b{i}.b{j}.body.2", c, c)
            shapes |= conv(f"b{i}.c{j}.body.0", c, (j + 1) * c, 1)
        shapes |= conv(f"c{i}.body.0", c, (i + 1) * c, 1)
    groups = groups if m else 1
    if scale is not None:
        return shapes | shuffles("upsample.up.body", c, scale, 3, groups) | conv("exit", 3, c)
    for s in (2, 3, 4):
        shapes |= shuffles(f"upsample.up{s}.body", c, s, 3, groups)
    return shapes | conv("exit", 3, c)


def msrresnet(c: int = 64, blocks: int = 16, scale: int = 4) -> Shapes:
    shapes = conv("conv_first", c, 3)
    for k in range(blocks):
        shapes |= conv(f"body.{k}.conv1", c, c) | conv(f"body.{k}.conv2", c, c)
    shapes |= conv("upconv1", (9 if scale == 3 else 4) * c, c)
    if scale == 4:
        shapes |= conv("upconv2", 4 * c, c)
    return shapes | conv("conv_hr", c, c) | conv("conv_last", 3, c)


def rcan(c: int = 64, groups: int = 10, blocks: int = 20, reduction: int = 16, scale: int = 4) -> Shapes:
    shapes = conv("sub_mean", 3, 3, 1) | conv("add_mean", 3, 3, 1) | conv("head.0", c, 3)
    for g in range(groups):
        for b in range(blocks):
            at = f"body.{g}.body.{b}.body"
            shapes |= conv(f"{at}.0", c, c) | conv(f"{at}.2", c, c)
            shapes |= conv(f"{at}.3.conv_du.0", c // reduction, c, 1) | conv(f"{at}.3.conv_du.2", c, c // reduction, 1)
        shapes |= conv(f"body.{g}.body.{blocks}", c, c)
    return shapes | conv(f"body.{groups}", c, c) | shuffles("tail.0", c, scale) | conv("tail.1", 3, c)


def basicsr_rcan(c: int = 64, groups: int = 10, blocks: int = 20, reduction: int = 16, scale: int = 4) -> Shapes:
    shapes = conv("conv_first", c, 3)
    for g in range(groups):
        for b in range(blocks):
            at = f"body.{g}.residual_group.{b}.rcab"
            shapes |= conv(f"{at}.0", c, c) | conv(f"{at}.2", c, c)
            shapes |= conv(f"{at}.3.attention.1", c // reduction, c, 1)
            shapes |= conv(f"{at}.3.attention.3", c, c // reduction, 1)
        shapes |= conv(f"body.{g}.conv", c, c)
    return shapes | conv("conv_after_body", c, c) | shuffles("upsample", c, scale) | conv("conv_last", 3, c)


def swinir(
    c: int = 180,
    stages: int = 6,
    layers: int = 6,
    heads: int = 6,
    features: int = 64,
    scale: int = 4,
    *,
    direct: bool = False,
    window: int = 8,
    ratio: int = 2,
) -> Shapes:
    shapes = conv("conv_first", c, 3) | norm("patch_embed.norm", c)
    for i in range(stages):
        for j in range(layers):
            at = f"layers.{i}.residual_group.blocks.{j}"
            shapes |= norm(f"{at}.norm1", c) | norm(f"{at}.norm2", c)
            shapes[f"{at}.attn.relative_position_bias_table"] = ((2 * window - 1) ** 2, heads)
            shapes |= linear(f"{at}.attn.qkv", 3 * c, c) | linear(f"{at}.attn.proj", c, c)
            shapes |= linear(f"{at}.mlp.fc1", ratio * c, c) | linear(f"{at}.mlp.fc2", c, ratio * c)
        shapes |= conv(f"layers.{i}.conv", c, c)
    shapes |= norm("norm", c) | conv("conv_after_body", c, c)
    if direct:
        return shapes | conv("upsample.0", 3 * scale**2, c)
    return (
        shapes
        | conv("conv_before_upsample.0", features, c)
        | shuffles("upsample", features, scale)
        | conv("conv_last", 3, features)
    )


def rrdb(
    c: int = 64, growth: int = 32, blocks: int = 23, scale: int = 4, *, names: str = "basicsr", inputs: int = 3
) -> Shapes:
    """RRDBNet by the names of BasicSR, of ESRGAN's authors, or of their first release; `scale` is within."""
    first, dense, trunk, ups, hr, last = {
        "basicsr": ("conv_first", "body.{}.rdb{}.conv{}", "conv_body", "conv_up{}", "conv_hr", "conv_last"),
        "authors": ("conv_first", "RRDB_trunk.{}.RDB{}.conv{}", "trunk_conv", "upconv{}", "HRconv", "conv_last"),
        "old": ("model.0", "model.1.sub.{}.RDB{}.conv{}.0", f"model.1.sub.{blocks}", "", "", ""),
    }[names]
    shapes = conv(first, c, inputs) | conv(trunk, c, c)
    for n in range(blocks):
        for d in (1, 2, 3):
            for k in range(5):
                shapes |= conv(dense.format(n, d, k + 1), growth if k < 4 else c, c + k * growth)
    steps = {1: 0, 2: 1, 3: 1, 4: 2, 8: 3}[scale]
    if names == "old":
        numbers = {0: (2, 4), 1: (3, 5, 7), 2: (3, 6, 8, 10), 3: (3, 6, 9, 11, 13)}[steps]
        for number in numbers[:-1]:
            shapes |= conv(f"model.{number}", c, c)
        return shapes | conv(f"model.{numbers[-1]}", 3, c)
    for k in range(steps):
        shapes |= conv(ups.format(k + 1), c, c)
    return shapes | conv(hr, c, c) | conv(last, 3, c)


def compact(c: int = 64, convs: int = 16, scale: int = 4) -> Shapes:
    shapes = conv("body.0", c, 3) | {"body.1.weight": (c,)}
    for k in range(1, convs + 1):
        shapes |= conv(f"body.{2 * k}", c, c) | {f"body.{2 * k + 1}.weight": (c,)}
    return shapes | conv(f"body.{2 * convs + 2}", 3 * scale**2, c)


def conv3xc(name: str, outputs: int, inputs: int, parts: str) -> Shapes:
    """SPAN's convolution as it is trained, with the sum of its parts beside them, or the sum alone."""
    shapes = conv(f"{name}.sk", outputs, inputs, 1) | conv(f"{name}.conv.0", 2 * inputs, inputs, 1)
    shapes |= conv(f"{name}.conv.1", 2 * outputs, 2 * inputs) | conv(f"{name}.conv.2", outputs, 2 * outputs, 1)
    evaluated = conv(f"{name}.eval_conv", outputs, inputs)
    return {"trained": shapes | evaluated, "evaluated": evaluated, "bare": conv(name, outputs, inputs)}[parts]


def span(c: int = 48, blocks: int = 6, scale: int = 4, *, parts: str = "trained", centred: bool = True) -> Shapes:
    shapes: Shapes = {} if centred else {"no_norm": (1,)}
    shapes |= conv3xc("conv_1", c, 3, parts)
    for n in range(1, blocks + 1):
        for k in (1, 2, 3):
            shapes |= conv3xc(f"block_{n}.c{k}_r", c, c, parts)
    return (
        shapes | conv("conv_cat", c, 4 * c, 1) | conv3xc("conv_2", c, c, parts) | conv("upsampler.0", 3 * scale**2, c)
    )


TINY = {
    "carn": lambda scale: carn(8, m=False, scale=scale),
    "carn-m": lambda scale: carn(16, 4, scale=scale),
    "srresnet": lambda scale: msrresnet(8, 4, scale),
    "srresnet-3": lambda scale: msrresnet(8, 3, scale),
    "rcan": lambda scale: rcan(16, 2, 3, 8, scale),
    "rcan-basicsr": lambda scale: basicsr_rcan(16, 3, 2, 4, scale),
    "swinir": lambda scale: swinir(12, 2, 3, 2, 8, scale),
    "rrdb": lambda scale: rrdb(8, 4, 2, scale),
    "rrdb-authors": lambda scale: rrdb(8, 4, 2, scale, names="authors"),
    "rrdb-old": lambda scale: rrdb(8, 4, 2, scale, names="old"),
    "compact": lambda scale: compact(8, 4, scale),
    "span": lambda scale: span(8, 3, scale),
    "span-bare": lambda scale: span(8, 2, scale, parts="bare", centred=False),
    "swinir-direct": lambda scale: swinir(12, 3, 2, 3, scale=scale, direct=True),
}


def random(shapes: Shapes, seed: int = 0) -> Table:
    """Weights of a size that keeps numbers as they are; the constants as the projects set them."""
    dice = torch.Generator().manual_seed(seed)
    table = {}
    for name, shape in shapes.items():
        table[name] = (
            torch.randn(shape, generator=dice) * (0.1 if len(shape) == 1 else shape[0] / np.prod(shape)) ** 0.5
        )
        if "norm" in name and name.endswith(".weight"):
            table[name] += 1
        if name in ("conv_1.sk.weight", "conv_1.conv.2.weight", "conv_1.eval_conv.weight") and "no_norm" not in shapes:
            table[name] /= 255
        if "_mean." in name:
            span = (-1 if name.startswith("sub") else 1) * (1 if "shifter" in name else 255)
            table[name] = torch.eye(3)[:, :, None, None] if len(shape) == 4 else span * torch.tensor(MEAN)
    return table


def hollow(shapes: Shapes) -> Table:
    """Zeros of any size in a file of no size."""
    return {name: torch.zeros(()).expand(shape) for name, shape in shapes.items()}


def imported(table: object, folder: Path, scale: int | None = None) -> CLSR:
    torch.save(table, folder / "official.pth")
    return import_network(folder / "official.pth", scale)


@torch.no_grad()
def whole_picture(network: CLSR, picture: Tensor) -> Tensor:
    return network(
        picture.float(), Strategy.FULL.taper(whole(SIZE), SIZE, network.geometry), torch.zeros(1, 2)
    ).double()


@pytest.fixture
def picture() -> Tensor:
    return torch.rand(1, 3, SIZE.height, SIZE.width, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


# The formulas of the projects, on their own names, in 64 bits.


class Net:
    def __init__(self, table: Table) -> None:
        self.table = {name: tensor.double() for name, tensor in table.items()}

    def conv(self, name: str, x: Tensor) -> Tensor:
        weight = self.table[f"{name}.weight"]
        groups = x.shape[1] // weight.shape[1]
        return functional.conv2d(x, weight, self.table[f"{name}.bias"], padding=weight.shape[-1] // 2, groups=groups)

    def linear(self, name: str, x: Tensor) -> Tensor:
        return functional.linear(x, self.table[f"{name}.weight"], self.table[f"{name}.bias"])

    def norm(self, name: str, x: Tensor) -> Tensor:
        return functional.layer_norm(x, x.shape[-1:], self.table[f"{name}.weight"], self.table[f"{name}.bias"])

    def shuffles(self, names: list[str], x: Tensor, activation=lambda x: x) -> Tensor:
        for name in names:
            if f"{name}.weight" in self.table:
                y = self.conv(name, x)
                x = activation(functional.pixel_shuffle(y, round((y.shape[1] / x.shape[1]) ** 0.5)))
        return x


def mean() -> Tensor:
    return torch.tensor(MEAN, dtype=torch.float64).view(1, 3, 1, 1)


def carn_says(table: Table, x: Tensor, up: str = "up") -> Tensor:
    net = Net(table)

    def residual(name: str, x: Tensor) -> Tensor:
        y = net.conv(f"{name}.body.2", net.conv(f"{name}.body.0", x).relu())
        return ((net.conv(f"{name}.body.4", y.relu()) if f"{name}.body.4.weight" in net.table else y) + x).relu()

    def cascade(x: Tensor, block, point: str) -> Tensor:
        joined, out = x, x
        for j in (1, 2, 3):
            joined = torch.cat([joined, block(j, out)], 1)
            out = net.conv(f"{point}{j}.body.0", joined).relu()
        return out

    def block(i: int, x: Tensor) -> Tensor:
        own = f"b{i}.b2.body.0.weight" in net.table
        return cascade(x, lambda j, y: residual(f"b{i}.b{j if own else 1}", y), f"b{i}.c")

    y = cascade(net.conv("entry", net.conv("sub_mean.shifter", x)), block, "c")
    y = net.shuffles([f"upsample.{up}.body.{k}" for k in (0, 3)], y, torch.relu)
    return net.conv("add_mean.shifter", net.conv("exit", y))


def msrresnet_says(table: Table, x: Tensor, scale: int) -> Tensor:
    net = Net(table)

    def leaky(x: Tensor) -> Tensor:
        return functional.leaky_relu(x, 0.1)

    y, k = leaky(net.conv("conv_first", x)), 0
    while f"body.{k}.conv1.weight" in table:
        y, k = y + net.conv(f"body.{k}.conv2", net.conv(f"body.{k}.conv1", y).relu()), k + 1
    y = net.shuffles(["upconv1", "upconv2"], y, leaky)
    base = functional.interpolate(x, scale_factor=float(scale), mode="bilinear", align_corners=False)
    return net.conv("conv_last", leaky(net.conv("conv_hr", y))) + base


def attended(net: Net, name: str, first: int, y: Tensor) -> Tensor:
    pooled = functional.adaptive_avg_pool2d(y, 1)
    return y * net.conv(f"{name}.{first + 2}", net.conv(f"{name}.{first}", pooled).relu()).sigmoid()


def rcan_says(table: Table, x: Tensor) -> Tensor:
    """The authors', which takes and gives 0 to 255."""
    net = Net(table)

    def block(at: str, y: Tensor) -> Tensor:
        return y + attended(net, f"{at}.3.conv_du", 0, net.conv(f"{at}.2", net.conv(f"{at}.0", y).relu()))

    head = net.conv("head.0", net.conv("sub_mean", 255 * x))
    y, g = head, 0
    while f"body.{g}.body.0.body.0.weight" in table:
        z, b = y, 0
        while f"body.{g}.body.{b}.body.0.weight" in table:
            z, b = block(f"body.{g}.body.{b}.body", z), b + 1
        y, g = y + net.conv(f"body.{g}.body.{b}", z), g + 1
    y = head + net.conv(f"body.{g}", y)
    return net.conv("add_mean", net.conv("tail.1", net.shuffles(["tail.0.0", "tail.0.2"], y))) / 255


def basicsr_rcan_says(table: Table, x: Tensor) -> Tensor:
    net = Net(table)

    def block(at: str, y: Tensor) -> Tensor:
        return y + attended(net, f"{at}.3.attention", 1, net.conv(f"{at}.2", net.conv(f"{at}.0", y).relu()))

    head = net.conv("conv_first", (x - mean()) * 255)
    y, g = head, 0
    while f"body.{g}.conv.weight" in table:
        z, b = y, 0
        while f"body.{g}.residual_group.{b}.rcab.0.weight" in table:
            z, b = block(f"body.{g}.residual_group.{b}.rcab", z), b + 1
        y, g = y + net.conv(f"body.{g}.conv", z), g + 1
    y = head + net.conv("conv_after_body", y)
    return net.conv("conv_last", net.shuffles(["upsample.0", "upsample.2"], y)) / 255 + mean()


def parted(x: Tensor) -> Tensor:
    b, h, w, c = x.shape
    return x.view(b, h // 8, 8, w // 8, 8, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, 64, c)


def swinir_says(table: Table, x: Tensor) -> Tensor:
    net, (height, width) = Net(table), x.shape[-2:]
    regions = torch.zeros(1, height, width, 1)
    for k, (down, right) in enumerate(
        (d, r)
        for d in (slice(0, -8), slice(-8, -4), slice(-4, None))
        for r in (slice(0, -8), slice(-8, -4), slice(-4, None))
    ):
        regions[:, down, right] = k
    of = parted(regions)[..., 0]
    mask = torch.where(of[:, None] != of[:, :, None], -100.0, 0.0).double()
    place = torch.stack(torch.meshgrid(torch.arange(8), torch.arange(8), indexing="ij")).flatten(1)
    apart = place[:, :, None] - place[:, None, :] + 7
    index = apart[0] * 15 + apart[1]

    def attention(at: str, y: Tensor, shift: int) -> Tensor:
        b, h, w, c = y.shape
        bias = net.table[f"{at}.attn.relative_position_bias_table"][index.view(-1)].view(64, 64, -1).permute(2, 0, 1)
        heads = bias.shape[0]
        windows = parted(y.roll((-shift, -shift), (1, 2)))
        q, k, v = net.linear(f"{at}.attn.qkv", windows).view(-1, 64, 3, heads, c // heads).permute(2, 0, 3, 1, 4)
        weights = (q * (c // heads) ** -0.5) @ k.transpose(-2, -1) + bias
        if shift:
            weights = weights + mask[:, None]
        z = net.linear(f"{at}.attn.proj", (weights.softmax(-1) @ v).transpose(1, 2).reshape(-1, 64, c))
        z = z.view(b, h // 8, w // 8, 8, 8, c).permute(0, 1, 3, 2, 4, 5).reshape(b, h, w, c)
        return z.roll((shift, shift), (1, 2))

    head = net.conv("conv_first", x - mean())
    y, i = net.norm("patch_embed.norm", head.permute(0, 2, 3, 1)), 0
    while f"layers.{i}.conv.weight" in table:
        z, j = y, 0
        while f"layers.{i}.residual_group.blocks.{j}.norm1.weight" in table:
            at = f"layers.{i}.residual_group.blocks.{j}"
            z = z + attention(at, net.norm(f"{at}.norm1", z), 4 * (j % 2))
            inner = functional.gelu(net.linear(f"{at}.mlp.fc1", net.norm(f"{at}.norm2", z)))
            z, j = z + net.linear(f"{at}.mlp.fc2", inner), j + 1
        y, i = y + net.conv(f"layers.{i}.conv", z.permute(0, 3, 1, 2)).permute(0, 2, 3, 1), i + 1
    y = head + net.conv("conv_after_body", net.norm("norm", y).permute(0, 3, 1, 2))
    if "conv_last.weight" not in table:
        y = net.conv("upsample.0", y)
        return functional.pixel_shuffle(y, round((y.shape[1] / 3) ** 0.5)) + mean()
    y = functional.leaky_relu(net.conv("conv_before_upsample.0", y), 0.01)
    return net.conv("conv_last", net.shuffles(["upsample.0", "upsample.2"], y)) + mean()


def rrdb_says(table: Table, x: Tensor, scale: int) -> Tensor:
    """By any of the three sets of names, told by the order of convolutions in the file."""
    names = [name.removesuffix(".weight") for name in table if name.endswith(".weight")]
    first, trunk, *rest = names
    dense = [name for name in rest if "RDB" in name or "rdb" in name]
    ups, (hr, last) = rest[len(dense) : -2], rest[-2:]
    net, factor = Net(table), 3 if scale == 3 else 2

    def leaky(x: Tensor) -> Tensor:
        return functional.leaky_relu(x, 0.2)

    head = y = net.conv(first, x)
    for block in range(0, len(dense), 15):
        z = y
        for at in range(block, block + 15, 5):
            known = z
            for name in dense[at : at + 4]:
                known = torch.cat([known, leaky(net.conv(name, known))], 1)
            z = z + 0.2 * net.conv(dense[at + 4], known)
        y = y + 0.2 * z
    y = head + net.conv(trunk, y)
    for name in ups:
        y = leaky(net.conv(name, y.repeat_interleave(factor, 2).repeat_interleave(factor, 3)))
    return net.conv(last, leaky(net.conv(hr, y)))


def compact_says(table: Table, x: Tensor, scale: int) -> Tensor:
    net, k, y = Net(table), 0, x
    while f"body.{k + 1}.weight" in table:
        y = functional.prelu(net.conv(f"body.{k}", y), net.table[f"body.{k + 1}.weight"])
        k += 2
    y = functional.pixel_shuffle(net.conv(f"body.{k}", y), scale)
    return y + x.repeat_interleave(scale, 2).repeat_interleave(scale, 3)


def span_says(table: Table, x: Tensor, scale: int) -> Tensor:
    """As it is trained: each convolution by its parts, the picture padded before the first of them."""
    net = Net(table)

    def step(name: str, y: Tensor) -> Tensor:
        if f"{name}.sk.weight" not in table:
            return net.conv(name if f"{name}.weight" in table else f"{name}.eval_conv", y)
        inner = net.conv(f"{name}.conv.0", functional.pad(y, (1, 1, 1, 1)))
        inner = functional.conv2d(inner, net.table[f"{name}.conv.1.weight"], net.table[f"{name}.conv.1.bias"])
        return net.conv(f"{name}.conv.2", inner) + net.conv(f"{name}.sk", y)

    head = y = step("conv_1", x if "no_norm" in table else 255 * (x - mean()))
    first, k = y, 1
    while any(name.startswith(f"block_{k}.") for name in table):
        inner = functional.silu(step(f"block_{k}.c1_r", y))
        z = step(f"block_{k}.c3_r", functional.silu(step(f"block_{k}.c2_r", inner)))
        y = (z + y) * (z.sigmoid() - 0.5)
        first = y if k == 1 else first
        k += 1
    joined = net.conv("conv_cat", torch.cat([head, step("conv_2", y), first, inner], 1))
    return functional.pixel_shuffle(net.conv("upsampler.0", joined), scale)


def says(kind: str, table: Table, x: Tensor, scale: int) -> Tensor:
    scaled = {"srresnet": msrresnet_says, "rrdb": rrdb_says, "compact": compact_says, "span": span_says}
    if (project := kind.split("-")[0]) in scaled:
        return scaled[project](table, x, scale)
    forward = {"carn": carn_says, "carn-m": carn_says, "rcan": rcan_says, "rcan-basicsr": basicsr_rcan_says}
    return forward.get(kind, swinir_says)(table, x)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("kind", TINY)
def test_an_imported_network_gives_what_the_project_s_formulas_give(
    kind: str, scale: int, picture: Tensor, tmp_path: Path
) -> None:
    table = random(TINY[kind](scale))
    unsure = kind.startswith("rrdb") and scale == 3  # whose weights are those of x2
    network = imported(table, tmp_path, scale if unsure else None)
    assert network.config.scale == scale
    assert not network.training
    expected = says(kind, table, picture, scale)
    assert expected.std() > 0.05
    assert expected.shape == (1, 3, scale * SIZE.height, scale * SIZE.width)
    assert torch.allclose(whole_picture(network, picture), expected, atol=1e-5)


@pytest.mark.parametrize(("inputs", "scale"), [(12, 1), (12, 2), (12, 4), (48, 1), (48, 2)])
@pytest.mark.parametrize("names", ["basicsr", "old"])
def test_an_rrdbnet_that_takes_squares_of_pixels_as_one(
    names: str, inputs: int, scale: int, picture: Tensor, tmp_path: Path
) -> None:
    unit = {12: 2, 48: 4}[inputs]
    table = random(rrdb(8, 4, 2, scale * unit, names=names, inputs=inputs))
    network = imported(table, tmp_path)
    assert (network.config.scale, network.config.unshuffle, network.geometry.unit) == (scale, unit, unit)
    expected = rrdb_says(table, functional.pixel_unshuffle(picture, unit), scale * unit)
    assert torch.allclose(whole_picture(network, picture), expected, atol=1e-5)


def test_of_a_span_its_sum_counts_where_there_are_no_parts(picture: Tensor, tmp_path: Path) -> None:
    table = random(span(8, 2, 2))
    old = imported(table, tmp_path)
    parts = {name: tensor for name, tensor in table.items() if ".eval_conv." not in name}
    assert torch.equal(imported(parts, tmp_path).backbone.head.conv.weight, old.backbone.head.conv.weight)
    alone = random(span(8, 2, 2, parts="evaluated"))
    assert torch.allclose(whole_picture(imported(alone, tmp_path), picture), span_says(alone, picture, 2), atol=1e-5)


def test_a_file_of_safetensors_is_read_as_one_of_torch(tmp_path: Path) -> None:
    table = random(compact(8, 4, 2))
    save_file(table, tmp_path / "official.safetensors")
    weights = imported(table, tmp_path).state_dict()
    found = import_network(tmp_path / "official.safetensors").state_dict()
    assert all(torch.equal(tensor, found[name]) for name, tensor in weights.items())
    data = (tmp_path / "official.safetensors").read_bytes()
    for wrong in (b"", data[:4], (2**40).to_bytes(8, "little") + data[8:], data[:-5], b"\x02" + bytes(7) + b"{]"):
        (tmp_path / "wrong.safetensors").write_bytes(wrong)
        with pytest.raises(localsr.CheckpointError, match=r"is no safetensors file|damaged"):
            import_network(tmp_path / "wrong.safetensors")


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_authors_carn_m(scale: int, shared: Path, picture: Tensor) -> None:
    path = shared / "weights/carn_m.pth"
    table = torch.load(path, map_location="cpu", weights_only=True)
    assert sum(tensor.numel() for tensor in table.values()) / 1e6 == pytest.approx(0.41, abs=0.005)
    assert {name: tuple(tensor.shape) for name, tensor in table.items()} == carn()
    network = import_network(path, scale)
    assert network.config == dataclasses.replace(PRESETS["carn-m"], scale=scale)
    assert torch.allclose(whole_picture(network, picture), carn_says(table, picture, f"up{scale}"), atol=1e-5)


LIGHT = dataclasses.replace(PRESETS["swinir-light"], upsampler="pixelshuffledirect")


PUBLISHED = {  # layout, preset, millions of parameters
    "CARN": (carn(m=False, scale=4), PRESETS["carn"], 1.112),
    "CARN-M": (carn(scale=4), PRESETS["carn-m"], 0.294),
    "MSRResNet": (msrresnet(), PRESETS["srresnet"], 1.518),
    "RCAN": (rcan(), PRESETS["rcan"], 15.592),
    "RCAN of BasicSR": (basicsr_rcan(), PRESETS["rcan"], 15.592),
    "SwinIR": (swinir(), PRESETS["swinir"], 11.900),
    "SwinIR lightweight": (swinir(60, 4, direct=True), LIGHT, 0.930),
    "SwinIR of Table 1": (swinir(60, 4), PRESETS["swinir-light"], 1.235),
    "Real-ESRGAN x4plus": (rrdb(), PRESETS["esrgan"], 16.698),
    "Real-ESRGAN anime": (rrdb(blocks=6, names="old"), PRESETS["esrgan-6b"], 4.468),
    "Real-ESRGAN x2plus": (rrdb(inputs=12), dataclasses.replace(PRESETS["esrgan-x2"], gcm_patch=6), 16.703),
    "Compact": (compact(), PRESETS["compact"], 0.621),
    "Compact of 32": (compact(convs=32), PRESETS["compact-32"], 1.213),
    "CARN x3": (carn(m=False, scale=3), dataclasses.replace(PRESETS["carn"], scale=3), 1.149),
    "MSRResNet x3": (msrresnet(scale=3), dataclasses.replace(PRESETS["srresnet"], scale=3), 1.554),
    "SwinIR lightweight x2": (swinir(60, 4, scale=2, direct=True), dataclasses.replace(LIGHT, scale=2), 0.910),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_sizes_are_the_presets(name: str, tmp_path: Path) -> None:
    shapes, preset, millions = PUBLISHED[name]
    network = imported(hollow(shapes), tmp_path)
    assert network.config == preset
    count = sum(p.numel() for p in network.parameters())
    assert count == sum(int(np.prod(shape)) for at, shape in shapes.items() if "_mean." not in at)
    assert count / 1e6 == pytest.approx(millions, abs=0.001)


def test_the_layouts_here_have_the_sizes_of_the_papers() -> None:
    """SwinIR's paper counts without the tables of relative positions."""
    papers = {
        1.592: carn(m=False),
        0.897: swinir(60, 4, direct=True),
        0.886: swinir(60, 4, scale=3, direct=True),
        0.878: swinir(60, 4, scale=2, direct=True),
    }
    for millions, shapes in papers.items():
        counted = {
            name: np.prod(shape) for name, shape in shapes.items() if "_mean." not in name and "table" not in name
        }
        assert sum(counted.values()) / 1e6 == pytest.approx(millions, abs=0.001)


def test_other_sizes(tmp_path: Path) -> None:
    config = imported(hollow(msrresnet(64, 23)), tmp_path).config
    assert (config.stages, config.blocks, config.halo) == (23, 1, (4, *[2] * 23))
    config = imported(hollow(msrresnet(48, 8)), tmp_path).config
    assert (config.stages, config.blocks, config.halo) == (2, 4, (4, 2, 2))
    config = imported(hollow(basicsr_rcan(64, 5, 16)), tmp_path).config
    assert (config.stages, config.blocks, config.reduction, config.halo) == (5, 16, 16, (2,) * 6)
    config = imported(hollow(swinir(90, 5, 4, 5, 32)), tmp_path).config
    assert (config.stages, config.blocks, config.heads, config.features) == (5, 4, 5, 32)
    assert (config.halo, config.pim_channels, config.gcm_heads) == ((4, 4, 4, 4, 4, 2), 10, 2)
    with torch.device("meta"):
        CLSR(config.with_context())


def test_a_file_of_several_scales(tmp_path: Path) -> None:
    table = random(carn(16))
    assert imported(table, tmp_path).config.scale == 4
    assert imported(table, tmp_path, 3).config.scale == 3
    with pytest.raises(localsr.CheckpointError, match="it enlarges x2, x3, x4, not x8"):
        imported(table, tmp_path, 8)
    for name in [name for name in table if "up4" in name]:
        del table[name]
    with pytest.raises(localsr.CheckpointError, match="it enlarges x2, x3, not x4"):
        imported(table, tmp_path, 4)


@pytest.mark.parametrize("kind", [kind for kind in TINY if not kind.startswith("rrdb")])
def test_another_scale_than_the_file_s(kind: str, tmp_path: Path) -> None:
    table = random(TINY[kind](3))
    assert imported(table, tmp_path, 3).config.scale == 3
    with pytest.raises(localsr.CheckpointError, match="it enlarges x3, not x4"):
        imported(table, tmp_path, 4)


@pytest.mark.parametrize("names", ["basicsr", "authors", "old"])
def test_an_rrdbnet_counts_its_steps(names: str, tmp_path: Path) -> None:
    for scale in (1, 2, 4, 8):
        config = imported(random(rrdb(8, 4, 2, scale, names=names)), tmp_path).config
        assert (config.scale, config.growth, config.stages, config.halo) == (scale, 4, 2, (48, 32, 16))
    assert imported(random(rrdb(8, 4, 2, 3, names=names)), tmp_path).config.scale == 2
    with pytest.raises(localsr.CheckpointError, match="it enlarges x4, not x3"):
        imported(random(rrdb(8, 4, 2, 4, names=names)), tmp_path, 3)


@pytest.mark.parametrize("file", ["realesr-animevideov3.pth", "RealESRGAN_x4plus_anime_6B.pth"])
def test_networks_of_real_esrgan(file: str, shared: Path, picture: Tensor) -> None:
    path = shared / "weights/foreign" / file
    (table,) = torch.load(path, map_location="cpu", weights_only=True).values()
    network = import_network(path)
    if "anime_6B" in file:
        assert network.config == PRESETS["esrgan-6b"]
        ordered = {name: table[name] for name in rrdb(blocks=6)}
        expected = rrdb_says(ordered, picture, 4)
    else:
        assert network.config == PRESETS["compact"]
        expected = compact_says(table, picture, 4)
    assert torch.allclose(whole_picture(network, picture), expected, atol=1e-4)


def test_what_files_wrap_their_table_in(tmp_path: Path) -> None:
    table, other = random(msrresnet(8, 4)), random(msrresnet(8, 4), seed=1)

    def first(given: object) -> Tensor:
        return imported(given, tmp_path).backbone.head.conv.weight

    bare = first(table)
    assert torch.equal(bare, table["conv_first.weight"])
    assert torch.equal(first({"params": table}), bare)
    assert torch.equal(first({"params": other, "params_ema": table}), bare)
    assert torch.equal(first({"epoch": 3, "state_dict": table}), bare)
    for key in ("params-ema", "model_state_dict", "model", "net"):
        assert torch.equal(first({"epoch": 3, key: table}), bare)
    assert torch.equal(first({"whatever one calls it": table}), bare)
    for prefix in ("module.", "netG.", "module.netG."):
        named = {f"{prefix}{name}": tensor for name, tensor in table.items()}
        assert torch.equal(first({"params": named}), bare)
        save_file(named, tmp_path / "named.safetensors")
        assert torch.equal(import_network(tmp_path / "named.safetensors").backbone.head.conv.weight, bare)
    assert torch.equal(first({name: tensor.double() for name, tensor in table.items()}), bare)
    assert torch.equal(first({name: torch.nn.Parameter(tensor) for name, tensor in table.items()}), bare)
    assert torch.allclose(first({name: tensor.half() for name, tensor in table.items()}), bare, atol=1e-3)
    assert first({name: tensor.bfloat16() for name, tensor in table.items()}).dtype == torch.float32


def test_swinir_s_tables_of_indices_are_ignored(tmp_path: Path) -> None:
    table = random(swinir(12, 1, 2, 2, 8))
    block = "layers.0.residual_group.blocks"
    table |= {f"{block}.{j}.attn.relative_position_index": torch.zeros(64, 64, dtype=torch.int64) for j in (0, 1)}
    table |= {f"{block}.1.attn_mask": torch.zeros(36, 64, 64)}
    assert imported(table, tmp_path).config.heads == 2


def test_trained_shifts_of_colours_are_folded(picture: Tensor, tmp_path: Path) -> None:
    table = random(rcan(16, 2, 2, 8))
    matrix = torch.eye(3) + 0.1 * torch.randn(3, 3, generator=torch.Generator().manual_seed(2))
    table |= {
        "sub_mean.weight": matrix[:, :, None, None],
        "sub_mean.bias": -255 * (matrix.double() @ mean()[0, :, 0]).float()[:, 0],
    }
    table |= {"add_mean.weight": matrix.T[:, :, None, None], "add_mean.bias": torch.tensor([100.0, 90.0, 120.0])}
    assert torch.allclose(whole_picture(imported(table, tmp_path), picture), rcan_says(table, picture), atol=1e-5)


def test_another_mean_is_folded_but_for_the_colour_around_the_picture(tmp_path: Path) -> None:
    table = random(rcan(16, 1, 1, 8, 2))
    table["sub_mean.bias"] = -255 * torch.tensor([0.469, 0.449, 0.4036])  # of DIV2K and Flickr2K
    table["body.0.body.0.body.3.conv_du.2.weight"].zero_()  # or the average carries the border inside
    picture = torch.rand(1, 3, SIZE.height, SIZE.width, dtype=torch.float64)
    apart = (whole_picture(imported(table, tmp_path), picture) - rcan_says(table, picture)).abs().amax((0, 1))
    assert apart[14:-14, 14:-14].max() < 1e-5 < 1e-3 < apart.max() < 0.05


# What does not fit.


def refused(table: object, folder: Path, message: str) -> None:
    with pytest.raises(localsr.CheckpointError, match=message):
        imported(table, folder)


@pytest.mark.parametrize("kind", TINY)
def test_a_missing_an_extra_and_a_misshapen_tensor(kind: str, tmp_path: Path) -> None:
    table = random(TINY[kind](4))
    within = ("b2", "body.1", "block_2", "layers.1", "RRDB_trunk.1", "model.1.sub.1")
    deep = next(name for name in table if name.startswith(within) and name.endswith(".bias"))
    parts = r"the parts of block_2\.c1_r do not fit each other" if kind == "span" else ""
    refused(
        {k: v for k, v in table.items() if k != deep},
        tmp_path,
        parts or r"does not fit its architecture: lacks backbone\.\S+bias$",
    )
    refused(table | {"extra.weight": torch.zeros(3)}, tmp_path, r"architecture: has the unknown extra\.weight$")
    message = r"architecture: backbone\.\S+ is \(5,\), not \(\d+,\)$"
    refused(table | {deep: torch.zeros(5)}, tmp_path, parts or message)
    refused(table | {deep: table[deep] * float("nan")}, tmp_path, r"backbone\.\S+ is not finite$")
    refused(table | {deep: torch.full(table[deep].shape, 1e300, dtype=torch.float64)}, tmp_path, "is not finite$")
    refused(
        table | {deep: table[deep].int()}, tmp_path, r"holds torch\.int32; its weights must be floats of 16, 32 or 64"
    )
    for name in list(table)[::3]:
        less = {k: v for k, v in table.items() if k != name}
        if not re.search(r"_mean\.|no_norm|conv_\d\.eval|_r\.eval", name):
            refused(
                less,
                tmp_path,
                r"lacks |has the unknown |cannot be imported: (it has no \S+ to|the parts of)|none of the layouts",
            )


def test_more_than_five_differences_are_counted(tmp_path: Path) -> None:
    table = random(msrresnet(8, 8))
    refused(
        {k: v for k, v in table.items() if "body.3" not in k and "body.5" not in k}, tmp_path, r"lacks .* and \d+ more"
    )


def test_half_a_shift_of_colours(tmp_path: Path) -> None:
    table = random(rcan(16, 1, 1, 8))
    refused(table | {"sub_mean.weight": torch.zeros(3, 3)}, tmp_path, r"has the unknown sub_mean\.weight")
    del table["sub_mean.weight"], table["sub_mean.bias"], table["add_mean.bias"]
    refused(table, tmp_path, r"has the unknown add_mean\.weight$")


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (swinir(12, 1, 2, 2, window=7), "its windows are of 7 px; only windows of 8 are supported"),
        (swinir(12, 1, 2, 2, ratio=4), r"mlp\.0\.weight is \(48, 12\), not \(24, 12\)"),
        (swinir(12, 1, 2, 5), "12 channels do not divide into SwinIR's 5 heads"),
        (swinir(12, 1, 2, 2, scale=5, direct=True), "scale 5 is not one of 1, 2, 3, 4, 8"),
        (msrresnet(8, 0), "has none of the layouts"),
        (msrresnet(8, 1025), "more than 1024 blocks"),
        (carn(16) | {"entry.weight": (3,), "b1.b1.body.0.weight": (16, 100, 3, 3)}, "does not fit"),
        (carn(16) | {"entry.weight": ()}, "has no entry.weight to read a size off"),
        (carn(16) | {"b1.b1.body.0.weight": (16,)}, r"has no b1\.b1\.body\.0\.weight to read a size off"),
        (carn(16) | {"b1.b1.body.0.weight": (16, 0, 3, 3)}, r"has no b1\.b1\.body\.0\.weight to read a size off"),
        (span(8, 2) | {"conv_1.conv.1.weight": (16, 7, 3, 3)}, "the parts of conv_1 do not fit each other"),
        (span(8, 2) | {"conv_1.conv.0.weight": (1, 3, 1, 1)}, "the parts of conv_1 do not fit each other"),
        (span(8, 2) | {"conv_1.sk.weight": (8,)}, "the parts of conv_1 do not fit each other"),
        (
            rrdb(8, 4, 1) | {"conv_first.weight": (8, 1, 3, 3)},
            "begins with 1 channels; only networks of three colours can be",
        ),
        (
            {k: v for k, v in compact(8, 2).items() if len(v) == 4 or k.endswith("bias")},
            "its activation cannot be told",
        ),
        (
            swinir(12, 1, 1, 2) | swinir(12, 1, 2, 2) | conv("layers.1.conv", 12, 12),
            "has the unknown layers.1.conv.weight",
        ),
        (
            {"head.0.weight": (8, 3, 3, 3), "body.0.body.0.weight": (8, 8, 3, 3)},
            "has none of the layouts .* CARN .*SwinIR",
        ),
        ({}, "has none of the layouts"),
    ],
)
def test_networks_that_cannot_be(shapes: Shapes, message: str, tmp_path: Path) -> None:
    refused(hollow(shapes), tmp_path, message)


def test_stages_of_different_length(tmp_path: Path) -> None:
    table = random(swinir(12, 2, 2, 2))
    refused({k: v for k, v in table.items() if "layers.1.residual_group.blocks.1" not in k}, tmp_path, "lacks .* more")


def test_no_table_of_tensors(tmp_path: Path) -> None:
    told = "no table of tensors by name; save the network's state_dict"
    numbers = {"entry.weight": torch.eye(3).to_sparse()}
    shell = {"entry.weight": torch.empty(3, device="meta")}
    for given in (
        [1, 2],
        {"a": 3},
        {1: torch.zeros(1)},
        {"state_dict": {"a": "b"}},
        {"a": {"b": "c"}},
        torch.zeros(3),
        numbers,
        shell,
    ):
        refused(given, tmp_path, told)


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path.touch, (Path("executed"),))


def test_nothing_is_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"entry.weight": Bomb()}, "bomb.pth")
    torch.save({"entry.weight": Bomb()}, "old.pth", _use_new_zipfile_serialization=False)
    Path("bare.pth").write_bytes(pickle.dumps(Bomb()))
    Path("text.pth").write_text("no weights")
    Path("empty.pth").touch()
    for name in ("bomb", "old", "bare", "text", "empty"):
        with pytest.raises(localsr.CheckpointError, match="no file of weights that can be read safely") as caught:
            import_network(Path(f"{name}.pth"))
        assert "weights_only" not in str(caught.value)
    assert not Path("executed").exists()
    for path, reason in ((Path("none.pth"), "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(localsr.CheckpointError, match=f"cannot be read: {reason}"):
            import_network(path)


def test_truncations_and_noise(tmp_path: Path) -> None:
    path, dice = tmp_path / "official.pth", np.random.default_rng(0)
    for new in (True, False):
        torch.save(random(msrresnet(4, 1, 2)), path, _use_new_zipfile_serialization=new)
        data = path.read_bytes()
        for cut in (0, 1, 100, len(data) // 2, len(data) - 1):
            path.write_bytes(data[:cut])
            with pytest.raises(localsr.CheckpointError):
                import_network(path)
        for _ in range(100):
            mutant = bytearray(data)
            for place in dice.integers(0, len(data), 8):
                mutant[place] ^= int(dice.integers(1, 256))
            path.write_bytes(mutant)
            try:
                import_network(path)  # noise in a weight is a weight
            except localsr.CheckpointError:
                pass


def test_files_larger_than_weights_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    large, packed, spread = (tmp_path / f"{name}.pth" for name in ("large", "packed", "spread"))
    torch.save({"a": torch.zeros(100_000)}, large)
    with zipfile.ZipFile(large) as source, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
        for part in source.infolist():
            target.writestr(part.filename, source.read(part))
    torch.save({"a": torch.zeros(1).expand(100_000)}, spread)
    for reader in (checkpoint, torch_file):
        monkeypatch.setattr(reader, "MAX_CHECKPOINT_BYTES", 40_000)
    assert packed.stat().st_size < 40_000
    assert spread.stat().st_size < 40_000
    with pytest.raises(localsr.CheckpointError, match="holds 400000 bytes; weights have at most 40000"):
        import_network(spread)
    monkeypatch.setattr(torch, "load", None)
    for path in (large, packed):
        with pytest.raises(localsr.CheckpointError, match=r"holds \d+ bytes; weights have at most 40000"):
            import_network(path)


OLD_MARKS = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2) + pickle.dumps({"little_endian": True}, 2)


def packed_table(pickled: bytes, *, parts: int = 0, compression: int = zipfile.ZIP_STORED) -> bytes:
    """A file of torch around a pickle, with empty parts beside it."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        archive.writestr("a/data.pkl", pickled)
        for n in range(parts):
            archive.writestr(f"a/data/{n:0100}", b"")
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (packed_table(b"\x80\x02" + b"]" * 300_000 + b"."), "more than about 6553 tensors"),
        (packed_table(b"\x80\x02" + b"N0" * 150_000 + b"}."), "more than about 6553 tensors"),
        (OLD_MARKS + b"\x80\x02" + b"]" * 300_000 + b".", "more than about 6553 tensors"),
        (b"\x80\x02" + b"}" * 300_000 + b".", "more than about 6553 tensors"),
        (packed_table(b"\x80\x02cbuiltins\nbytearray\n\x8a\x05\0\0\0\x80\0\x85R."), "can be read safely"),
        (OLD_MARKS + b"\x80\x02cbuiltins\nbytearray\n\x8a\x05\0\0\0\x80\0\x85R.", "can be read safely"),
        (packed_table(b"\x80\x02ctorch\nFloatTensor\n\x8a\x05\0\0\0\x80\0\x85R."), "can be read safely"),
        (packed_table(b"\x80\x02ccollections\nCounter\n)R."), "can be read safely"),
        (packed_table(b"\x80\x02}.", parts=15_000), "has a directory of .* bytes; that of weights has at most 2097152"),
        (packed_table(b"\x80\x02}" + b" " * 10_000, compression=zipfile.ZIP_DEFLATED), "is packed"),
        (packed_table(b"\x80\x02}" + b" " * 10_000, compression=zipfile.ZIP_BZIP2), "is packed"),
        (OLD_MARKS + packed_table(b"\x80\x02}."), "can be read safely"),  # one thing to zipfile, another to torch
        (b"PK\x03\x04", "can be read safely"),
        (OLD_MARKS, "can be read safely"),
    ],
)
def test_what_would_take_long_or_much_memory_is_not_given_to_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes, reason: str
) -> None:
    """Of weights that attack: 20 kB took 11 s and 1.4 GB, 246 bytes took 2 GB."""
    (tmp_path / "hostile.pth").write_bytes(data)
    monkeypatch.setattr(torch, "load", None)
    with pytest.raises(localsr.CheckpointError, match=reason):
        import_network(tmp_path / "hostile.pth")


def test_a_tar_is_no_file_of_weights(tmp_path: Path) -> None:
    """Of weights that attack: torch would take pickles out of a tar that nobody has looked at."""
    name = (OLD_MARKS + b"\x80\x02N.\x80\x02N.").decode("latin-1")
    with tarfile.open(tmp_path / "hostile.pth", "w", format=tarfile.USTAR_FORMAT, encoding="latin-1") as archive:
        archive.addfile(tarfile.TarInfo(name))
    assert (tmp_path / "hostile.pth").read_bytes().startswith(OLD_MARKS)
    with pytest.raises(localsr.CheckpointError, match="can be read safely"):
        import_network(tmp_path / "hostile.pth")


def test_more_blocks_than_tensors_are_not_built(tmp_path: Path) -> None:
    """Of weights that attack: 1,000 names that tell of 1,000 blocks cost seconds of building."""
    name = "layers.{}.residual_group.blocks.{}.attn.qkv.weight"
    table = random(swinir(12, 1, 1, 2)) | {name.format(n, n): torch.zeros(1) for n in range(30)}
    refused(table, tmp_path, "has too few tensors for 30 stages of 30 blocks")


def test_both_formats_of_torch_are_read(tmp_path: Path) -> None:
    table = random(msrresnet(4, 1, 2))
    for new in (True, False):
        torch.save({"iter": 5, "params": table}, tmp_path / "official.pth", _use_new_zipfile_serialization=new)
        assert import_network(tmp_path / "official.pth").config.channels == 4


# The command.


def run(*args: object) -> str:
    result = CliRunner().invoke(app, ["import", *map(str, args)])
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    return result.stdout


def fails(*args: object, words: str) -> None:
    result = CliRunner().invoke(app, ["import", *map(str, args)])
    assert result.exit_code == 2, result.output
    assert words in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.output


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    torch.save(random(carn(16)), "official.pth")
    return tmp_path


@pytest.mark.parametrize("kind", TINY)
def test_an_imported_network_restores(kind: str, here: Path, noise: localsr.Photo) -> None:
    torch.save(random(TINY[kind](2)), "official.pth")
    lines = run("official.pth", "--as", kind, "--context").splitlines()
    kept = here / "data/localsr/networks"
    assert [line.split(":")[0] for line in lines] == [f"{kept / kind}.safetensors", f"{kept / kind}-clsr.safetensors"]
    plain, clsr = (localsr.load(name) for name in (kind, f"{kind}-clsr"))
    box = Box(14, 9, 31, 24)
    expected = plain.encode(noise).restore(box, "halo").pixels
    scene = clsr.encode(noise)
    assert np.abs(scene.restore(box, "clsr").pixels - expected).max() < 1e-6
    assert np.array_equal(scene.restore(box, "halo").pixels, expected)


def test_what_the_command_writes(here: Path) -> None:
    args = ("official.pth", "--as", "one", "-o", "out/two.safetensors", "--scale", 3, "--context")
    said = run(*args)
    assert said.splitlines() == [
        "out/two.safetensors: CARN, x3, 0.02 M parameters",
        "out/two-clsr.safetensors: CARN with context, x3, 0.03 M parameters; "
        "its context adds nothing until it is trained",
    ]
    network, card = checkpoint.load(here / "out/two.safetensors")
    assert (card.name, card.config.scale, card.config.plain) == ("one", 3, True)
    sha256 = hashlib.sha256((here / "official.pth").read_bytes()).hexdigest()
    assert card.training == {"imported": "official.pth", "imported_sha256": sha256}
    wanted = import_network(here / "official.pth", 3).state_dict()
    assert all(torch.equal(tensor, wanted[name]) for name, tensor in network.state_dict().items())
    _, twin = checkpoint.load(here / "out/two-clsr.safetensors")
    assert (twin.name, twin.plain) == ("one-clsr", {"name": "two", "sha256": card.sha256})
    assert run(*args) == said
    assert checkpoint.load(here / "out/two-clsr.safetensors")[1] == twin


def test_a_strange_file_name(here: Path) -> None:
    name = "of\x1bficial\n.pth"
    (here / "official.pth").rename(name)
    run(name, "--as", "one")
    assert checkpoint.load(here / "data/localsr/networks/one.safetensors")[1].training["imported"] == "of?ficial?.pth"


def test_what_the_command_refuses(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "folder.safetensors").mkdir()
    (here / "same.safetensors").hardlink_to(here / "official.pth")
    (here / "other-clsr.safetensors").symlink_to(here / "official.pth")
    before = (here / "official.pth").read_bytes()
    monkeypatch.setattr(torch, "load", None)
    fails("official.pth", "--as", "../x", words="'../x' is no name for a folder or a file; use letters")
    fails("official.pth", "--as", "", words="'' is no name")
    fails("official.pth", "--as", "x", "-o", "x.pth", words="x.pth must end in .safetensors")
    fails("official.pth", "--as", "x", "-o", ".", "--context", words=". must end in .safetensors")
    fails("official.pth", "--as", "../x", "-o", "x.safetensors", words="'../x' is no name")
    fails("official.pth", "--as", "x", "-o", "folder.safetensors", words="folder.safetensors is a folder")
    fails("official.pth", "--as", "x", "-o", "same.safetensors", words="same.safetensors is the file to import")
    fails(
        "official.pth",
        "--as",
        "other",
        "-o",
        "other.safetensors",
        "--context",
        words="other-clsr.safetensors is the file to import",
    )
    fails("same.safetensors", "--as", "same", "-o", "same.safetensors", words="same.safetensors is the file to import")
    fails("none.pth", "--as", "x", words="none.pth cannot be read: No such file or directory")
    assert (here / "official.pth").read_bytes() == before
    assert not (here / "x.safetensors").exists()


def test_the_command_says_what_does_not_fit(here: Path) -> None:
    fails("official.pth", "--as", "x", "--scale", 8, words="it enlarges x2, x3, x4, not x8")
    torch.save(random(carn(16)) | {"extra": torch.zeros(3)}, "official.pth")
    fails("official.pth", "--as", "x", words="has the unknown extra")
    assert sorted(path.name for path in here.iterdir()) == ["official.pth"]


def test_the_layouts_are_told_apart() -> None:
    marks = {title: [kind for kind in TINY if says_layout(title, TINY[kind](4))] for title in LAYOUTS}
    assert sorted(kind for kinds in marks.values() for kind in kinds) == sorted(TINY)


def says_layout(title: str, shapes: Shapes) -> bool:
    return any(re.fullmatch(LAYOUTS[title].mark, name) for name in shapes)
