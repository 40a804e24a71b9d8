"""What a piece of work takes, in FLOPs and memory.

A FLOP is half a multiply-add, as in the paper's Table 1: 2 x multiply-adds of convolutions and matrix products.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import conv_flop_count, flop_registry

from localsr.models.work import WorkLoad

ATEN = torch.ops.aten
COMPOSITE = torch._C.DispatchKey.CompositeImplicitAutograd
PACKED: Any = getattr(torch.ops.mkldnn, "_convolution_pointwise", None)  # a convolution of weights in oneDNN's order
FLASH_FLOPS = {
    ATEN._scaled_dot_product_flash_attention_for_cpu: flop_registry[ATEN._scaled_dot_product_flash_attention]
}


def _packed_flops(x: Tensor, *operands: Any, out_val: Tensor) -> int:  # noqa: ANN401  # as torch's table has them
    """Count a packed convolution; what it adds to its result, if anything, comes before its weights."""
    maps = [each for each in operands[:2] if isinstance(each, Tensor) and each.ndim == 4]
    return int(conv_flop_count(list(x.shape), list(maps[-1].shape), list(out_val.shape)))


PACKED_FLOPS = {PACKED: _packed_flops} if PACKED else {}
COUNTED = flop_registry | FLASH_FLOPS | PACKED_FLOPS  # torch's table lacks the CPU's attention and packed convolutions


def count(work: Callable[[], object]) -> WorkLoad:
    """Run work whose tensors are on the meta device, where nothing is computed, and count it."""
    flops, moments = count_moments(work)
    return WorkLoad(flops, max(moments, default=0))


def count_moments(work: Callable[[], object]) -> tuple[int, list[int]]:
    """Count the FLOPs of such work, and after each of its operations the bytes of the tensors that are alive."""
    with FlopCounter() as counter, _Alive() as alive, torch.no_grad():
        work()
    return counter.total, alive.moments


@cache
def _is_composite(func: Any) -> bool:  # noqa: ANN401  # an overload
    """Tell whether an operation is made of others."""
    return bool(torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), COMPOSITE))


class FlopCounter(TorchDispatchMode):
    """Counts the FLOPs of what runs within a `with`, which costs less than counting beforehand."""

    def __init__(self) -> None:
        """Begin at zero."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.total = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Return False: to have its compiler leave this alone, torch would load 800 modules of it, in a second."""
        return False

    def __torch_dispatch__(
        self,
        func: Any,  # noqa: ANN401  # torch's overloads, which its types do not tell from callables
        types: Sequence[type],
        args: tuple[object, ...] = (),
        kwargs: dict[str, object] | None = None,
    ) -> object:
        """Run an operation and count it; its bits are the same as without counting."""
        kwargs, count = kwargs or {}, COUNTED.get(func.overloadpacket)
        if count is not None:
            made = func(*args, **kwargs)
            self.total += count(*args, **kwargs, out_val=made)
            return made
        if _is_composite(func):  # in inference mode what is made of other operations comes whole
            with self:  # not by `decompose`, which takes torch's Python code where it has some, with other last bits
                return func._op_dk(COMPOSITE, *args, **kwargs)
        return func(*args, **kwargs)


class _Alive(TorchDispatchMode):
    """Follows the bytes of the tensors that are alive."""

    def __init__(self) -> None:
        """Begin with none."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.moments: list[int] = []
        self._now = 0
        self._alive: set[int] = set()

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Return False, as `FlopCounter` does."""
        return False

    def __torch_dispatch__(
        self,
        func: Callable[..., object],
        types: Sequence[type],
        args: tuple[object, ...] = (),
        kwargs: dict[str, object] | None = None,
    ) -> object:
        """Run an operation and note the storages that it made."""
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor):
                storage = tensor.untyped_storage()
                key, size = storage._cdata, storage.nbytes()
                if key not in self._alive:
                    self._alive.add(key)
                    self._now += size
                    weakref.finalize(storage, self._freed, key, size)
        self.moments.append(self._now)
        return made

    def _freed(self, key: int, size: int) -> None:
        """Note that a storage is gone."""
        self._alive.discard(key)
        self._now -= size
