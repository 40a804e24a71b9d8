"""Frames of a clip around a moment, exact by their time stamps; nothing else of the clip is kept.

PyAV decodes. The file is opened elsewhere and handed over, so that no name inside it is ever followed; only containers
of the list are tried.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import islice
from typing import IO, Any, NamedTuple

from localsr.errors import ConfigError, ImageError, LocalSRError
from localsr.frames.clip import ClipFrame, pyav
from localsr.geometry import Size

CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,asf,mxf,ogg"
MAX_CLIP_PIXELS = 2**26  # of a frame: 8K has half as many
MAX_HELD_BYTES = 2**29  # of all frames that are kept: 21 of 4K
MAX_PIXEL_BYTES = 3  # of a decoded frame in 10 bit, chroma at half its resolution
MAX_DECODED = 20_000  # frames from where decoding must begin to the one asked for
MAX_SECONDS = 60.0  # of decoding
MAX_PACKETS = 2_000_000  # of a clip whose frames are counted: nine hours at 60 a second
MAX_PROBED_BYTES = 2**24  # read to find out what a file holds
HDR = {16: "PQ", 18: "HLG"}  # transfer functions that no network here was trained for


class ClipFacts(NamedTuple):
    """What a clip's header says."""

    size: Size  # of a frame as it is stored
    rate: float  # frames a second, on average
    seconds: float  # 0 where it does not say
    comment: str = ""  # of its header


class Excerpt(NamedTuple):
    """What was decoded around a moment."""

    reference: ClipFrame  # shown at that moment
    before: list[ClipFrame]  # nearest first
    after: list[ClipFrame]  # nearest first


def excerpt(file: IO[bytes], title: str, at: float, before: int, after: int) -> Excerpt:
    """Decode the frame shown `at` seconds after a clip's beginning, and as many before and after it as there are.

    `ConfigError` if the clip ends earlier; `ImageError` if it cannot be read, or is of a kind that is not read.
    """
    with _reading(title, at):
        return _Decoder(file, title).around(at, before, after)


def sequence(file: IO[bytes], title: str, at: float, before: int) -> Iterator[tuple[int, ClipFrame]]:
    """Decode the frames from the one shown `at` seconds after a clip's beginning on, and up to `before` before it.

    Each comes with its number: 0 is shown at that moment, negative ones before it. Errors are those of `excerpt`. The
    bounds on decoding hold for each frame anew, since between them one works.
    """
    with _reading(title, at):
        yield from _Decoder(file, title).sequence(at, before)


def facts(file: IO[bytes], title: str) -> ClipFacts:
    """Read a clip's header; errors are those of `excerpt`."""
    with _reading(title, 0):
        return _Decoder(file, title).facts


def stamps(file: IO[bytes], title: str) -> list[float]:
    """Return when each frame of a clip is shown, in seconds from its beginning; nothing is decoded."""
    with _reading(title, 0):
        return _Decoder(file, title).stamps()


def held_aside(size: Size) -> int:
    """Return how many frames of a size may be held on each side of one."""
    return MAX_HELD_BYTES // (MAX_PIXEL_BYTES * size.width * size.height) // 2


@contextmanager
def _reading(title: str, at: float) -> Iterator[None]:
    """Check a moment, and tell what FFmpeg says in our own words."""
    if not (math.isfinite(at) and at >= 0):
        raise ConfigError(f"a moment of a clip is a number of seconds from 0 on, not {at}")
    av = pyav()
    try:
        yield
    except LocalSRError:
        raise
    except av.error.FFmpegError as error:
        reason = "it is no clip that is read" if isinstance(error, av.error.InvalidDataError) else error.strerror
        raise ImageError(f"{title} cannot be read: {reason}; containers that are read: {CONTAINERS}") from error


def _refuse_names(url: str, flags: int, options: dict[str, str]) -> None:
    """Open no other file, whatever a clip names."""
    raise PermissionError(f"a clip may not name other files, such as {url[:80]}")


class _Decoder:
    """Finds frames of one stream by their time stamps."""

    def __init__(self, file: IO[bytes], title: str) -> None:
        """Refuse by the header what cannot be read; nothing is decoded yet."""
        self._file, self._title = file, title
        self._until = time.monotonic() + MAX_SECONDS
        self._decoded = 0
        with self._opened() as (container, stream):
            context = stream.codec_context
            if not (context.width and context.height):
                raise ImageError(f"{title} says no size of its frames; it is damaged")
            size = Size(context.width, context.height)
            if size.width * size.height > MAX_CLIP_PIXELS:
                raise ImageError(f"{title} has frames of {size} px; at most {MAX_CLIP_PIXELS / 1e6:.0f} megapixels")
            self._tick = stream.time_base  # in s
            self._start = stream.start_time or 0  # in ticks, as all stamps
            self._length = stream.duration or 0
            seconds = float(self._length * self._tick)
            comment = container.metadata.get("comment", "")
            self.facts = ClipFacts(size, float(stream.average_rate or 25), seconds, comment)

    def around(self, at: float, before: int, after: int) -> Excerpt:
        """Return the frame shown at a moment and its neighbours; begin ever earlier until enough lie before it."""
        target = self._start + round(Fraction(at) / self._tick)
        most = held_aside(self.facts.size)
        before, after = min(before, most), min(after, most)
        margin = (before + 1) / self.facts.rate
        while True:
            begin = self._start + math.floor((Fraction(at) - Fraction(margin)) / self._tick)
            found, complete = self._from(begin, target, before, after), begin <= self._start
            if found is not None and (complete or len(found.before) == before):
                return found
            if complete:
                lasts = f"it lasts {float(self._length * self._tick):.2f} s" if self._length else "it is shorter"
                raise ConfigError(f"{self._title} has no frame at {at:g} s; {lasts}")
            margin *= 4

    def sequence(self, at: float, before: int) -> Iterator[tuple[int, ClipFrame]]:
        """Yield the frames of a clip in their order, from up to `before` before a moment on, with their numbers."""
        found = self.around(at, before, 0)
        first, number = (found.before or [found.reference])[-1].stamp, -len(found.before)
        with self._opened() as (container, stream):
            if first > self._start:
                container.seek(first, stream=stream, backward=True)
            for stamp, frame in self._frames(container, stream):
                if stamp >= first:
                    yield number, frame
                    number += 1
                    self._decoded, self._until = 0, time.monotonic() + MAX_SECONDS

    def stamps(self) -> list[float]:
        """Return when each frame is shown."""
        with self._opened() as (container, stream):
            found = [packet.pts for packet in islice(container.demux(stream), MAX_PACKETS) if packet.pts is not None]
        return [float((stamp - self._start) * self._tick) for stamp in sorted(set(found))]

    @contextmanager
    def _opened(self) -> Iterator[tuple[Any, Any]]:
        """Open the clip at its beginning, and its first stream of video."""
        av = pyav()
        self._file.seek(0)
        options = {"format_whitelist": CONTAINERS, "protocol_whitelist": "file", "probesize": str(MAX_PROBED_BYTES)}
        with av.open(self._file, container_options=options, io_open=_refuse_names) as container:
            covers = av.stream.Disposition.attached_pic
            streams = [stream for stream in container.streams.video if not stream.disposition & covers]
            if not streams:
                raise ImageError(f"{self._title} has no video in it")
            streams[0].codec_context.thread_type = "AUTO"
            yield container, streams[0]

    def _from(self, begin: int, target: int, before: int, after: int) -> Excerpt | None:
        """Decode from the key frame before `begin` on, or from the clip's beginning; None if the frame is not there."""
        earlier: deque[ClipFrame] = deque(maxlen=before + 1)  # the last is the frame shown so far
        later: list[ClipFrame] = []
        with self._opened() as (container, stream):
            if begin > self._start:
                container.seek(begin, stream=stream, backward=True)
            for stamp, frame in self._frames(container, stream):
                if stamp > target and not earlier:
                    return None  # the container's index led too far
                (earlier if stamp <= target else later).append(frame)
                if len(later) >= max(after, 1):
                    break
        if not earlier or (not later and self._ended_before(target, earlier[-1])):
            return None
        return Excerpt(earlier[-1], list(earlier)[-2::-1], later[:after])

    def _frames(self, container: Any, stream: Any) -> Iterator[tuple[int, ClipFrame]]:  # noqa: ANN401
        """Yield frames in the order of their time stamps, from where the container stands on."""
        last = None
        for picture in container.decode(stream):
            self._decoded += 1
            if self._decoded > MAX_DECODED or time.monotonic() > self._until:
                raise ImageError(
                    f"{self._title} has too few key frames: after {self._decoded:,} frames the moment was not reached; "
                    "cut it out with a tool such as ffmpeg"
                )
            if picture.pts is None:
                raise ImageError(f"{self._title} has frames without a time stamp; put it into an MP4 or Matroska file")
            if picture.is_corrupt or (last is not None and picture.pts <= last):
                continue
            self._check(picture)
            last = picture.pts
            yield picture.pts, ClipFrame(picture, float((picture.pts - self._start) * picture.time_base), self._title)

    def _check(self, picture: Any) -> None:  # noqa: ANN401
        """Refuse frames that are of no kind that is read."""
        if picture.interlaced_frame:
            raise ImageError(f"{self._title} is interlaced; deinterlace it first, with ffmpeg's bwdif for one")
        if (code := int(picture.color_trc)) in HDR:
            raise ImageError(
                f"{self._title} is HDR ({HDR[code]}); map it to SDR first, with ffmpeg's zscale and tonemap"
            )
        if picture.width * picture.height > MAX_CLIP_PIXELS:
            raise ImageError(f"{self._title} has a frame of {Size(picture.width, picture.height)} px; it is damaged")

    def _ended_before(self, target: int, last: ClipFrame) -> bool:
        """Tell whether a clip has ended; without a length, its last frame is shown for a frame's time."""
        end = max(float(self._length * self._tick), last.seconds + 1.5 / self.facts.rate)
        return float((target - self._start) * self._tick) > end
