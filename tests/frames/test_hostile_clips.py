"""Clips made to do harm: each gets a sentence or its frames, within bounds."""

import io
import struct
import time
from pathlib import Path

import av
import clips
import numpy as np
import pytest

import localsr
from localsr.errors import ImageError, LocalSRError, TrackLostError
from localsr.frames.moments import at_moment, looks_like_clip, read_moment, split_moment
from localsr.frames.tracking import follow
from localsr.geometry import Box

SECONDS = 20.0  # that no hostile file may take, on a machine with ten other things to do


@pytest.fixture(scope="module")
def clip() -> bytes:
    return clips.encoded(clips.numbered(12), options={"crf": "20", "g": "4", "preset": "veryfast"})


def told(data: bytes, at: float = 0.2) -> str:
    """What is said of a file, or how many frames it gives."""
    began = time.monotonic()
    try:
        found = f"{1 + len(localsr.read_frames(data, at=at, count=3).others)} frames"
    except LocalSRError as error:
        found = str(error)
    assert time.monotonic() - began < SECONDS
    return found


def patched(data: bytes, box: bytes, offset: int, value: int) -> bytes:
    """A file with a number of 32 bits changed in each box of a kind, counted from its name."""
    found = bytearray(data)
    place = data.find(box)
    assert place > 0
    while place > 0:
        found[place + offset : place + offset + 4] = struct.pack(">I", value)
        place = data.find(box, place + 1)
    return bytes(found)


@pytest.mark.parametrize("container", ["mp4", "matroska", "mpegts", "avi"])
def test_truncated_anywhere(container: str) -> None:
    codec = "mpeg4" if container == "avi" else "libx264"
    options = {"b": "400000", "g": "4"} if container == "avi" else {"crf": "20", "g": "4", "preset": "veryfast"}
    data = clips.encoded(clips.numbered(8), container=container, codec=codec, options=options)
    for share in np.linspace(0, 0.98, 9):
        found = told(data[: int(len(data) * share)], 0.04)
        assert found.endswith(" frames") or found.startswith("the clip "), found


def test_numbers_that_no_clip_has(clip: bytes) -> None:
    huge = 2**31 - 1
    for box, offset in (
        (b"stts", 12),
        (b"stts", 16),
        (b"stsz", 12),
        (b"stsc", 8),
        (b"stco", 8),
        (b"mdhd", 16),
        (b"mdhd", 20),
    ):
        found = told(patched(clip, box, offset, huge))
        assert found.endswith(" frames") or "the clip" in found, (box, offset, found)


def test_a_clip_whose_samples_lie_in_another_file(clip: bytes, tmp_path: Path) -> None:
    secret = tmp_path / "secret.mp4"
    secret.write_bytes(clip)
    place = clip.find(b"dref")
    entry = place + 12  # length, kind, version and flags
    assert clip[entry + 4 : entry + 8] == b"url "
    named = bytearray(clip)
    named[entry + 8 : entry + 12] = b"\0\0\0\0"  # no longer "in this file"
    assert told(bytes(named)).endswith(" frames")  # its own samples: nothing else was opened


def test_two_frames_a_day_apart() -> None:
    data = clips.encoded(clips.numbered(3), [0, 43_200_000, 86_400_000])
    frames = localsr.read_frames(data, at=50_000, count=3)
    assert frames.name == "43200.000 s"
    assert [frame.name for frame in frames.others] == ["0.000 s", "86400.000 s"]


def test_a_clip_without_a_size() -> None:
    data = bytearray(clips.encoded(clips.numbered(3), codec="rawvideo", container="avi", options={}))
    place = data.find(b"strf") + 8
    for sides in ((0, 0), (2**31 - 1, 2**31 - 1), (2**20, 2**20)):
        data[place + 4 : place + 12] = struct.pack("<II", *sides)
        assert not told(bytes(data)).endswith(" frames"), sides


def test_a_size_that_changes() -> None:
    first = clips.encoded(clips.numbered(6), container="mpegts", options={"crf": "10", "g": "6"})
    small = [frame[:48, :80] for frame in clips.numbered(6)]
    data = first + clips.encoded(
        small, [240 + 40 * n for n in range(6)], container="mpegts", options={"crf": "10", "g": "6"}
    )
    with av.open(io.BytesIO(data)) as container:
        assert len({(frame.width, frame.height) for frame in container.decode(video=0)}) == 2
    frames = localsr.read_frames(data, at=0.16, count=5)
    assert {frame.picture.size for frame in frames.others} == {frames.reference.size}
    assert any("it has 80 x 48 px, the reference 96 x 64" in why for _, why in frames.left_out)
    with pytest.raises(TrackLostError, match="frames change from 96 x 64 to 80 x 48 px"):
        list(follow(data, Box(20, 20, 60, 50), count=1))


@pytest.mark.parametrize(
    "head", [b"#EXTM3U\n", b"ffconcat version 1.0\n", b"<?xml version='1.0'?><MPD>", b"RTSP/1.0", b"v=0\n"]
)
def test_playlists_are_no_clips(head: bytes, clip: bytes, tmp_path: Path) -> None:
    (tmp_path / "real.mp4").write_bytes(clip)
    path = tmp_path / "list.mp4"
    path.write_bytes(head + f"\nfile {tmp_path}/real.mp4\nfile:{tmp_path}/real.mp4\n".encode())
    with pytest.raises(ImageError, match="cannot be read"):
        localsr.read_frames(path)
    assert not looks_like_clip(path.read_bytes()[:16])


def test_what_looks_like_a_clip(clip: bytes) -> None:
    assert looks_like_clip(clip[:16])
    assert looks_like_clip(clips.encoded(clips.numbered(2), container="matroska")[:16])
    assert looks_like_clip(clips.encoded(clips.numbered(2), codec="mpeg4", container="avi", options={})[:16])
    assert not looks_like_clip(b"\0\0\0\x20ftypavif\0\0\0\0")
    assert not looks_like_clip(b"\x89PNG\r\n\x1a\n")
    assert not looks_like_clip(b"")


def test_moments_as_people_write_them() -> None:
    assert [read_moment(text) for text in ("12.4", "12.4s", "1:02.5", "1:00:02.5")] == [12.4, 12.4, 62.5, 3602.5]
    for text in ("soon", "-1", "1e9", "1:2:3:4", "", "٣"):
        with pytest.raises(LocalSRError, match="is no moment"):
            read_moment(text)
    assert split_moment(at_moment("a b#1.mp4", 0.04)) == ("a b#1.mp4", 0.04)
    assert split_moment("clip.mp4#t=1:02") == ("clip.mp4", 62.0)
    assert split_moment("clip.mp4") == ("clip.mp4", None)
