"""All of a batch: from tasks to the table, whatever happens on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field, replace

from localsr.batch import storage
from localsr.batch.rows import FINAL, Rows, Status, failure_row, rows_hold
from localsr.batch.supervisor import Engine, supervise
from localsr.batch.table import PARTS, TABLE, ResultTable
from localsr.batch.tasks import Setup, Task
from localsr.errors import OutputError, StoppedError
from localsr.inference.execution import PRECISIONS
from localsr.interrupts import stop_requests

RESUME = "run the same command again and it goes on"


@dataclass
class Tally:
    """How far a run has come, in pictures."""

    total: int
    kept: int = 0  # as an earlier run left them
    states: Counter[str] = field(default_factory=Counter)  # by Status
    regions: int = 0
    refused: int = 0  # regions, of pictures that have others
    noted: int = 0  # pictures with something odd about their file
    deaths: int = 0  # of workers

    @property
    def done(self) -> int:
        """Pictures that need no more work."""
        return self.states.total()

    @property
    def bad(self) -> int:
        """Pictures that came to nothing."""
        return self.states[Status.FAILED] + self.states[Status.ASIDE]

    def __str__(self) -> str:
        """`11 done (22 regions), 1 failed`, as the command prints it."""
        words = [f"{self.states[Status.DONE]} done ({self.regions} regions)"]
        others = (Status.EMPTY, Status.FAILED, Status.ASIDE)
        words += [f"{self.states[status]} {status}" for status in others if self.states[status]]
        words += [f"{self.refused} regions refused"] if self.refused else []
        words += [f"{self.noted} with notes on their file"] if self.noted else []
        words += [f"{self.kept} of them before"] if self.kept else []
        return ", ".join(words)

    def add(self, rows: Rows, *, kept: bool) -> None:
        """Count a picture by its rows."""
        self.kept += kept
        self.states[rows[0].status] += 1
        done = sum(row.status == Status.DONE for row in rows)
        self.regions += done
        self.noted += bool(rows[0].notes)
        self.refused += len(rows) - done if done else 0


ReportTally = Callable[[Tally], None]


def begun_precision(tasks: Sequence[Task], setup: Setup) -> str | None:
    """Return the precision in which an earlier run began the same work, None if there was none.

    A run that goes on, perhaps on another machine, is to go on in it: names of results follow from the precision.
    """
    if not any(storage.exists(storage.join(setup.folder, name)) for name in (TABLE, PARTS)):
        return None
    with ResultTable(setup.folder) as table:
        asks = table.asks
    for precision in PRECISIONS:
        as_then = replace(setup, precision=precision)
        if any(as_then.digest(task) in asks for task in tasks):
            return precision
    return None


def _holds_here(task: Task, rows: Rows, setup: Setup) -> bool:
    """Tell whether a picture is done, where that takes no more than a look at this machine's files."""
    if not rows or storage.is_remote(task.picture) or storage.is_remote(setup.folder):
        return False
    try:
        return rows_hold(task, rows, setup)
    except OSError:
        return False


def run_batch(
    tasks: Sequence[Task],
    setup: Setup,
    start_engine: Callable[[], Engine],
    report: ReportTally = lambda _: None,
) -> Tally:
    """Have all tasks done; each picture's rows are in the table, each result whole in its place.

    After SIGTERM or the first Ctrl-C what is in hand is finished and kept. Run again, it does what is missing.

    Args:
        tasks: Pictures, each once.
        setup: What all outputs follow from, and where they go.
        start_engine: Starts the workers, once the folder is locked.
        report: Called with the tally at the beginning and after each picture; it is changed in place.

    Raises:
        DataError: Another process is at work in the folder, or its table is none.
        StoppedError: A signal ended the run before all was done.
        OutputError: There is no room to write to; all that is done is kept.
        LocalSRError: No worker starts.
    """
    tally = Tally(len(tasks))
    report(tally)
    with (
        ResultTable(setup.folder) as table,
        stop_requests(f"stopped at once; {RESUME}") as stop,
        ExitStack() as workers,
    ):

        def before(task: Task) -> Rows:
            return table.before(task.picture, setup.digest(task))

        left = []
        for task in tasks:
            rows = before(task)
            if _holds_here(task, rows, setup):  # what needs no worker starts none
                tally.add(rows, kept=True)
            else:
                left.append(task)
        report(tally)
        try:
            engine = workers.enter_context(closing(start_engine())) if left else None
            for outcome in supervise(engine, left, before, lambda: bool(stop.signum)) if engine else ():
                tally.deaths += outcome.deaths
                rows, earlier = outcome.rows, before(outcome.task)
                if not rows:
                    reason = f"its worker died {outcome.deaths} times; the last time {outcome.reason}"
                    rows = [failure_row(outcome.task, setup, Status.ASIDE, reason)]
                if rows != earlier:
                    table.add(rows)
                tally.add(rows, kept=rows == earlier and rows[0].status in FINAL)
                report(tally)
            table.finish()
        except OutputError as error:
            with suppress(OutputError):  # rows that a full disk has no room for come again in the next run
                table.keep()
            done = f"{tally.done} of {tally.total} pictures are kept; {RESUME} once there is room"
            raise OutputError(f"{error}; {done}") from error.__cause__
    if stop.signum and tally.done < tally.total:
        raise StoppedError(f"stopped; {tally.done} of {tally.total} pictures are done and kept; {RESUME}", stop.signum)
    return tally
