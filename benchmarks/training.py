"""Steps per second of training: by context, precision, memory format and compiler, and how long a step waits for data.

All rows are measured in one run, in turns, and printed as ratios to the first: these are medians on a machine that may
be shared. `python benchmarks/training.py [FOLDER]`; a folder of pictures adds the loader's row. `--compile` adds the
compiled step, whose first calls take minutes.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch.utils.data import DataLoader

from localsr.data.crops import Crops
from localsr.data.pairs import Pairs
from localsr.models.presets import PRESETS
from localsr.training.batches import Batch, Batches
from localsr.training.config import Recipe
from localsr.training.module import Training
from localsr.training.origin import start

PAPER = Recipe(
    name="paper",
    folders=("-",),
    model=PRESETS["edsr-light"].with_context(),
    context=54,
    roi=(48, 48),
    centred=True,
    batch=8,
)
TURNS, STEPS = 5, 3


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, help="pictures for the loader's row")
    parser.add_argument("--compile", action="store_true", help="also the compiled step")
    asked = parser.parse_args()
    wide = replace(PAPER, context=128, centred=False)
    rows: dict[str, Callable[[], None]] = {
        "context 54, ROI 48, fp32": step(PAPER),
        "context 128, ROI 48, fp32": step(wide),
        "context 128, ROI 48, bf16": step(replace(wide, precision="bf16-mixed")),
        "context 128, ROI 48, fp32, contiguous": step(wide, torch.contiguous_format),
        "plain, ROI 48, fp32": step(replace(PAPER, model=PRESETS["edsr-light"], context=48)),
        "plain, ROI 48, bf16": step(replace(PAPER, model=PRESETS["edsr-light"], context=48, precision="bf16-mixed")),
        "CARN-M, ROI 48, fp32": step(replace(PAPER, model=PRESETS["carn-m"], context=48)),
    }
    if asked.compile:
        rows["context 128, ROI 48, fp32, compiled"] = step(replace(wide, compile=True))
    spent: dict[str, list[float]] = {name: [] for name in rows}
    for turn in range(TURNS + 1):
        for name, one in rows.items():
            began = time.perf_counter()
            for _ in range(STEPS):
                one()
            if turn:  # the first is warm-up
                spent[name].append((time.perf_counter() - began) / STEPS)
    first = statistics.median(next(iter(spent.values())))
    print(f"batch of {PAPER.batch}, {torch.get_num_threads()} threads\n{'step':40} {'a second':>9} {'time':>6}")
    for name, seconds in spent.items():
        median = statistics.median(seconds)
        print(f"{name:40} {1 / median:9.2f} {median / first:6.2f}")
    if asked.folder:
        print(f"waiting for data, two workers: {waiting(asked.folder):.1%} of the time of plain, ROI 48, bf16")


def step(recipe: Recipe, form: torch.memory_format = torch.channels_last) -> Callable[[], None]:
    """Make a training step on pictures of noise."""
    module, side, scale = Training(recipe, start(recipe)), recipe.context, recipe.model.scale
    module.network.to(memory_format=form)  # type: ignore[call-overload]
    optimizer = torch.optim.Adam(module.network.parameters(), lr=recipe.lr)
    lr = torch.randint(0, 256, (recipe.batch, 3, side, side), dtype=torch.uint8)
    hr = torch.randint(0, 256, (recipe.batch, 3, side * scale, side * scale), dtype=torch.uint8)
    corner = (side - recipe.roi[0]) // 2
    sides = torch.tensor([corner, corner, corner + recipe.roi[0], corner + recipe.roi[0]])
    batch = Batch(lr, hr, torch.zeros(len(lr), 3), sides)

    def once() -> None:
        run(module, optimizer, batch)

    return once


def run(module: Training, optimizer: torch.optim.Optimizer, batch: Batch) -> None:
    """Do one step."""
    optimizer.zero_grad()
    with torch.autocast("cpu", torch.bfloat16, enabled=module.recipe.precision == "bf16-mixed"):
        roi, context = module.losses(batch)
    (roi if context is None else roi + 0.5 * context).backward()
    optimizer.step()


def waiting(folder: Path, steps: int = 60) -> float:
    """Give the share of the time that plain training waits for batches of two workers."""
    recipe = replace(PAPER, model=PRESETS["edsr-light"], context=48, precision="bf16-mixed", batch=16)
    module = Training(recipe, start(recipe))
    optimizer = torch.optim.Adam(module.network.parameters(), lr=recipe.lr)
    with tempfile.TemporaryDirectory(prefix="localsr-") as cache:
        crops = Crops([Pairs([folder], recipe.model.scale, Path(cache))], recipe.context, recipe.batch * steps, 0)
        loader = iter(DataLoader(Batches(crops, recipe.batch, recipe.roi, steps), batch_size=None, num_workers=2))
        run(module, optimizer, next(loader))
        waited, began = 0.0, time.perf_counter()
        for _ in range(steps - 1):
            asked = time.perf_counter()
            batch = next(loader)
            waited += time.perf_counter() - asked
            run(module, optimizer, batch)
        return waited / (time.perf_counter() - began)


if __name__ == "__main__":
    main()
