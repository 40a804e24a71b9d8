"""Train the estimator of a picture's noise and blur: src/localsr/estimation.safetensors.

python training/estimation.py ../shared/data/train/{cid22,clic2025,bsds500} runs/data/budgie-half

Pictures are reduced by 2, 3 or 4 and degraded, half of them as "photo", half as "broad"; a small network learns what
noise and blur were from the statistics that `estimation.statistics` takes. A twelfth of the pictures is kept aside.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file
from torch import Tensor, nn
from torch.nn import functional

from localsr.conditions import Conditions
from localsr.data.degradation import Degradation, true_conditions
from localsr.data.pictures import list_pictures, read_rgb
from localsr.data.second_order import draw_broad
from localsr.estimation import ESTIMATOR, MIN_BLOCKS, NOISE_OFFSET, coefficients_of, jpeg_quality, statistics
from localsr.resize import reduce

MAX_SIDE = 320  # px of a degraded picture
WIDTH = 96  # of the two hidden layers
EPOCHS, BATCH, RATE = 60, 128, 3e-3
ASIDE = 12  # every so many pictures is kept aside


def degraded(hr: NDArray[np.uint8], random: np.random.Generator) -> tuple[NDArray[np.float32], list[float]] | None:
    """Return statistics of a picture degraded by chance, and its true noise and blur; None if it is black or white."""
    scale = int(random.choice([2, 3, 4], p=[0.3, 0.2, 0.5]))
    height, width = (min(side // scale, MAX_SIDE) * scale for side in hr.shape[1:])
    top, left = (
        int(random.integers(whole - side + 1)) for whole, side in zip(hr.shape[1:], (height, width), strict=True)
    )
    cut = np.ascontiguousarray(hr[:, top : top + height, left : left + width])
    ideal = lr = reduce(cut, scale)
    true = Conditions()
    draw = (Degradation.draw if random.random() < 0.5 else draw_broad)(0, int(random.integers(2**31)))
    if draw is not None:
        lr = draw.apply(cut, scale)
        true = true_conditions(lr, draw.apply(cut, scale, noisy=False), ideal, draw.quality)
    found = coefficients_of([lr])
    return (
        None
        if len(found) < MIN_BLOCKS
        else (statistics(found, jpeg_quality(found)), [math.log(true.noise + NOISE_OFFSET), true.blur])
    )


def examples(folders: list[Path], count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return statistics, what they should tell, and which of them are kept aside, `count` for each picture."""
    random = np.random.default_rng(0)
    paths = [path for folder in folders for path in list_pictures(folder)]
    inputs, targets, aside = [], [], []
    for k, path in enumerate(paths):
        hr = read_rgb(path)
        for _ in range(count):
            if (found := degraded(hr, random)) is not None:
                inputs.append(found[0])
                targets.append(found[1])
                aside.append(k % ASIDE == 0)
        print(f"\r{k + 1} of {len(paths)} pictures", end="", flush=True)
    print()
    return torch.from_numpy(np.stack(inputs)), torch.tensor(targets), torch.tensor(aside)


def fitted(inputs: Tensor, targets: Tensor) -> nn.Sequential:
    """Train on normalised statistics."""
    layers = [nn.Linear(inputs.shape[1], WIDTH), nn.ReLU(), nn.Dropout(0.05), nn.Linear(WIDTH, WIDTH), nn.ReLU()]
    network = nn.Sequential(*layers, nn.Linear(WIDTH, 2))
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=1e-3)
    steps = EPOCHS * (len(inputs) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    for _ in range(EPOCHS):
        for chosen in torch.randperm(len(inputs)).split(BATCH)[: len(inputs) // BATCH]:
            loss = functional.smooth_l1_loss(network(inputs[chosen]), targets[chosen], beta=0.1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return network.eval()


def main() -> None:
    """Make the examples, train, say how good it is on what was kept aside, and write the weights."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("folders", type=Path, nargs="+")
    asked.add_argument("--count", type=int, default=10, help="degraded versions of each picture")
    asked.add_argument("-o", "--output", type=Path, default=ESTIMATOR)
    options = asked.parse_args()
    torch.manual_seed(0)
    inputs, targets, aside = examples(options.folders, options.count)
    mean, deviation = inputs[~aside].mean(0), inputs[~aside].std(0) + 1e-3
    inputs = ((inputs - mean) / deviation).clip(-5, 5)
    network = fitted(inputs[~aside], targets[~aside])
    with torch.inference_mode():
        told = network(inputs[aside])
    noise, true = ((values[:, 0].exp() - NOISE_OFFSET).clip(0) for values in (told, targets[aside]))
    for least, most in ((0, 0.5), (0.5, 1), (1, 2), (2, 4), (4, 8), (8, 99)):
        these = (true >= least) & (true < most)
        off = (noise - true).abs()[these]
        within = (off <= 0.15 * true[these]).float().mean()
        counted = f"noise {least:>3} to {most:>2}: {these.sum():4} pictures"
        print(f"{counted}, off by {off.median():.2f} (median), {within:.0%} within 15 %")
    print(f"blur: off by {(told[:, 1] - targets[aside][:, 1]).abs().mean():.3f} px on average")
    linear = [layer for layer in network if isinstance(layer, nn.Linear)]
    tensors = {"mean": mean, "deviation": deviation}
    for k, layer in enumerate(linear, 1):
        tensors |= {f"weight{k}": layer.weight.detach(), f"bias{k}": layer.bias.detach()}
    save_file({name: tensor.half().contiguous().numpy() for name, tensor in tensors.items()}, options.output)


if __name__ == "__main__":
    main()
