"""`localsr batch`: regions of any number of pictures."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from localsr.cli.batch_progress import duration, report_batch
from localsr.cli.condition_options import ConditionOptions
from localsr.cli.exits import ExitCode
from localsr.cli.frame_options import Count
from localsr.cli.options import JsonLines, MaxMemory, SavingOptions, SizedNetworkOptions, StrategyOption, takes_groups
from localsr.cli.picture_options import Tolerant
from localsr.cli.region_options import RegionOptions
from localsr.cli.terminal import counted, progress_bar
from localsr.errors import ConfigError
from localsr.extras import need

if TYPE_CHECKING:
    from localsr.batch.estimate import BatchEstimate
    from localsr.batch.supervisor import Engine
    from localsr.batch.tasks import Setup, Task
    from localsr.inference.restorer import Restorer

ENGINES = ("local", "ray")

Manifest = Annotated[
    str,
    typer.Argument(
        metavar="MANIFEST",
        help="A folder of pictures; or a CSV, TSV or Parquet with a column `picture` and `box` (or x, y, width, "
        "height); or JSON lines, COCO JSON and the like, that name pictures; or a clip, with --boxes of its frames. A "
        "picture may be a moment of a clip: clip.mp4#t=12.4, or by a column `at` or `frame`. Paths are relative to the "
        "file; URLs are taken too.",
        show_default=False,
    ),
]


@dataclass(frozen=True)
class BatchRegionOptions(RegionOptions):
    """Which regions of each picture."""

    boxes: Annotated[
        str | None,
        typer.Option(
            "--boxes",
            metavar="FILE|DIR",
            help="Annotations of the pictures, as restore takes; of a clip, what a tracker wrote: MOT text, or CSV.",
        ),
    ] = None


@dataclass(frozen=True)
class EngineOptions:
    """What does the work."""

    engine: Annotated[str, typer.Option(metavar="local|ray", help="Processes here, or actors of a Ray cluster.")] = (
        "local"
    )
    address: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Of the Ray cluster; by default one on this machine.")
    ] = None
    workers: Annotated[
        int | None, typer.Option(min=1, help="By default one a core, as memory allows; or one an accelerator.")
    ] = None

    def check(self) -> None:
        """Refuse an engine that does not exist or is not installed."""
        if self.engine not in ENGINES:
            raise ConfigError(f"--engine {self.engine} is not one of {', '.join(ENGINES)}")
        if self.engine == "ray":
            need("ray", "ray")
        elif self.address is not None:
            raise ConfigError("--address is of a Ray cluster; add --engine ray")

    def start(self, setup: Setup) -> Engine:
        """Start the workers."""
        if self.engine == "ray":
            from localsr.batch.engines.ray import RayEngine

            return RayEngine(setup, self.workers, self.address)
        from localsr.batch.engines.local import LocalEngine, count_workers

        return LocalEngine(setup, count_workers(self.workers))


@takes_groups
def batch_command(
    manifest: Manifest,
    *,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="OUT", help="Folder or URL for results and their table.")
    ],
    pattern: Annotated[
        str | None, typer.Option(metavar="GLOB", help="Which pictures of a folder, such as '**/*.jpg'; by default all.")
    ] = None,
    regions: BatchRegionOptions,
    frames: Count = None,
    tolerant: Tolerant = False,
    layout: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Names of results in OUT, its suffix their format. It has {key} and may have {folder}, {stem}, "
            "{label}, {n}, {left}, {top}, {width}, {height}, {scale}, and slashes.",
        ),
    ] = None,
    strategy: StrategyOption = None,
    network: SizedNetworkOptions,
    conditions: ConditionOptions,
    saving: SavingOptions,
    max_memory: MaxMemory = None,
    engine: EngineOptions,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what it would cost, from a sample.")] = False,
    contact_sheet: Annotated[
        Path | None, typer.Option(metavar="PAGE.html", help="Also write a page: each region before and after.")
    ] = None,
    as_json: JsonLines = False,
) -> None:
    """Restore regions of many pictures; run again, it does what is missing.

    OUT/results.parquet has a row for each region. Exit code 3: some pictures or regions came to nothing; their rows say
    why.
    """
    need("batch", "duckdb", "jinja2", "fsspec")
    engine.check()
    wished = conditions.adjustment()
    if contact_sheet is not None and contact_sheet.suffix.lower() != ".html":
        raise ConfigError(f"{contact_sheet} must end in .html")
    from localsr.batch import storage
    from localsr.batch.clips import is_clip, read_tracked
    from localsr.batch.manifest import read_manifest
    from localsr.batch.rows import Status
    from localsr.batch.runner import begun_precision, run_batch
    from localsr.batch.tasks import LAYOUT, Setup
    from localsr.inference.precision import AUTO
    from localsr.regions import read
    from localsr.regions.detectors.plugins import check_detector

    request = regions.request()
    folder = storage.normalise(output)
    if is_clip(manifest):
        if regions.boxes is None:
            raise ConfigError(f"{manifest} is a clip; give the boxes of its frames, by --boxes TRACK.txt or TRACK.csv")
        tasks = read_tracked(storage.normalise(manifest), regions.boxes, request)
    else:
        boxes = None if regions.boxes is None else read(regions.boxes)
        tasks = read_manifest(manifest, request, pattern, boxes, folder, lambda note: typer.echo(note, err=True))
    files = {}
    for name in sorted({name for task in tasks for name in task.request.detect}):
        if sha256 := check_detector(name):
            files[name] = sha256
    from localsr.batch.worker import THREADS
    from localsr.loading import chosen_runtime

    restorer = network.load(max_memory=max_memory, threads=THREADS)
    adjustment = restorer.adjustment(*wished)
    setup = Setup(
        folder,
        layout or LAYOUT,
        network.model,
        device=network.device,
        size=network.size or "",
        tolerant=tolerant,
        runtime=chosen_runtime(network.runtime),
        max_memory=max_memory,
        detectors=tuple(files.items()),
        saving=saving.saving,
        adjustment=adjustment,
        frames=frames,
    )
    setup = add_network(setup, restorer, strategy)
    begun = begun_precision(tasks, setup) if network.precision == AUTO else network.precision
    setup = replace(setup, precision=begun or restorer.precision)
    if dry_run:
        print_estimate(tasks, restorer, setup, engine.workers, as_json=as_json)
        return

    began = time.monotonic()
    with report_batch() as progress:
        tally = run_batch(tasks, setup, lambda: engine.start(setup), progress)
    if contact_sheet is not None:
        from localsr.batch.contact_sheet import write_contact_sheet

        with progress_bar("drawing the contact sheet") as drawing:
            asked = [(task.picture, setup.digest(task)) for task in tasks]
            shown, of = write_contact_sheet(contact_sheet, setup.folder, asked, drawing)
    if as_json:
        states = {status.value: tally.states[status] for status in Status}
        typer.echo(
            json.dumps(
                {
                    "pictures": tally.total,
                    **states,
                    "regions": tally.regions,
                    "refused": tally.refused,
                    "noted": tally.noted,
                    "kept": tally.kept,
                }
            )
        )
    else:
        typer.echo(f"{tally.total} pictures in {time.monotonic() - began:.1f} s: {tally}")
        typer.echo(f"{storage.join(folder, 'results.parquet')}: a row for each region")
        if contact_sheet is not None:
            typer.echo(f"{contact_sheet}: {shown} of {of} regions, before and after")
    if tally.bad or tally.refused:
        raise typer.Exit(ExitCode.INCOMPLETE)


def add_network(setup: Setup, restorer: Restorer, strategy: str | None) -> Setup:
    """Return the setup with what the network adds to it."""
    chosen = restorer.strategy(strategy)
    card = restorer.card
    if not card.sha256:
        raise ConfigError(f"{card.name} was never saved; results are named by a network's sha256")
    return replace(setup, sha256=card.sha256, name=card.name, scale=restorer.scale, strategy=str(chosen))


def print_estimate(tasks: list[Task], restorer: Restorer, setup: Setup, workers: int | None, *, as_json: bool) -> None:
    """Print what a batch would cost."""
    from localsr.batch.engines.local import count_workers
    from localsr.batch.estimate import estimate_batch
    from localsr.inference.strategies import Strategy

    with progress_bar("opening a sample") as progress:
        estimate = estimate_batch(
            tasks, restorer, Strategy.named(setup.strategy), progress=progress, tolerant=setup.tolerant
        )
    count = count_workers(workers)
    if as_json:
        typer.echo(json.dumps({**estimate._asdict(), "workers": count}))
        return
    typer.echo(describe_estimate(estimate, count))


def describe_estimate(estimate: BatchEstimate, workers: int) -> str:
    """Return what a batch costs, in three lines."""
    all_of_them = estimate.opened == estimate.pictures
    basis = "all of them opened" if all_of_them else f"projected from {estimate.opened} of them, spread over the list"
    broken = f"; {estimate.broken} of these cannot be read or asked so" if estimate.broken else ""
    crew = f"{counted(workers, 'worker')} on this machine, {estimate.megabytes:.0f} MB each"
    return (
        f"{estimate.pictures} pictures, {basis}{broken}\n"
        f"{estimate.regions:.0f} regions, {estimate.pixels / 1e6:.1f} megapixels of results, "
        f"{estimate.gflops:.0f} GFLOPs\n"
        f"{duration(estimate.seconds / workers)} with {crew}"
    )
