"""Twelve regions of real JPEG photos: bicubic, the network of the papers' degradation, and the one for photos.

The photos come with matplotlib, scikit-learn and scikit-image (`pip install scikit-learn scikit-image`).
`python benchmarks/contact_sheet.py OUT.png [BICUBIC PHOTO]` takes other networks than the package's by name or path.
"""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import localsr
from localsr.geometry import Size
from localsr.inference.restoration import bicubic
from localsr.models.embedded import BENCHMARK_NETWORKS, DEFAULT_NETWORKS

REGIONS = {  # package, photo: left upper corners
    ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"): [(238, 30), (200, 165), (70, 468), (345, 490)],
    ("sklearn", "datasets/images/china.jpg"): [(180, 20), (120, 130), (230, 255), (560, 150)],
    ("sklearn", "datasets/images/flower.jpg"): [(285, 195), (165, 180)],
    ("skimage", "data/rocket.jpg"): [(295, 120), (8, 150)],
}
WIDTH, HEIGHT, GAP, LINE, ACROSS = 64, 48, 6, 22, 2
TITLES = ("bicubic", "for bicubic LR", "for photos")


def main() -> None:
    """Restore, lay out, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("models", nargs="*", default=[BENCHMARK_NETWORKS[4], DEFAULT_NETWORKS[4]])
    asked = parser.parse_args()
    restorers = [localsr.load(name) for name in asked.models]
    triples = panels_of(REGIONS, Size(WIDTH, HEIGHT), restorers)
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    laid(triples).save(asked.out)
    print(asked.out)


def panels_of(
    regions: Mapping[tuple[str, str], Sequence[tuple[int, int]]], size: Size, restorers: Sequence[localsr.Restorer]
) -> list[list[np.ndarray]]:
    """Return for each region, x4, what bicubic and each restorer make of it: `(h, w, 3)` in 8 bits."""
    rows = []
    for (package, name), corners in regions.items():
        photo = localsr.read(found(package) / name)
        scenes = [restorer.encode(photo) for restorer in restorers]
        for x, y in corners:
            box = localsr.Box.from_xywh(x, y, size.width, size.height)
            panels = [bicubic(photo, box, 4), *(scene.restore(box).pixels for scene in scenes)]
            rows.append([np.rint(panel * 255).astype(np.uint8).transpose(1, 2, 0) for panel in panels])
    return rows


def found(package: str) -> Path:
    """Give the folder of a package, without importing it."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise SystemExit(f"{package} is not installed; its photos are needed")
    return Path(spec.origin).parent


def laid(triples: list[list[np.ndarray]]) -> Image.Image:
    """Lay the triples out, two across, under titles."""
    w, h = 4 * WIDTH, 4 * HEIGHT
    wide = ACROSS * (3 * (w + GAP) + 2 * GAP) + GAP
    sheet = Image.new("RGB", (wide, LINE + len(triples) // ACROSS * (h + GAP)), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(15)
    for n, panels in enumerate(triples):
        for k, panel in enumerate(panels):
            x = GAP + n % ACROSS * (3 * (w + GAP) + 2 * GAP) + k * (w + GAP)
            sheet.paste(Image.fromarray(panel), (x, LINE + n // ACROSS * (h + GAP)))
            if n < ACROSS:
                draw.text((x + w / 2, LINE / 2), TITLES[k], fill="#333333", font=font, anchor="mm")
    return sheet


if __name__ == "__main__":
    main()
