"""The paper's protocol (Sec. 4.1): each cell of a grid over a picture is the ROI once, the LR picture its context.

Pictures are cropped to multiples of the ROI; the cells are stitched again and compared without cropping a border.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from localsr import __version__, metrics
from localsr.errors import ConfigError
from localsr.evaluation.benchmark import Benchmark, Pair
from localsr.evaluation.feeds import Feeds
from localsr.evaluation.methods import Way
from localsr.evaluation.report.examples import write_examples
from localsr.evaluation.results import Result, Run
from localsr.evaluation.timing import machine
from localsr.geometry import Box, Size, tiles
from localsr.inference.cost import cost
from localsr.inference.restorer import Restorer
from localsr.inference.strategies import Strategy
from localsr.models.config import ModelConfig
from localsr.progress import Progress


def evaluate(
    benchmark: Benchmark,
    restorer: Restorer,
    folder: Path,
    *,
    roi: int = 24,
    ways: Sequence[Way] = (),
    sample: int | None = None,
    progress: Progress | None = None,
) -> Result:
    """Run the protocol; what is done is kept in `folder`, and a run that was broken off goes on there.

    `ways` are the network's strategies and bicubic unless given. With `sample`, at most so many ROIs of a picture are
    restored, drawn by its number. Raises `DataError` for a folder that holds another run.
    """
    if roi < 1 or benchmark.multiple % roi:
        raise ConfigError(f"pictures cropped to multiples of {benchmark.multiple} LR px are no grid of ROIs of {roi}")
    if sample is not None and sample < 1:
        raise ConfigError(f"a sample of {sample} ROIs is none")
    chosen = tuple(ways) or every(restorer)
    feeds = Feeds(restorer, chosen)
    with Run(folder, _about(benchmark, restorer, roi, chosen, sample)) as run:
        if not run.finished:
            for k in range(len(benchmark)):
                if not run.has(k):
                    pair = benchmark[k]
                    cells = _cells(pair, roi, sample, k)
                    run.add(k, *_measured(pair, feeds, cells, roi))
                if progress is not None:
                    progress(k + 1, len(benchmark))
            gcm = restorer.card.config.gcm
            run.finish(write_examples(folder, run.rois(), feeds, benchmark, roi, attention=gcm))
    return Result.read(folder)


def every(restorer: Restorer) -> tuple[Way, ...]:
    """Give all that can be compared without a halo or a context of one's own."""
    plain = restorer.card.config.plain
    return (Way(None), *(Way(s) for s in Strategy if not (plain and s is Strategy.CLSR)))


def _cells(pair: Pair, roi: int, sample: int | None, k: int) -> list[Box]:
    """Give the ROIs of picture k: all of its grid, or a sample of them that is a function of k."""
    height, width, _ = pair.lr.shape
    cells = tiles(Box(0, 0, width, height), roi)
    if sample is None or sample >= len(cells):
        return cells
    chosen = np.random.Generator(np.random.Philox(key=k)).choice(len(cells), sample, replace=False)
    return [cells[n] for n in sorted(chosen)]


def _measured(pair: Pair, feeds: Feeds, cells: Sequence[Box], roi: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Restore a picture's cells by every way: a row for each way and ROI, and one for each way."""
    height, width, _ = pair.lr.shape
    hr = torch.from_numpy(pair.hr).float()
    large = [cell.scaled(feeds.scale) for cell in cells]
    theirs = torch.stack([hr[:, box.rows, box.columns] for box in large])
    complete = sum(cell.area for cell in cells) == width * height
    by_roi, by_picture = [], []
    for way in feeds.ways:
        began = time.perf_counter()
        mine = metrics.levels(feeds.restore(way, pair.lr, cells))
        seconds = time.perf_counter() - began
        scores = _scores(mine, theirs)
        places = {"left": [c.left for c in cells], "top": [c.top for c in cells]}
        by_roi.append(pl.DataFrame({"picture": pair.name, "way": str(way), **places, **scores}))
        one = {"psnr_y": math.nan, "psnr_rgb": math.nan, "ssim_y": math.nan}
        if complete:
            stitched = [metrics.stitch(part, width // roi)[None] for part in (mine, theirs)]
            one = {key: values[0] for key, values in _scores(*stitched).items()}
        means = {f"roi_{key}": float(np.mean(values)) for key, values in scores.items()}
        spent = {"rois": len(cells), "seconds": seconds, **gflops(feeds.config(way), way, roi, Size(width, height))}
        by_picture.append({"picture": pair.name, "way": str(way), **one, **means, **spent})
    return pl.concat(by_roi), pl.DataFrame(by_picture)


def _scores(mine: Tensor, theirs: Tensor) -> dict[str, list[float]]:
    """Compare pictures `(n, 3, h, w)` in levels one by one."""
    y = metrics.luma(mine), metrics.luma(theirs)
    found = {"psnr_y": metrics.psnr(*y), "psnr_rgb": metrics.psnr(mine, theirs), "ssim_y": metrics.ssim(*y)}
    return {key: values.tolist() for key, values in found.items()}


def _about(
    benchmark: Benchmark, restorer: Restorer, roi: int, ways: Sequence[Way], sample: int | None
) -> dict[str, Any]:
    """Say everything that the numbers depend on."""
    card = restorer.card
    protocol = {
        "data": benchmark.name,
        "pictures": len(benchmark),
        "scale": restorer.scale,
        "degradation": benchmark.degradation,
        "lr": "published" if benchmark.published else "made by localsr",
        "roi": roi,
        "rois": "all" if sample is None else f"at most {sample} of a picture, drawn by its number",
        "crop": f"multiples of {benchmark.multiple} LR px",
        "border": 0,
        "levels": "rounded to 8 bit",
        "precision": restorer.precision,
        "localsr": __version__,
        "torch": torch.__version__,
    }
    if restorer.network.runtime != "torch":
        protocol["runtime"] = restorer.network.runtime
    if benchmark.degradation == "photo":
        protocol["degradations"] = [benchmark.drawn(k).to_dict() for k in range(len(benchmark))]
    return {
        "protocol": protocol,
        "checkpoint": {"name": card.name, "sha256": card.sha256, "plain": card.plain},
        "files": benchmark.digest,
        "model": card.config.to_dict(),
        "recipe": card.recipe,
        "ways": [str(way) for way in ways],
        "machine": machine(),
    }


def gflops(config: ModelConfig, way: Way, roi: int, size: Size) -> dict[str, float]:
    """Count the GFLOPs of an ROI of a picture of `size`: with the scene at hand, and of the first one."""
    if way.strategy is None:
        return {"gflops_roi": 0.0, "gflops_first_roi": 0.0}
    found = cost(config, way.strategy, roi, way.seen(Box(0, 0, roi, roi), size).size)
    return {"gflops_roi": found.roi / 1e9, "gflops_first_roi": (found.roi + found.scene) / 1e9}
