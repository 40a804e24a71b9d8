"""A clip written frame by frame: H.264 in MP4, with the times of the frames and the colours of HD."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from localsr.errors import OutputError
from localsr.files import replacing
from localsr.frames.clip import pyav
from localsr.images import Provenance

WRITTEN_SUFFIX = ".mp4"
TICK = Fraction(1, 90_000)  # s
RATE = 25  # that the header says; frames have times of their own
QUALITY = {"crf": "12", "preset": "medium"}  # 45 dB and more
BT709, LIMITED = 1, 1  # codes of H.273


class ClipWriter:
    """A clip in the making; made by `writing_clip`."""

    def __init__(self, container: Any) -> None:  # noqa: ANN401  # av has no types here
        """Take an open container."""
        self._container, self._start = container, 0.0
        self._stream: Any = None

    def say(self, made: Provenance) -> None:
        """Say how the clip is made, before its first frame: as JSON, in the comment of its header."""
        self._container.metadata["comment"] = json.dumps(made.as_dict())

    def add(self, pixels: NDArray[np.float32], seconds: float) -> None:
        """Write a frame, `(3, h, w)` RGB in [0, 1], that is shown from a moment on; all have the first one's size."""
        frame = np.rint(pixels.transpose(1, 2, 0) * 255).clip(0, 255).astype(np.uint8)
        height, width, _ = frame.shape
        even = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")  # as 4:2:0 must be
        if self._stream is None:
            self._begin(even.shape[1], even.shape[0])
            self._start = seconds
        picture = pyav().VideoFrame.from_ndarray(np.ascontiguousarray(even), format="rgb24")
        tags = {"dst_colorspace": BT709, "dst_color_range": LIMITED}
        stored = picture.reformat(format="yuv420p", interpolation="BICUBIC", **tags)
        stored.pts, stored.time_base = round((seconds - self._start) / TICK), TICK
        self._container.mux(self._stream.encode(stored))

    def _begin(self, width: int, height: int) -> None:
        """Open the stream."""
        stream = self._container.add_stream("libx264", rate=RATE, options=QUALITY)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        context = stream.codec_context
        stream.time_base = context.time_base = TICK
        context.colorspace = context.color_primaries = context.color_trc = BT709
        context.color_range = LIMITED
        self._stream = stream

    def end(self) -> None:
        """Write what the encoder still holds."""
        if self._stream is not None:
            self._container.mux(self._stream.encode())


@contextmanager
def writing_clip(path: str | os.PathLike[str]) -> Iterator[ClipWriter]:
    """Yield a writer for a clip, which takes its name when all is written.

    `OutputError` where it cannot be written; what was there before is untouched then.
    """
    av = pyav()
    with replacing(path) as temporary:
        try:
            with av.open(str(temporary), "w", format="mp4", options={"movflags": "faststart"}) as container:
                writer = ClipWriter(container)
                yield writer
                writer.end()
        except av.error.FFmpegError as error:
            raise OutputError(f"{path} could not be written: {error.strerror}; what was there is untouched") from error
