"""Clips written and read again."""

import json
from pathlib import Path

import av
import numpy as np
import pytest

import localsr
from localsr.errors import OutputError
from localsr.frames.writing import writing_clip
from localsr.images import Provenance


def test_a_clip_keeps_times_and_colours(tmp_path: Path) -> None:
    path, times = tmp_path / "a" / "clip.mp4", [3.0, 3.04, 3.1, 3.25]
    colours = [(0.8, 0.2, 0.1), (0.1, 0.7, 0.3), (0.2, 0.2, 0.9), (0.5, 0.5, 0.5)]
    made = Provenance("net", "1" * 64, "2" * 64, (localsr.Box(1, 2, 3, 4),), 4, "clsr")
    with writing_clip(path) as clip:
        clip.say(made)
        for colour, seconds in zip(colours, times, strict=True):
            clip.add(np.full((3, 33, 47), 0.0, np.float32) + np.array(colour, np.float32)[:, None, None], seconds)
    with av.open(str(path)) as container:
        assert json.loads(container.metadata["comment"]) == made.as_dict()
    for colour, seconds in zip(colours, times, strict=True):
        frame = localsr.read_frames(path, at=seconds - 3 + 0.001, count=1)
        assert frame.reference.size == localsr.Size(48, 34)  # even, as its colours are stored
        assert frame.name == f"{seconds - 3:.3f} s"
        pixels = frame.reference.window(localsr.Box(8, 8, 32, 24))
        assert pixels.mean((1, 2)) == pytest.approx(colour, abs=0.02)
    assert [each.name for each in path.parent.iterdir()] == ["clip.mp4"]


def test_nothing_is_left_of_a_clip_that_was_not_ended(tmp_path: Path) -> None:
    def begin() -> None:
        with writing_clip(tmp_path / "clip.mp4") as clip:
            clip.add(np.zeros((3, 16, 16), np.float32), 0)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        begin()
    assert not list(tmp_path.iterdir())
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(OutputError, match="is not a file"), writing_clip(tmp_path / "folder.mp4"):
        pass
