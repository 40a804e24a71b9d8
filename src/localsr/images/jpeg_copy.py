"""A JPEG with some boxes anew and all other blocks of coefficients as they were, by the program `jpegtran`.

libjpeg-turbo brings it; its switch -drop came with 2.1. Of the packages on PyPI that copy coefficients one has 23 MB,
with ten versions of libjpeg in it, and the others need a libjpeg-turbo besides or have stood still for years.
"""

from __future__ import annotations

import functools
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from localsr.errors import OutputError
from localsr.geometry import Box, Size
from localsr.images import jpeg_header, tags
from localsr.images.bounds import MAX_HELD_BYTES
from localsr.images.metadata import ORIENTATION, block_of
from localsr.images.photo import Photo

PROGRAM = "jpegtran"
UNIT = 16  # px: a block of all components has 8 or 16 a side
MAX_BOXES = 64  # each of which takes a pass over the file
MAX_COPIED_BYTES = 2**28  # of a file
MAX_MEMORY = 2**20  # KB that the program may take: twice what is held of the largest that it is called for


@functools.cache
def has_program() -> bool:
    """Tell whether the program is there, and new enough."""
    if shutil.which(PROGRAM) is None:
        return False
    done = subprocess.run([PROGRAM, "-help"], capture_output=True, check=False)
    return b"-drop" in done.stdout + done.stderr


def why_not(like: Photo, boxes: tuple[Box, ...]) -> str:
    """Return why the blocks of a JPEG photo outside of boxes cannot be kept, empty where they can."""
    block, source = block_of(like.metadata.exif), like.metadata.source
    if not has_program():
        return "jpegtran of libjpeg-turbo 2.1 or newer, which keeps the others, is not installed"
    if block is not None and (tags.integer(block.tags, ORIENTATION, block.order) or 1) != 1:
        return "the photo lies turned in its file"
    if len(boxes) > MAX_BOXES:
        return f"there are more than {MAX_BOXES} boxes"
    if 2 * like.size.width * like.size.height * like.bands > MAX_HELD_BYTES:
        return "the picture is too large to be held as coefficients"
    if like.damage or source is None or source.size > MAX_COPIED_BYTES or not source.is_unchanged:
        return "the photo's file is damaged, too large, or not there any more"
    return ""


class JpegOriginal(NamedTuple):
    """A JPEG file whose blocks stay as they are outside of some boxes."""

    data: bytes
    boxes: tuple[Box, ...]

    @classmethod
    def of(cls, like: Photo, boxes: tuple[Box, ...]) -> JpegOriginal | None:
        """Return the file of a photo, None where its blocks cannot be kept."""
        data = b"" if why_not(like, boxes) or like.metadata.source is None else like.metadata.source.content()
        if not data:
            return None
        regular = jpeg_header.regular(lambda place, count: data[place : place + count], len(data))
        return cls(regular or data, boxes)

    def with_boxes(self, encode: Callable[[Box], bytes], size: Size, folder: Path, *, progressive: bool) -> bytes:
        """Return the file with the blocks under its boxes taken from what `encode` makes of a box; without metadata."""
        with tempfile.TemporaryDirectory(dir=folder, prefix="localsr-") as name:
            before, patch, after = (Path(name) / each for each in ("before", "patch", "after"))
            before.write_bytes(self.data)
            for box in map(functools.partial(_aligned, size=size), self.boxes):
                patch.write_bytes(encode(box))
                coding = "-progressive" if progressive else "-optimize"
                command: list[str | Path] = [
                    PROGRAM,
                    "-copy",
                    "none",
                    "-maxmemory",
                    str(MAX_MEMORY),
                    coding,
                    "-trim",
                    "-outfile",
                    after,
                ]
                command += ["-drop", f"+{box.left}+{box.top}", patch, before]
                done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
                if done.returncode or not after.exists():
                    raise OutputError(f"{PROGRAM} failed: {done.stderr.strip()[:200] or done.returncode}")
                before, after = after, before
            return before.read_bytes()


def _aligned(box: Box, size: Size) -> Box:
    """Return the blocks that a box touches, as far as the picture goes."""
    left, top = box.left // UNIT * UNIT, box.top // UNIT * UNIT
    right, bottom = -(-box.right // UNIT) * UNIT, -(-box.bottom // UNIT) * UNIT
    return Box(left, top, min(right, size.width), min(bottom, size.height))
