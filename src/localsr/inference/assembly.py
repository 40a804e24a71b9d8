"""Boxes put together from the pieces of work that restore them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from localsr.geometry import Box, Enlargement
from localsr.inference.execution import RestoredItem, RunInputs
from localsr.inference.planning import WorkItem
from localsr.inference.restoration import Restoration, enlarged_alpha
from localsr.inference.strategies import Strategy


def assemble(
    boxes: Sequence[Box],
    items: Sequence[WorkItem],
    done: Iterator[RestoredItem],
    inputs: RunInputs,
    strategy: Strategy,
    made_by: tuple[str, str],
    to: Enlargement,
) -> Iterator[tuple[int, Restoration]]:
    """Yield each box with its number when the last item that it waits for is `done`, reduced `to` what is asked for.

    `made_by` is the network's name and sha256.
    """
    photo, precision, scale = inputs.photo, inputs.precision, inputs.network.geometry.scale
    name, sha256 = made_by
    waiting = Counter(n for item in items for n in item.boxes)
    pixels: dict[int, NDArray[np.float32]] = {}
    seconds, precisions = [0.0] * len(boxes), [precision] * len(boxes)
    for restored in done:
        for n in restored.item.boxes:
            box = boxes[n]
            pixels[n] = restored.paste_into(box, pixels.get(n), scale)
            seconds[n] += restored.seconds / len(restored.item.boxes)
            precisions[n] = restored.precision if restored.precision != precision else precisions[n]
            waiting[n] -= 1
            if not waiting[n]:
                alpha, made = enlarged_alpha(photo, box, scale), (precisions[n], seconds[n])
                restoration = Restoration(
                    pixels.pop(n), alpha, box, scale, strategy, name, *made, photo, sha256, inputs.conditions
                )
                yield n, restoration.reduced(to)
