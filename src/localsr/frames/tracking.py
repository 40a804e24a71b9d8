"""The frames of a clip in their order, each with its neighbours and with the place of a region in it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from os import PathLike
from typing import NamedTuple

from localsr.errors import ConfigError, TrackLostError
from localsr.frames.alignment import MIN_CORRELATION
from localsr.frames.clip import ClipFrame
from localsr.frames.decoding import facts, held_aside, sequence
from localsr.frames.pages import HEAD_BYTES, page_format
from localsr.frames.reading import DEFAULT_COUNT, MAX_COUNT, POOL, Frame, Frames, moment_name, opened
from localsr.frames.track import Point, Track
from localsr.geometry import Box


class TrackedFrames(NamedTuple):
    """A frame of a clip, its neighbours, and where the region is in it."""

    frames: Frames
    seconds: float  # from the clip's beginning
    place: Point  # left and top of the region in px
    correlation: float  # with the first view
    number: int  # of the frame, from 1
    of: int  # how many there will be, about


class _Seen(NamedTuple):
    """A frame in which the region was found."""

    number: int
    frame: ClipFrame
    place: Point
    correlation: float


def follow(
    source: bytes | str | PathLike[str],
    box: Box,
    *,
    at: float = 0.0,
    until: float | None = None,
    count: int | None = None,
) -> Iterator[TrackedFrames]:
    """Yield a clip's frames from a moment on, each with its neighbours and the place of a region in it.

    `TrackLostError` where a frame does not show the region, after all before it; `ConfigError` for a moment that the
    clip does not have, `ImageError` for one that is damaged or of a kind that is not read.
    """
    count = DEFAULT_COUNT if count is None else count
    if not 1 <= count <= MAX_COUNT:
        raise ConfigError(f"{count} frames cannot be; give 1 to {MAX_COUNT}")
    if until is not None and not until > at:
        raise ConfigError(f"the last moment, {until:g} s, must come after the first, {at:g} s")
    with opened(source) as clip:
        if page_format(clip.file.read(HEAD_BYTES)) is not None:
            raise ConfigError(f"{clip.title} has pages; a region is tracked through a clip")
        about = facts(clip.file, clip.title)
        last = about.seconds if until is None else min(until, about.seconds)
        total = round((last - at) * about.rate)
        reach = min(POOL * (count - 1) // 2, held_aside(about.size))
        seen = _followed(sequence(clip.file, clip.title, at, reach), box, reach)
        for number, (one, neighbours) in enumerate(seen, 1):
            if until is not None and one.frame.seconds > until:
                return
            name, others = moment_name(one.frame.seconds), tuple(neighbours)
            frames = Frames(clip.photo(one.frame), others, count, name=name, decoded=one.frame)
            yield TrackedFrames(frames, one.frame.seconds, one.place, one.correlation, number, max(number, total))


def _followed(clip: Iterator[tuple[int, ClipFrame]], box: Box, reach: int) -> Iterator[tuple[_Seen, list[Frame]]]:
    """Track a region `reach` frames ahead of the one that is yielded, whose neighbours are there with their motion."""
    early: list[tuple[int, ClipFrame]] = []  # before the first moment
    held: deque[_Seen] = deque(maxlen=2 * reach + 1)
    track, due, lost = None, 0, ""
    for number, frame in clip:
        if number < 0:
            early.append((number, frame))
            continue
        if track is None:
            track = Track(frame, box.checked(frame.size))
        elif lost := _fault(track, frame, held[-1].frame):
            break
        held.append(_Seen(number, frame, track.place, track.correlation))
        if number == due + reach:
            yield _with_neighbours(held, early, due, reach)
            due += 1
    while held and due <= held[-1].number:
        yield _with_neighbours(held, early, due, reach)
        due += 1
    if lost:
        raise TrackLostError(lost)


def _fault(track: Track, frame: ClipFrame, last: ClipFrame) -> str:
    """Follow a region to the next frame; return why it cannot be followed, or nothing."""
    moment = moment_name(frame.seconds)
    if frame.size != last.size:
        return f"the clip's frames change from {last.size} to {frame.size} px at {moment}; begin again there"
    if not track.follow(frame):
        return (
            f"the region is lost at {moment}: its correlation with the first view is {track.correlation:.2f}, at least "
            f"{MIN_CORRELATION} is needed; begin again where it is seen"
        )
    if not track.is_inside(frame.size):
        return f"the region leaves the picture at {moment}"
    return ""


def _with_neighbours(
    held: deque[_Seen], early: list[tuple[int, ClipFrame]], number: int, reach: int
) -> tuple[_Seen, list[Frame]]:
    """Return a frame and what lies within `reach` of it, nearest first."""
    one = next(seen for seen in held if seen.number == number)
    found = [Frame(moment_name(frame.seconds), frame, n - number) for n, frame in early if number - n <= reach]
    for seen in held:
        if seen is not one and abs(seen.number - number) <= reach:
            motion = (seen.place[0] - one.place[0], seen.place[1] - one.place[1])
            found.append(Frame(moment_name(seen.frame.seconds), seen.frame, seen.number - number, motion))
    alike = [each for each in found if each.picture.size == one.frame.size]
    return one, sorted(alike, key=lambda each: abs(each.step))
