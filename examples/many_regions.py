"""Restore a grid of regions of one picture as one batch; each is saved as soon as it is ready.

python examples/many_regions.py street.jpg parts 64
"""

import sys
from pathlib import Path

import localsr


def main(source: str, folder: str, side: int) -> None:
    """Save the regions of `side` x `side` px that tile the picture; those at the border are smaller."""
    photo = localsr.read(source)
    width, height = photo.size.width, photo.size.height
    boxes = [
        localsr.Box(left, top, min(left + side, width), min(top + side, height))
        for top in range(0, height, side)
        for left in range(0, width, side)
    ]
    scene = localsr.load().encode(photo)

    def progress(done: int, total: int) -> None:
        print(f"\r{done / total:4.0%} of the pixels", end="", file=sys.stderr)

    Path(folder).mkdir(exist_ok=True)
    for number, restoration in scene.stream(boxes, progress=progress):
        box = boxes[number]
        restoration.save(Path(folder) / f"{box.left}-{box.top}.png")
    print(f"\n{len(boxes)} regions in {folder}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
