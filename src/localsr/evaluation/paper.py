"""The numbers of the paper's Table 1, and its FLOPs counted: each of its networks by each strategy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from localsr.geometry import Size
from localsr.inference.cost import count_roi
from localsr.inference.strategies import Strategy
from localsr.models.clsr import without_weights
from localsr.models.presets import PRESETS

PAPER_ROI = 24  # LR px
PAPER_SIZES = {  # of the LR pictures, Table 2
    "BSD100": Size(216, 144),
    "Urban100": Size(480, 384),
    "Manga109": Size(408, 576),
    "Test2K": Size(816, 528),
}
PICTURE_COUNTS = {"bsd100": 100, "urban100": 100, "manga109": 109}  # pictures in a whole set, which the paper measured
PAPER_HALOS = (0, 1, 2, 4, 8)


class PaperCosts(NamedTuple):
    """What a network costs by the paper, in GFLOPs."""

    name: str
    crop: float
    full: tuple[float, float, float, float]  # by PAPER_SIZES
    clsr: tuple[float, float, float, float]


PAPER_COSTS = {  # by preset; the paper's CARN is CARN-M
    "carn-m": PaperCosts("CARN", 0.65, (35.37, 209.59, 267.23, 489.93), (1.63, 5.65, 6.97, 12.11)),
    "srresnet": PaperCosts("SRResNet", 2.93, (158.19, 937.44, 1195.23, 2191.26), (5.08, 8.94, 10.22, 15.15)),
    "rcan": PaperCosts("RCAN", 18.38, (992.73, 5882.85, 7500.64, 13751.17), (19.41, 21.50, 22.19, 24.86)),
    "swinir-light": PaperCosts("SwinIR (lw)", 2.11, (113.70, 673.77, 859.06, 1574.94), (3.18, 6.74, 7.92, 12.47)),
    "swinir": PaperCosts("SwinIR", 15.08, (814.40, 4826.06, 6153.23, 11280.91), (23.23, 31.02, 33.60, 43.56)),
}

PAPER_QUALITY = {  # by preset and strategy, PSNR in dB and SSIM for each of PAPER_SIZES; ROI 24 at x4
    "carn-m": {
        Strategy.CROP: ((27.27, 0.8839), (25.09, 0.8852), (28.82, 0.9574), (27.23, 0.8893)),
        Strategy.FULL: ((27.38, 0.8854), (25.29, 0.8879), (29.27, 0.9597), (27.34, 0.8910)),
        Strategy.CLSR: ((27.39, 0.8854), (25.32, 0.8883), (29.24, 0.9595), (27.34, 0.8909)),
    },
    "srresnet": {
        Strategy.CROP: ((27.51, 0.8880), (25.77, 0.8983), (29.74, 0.9640), (27.44, 0.8939)),
        Strategy.FULL: ((27.63, 0.8895), (25.99, 0.9013), (30.19, 0.9658), (27.56, 0.8957)),
        Strategy.CLSR: ((27.62, 0.8894), (26.03, 0.9018), (30.20, 0.9656), (27.57, 0.8957)),
    },
    "rcan": {
        Strategy.CROP: ((27.67, 0.8909), (26.35, 0.9087), (30.47, 0.9682), (27.60, 0.8971)),
        Strategy.FULL: ((27.82, 0.8926), (26.67, 0.9126), (31.07, 0.9707), (27.76, 0.8991)),
        Strategy.CLSR: ((27.79, 0.8924), (26.66, 0.9124), (31.05, 0.9706), (27.75, 0.8990)),
    },
    "swinir-light": {
        Strategy.CROP: ((27.63, 0.8901), (26.09, 0.9045), (30.26, 0.9673), (27.56, 0.8962)),
        Strategy.FULL: ((27.76, 0.8917), (26.37, 0.9082), (30.79, 0.9693), (27.71, 0.8982)),
        Strategy.CLSR: ((27.76, 0.8918), (26.38, 0.9084), (30.80, 0.9692), (27.71, 0.8982)),
    },
    "swinir": {
        Strategy.CROP: ((27.75, 0.8923), (26.53, 0.9118), (30.76, 0.9706), (27.68, 0.8987)),
        Strategy.FULL: ((27.90, 0.8942), (26.90, 0.9165), (31.36, 0.9728), (27.86, 0.9011)),
        Strategy.CLSR: ((27.90, 0.8942), (26.91, 0.9165), (31.36, 0.9728), (27.85, 0.9010)),
    },
}


class CountedCost(NamedTuple):
    """One count beside the paper's number."""

    network: str  # a preset
    strategy: Strategy
    height: int  # of the LR picture, or of the ROI for `crop`
    width: int
    gflops: float  # of a picture's first ROI: the halo, the PIM, the GCM and all its patches
    paper: float


class HaloCost(NamedTuple):
    """What a network costs with one halo at every step, in GFLOPs."""

    network: str
    halo: int
    plain: float  # an ROI by `halo`
    clsr: float  # a picture's first ROI by `clsr`


def count_table_1() -> Iterator[CountedCost]:
    """Count what Table 1 counts, at x4 with ROIs of 24 x 24; slow networks take seconds."""
    for preset, paper in PAPER_COSTS.items():
        config = PRESETS[preset]
        counted = count_roi(without_weights(config), Strategy.CROP, PAPER_ROI, PAPER_SIZES["BSD100"])
        yield CountedCost(preset, Strategy.CROP, PAPER_ROI, PAPER_ROI, counted.roi / 1e9, paper.crop)
        for strategy, numbers in ((Strategy.CLSR, paper.clsr), (Strategy.FULL, paper.full)):
            network = without_weights(config.with_context() if strategy is Strategy.CLSR else config)
            for size, number in zip(PAPER_SIZES.values(), numbers, strict=True):
                counted = count_roi(network, strategy, PAPER_ROI, size)
                yield CountedCost(preset, strategy, size.height, size.width, sum(counted) / 1e9, number)


def count_halos() -> Iterator[HaloCost]:
    """Count each network of Table 1 over the halo, the same at each step: 0 is the ROI alone."""
    for preset in PAPER_COSTS:
        for halo in PAPER_HALOS:
            config = PRESETS[preset].with_halo(halo)
            plain = count_roi(without_weights(config), Strategy.HALO, PAPER_ROI, PAPER_SIZES["BSD100"])
            clsr = count_roi(without_weights(config.with_context()), Strategy.CLSR, PAPER_ROI, PAPER_SIZES["BSD100"])
            yield HaloCost(preset, halo, sum(plain) / 1e9, sum(clsr) / 1e9)
