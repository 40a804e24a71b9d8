"""Small clips, encoded on the spot, whose frames say which they are."""

from __future__ import annotations

import io
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

TICK = Fraction(1, 1000)


def encoded(
    frames: Sequence[NDArray[np.uint8]],
    stamps: Sequence[int] | None = None,
    *,
    codec: str = "libx264",
    container: str = "mp4",
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
    rotation: int = 0,
    **tags: Any,
) -> bytes:
    """A clip of frames `(h, w, 3)`, shown from `stamps` (ms) on; 40 ms each without them."""
    buffer = io.BytesIO()
    height, width = frames[0].shape[:2]
    with av.open(buffer, "w", format=container) as out:
        stream = out.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        stream.time_base = stream.codec_context.time_base = TICK
        stream.codec_context.thread_count = 1
        stream.options = {"crf": "10", "preset": "veryfast"} if options is None else options
        for name, value in tags.items():
            setattr(stream.codec_context, name, value)
        if rotation:
            stream.set_display_rotation(rotation)
        for n, pixels in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            picture.pts, picture.time_base = 40 * n if stamps is None else stamps[n], TICK
            out.mux(stream.encode(picture))
        out.mux(stream.encode())
    return buffer.getvalue()


def numbered(count: int, height: int = 64, width: int = 96) -> list[NDArray[np.uint8]]:
    """Frames of 8 x 8 px blocks, whose top left row of blocks shows the frame's number in bits."""
    random = np.random.default_rng(0)
    ground = random.integers(60, 196, (height // 8, width // 8, 3), dtype=np.uint8)
    found = []
    for n in range(count):
        blocks = ground.copy()
        blocks[0, :10] = np.array([235 if n >> bit & 1 else 20 for bit in range(10)], np.uint8)[:, None]
        found.append(blocks.repeat(8, 0).repeat(8, 1))
    return found


def number_of(window: NDArray[np.float32]) -> int:
    """Read the number of a frame from its pixels `(3, h, w)`."""
    return sum(1 << bit for bit in range(10) if window[:, 2:6, 8 * bit + 2 : 8 * bit + 6].mean() > 0.5)
