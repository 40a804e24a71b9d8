"""One frame of a clip, as it was decoded, mostly 1.5 bytes a pixel; windows of it become RGB when asked for."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from localsr import extras
from localsr.errors import ImageError
from localsr.geometry import Box, Size, snapped

MATRICES = {1: "bt709", 4: "fcc", 5: "bt601", 6: "bt601", 7: "smpte240m", 9: "bt2020"}  # by the codes of H.273
UNSPECIFIED, RGB, FULL_RANGE = 2, 0, 2
HD_LINES = 720  # from which a clip without a tag is BT.709, as players take it
GRID = 16  # px; windows begin on multiples of it, so that chroma is interpolated alike whatever is asked for
FLAGS = "bicubic+accurate_rnd+full_chroma_int"


class ClipFrame:
    """A frame of a clip, as it was decoded."""

    def __init__(self, picture: Any, seconds: float, title: str) -> None:  # noqa: ANN401  # av has no types here
        """Take a decoded frame that is shown from `seconds` on; `title` calls the clip in messages."""
        self.seconds, self._picture, self._title = seconds, picture, title
        turns = round(picture.rotation) / 90
        if turns != round(turns):
            raise ImageError(f"{title} is turned by {picture.rotation:g} degrees; quarters of a turn are read")
        self._turns = int(turns) % 4
        sides = (picture.width, picture.height)
        self.size = Size(*(sides if self._turns % 2 == 0 else sides[::-1]))
        self.depth = 8 if max(part.bits for part in picture.format.components) == 8 else 16

    @property
    def stamp(self) -> int:
        """Where it stands in the clip, in ticks of the stream."""
        return int(self._picture.pts)

    def sha256(self) -> str:
        """Return the sha256 of the frame as it was decoded: what `ffmpeg -f framehash -hash sha256` prints for it."""
        return hashlib.sha256(self._picture.to_ndarray().tobytes()).hexdigest()

    def window(self, box: Box) -> NDArray[np.float32]:
        """Read a box of the upright frame: `(3, h, w)` RGB in [0, 1]."""
        levels = self.levels(box)
        return np.ascontiguousarray(levels.transpose(2, 0, 1), np.float32) / np.float32(2**self.depth - 1)

    def levels(self, box: Box) -> NDArray[Any]:
        """Read a box of the upright frame: `(h, w, 3)` RGB in 8 or 16 bits."""
        box.checked(self.size)
        w, h, turns = self._picture.width, self._picture.height, self._turns  # stored; turned against the clock
        left, top, right, bottom = box.left, box.top, box.right, box.bottom
        stored = (
            box,
            Box(w - bottom, left, w - top, right) if turns == 1 else box,
            Box(w - right, h - bottom, w - left, h - top) if turns == 2 else box,
            Box(top, h - right, bottom, h - left) if turns == 3 else box,
        )[turns]
        read = snapped(stored.grow(GRID), GRID).intersection(Box(0, 0, w, h))
        inside = stored.within(read)
        return np.rot90(self._converted(read)[inside.rows, inside.columns], turns)

    def _converted(self, box: Box) -> NDArray[Any]:
        """Cut a box out of the stored picture and bring it to RGB of full range."""
        av, picture = pyav(), self._picture
        graph = av.filter.Graph()
        source = graph.add_buffer(
            width=picture.width, height=picture.height, format=picture.format, time_base=Fraction(1, 1000)
        )
        code = int(picture.colorspace)
        if code == UNSPECIFIED or picture.format.is_rgb or code == RGB:
            matrix = "bt709" if picture.height >= HD_LINES else "bt601"
        elif code in MATRICES:
            matrix = MATRICES[code]
        else:
            raise ImageError(f"{self._title} has colours of matrix {code} (H.273), which is not read; convert it")
        full = int(picture.color_range) == FULL_RANGE or picture.format.name.startswith("yuvj") or picture.format.is_rgb
        limits = f"in_range={'full' if full else 'limited'}:out_range=full"
        steps = [
            source,
            graph.add("crop", f"{box.width}:{box.height}:{box.left}:{box.top}:exact=1"),
            graph.add("scale", f"in_color_matrix={matrix}:{limits}:flags={FLAGS}"),
            graph.add("format", f"pix_fmts={'rgb24' if self.depth == 8 else 'rgb48le'}"),
            graph.add("buffersink"),
        ]
        for one, after in pairwise(steps):
            one.link_to(after)
        graph.configure()
        graph.push(picture)
        converted: NDArray[Any] = graph.pull().to_ndarray()
        return converted


def pyav() -> Any:  # noqa: ANN401  # av's types are there only where it is installed
    """Return PyAV, or raise `ConfigError` saying what to install."""
    return extras.optional("av", "video", "Reading a clip")
