"""Frames of clips by their time stamps, and what is refused."""

import io
from pathlib import Path

import av
import clips
import numpy as np
import pytest

import localsr
from localsr.errors import ConfigError, ImageError
from localsr.frames import clip, decoding
from localsr.geometry import Box, Size, whole

STAMPS = np.cumsum(np.random.default_rng(4).integers(20, 81, 60)).tolist()  # ms; a rate that varies


@pytest.fixture(scope="module")
def varying() -> bytes:
    """60 frames at a varying rate, with B-frames, and few key frames."""
    options = {"crf": "10", "bf": "3", "g": "24", "preset": "veryfast", "x264-params": "b-adapt=0"}
    return clips.encoded(clips.numbered(60), [stamp - STAMPS[0] for stamp in STAMPS], options=options)


def shown(data: bytes, at: float, reach: int = 2) -> tuple[int, list[int], list[int]]:
    found = decoding.excerpt(io.BytesIO(data), "the clip", at, reach, reach)
    box = whole(found.reference.size)
    several = [[clips.number_of(frame.window(box)) for frame in side] for side in (found.before, found.after)]
    return clips.number_of(found.reference.window(box)), several[0], several[1]


def test_random_moments_are_the_frames_that_sequential_decoding_gives(varying: bytes) -> None:
    with av.open(io.BytesIO(varying)) as container:
        stream = container.streams.video[0]
        assert any(frame.pict_type == av.video.frame.PictureType.B for frame in container.decode(stream))
    times = [(stamp - STAMPS[0]) / 1000 for stamp in STAMPS]
    for at in np.random.default_rng(1).uniform(0, times[-1], 100):
        number = max(n for n, time in enumerate(times) if time <= at)
        found, before, after = shown(varying, float(at))
        assert found == number
        assert before == [n for n in (number - 1, number - 2) if n >= 0]
        assert after == [n for n in (number + 1, number + 2) if n < 60]


@pytest.mark.parametrize(
    ("codec", "container"), [("libx264", "matroska"), ("libx264", "mpegts"), ("mpeg4", "avi"), ("libvpx-vp9", "webm")]
)
def test_other_containers(codec: str, container: str) -> None:
    options = {"crf": "10", "g": "12"} if codec.startswith("lib") else {"b": "4000000", "g": "12"}
    options |= {"cpu-used": "8", "deadline": "realtime"} if "vpx" in codec else {}
    data = clips.encoded(clips.numbered(30), codec=codec, container=container, options=options)
    for at, number in ((0.0, 0), (0.401, 10), (1.16, 29)):
        assert shown(data, at, 1)[0] == number


def test_a_moment_that_is_not_there(varying: bytes) -> None:
    with pytest.raises(ConfigError, match=r"the clip has no frame at 60 s; it lasts \d"):
        shown(varying, 60)
    for at in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ConfigError, match="a number of seconds from 0 on"):
            shown(varying, at)


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_turned_clips_are_upright(rotation: int) -> None:
    picture = np.zeros((32, 48, 3), np.uint8)
    picture[:16, :16], picture[16:, 32:] = (200, 30, 30), (30, 30, 200)
    data = clips.encoded([picture] * 3, rotation=rotation)
    frame = decoding.excerpt(io.BytesIO(data), "the clip", 0, 0, 0).reference
    with av.open(io.BytesIO(data)) as container:
        turns = round(next(container.decode(video=0)).rotation / 90)
    upright = np.rot90(picture, turns)
    assert frame.size == Size(upright.shape[1], upright.shape[0])
    whole_frame = frame.levels(whole(frame.size))
    assert np.abs(whole_frame[4:-4, 4:-4].astype(int) - upright[4:-4, 4:-4]).mean() < 12
    box = Box(5, 3, 22, 30)
    assert np.array_equal(frame.levels(box), whole_frame[box.rows, box.columns])


def test_windows_are_the_same_wherever_they_begin(varying: bytes) -> None:
    frame = decoding.excerpt(io.BytesIO(varying), "the clip", 1, 0, 0).reference
    everything = frame.levels(whole(frame.size))
    for box in (Box(0, 0, 7, 5), Box(33, 21, 70, 50), Box(90, 60, 96, 64)):
        assert np.array_equal(frame.levels(box), everything[box.rows, box.columns])


@pytest.mark.parametrize(("matrix", "full"), [(1, False), (5, False), (1, True)])
def test_colours_follow_their_tags(matrix: int, full: bool) -> None:
    """A patch of one colour comes back whatever matrix and range it was stored by."""
    colour = (180, 90, 40)
    picture = np.full((32, 32, 3), colour, np.uint8)
    source = av.VideoFrame.from_ndarray(picture, format="rgb24")
    stored = source.reformat(
        format="yuv444p", dst_colorspace=matrix, dst_color_range=2 if full else 1, src_color_range=2
    )
    stored.colorspace, stored.color_range = matrix, 2 if full else 1
    frame = clip.ClipFrame(stored, 0.0, "the clip")
    assert np.abs(frame.levels(Box(4, 4, 20, 20)).astype(int) - colour).max() <= 2


def test_ten_bits_are_kept() -> None:
    data = clips.encoded(
        [np.full((32, 32, 3), 100, np.uint8)] * 2, codec="ffv1", container="matroska", pix_fmt="yuv420p10le", options={}
    )
    frames = localsr.read_frames(data)
    assert frames.reference.depth == 16
    assert frames.reference.window(Box(4, 4, 8, 8)) == pytest.approx(100 / 255, abs=2e-3)


def test_hdr_and_interlaced_clips_are_refused() -> None:
    picture = np.full((32, 32, 3), 100, np.uint8)
    data = clips.encoded([picture] * 2, color_trc=16)
    with pytest.raises(ImageError, match=r"HDR \(PQ\); map it to SDR"):
        localsr.read_frames(data)
    interlaced = {"crf": "20", "x264-params": "tff=1"}
    with pytest.raises(ImageError, match="interlaced; deinterlace it"):
        localsr.read_frames(clips.encoded([picture] * 4, options=interlaced))


def test_hostile_clips_get_a_sentence(varying: bytes, tmp_path: Path) -> None:
    other = tmp_path / "other.mp4"
    other.write_bytes(varying)
    playlists = {
        "list.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:9,\n{other}\n#EXT-X-ENDLIST\n",
        "list.ffconcat": f"ffconcat version 1.0\nfile {other}\n",
        "list.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 1234 RTP/AVP 96\n",
    }
    for name, text in playlists.items():
        path = tmp_path / name
        path.write_text(text)
        with pytest.raises(ImageError, match="cannot be read"):
            localsr.read_frames(path)
    with pytest.raises(ImageError, match="cannot be read"):
        localsr.read_frames(varying[: len(varying) // 2])  # the index stands at the end
    with pytest.raises(ImageError, match="cannot be read"):
        localsr.read_frames(b"no clip at all" * 100)
    with pytest.raises(ImageError, match="cannot be read"):
        localsr.read_frames(b"")
    with pytest.raises(ImageError, match="No such file"):
        localsr.read_frames(tmp_path / "nothing.mp4")
    with pytest.raises(ImageError, match="cannot be read"):
        localsr.read_frames(tmp_path)


def test_a_truncated_stream_gives_the_frames_that_are_there() -> None:
    data = clips.encoded(clips.numbered(30), container="mpegts", options={"crf": "10", "g": "10"})
    assert shown(data[: len(data) // 2], 0.1, 1)[0] == 2
    with pytest.raises(ConfigError, match=r"no frame at 1\.1 s"):
        shown(data[: len(data) // 2], 1.1, 1)


def test_decoding_is_bounded(varying: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "MAX_DECODED", 5)
    with pytest.raises(ImageError, match="too few key frames"):
        shown(varying, 1)
    monkeypatch.setattr(decoding, "MAX_DECODED", 500)
    monkeypatch.setattr(decoding, "MAX_SECONDS", -1.0)
    with pytest.raises(ImageError, match="too few key frames"):
        shown(varying, 1)
    monkeypatch.setattr(decoding, "MAX_CLIP_PIXELS", 1000)
    with pytest.raises(ImageError, match="frames of 96 x 64 px"):
        shown(varying, 1)
