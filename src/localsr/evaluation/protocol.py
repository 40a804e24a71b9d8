"""The paper's protocol (Sec. 4.1): each cell of a grid over a picture is the ROI once, the LR picture its context.

Pictures are cropped to multiples of the ROI; the ROIs are stitched again and compared without cropping a border.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from msgspec import UNSET
from torch import Tensor

from localsr import __version__, metrics
from localsr.conditions import Conditions
from localsr.errors import ConfigError
from localsr.evaluation.benchmark import Benchmark, Pair
from localsr.evaluation.examples import write_examples
from localsr.evaluation.methods import Method
from localsr.evaluation.records import CheckpointNote, EvaluationSettings, PictureRow, Protocol, RoiRow
from localsr.evaluation.results import Result
from localsr.evaluation.run_folder import RunFolder
from localsr.evaluation.runner import NOT_DEGRADED, MethodRunner
from localsr.evaluation.timing import describe_machine
from localsr.geometry import Box, Size, tiles
from localsr.inference.cost import count_roi
from localsr.inference.protocols import RunnableNetwork
from localsr.inference.restorer import Restorer
from localsr.inference.strategies import Strategy
from localsr.progress import Progress

WHOLE = Method(Strategy.FULL)


def evaluate(
    benchmark: Benchmark,
    restorer: Restorer,
    folder: Path,
    *,
    roi: int = 24,
    methods: Sequence[Method] = (),
    sample: int | None = None,
    to_full: bool = False,
    progress: Progress | None = None,
) -> Result:
    """Run the protocol; what is done is kept in `folder`, and a run that was broken off goes on there.

    Args:
        benchmark: The pictures, cropped to multiples of `roi`.
        restorer: The network, and its plain twin.
        folder: Where the result is written.
        roi: Side of an ROI in LR px.
        methods: What is compared; the network's strategies and bicubic unless given.
        sample: At most so many ROIs of a picture are restored, drawn by its number; all unless given.
        to_full: Compare with the network's own `full` instead of HR: how much of it a halo or context brings back.
        progress: Hears how many pictures are done.

    Raises:
        ConfigError: The pictures are not cropped to multiples of `roi`, the sample is none, or `full` would be compared
            with itself.
        DataError: `folder` holds another run, or a picture does not fit its LR.
    """
    if roi < 1 or benchmark.multiple % roi:
        raise ConfigError(f"pictures cropped to multiples of {benchmark.multiple} LR px are no grid of ROIs of {roi}")
    if sample is not None and sample < 1:
        raise ConfigError(f"a sample of {sample} ROIs is none; give 1 or more")
    runner = MethodRunner(restorer, tuple(methods) or default_methods(restorer, to_full=to_full))
    if to_full and WHOLE in runner.methods:
        raise ConfigError("full is what all else is compared with; leave it out")
    with RunFolder(folder, _settings(benchmark, restorer, roi, runner.methods, sample, to_full=to_full)) as run:
        if not run.finished:
            told_truth = any(method.told == "truth" for method in runner.methods)
            for k in range(len(benchmark)):
                if not run.has(k):
                    pair = benchmark[k]
                    rois = _choose_rois(pair, roi, sample, k)
                    truth = benchmark.conditions(k) if told_truth else NOT_DEGRADED
                    run.add(k, *_measure(pair, runner, rois, roi, truth, to_full=to_full))
                if progress is not None:
                    progress(k + 1, len(benchmark))
            gcm = restorer.card.config.gcm
            run.finish(write_examples(folder, run.rois(), runner, benchmark, roi, attention=gcm))
    return Result.read(folder)


def default_methods(restorer: Restorer, *, to_full: bool = False) -> tuple[Method, ...]:
    """Return all that can be compared without a halo or a context of one's own."""
    left_out = {Strategy.CLSR} if restorer.card.config.plain else set()
    left_out |= {Strategy.FULL} if to_full else set()
    return (Method(None), *(Method(s) for s in Strategy if s not in left_out))


def _choose_rois(pair: Pair, roi: int, sample: int | None, k: int) -> list[Box]:
    """Return the ROIs of picture k: all of its grid, or a sample of them that is a function of k."""
    height, width, _ = pair.lr.shape
    cells = tiles(Box(0, 0, width, height), roi)
    if sample is None or sample >= len(cells):
        return cells
    chosen = np.random.Generator(np.random.Philox(key=k)).choice(len(cells), sample, replace=False)
    return [cells[n] for n in sorted(chosen)]


def _measure(
    pair: Pair, runner: MethodRunner, rois: Sequence[Box], roi: int, truth: Conditions, *, to_full: bool
) -> tuple[list[RoiRow], list[PictureRow]]:
    """Restore a picture's ROIs by every method: a row for each method and ROI, and one for each method."""
    height, width, _ = pair.lr.shape
    if to_full:
        originals = metrics.levels(runner.restore(WHOLE, pair.lr, rois))
    else:
        hr, large = torch.from_numpy(pair.hr).float(), [box.scaled(runner.scale) for box in rois]
        originals = torch.stack([hr[:, box.rows, box.columns] for box in large])
    complete = sum(box.area for box in rois) == width * height
    by_roi: list[RoiRow] = []
    by_picture: list[PictureRow] = []
    for method in runner.methods:
        began = time.perf_counter()
        restored = metrics.levels(runner.restore(method, pair.lr, rois, truth))
        seconds = time.perf_counter() - began
        scores = compare_pictures(restored, originals)
        each = zip(rois, scores["psnr_y"], scores["psnr_rgb"], scores["ssim_y"], strict=True)
        by_roi += (RoiRow(pair.name, str(method), box.left, box.top, *numbers) for box, *numbers in each)
        stitched_scores = {"psnr_y": math.nan, "psnr_rgb": math.nan, "ssim_y": math.nan}
        if complete:
            stitched = [metrics.stitch(part, width // roi)[None] for part in (restored, originals)]
            stitched_scores = {key: values[0] for key, values in compare_pictures(*stitched).items()}
        means = {f"roi_{key}": float(np.mean(values)) for key, values in scores.items()}
        gflops = count_gflops(runner.network(method), method, roi, Size(width, height))
        numbers = stitched_scores | means | gflops
        by_picture.append(PictureRow(pair.name, str(method), rois=len(rois), seconds=seconds, **numbers))
    return by_roi, by_picture


def compare_pictures(restored: Tensor, originals: Tensor) -> dict[str, list[float]]:
    """Compare pictures `(n, 3, h, w)` in levels one by one."""
    y = metrics.luma(restored), metrics.luma(originals)
    found = {"psnr_y": metrics.psnr(*y), "psnr_rgb": metrics.psnr(restored, originals), "ssim_y": metrics.ssim(*y)}
    return {key: values.tolist() for key, values in found.items()}


def _settings(
    benchmark: Benchmark,
    restorer: Restorer,
    roi: int,
    methods: Sequence[Method],
    sample: int | None,
    *,
    to_full: bool,
) -> EvaluationSettings:
    """Say everything that the numbers depend on."""
    card, runtime, photo = restorer.card, restorer.network.runtime, benchmark.degradation == "photo"
    protocol = Protocol(
        data=benchmark.name,
        pictures=len(benchmark),
        scale=restorer.network_scale,
        degradation=benchmark.degradation,
        lr="published" if benchmark.published else "made by localsr",
        roi=roi,
        rois="all" if sample is None else f"at most {sample} of a picture, drawn by its number",
        crop=f"multiples of {benchmark.multiple} LR px",
        border=0,
        levels="rounded to 8 bit",
        precision=restorer.precision,
        localsr=__version__,
        torch=str(torch.__version__),
        runtime=UNSET if runtime == "torch" else runtime,
        degradations=[benchmark.draw_degradation(k).to_dict() for k in range(len(benchmark))] if photo else UNSET,
        against=str(WHOLE) if to_full else UNSET,
    )
    return EvaluationSettings(
        protocol=protocol,
        checkpoint=CheckpointNote(card.name, card.sha256, card.plain),
        files=benchmark.digest,
        model=card.config.to_dict(),
        recipe=card.recipe,
        methods=[str(method) for method in methods],
        machine=describe_machine(),
    )


def count_gflops(network: RunnableNetwork, method: Method, roi: int, size: Size) -> dict[str, float]:
    """Count the GFLOPs of an ROI of a picture of `size`: with the scene at hand, and of the first one."""
    if method.strategy is None:
        return {"gflops_roi": 0.0, "gflops_first_roi": 0.0}
    found = count_roi(network, method.strategy, roi, method.visible(Box(0, 0, roi, roi), size).size)
    return {"gflops_roi": found.roi / 1e9, "gflops_first_roi": (found.roi + found.scene) / 1e9}
