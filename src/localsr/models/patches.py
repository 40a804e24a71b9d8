"""What the GCM draws on: patches of a picture, and their keys and values, in whatever arrays a runtime has."""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

from localsr.geometry import Box, Size

A = TypeVar("A")  # NumPy's arrays in the engine, torch's tensors in a network


class Context(NamedTuple, Generic[A]):
    """Keys and values (Eq. 2) of the patches of B pictures, and where each token lies.

    `keys`, `values`: `(B, heads, tokens, c / heads)`. `places`: `(B, tokens, 2)`, x and y in LR px of the picture.
    """

    keys: A
    values: A
    places: A


def sample_patches(size: Size, patch: int, count: int) -> list[Box]:
    """Choose at most `count` of the `patch` x `patch` cells of a picture, uniformly along both sides (Fig. 4b).

    They do not overlap and do not depend on the ROI. In a picture thinner than a patch they extend beyond it.
    """
    side = int(count**0.5)

    def places(length: int) -> list[int]:
        cells = max(length // patch, 1)
        chosen = min(cells, side)
        return [patch * ((2 * k + 1) * cells // (2 * chosen)) for k in range(chosen)]

    return [Box.from_xywh(x, y, patch, patch) for y in places(size.height) for x in places(size.width)]
