"""Figures 7 and 8: the ROIs where context gains and loses most against `halo` and `full`, and what it drew on there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from localsr import images
from localsr.drawing.attention import attention_map
from localsr.drawing.sheet import write_sheet
from localsr.evaluation.benchmark import Benchmark, Pair
from localsr.evaluation.methods import Method
from localsr.evaluation.records import Example, RoiRow
from localsr.evaluation.runner import MethodRunner
from localsr.geometry import Box
from localsr.inference.strategies import Strategy

EXAMPLES_EACH = 2  # gains, and as many losses, against each
AGAINST = (Method(Strategy.HALO), Method(Strategy.FULL))
WITH_CONTEXT = Method(Strategy.CLSR)


def write_examples(
    folder: Path, rois: Sequence[RoiRow], runner: MethodRunner, benchmark: Benchmark, roi: int, *, attention: bool
) -> list[Example]:
    """Restore the extreme ROIs once more and write a strip of panels for each; none where context was not compared.

    Args:
        folder: The result's; the strips go to `examples/` in it.
        rois: The PSNR Y of each ROI by each method.
        runner: Restores them.
        benchmark: The pictures.
        roi: Side of an ROI in LR px.
        attention: Also draw what the GCM draws on for the first of them, as `examples/attention.png`.
    """
    if WITH_CONTEXT not in runner.methods:
        return []
    found: list[Example] = []
    names = [files.name for files in benchmark.files]
    shown = [method for method in AGAINST if method in runner.methods]
    for against in shown:
        for extreme in find_extremes(rois, against):
            pair = benchmark[names.index(extreme.picture)]
            box = Box.from_xywh(extreme.left, extreme.top, roi, roi)
            name = f"{extreme.kind}-{against}-{extreme.rank}"
            panels = _panels(pair, box, runner, (*shown, WITH_CONTEXT))
            write_sheet(folder / "examples" / f"{name}.png", np.concatenate(list(panels.values()), 1))
            if attention and not found:
                photo, drawn = images.read(pair.lr), runner.attention(WITH_CONTEXT, pair.lr, box)
                attention_map(folder / "examples" / "attention.png", photo, drawn, "")
            place = (box.left, box.top, box.right, box.bottom)
            difference = round(extreme.difference, 3)
            found.append(Example(name, extreme.kind, str(against), extreme.picture, place, difference, list(panels)))
    return found


class Extreme(NamedTuple):
    """An ROI whose PSNR Y by `clsr` is far from another method's."""

    kind: str  # "gain" or "loss"
    rank: int  # 1 is the largest
    picture: str
    left: int
    top: int
    difference: float  # dB


def find_extremes(rois: Sequence[RoiRow], against: Method) -> list[Extreme]:
    """Return the ROIs with the largest gain, then those with the largest loss, of `clsr` over `against`."""
    one, other = (
        {(row.picture, row.left, row.top): row.psnr_y for row in rois if row.way == str(method)}
        for method in (WITH_CONTEXT, against)
    )
    ordered = sorted((one[place] - other[place], place) for place in one.keys() & other.keys())
    gains = [found for found in reversed(ordered[-EXAMPLES_EACH:]) if found[0] > 0]
    losses = [found for found in ordered[:EXAMPLES_EACH] if found[0] < 0]
    return [
        Extreme(kind, rank, *place, difference)
        for kind, extremes in (("gain", gains), ("loss", losses))
        for rank, (difference, place) in enumerate(extremes, start=1)
    ]


def _panels(pair: Pair, box: Box, runner: MethodRunner, methods: Sequence[Method]) -> dict[str, NDArray[np.uint8]]:
    """Return 8-bit `(H, W, 3)` panels of one size: the LR pixels, each method's restoration, the original."""
    scale, large = runner.scale, box.scaled(runner.scale)
    panels = {"LR": pair.lr[box.rows, box.columns].repeat(scale, 0).repeat(scale, 1)}
    for method in methods:
        pixels = runner.restore(method, pair.lr, [box])[0].numpy()
        panels[str(method)] = np.rint(pixels * 255).astype(np.uint8).transpose(1, 2, 0)
    return panels | {"HR": pair.hr[:, large.rows, large.columns].transpose(1, 2, 0)}
