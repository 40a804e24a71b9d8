"""The paper's protocol (Sec. 4.1): each cell of a grid over a picture is the ROI once, the LR picture its context.

Pictures are cropped to multiples of the ROI; the cells are stitched again and compared without cropping a border.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from localsr import __version__, images, metrics
from localsr.data.benchmark import Benchmark
from localsr.errors import ConfigError
from localsr.evaluation.cost import cost
from localsr.geometry import Size, tiles, whole
from localsr.inference.restorer import Restorer
from localsr.inference.strategies import Strategy

RESAMPLES = 10_000
Progress = Callable[[int, int], None]  # (done, of) in pictures


@dataclass(frozen=True)
class Scores:
    """What one strategy reached on one picture."""

    psnr_y: float  # dB
    psnr_rgb: float  # dB
    ssim_y: float
    gflops_roi: float  # of an ROI once the scene is there
    gflops_first_roi: float  # of the first one, the scene counted in


@dataclass(frozen=True)
class Result:
    """The numbers of a run, by strategy and picture."""

    protocol: dict[str, Any]
    checkpoint: dict[str, Any]
    pictures: list[str]
    scores: dict[Strategy, list[Scores]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Give protocol, checkpoint and the mean over pictures for each strategy, as plain values.

        `differences` holds, for each strategy against the first, the mean difference of PSNR Y on the same pictures and
        its interval of 95 %.
        """
        keys = Scores.__dataclass_fields__
        means = {
            str(way): {key: round(fmean(getattr(s, key) for s in scores), 4) for key in keys}
            for way, scores in self.scores.items()
        }
        psnr = {str(way): [s.psnr_y for s in scores] for way, scores in self.scores.items()}
        first = next(iter(psnr))
        differences = {
            f"{way} - {first}": [round(number, 4) for number in difference(psnr[way], psnr[first])]
            for way in psnr
            if way != first
        }
        return {
            "protocol": self.protocol,
            "checkpoint": self.checkpoint,
            "strategies": means,
            "differences": differences,
            "psnr_y": {way: [round(value, 4) for value in values] for way, values in psnr.items()},
            "pictures": self.pictures,
        }


def difference(one: Sequence[float], other: Sequence[float]) -> tuple[float, float, float]:
    """Give the mean of `one` - `other`, picture by picture, and its bootstrap interval of 95 %: mean, low, high."""
    apart = np.subtract(one, other)
    draws = np.random.default_rng(0).integers(0, len(apart), (RESAMPLES, len(apart)))
    low, high = np.quantile(apart[draws].mean(1), (0.025, 0.975))
    return float(apart.mean()), float(low), float(high)


def evaluate(
    folder: Path,
    restorer: Restorer,
    *,
    roi: int = 24,
    strategies: Sequence[Strategy] = tuple(Strategy),
    limit: int | None = None,
    degradation: str = "bicubic",
    progress: Progress | None = None,
) -> Result:
    """Run the protocol on a data set: `folder/HR` and, if present, `folder/LR_xS`; `resize.reduce` makes LR if not.

    With the degradation "photo" LR is made by seeded blur, noise and JPEG, whose parameters the result holds.
    """
    if roi < 1:
        raise ConfigError(f"an ROI of {roi} px is none; give a side of at least 1 LR px")
    scale = restorer.scale
    benchmark = Benchmark(folder, scale, roi, limit, degradation=degradation)
    scores: dict[Strategy, list[Scores]] = {way: [] for way in strategies}
    names = []
    for done in range(len(benchmark)):
        pair = benchmark[done]
        names.append(pair.name)
        scene = restorer.encode(images.read(pair.lr))
        size = scene.photo.size
        for way in strategies:
            # `full` of every cell is the whole picture's restoration, to 1e-5; once is enough
            cells = [whole(size)] if way is Strategy.FULL else tiles(whole(size), roi)
            parts = [torch.from_numpy(r.pixels) for r in scene.restore(cells, way)]
            restored = metrics.stack(parts, 1 if way is Strategy.FULL else size.width // roi)
            scores[way].append(_score(restored, pair.hr, restorer, way, roi, size))
        if progress is not None:
            progress(done + 1, len(benchmark))
    protocol = {
        "data": benchmark.name,
        "pictures": len(benchmark),
        "scale": scale,
        "degradation": degradation,
        "roi": roi,
        "crop": f"multiples of {roi} LR px",
        "border": 0,
        "levels": "rounded to 8 bit",
        "precision": restorer.precision,
        "localsr": __version__,
        "torch": torch.__version__,
    }
    if degradation == "photo":
        protocol["degradations"] = [benchmark.drawn(k).to_dict() for k in range(len(benchmark))]
    card = restorer.card
    return Result(protocol, {"name": card.name, "sha256": card.sha256, "plain": card.plain}, names, scores)


def _score(restored: Tensor, hr: NDArray[np.uint8], restorer: Restorer, way: Strategy, roi: int, size: Size) -> Scores:
    """Compare a stitched picture with the original."""
    mine, theirs = metrics.levels(restored), torch.from_numpy(hr).float()
    counted = cost(restorer.card.config, way, roi, size)
    return Scores(
        psnr_y=metrics.psnr_y(mine, theirs),
        psnr_rgb=metrics.psnr(mine, theirs),
        ssim_y=metrics.ssim(metrics.luma(mine), metrics.luma(theirs)),
        gflops_roi=counted.roi / 1e9,
        gflops_first_roi=(counted.roi + counted.scene) / 1e9,
    )
