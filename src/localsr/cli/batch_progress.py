"""How far `localsr batch` has come: a bar on a terminal, else a line now and then."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from localsr.batch.runner import ReportTally, Tally

SECONDS_BETWEEN_LINES = 10.0  # where the output is no terminal
RATE_SECONDS = 60.0  # that a rate is measured over: pictures that an earlier run did go by fast and would mislead


@contextmanager
def report_batch() -> Iterator[ReportTally]:
    """Yield what a run reports its progress to: a bar on a terminal, else a line now and then, both on stderr."""
    pace = Pace()
    if not sys.stderr.isatty():
        last = 0.0

        def print_line(tally: Tally) -> None:
            nonlocal last
            state, now = pace.at(tally), time.monotonic()
            if now - last >= SECONDS_BETWEEN_LINES or tally.done == tally.total:
                last = now
                typer.echo(f"pictures {tally.done}/{tally.total}{state}", err=True)

        yield print_line
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
        """Start with no picture seen."""
        self._seen: deque[tuple[float, int]] = deque()

    def at(self, tally: Tally) -> str:
        """Return the rate, the time left and what failed, ready to follow the number of pictures."""
        if not tally.done:  # workers are starting
            return ""
        now = time.monotonic()
        self._seen.append((now, tally.done))
        while now - self._seen[0][0] > RATE_SECONDS and len(self._seen) > 2:
            self._seen.popleft()
        since, done = self._seen[0]
        rate = (tally.done - done) / max(now - since, 1e-9)
        left = (tally.total - tally.done) / rate if rate > 0 else 0.0
        words = [f"{rate:.1f} a second"] if rate > 0 else []
        if left > 0:
            words.append(f"{duration(left)} left")
        words += [f"{tally.bad} came to nothing"] if tally.bad else []
        words += [f"{tally.deaths} deaths of workers"] if tally.deaths else []
        return "".join(f", {word}" for word in words)


def duration(seconds: float) -> str:
    """Return a time in the unit that suits it: `90 s`, `12 min`, `1.5 h`."""
    if seconds > 5400:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 60:.0f} min" if seconds > 90 else f"{seconds:.0f} s"
