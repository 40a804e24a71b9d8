"""One picture: its results and rows, what is broken, what a rerun does, stores behind URLs."""

from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pytest
from batches import InlineEngine, contents, request, write_picture
from networks import save_told
from PIL import Image

import localsr
from localsr.batch import storage
from localsr.batch.manifest import read_manifest
from localsr.batch.rows import Status
from localsr.batch.runner import run_batch
from localsr.batch.table import ResultTable, read_table
from localsr.batch.tasks import Task
from localsr.batch.worker import BatchWorker
from localsr.conditions import Adjustment
from localsr.errors import CheckpointError, ConfigError
from localsr.geometry import Box, whole
from localsr.inference.memory import resident
from localsr.regions import RegionRequest, text


def test_results_and_rows(many, setup) -> None:
    worker = BatchWorker(setup)
    rows = worker.process(many[2])
    restorer = localsr.load(setup.model, device="cpu")
    scene = restorer.encode(localsr.read(many[2].picture))
    assert [(r.left, r.top, r.right, r.bottom) for r in rows] == [(3, 4, 23, 18), (24, 20, 42, 35), (1, 1, 10, 10)]
    for row in rows:
        box = Box(row.left, row.top, row.right, row.bottom)
        scene.restore(box).save(Path(setup.folder) / "alone.png")
        with Image.open(Path(setup.folder) / row.output) as one, Image.open(Path(setup.folder) / "alone.png") as two:
            assert np.abs(np.asarray(one, int) - np.asarray(two, int)).max() <= 1
        assert row.status == Status.DONE
        assert row.seconds > 0
    told = scene.cost([Box(r.left, r.top, r.right, r.bottom) for r in rows])["clsr"]
    assert sum(r.gflops for r in rows) == pytest.approx(told.gflops + told.gflops_scene, rel=1e-6)


def test_what_is_taken_away_is_part_of_a_result(many, setup, tmp_path) -> None:
    model = save_told(tmp_path)
    restorer = localsr.load(model, device="cpu")
    told = replace(setup, model=str(model), sha256=restorer.card.sha256, name="told")
    adjusted = replace(told, adjustment=Adjustment(denoise=70.0))
    (usual,), (other,) = (BatchWorker(how).process(many[0]) for how in (told, adjusted))
    assert usual.output != other.output
    box = Box(other.left, other.top, other.right, other.bottom)
    expected = restorer.encode(localsr.read(many[0].picture), denoise=70).restore(box).pixels
    found = localsr.read(Path(setup.folder) / other.output)
    assert np.abs(found.window(whole(found.size)) - expected).max() <= 1 / 255
    assert found.provenance.told[0] == pytest.approx(25 * 0.49)


def test_results_of_any_size(tmp_path, setup) -> None:
    """Of sizes that no network gives: rows say how many times, and a box that cannot have the size costs itself."""
    picture = write_picture(tmp_path / "a.png")
    rows = BatchWorker(replace(setup, size="60x")).process(Task(picture, request("0,0,24,20", "0,0,8,8")))
    assert [(row.status, row.scale) for row in rows] == [(Status.DONE, 2.5), (Status.FAILED, setup.scale)]
    assert "would be enlarged 7.5 times" in rows[1].reason
    assert localsr.read(Path(setup.folder) / rows[0].output).size == localsr.Size(60, 50)
    (row,) = BatchWorker(replace(setup, scale=1.5)).process(Task(picture, request("0,0,24,20")))
    assert localsr.read(Path(setup.folder) / row.output).size == localsr.Size(36, 30)
    assert "-x1.5-" in row.output


def test_damaged_pictures_are_read_as_far_as_they_go(tmp_path, setup) -> None:
    """Of truncated pictures beyond `restore`: a batch reads them if asked to, and its rows and results say so."""
    whole = tmp_path / "whole.jpg"
    write_picture(whole)
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    task = Task(str(cut), request("1,1,9,9"))
    (row,) = BatchWorker(setup).process(task)
    assert (row.status, row.notes) == (Status.FAILED, "")
    tolerant = replace(setup, tolerant=True)
    (row,) = BatchWorker(tolerant).process(task)
    assert row.status == Status.DONE
    assert row.notes.startswith("the file is damaged: ")
    made = localsr.read(Path(setup.folder) / row.output).provenance
    assert made.source_damage in row.notes
    assert made.source_damage
    assert tolerant.digest(task) != setup.digest(task)
    tally = run_batch([task], tolerant, lambda: InlineEngine(tolerant))
    assert tally.noted == 1
    assert "1 with notes on their file" in str(tally)
    table = Path(setup.folder) / "results.parquet"
    with duckdb.connect() as database:
        database.execute(f"CREATE TABLE t AS SELECT * EXCLUDE notes FROM '{table}'")
        database.execute(f"COPY t TO '{table}'")  # as 0.1.0 wrote it
    assert [row.notes for row in read_table(setup.folder)] == [""]
    with ResultTable(setup.folder) as again:
        assert again.before(task.picture, tolerant.digest(task))[0].notes == ""


def test_what_is_broken_is_a_row(tmp_path, setup) -> None:
    worker = BatchWorker(setup)
    (tmp_path / "bad.png").write_bytes(b"no picture")
    small = write_picture(tmp_path / "small.png")
    for task, told in (
        (Task(str(tmp_path / "bad.png"), request("1,1,2,2")), "begins with b'no pictu'"),
        (Task(str(tmp_path / "none.png"), request("1,1,2,2")), "No such file"),
        (Task(small, request("50,40,20,20")), "leaves the picture"),
    ):
        (row,) = worker.process(task)
        assert row.status == Status.FAILED
        assert told in row.reason
        assert row.input == task.picture
    assert not list(Path(setup.folder).rglob("*.png"))
    (row,) = worker.process(Task(small, RegionRequest(given=(text("1,1,3,3"),), min_size=10)))
    assert (row.status, row.width, row.height, row.output) == (Status.EMPTY, 60, 50, "")


def test_a_rerun_does_only_what_is_missing(many, setup, monkeypatch) -> None:
    task, restored = many[2], []
    worker = BatchWorker(setup)
    rows, before = worker.process(task), contents(setup.folder)
    monkeypatch.setattr(worker, "_write", lambda *a: restored.append(a[2]) or BatchWorker._write(worker, *a))
    assert worker.process(task, rows) == rows  # all there, and known
    told = worker.process(task)  # all there, but nobody told
    assert [r.seconds for r in told] == [None] * 3
    assert [r.output for r in told] == [r.output for r in rows]
    assert not restored
    (Path(setup.folder) / rows[1].output).unlink()
    again = worker.process(task, rows)
    assert restored == [{1}]
    assert [r.seconds is None for r in again] == [True, False, True]
    assert contents(setup.folder) == before
    write_picture(Path(task.picture), seed=99)  # another picture under the same name
    assert {r.output for r in worker.process(task, rows)}.isdisjoint({r.output for r in rows})


def test_what_was_asked_before_stays_in_the_table(many, setup) -> None:
    asked = [
        [Task(many[0].picture, request(*given))] for given in (("1,1,9,9", "1,1,9,9"), ("2,2,9,9",), ("99,1,9,9",))
    ]
    for each in asked:
        run_batch(each, setup, lambda: InlineEngine(setup))
    assert sorted(((row.left, row.status) for row in read_table(setup.folder)), key=str) == [
        (1, Status.DONE),  # the same region twice is one
        (2, Status.DONE),
        (None, Status.FAILED),
    ]
    assert run_batch(asked[0], setup, lambda: InlineEngine(setup)).kept == 1
    run_batch([Task(many[0].picture, request("5,5,9,9"))], setup, lambda: InlineEngine(setup))
    # a failure is over once something else was asked
    assert [row.status for row in read_table(setup.folder)] == [Status.DONE] * 3


def test_a_detector_that_is_another_file_is_asked_again(many, setup) -> None:
    task = Task(many[0].picture, RegionRequest(detect=("a.onnx",)))
    one, two = (replace(setup, detectors=(("a.onnx", sha256),)) for sha256 in ("1", "2"))
    assert len({one.digest(task), two.digest(task), setup.digest(task)}) == 3
    assert one.digest(many[0]) == setup.digest(many[0])


def test_a_bad_region_is_a_row_beside_the_good_ones(many, setup) -> None:
    """One bad box of a picture, the first or the last; a rerun says the same and computes nothing twice."""
    for given in (("3,4,20,14", "50,40,20,20"), ("50,40,20,20", "3,4,20,14")):
        tasks = [Task(many[0].picture, request(*given)), many[1]]
        for _ in range(2):
            tally = run_batch(tasks, setup, lambda: InlineEngine(setup))
            assert (tally.states, tally.regions, tally.refused) == ({Status.DONE: 2}, 3, 1)
        asked = many[0].picture, setup.digest(tasks[0])
        rows = [row for row in read_table(setup.folder) if (row.input, row.ask) == asked]
        told = {row.status: row for row in rows}
        assert (len(rows), told["done"].left, told["failed"].output) == (2, 3, "")
        assert "leaves the picture, which is 60 x 50" in told["failed"].reason


@pytest.mark.slow
def test_memory_is_flat(many, setup, tmp_path) -> None:
    """The short form: a worker that has done 20 pictures takes no more after 80."""
    worker, taken = BatchWorker(setup), []
    for k in range(80):
        path = write_picture(tmp_path / f"more/{k}.png", k, (90, 70))
        worker.process(Task(path, request("5,5,40,40", "20,10,50,50")))
        taken.append(resident())
    assert taken[-1] - taken[19] < 24 * 2**20


def test_another_network_than_named_is_refused(setup) -> None:
    with pytest.raises(CheckpointError, match="put the same file on every machine"):
        BatchWorker(replace(setup, sha256="0" * 64))


def test_a_large_region_is_written_in_pieces(many, setup, monkeypatch) -> None:
    one = BatchWorker(setup).process(many[2])
    small = contents(setup.folder)
    monkeypatch.setattr("localsr.batch.worker.MAX_PIXELS_HELD_BY_WORKER", 100)
    other = replace(setup, folder=setup.folder + "2")
    BatchWorker(other).process(many[2])
    for row in one:
        with Image.open(Path(other.folder) / row.output) as two, Image.open(Path(setup.folder) / row.output) as first:
            assert np.abs(np.asarray(first, int) - np.asarray(two, int)).max() <= 1
    assert small.keys() == contents(other.folder).keys()


def test_a_store_behind_a_url(tmp_path, setup) -> None:
    import fsspec

    system = fsspec.filesystem("memory")
    for k in range(3):
        system.pipe_file(f"/shop/in/{k}.png", Path(write_picture(tmp_path / f"{k}.png", k)).read_bytes())
    system.pipe_file("/shop/in/m.csv", b'picture,box\n0.png,"1,1,9,9"\n1.png,"1,1,9,9"\n')
    there = replace(setup, folder="memory://shop/out")
    listed = read_manifest("memory://shop/in", request("1,1,9,9"), "*.png")
    assert [task.picture for task in listed] == [f"memory:///shop/in/{k}.png" for k in range(3)]
    assert len(read_manifest("memory://shop/in/m.csv", RegionRequest())) == 2
    tally = run_batch(listed, there, lambda: InlineEngine(there))
    assert tally.states == {Status.DONE: 3}
    table = read_table("memory://shop/out")
    assert [row.status for row in table] == [Status.DONE] * 3
    local = replace(setup, folder=str(tmp_path / "here"))
    tasks = [Task(str(tmp_path / f"{k}.png"), request("1,1,9,9")) for k in range(3)]
    run_batch(tasks, local, lambda: InlineEngine(local))
    for row in table:
        assert system.cat_file(f"/shop/out/{row.output}") == (Path(local.folder) / row.output).read_bytes()
    assert run_batch(listed, there, lambda: InlineEngine(there)).kept == 3
    assert not system.find("/shop/out/.parts")
    system.pipe_file("/shop/bad/b.png", b"nothing")
    broken = replace(setup, folder="memory://shop/other")
    run_batch(read_manifest("memory://shop/bad", request("1,1,9,9"), "*.png"), broken, lambda: InlineEngine(broken))
    ((_, _, reason, *_),) = read_table("memory://shop/other")
    assert reason.startswith("memory:///shop/bad/b.png begins with")  # not the copy's name


def test_a_url_that_nobody_here_opens() -> None:
    with pytest.raises(ConfigError, match="cannot be opened"):
        storage.exists("nonsense://x/y")
