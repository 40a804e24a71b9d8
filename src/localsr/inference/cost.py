"""What work costs before it is done: FLOPs and memory, counted on the meta device through the very code that does it.

A FLOP is half a multiply-add, as in the paper's Table 1: 2 x multiply-adds of convolutions and matrix products.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode, conv_flop_count, flop_registry

from localsr.geometry import Box, Size, whole
from localsr.inference.prepacking import CONVOLVE
from localsr.inference.strategies import Strategy
from localsr.models.backbone import Taper
from localsr.models.clsr import CLSR
from localsr.models.config import ModelConfig
from localsr.models.context import Context, sample_patches

ATEN = torch.ops.aten
COMPOSITE = torch._C.DispatchKey.CompositeImplicitAutograd
FLASH = {ATEN._scaled_dot_product_flash_attention_for_cpu: flop_registry[ATEN._scaled_dot_product_flash_attention]}
PACKED = {CONVOLVE: lambda x, w, *_, out_val: conv_flop_count(x.shape, w.shape, out_val.shape)} if CONVOLVE else {}
COUNTED = flop_registry | FLASH | PACKED  # torch's own table lacks the CPU's attention and packed convolutions


class Load(NamedTuple):
    """Of one piece of work."""

    flops: int
    bytes: int  # of its tensors in float32 at the moment when there are most


class Cost(NamedTuple):
    """FLOPs of one ROI once its scene is there, and of making the scene (patches, keys and values)."""

    roi: int
    scene: int


@lru_cache(maxsize=1024)
def cost(config: ModelConfig, strategy: Strategy, roi: int, size: Size) -> Cost:
    """Count a `roi` x `roi` ROI in the middle of a picture of `size`; `full` restores all of it, as in Table 1."""
    config = config if strategy is Strategy.CLSR else config.without_context()
    network, box = _network(config), whole(size)
    if strategy is not Strategy.FULL:
        middle = Box.from_xywh((size.width - roi) // 2, (size.height - roi) // 2, roi, roi)
        box = middle.intersection(box)
    taper = strategy.taper(box, size, network)  # untiled: tiles of `full` overlap by their halos
    patches = len(sample_patches(size, config.gcm_patch, config.gcm_patches))
    return Cost(load(config, taper, network.near(taper, size), patches).flops, scene_load(config, patches).flops)


@lru_cache(maxsize=4096)
def load(config: ModelConfig, taper: Taper, near: Box, patches: int) -> Load:
    """Count a job: its taper, what is read for it, and how many patches there are."""
    network = _network(config)

    def work() -> None:
        pixels = torch.empty(1, 3, near.height, near.width, device="meta")
        network.restore(pixels, near, taper, torch.empty(1, 2, device="meta"), _context(config, patches))

    return _counted(work)


@lru_cache(maxsize=64)
def scene_load(config: ModelConfig, patches: int) -> Load:
    """Count G, keys and values of the patches."""
    network = _network(config)
    if network.gcm is None:
        return Load(0, 0)
    gcm, side = network.gcm, config.gcm_patch
    corners: Tensor = torch.empty(1, patches, 2, device="meta")
    return _counted(lambda: gcm.encode(torch.empty(1, patches, 3, side, side, device="meta"), corners))


@lru_cache(maxsize=8)
def _network(config: ModelConfig) -> CLSR:
    """Build a network without weights."""
    with torch.device("meta"):
        return CLSR(config).eval()


def _context(config: ModelConfig, patches: int) -> Context | None:
    """Give keys and values without values."""
    if not config.gcm:
        return None
    tokens = patches * (config.gcm_patch // config.gcm_stride) ** 2
    keys = torch.empty(1, config.gcm_heads, tokens, config.channels // config.gcm_heads, device="meta")
    return Context(keys, keys, torch.empty(1, tokens, 2, device="meta"))


def _counted(work: Callable[[], object]) -> Load:
    """Run work on the meta device and count it."""
    with FlopCounterMode(display=False) as counter, _Peak() as peak, torch.no_grad():
        work()
    return Load(counter.get_total_flops(), peak.most)


@cache
def _is_composite(func: Any) -> bool:  # noqa: ANN401  # an overload
    """Tell whether an operation is made of others."""
    return bool(torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), COMPOSITE))


class Flops(TorchDispatchMode):
    """Counts the FLOPs of what runs within a `with`, which costs less than counting beforehand."""

    def __init__(self) -> None:
        """Begin at none."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.total = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Say that nothing here is compiled: torch would load 800 modules of its compiler, in a second, to skip it."""
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


class _Peak(TorchDispatchMode):
    """Follows the bytes of the tensors that are alive."""

    def __init__(self) -> None:
        """Begin with none."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.most = 0
        self._now = 0
        self._alive: set[int] = set()

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
        self.most = max(self.most, self._now)
        return made

    def _freed(self, key: int, size: int) -> None:
        """Note that a storage is gone."""
        self._alive.discard(key)
        self._now -= size
