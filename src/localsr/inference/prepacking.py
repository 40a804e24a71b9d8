"""Networks that only run: their convolutions keep their weights in the order that oneDNN computes in.

torch brings them into that order at each call, which takes 20 us of the 170 of a convolution for an ROI of 24 x 24.
The operators are those that torch.compile's own code calls; where torch lacks them a network runs as it is.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from localsr.inference.protocols import RunnableNetwork
from localsr.models.counting import PACKED

ORDER: Any = getattr(torch.ops.mkldnn, "_reorder_convolution_weight", None)


class PackedConv(nn.Module):
    """Computes what a convolution does, in float32 on a CPU, without gradients.

    The order depends on the input's shape: another's takes up to 30 times as long. It is kept for the last shape, once
    that comes again. The numbers are the same either way.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        """Share the convolution's parameters."""
        super().__init__()
        self.weight, self.bias, self.stride = conv.weight, conv.bias, conv.stride
        self._geometry = (conv.padding, conv.stride, conv.dilation, conv.groups)
        self._kept: tuple[torch.Size, Tensor | None] = (torch.Size(), None)  # set as one, for threads

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy gets: weights in oneDNN's order belong to this process."""
        return {**vars(self), "_kept": (torch.Size(), None)}

    def forward(self, x: Tensor) -> Tensor:
        """`(B, c, h, w)` as the convolution takes it."""
        shape, weight = self._kept
        if shape != x.shape:
            self._kept, weight = (x.shape, None), self.weight
        elif weight is None:
            weight = ORDER(self.weight, *self._geometry, shape)
            self._kept = (shape, weight)
        x = x.contiguous(memory_format=torch.channels_last)  # for which both orders give the same bits
        y: Tensor = PACKED(x, weight, self.bias, *self._geometry, "none", [], "")
        return y


def packed(network: RunnableNetwork) -> RunnableNetwork:
    """Return a torch network on a CPU to run in fp32, its parameters shared, that packs its convolutions' weights."""
    if not isinstance(network, nn.Module) or ORDER is None or PACKED is None:
        return network
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return network
    other = copy.deepcopy(network, {id(tensor): tensor for tensor in network.parameters()})
    for name, module in network.named_modules():
        if type(module) is nn.Conv2d and module.padding_mode == "zeros":
            other.set_submodule(name, PackedConv(module))
    return other
