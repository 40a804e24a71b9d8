"""From a network to ONNX graphs, by its own `encode` and `restore`.

`encode`: `patches` `(1, N, 3, r, r)` RGB in [0, 1], `corners` `(1, N, 2)` x and y in LR px -> `keys`, `values` and
`places`.
`restore`: `pixels` `(B, 3, h, w)` RGB in [0, 1], `windows` `(n + 3, 4)`, for a network with GCM `origins` `(B, 2)`,
`keys`, `values`, `places`, for one that is told them `conditions` `(1, 3)`, encoded -> `hr` `(B, 3, s h', s w')` in
[0, 1]. Windows are left, top, right, bottom, int64, in the
coordinates of `CLSR.restore`: what `pixels` cover, what the head reads, what is kept after each of n stages, the ROI.
`attend`, of a network with GCM: what *restore* takes -> `weights` `(B, heads, queries, tokens)`.

Every size is free. What a graph cuts out is an input: at the picture's border a taper is not symmetric, so that no
function of the sizes alone could tell. One graph serves every strategy, halo and box.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.export import Dim
from torch.overrides import TorchFunctionMode

from localsr.conditions import Conditions
from localsr.geometry import Box, Size, snapped
from localsr.models.clsr import CLSR
from localsr.models.patches import Context
from localsr.models.windows import Taper
from localsr.onnx.bare import bared
from localsr.onnx.folder import ATTEND, CLEAN, CONTEXT, ENCODE, OPSET, RESTORE

EXAMPLE = Size(72, 64)  # of the picture that is traced: multiples of SwinIR's window
INNER = Box(24, 24, 43, 41)  # the ROI that is traced


def windows(near: Box, taper: Taper) -> Tensor:
    """Return the input `windows` of a graph, `(n + 3, 4)`."""
    return torch.tensor([[b.left, b.top, b.right, b.bottom] for b in (near, *taper.windows, taper.roi)])


def encoding(network: CLSR, *, bare: bool = False) -> bytes:
    """Trace the graph *encode* of a network with GCM; `bare` leaves its weights out, as `bared` does."""
    side = network.config.gcm_patch
    inputs = {"patches": torch.rand(1, 4, 3, side, side), "corners": torch.rand(1, 4, 2)}
    count = Dim("patches")
    return _traced(_Encode(network), inputs, {"patches": {1: count}, "corners": {1: count}}, CONTEXT, bare=bare)


def restoring(network: CLSR, *, bare: bool = False) -> bytes:
    """Trace the graph *restore*."""
    return _traced(_Restore(network), *_inputs(network), ("hr",), bare=bare)


def attending(network: CLSR, *, bare: bool = False) -> bytes:
    """Trace the graph *attend* of a network with GCM."""
    return _traced(_Attend(network), *_inputs(network), ("weights",), bare=bare)


def tracings(network: CLSR, *, bare: bool = False) -> dict[str, Callable[[], bytes]]:
    """Return what traces each graph of a network, by the names that a folder has for them."""
    works = {RESTORE: partial(restoring, network, bare=bare)}
    if network.gcm is not None:
        works |= {ENCODE: partial(encoding, network, bare=bare), ATTEND: partial(attending, network, bare=bare)}
    if network.clean is not None:
        clean = network.undegraded()
        works[CLEAN + RESTORE] = partial(restoring, clean, bare=bare)
        if network.gcm is not None:
            works[CLEAN + ATTEND] = partial(attending, clean, bare=bare)
    return dict(works)


def _inputs(network: CLSR) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return an example of what *restore* takes, and which of its axes are free."""
    config, multiple = network.config, network.backbone.multiple
    taper = network.geometry.taper(INNER, EXAMPLE, config.halo)
    near = network.geometry.near(taper, EXAMPLE)
    batch = Dim("batch", min=2)  # as `_symbols` has it
    rows, columns = ((Dim(n) if multiple == 1 else multiple * Dim(n)) for n in ("rows", "columns"))
    inputs = {"pixels": torch.rand(2, 3, near.height, near.width), "windows": windows(near, taper)}
    free: dict[str, Any] = {"pixels": {0: batch, 2: rows, 3: columns}, "windows": None}
    if network.gcm is not None:
        tokens, heads = Dim("tokens"), config.gcm_heads
        keys, values = torch.rand(2, 1, heads, 36, config.channels // heads)  # one tensor twice would be one input
        inputs |= {"origins": torch.zeros(2, 2), "keys": keys, "values": values, "places": torch.rand(1, 36, 2)}
        free |= {"origins": {0: batch}, "keys": {2: tokens}, "values": {2: tokens}, "places": {1: tokens}}
    if network.conditioned and not network.is_undegraded:
        inputs["conditions"], free["conditions"] = torch.rand(1, len(Conditions._fields)), None
    return inputs, free


class _Window:
    """A `Box` whose sides are known when a graph runs: it has what a forward asks of a box.

    Widths and heights are traced as symbols of their own, so that two windows of one size are known to be.
    """

    def __init__(self, row: Tensor, width: int, height: int) -> None:
        """Take the sides as a tensor `(4,)`, and the symbols of width and height."""
        self._row, self.width, self.height = row, width, height

    @classmethod
    def of(cls, row: Tensor, multiple: int) -> _Window:
        """Make a window whose sides are multiples of so many px."""
        width, height = _symbols((row[2:] - row[:2]) // multiple, 2)
        return cls(row, multiple * width, multiple * height)

    @cached_property
    def _corner(self) -> list[int]:
        return _symbols(self._row[:2], 0)

    @property
    def left(self) -> int:
        """The first column."""
        return self._corner[0]

    @property
    def top(self) -> int:
        """The first row."""
        return self._corner[1]

    def within(self, outer: _Window) -> _Window:
        """Return the same window in the coordinates of `outer`."""
        return _Window(self._row - outer._row[:2].repeat(2), self.width, self.height)

    def scaled(self, scale: int) -> _Window:
        """Return the same window in a picture enlarged `scale` times."""
        return _Window(self._row * scale, self.width * scale, self.height * scale)

    def snapped(self, multiple: int) -> _Window:
        """Push the sides out to multiples of so many px."""
        row = torch.cat([self._row[:2] // multiple, (self._row[2:] + multiple - 1) // multiple]) * multiple
        return self.of(row, multiple)


snapped.register(_Window, _Window.snapped)  # type: ignore[arg-type]  # a window stands for a box


def _symbols(values: Tensor, least: int) -> list[int]:
    """Return what a tensor will hold as symbols. Sizes are traced as 2 or more: torch treats 1 apart, ONNX does not."""
    found: list[int] = values.tolist()
    for value in found:
        torch._check(value >= least)  # type: ignore[no-untyped-call]
    return found


class _Slices(TorchFunctionMode):
    """Has `narrow` traced as ONNX's Slice, whose size is the one that was asked for.

    torch's own slice clamps its bounds, so that the size of the result would be an expression that nothing can divide.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        """Replace one function."""
        if func is not torch.Tensor.narrow:
            return func(*args, **(kwargs or {}))
        maps, axis, start, length = args
        shape = list(maps.shape)
        shape[axis] = length
        bounds = [torch.scalar_tensor(at, dtype=torch.int64).reshape(1) for at in (start, start + length)]
        inputs = (maps, *bounds, torch.tensor([axis % maps.ndim]))
        return torch.onnx.ops.symbolic("Slice", inputs, dtype=maps.dtype, shape=shape, version=OPSET)


class _Encode(nn.Module):
    """The graph *encode*."""

    def __init__(self, network: CLSR) -> None:
        """Take a network with GCM."""
        super().__init__()
        self.network = network

    def forward(self, patches: Tensor, corners: Tensor) -> Context[Tensor] | None:
        """Make keys, values, places."""
        return self.network.encode(patches, corners)


class _Regions(nn.Module):
    """What the graphs of regions share: their inputs, as the network's own methods take them."""

    def __init__(self, network: CLSR) -> None:
        """Take a network."""
        super().__init__()
        self.network = network

    def forward(
        self,
        pixels: Tensor,
        windows: Tensor,
        origins: Tensor | None = None,
        keys: Tensor | None = None,
        values: Tensor | None = None,
        places: Tensor | None = None,
        conditions: Tensor | None = None,
    ) -> Tensor:
        """Cut windows as Slice does."""
        network, steps = self.network, len(self.network.config.halo)
        if conditions is not None and network.conditioning is not None:
            network = network.modulated(network.conditioning(conditions))
        with _Slices():
            near = _Window(windows[0], pixels.shape[3], pixels.shape[2])
            multiple, unit = network.backbone.multiple, network.backbone.unit
            sides = [multiple] * (steps - 1) + [unit, 1]  # as Taper has it, then the ROI
            *kept, roi = (_Window.of(windows[k], side) for k, side in enumerate(sides, start=1))
            taper = Taper(cast(tuple[Box, ...], tuple(kept)), cast(Box, roi), multiple, unit)
            context = None if keys is None or values is None or places is None else Context(keys, values, places)
            at = pixels.new_zeros(1, 2) if origins is None else origins
            return self.result(network, pixels, cast(Box, near), taper, at, context)

    def result(
        self, network: CLSR, pixels: Tensor, near: Box, taper: Taper, origins: Tensor, context: Context[Tensor] | None
    ) -> Tensor:
        """Compute the output."""
        raise NotImplementedError


class _Restore(_Regions):
    """The graph *restore*."""

    def result(
        self, network: CLSR, pixels: Tensor, near: Box, taper: Taper, origins: Tensor, context: Context[Tensor] | None
    ) -> Tensor:
        """Restore, clamped to [0, 1]."""
        return network.restore(pixels, near, taper, origins, context).clamp(0, 1)


class _Attend(_Regions):
    """The graph *attend*."""

    def result(
        self, network: CLSR, pixels: Tensor, near: Box, taper: Taper, origins: Tensor, context: Context[Tensor] | None
    ) -> Tensor:
        """Compute the weights of the attention."""
        assert context is not None
        return network.attention(pixels, near, taper, origins, context)


def _traced(
    module: nn.Module, inputs: dict[str, Tensor], free: dict[str, Any], outputs: tuple[str, ...], *, bare: bool
) -> bytes:
    """Trace a module into the bytes of a graph that holds its weights, or is `bare` of them."""
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            module.eval(),
            kwargs=inputs,
            dynamic_shapes=free,
            output_names=outputs,
            opset_version=OPSET,
            dynamo=True,
            optimize=not bare,  # which would fold weights into other constants
            verbose=False,
        )
    assert program is not None
    model = bared(program.model_proto, set(module.state_dict())) if bare else program.model_proto
    data: bytes = model.SerializeToString()
    return data


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep to itself what torch tells its own developers about an export: names of axes, torchvision's absence."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
