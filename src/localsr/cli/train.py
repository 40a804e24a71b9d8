"""`localsr train`: a recipe to a checkpoint."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from localsr.errors import ConfigError
from localsr.extras import need

if TYPE_CHECKING:
    from localsr.training.callbacks import Watch

SECONDS_BETWEEN_LINES = 60.0  # where the output is no terminal


def train_command(
    recipe: Annotated[
        Path, typer.Argument(metavar="RECIPE.toml", help="What to train, on what, for how long.", show_default=False)
    ],
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting: steps=100, model.scale=2. Repeat it."),
    ] = None,
    runs: Annotated[Path, typer.Option(metavar="DIR", help="Folder of all runs; this one goes into DIR/NAME.")] = Path(
        "runs"
    ),
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last saved step of this run.")] = False,
    restart: Annotated[bool, typer.Option("--restart", help="Throw away a saved run of this name.")] = False,
    decayed: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="STEPS",
            help="Leave the run as it is and branch off its last saved step: a run of so many steps to a rate of zero.",
        ),
    ] = None,
    max_broken: Annotated[
        float | None, typer.Option(metavar="SHARE", help="Share of the pictures that may be unreadable.")
    ] = None,
    devices: Annotated[str, typer.Option(metavar="auto|N", help="Processes on this machine, one a GPU.")] = "auto",
    nodes: Annotated[int, typer.Option(min=1, help="Machines; start the same command on each.")] = 1,
    workers: Annotated[int, typer.Option(min=0, help="Processes that prepare batches.")] = 0,
) -> None:
    """Train a network by a recipe and print the path of its checkpoint.

    Ctrl-C or SIGTERM saves and leaves; --resume goes on, --decayed 0 writes what has been trained so far.
    """
    from localsr.training.config import Recipe

    if resume and restart:
        raise ConfigError("--resume goes on with a run and --restart throws it away; choose one")
    if decayed is not None and (resume or restart):
        raise ConfigError("--decayed makes a run of its own, which neither --resume nor --restart can be said of")
    if devices != "auto" and not (devices.isdecimal() and int(devices) > 0):
        raise ConfigError(f"--devices {devices} must be auto or a number of processes")
    changed = [*(settings or []), *([f"max_broken={max_broken}"] if max_broken is not None else [])]
    wanted = Recipe.read(recipe, changed)
    need("train", "lightning", "tensorboard", "torchmetrics")
    from localsr.training.fit import fit

    first = os.environ.get("LOCAL_RANK", "0") == "0"  # DDP starts this command again for each other process
    if first:
        typer.echo(wanted.to_toml(), err=True)
    count = devices if devices == "auto" else int(devices)
    with report_training(first) as watch:
        path = fit(
            wanted,
            runs,
            resume=resume,
            restart=restart,
            decayed=decayed,
            devices=count,
            nodes=nodes,
            workers=workers,
            watch=watch,
        )
    if first:
        typer.echo(str(path))


@contextmanager
def report_training(first: bool) -> Iterator[Watch]:
    """Yield what `fit` reports its progress to: a bar on a terminal, else a line a minute, both on stderr."""
    if not first:
        yield lambda *_: None
    elif sys.stderr.isatty():
        with draw_bars() as watch:
            yield watch
    else:
        yield print_lines()


def print_lines() -> Watch:
    """Print a line every minute and for each validation."""
    began: dict[str, tuple[float, int]] = {}
    last = 0.0

    def watch(what: str, done: int, of: int, numbers: dict[str, float]) -> None:
        nonlocal last
        now = time.monotonic()
        began.setdefault(what, (now, done))
        if what != "validation" and done < of and now - last < SECONDS_BETWEEN_LINES:
            return
        last = now
        since, from_ = began["training" if what == "validation" else what]
        rate = (done - from_) / max(now - since, 1e-9)
        left = f", {rate:.2f} a second, {(of - done) / rate / 60:.0f} min left" if rate > 0 and done < of else ""
        typer.echo(f"{what} {done}/{of}{''.join(f', {k} {v:.4f}' for k, v in numbers.items())}{left}", err=True)

    return watch


@contextmanager
def draw_bars() -> Iterator[Watch]:
    """Draw bars with speed and time left."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.fields[numbers]}"), console=Console(stderr=True)) as progress:
        bars: dict[str, tuple[TaskID, float, int]] = {}
        known: dict[str, float] = {}

        def watch(what: str, done: int, of: int, numbers: dict[str, float]) -> None:
            title = "training" if what == "validation" else what
            if title not in bars:
                task = progress.add_task(title, total=of, completed=done, numbers="")
                bars[title] = (task, time.monotonic(), done)
            known.update(numbers)
            task, since, from_ = bars[title]
            rate = (done - from_) / max(time.monotonic() - since, 1e-9)
            words = [f"{rate:.2f} a second", *(f"{k} {v:.4f}" for k, v in known.items())]
            progress.update(task, completed=done, numbers=", ".join(words))

        yield watch
