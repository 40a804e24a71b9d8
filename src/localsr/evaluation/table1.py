"""The FLOPs of the paper's Table 1, and the same counted: every network fed every way."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import NamedTuple

from localsr.evaluation.cost import cost
from localsr.geometry import Size
from localsr.inference.strategies import Strategy
from localsr.models.config import ModelConfig
from localsr.models.presets import PRESETS

ROI = 24  # LR px
PICTURES = {  # LR, of Table 2
    "BSD100": Size(216, 144),
    "Urban100": Size(480, 384),
    "Manga109": Size(408, 576),
    "Test2K": Size(816, 528),
}
HALOS = (0, 1, 2, 4, 8)


class Paper(NamedTuple):
    """A network's rows in the paper, in GFLOPs."""

    name: str
    crop: float
    full: tuple[float, float, float, float]  # by PICTURES
    clsr: tuple[float, float, float, float]


PAPER = {  # by preset; the paper's CARN is CARN-M
    "carn-m": Paper("CARN", 0.65, (35.37, 209.59, 267.23, 489.93), (1.63, 5.65, 6.97, 12.11)),
    "srresnet": Paper("SRResNet", 2.93, (158.19, 937.44, 1195.23, 2191.26), (5.08, 8.94, 10.22, 15.15)),
    "rcan": Paper("RCAN", 18.38, (992.73, 5882.85, 7500.64, 13751.17), (19.41, 21.50, 22.19, 24.86)),
    "swinir-light": Paper("SwinIR (lw)", 2.11, (113.70, 673.77, 859.06, 1574.94), (3.18, 6.74, 7.92, 12.47)),
    "swinir": Paper("SwinIR", 15.08, (814.40, 4826.06, 6153.23, 11280.91), (23.23, 31.02, 33.60, 43.56)),
}


class Entry(NamedTuple):
    """One count beside the paper's number."""

    network: str  # a preset
    strategy: Strategy
    height: int  # of the LR picture, or of the ROI for `crop`
    width: int
    gflops: float  # of a picture's first ROI: the halo, the PIM, the GCM and all its patches
    paper: float


def table1() -> Iterator[Entry]:
    """Count what Table 1 counts, at x4 with ROIs of 24 x 24; slow networks take seconds."""
    for preset, paper in PAPER.items():
        config = PRESETS[preset]
        counted = cost(config, Strategy.CROP, ROI, PICTURES["BSD100"])
        yield Entry(preset, Strategy.CROP, ROI, ROI, counted.roi / 1e9, paper.crop)
        for way, numbers in ((Strategy.CLSR, paper.clsr), (Strategy.FULL, paper.full)):
            for size, number in zip(PICTURES.values(), numbers, strict=True):
                counted = cost(config.with_context() if way is Strategy.CLSR else config, way, ROI, size)
                yield Entry(preset, way, size.height, size.width, sum(counted) / 1e9, number)


class Halo(NamedTuple):
    """What a network costs with one halo at every step, GFLOPs."""

    network: str
    halo: int
    plain: float  # an ROI by `halo`
    clsr: float  # a picture's first ROI by `clsr`


def halos() -> Iterator[Halo]:
    """Count each network of Table 1 over the halo, the same at each step: 0 is the ROI alone."""
    for preset in PAPER:
        for halo in HALOS:
            config = flat(PRESETS[preset], halo)
            plain = cost(config, Strategy.HALO, ROI, PICTURES["BSD100"])
            clsr = cost(config.with_context(), Strategy.CLSR, ROI, PICTURES["BSD100"])
            yield Halo(preset, halo, sum(plain) / 1e9, sum(clsr) / 1e9)


def flat(config: ModelConfig, halo: int) -> ModelConfig:
    """Give a network the same halo at each step."""
    return dataclasses.replace(config, halo=(halo,) * len(config.halo))
