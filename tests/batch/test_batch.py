"""Many pictures: manifests, names, the table, what a rerun does, what dies on the way."""

import base64
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from networks import awake, tiny
from PIL import Image
from typer.testing import CliRunner

import localsr
from localsr.batch import storage, supervisor
from localsr.batch.engines.local import Local, workers
from localsr.batch.estimate import bill, rates
from localsr.batch.manifest import jobs
from localsr.batch.runner import run
from localsr.batch.supervisor import Gone, Ready, Reply, work
from localsr.batch.table import Table, read
from localsr.batch.tasks import Job, Setup
from localsr.batch.worker import ASIDE, DONE, EMPTY, FAILED, Full, Rates, Row, Worker
from localsr.cli import app, batch
from localsr.errors import BoxError, CheckpointError, ConfigError, DataError, LocalSRError, OutputError, StoppedError
from localsr.files import lock_folder
from localsr.geometry import Box
from localsr.inference.memory import resident
from localsr.inference.restorer import Restorer
from localsr.inference.strategies import Strategy
from localsr.models import checkpoint
from localsr.regions import Found, Regions, text
from localsr.regions import read as read_annotations

RATES = Rates(0, 0, 0, 0, 0)
POISON = """import os, sys
if any("spawn_main" in word for word in sys.orig_argv):
    import localsr.images
    read = localsr.images.read
    localsr.images.read = lambda source: os.kill(os.getpid(), 9) if "07" in str(source) else read(source)
"""
BOXES = ("3,4,20,14", "40%,40%,30%,30%", "1,1,9,9")


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """The path of a tiny network."""
    path = tmp_path_factory.mktemp("network") / "tiny.safetensors"
    checkpoint.save(path, awake(tiny()), checkpoint.Card("tiny", tiny()))
    return path


@pytest.fixture
def setup(network, tmp_path):
    card = Restorer.load(network, device="cpu").card
    return Setup(str(tmp_path / "out"), model=str(network), sha256=card.sha256, name="tiny")


def picture(path: Path, seed: int = 0, size: tuple[int, int] = (60, 50)) -> str:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return str(path)


def regions(*given: str) -> Regions:
    return Regions(given=tuple(text(one) for one in given))


@pytest.fixture
def many(tmp_path) -> list[Job]:
    """Twelve pictures of one to three regions each."""
    return [Job(picture(tmp_path / f"in/{k:02d}.png", k), regions(*BOXES[: k % 3 + 1])) for k in range(12)]


class Inline:
    """An engine in this process; `dies` says how often a picture kills its worker."""

    def __init__(self, setup, dies=None, size=2, blamed=True):
        self.size, self.worker, self.dies, self.blamed = size, Worker(setup, RATES), dict(dies or {}), blamed
        self.events, self.sent, self.closed = [], [], False

    def start(self, slot):
        self.events.append(Ready(slot))

    def send(self, slot, job, before):
        name = Path(job.picture).stem
        self.sent.append(name)
        if self.dies.get(name, 0):
            self.dies[name] -= 1
            self.events.append(Gone(slot, "it was ended by signal 9", self.blamed))
        else:
            self.events.append(Reply(slot, self.worker.do(job, before)))

    def wait(self, seconds):
        return [self.events.pop(0)] if self.events else []

    def close(self):
        self.closed = True


def contents(folder) -> dict[str, bytes]:
    """The results in a folder."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in Path(folder).rglob("*.png")}


def stray(folder) -> list[Path]:
    return [p for p in Path(folder).rglob("*") if p.name.endswith(".part") or p.parent.name == ".parts"]


# manifests


def test_a_csv(tmp_path) -> None:
    path = tmp_path / "m.csv"
    path.write_text('picture,box,label\na.jpg,"1,2,3,4",car\nsub/b.jpg,"10%,0%,5%,5%",\na.jpg,"5,5:9,9; 1,1,2,2",bus\n')
    one, two = jobs(str(path), Regions())
    assert (one.picture, two.picture) == (str(tmp_path / "a.jpg"), str(tmp_path / "sub/b.jpg"))
    assert [(r.left, r.right, r.label, r.origin) for r in one.regions.given] == [
        (1, 4, "car", "m.csv, line 2"),
        (5, 9, "bus", "m.csv, line 4"),
        (1, 3, "bus", "m.csv, line 4"),
    ]
    assert two.regions.given[0].relative


@pytest.mark.parametrize(
    ("header", "line"), [("x,y,width,height", "1,2,3,4"), ("left,top,right,bottom", "1,2,4,6"), ("x,y,w,h", "1,2,3,4")]
)
def test_columns_of_numbers(tmp_path, header, line) -> None:
    path = tmp_path / "m.csv"
    path.write_text(f"file_name,score,{header}\na.jpg,0.5,{line}\nb.jpg,,,,,\n")
    one, two = jobs(str(path), regions("0,0,5,5"))
    (own,) = one.regions.given[1:]
    assert (own.left, own.top, own.right, own.bottom, own.score) == (1, 2, 4, 6, 0.5)
    assert len(two.regions.given) == 1  # what is asked of every picture


def test_parquet_and_json_lines_say_the_same(tmp_path) -> None:
    import polars as pl

    pl.DataFrame(
        {"picture": ["a.png", "b.png"], "boxes": [[[1, 2, 3, 4]], [[0, 0, 9, 9], [5, 5, 6, 6]]]}
    ).write_parquet(tmp_path / "m.parquet")
    found = jobs(str(tmp_path / "m.parquet"), Regions())
    assert [[(r.left, r.top, r.right, r.bottom) for r in j.regions.given] for j in found] == [
        [(1, 2, 4, 6)],
        [(0, 0, 9, 9), (5, 5, 11, 11)],
    ]
    assert [Path(j.picture).name for j in found] == ["a.png", "b.png"]


def test_a_folder_and_a_pattern(tmp_path) -> None:
    for name in ("a.jpg", "b.png", "deep/c.png"):
        picture(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    asked = regions("0,0,9,9")
    assert [Path(j.picture).name for j in jobs(str(tmp_path), asked)] == ["a.jpg", "b.png", "c.png"]
    assert [Path(j.picture).name for j in jobs(str(tmp_path), asked, "*.png")] == ["b.png"]
    with pytest.raises(ConfigError, match="3 pictures but no regions"):
        jobs(str(tmp_path), Regions())
    with pytest.raises(DataError, match=r"no pictures by '\*\.gif'"):
        jobs(str(tmp_path), asked, "*.gif")


@pytest.mark.parametrize(
    ("content", "error", "told"),
    [
        ("picture,box\na.png,nonsense\n", BoxError, r"m\.csv, line 2: 'nonsense' is no region"),
        ('picture,box\na.png,"1,1,2,2"\nb.png\n', DataError, r"m\.csv, line 3: .* not as many cells"),
        ("name,box\na.png,1\n", DataError, "no column called picture"),
        ("picture,x,y,w,h\na.png,1,x,3,4\n", BoxError, r"line 2: y is 'x'"),
        ('picture,box\n,"1,1,2,2"\n', DataError, r"line 2: '' is no picture"),
        ('picture,box\n"a.png\n', DataError, "cannot be read as CSV"),
        ("picture,x,y,width,height\na.png,1,,3,4\n", BoxError, r"line 2: y is ''"),
        ("", DataError, "no column called picture"),
    ],
)
def test_a_bad_line_is_named(tmp_path, content, error, told) -> None:
    path = tmp_path / "m.csv"
    path.write_text(content)
    with pytest.raises(error, match=told):
        jobs(str(path), Regions())


def test_a_missing_side_is_no_zero_and_a_zero_is_no_missing_score(tmp_path) -> None:
    import polars as pl

    line = {"picture": "a.png", "x": 1, "y": 2, "width": 3, "height": 4, "label": 0, "score": 0.0}
    pl.DataFrame([line]).write_parquet(tmp_path / "m.parquet")
    (region,) = jobs(str(tmp_path / "m.parquet"), Regions())[0].regions.given
    assert (region.label, region.score) == ("0", 0.0)
    for hole in ({"y": None}, {"x": None, "box": [1, None, 3, 4]}):
        pl.DataFrame([line, line | hole], schema_overrides={"box": pl.List(pl.Int64)}).write_parquet(
            tmp_path / "m.parquet"
        )
        with pytest.raises(BoxError, match=r"row 2: (y|box) is None"):
            jobs(str(tmp_path / "m.parquet"), Regions())


def test_a_line_may_name_a_picture_alone_or_with_a_detector(tmp_path) -> None:
    (tmp_path / "m.csv").write_text('picture,box,detector\na.png,,face\nb.png,"1,1,2,2",\nc.png,,\n')
    (tmp_path / "m.jsonl").write_text(
        '{"image": "a.png", "detector": "face"}\n{"picture": "b.png", "bbox": [1, 1, 2, 2]}\n{"file_name": "c.png"}\n'
    )
    for manifest in ("m.csv", "m.jsonl"):
        found = jobs(str(tmp_path / manifest), Regions())
        assert [(Path(j.picture).name, j.regions.detect, len(j.regions.given)) for j in found] == [
            ("a.png", ("face",), 0),
            ("b.png", (), 1),
            ("c.png", (), 0),
        ]
    both = jobs(str(tmp_path / "m.csv"), Regions(detect=("plate",)))
    assert both[0].regions.detect == ("plate", "face")


def test_one_picture_by_two_names_is_one(tmp_path) -> None:
    (tmp_path / "m.jsonl").write_text(
        '{"picture": "a.png", "box": "1,1,2,2"}\n{"picture": "./a.png", "box": "3,3,4,4"}'
    )
    (job,) = jobs(str(tmp_path / "m.jsonl"), Regions())
    assert [region.left for region in job.regions.given] == [1, 3]


def test_annotations_that_cannot_be_told_cost_their_pictures(tmp_path, setup) -> None:
    for name in ("a.png", "b.png", "c.png", "x/d.png", "y/d.png"):
        picture(tmp_path / "in" / name)
    labels = tmp_path / "labels"
    labels.mkdir()
    (labels / "a.txt").write_text("0 0.5 0.5 0.2 0.2")
    (labels / "b.txt").write_text("0 0.5 0.5 0.2")
    (labels / "d.txt").write_text("0 0.5 0.5 0.2 0.2")
    listed = jobs(str(tmp_path / "in"), Regions(), None, read_annotations(labels))
    tally = run(listed, setup, lambda: Inline(setup))
    assert tally.states == {DONE: 1, EMPTY: 1, FAILED: 3}
    told = {Path(r["input"]).stem: r["reason"] for r in read(setup.folder).iter_rows(named=True)}
    assert "b.txt, line 1" in told["b"]
    assert "which may be" in told["d"]
    (labels / "instances.json").write_text('{"images": [')
    with pytest.raises(BoxError, match=r"instances\.json"):
        jobs(str(tmp_path / "in"), Regions(), None, read_annotations(labels))
    (tmp_path / "other.jsonl").write_text('{"picture": "elsewhere.png", "box": "1,1,2,2"}')
    with pytest.raises(DataError, match=r"elsewhere\.png, which is no picture of"):
        jobs(str(tmp_path / "in"), Regions(), None, read_annotations(tmp_path / "other.jsonl"))


def test_results_are_no_pictures(tmp_path) -> None:
    for name in ("a.png", "out/a-1.png", "outer/b.png"):
        picture(tmp_path / name)
    found = jobs(str(tmp_path), regions("0,0,9,9"), out=str(tmp_path / "out"))
    assert [Path(j.picture).name for j in found] == ["a.png", "b.png"]
    with pytest.raises(ConfigError, match="OUT is the folder of the pictures"):
        jobs(str(tmp_path), regions("0,0,9,9"), out=str(tmp_path))
    for pattern in ("/tmp/*.png", "a**b"):
        with pytest.raises(ConfigError, match="no pattern within a folder"):
            jobs(str(tmp_path), regions("0,0,9,9"), pattern)


def test_a_manifest_that_is_not_there(tmp_path) -> None:
    with pytest.raises(DataError, match="neither a file nor a folder"):
        jobs(str(tmp_path / "none.csv"), Regions())


# names


@pytest.mark.parametrize(
    ("layout", "told"),
    [
        ("{stem}.png", "must have {key}"),
        ("{key:.2}.png", "must have {key}"),
        ("{key}", "ends in"),
        ("../{key}.png", "within OUT"),
        ("/{key}.png", "within OUT"),
        ("{key}{key.real}.png", "has {key.real}"),
        ("{key}{nonsense}.png", "has {nonsense}"),
        ("{key.png", "is none"),
    ],
)
def test_a_layout_that_cannot_be(layout, told) -> None:
    with pytest.raises(ConfigError, match=told):
        Setup("out", layout)


def test_a_name_follows_from_picture_region_network_and_options(many, setup) -> None:
    setup = replace(setup, layout="{folder}/{label}/{stem}-{n}-{key}.jpg")
    found = many[2].regions.of(localsr.read(many[2].picture))
    names = setup.outputs("/x/../holiday photos/a b*.jpg", "content", found)
    assert [name.rsplit("-", 1)[0] for name in names] == [f"holiday_photos/region/a_b-{n}" for n in (1, 2, 3)]

    def key(setup=setup, content="content", found=found):
        return setup.outputs("a.jpg", content, found[:1])[0][-20:-4]

    others = [
        key(content="other"),
        key(found=found[1:]),
        *(
            key(replace(setup, **one))
            for one in (
                {"sha256": "0"},
                {"strategy": "halo"},
                {"scale": 2},
                {"precision": "bf16"},
                {"runtime": "onnx"},
            )
        ),
    ]
    assert len({key(), *others}) == len(others) + 1
    assert key() == key(replace(setup, folder="elsewhere", device="cuda", max_memory=5))


def test_no_word_from_outside_leaves_the_folder(setup) -> None:
    setup = replace(setup, layout="{folder}/{label}/{stem}-{key}.png")
    found = [Found(Box(0, 0, 1, 1), "../../etc/\0passwd")]
    (name,) = setup.outputs("/../..png", "content", found)
    assert ".." not in name.split("/")
    assert name.startswith("folder/etc_passwd/")
    (long,) = setup.outputs(f"/a/{'ä' * 500}.png", "content", found)
    assert max(len(part.encode()) for part in long.split("/")) < 255


# one picture


def test_results_and_rows(many, setup) -> None:
    worker = Worker(setup, rates(Restorer.load(setup.model, device="cpu"), Strategy.CLSR))
    rows = worker.do(many[2])
    restorer = Restorer.load(setup.model, device="cpu")
    scene = restorer.encode(localsr.read(many[2].picture))
    assert [(r.left, r.top, r.right, r.bottom) for r in rows] == [(3, 4, 23, 18), (24, 20, 42, 35), (1, 1, 10, 10)]
    for row in rows:
        box = Box(row.left, row.top, row.right, row.bottom)
        scene.restore(box).save(Path(setup.folder) / "alone.png")
        with Image.open(Path(setup.folder) / row.output) as one, Image.open(Path(setup.folder) / "alone.png") as two:
            assert np.abs(np.asarray(one, int) - np.asarray(two, int)).max() <= 1
        assert row.status == DONE
        assert row.seconds > 0
    told = scene.cost([Box(r.left, r.top, r.right, r.bottom) for r in rows])["clsr"]
    assert sum(r.gflops for r in rows) == pytest.approx(told.gflops + told.gflops_scene, rel=0.25)  # near the borders


def test_rates_are_those_of_the_bill() -> None:
    restorer = Restorer.load(device="cpu")
    found = rates(restorer, Strategy.CLSR)
    noise = np.zeros((400, 400, 3), np.uint8)
    scene = restorer.encode(localsr.read(noise))
    for width, height in ((31, 57), (64, 20), (101, 99)):
        box = Box.from_xywh(150, 160, width, height)
        assert found.of(box) == pytest.approx(scene.cost([box])["clsr"].gflops, rel=0.02)


def test_what_is_broken_is_a_row(tmp_path, setup) -> None:
    worker = Worker(setup, RATES)
    (tmp_path / "bad.png").write_bytes(b"no picture")
    small = picture(tmp_path / "small.png")
    for job, told in (
        (Job(str(tmp_path / "bad.png"), regions("1,1,2,2")), "begins with b'no pictu'"),
        (Job(str(tmp_path / "none.png"), regions("1,1,2,2")), "No such file"),
        (Job(small, regions("50,40,20,20")), "leaves the picture"),
    ):
        (row,) = worker.do(job)
        assert row.status == FAILED
        assert told in row.reason
        assert row.input == job.picture
    assert not list(Path(setup.folder).rglob("*.png"))
    (row,) = worker.do(Job(small, Regions(given=(text("1,1,3,3"),), min_size=10)))
    assert (row.status, row.width, row.height, row.output) == (EMPTY, 60, 50, "")


def test_a_rerun_does_only_what_is_missing(many, setup, monkeypatch) -> None:
    job, restored = many[2], []
    worker = Worker(setup, RATES)
    rows, before = worker.do(job), contents(setup.folder)
    monkeypatch.setattr(worker, "_write", lambda *a: restored.append(a[3]) or Worker._write(worker, *a))
    assert worker.do(job, rows) == rows  # all there, and known
    told = worker.do(job)  # all there, but nobody told
    assert [r.seconds for r in told] == [None] * 3
    assert [r.output for r in told] == [r.output for r in rows]
    assert not restored
    (Path(setup.folder) / rows[1].output).unlink()
    again = worker.do(job, rows)
    assert restored == [{1}]
    assert [r.seconds is None for r in again] == [True, False, True]
    assert contents(setup.folder) == before
    picture(Path(job.picture), seed=99)  # another picture under the same name
    assert {r.output for r in worker.do(job, rows)}.isdisjoint({r.output for r in rows})


def test_what_was_asked_before_stays_in_the_table(many, setup) -> None:
    asked = [[Job(many[0].picture, regions(*given))] for given in (("1,1,9,9", "1,1,9,9"), ("2,2,9,9",), ("99,1,9,9",))]
    for each in asked:
        run(each, setup, lambda: Inline(setup))
    frame = read(setup.folder)
    assert sorted(zip(frame["left"].to_list(), frame["status"].to_list(), strict=True), key=str) == [
        (1, DONE),  # the same region twice is one
        (2, DONE),
        (None, FAILED),
    ]
    assert run(asked[0], setup, lambda: Inline(setup)).kept == 1
    run([Job(many[0].picture, regions("5,5,9,9"))], setup, lambda: Inline(setup))
    assert read(setup.folder)["status"].to_list() == [DONE] * 3  # a failure is over once something else was asked


def test_a_detector_that_is_another_file_is_asked_again(many, setup) -> None:
    job = Job(many[0].picture, Regions(detect=("a.onnx",)))
    one, two = (replace(setup, detectors=(("a.onnx", sha256),)) for sha256 in ("1", "2"))
    assert len({one.ask(job), two.ask(job), setup.ask(job)}) == 3
    assert one.ask(many[0]) == setup.ask(many[0])


def test_names_that_are_no_text_are_told_apart(command, tmp_path) -> None:
    for name in (b"\xff\xfe.png", b"\xfe\xff.png"):
        Path(picture(tmp_path / "in/a.png")).rename(os.fsdecode(os.fsencode(tmp_path) + b"/in/" + name))
    for kept in (0, 2):
        result = command("in", "-o", "out", "--box", "1,1,9,9", "--json", "--contact-sheet", "sheet.html")
        assert json.loads(result.stdout)["kept"] == kept, result.output
    assert read("out")["input"].n_unique() == 2


def test_memory_is_flat(many, setup, tmp_path) -> None:
    """The short form: a worker that has done 20 pictures takes no more after 80."""
    worker, taken = Worker(setup, RATES), []
    for k in range(80):
        worker.do(Job(picture(tmp_path / f"more/{k}.png", k, (90, 70)), regions("5,5,40,40", "20,10,50,50")))
        taken.append(resident())
    assert taken[-1] - taken[19] < 24 * 2**20


def test_another_network_than_named_is_refused(setup) -> None:
    with pytest.raises(CheckpointError, match="put the same file on every machine"):
        Worker(replace(setup, sha256="0" * 64), RATES)


def test_a_large_region_is_written_in_pieces(many, setup, monkeypatch) -> None:
    one = Worker(setup, RATES).do(many[2])
    small = contents(setup.folder)
    monkeypatch.setattr("localsr.batch.worker.MAX_PIXELS_HELD_BY_WORKER", 100)
    other = replace(setup, folder=setup.folder + "2")
    Worker(other, RATES).do(many[2])
    for row in one:
        with Image.open(Path(other.folder) / row.output) as two, Image.open(Path(setup.folder) / row.output) as first:
            assert np.abs(np.asarray(first, int) - np.asarray(two, int)).max() <= 1
    assert small.keys() == contents(other.folder).keys()


def test_a_store_behind_a_url(tmp_path, setup) -> None:
    import fsspec

    system = fsspec.filesystem("memory")
    for k in range(3):
        system.pipe_file(f"/shop/in/{k}.png", Path(picture(tmp_path / f"{k}.png", k)).read_bytes())
    system.pipe_file("/shop/in/m.csv", b'picture,box\n0.png,"1,1,9,9"\n1.png,"1,1,9,9"\n')
    there = replace(setup, folder="memory://shop/out")
    listed = jobs("memory://shop/in", regions("1,1,9,9"), "*.png")
    assert [job.picture for job in listed] == [f"memory:///shop/in/{k}.png" for k in range(3)]
    assert len(jobs("memory://shop/in/m.csv", Regions())) == 2
    tally = run(listed, there, lambda: Inline(there))
    assert tally.states == {DONE: 3}
    table = read("memory://shop/out")
    assert table["status"].to_list() == [DONE] * 3
    local = replace(setup, folder=str(tmp_path / "here"))
    run([Job(str(tmp_path / f"{k}.png"), regions("1,1,9,9")) for k in range(3)], local, lambda: Inline(local))
    for output in table["output"]:
        assert system.cat_file(f"/shop/out/{output}") == (Path(local.folder) / output).read_bytes()
    assert run(listed, there, lambda: Inline(there)).kept == 3
    assert not system.find("/shop/out/.parts")
    system.pipe_file("/shop/bad/b.png", b"nothing")
    broken = replace(setup, folder="memory://shop/other")
    run(jobs("memory://shop/bad", regions("1,1,9,9"), "*.png"), broken, lambda: Inline(broken))
    (reason,) = read("memory://shop/other")["reason"]
    assert reason.startswith("memory:///shop/bad/b.png begins with")  # not the copy's name


def test_a_url_that_nobody_here_opens() -> None:
    with pytest.raises(ConfigError, match="cannot be opened"):
        storage.exists("nonsense://x/y")


# the crew


def test_what_kills_its_worker_is_tried_three_times_and_last(many, setup) -> None:
    engine = Inline(setup, {"03": 99, "05": 2})
    tally = run(many, setup, lambda: engine)
    assert tally.states == {DONE: 11, ASIDE: 1}
    assert engine.sent.count("03") == 3
    assert engine.sent.count("05") == 3
    assert set(engine.sent[-4:]) <= {"03", "05"}
    table = read(setup.folder)
    (row,) = table.filter(table["status"] == ASIDE).iter_rows(named=True)
    assert row["input"].endswith("03.png")
    assert row["reason"] == "its worker died 3 times; the last time it was ended by signal 9"
    assert engine.closed
    healthy = Inline(setup)
    assert run(many, setup, lambda: healthy).kept == 11  # a rerun tries it once more
    assert read(setup.folder)["status"].unique().to_list() == [DONE]


def test_a_lost_machine_is_no_pictures_fault(many, setup) -> None:
    engine = Inline(setup, {"03": 9, "04": 99}, blamed=False)
    assert run(many, setup, lambda: engine).states == {DONE: 11, ASIDE: 1}
    assert engine.sent.count("04") == supervisor.LOSSES


def test_workers_that_never_start(many, setup) -> None:
    class Broken(Inline):
        def start(self, slot):
            self.events.append(Gone(slot, "no memory"))

    engine = Broken(setup)
    with pytest.raises(LocalSRError, match="workers do not start: no memory"):
        list(work(engine, many))


def test_a_full_disk_ends_it_and_it_goes_on(many, setup) -> None:
    class Filling(Inline):
        def send(self, slot, job, before):
            if len(self.sent) == 5:
                self.sent.append("full")
                self.events.append(Reply(slot, Full("x could not be written: No space left on device")))
            else:
                super().send(slot, job, before)

    engine = Filling(setup)
    with pytest.raises(OutputError, match=r"of 12 pictures are kept.*once there is room") as caught:
        run(many, setup, lambda: engine)
    assert caught.value.__cause__.errno == 28
    assert engine.closed
    assert len(engine.sent) <= 7  # nothing was begun after that; the other worker had one in hand
    assert run(many, setup, lambda: Inline(setup)).states == {DONE: 12}
    assert not stray(setup.folder)


def test_a_worker_tells_of_a_full_disk(many, setup, monkeypatch) -> None:
    worker = Worker(setup, RATES)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    assert isinstance(worker.do(many[0]), Full)
    assert not list(Path(setup.folder).rglob("*.png"))


def test_a_signal_finishes_what_is_in_hand(many, setup) -> None:
    def interrupt(tally):
        if tally.done == 4:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(StoppedError, match="of 12 pictures are done and kept; run the same command again") as caught:
        run(many, setup, lambda: Inline(setup), interrupt)
    assert caught.value.signum == signal.SIGTERM
    done = read(setup.folder)["input"].n_unique()
    assert 4 <= done <= 6
    assert run(many, setup, lambda: Inline(setup)).kept == done


# the table


def test_two_runs_in_one_folder(many, setup) -> None:
    with Table(setup.folder), pytest.raises(DataError, match="another process is at work"):
        run(many, setup, lambda: Inline(setup))


def test_the_table_survives(many, setup) -> None:
    with Table(setup.folder) as table:
        table.add([Row("a", DONE, output="1", finished=1.0), Row("a", DONE, output="2", finished=1.0)])
        table.keep()
        table.add([Row("b", FAILED, "broken", finished=2.0)])
        table.keep()
        table.add([Row("c", DONE, finished=3.0)])  # lost: it is killed here
    (Path(setup.folder) / ".parts/.localsr-123.part").write_bytes(b"half")
    with Table(setup.folder) as table:
        assert [r.output for r in table.before("a", "")] == ["1", "2"]
        assert table.before("a", "other") == table.before("c", "") == []
        table.add([Row("b", DONE, finished=4.0)])
        frame = table.finish()
    assert frame["input"].to_list() == ["a", "a", "b"]
    assert frame["status"].to_list() == [DONE] * 3
    assert not stray(setup.folder)
    assert read(setup.folder).equals(frame)
    (Path(setup.folder) / "results.parquet").write_bytes(b"nonsense")
    with pytest.raises(DataError, match="is no table of localsr"):
        Table(setup.folder)


def test_many_parts_become_one(setup, monkeypatch) -> None:
    monkeypatch.setattr("localsr.batch.table.MOST_PARTS", 3)
    with Table(setup.folder) as table:
        for k in range(8):
            table.add([Row(f"{k}", DONE, finished=float(k))])
            table.keep()
            assert len(list((Path(setup.folder) / ".parts").iterdir())) <= 3
        assert table.finish()["input"].to_list() == [str(k) for k in range(8)]


# the bill


def test_the_bill_is_a_projection(many, setup, tmp_path) -> None:
    restorer = Restorer.load(setup.model, device="cpu")
    all_of_them = bill(many, restorer, Strategy.CLSR)
    assert (all_of_them.pictures, all_of_them.opened, all_of_them.regions) == (12, 12, 24)
    assert all_of_them.pixels == sum(sum(f.box.area for f in j.regions.of(_open(j))) for j in many) * 16
    part = bill([*many, Job("gone", many[0].regions)] * 10, restorer, Strategy.CLSR, sample=13)
    assert (part.pictures, part.opened) == (130, 13)
    assert part.gflops == pytest.approx(10 * all_of_them.gflops, rel=0.5)
    assert not Path(setup.folder).exists()


def _open(job):
    return localsr.read(job.picture)


# engines


def quiet(many, setup):
    """The results of a run in which nothing dies."""
    there = replace(setup, folder=setup.folder + "-quiet")
    run(many, there, lambda: Inline(there))
    return contents(there.folder)


def test_killed_processes_cost_nothing(many, setup) -> None:
    engine = Local(setup, RATES, 2)

    def kill(tally):
        if tally.done in (1, 6):
            os.kill(engine.processes[tally.done % 2], signal.SIGKILL)
            (Path(setup.folder) / f".localsr-{tally.done}.part").write_bytes(b"half")  # as a kill while it writes

    tally = run(many, setup, lambda: engine, kill)
    assert tally.states == {DONE: 12}
    assert contents(setup.folder) == quiet(many, setup)
    assert read(setup.folder).height == 24
    assert not stray(setup.folder)
    assert not engine.processes


def test_a_process_that_cannot_start_says_why(many, setup) -> None:
    other = replace(setup, sha256="0" * 64)
    with pytest.raises(LocalSRError, match="put the same file on every machine"):
        run(many, other, lambda: Local(other, RATES, 1))
    with lock_folder(Path(setup.folder)):
        pass  # it was let go


def test_the_command_is_killed_interrupted_and_goes_on(many, setup, tmp_path) -> None:
    (tmp_path / "hook").mkdir()
    (tmp_path / "hook/sitecustomize.py").write_text(POISON)
    (tmp_path / "m.csv").write_text("picture,box\n" + "".join(f'{j.picture},"3,4,20,14;1,1,9,9"\n' for j in many))
    command = (sys.executable, "-m", "localsr", "batch", "m.csv", "-o", setup.folder)
    args = [*command, "--model", setup.model, "--workers", "2"]
    env = os.environ | {"PYTHONPATH": str(tmp_path / "hook")}

    def begin():
        about = {"cwd": tmp_path, "env": env, "start_new_session": True}
        process = subprocess.Popen(args, stderr=subprocess.PIPE, text=True, **about)
        before = len(contents(setup.folder))
        while process.poll() is None and len(contents(setup.folder)) < before + 3:
            time.sleep(0.005)
        return process

    with begin() as process:
        process.kill()
    kept = {path: path.stat().st_mtime_ns for path in Path(setup.folder).glob("*.png")}
    with begin() as process:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers too
        told = process.communicate()[1]
    assert process.returncode == 130 or "11 done" in told
    assert process.returncode != 130 or "run the same command again and it goes on" in told
    with begin() as process:
        told = process.communicate()[1]
    assert process.returncode == 3, told
    table = read(setup.folder)
    assert dict(table.group_by("status").len().iter_rows()) == {DONE: 22, ASIDE: 1}
    assert "the last time it was ended by signal 9" in table.filter(table["status"] == ASIDE)["reason"][0]
    healthy = [job for job in many if "07" not in job.picture]
    asked = [job._replace(regions=regions("3,4,20,14", "1,1,9,9")) for job in healthy]
    assert contents(setup.folder) == quiet(asked, setup)
    assert all(path.stat().st_mtime_ns == when for path, when in kept.items())
    assert not stray(setup.folder)
    assert not _alive(setup.model)


def _alive(word: str) -> list[str]:
    """Processes whose command line holds a word, after a moment to end in."""
    for _ in range(100):
        found = [p.parent.name for p in Path("/proc").glob("[0-9]*/cmdline") if word.encode() in _read(p)]
        if not found:
            break
        time.sleep(0.1)
    return found


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_as_many_workers_as_the_machine_holds(monkeypatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)
    monkeypatch.setattr("localsr.batch.engines.local.available", lambda: 5 * 700 * 2**20)
    assert (workers(), workers(7)) == (5, 7)
    monkeypatch.setattr("localsr.batch.engines.local.available", lambda: 0)
    assert workers() == 1


@pytest.mark.filterwarnings("ignore")  # ray's own
def test_a_lost_node_costs_nothing(many, setup) -> None:
    pytest.importorskip("ray", reason="ray is not installed; it comes with: pip install 'localsr[ray]'")
    from ray.cluster_utils import Cluster as Nodes

    from localsr.batch.engines.ray import Cluster

    room = {"object_store_memory": 80 * 2**20}
    nodes = Nodes(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False, **room})
    try:
        victim, _ = (nodes.add_node(num_cpus=1, **room) for _ in range(2))

        def lose(tally):
            if tally.done == 4:
                nodes.remove_node(victim, allow_graceful=False)

        tally = run(many, setup, lambda: Cluster(setup, RATES, None, nodes.address), lose)
        assert tally.states == {DONE: 12}
        assert contents(setup.folder) == quiet(many, setup)
        other = replace(setup, sha256="0" * 64)
        with pytest.raises(LocalSRError, match="put the same file on every machine"):
            run(many, other, lambda: Cluster(other, RATES, 1, nodes.address))
    finally:
        nodes.shutdown()


# the command


@pytest.fixture
def command(monkeypatch, tmp_path, setup):
    """The command with an engine in this process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(batch, "started", lambda engine, setup, rates, *_: Inline(setup))

    def call(*args):
        return CliRunner().invoke(app, ["batch", *args, "--model", setup.model])

    return call


def test_a_folder_from_the_command(command, many, tmp_path) -> None:
    (tmp_path / "in/broken.jpg").write_bytes(b"nothing")
    result = command("in", "-o", "out", "--box", "1,1,9,9", "--contact-sheet", "sheet.html")
    assert result.exit_code == 3, result.output
    assert "12 done (12 regions), 1 failed" in result.output
    assert "12 of 12 regions, before and after" in result.output
    again = command("in", "-o", "out", "--box", "1,1,9,9", "--json")
    told = json.loads(again.stdout)
    assert told == {"pictures": 13, "done": 12, "empty": 0, "failed": 1, "set aside": 0, "regions": 12, "kept": 12}


def test_the_page_needs_nothing_and_runs_only_its_own(command, many, tmp_path) -> None:
    (tmp_path / "m.csv").write_text('picture,box,label\nin/00.png,"1,1,9,9","<script>alert(1)</script>"\n')
    assert command("m.csv", "-o", "out", "--contact-sheet", "sheet.html").exit_code == 0
    page = (tmp_path / "sheet.html").read_text()
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page
    assert "default-src 'none'" in page
    assert page.count("data:image/webp;base64,") == 2
    assert not re.findall(r"(?:src|href)=\"(?!data:)", page)


def test_many_regions_are_shown_in_part(command, many, monkeypatch) -> None:
    monkeypatch.setattr("localsr.batch.contact_sheet.MOST", 5)
    result = command("in", "-o", "out", "--box", "1,1,9,9", "--contact-sheet", "sheet.html")
    assert "5 of 12 regions, before and after" in result.output
    assert "5 of them here, spread over all" in Path("sheet.html").read_text()


def test_the_bill_comes_first(command, many) -> None:
    result = command("in", "-o", "out", "--box", "1,1,9,9", "--dry-run", "--workers", "2")
    assert "12 pictures, all of them opened\n12 regions, 0.0 megapixels of results" in result.output
    assert "with 2 workers on this machine" in result.output
    assert not Path("out").exists()
    told = json.loads(command("in", "-o", "out", "--box", "1,1,9,9", "--dry-run", "--json").stdout)
    assert told["regions"] == 12
    assert told["pixels"] == 12 * 81 * 16


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--engine", "spark"], "not one of local, ray"),
        (["--address", "auto"], "add --engine ray"),
        (["--contact-sheet", "page.png"], "must end in .html"),
        (["--layout", "{stem}.png"], "must have {key}"),
        (["--box", "1,1,9"], "no region"),
        (["--pattern", "*.gif"], "no pictures by"),
    ],
)
def test_what_cannot_be_is_refused_before_any_work(command, many, args, told) -> None:
    result = command("in", "-o", "out", *(["--box", "1,1,9,9"] if "--box" not in args else []), *args)
    assert result.exit_code == 2
    assert told in result.output
    assert not Path("out").exists()
