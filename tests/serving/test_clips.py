"""Clips in the service: a moment is a picture, restored from its neighbours, in the worker."""

from pathlib import Path

import clips
import numpy as np
import pytest
from networks import awake, tiny

import localsr
from localsr import images
from localsr.conditions import Adjustment
from localsr.errors import LocalSRError
from localsr.geometry import Box
from localsr.models import checkpoint
from localsr.serving.messages import OpenTask, PictureFile, RestoreTask, StripTask, TileTask, WorkerSettings
from localsr.serving.problems import Problem
from localsr.serving.settings import Limits
from localsr.serving.store import Store
from localsr.serving.tasks import TaskRunner

BOX = (20, 16, 52, 44)


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> TaskRunner:
    path = tmp_path_factory.mktemp("nets") / "tiny.safetensors"
    config = tiny().without_context()
    checkpoint.save(path, awake(config), checkpoint.Card("tiny", config))
    return TaskRunner(WorkerSettings((str(path),), "torch", "fp32", 64, 100, 100))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    random = np.random.default_rng(0)
    scene = random.integers(40, 216, (20, 24, 3), dtype=np.uint8).repeat(5, 0).repeat(5, 1)
    path = tmp_path_factory.mktemp("clips") / "upload"
    path.write_bytes(clips.encoded([np.ascontiguousarray(scene[n // 2 : n // 2 + 64, n : n + 96]) for n in range(9)]))
    return path


def test_a_moment_is_a_picture(runner: TaskRunner, clip: Path, tmp_path: Path) -> None:
    facts = runner.run(OpenTask(PictureFile("c", str(clip), "a.mp4", any_size=False), "1"), tmp_path, print)
    assert (facts.width, facts.height, facts.depth) == (96, 64, 8)
    assert (facts.clip.seconds, facts.clip.rate) == (pytest.approx(0.36, abs=0.05), pytest.approx(25))
    moment = PictureFile("c~0.160", str(clip), "a.mp4", any_size=False, at=0.16)
    saving = images.Saving()
    one = runner.run(
        RestoreTask(moment, "1", [BOX], None, None, None, None, "png", saving, Adjustment()), tmp_path, print
    )
    assert one.frames == 1
    alone = localsr.read(tmp_path / "result.png").window(Box(0, 0, 128, 112))
    several = runner.run(
        RestoreTask(moment, "1", [BOX], None, None, None, None, "png", saving, Adjustment(), 5), tmp_path, print
    )
    assert several.frames > 2
    assert np.abs(localsr.read(tmp_path / "result.png").window(Box(0, 0, 128, 112)) - alone).mean() > 1e-3
    runner.run(TileTask(moment, "1", facts.tiles.levels - 1, 0, 0), tmp_path, print)
    shown = images.read(tmp_path / "result.jpg").window(Box(0, 0, 96, 64))
    assert np.abs(shown - localsr.read_frames(clip, at=0.16, count=1).reference.window(Box(0, 0, 96, 64))).mean() < 0.03
    strip = runner.run(StripTask(moment, "1", [BOX], None, None, None, 5), tmp_path, print)
    assert (strip[0].name, strip[0].used) == ("0.160 s", True)
    assert sum(frame.used for frame in strip) == several.frames
    assert all(frame.picture.startswith("data:image/png;base64,") == frame.used for frame in strip)
    assert {frame.name: frame.motion for frame in strip}["0.200 s"] == pytest.approx((-1, 0), abs=0.15)
    assert runner.run(StripTask(moment, "1", [BOX], None, None, None, 1), tmp_path, print) == []
    runner.forget("c")
    assert not runner._pictures._open


def test_hostile_clips_are_refused_by_the_worker(runner: TaskRunner, clip: Path, tmp_path: Path) -> None:
    whole = clip.read_bytes()
    for n, data in enumerate(
        (whole[:300], whole[: len(whole) // 2], whole[:12] + b"\xff" * 500, b"#EXTM3U\n/etc/passwd")
    ):
        path = tmp_path / f"bad{n}"
        path.write_bytes(data)
        with pytest.raises(LocalSRError):
            runner.run(OpenTask(PictureFile(f"b{n}", str(path), "bad.mp4", any_size=False), "1"), tmp_path, print)
    small = TaskRunner.__new__(TaskRunner)
    small.__dict__ |= runner.__dict__
    from localsr.serving.pictures import OpenPictures

    small._pictures = OpenPictures(64, 0)
    with pytest.raises(LocalSRError, match="frames of 96 x 64 px; up to 0 megapixels"):
        small.run(OpenTask(PictureFile("d", str(clip), "a.mp4", any_size=False), "1"), tmp_path, print)
    later = PictureFile("c~9", str(clip), "a.mp4", any_size=False, at=9.0)
    with pytest.raises(LocalSRError, match="no frame at 9 s"):
        runner.run(OpenTask(later, "1"), tmp_path, print)


def test_the_store_knows_moments(runner: TaskRunner, clip: Path, tmp_path: Path) -> None:
    dropped: list[str] = []
    store = Store(tmp_path, Limits(), dropped.append)
    picture = store.new("a.mp4")
    picture.path.write_bytes(clip.read_bytes())
    picture.facts = runner.run(OpenTask(picture.file, "1"), tmp_path, print)
    store.add(picture)
    moment = store.get(f"{picture.id}~0.16")
    assert (moment.file.at, moment.file.id, moment.as_dict()["id"]) == (
        0.16,
        f"{picture.id}~0.16",
        f"{picture.id}~0.16",
    )
    assert store.get(picture.id).file.at is None
    for key in ("~", "~-1", "~1e9", "~nan", "~0.1~0.2", "~12345678"):
        with pytest.raises(Problem, match="no such moment"):
            store.get(picture.id + key)
    with pytest.raises(Problem, match="goes with its clip"):
        store.remove(f"{picture.id}~0.16")
    store.remove(picture.id)
    assert dropped == [picture.id]
    with pytest.raises(Problem, match="no such picture"):
        store.get(f"{picture.id}~0.16")
