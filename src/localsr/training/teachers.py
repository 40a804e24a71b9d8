"""Networks of others whose mean output a small network may be trained against: run from their own files, never shipped.

What the mean of several good networks says of a picture is easier to learn than the picture: what no network could know
is averaged out of it. Each architecture is a function of a file's table of tensors, told by a name that only it has.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.functional import leaky_relu, pixel_shuffle

from localsr.errors import CheckpointError
from localsr.models.importer import read_table
from localsr.models.key_layouts import TensorTable


def teach(teachers: Sequence[Callable[[Tensor], Tensor]], lr: Tensor) -> Tensor:
    """Return the rounded mean of what several networks make of a picture.

    Args:
        teachers: Networks, each a function of `(1, 3, h, w)` RGB in [0, 1].
        lr: `(3, h, w)` RGB, uint8.

    Returns:
        `(3, s h, s w)` RGB, uint8.
    """
    x = lr.float().div(255)[None]
    with torch.inference_mode():
        mean = torch.stack([teacher(x).clamp(0, 1) for teacher in teachers]).mean(0)
    return mean[0].mul(255).round().to(torch.uint8)


def read_teacher(path: Path, scale: int) -> Callable[[Tensor], Tensor]:
    """Read another project's file as a function of `(1, 3, h, w)` RGB in [0, 1]; nothing in it is executed.

    Args:
        path: Weights of RFDN, RLFN, PAN or IMDN as their authors published them.
        scale: That it must enlarge by.

    Returns:
        The network, whose answer is `(1, 3, s h, s w)`, not clamped.

    Raises:
        CheckpointError: The file cannot be read safely, or holds none of these networks for this scale.
    """
    table = read_table(path)
    network = next((make for mark, make in NETWORKS.items() if mark in table), None)
    if network is None:
        names = ", ".join(make.__name__.strip("_").upper() for make in NETWORKS.values())
        raise CheckpointError(f"{path} is no teacher that can be read: {names}")
    table = {
        name: tensor.float().contiguous(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor.float()
        for name, tensor in table.items()
    }

    def restored(x: Tensor) -> Tensor:
        try:
            return network(table, x.contiguous(memory_format=torch.channels_last))
        except KeyError as error:
            raise CheckpointError(f"{path} lacks the tensor {error.args[0]}") from error

    with torch.inference_mode():
        found = restored(torch.zeros(1, 3, 32, 32)).shape[-1] / 32
    if found != scale:
        raise CheckpointError(f"{path} enlarges x{found:g}, not x{scale}")
    return restored


def _conv(
    table: TensorTable, name: str, z: Tensor, stride: int = 1, padding: int | None = None, groups: int = 1
) -> Tensor:
    """Convolve by the weights called `name`; zero outside, so that the size stays unless said otherwise."""
    weight = table[f"{name}.weight"]
    padding = weight.shape[-1] // 2 if padding is None else padding
    return functional.conv2d(z, weight, table.get(f"{name}.bias"), stride, padding, groups=groups)


def _count(table: TensorTable, name: str) -> int:
    """Count the blocks called `name`, with a number in it."""
    return next(k for k in range(len(table) + 1) if name.format(k) not in table)


def _attention(table: TensorTable, name: str, z: Tensor) -> Tensor:
    """Weigh by enhanced spatial attention (Liu et al. 2020), which looks at a coarse picture of a sixth of the size."""
    narrow = _conv(table, f"{name}.conv1", z)
    coarse = functional.max_pool2d(_conv(table, f"{name}.conv2", narrow, 2, 0), 7, 3)
    if f"{name}.conv_max.weight" in table:  # RFDN's; RLFN has one convolution of the three
        coarse = functional.relu(_conv(table, f"{name}.conv_max", coarse))
        coarse = functional.relu(_conv(table, f"{name}.conv3", coarse))
        coarse = _conv(table, f"{name}.conv3_", coarse)
    else:
        coarse = _conv(table, f"{name}.conv3", coarse)
    large = functional.interpolate(coarse, size=z.shape[-2:], mode="bilinear", align_corners=False)
    return z * torch.sigmoid(_conv(table, f"{name}.conv4", large + _conv(table, f"{name}.conv_f", narrow)))


def _rfdn(table: TensorTable, x: Tensor) -> Tensor:
    """Residual feature distillation (Liu et al. 2020); colours in 0..255."""
    first = z = _conv(table, "fea_conv", x * 255)
    blocks = []
    for b in ("B1", "B2", "B3", "B4"):
        kept = []
        for k in (1, 2, 3):
            kept.append(leaky_relu(_conv(table, f"{b}.c{k}_d", z), 0.05))
            z = leaky_relu(_conv(table, f"{b}.c{k}_r", z) + z, 0.05)
        kept.append(leaky_relu(_conv(table, f"{b}.c4", z), 0.05))
        z = _attention(table, f"{b}.esa", _conv(table, f"{b}.c5", torch.cat(kept, 1)))
        blocks.append(z)
    z = leaky_relu(_conv(table, "c.0", torch.cat(blocks, 1)), 0.05)
    return pixel_shuffle(_conv(table, "upsampler.0", _conv(table, "LR_conv", z) + first), 4) / 255


def _rlfn(table: TensorTable, x: Tensor) -> Tensor:
    """Residual local features (Kong et al. 2022); colours in 0..255."""
    first = z = _conv(table, "conv_1", x * 255)
    for b in ("block_1", "block_2", "block_3", "block_4"):
        y = z
        for k in (1, 2, 3):
            y = leaky_relu(_conv(table, f"{b}.c{k}_r", y), 0.05)
        z = _attention(table, f"{b}.esa", _conv(table, f"{b}.c5", y + z))
    return pixel_shuffle(_conv(table, "upsampler.0", _conv(table, "conv_2", z) + first), 4) / 255


def _pan(table: TensorTable, x: Tensor) -> Tensor:
    """Pixel attention (Zhao et al. 2020)."""
    first = z = _conv(table, "conv_first", x)
    for k in range(_count(table, "SCPA_trunk.{}.conv3.weight")):
        b = f"SCPA_trunk.{k}"
        upper = leaky_relu(_conv(table, f"{b}.k1.0", leaky_relu(_conv(table, f"{b}.conv1_a", z), 0.2)), 0.2)
        lower = leaky_relu(_conv(table, f"{b}.conv1_b", z), 0.2)
        gate = torch.sigmoid(_conv(table, f"{b}.PAConv.k2", lower))
        lower = leaky_relu(_conv(table, f"{b}.PAConv.k4", _conv(table, f"{b}.PAConv.k3", lower) * gate), 0.2)
        z = z + _conv(table, f"{b}.conv3", torch.cat([upper, lower], 1))
    z = first + _conv(table, "trunk_conv", z)
    for k in range(1, 3 if "upconv2.weight" in table else 2):
        z = _conv(table, f"upconv{k}", functional.interpolate(z, scale_factor=2, mode="nearest"))
        z = leaky_relu(z * torch.sigmoid(_conv(table, f"att{k}.conv", z)), 0.2)
        z = leaky_relu(_conv(table, f"HRconv{k}", z), 0.2)
    large = functional.interpolate(x, size=z.shape[-2:], mode="bilinear", align_corners=False)
    return large + _conv(table, "conv_last", z)


def _imdn(table: TensorTable, x: Tensor) -> Tensor:
    """Information multi-distillation with contrast-aware attention (Hui et al. 2019)."""
    first = z = _conv(table, "fea_conv", x)
    blocks = []
    for k in range(1, 7):
        b, y, kept = f"IMDB{k}", z, []
        for c in (1, 2, 3):
            own, y = torch.split(leaky_relu(_conv(table, f"{b}.c{c}", y), 0.05), [16, 48], 1)
            kept.append(own)
        y = torch.cat([*kept, _conv(table, f"{b}.c4", y)], 1)
        contrast = y.std((2, 3), keepdim=True, correction=0) + y.mean((2, 3), keepdim=True)
        gate = _conv(table, f"{b}.cca.conv_du.2", functional.relu(_conv(table, f"{b}.cca.conv_du.0", contrast)))
        z = z + _conv(table, f"{b}.c5", y * torch.sigmoid(gate))
        blocks.append(z)
    z = first + _conv(table, "LR_conv", leaky_relu(_conv(table, "c.0", torch.cat(blocks, 1)), 0.05))
    scale = 2 if table["upsampler.0.weight"].shape[0] == 12 else 4
    return pixel_shuffle(_conv(table, "upsampler.0", z), scale)


NETWORKS: dict[str, Callable[[TensorTable, Tensor], Tensor]] = {  # by the name of a tensor that no other one has
    "B1.c1_d.weight": _rfdn,
    "block_1.c1_r.weight": _rlfn,
    "SCPA_trunk.0.conv3.weight": _pan,
    "IMDB1.c1.weight": _imdn,
}
