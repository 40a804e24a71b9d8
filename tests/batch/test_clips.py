"""Clips in a batch: their moments by time, by frame, and from what trackers write."""

from dataclasses import replace
from pathlib import Path

import clips
import numpy as np
import pytest

import localsr
from localsr.batch.clips import read_tracked
from localsr.batch.manifest import read_manifest
from localsr.batch.worker import BatchWorker
from localsr.errors import BoxError, DataError
from localsr.geometry import Box
from localsr.regions import RegionRequest

BASE = RegionRequest()


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Ten frames at a varying rate."""
    path = tmp_path / "clip.mp4"
    path.write_bytes(clips.encoded(clips.numbered(10), [0, 40, 120, 160, 200, 260, 300, 340, 400, 440]))
    return path


def asked(tasks: list) -> dict[str, list[tuple[float, ...]]]:
    return {Path(t.picture).name: [(r.left, r.top, r.right, r.bottom) for r in t.request.given] for t in tasks}


def test_mot_text_and_csv_name_the_same_frames(clip: Path, tmp_path: Path) -> None:
    (tmp_path / "mot.txt").write_text("3,7,10,20,30,8,0.9,-1,-1,-1\n3,8,50.5,20,30,8,-1,-1,-1,-1\n6,7,12,20,30,8,1\n")
    (tmp_path / "track.csv").write_text('frame,box,label\n3,"10,20,30,8",7\n3,"50.5,20,30,8",8\n6,"12,20,30,8",7\n')
    (tmp_path / "times.csv").write_text(
        "at;x;y;w;h\n0:00.12;10;20;30;8\n0.12s;50,5;20;30;8\n0.26;12;20;30;8\n".replace("50,5", "50.5")
    )
    (tmp_path / "spaces.txt").write_text("3 7 10 20 30 8\n3 8 50.5 20 30 8\n6 7 12 20 30 8\n")
    expected = {
        "clip.mp4#t=0.12": [(10, 20, 40, 28), (50.5, 20, 80.5, 28)],
        "clip.mp4#t=0.26": [(12, 20, 42, 28)],
    }
    for name in ("mot.txt", "track.csv", "times.csv", "spaces.txt"):
        tasks = read_tracked(str(clip), str(tmp_path / name), BASE)
        assert asked(tasks) == expected, name
    regions = read_tracked(str(clip), str(tmp_path / "mot.txt"), BASE)[0].request.given
    assert [(one.label, one.score) for one in regions] == [("7", 0.9), ("8", None)]


@pytest.mark.parametrize(
    ("text", "error", "told"),
    [
        ("11,1,1,1,9,9\n", BoxError, "frame 11 is not one of 1 to 10"),
        ("0,1,1,1,9,9\n", BoxError, "frame 0 is not one of 1 to 10"),
        ("1.5,1,1,1,9,9\n", BoxError, "frame 1.5 is not one of 1 to 10"),
        ('frame,box\n²,"1,1,9,9"\n', BoxError, "frame ² is not one of 1 to 10"),
        (f"{'1' * 200_000},1,1,1,9,9\n", DataError, "cannot be read as CSV"),
        ("1,1,1,1\n", DataError, "not 4 cells"),
        ('at,frame,box\n1,1,"1,1,9,9"\n', BoxError, "says at and frame"),
        ('at,box\nsoon,"1,1,9,9"\n', BoxError, "'soon' is no moment"),
        ('picture,box\na.jpg,"1,1,9,9"\n', DataError, "names no frame"),
        ("frame,box\n1\n", DataError, "not as many cells"),
        ("\n\n", DataError, "no boxes in it"),
    ],
)
def test_what_is_no_tracker_s_file(clip: Path, tmp_path: Path, text: str, error: type, told: str) -> None:
    (tmp_path / "track.txt").write_text(text)
    with pytest.raises(error, match=told):
        read_tracked(str(clip), str(tmp_path / "track.txt"), BASE)


def test_manifests_name_moments(clip: Path, tmp_path: Path) -> None:
    table = tmp_path / "clips.csv"
    table.write_text(
        'picture,frame,at,box\nclip.mp4,6,,"1,2,9,9"\nclip.mp4,,0.2,"3,2,9,9"\nclip.mp4#t=0.2,,,"4,2,9,9"\n'
    )
    assert asked(read_manifest(str(table), BASE)) == {
        "clip.mp4#t=0.26": [(1, 2, 10, 11)],
        "clip.mp4#t=0.2": [(3, 2, 12, 11), (4, 2, 13, 11)],
    }
    table.write_text('picture,box\nclip.mp4,"1,2,9,9"\n')
    with pytest.raises(DataError, match="is a clip; say which moment of it"):
        read_manifest(str(table), BASE)


def test_a_moment_is_restored_from_its_neighbours(clip: Path, tmp_path: Path, setup) -> None:
    (tmp_path / "mot.txt").write_text("6,7,30,20,40,24\n")
    (task,) = read_tracked(str(clip), str(tmp_path / "mot.txt"), BASE)
    setup = replace(setup, frames=3)
    worker = BatchWorker(setup)
    (row,) = worker.process(task)
    assert (row.status, row.input, row.label) == ("done", f"{clip}#t=0.26", "7"), row.reason
    assert row.content == localsr.read_frames(clip).reference.sha256()
    assert row.output.startswith("clip-0.260s-30-20-40x24-x")
    frames = localsr.read_frames(clip, at=0.26, count=3)
    assert frames.name == "0.260 s"
    expected = localsr.load(setup.model, device="cpu").encode(frames).restore(Box(30, 20, 70, 44), setup.strategy)
    written = localsr.read(Path(setup.folder) / row.output).window(Box(0, 0, 40 * setup.scale, 24 * setup.scale))
    assert np.abs(written - expected.pixels).max() < 2 / 255
    assert worker.process(task, [row]) == [row]
    other = replace(setup, frames=5)
    assert other.digest(task) != setup.digest(task)
    missing = task._replace(picture=f"{clip}#t=9")
    assert "no frame at 9 s" in worker.process(missing)[0].reason
