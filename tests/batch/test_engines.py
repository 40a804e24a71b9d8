"""Processes and Ray actors that are killed: nothing is lost, nothing comes twice."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from batches import InlineEngine, contents, request, stray

from localsr.batch.engines.local import LocalEngine, count_workers
from localsr.batch.rows import Status
from localsr.batch.runner import run_batch
from localsr.batch.table import read_table
from localsr.errors import LocalSRError
from localsr.files import lock_folder

POISON = """import os, sys
if any("spawn_main" in word for word in sys.orig_argv):
    import localsr.images
    read = localsr.images.read
    localsr.images.read = lambda source, **how: os.kill(os.getpid(), 9) if "07" in str(source) else read(source, **how)
"""


@pytest.mark.slow
def test_killed_processes_cost_nothing(many, setup, quiet_results) -> None:
    engine = LocalEngine(setup, 2)

    def kill(tally):
        if tally.done in (1, 6):
            os.kill(engine.processes[tally.done % 2], signal.SIGKILL)
            (Path(setup.folder) / f".localsr-{tally.done}.part").write_bytes(b"half")  # as a kill while it writes

    tally = run_batch(many, setup, lambda: engine, kill)
    assert tally.states == {Status.DONE: 12}
    assert contents(setup.folder) == quiet_results
    assert len(read_table(setup.folder)) == 24
    assert not stray(setup.folder)
    assert not engine.processes


def test_a_process_that_cannot_start_says_why(many, setup) -> None:
    other = replace(setup, sha256="0" * 64)
    with pytest.raises(LocalSRError, match="put the same file on every machine"):
        run_batch(many, other, lambda: LocalEngine(other, 1))
    with lock_folder(Path(setup.folder)):
        pass  # it was let go


@pytest.mark.slow
def test_the_command_is_killed_interrupted_and_goes_on(many, setup, tmp_path) -> None:
    (tmp_path / "hook").mkdir()
    (tmp_path / "hook/sitecustomize.py").write_text(POISON)
    (tmp_path / "m.csv").write_text("picture,box\n" + "".join(f'{task.picture},"3,4,20,14;1,1,9,9"\n' for task in many))
    command = (sys.executable, "-m", "localsr", "batch", "m.csv", "-o", setup.folder)
    args = [*command, "--model", setup.model, "--workers", "2"]
    path = [str(tmp_path / "hook"), *filter(None, [os.environ.get("PYTHONPATH")])]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(path)}

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
    table = read_table(setup.folder)
    (aside,) = (row for row in table if row.status == Status.ASIDE)
    assert [row.status for row in table if row is not aside] == [Status.DONE] * 22
    assert "the last time it was ended by signal 9" in aside.reason
    healthy = [task for task in many if "07" not in task.picture]
    asked = [task._replace(request=request("3,4,20,14", "1,1,9,9")) for task in healthy]
    quiet = replace(setup, folder=setup.folder + "-quiet")
    run_batch(asked, quiet, lambda: InlineEngine(quiet))
    assert contents(setup.folder) == contents(quiet.folder)
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
    assert (count_workers(), count_workers(7)) == (5, 7)
    monkeypatch.setattr("localsr.batch.engines.local.available", lambda: 0)
    assert count_workers() == 1


@pytest.mark.filterwarnings("ignore")  # ray's own
def test_a_lost_node_costs_nothing(many, setup, quiet_results) -> None:
    pytest.importorskip("ray", reason="ray is not installed; it comes with: pip install 'localsr[ray]'")
    from ray.cluster_utils import Cluster

    from localsr.batch.engines.ray import RayEngine

    room = {"object_store_memory": 80 * 2**20}
    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False, **room})
    try:
        victim, _ = (nodes.add_node(num_cpus=1, **room) for _ in range(2))

        def lose(tally):
            if tally.done == 4:
                nodes.remove_node(victim, allow_graceful=False)

        tally = run_batch(many, setup, lambda: RayEngine(setup, None, nodes.address), lose)
        assert tally.states == {Status.DONE: 12}
        assert contents(setup.folder) == quiet_results
        other = replace(setup, sha256="0" * 64)
        with pytest.raises(LocalSRError, match="put the same file on every machine"):
            run_batch(many, other, lambda: RayEngine(other, 1, nodes.address))
    finally:
        nodes.shutdown()
