"""What becomes of a batch when things die under it, and what it costs; prints a table for each part.

- kill: a quiet run, memory watched; then one with a random worker killed every 5 s and the command itself thrice
- poison: pictures that kill their worker, among many
- scaling: two workers against one; and the same by Ray, if it is installed
- ray: a cluster of two nodes on this machine, one of them killed; the same bytes as by the local engine

`python benchmarks/batch.py kill --pictures 5000`; exit code 1 where a promise is broken.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from localsr.batch.rows import Rows
from localsr.batch.table import read_table
from localsr.models import checkpoint
from localsr.models.clsr import CLSR
from localsr.models.config import ModelConfig

EVERY = 5.0  # seconds between two kills of a worker
POISON = """import os, sys
if any("spawn_main" in word or "default_worker" in word for word in sys.orig_argv):
    import localsr.images
    read = localsr.images.read
    def deadly(source, *rest):
        if "poison" in str(source):
            os.kill(os.getpid(), 9)
        return read(source, *rest)
    localsr.images.read = deadly
"""
broken: list[str] = []


def main() -> None:
    """Run the parts that are asked for."""
    parts: dict[str, tuple[Callable[..., None], int]] = {
        "kill": (kill, 5000),
        "poison": (poison, 1000),
        "scaling": (scaling, 500),
        "ray": (nodes, 2000),
    }
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(parts)}; all by default")
    parser.add_argument("--pictures", type=int, help="how many, in place of each part's own number")
    parser.add_argument("--every", type=float, default=EVERY, help="seconds between two kills of a worker")
    parser.add_argument("--commands", type=int, default=3, help="how often the command itself is killed")
    parser.add_argument("--model", help="a network, in place of a small random one, and of the default for scaling")
    chosen = parser.parse_args()
    for name in chosen.parts or parts:
        work, count = parts[name]
        with tempfile.TemporaryDirectory(prefix="localsr-batch-") as folder:
            if chosen.model is None and name != "scaling":  # deaths do not ask what is computed
                own = argparse.Namespace(**vars(chosen) | {"model": str(network(Path(folder)))})
            else:
                own = chosen
            work(Path(folder), chosen.pictures or count, own)
    for told in broken:
        print(f"BROKEN: {told}")
    sys.exit(bool(broken))


def kill(folder: Path, count: int, chosen: argparse.Namespace) -> None:
    """Compare a quiet run with one whose workers and command are killed."""
    manifest = pictures(folder, count)
    with watched() as memory:
        began = time.monotonic()
        process = start(manifest, folder / "quiet", chosen.model)
        memory.append((process.pid, []))
        check(process.wait() == 0, "the quiet run failed")
        quiet = time.monotonic() - began
    killed, kept, orphans = 0, {}, 0
    began, draw = time.monotonic(), random.Random(0)
    marks = sorted(draw.uniform(0.1, 0.9) * count for _ in range(chosen.commands))
    for mark in [*marks, None]:
        process = start(manifest, folder / "broken", chosen.model)
        with monkey(process, chosen.every, draw) as deaths:
            while process.poll() is None and (mark is None or len(results(folder / "broken")) < mark):
                time.sleep(0.2)
            mine = children(process.pid)
            if mark is not None:
                process.kill()
            code = process.wait()
        killed += len(deaths)
        kept |= {path: path.stat().st_mtime_ns for path in results(folder / "broken")}
        orphans += left_over(mine)
    check(code == 0, f"the last run ended with {code}")
    spent = time.monotonic() - began
    apart = differences(folder / "quiet", folder / "broken")
    again = sum(path.stat().st_mtime_ns != when for path, when in kept.items())
    rows = table(folder / "broken")
    print(f"{count} pictures, one region each; quiet {quiet:.0f} s, broken {spent:.0f} s")
    print("| workers killed | command killed | results | missing or other bytes | written twice | rows | not done |")
    print("|---:" * 7 + "|")
    undone = sum(row.status != "done" for row in rows)
    found = len(results(folder / "broken"))
    print(f"| {killed} | {len(marks)} | {found} | {apart} | {again} | {len(rows)} | {undone} |")
    strays = stray(folder / "broken")
    print(f"stray files: {strays}; workers that outlived their command by 15 s: {orphans}")
    check(not apart and not again and not undone and len(rows) == count, "results differ")
    check(len({row.output for row in rows}) == count and not strays and not orphans, "something is left over")
    grown(memory)


def grown(memory: list[tuple[int, list[float]]]) -> None:
    """Print what memory did: the largest of all processes together over a fifth of the run, second and last."""
    ((_, seen),) = memory
    fifth = max(len(seen) // 5, 1)
    early, late = max(seen[fifth : 2 * fifth] or seen), max(seen[-fifth:])
    print("memory of the command and its workers together, MB")
    print("| second fifth of the run | last fifth | growth |\n" + "|---:" * 3 + "|")
    print(f"| {early:.0f} | {late:.0f} | {late - early:.0f} |")


def poison(folder: Path, count: int, chosen: argparse.Namespace) -> None:
    """Put pictures that kill their worker among many; the worker dies as by a fault in a decoder."""
    bad = max(count // 100, 1)
    manifest = pictures(folder, count, bad)
    (folder / "hook").mkdir()
    (folder / "hook/sitecustomize.py").write_text(POISON)
    began = time.monotonic()
    process = start(manifest, folder / "out", chosen.model, hook=folder / "hook")
    code = process.wait()
    rows = table(folder / "out")
    states = Counter(row.status for row in rows)
    reasons = {row.reason for row in rows if row.status == "set aside"}
    print(f"{count} pictures, {bad} of which kill their worker: {time.monotonic() - began:.0f} s")
    print(f"| exit code | {' | '.join(states)} | reason |\n|---:{'|---:' * len(states)}|---|")
    print(f"| {code} | {' | '.join(map(str, states.values()))} | {'; '.join(reasons)} |")
    check(code == 3 and states == {"done": count - bad, "set aside": bad}, f"exit {code}, {states}")


def scaling(folder: Path, count: int, chosen: argparse.Namespace) -> None:
    """Compare one worker with two, and the local engine with Ray."""
    manifest = pictures(folder, count, size=128, region=48)
    engines = ["local"]
    try:
        import ray  # noqa: F401

        engines.append("ray")
    except ImportError:
        print("ray is not installed: local only")
    print(f"{count} pictures of 128 x 128 px, a region of 48 x 48 each; the rate is that after the first result")
    print("| engine | workers | s in all | pictures a second | against one |\n|---|---:|---:|---:|---:|")
    for engine in engines:
        base = 0.0
        for workers in (1, 2):
            began = time.monotonic()
            out = folder / f"{engine}{workers}"
            process = start(manifest, out, chosen.model, "--workers", str(workers), "--engine", engine)
            check(process.wait() == 0, f"{engine} failed")
            spent = time.monotonic() - began
            times = sorted(table(out)["finished"])
            rate = (len(times) - 1) / (times[-1] - times[0])
            base = base or rate
            print(f"| {engine} | {workers} | {spent:.1f} | {rate:.2f} | {rate / base:.2f} |", flush=True)


def nodes(folder: Path, count: int, chosen: argparse.Namespace) -> None:
    """Kill one of two nodes of a Ray cluster under a run, and compare with the local engine."""
    from ray.cluster_utils import Cluster

    manifest = pictures(folder, count)
    check(start(manifest, folder / "quiet", chosen.model).wait() == 0, "the quiet run failed")
    room = {"object_store_memory": 80 * 2**20}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False, **room})
    try:
        victim, _ = (cluster.add_node(num_cpus=1, **room) for _ in range(2))
        began = time.monotonic()
        ours = ("--engine", "ray", "--address", cluster.address)
        process = start(manifest, folder / "broken", chosen.model, *ours)
        while process.poll() is None and len(results(folder / "broken")) < count * 0.4:
            time.sleep(0.2)
        before = {path: path.stat().st_mtime_ns for path in results(folder / "broken")}
        cluster.remove_node(victim, allow_graceful=False)
        code = process.wait()
        spent = time.monotonic() - began
    finally:
        cluster.shutdown()
    apart = differences(folder / "quiet", folder / "broken")
    again = sum(path.stat().st_mtime_ns != when for path, when in before.items())
    rows = table(folder / "broken")
    undone = sum(row.status != "done" for row in rows)
    print(f"{count} pictures on a Ray cluster of two nodes, one killed after {len(before)}: {spent:.0f} s")
    print("| exit code | results | missing or other bytes | written twice | rows | not done |\n" + "|---:" * 6 + "|")
    print(f"| {code} | {len(results(folder / 'broken'))} | {apart} | {again} | {len(rows)} | {undone} |")
    sound = code == 0 and not apart and not again and not undone and len(rows) == count
    check(sound and not stray(folder / "broken"), "results differ, or something is left over")


def network(folder: Path) -> Path:
    """Make a small random network with context."""
    config = ModelConfig(channels=16, stages=2, blocks=1, halo=(3, 2, 2), gcm=True, pim=True, pim_channels=4)
    torch.manual_seed(0)
    path = folder / "random.safetensors"
    checkpoint.save(path, CLSR(config), checkpoint.Card("random", config))
    return path


def pictures(folder: Path, count: int, bad: int = 0, size: int = 40, region: int = 12) -> Path:
    """Make pictures of soft noise and a manifest with a region of each; every so many are poison."""
    draw, lines = np.random.default_rng(0), ["picture,x,y,w,h"]
    (folder / "in").mkdir()
    for k in range(count):
        deadly = bad and k % (count // bad) == count // bad // 2
        name = f"in/{'poison' if deadly else 'p'}{k:05d}.png"
        pixels = draw.integers(0, 256, (size // 4, size // 4, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((size, size), Image.Resampling.BICUBIC).save(folder / name)
        x, y = draw.integers(0, size - region, 2)
        lines.append(f"{name},{x},{y},{region},{region}")
    manifest = folder / "manifest.csv"
    manifest.write_text("\n".join(lines))
    return manifest


def start(
    manifest: Path, out: Path, model: str | None, *more: str, hook: Path | None = None
) -> subprocess.Popen[bytes]:
    """Start the command."""
    args = [sys.executable, "-m", "localsr", "batch", str(manifest), "-o", str(out), *more]
    if model is not None:
        args += ["--model", model]
    path = [str(hook), *filter(None, [os.environ.get("PYTHONPATH")])]
    env = os.environ | ({"PYTHONPATH": os.pathsep.join(path)} if hook is not None else {})
    with out.with_suffix(".log").open("ab") as log:
        return subprocess.Popen(args, stdout=log, stderr=log, env=env)


def children(parent: int) -> list[int]:
    """List the workers of a command."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            above = int((path / "stat").read_text().rsplit(")", 1)[1].split()[1])
            if above == parent and b"spawn_main" in (path / "cmdline").read_bytes():
                found.append(int(path.name))
        except (OSError, IndexError):
            continue
    return found


@contextmanager
def monkey(process: subprocess.Popen[bytes], every: float, draw: random.Random) -> Iterator[list[int]]:
    """Kill a random worker every so many seconds."""
    over, deaths = threading.Event(), list[int]()

    def hunt() -> None:
        while not over.wait(every):
            if process.poll() is None and (mine := children(process.pid)):
                victim = draw.choice(mine)
                try:
                    os.kill(victim, signal.SIGKILL)
                    deaths.append(victim)
                except ProcessLookupError:
                    pass

    thread = threading.Thread(target=hunt)
    thread.start()
    try:
        yield deaths
    finally:
        over.set()
        thread.join()


@contextmanager
def watched() -> Iterator[list[tuple[int, list[float]]]]:
    """Note the memory of processes and their workers every half second: MB, a list for each process."""
    over, found = threading.Event(), list[tuple[int, list[float]]]()

    def look() -> None:
        while not over.wait(0.5):
            for process, seen in found:
                seen.append(sum(map(resident, [process, *children(process)])))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join()


def resident(process: int) -> float:
    """Give the MB that a process has in memory; 0 for one that is gone."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def left_over(processes: list[int], patience: float = 15.0) -> int:
    """Count the workers that outlive their command by so many seconds."""
    until = time.monotonic() + patience
    while time.monotonic() < until and any(resident(process) for process in processes):
        time.sleep(0.1)
    return sum(resident(process) > 0 for process in processes)


def results(folder: Path) -> list[Path]:
    """List the results of a run."""
    return sorted(folder.glob("*.png"))


def stray(folder: Path) -> list[str]:
    """List what a finished run must not leave."""
    return [path.name for path in folder.rglob("*") if path.name.endswith(".part") or path.parent.name == ".parts"]


def table(folder: Path) -> Rows:
    """Read the table of a run; where there is none, show what the command said."""
    if not (folder / "results.parquet").exists():
        sys.exit(folder.with_suffix(".log").read_text())
    return read_table(str(folder))


def differences(one: Path, other: Path) -> int:
    """Count the files that are in one folder only or differ in a byte."""
    here, there = ({path.name: hashlib.sha256(path.read_bytes()).digest() for path in results(f)} for f in (one, other))
    return sum(here.get(name) != there.get(name) for name in here.keys() | there.keys())


def check(sound: bool, told: str) -> None:
    """Remember a promise that is broken."""
    if not sound:
        broken.append(told)


if __name__ == "__main__":
    main()
