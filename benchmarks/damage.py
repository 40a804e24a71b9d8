"""Cuts and holes in picture files, and whole files that only look irregular: what is read, and what is refused.

    python benchmarks/damage.py [--damages 3000] [--intact 1000] [--seed 0]

A damaged file is refused, gives the right pixels all the same (the damage lies where no pixel is told), or gives others
without a word. A checksum sees every hole, and a coding one that leaves bytes over or lacks some; raw pixels have
neither, and no reader can tell one picture from another. Fails if a cut, or a hole under a checksum, gives other pixels
without a word, or if a whole file is refused or gives other pixels.
"""

from __future__ import annotations

import argparse
import io
import struct
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from irregular import IRREGULAR
from numpy.typing import NDArray
from PIL import Image

from localsr import images
from localsr.errors import ImageError
from localsr.geometry import whole
from localsr.images.vips import from_array, secure_process

HEIGHT, WIDTH = 96, 120
CHECKSUM, CODING, NOTHING = "checksum", "coding", "nothing"
STRIP_OFFSETS, TILE_OFFSETS = 273, 324  # tags of TIFF
LONG = 64  # bytes of a hole
TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1}
Levels = NDArray[np.uint8]


def scene(rng: np.random.Generator) -> Levels:
    """Draw edges, slopes, flat places and grain, `(h, w, 3)`."""
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float64)
    picture = np.stack([x * rng.uniform(0, 2) + y * rng.uniform(0, 2) for _ in range(3)], 2)
    for _ in range(8):
        left, top = rng.integers(0, WIDTH), rng.integers(0, HEIGHT)
        picture[top : top + rng.integers(4, 40), left : left + rng.integers(4, 40)] = rng.uniform(0, 255, 3)
    grain = rng.normal(0, 6, picture.shape) * (x[..., None] > WIDTH / 3)
    return np.clip(picture + grain, 0, 255).astype(np.uint8)


def pillow(kind: str, **options: object) -> Callable[[Levels], bytes]:
    """Return an encoder of Pillow's."""

    def encode(levels: Levels) -> bytes:
        file = io.BytesIO()
        Image.fromarray(levels).save(file, kind, **options)
        return file.getvalue()

    return encode


def tiff(compression: str, *, tile: bool, **options: object) -> Callable[[Levels], bytes]:
    """Return an encoder of libvips' for TIFF, the directory of which is put first: at the end it is lost by any cut."""
    layout = {"tile": True, "tile_width": 32, "tile_height": 32} if tile else {}
    return lambda levels: directory_first(
        bytes(from_array(levels, "srgb").tiffsave_buffer(compression=compression, **layout, **options))
    )


def directory_first(data: bytes) -> bytes:
    """Move the directory of a little-endian TIFF, and what it points to, before the pixels."""
    (place,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, place)
    found = [struct.unpack_from("<HHI4s", data, place + 2 + 12 * n) for n in range(count)]
    values = []
    for tag, kind, number, inside in found:
        length = number * TYPE_BYTES[kind]
        where = int.from_bytes(inside, "little")
        values.append((tag, kind, number, inside if length <= 4 else data[where : where + length]))
    start = 8 + 2 + 12 * count + 4
    shift = start + sum(len(value) + len(value) % 2 for *_, value in values if len(value) > 4) - 8
    head, tail = struct.pack("<H", count), b""
    for tag, kind, number, value in values:
        if tag in (STRIP_OFFSETS, TILE_OFFSETS):
            value = struct.pack(f"<{number}I", *(each + shift for each in struct.unpack(f"<{number}I", value)))
        if len(value) > 4:
            head += struct.pack("<HHII", tag, kind, number, start + len(tail))
            tail += value + bytes(len(value) % 2)
        else:
            head += struct.pack("<HHI", tag, kind, number) + value
    return data[:4] + struct.pack("<I", 8) + head + bytes(4) + tail + data[8:place]


class Form(NamedTuple):
    """A way to write a picture, and what a reader can see damage by."""

    encode: Callable[[Levels], bytes]
    seen_by: str


FORMS = {
    "PNG": Form(pillow("PNG"), CHECKSUM),
    "PNG, interlaced": Form(lambda levels: bytes(from_array(levels, "srgb").pngsave_buffer(interlace=True)), CHECKSUM),
    "TIFF deflate strips": Form(tiff("deflate", tile=False, predictor="horizontal"), CHECKSUM),
    "TIFF deflate tiles": Form(tiff("deflate", tile=True), CHECKSUM),
    "JPEG": Form(pillow("JPEG", quality=85), CODING),
    "JPEG, progressive": Form(pillow("JPEG", quality=85, progressive=True), CODING),
    "JPEG, own tables": Form(pillow("JPEG", quality=92, optimize=True, subsampling=0), CODING),
    "TIFF JPEG strips": Form(tiff("jpeg", tile=False), CODING),
    "TIFF JPEG tiles": Form(tiff("jpeg", tile=True), CODING),
    "TIFF LZW strips": Form(tiff("lzw", tile=False), CODING),
    "TIFF LZW tiles": Form(tiff("lzw", tile=True, predictor="horizontal"), CODING),
    "TIFF PackBits strips": Form(tiff("packbits", tile=False), CODING),
    "WebP": Form(pillow("WEBP", quality=85), CODING),
    "WebP, lossless": Form(pillow("WEBP", lossless=True), CODING),
    "AVIF": Form(pillow("AVIF", quality=80, speed=9), CODING),
    "TIFF raw strips": Form(tiff("none", tile=False), NOTHING),
    "TIFF raw tiles": Form(tiff("none", tile=True), NOTHING),
    "BMP": Form(pillow("BMP"), NOTHING),
}


def damaged(data: bytes, rng: np.random.Generator, number: int) -> tuple[str, bytes]:
    """Cut a file, or make a hole of 1 to 2,048 bytes: zeros, others, or taken out."""
    place = int(rng.integers(1, len(data)))
    if number % 2:
        return "cut", data[:place]
    length = int(2 ** rng.uniform(0, 11))
    length = min(length, len(data) - place)
    filling = (bytes(length), rng.bytes(length), b"")[number // 2 % 3]
    return ("long hole" if length >= LONG else "hole"), data[:place] + filling + data[place + length :]


def pixels_of(data: bytes) -> NDArray[np.float32] | None:
    """Read all of a file, None for one that is refused."""
    try:
        photo = images.read(data)
        pixels = photo.window(whole(photo.size))
        alpha = photo.alpha(whole(photo.size))
    except ImageError:
        return None
    return pixels if alpha is None else np.concatenate([pixels, alpha])


def outcome(data: bytes, right: NDArray[np.float32]) -> str:
    """Tell what comes of a file."""
    found = pixels_of(data)
    if found is None:
        return "refused"
    return "right" if np.array_equal(found, right) else "wrong"


def damages(count: int, seed: int) -> Iterator[tuple[str, str, str]]:
    """Yield form, damage and outcome of each damaged file."""
    for n, (name, form) in enumerate(FORMS.items()):
        for number in range(-(-count // len(FORMS))):
            rng = np.random.default_rng([seed, n, number])
            if number % 10 == 0:
                data = form.encode(scene(rng))
                right = pixels_of(data)
                assert right is not None, name
            hurt, bad = damaged(data, rng, number)
            if bad != data:
                yield name, hurt, outcome(bad, right)


def report_damages(count: int, seed: int) -> int:
    """Print what came of damaged files, and return how many that must be seen were not."""
    found = Counter(damages(count, seed))
    outcomes = ("refused", "right", "wrong")
    print(f"{sum(found.values())} damaged files: cuts, and holes of 1 to 2,048 bytes\n")
    print(f"{'':<22}{'cuts':>24}{'holes':>25}{'of 64 bytes or more':>25}   seen by")
    print(f"{'form':<22}" + 3 * f"{'refused':>10}{'right':>7}{'wrong':>7} ")
    missed, unseen = 0, Counter[str]()
    for name, form in FORMS.items():
        cuts, short, long = ([found[name, hurt, what] for what in outcomes] for hurt in ("cut", "hole", "long hole"))
        holes = [a + b for a, b in zip(short, long, strict=True)]
        rows = "".join(f"{a:>10}{b:>7}{c:>7} " for a, b, c in (cuts, holes, long))
        print(f"{name:<22}{rows}  {form.seen_by}")
        missed += cuts[2] + (holes[2] if form.seen_by == CHECKSUM else 0)
        unseen[form.seen_by] += holes[2]
    where = {CHECKSUM: "under a checksum", CODING: "in codings", NOTHING: "in raw pixels"}
    print("\nholes that nothing told of: " + ", ".join(f"{unseen[by]} {place}" for by, place in where.items()))
    return missed


def report_intact(count: int, seed: int) -> int:
    """Print what came of whole files with an irregularity, and return how many were not read right."""
    found: Counter[tuple[str, str]] = Counter()
    for number in range(count):
        rng = np.random.default_rng([seed, 1, number])
        name, make = list(IRREGULAR.items())[number % len(IRREGULAR)]
        odd, regular = make(scene(rng), rng)
        right = pixels_of(regular)
        assert right is not None, name
        found[name, outcome(odd, right)] += 1
    print(f"\n{count} whole files, each with one of {len(IRREGULAR)} irregularities\n")
    print(f"{'irregularity':<60}{'right':>7}{'refused':>9}{'wrong':>7}")
    for name in IRREGULAR:
        right_, refused, wrong = (found[name, what] for what in ("right", "refused", "wrong"))
        if refused or wrong:
            print(f"{name:<60}{right_:>7}{refused:>9}{wrong:>7}")
    bad = sum(n for (_, what), n in found.items() if what != "right")
    print(f"{'all':<60}{count - bad:>7}{bad:>9}")
    return bad


def main() -> int:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--damages", type=int, default=3000)
    parser.add_argument("--intact", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    secure_process()
    missed = report_damages(arguments.damages, arguments.seed)
    bad = report_intact(arguments.intact, arguments.seed)
    print(
        f"\n{'held' if missed + bad == 0 else f'NOT HELD: {missed} damages unseen, {bad} whole files not read right'}"
    )
    return int(missed + bad > 0)


if __name__ == "__main__":
    sys.exit(main())
