"""Whether a network leaves good photos what they have: `python benchmarks/photos.py FOLDER... [--networks NAME...]`.

The middle 80 x 80 px of each photo at its full size is LR. It is enlarged, reduced again by bicubic, and compared with
itself on Y: the gradient energy that is left (1 is all of it, less is detail taken for noise), and the PSNR, which is
the consistency. Photos that are measured as noisy are listed apart: there a network is meant to take something away.
`--denoise 0 100` repeats all for networks that can be told how much.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

import localsr
from localsr import metrics
from localsr.data.pictures import list_pictures
from localsr.inference.conditioning import measure_photo
from localsr.inference.restoration import bicubic
from localsr.resize import reduce

SIDE = 80  # px
NOISY = 4.0  # levels: more is no good photo
BARS = "bars: 0.95 to 1.10 on average, none under 0.85; consistency 48 dB on average"


class Kept(NamedTuple):
    """What is left of a photo."""

    energy: float  # share of the gradient energy
    consistency: float  # dB


def main() -> None:
    """Enlarge, reduce, print tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", help="of photos at their full size")
    parser.add_argument("--networks", nargs="+", default=["clsr-photo-x4", "clsr-light-x4"], help="by name or path")
    parser.add_argument("--denoise", type=float, nargs="+", help="0 to 100, of networks that can be told")
    asked = parser.parse_args()
    restorers = {name: localsr.load(name) for name in asked.networks}
    photos = [localsr.read(path) for folder in asked.folders for path in list_pictures(folder)]
    noise = {photo.name: measure_photo(photo).noise for photo in photos}
    rows: dict[str, dict[str, Kept]] = {"bicubic": {}}
    for photo in photos:
        box = localsr.Box.from_xywh((photo.size.width - SIDE) // 2, (photo.size.height - SIDE) // 2, SIDE, SIDE)
        lr = photo.window(box)
        rows["bicubic"][photo.name] = kept(lr, bicubic(photo, box, 4), 4)
        for name, restorer in restorers.items():
            for denoise in [None, *(asked.denoise or [])] if restorer.conditioned else [None]:
                pixels = restorer.encode(photo, denoise=denoise).restore(box).pixels
                title = name if denoise is None else f"{name}, denoise {denoise:g}"
                rows.setdefault(title, {})[photo.name] = kept(lr, pixels, restorer.network_scale)
    for title, names in (
        ("good photos", [name for name, level in noise.items() if level <= NOISY]),
        (f"more than {NOISY:g} levels of noise", [name for name, level in noise.items() if level > NOISY]),
    ):
        if names:
            print_table(f"{len(names)} {title}", rows, names)
    print(BARS)


def print_table(title: str, rows: dict[str, dict[str, Kept]], names: list[str]) -> None:
    """Print a row for each network, and which photo kept least by it."""
    print(f"{title:36} {'energy kept':>12} {'least':>6} {'under 0.85':>11} {'consistency':>12}")
    for name, of_photos in rows.items():
        found = {photo: of_photos[photo] for photo in names}
        least = min(found, key=lambda photo: found[photo].energy)
        energies = [one.energy for one in found.values()]
        numbers = f"{fmean(energies):12.2f} {found[least].energy:6.2f} {sum(e < 0.85 for e in energies):11}"
        print(f"{name:36} {numbers} {fmean(one.consistency for one in found.values()):9.1f} dB  ({least})")


def kept(lr: NDArray[np.float32], pixels: NDArray[np.float32], scale: int) -> Kept:
    """Compare LR `(3, h, w)` with its enlargement `(3, s h, s w)`, reduced again."""
    again = torch.from_numpy(reduce(metrics.levels(torch.from_numpy(pixels)).byte().numpy(), scale)).float()
    before = metrics.levels(torch.from_numpy(lr))
    energies = []
    for picture in (again, before):
        y = metrics.luma(picture)[0]
        energies.append(float((y.diff(dim=0) ** 2).mean() + (y.diff(dim=1) ** 2).mean()))
    return Kept(energies[0] / max(energies[1], 1e-9), metrics.psnr_y(again, before))


if __name__ == "__main__":
    main()
