"""What the commands share: options, tables and a bar for long work."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.progress import Progress
    from rich.table import Table

    from localsr.inference.restorer import Restorer

PATIENCE = 1.0  # seconds of work before a bar shows
WIDE = 200  # columns where the output is no terminal: a table in a file is not folded

Model = Annotated[
    str | None,
    typer.Option("--model", metavar="NAME|PATH", help="A network of `localsr models`, or a checkpoint's path."),
]
Scale = Annotated[
    int | None,
    typer.Option("--scale", metavar="2|3|4", help="How many times to enlarge; by default what the network does."),
]

Device = Annotated[str, typer.Option(metavar="auto|cpu|cuda", help="Where to compute; auto: an accelerator if any.")]
MaxMemory = Annotated[
    int | None,
    typer.Option(
        "--max-memory", metavar="MB", min=1, help="Stay below it: smaller batches and tiles.", show_default=False
    ),
]
Runtime = Annotated[
    str,
    typer.Option(metavar="torch|onnx", help="What computes; onnx: a folder of `localsr export`, or made when needed."),
]
Precision = Annotated[str, typer.Option(metavar="fp32|bf16|fp16", help="How to compute; fp32 again if not finite.")]


@contextmanager
def bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """Give a `progress(done, of)` that draws on stderr, if that is a terminal, once the work takes over a second."""
    began = time.monotonic()
    shown: Progress | None = None

    def progress(done: int, of: int) -> None:
        nonlocal shown
        if shown is None and done < of and time.monotonic() - began > PATIENCE and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import Progress

            shown = Progress(console=Console(stderr=True), transient=True)
            shown.add_task(title, total=of)
            shown.start()
        if shown is not None:
            shown.update(shown.task_ids[0], completed=done, total=of)
            if done >= of:
                shown.stop()  # what comes next may draw a bar of its own

    try:
        yield progress
    finally:
        if shown is not None:
            shown.stop()


def loaded(runtime: str, model: str | None, scale: int | None, **settings: Any) -> Restorer:  # noqa: ANN401
    """Load the restorer of a runtime; `settings` are `Restorer.load`'s."""
    from localsr.onnx.restorer import load

    with bar("exporting, once for this network") as progress:
        return load(runtime, model, progress, scale=scale, **settings)


@contextmanager
def waiting(title: str) -> Iterator[None]:
    """Draw on stderr, if that is a terminal, that work goes on whose end nobody knows, once it takes over a second."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    shown = Console(stderr=True).status(title)
    timer = threading.Timer(PATIENCE, shown.start)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        shown.stop()


def show(table: Table) -> None:
    """Print a table on stdout."""
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else WIDE).print(table)
