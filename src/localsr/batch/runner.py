"""All of a batch: from jobs to the table, whatever happens on the way."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from types import FrameType

from localsr.batch.supervisor import Engine, work
from localsr.batch.table import Table
from localsr.batch.tasks import Job, Setup
from localsr.batch.worker import ASIDE, DONE, EMPTY, FAILED, FINAL, Rows, failed
from localsr.errors import OutputError, StoppedError

SIGNALS = (signal.SIGTERM, signal.SIGINT)
AGAIN = "run the same command again and it goes on"


@dataclass
class Tally:
    """How far a run has come, in pictures."""

    total: int
    kept: int = 0  # as an earlier run left them
    states: Counter[str] = field(default_factory=Counter)
    regions: int = 0
    again: int = 0  # deaths of workers

    @property
    def done(self) -> int:
        """Count the pictures that need no more work."""
        return self.states.total()

    @property
    def bad(self) -> int:
        """Count the pictures that came to nothing."""
        return self.states[FAILED] + self.states[ASIDE]

    def __str__(self) -> str:
        """Say it in a line."""
        words = [f"{self.states[DONE]} done ({self.regions} regions)"]
        words += [f"{self.states[state]} {state}" for state in (EMPTY, FAILED, ASIDE) if self.states[state]]
        words += [f"{self.kept} of them before"] if self.kept else []
        return ", ".join(words)


Progress = Callable[[Tally], None]


def run(jobs: Sequence[Job], setup: Setup, engine: Callable[[], Engine], progress: Progress = lambda _: None) -> Tally:
    """Have all jobs done; each picture's rows are in the table, each result whole in its place.

    After SIGTERM or the first Ctrl-C what is in hand is finished and kept, and `StoppedError` raised; a full disk is an
    `OutputError`, with all that is done kept. Run again, it does what is missing.
    """
    tally = Tally(len(jobs))
    progress(tally)

    def before(job: Job) -> Rows:
        return table.before(job.picture, setup.ask(job))

    with Table(setup.folder) as table, _signals() as heard, closing(engine()) as workers:
        try:
            for outcome in work(workers, jobs, before, lambda: bool(heard)):
                job, rows = outcome.job, outcome.rows
                tally.again += outcome.deaths
                if not rows:
                    told = f"its worker died {outcome.deaths} times; the last time {outcome.reason}"
                    rows = [failed(job, setup, ASIDE, told)]
                held = before(job)
                tally.kept += rows == held and rows[0].status in FINAL
                if rows != held:
                    table.add(rows)
                tally.states[rows[0].status] += 1
                tally.regions += sum(row.status == DONE for row in rows)
                progress(tally)
            table.finish()
        except OutputError as error:
            with _as_far_as_it_goes():
                table.keep()
            told = f"{error}; {tally.done} of {tally.total} pictures are kept; {AGAIN} once there is room"
            raise OutputError(told) from error.__cause__
    if heard and tally.done < tally.total:
        told = f"stopped; {tally.done} of {tally.total} pictures are done and kept; {AGAIN}"
        raise StoppedError(told, heard[0])
    return tally


@contextmanager
def _as_far_as_it_goes() -> Iterator[None]:
    """Let a full disk be: rows that it has no room for are told again by the next run."""
    try:
        yield
    except OutputError:
        pass


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Note SIGTERM and the first Ctrl-C instead of dying of them; a second Ctrl-C leaves at once."""
    heard: list[int] = []

    def hear(signum: int, _: FrameType | None) -> None:
        if heard and signum == signal.SIGINT:
            raise StoppedError(f"stopped at once; {AGAIN}", signum)
        heard.append(signum)

    before = {signum: signal.signal(signum, hear) for signum in SIGNALS}
    try:
        yield heard
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
