"""Frames from clips and from photos."""

from pathlib import Path

import clips
import numpy as np
import pytest
from PIL import Image

import localsr
from localsr.errors import ConfigError, ImageError
from localsr.geometry import Box, whole


def photo(seed: int, height: int = 40, width: int = 60) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_a_clip_around_a_moment(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(clips.encoded(clips.numbered(20)))
    frames = localsr.read_frames(path, at=0.41, count=3)
    assert frames.reference.name == "clip.mp4"
    assert (frames.reference.size, frames.reference.depth, frames.name) == (localsr.Size(96, 64), 8, "0.400 s")
    box = whole(frames.reference.size)
    assert clips.number_of(frames.reference.window(box)) == 10
    steps = {frame.step: clips.number_of(frame.picture.window(box)) - 10 for frame in frames.others}
    assert steps == {-1: -1, 1: 1, -2: -2, 2: 2}
    assert frames.others[0].name == "0.360 s"
    assert frames.count == 3


def test_at_the_ends_there_are_fewer(tmp_path: Path) -> None:
    data = clips.encoded(clips.numbered(4))
    assert [frame.step for frame in localsr.read_frames(data).others] == [1, 2, 3]
    assert [frame.step for frame in localsr.read_frames(data, at=0.13).others] == [-1, -2, -3]
    assert localsr.read_frames(data, count=1).others == ()


def test_photos_of_one_burst(tmp_path: Path) -> None:
    Image.fromarray(photo(1)).save(tmp_path / "a.png")
    frames = localsr.read_frames([tmp_path / "a.png", photo(2), localsr.read(photo(3)), photo(4, 41)])
    assert np.array_equal(frames.reference.window(Box(0, 0, 60, 40)).shape, (3, 40, 60))
    assert [frame.name for frame in frames.others] == ["photo 2", "photo 3"]
    assert frames.count == 4
    assert frames.left_out == (("photo 4", "it has 60 x 41 px, the reference 60 x 40"),)
    assert repr(frames) == "<Frames: 3 of 60 x 40 px>"
    assert localsr.read_frames(photo(1)).others == ()


def test_what_cannot_be_frames() -> None:
    with pytest.raises(ConfigError, match="photos have no time"):
        localsr.read_frames([photo(1), photo(2)], at=1)
    for count in (0, 34):
        with pytest.raises(ConfigError, match="give 1 to 33"):
            localsr.read_frames([photo(1)], count=count)
    with pytest.raises(ConfigError, match="0 photos"):
        localsr.read_frames([])
    with pytest.raises(ImageError, match="is no picture"):
        localsr.read_frames([photo(1), object()])
