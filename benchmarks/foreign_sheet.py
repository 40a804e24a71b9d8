"""Twelve regions of photos and drawings: bicubic, the default network, and networks that people brought.

`python benchmarks/foreign_sheet.py OUT.png NETWORK...` takes their names or paths; the pictures come with matplotlib,
scikit-learn and scikit-image. The sheet has 256 colours, to be small.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from contact_sheet import panels_of
from PIL import Image, ImageDraw, ImageFont

import localsr
from localsr.geometry import Size
from localsr.models.embedded import DEFAULT_NETWORKS

REGIONS = {  # package, picture: left upper corners
    ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"): [(205, 180), (112, 488)],  # an eye, a name plate
    ("skimage", "data/astronaut.png"): [(190, 85), (152, 360)],  # eyes, a badge
    ("skimage", "data/page.png"): [(40, 20), (200, 90)],  # print
    ("sklearn", "datasets/images/china.jpg"): [(120, 130), (195, 255), (400, 330)],  # facades, leaves
    ("sklearn", "datasets/images/flower.jpg"): [(165, 185)],  # petals
    ("matplotlib", "mpl-data/sample_data/Minduka_Present_Blue_Pack.png"): [(60, 10)],  # a drawing
    ("skimage", "data/logo.png"): [(112, 205)],  # scales drawn in ink
}
WIDTH, HEIGHT, GAP, LINE = 40, 30, 4, 20


def main() -> None:
    """Restore, lay out, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("networks", nargs="+")
    parser.add_argument("--precision", default="fp32")
    asked = parser.parse_args()
    restorers = [localsr.load(name, precision=asked.precision) for name in (DEFAULT_NETWORKS[4], *asked.networks)]
    rows = panels_of(REGIONS, Size(WIDTH, HEIGHT), restorers)
    laid(rows, ["bicubic", *(restorer.card.name for restorer in restorers)]).save(asked.out, optimize=True)
    print(asked.out)


def laid(rows: list[list[np.ndarray]], titles: list[str]) -> Image.Image:
    """Return a sheet with a row for each region and a column for each title."""
    w, h = 4 * WIDTH, 4 * HEIGHT
    sheet = Image.new("RGB", (len(titles) * (w + GAP) + GAP, LINE + len(rows) * (h + GAP)), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for k, title in enumerate(titles):
        x = GAP + k * (w + GAP)
        draw.text((x + w / 2, LINE / 2), title, fill="#333333", font=font, anchor="mm")
        for n, panels in enumerate(rows):
            sheet.paste(Image.fromarray(panels[k]), (x, LINE + n * (h + GAP)))
    return sheet.quantize(256, dither=Image.Dither.FLOYDSTEINBERG)


if __name__ == "__main__":
    main()
