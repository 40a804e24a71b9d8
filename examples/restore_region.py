"""Restore one region of a picture and save it.

python examples/restore_region.py street.jpg sign.png 40 60 128 96
"""

import sys

import localsr


def main(source: str, target: str, left: int, top: int, width: int, height: int) -> None:
    """Restore the region of `width` x `height` px at (`left`, `top`) of the upright picture."""
    box = localsr.Box(left, top, left + width, top + height)
    restoration = localsr.restore(source, box)
    restoration.save(target)  # depth, colour profile and alpha are the picture's
    print(f"{target}: {box.scaled(restoration.scale).size} px by {restoration.strategy} in {restoration.seconds:.2f} s")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *(int(number) for number in sys.argv[3:7]))
