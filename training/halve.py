"""Reduce the pictures of a folder by two, as lossless PNG: 4K JPEGs are sharp at half their size.

python training/halve.py ../shared/data/train/budgie runs/data/budgie-half
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from localsr.data.pictures import list_pictures, read_rgb
from localsr.resize import reduce


def main(source: Path, target: Path) -> None:
    """Write each picture of `source` at half its size to `target`, under its own name."""
    target.mkdir(parents=True, exist_ok=True)
    for path in list_pictures(source):
        rgb = read_rgb(path)
        h, w = rgb.shape[1] // 2 * 2, rgb.shape[2] // 2 * 2
        half = reduce(rgb[:, :h, :w], 2)
        Image.fromarray(np.ascontiguousarray(half.transpose(1, 2, 0))).save(target / f"{path.stem}.png")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
