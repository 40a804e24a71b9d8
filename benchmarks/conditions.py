"""How well a picture's noise, blur and JPEG quality are told: `python benchmarks/conditions.py FOLDERS...`.

Every twelfth picture of the folders, which `training/estimation.py` keeps aside when it is given the same, is degraded
three or four times over, half of them as "photo", half as "broad"; 200 in all. Noise is what noise has left in the
picture after compression. Weak noise is told by no estimator to 15 % where JPEG has rounded it away, and no network
could use it: it is trained with conditions that are wrong by `CONDITION_ERRORS`, so the last column counts those within
that, too.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import numpy as np

from localsr.conditions import CLEAN, NOISE_SCALE, Conditions
from localsr.data.crops import CONDITION_ERRORS
from localsr.data.degradation import Degradation, true_conditions
from localsr.data.pictures import list_pictures, read_rgb
from localsr.data.second_order import draw_broad
from localsr.estimation import measure
from localsr.resize import reduce

COUNT, EVERY, MAX_SIDE, SEED = 200, 12, 320, 5
BOUNDS = (0, 0.5, 1, 2, 4, 8, 99)  # levels of noise
WITHIN = 0.15


def main() -> None:
    """Degrade, measure, print tables."""
    paths = [path for folder in sys.argv[1:] for path in list_pictures(Path(folder))][::EVERY]
    rows = [measured(paths[k % len(paths)], k) for k in range(COUNT)]
    true, found = (np.array([row[n] for row in rows]) for n in (0, 1))
    off = np.abs(found - true)
    near = off[:, 0] <= WITHIN * true[:, 0]
    jitter = np.abs(np.log1p(found[:, 0]) - np.log1p(true[:, 0])) / NOISE_SCALE <= CONDITION_ERRORS[0]
    print(f"{'noise, levels':>16} {'pictures':>9} {'median error':>13} {'within 15 %':>12} {'or as in training':>18}")
    for least, most in [*itertools.pairwise(BOUNDS), (0, 99)]:
        these = (true[:, 0] >= least) & (true[:, 0] < most)
        if these.any():
            shares = f"{near[these].mean():12.0%} {(near | jitter)[these].mean():18.0%}"
            print(f"{least:>9g} to {most:<4g} {these.sum():8} {np.median(off[these, 0]):13.2f} {shares}")
    print(f"blur: off by {off[:, 1].mean():.2f} px on average; quality within 5 on {(off[:, 2] <= 5).mean():.0%}")


def measured(path: Path, k: int) -> tuple[Conditions, Conditions]:
    """Return the true conditions of picture `path` in its k-th degradation, and what is measured."""
    random = np.random.default_rng([SEED, k])
    scale = int(random.choice([2, 3, 4], p=[0.3, 0.2, 0.5]))
    hr = read_rgb(path)
    height, width = (min(side // scale, MAX_SIDE) * scale for side in hr.shape[1:])
    cut = np.ascontiguousarray(hr[:, :height, :width])
    draw = (Degradation.draw if k % 2 else draw_broad)(SEED, k)
    ideal = reduce(cut, scale)
    if draw is None:
        return Conditions(), measure([ideal], CLEAN)
    lr = draw.apply(cut, scale)
    return true_conditions(lr, draw.apply(cut, scale, noisy=False), ideal, draw.quality), measure([lr])


if __name__ == "__main__":
    main()
