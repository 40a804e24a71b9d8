"""Networks that only run: their weights are kept in the precision and, on a CPU, in the order that oneDNN computes in.

torch brings them into that order at each call, which takes 20 us of the 170 of a convolution for an ROI of 24 x 24, and
its autocast brings them into a short precision at each call as well. The operators are those that torch.compile's own
code calls; where torch lacks them a network runs as it is.
"""

from __future__ import annotations

import copy
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from localsr.models.counting import PACKED
from localsr.models.layers import ResidualBlock

ORDER: Any = getattr(torch.ops.mkldnn, "_reorder_convolution_weight", None)
SUPPORTED = {  # by type, what tells whether oneDNN computes convolutions in it on this CPU
    torch.bfloat16: getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", None),
    torch.float16: getattr(torch.ops.mkldnn, "_is_mkldnn_fp16_supported", None),
}
NetworkModule = TypeVar("NetworkModule", bound=nn.Module)


class PackedConv(nn.Module):
    """Computes what a convolution does without gradients, in the type of its weights, and returns another if asked.

    The order depends on the input's shape: another's takes up to 30 times as long. It is kept for the last shape, once
    that comes again. The numbers are the same either way.
    """

    def __init__(self, conv: nn.Conv2d, returned: torch.dtype) -> None:
        """Share the convolution's parameters."""
        super().__init__()
        self.weight, self.bias, self.stride = conv.weight, conv.bias, conv.stride
        self._geometry = (conv.padding, conv.stride, conv.dilation, conv.groups)
        self._returned, self.packs = returned, _packs(conv.weight)
        self._kept: tuple[torch.Size, Tensor | None] = (torch.Size(), None)  # set as one, for threads

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy gets: weights in oneDNN's order belong to this process."""
        return {**vars(self), "_kept": (torch.Size(), None)}

    def forward(self, x: Tensor) -> Tensor:
        """`(B, c, h, w)` as the convolution takes it."""
        x = x.to(self.weight.dtype)
        if self.packs:
            y: Tensor = PACKED(*self._operands(x), self.bias, *self._geometry, "none", [], "")
        else:
            padding, stride, dilation, groups = self._geometry
            y = functional.conv2d(x, self.weight, self.bias, stride, padding, dilation, groups)
        return y.to(self._returned)

    def activated(self, x: Tensor, activation: str) -> Tensor:
        """Convolve `(B, c, h, w)` of the weights' type, then apply "relu" or "sigmoid", in one operation."""
        y: Tensor = PACKED(*self._operands(x), self.bias, *self._geometry, activation, [], "")
        return y

    def added(self, x: Tensor, z: Tensor) -> Tensor:
        """Convolve `(B, c, h, w)` of the weights' type and add the result to z of the same, in one operation."""
        x, weight = self._operands(x)
        z = z.contiguous(memory_format=torch.channels_last)
        y: Tensor = PACKED.binary(x, z, weight, self.bias, *self._geometry, "add", 1.0, None, [], None)
        return y

    def _operands(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the input and the weights in the orders that oneDNN computes in."""
        shape, weight = self._kept
        if shape != x.shape:
            self._kept, weight = (x.shape, None), self.weight
        elif weight is None:
            weight = ORDER(self.weight, *self._geometry, shape)
            self._kept = (shape, weight)
        return x.contiguous(memory_format=torch.channels_last), weight  # then both orders give the same bits


class PackedBlock(nn.Module):
    """A residual block that computes ReLU, sigmoid and sum with its convolutions: two passes over its features less."""

    def __init__(self, conv1: PackedConv, conv2: PackedConv, attention: PackedConv | None = None) -> None:
        """Take its convolutions."""
        super().__init__()
        self.conv1, self.conv2, self.attention = conv1, conv2, attention

    def forward(self, z: Tensor) -> Tensor:
        """Refine `(B, c, h, w)`."""
        y = self.conv1.activated(z, "relu")
        if self.attention is None:
            return self.conv2.added(y, z)
        y = self.conv2.activated(y, "none")
        return torch.addcmul(z, y, self.attention.activated(y, "sigmoid"), value=2)


def packed(network: NetworkModule) -> NetworkModule:
    """Return a network on a CPU to run in fp32, its parameters shared, that packs its convolutions' weights."""
    if not _packs(next(network.parameters())):
        return network
    other = copy.deepcopy(network, {id(tensor): tensor for tensor in network.parameters()})
    for name, conv in convolutions(network):
        other.set_submodule(name, PackedConv(conv, torch.float32))
    return _with_packed_blocks(other)


def shortened(network: NetworkModule, dtype: torch.dtype) -> NetworkModule:
    """Return a copy of a network that computes in 16 bits, but for the convolutions that read or write colours.

    bf16 has 8 bits, too few for the levels of a picture: with its first convolution in bf16 a network's results are
    1.2 levels of 255 from those in fp32, without it 0.7.
    """
    cast = {id(t): nn.Parameter(t.detach().to(dtype), requires_grad=False) for t in network.parameters()}
    other = copy.deepcopy(network, cast)
    for name, conv in convolutions(network):
        reads, writes = "head" in name.split("."), conv.out_channels == 3
        same = conv if reads or writes else other.get_submodule(name)
        assert isinstance(same, nn.Conv2d)
        other.set_submodule(name, PackedConv(same, torch.float32 if writes else dtype))
    return _with_packed_blocks(other)


def convolutions(network: nn.Module) -> list[tuple[str, nn.Conv2d]]:
    """Return the convolutions of a network by their names, transposed ones and those with another padding left out."""
    found = [(name, module) for name, module in network.named_modules() if type(module) is nn.Conv2d]
    return [(name, conv) for name, conv in found if conv.padding_mode == "zeros"]


def _with_packed_blocks(network: NetworkModule) -> NetworkModule:
    """Replace the residual blocks of a network whose convolutions are packed, and return it."""
    for name, block in list(network.named_modules()):
        if type(block) is ResidualBlock:
            convs = list(block.children())
            packs = [conv for conv in convs if isinstance(conv, PackedConv) and conv.packs]
            if len(packs) == len(convs):
                network.set_submodule(name, PackedBlock(*packs))
    return network


def _packs(weight: Tensor) -> bool:
    """Tell whether oneDNN takes weights of this type in its own order."""
    if ORDER is None or PACKED is None or weight.device.type != "cpu":
        return False
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    supported = SUPPORTED.get(weight.dtype, lambda: weight.dtype is torch.float32)
    return supported is not None and bool(supported())
