"""What a terminal shows of long work, and tables."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.table import Table

    from localsr.progress import Progress

SECONDS_BEFORE_SHOWN = 1.0  # of work; shorter work draws nothing
COLUMNS_WITHOUT_TERMINAL = 200  # a table in a file is not folded


@contextmanager
def progress_bar(title: str) -> Iterator[Progress]:
    """Yield a `progress(done, total)` that draws a bar on stderr, if that is a terminal, for work of over a second."""
    began = time.monotonic()
    shown: Bar | None = None

    def progress(done: int, total: int) -> None:
        nonlocal shown
        waited = time.monotonic() - began
        if shown is None and done < total and waited > SECONDS_BEFORE_SHOWN and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import Progress

            shown = Progress(console=Console(stderr=True), transient=True)
            shown.add_task(title, total=total)
            shown.start()
        if shown is not None:
            shown.update(shown.task_ids[0], completed=done, total=total)
            if done >= total:
                shown.stop()  # what comes next may draw a bar of its own

    try:
        yield progress
    finally:
        if shown is not None:
            shown.stop()


@contextmanager
def spinner(title: str) -> Iterator[None]:
    """Show on stderr, if that is a terminal, that work whose end nobody knows goes on, once it takes over a second."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    shown = Console(stderr=True).status(title)
    timer = threading.Timer(SECONDS_BEFORE_SHOWN, shown.start)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        shown.stop()


def print_table(table: Table) -> None:
    """Print a table on stdout."""
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else COLUMNS_WITHOUT_TERMINAL).print(table)


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: `1 region`, `2 regions`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
