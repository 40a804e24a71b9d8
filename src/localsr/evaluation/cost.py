"""What an ROI costs: FLOPs, counted on the meta device through the very code that restores it.

A FLOP is half a multiply-add, as in the paper's Table 1: 2 x multiply-adds of convolutions and matrix products.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from localsr.geometry import Box, Size, whole
from localsr.inference.strategies import Strategy
from localsr.models.backbone import crop
from localsr.models.clsr import CLSR
from localsr.models.config import ModelConfig
from localsr.models.context import Context, sample_patches


class Cost(NamedTuple):
    """FLOPs of one ROI once its scene is there, and of making the scene (patches, keys and values)."""

    roi: int
    scene: int


@lru_cache(maxsize=1024)
def cost(config: ModelConfig, strategy: Strategy, roi: int, size: Size) -> Cost:
    """Count a `roi` x `roi` ROI in the middle of a picture of `size`; `full` restores all of it, as in Table 1."""
    with torch.device("meta"):
        network = CLSR(config if strategy is Strategy.CLSR else config.without_context()).eval()
        box = whole(size)
        if strategy is not Strategy.FULL:
            middle = Box.from_xywh((size.width - roi) // 2, (size.height - roi) // 2, roi, roi)
            box = middle.intersection(box)
        context, scene = _scene(network, size)
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            taper = strategy.taper(box, size, network)  # untiled: tiles of `full` overlap by their halos
            near = network.near(taper, size)
            pixels = torch.empty(1, 3, near.height, near.width)
            p = (network.pim(pixels)[0], near) if network.pim is not None else None
            x = crop(pixels, taper.windows[0].within(near))
            network(x, taper, torch.empty(1, 2), context, p)
    return Cost(counter.get_total_flops(), scene)


def _scene(network: CLSR, size: Size) -> tuple[Context | None, int]:
    """Count G, keys and values of the patches."""
    if network.gcm is None:
        return None, 0
    count = len(sample_patches(size, network.config.gcm_patch, network.config.gcm_patches))
    side = network.config.gcm_patch
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        corners: Tensor = torch.empty(1, count, 2)
        context = network.gcm.encode(torch.empty(1, count, 3, side, side), corners)
    return context, counter.get_total_flops()
