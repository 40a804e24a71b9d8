"""The architectures that were raced for the light networks: EDSR's frame around other blocks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from localsr.models import checkpoint
from localsr.models.backbone import Backbone, Features
from localsr.models.config import ModelConfig
from localsr.models.edsr import Head, Upsample
from localsr.models.embedded import find_network
from localsr.models.layers import conv3x3


class Folded(nn.Module):
    """A 3x3 convolution trained as 1x1, 3x3, 1x1 at twice the width beside a 1x1, folded before it is used."""

    def __init__(self, inputs: int, outputs: int) -> None:
        """Begin at random."""
        super().__init__()
        wide = 2 * inputs
        self.first = nn.Parameter(torch.randn(wide, inputs) / inputs**0.5)
        self.middle = nn.Parameter(torch.randn(wide, wide, 3, 3) / (3 * wide**0.5))
        self.last = nn.Parameter(torch.randn(outputs, wide) / wide**0.5 * 0.5)
        self.skip = nn.Parameter(torch.randn(outputs, inputs) / inputs**0.5 * 0.2)
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.given = nn.Parameter(torch.zeros(outputs, inputs, 3, 3), requires_grad=False)

    @torch.no_grad()
    def start(self, weight: Tensor, bias: Tensor) -> None:
        """Begin as a trained kernel: what is learned is added to it."""
        self.given.copy_(weight)
        self.bias.copy_(bias)
        self.last.zero_()
        self.skip.zero_()

    def forward(self, z: Tensor) -> Tensor:
        """Map `(B, c, h, w)` to the same shape."""
        with torch.autocast("cpu", enabled=False):
            kernel = self.given + torch.einsum("om,mnhw,ni->oihw", self.last, self.middle, self.first)
            kernel = kernel + functional.pad(self.skip[:, :, None, None], (1, 1, 1, 1))
        return functional.conv2d(z, kernel.contiguous(memory_format=torch.channels_last), self.bias, padding=1)


class Residual(nn.Module):
    """Two convolutions, or three, added to their input."""

    def __init__(
        self, channels: int, *, act: str = "relu", gate: str = "", folded: bool = False, convs: int = 2
    ) -> None:
        """Build at one width."""
        super().__init__()
        make = Folded if folded else conv3x3
        self.convs = nn.ModuleList(make(channels, channels) for _ in range(convs))
        self.act = {"relu": functional.relu, "silu": functional.silu}[act]
        self.gate = gate
        self.point = nn.Conv2d(channels, channels, 1) if gate == "pixel" else None

    def forward(self, z: Tensor) -> Tensor:
        """Map `(B, c, h, w)` to the same shape."""
        y = z
        for k, conv in enumerate(self.convs):
            y = conv(y if k == 0 else self.act(y))
        if self.gate == "span":  # SPAN's attention without parameters
            return (y + z) * (torch.sigmoid(y) - 0.5)
        if self.gate == "one":  # the same around one: a block starts as its input
            return (y + z) * (torch.sigmoid(y) + 0.5)
        if self.point is not None:  # PAN's
            return z + y * torch.sigmoid(self.point(y))
        return z + y


class Chain(nn.Module):
    """Convolutions in a row."""

    def __init__(self, channels: int, convs: int = 2) -> None:
        """Build at one width."""
        super().__init__()
        self.convs = nn.ModuleList(conv3x3(channels, channels) for _ in range(convs))

    def forward(self, z: Tensor) -> Tensor:
        """Map `(B, c, h, w)` to the same shape."""
        for conv in self.convs:
            z = functional.silu(conv(z))
        return z


class Stage(nn.Module):
    """Blocks; what each stage made is carried on if the tail joins them."""

    def __init__(self, blocks: list[nn.Module], join: bool) -> None:
        """Build at one width."""
        super().__init__()
        self.blocks, self.join = nn.Sequential(*blocks), join

    def forward(self, features: Features) -> Features:
        """Map features to features of the same size."""
        z = self.blocks(features.z)
        return Features(z, (*features.carry, z) if self.join else features.carry)


class Tail(nn.Module):
    """A convolution and the long skip, or SPAN's end: the head's and all stages' features joined by a 1x1."""

    def __init__(self, channels: int, joined: int, conv: bool) -> None:
        """Build at one width."""
        super().__init__()
        self.conv = conv3x3(channels, channels) if conv else None
        self.join = nn.Conv2d(channels * (joined + 1), channels, 1) if joined else None

    def forward(self, features: Features) -> Features:
        """Map features to features of the same size."""
        z = features.z if self.conv is None else self.conv(features.z)
        first, lr, *rest = features.carry
        if self.join is None:
            return Features(first + z, (first, lr))
        return Features(first + self.join(torch.cat([first, *rest[:-1], z], 1)), (first, lr))


class Candidate(Backbone):
    """EDSR's frame around other blocks."""

    def __init__(
        self,
        block: Callable[..., nn.Module] = Residual,
        channels: int = 64,
        stages: int = 3,
        blocks: int = 2,
        convs: int = 2,
        *,
        join: bool = False,
        tail: bool = True,
    ) -> None:
        """Build stages of blocks of so many convolutions; `tail` has one more before the long skip."""
        super().__init__(ModelConfig(channels=channels))
        self.head = Head(channels)
        self.stages = nn.ModuleList(Stage([block(channels) for _ in range(blocks)], join) for _ in range(stages))
        self.tail = Tail(channels, stages if join else 0, tail)
        self.upsample = Upsample(channels, 4)
        self.receptive_field = (1, *[convs * blocks] * stages, 1 + tail)
        self.halo = (4, *[3 if k == 0 else 2 for k in range(stages)])


GATED = partial(Residual, act="silu", convs=3)
CANDIDATES = {
    "edsr": Candidate,
    "wide": partial(Candidate, Residual, channels=96, stages=3, blocks=1, tail=False),
    "span": partial(Candidate, partial(GATED, gate="span"), stages=4, blocks=1, convs=3, join=True),
    "one": partial(Candidate, partial(GATED, gate="one"), stages=4, blocks=1, convs=3, join=True),
    "pixel": partial(Candidate, partial(Residual, act="silu", gate="pixel"), join=True),
    "chain": partial(Candidate, Chain, join=True),
    "edsr+": Candidate,  # these start from the weights of edsr-light-x4
    "muon+": Candidate,
    "join+": partial(Candidate, join=True),
    "folded+": partial(Candidate, partial(Residual, folded=True)),
}


@torch.no_grad()
def begin(net: Candidate) -> None:
    """Start from edsr-light-x4; what it lacks begins at nothing."""
    given = checkpoint.load(find_network("edsr-light-x4"))[0].backbone
    net.head.load_state_dict(given.head.state_dict())
    net.upsample.load_state_dict(given.upsample.state_dict())
    net.tail.conv.load_state_dict(given.tail.conv.state_dict())
    if net.tail.join is not None:  # of the head's, the stages' and the tail's features only the last counts
        width = net.channels
        net.tail.join.weight.zero_()
        net.tail.join.weight[:, -width:, 0, 0] = torch.eye(width)
        net.tail.join.bias.zero_()
    for stage, theirs in zip(net.stages, given.stages, strict=True):
        for block, other in zip(stage.blocks, theirs, strict=True):
            for conv, trained in zip(block.convs, (other.conv1, other.conv2), strict=True):
                if isinstance(conv, Folded):
                    conv.start(trained.weight, trained.bias)
                else:
                    conv.load_state_dict(trained.state_dict())
