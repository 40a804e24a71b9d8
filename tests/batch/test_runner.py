"""Workers that die, machines that are lost, full disks and signals."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from batches import InlineEngine, stray

from localsr.batch import supervisor
from localsr.batch.rows import NoRoom, Status
from localsr.batch.runner import begun_precision, run_batch
from localsr.batch.supervisor import Died, Reply, supervise
from localsr.batch.table import read_table
from localsr.batch.worker import BatchWorker
from localsr.errors import LocalSRError, OutputError, StoppedError


def test_what_kills_its_worker_is_tried_three_times_and_last(many, setup) -> None:
    engine = InlineEngine(setup, {"03": 99, "05": 2})
    tally = run_batch(many, setup, lambda: engine)
    assert tally.states == {Status.DONE: 11, Status.ASIDE: 1}
    assert engine.sent.count("03") == 3
    assert engine.sent.count("05") == 3
    assert set(engine.sent[-4:]) <= {"03", "05"}
    table = read_table(setup.folder)
    (row,) = (row for row in table if row.status == Status.ASIDE)
    assert row.input.endswith("03.png")
    assert row.reason == "its worker died 3 times; the last time it was ended by signal 9"
    assert engine.closed
    healthy = InlineEngine(setup)
    assert run_batch(many, setup, lambda: healthy).kept == 11  # a rerun tries it once more
    assert {row.status for row in read_table(setup.folder)} == {Status.DONE}


def test_a_folder_goes_on_in_the_precision_it_was_begun_in(many, setup) -> None:
    setup = replace(setup, precision="bf16")
    assert begun_precision(many, setup) is None
    assert not os.path.exists(setup.folder)
    run_batch(many[:2], setup, lambda: InlineEngine(setup))
    for here in ("fp32", "bf16"):
        assert begun_precision(many, replace(setup, precision=here)) == "bf16"
    assert begun_precision(many, replace(setup, strategy="crop")) is None


def test_what_is_done_starts_no_worker(many, setup) -> None:
    """Until a result is gone, or a picture has changed."""
    run_batch(many, setup, lambda: InlineEngine(setup))
    tally = run_batch(many, setup, lambda: pytest.fail("a worker was started"))
    assert (tally.kept, tally.states) == (12, {Status.DONE: 12})
    table = read_table(setup.folder)
    (Path(setup.folder) / table[3].output).unlink()
    os.utime(many[5].picture, ns=(1, 1))
    engine = InlineEngine(setup)
    assert run_batch(many, setup, lambda: engine).kept == 10
    assert engine.sent == sorted({Path(table[3].input).stem, "05"})


def test_a_lost_machine_is_no_pictures_fault(many, setup) -> None:
    engine = InlineEngine(setup, {"03": 9, "04": 99}, blamed=False)
    assert run_batch(many, setup, lambda: engine).states == {Status.DONE: 11, Status.ASIDE: 1}
    assert engine.sent.count("04") == supervisor.MAX_DEATHS


def test_workers_that_never_start(many, setup) -> None:
    class Broken(InlineEngine):
        def start(self, slot):
            self.events.append(Died(slot, "no memory"))

    engine = Broken(setup)
    with pytest.raises(LocalSRError, match="workers do not start: no memory"):
        list(supervise(engine, many))


def test_a_full_disk_ends_it_and_it_goes_on(many, setup) -> None:
    class Filling(InlineEngine):
        def send(self, slot, task, before):
            if len(self.sent) == 5:
                self.sent.append("full")
                self.events.append(Reply(slot, NoRoom("x could not be written: No space left on device")))
            else:
                super().send(slot, task, before)

    engine = Filling(setup)
    with pytest.raises(OutputError, match=r"of 12 pictures are kept.*once there is room") as caught:
        run_batch(many, setup, lambda: engine)
    assert caught.value.__cause__.errno == 28
    assert engine.closed
    assert len(engine.sent) <= 7  # nothing was begun after that; the other worker had one in hand
    assert run_batch(many, setup, lambda: InlineEngine(setup)).states == {Status.DONE: 12}
    assert not stray(setup.folder)


def test_a_worker_tells_of_a_full_disk(many, setup, monkeypatch) -> None:
    worker = BatchWorker(setup)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    assert isinstance(worker.process(many[0]), NoRoom)
    assert not list(Path(setup.folder).rglob("*.png"))


def test_a_signal_finishes_what_is_in_hand(many, setup) -> None:
    def interrupt(tally):
        if tally.done == 4:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(StoppedError, match="of 12 pictures are done and kept; run the same command again") as caught:
        run_batch(many, setup, lambda: InlineEngine(setup), interrupt)
    assert caught.value.signum == signal.SIGTERM
    done = len({row.input for row in read_table(setup.folder)})
    assert 4 <= done <= 6
    assert run_batch(many, setup, lambda: InlineEngine(setup)).kept == done
