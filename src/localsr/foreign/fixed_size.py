"""Networks that take pictures of one size alone: any picture is run in overlapping windows of it."""

from __future__ import annotations

from collections.abc import Callable
from types import EllipsisType
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from localsr.geometry import Size

MARGIN = 4  # a window's side is so many times the margin, on each of its sides, whose result is not kept
RUN_FOR_KEPT = (MARGIN / (MARGIN - 2)) ** 2  # px that are run for each that is kept


class Span(NamedTuple):
    """A window along one axis, and what of its result is kept, in LR px of the picture."""

    start: int
    first: int  # kept from here
    last: int  # to before here


def in_windows(run: Callable[[Tensor], Tensor], size: Size, scale: int) -> Callable[[Tensor], Tensor]:
    """Return a network of pictures of any size, made of one that takes `size` alone.

    The first and the last window of a row end at the picture's borders, so that the network pads there and only there:
    a network that sees no farther than a margin makes of a picture what it would make of all of it at once.

    Args:
        run: The network, `(B, c, h, w)` of `size` to `(B, c, s h, s w)`.
        size: LR px that it takes.
        scale: How many times it enlarges.
    """

    def run_any(x: Tensor) -> Tensor:
        h, w = x.shape[2:]
        right, down = max(size.width - w, 0), max(size.height - h, 0)
        filled = functional.pad(x, (right, right, down, down), mode="replicate")
        y = torch.empty(*x.shape[:2], scale * h, scale * w)
        for row in spans(h, size.height):
            for column in spans(w, size.width):
                window = filled.narrow(2, row.start + down, size.height).narrow(3, column.start + right, size.width)
                there, here = _kept(row, column, 0, 0, scale), _kept(row, column, row.start, column.start, scale)
                y[there] = run(window.contiguous())[here]
        return y

    return run_any


def spans(length: int, side: int) -> list[Span]:
    """Cover `length` px by windows of `side` px; where that is more, by one from each end, half of which is kept."""
    margin = side // MARGIN
    starts = [*range(0, length - side, side - 2 * margin), length - side] if length >= side else [0, length - side]
    cuts = [start + side - margin for start in starts[:-1]] if length >= side else [length // 2]
    edges = [0, *cuts, length]
    return [Span(start, first, last) for start, first, last in zip(starts, edges, edges[1:], strict=False)]


def _kept(row: Span, column: Span, top: int, left: int, scale: int) -> tuple[EllipsisType, slice, slice]:
    """Return where the kept part of a window lies in pixels whose first row and column are `top` and `left`."""
    rows, columns = (slice(scale * (s.first - at), scale * (s.last - at)) for s, at in ((row, top), (column, left)))
    return ..., rows, columns
