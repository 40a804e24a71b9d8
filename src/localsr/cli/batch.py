"""`localsr batch`: regions of any number of pictures."""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from localsr.cli import regions
from localsr.cli.console import Device, MaxMemory, Model, Precision, Runtime, Scale, bar, loaded
from localsr.cli.restore import Way
from localsr.cli.verify import FAILED
from localsr.errors import ConfigError
from localsr.extras import need

if TYPE_CHECKING:
    from localsr.batch.estimate import Bill
    from localsr.batch.runner import Progress, Tally
    from localsr.batch.supervisor import Engine
    from localsr.batch.tasks import Job, Setup
    from localsr.batch.worker import Rates
    from localsr.inference.restorer import Restorer

ENGINES = ("local", "ray")
EVERY = 10.0  # seconds between lines where the output is no terminal
RECENT = 60.0  # seconds that a rate is taken over: what an earlier run did goes by fast and says nothing

Manifest = Annotated[
    str,
    typer.Argument(
        metavar="MANIFEST",
        help="A folder of pictures; or a CSV, TSV or Parquet with a column `picture` and `box` (or x, y, width, "
        "height); or JSON lines, COCO JSON and the like, that name pictures. Paths in it are relative to it; URLs are "
        "taken too.",
        show_default=False,
    ),
]


def run(
    manifest: Manifest,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="OUT", help="Folder or URL for results and their table.")
    ],
    pattern: Annotated[
        str | None, typer.Option(metavar="GLOB", help="Which pictures of a folder, such as '**/*.jpg'; by default all.")
    ] = None,
    box: regions.Boxes = None,
    boxes: Annotated[
        Path | None, typer.Option("--boxes", metavar="FILE|DIR", help="Annotations of the pictures, as restore takes.")
    ] = None,
    detect: regions.Detect = None,
    grow: regions.Grow = "0",
    min_size: regions.MinSize = 0,
    min_score: regions.MinScore = None,
    merge: regions.Merge = False,
    clip: regions.Clip = False,
    layout: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Names of results in OUT, its suffix their format. It has {key} and may have {folder}, {stem}, "
            "{label}, {n}, {left}, {top}, {width}, {height}, {scale}, and slashes.",
        ),
    ] = None,
    scale: Scale = None,
    strategy: Way = None,
    model: Model = None,
    device: Device = "auto",
    precision: Precision = "fp32",
    runtime: Runtime = "torch",
    max_memory: MaxMemory = None,
    engine: Annotated[
        str, typer.Option(metavar="local|ray", help="Processes here, or actors of a Ray cluster.")
    ] = "local",
    address: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Of the Ray cluster; by default one on this machine.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="By default one a core, as memory allows; or one an accelerator.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what it would cost, from a sample.")] = False,
    contact_sheet: Annotated[
        Path | None, typer.Option(metavar="PAGE.html", help="Also write a page: each region before and after.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of lines.")] = False,
) -> None:
    """Restore regions of many pictures; run again, it does what is missing.

    OUT/results.parquet has a row for each region. Exit code 3: some pictures came to nothing, and their rows say why.
    """
    need("batch", "polars", "jinja2", "fsspec")
    if engine not in ENGINES:
        raise ConfigError(f"--engine {engine} is not one of {', '.join(ENGINES)}")
    if engine == "ray":
        need("ray", "ray")
    elif address is not None:
        raise ConfigError("--address is of a Ray cluster; add --engine ray")
    if contact_sheet is not None and contact_sheet.suffix.lower() != ".html":
        raise ConfigError(f"{contact_sheet} must end in .html")
    from localsr import regions
    from localsr.batch import storage
    from localsr.batch.manifest import jobs
    from localsr.batch.tasks import LAYOUT, Setup
    from localsr.regions.detectors import plugins

    asked = regions.Regions(
        given=tuple(regions.text(one) for one in box or ()),
        detect=tuple(detect or ()),
        margin=regions.Margin.parse(grow),
        min_score=min_score,
        min_size=min_size,
        merge=merge,
        clip=clip,
    )
    folder = storage.normal(output)
    listed = jobs(manifest, asked, pattern, None if boxes is None else regions.read(boxes), folder)
    files = {}
    for name in sorted({name for job in listed for name in job.regions.detect}):
        if sha256 := plugins.check(name):
            files[name] = sha256
    restorer = loaded(runtime, model, scale, device=device, precision=precision, max_memory=max_memory)
    layout = layout or LAYOUT
    setup = Setup(
        folder, layout, model, device=device, runtime=runtime, precision=precision, max_memory=max_memory,
        detectors=tuple(files.items()),
    )  # fmt: skip
    setup, rates = settled(setup, restorer, strategy)
    if dry_run:
        print_bill(listed, restorer, setup, workers, as_json=as_json)
        return
    from localsr.batch.runner import run as run_all

    began = time.monotonic()
    with told() as progress:
        tally = run_all(listed, setup, lambda: started(engine, setup, rates, workers, address), progress)
    if contact_sheet is not None:
        from localsr.batch.contact_sheet import contact_sheet as write_sheet

        with bar("drawing the contact sheet") as drawing:
            shown, of = write_sheet(
                contact_sheet, setup.folder, [(job.picture, setup.ask(job)) for job in listed], drawing
            )
    if as_json:
        states = {state: tally.states[state] for state in ("done", "empty", "failed", "set aside")}
        typer.echo(json.dumps({"pictures": tally.total, **states, "regions": tally.regions, "kept": tally.kept}))
    else:
        typer.echo(f"{tally.total} pictures in {time.monotonic() - began:.1f} s: {tally}")
        typer.echo(f"{storage.join(folder, 'results.parquet')}: a row for each region")
        if contact_sheet is not None:
            typer.echo(f"{contact_sheet}: {shown} of {of} regions, before and after")
    if tally.bad:
        raise typer.Exit(FAILED)


def settled(setup: Setup, restorer: Restorer, strategy: str | None) -> tuple[Setup, Rates]:
    """Put into the setup what the network says, and count what regions cost by it."""
    from dataclasses import replace

    from localsr.batch.estimate import rates
    from localsr.inference.strategies import Strategy

    plain = restorer.network.config.plain
    way = Strategy.named(strategy) if strategy is not None else Strategy.HALO if plain else Strategy.CLSR
    card = restorer.card
    if not card.sha256:
        raise ConfigError(f"{card.name} was never saved; results are named by a network's sha256")
    made = replace(setup, sha256=card.sha256, name=card.name, scale=restorer.scale, strategy=str(way))
    return made, rates(restorer, way)


def started(engine: str, setup: Setup, rates: Rates, workers: int | None, address: str | None) -> Engine:
    """Begin an engine."""
    if engine == "ray":
        from localsr.batch.engines.ray import Cluster

        return Cluster(setup, rates, workers, address)
    from localsr.batch.engines.local import Local
    from localsr.batch.engines.local import workers as suitable

    return Local(setup, rates, suitable(workers))


def print_bill(jobs: list[Job], restorer: Restorer, setup: Setup, workers: int | None, *, as_json: bool) -> None:
    """Print what a batch would cost."""
    from localsr.batch.engines.local import workers as suitable
    from localsr.batch.estimate import bill
    from localsr.inference.strategies import Strategy

    with bar("opening a sample") as progress:
        told = bill(jobs, restorer, Strategy.named(setup.strategy), progress=progress)
    count = suitable(workers)
    if as_json:
        typer.echo(json.dumps({**told._asdict(), "workers": count}))
        return
    typer.echo(spoken(told, count))


def spoken(bill: Bill, workers: int) -> str:
    """Say what a batch costs."""
    all_of_them = bill.opened == bill.pictures
    basis = "all of them opened" if all_of_them else f"projected from {bill.opened} of them, spread over the list"
    broken = f"; {bill.broken} of these cannot be read or asked so" if bill.broken else ""
    crew = f"{workers} worker{'s' if workers > 1 else ''} on this machine, {bill.megabytes:.0f} MB each"
    return (
        f"{bill.pictures} pictures, {basis}{broken}\n"
        f"{bill.regions:.0f} regions, {bill.pixels / 1e6:.1f} megapixels of results, {bill.gflops:.0f} GFLOPs\n"
        f"{duration(bill.seconds / workers)} with {crew}"
    )


@contextmanager
def told() -> Iterator[Progress]:
    """Give what a run tells of its work: a bar on a terminal, else a line now and then, both on stderr."""
    pace = Pace()
    if not sys.stderr.isatty():
        last = 0.0

        def line(tally: Tally) -> None:
            nonlocal last
            told, now = pace.at(tally), time.monotonic()
            if now - last >= EVERY or tally.done == tally.total:
                last = now
                typer.echo(f"pictures {tally.done}/{tally.total}{told}", err=True)

        yield line
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("pictures"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True)) as shown:
        task = shown.add_task("")
        yield lambda tally: shown.update(task, total=tally.total, completed=tally.done, description=pace.at(tally))


class Pace:
    """The rate of the last minute, and the time left at it."""

    def __init__(self) -> None:
        """Begin."""
        self._seen: deque[tuple[float, int]] = deque()

    def at(self, tally: Tally) -> str:
        """Say rate, time left, and what came to nothing."""
        if not tally.done:  # workers are starting
            return ""
        now = time.monotonic()
        self._seen.append((now, tally.done))
        while now - self._seen[0][0] > RECENT and len(self._seen) > 2:
            self._seen.popleft()
        since, done = self._seen[0]
        rate = (tally.done - done) / max(now - since, 1e-9)
        left = (tally.total - tally.done) / rate if rate > 0 else 0.0
        words = [f"{rate:.1f} a second"] if rate > 0 else []
        if left > 0:
            words.append(f"{duration(left)} left")
        words += [f"{tally.bad} came to nothing"] if tally.bad else []
        words += [f"{tally.again} deaths of workers"] if tally.again else []
        return "".join(f", {word}" for word in words)


def duration(seconds: float) -> str:
    """Say how long something takes."""
    if seconds > 5400:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 60:.0f} min" if seconds > 90 else f"{seconds:.0f} s"
