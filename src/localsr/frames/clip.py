"""Frames of a clip around a moment, exact by their time stamps; nothing else of the clip is kept.

PyAV decodes. The file is opened here and handed over, so that no name inside it is ever followed; only containers of
the list are tried. A frame stays as it was decoded, mostly 1.5 bytes a pixel; windows of it become RGB when asked for.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import pairwise
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from localsr import extras
from localsr.errors import ConfigError, ImageError, LocalSRError
from localsr.geometry import Box, Size, snapped

CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,asf,mxf,ogg"
MAX_CLIP_PIXELS = 2**26  # of a frame: 8K has half as many
MAX_HELD_BYTES = 2**29  # of all frames that are kept: 21 of 4K
MAX_PIXEL_BYTES = 3  # of a decoded frame in 10 bit, chroma at half its resolution
MAX_DECODED = 20_000  # frames from where decoding must begin to the one asked for
MAX_SECONDS = 60.0  # of decoding
MAX_PROBED_BYTES = 2**24  # read to find out what a file holds
MATRICES = {1: "bt709", 4: "fcc", 5: "bt601", 6: "bt601", 7: "smpte240m", 9: "bt2020"}  # by the codes of H.273
UNSPECIFIED, RGB, FULL_RANGE = 2, 0, 2
HD_LINES = 720  # from which a clip without a tag is BT.709, as players take it
HDR = {16: "PQ", 18: "HLG"}  # transfer functions that no network here was trained for
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


class ClipFacts(NamedTuple):
    """What a clip's header says."""

    size: Size  # of a frame as it is stored
    rate: float  # frames a second, on average
    seconds: float  # 0 where it does not say


class Excerpt(NamedTuple):
    """What was decoded around a moment."""

    reference: ClipFrame  # shown at that moment
    before: list[ClipFrame]  # nearest first
    after: list[ClipFrame]  # nearest first


def pyav() -> Any:  # noqa: ANN401  # av's types are there only where it is installed
    """Return PyAV, or raise `ConfigError` saying what to install."""
    return extras.optional("av", "video", "Reading a clip")


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
        with self._opened() as (_, stream):
            context = stream.codec_context
            if not (context.width and context.height):
                raise ImageError(f"{title} says no size of its frames; it is damaged")
            size = Size(context.width, context.height)
            if size.width * size.height > MAX_CLIP_PIXELS:
                raise ImageError(f"{title} has frames of {size} px; at most {MAX_CLIP_PIXELS / 1e6:.0f} megapixels")
            self._tick = stream.time_base  # in s
            self._start = stream.start_time or 0  # in ticks, as all stamps
            self._length = stream.duration or 0
            self.facts = ClipFacts(size, float(stream.average_rate or 25), float(self._length * self._tick))

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
