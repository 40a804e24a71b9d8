"""Draw training pictures of what photographs lack: type, documents, signs, plots, pages, comics, facades.

`python recipes/drawn/draw.py OUT --count 800 --seed 0` writes OUT/000000.png and on. Picture k is a function of the
seed and k alone, the same versions of libraries and fonts and the same photographs given. Pictures that are there
already are kept, so a stopped run goes on where it was.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from random import Random

from canvas import Photos, Pixels
from PIL import Image

KINDS = {  # module: share in percent
    "lettering": 13,
    "documents": 12,
    "signs": 12,
    "facades": 17,
    "comics": 15,
    "pages": 10,
    "plots": 6,
    "maps": 5,
    "packages": 5,
    "lineart": 5,
}


def picture(seed: int, k: int, size: int, photos: Photos, kind: str = "") -> Pixels:
    """Return picture k of the seed: of the kind given, or of one drawn by the shares."""
    rng = Random(f"{seed} {k}")
    drawn = rng.choices(list(KINDS), list(KINDS.values()))[0]
    draw: Callable[[Random, int, Photos], Pixels] = import_module(kind or drawn).draw
    return draw(rng, size, photos)


def main() -> None:
    """Draw, one file after another."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder, made if need be")
    parser.add_argument("--count", type=int, default=800)
    parser.add_argument("--first", type=int, default=0, help="number of the first picture")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", type=int, default=512, help="side in px")
    parser.add_argument("--kind", choices=KINDS, default="", help="this kind alone")
    parser.add_argument("--photos", type=Path, default=Path("../shared/data/train"), help="folder of photographs")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    photos, start, made = Photos(asked.photos), time.monotonic(), 0
    for k in range(asked.first, asked.first + asked.count):
        path = asked.out / f"{k:06d}.png"
        if path.exists():
            continue
        pixels = picture(asked.seed, k, asked.size, photos, asked.kind)
        part = path.with_suffix(f".{os.getpid()}.part")
        Image.fromarray(pixels).save(part, "PNG")
        part.replace(path)
        made += 1
        rate = (time.monotonic() - start) / made
        print(f"\r{path.name}  {k + 1 - asked.first} of {asked.count}, {rate:.2f} s a picture ", end="", flush=True)
    print(f"\n{made} new pictures in {asked.out}")


if __name__ == "__main__":
    main()
