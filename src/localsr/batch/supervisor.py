"""Work handed out to workers that may die: who held what, what is tried again, what is set aside.

An engine starts workers and carries messages. `concurrent.futures` and loky give up a whole pool when one process dies,
and cannot tell on which picture. Pebble replaces the process, but its workers share one pipe under one lock: in three
of four trials a SIGKILL in the wrong moment ended the pool. Ray Data runs a block again as a whole, for ever. Here
every worker has a channel of its own and one picture in hand, so that a death is one picture's.
"""

from __future__ import annotations

import errno
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

from localsr.batch.tasks import Job
from localsr.batch.worker import Full, Rows
from localsr.errors import LocalSRError, OutputError

TRIES = 3  # of a picture whose worker dies
LOSSES = 10  # of a picture whose workers die for whatever reason, as with their machine
STARTS = 20  # of workers that die before they are ready, while nobody is at work: no memory, no machine
PATIENCE = 0.5  # seconds between two looks at whether to stop


class Ready(NamedTuple):
    """A worker has its network."""

    slot: int


class Reply(NamedTuple):
    """A worker is done with a picture."""

    slot: int
    rows: Rows | Full


class Gone(NamedTuple):
    """A worker has died."""

    slot: int
    reason: str
    blamed: bool = True  # whether its picture may be why; not where a whole machine is gone


class Engine(Protocol):
    """What carries messages to workers, who are numbered by slots; `start` puts a new one into a slot."""

    size: int

    def start(self, slot: int) -> None:
        """Begin a worker; `Ready` or `Gone` tells what became of it."""

    def send(self, slot: int, job: Job, before: Rows) -> None:
        """Give a picture to a worker that is ready and idle."""

    def wait(self, seconds: float) -> Sequence[Ready | Reply | Gone]:
        """Tell what has happened, once anything has or the time is over."""

    def close(self) -> None:
        """Let all workers go."""


class Outcome(NamedTuple):
    """What became of a picture."""

    job: Job
    rows: Rows
    deaths: int = 0  # of its workers
    reason: str = ""  # of the last death, where there are no rows: it is set aside


def work(
    engine: Engine,
    jobs: Sequence[Job],
    before: Callable[[Job], Rows] = lambda _: [],
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[Outcome]:
    """Have all jobs done, and give each one's outcome as it comes; once `stopped`, only what is in hand is finished.

    What killed a worker is tried again after everything else. Raises `OutputError` when there is no room to write to,
    after what is in hand; `LocalSRError` when no worker starts.
    """
    fresh, again = deque(range(len(jobs))), deque[int]()
    hands: dict[int, int | None] = {}  # workers that are ready, and what each has in hand
    deaths, losses = Counter[int](), Counter[int]()
    unborn, full = 0, ""
    for slot in range(min(engine.size, len(jobs))):
        engine.start(slot)
    while True:
        if full or stopped():
            fresh.clear()
            again.clear()
        for slot in [slot for slot, held in hands.items() if held is None]:
            queue = fresh or again
            if queue:
                hands[slot] = n = queue.popleft()
                engine.send(slot, jobs[n], before(jobs[n]))
        if not fresh and not again and all(held is None for held in hands.values()):
            break
        for event in engine.wait(PATIENCE):
            slot = event.slot
            if isinstance(event, Ready):
                hands[slot], unborn = None, 0
            elif isinstance(event, Reply):
                held, unborn = hands[slot], 0
                hands[slot] = None
                if isinstance(event.rows, Full):
                    full = event.rows.reason
                elif held is not None:
                    yield Outcome(jobs[held], event.rows, losses[held])
            else:
                ready = slot in hands
                held = hands.pop(slot, None)
                unborn += not ready
                if unborn >= STARTS and not hands:
                    raise LocalSRError(f"workers do not start: {event.reason}")
                if held is not None:
                    deaths[held] += event.blamed
                    losses[held] += 1
                    if deaths[held] >= TRIES or losses[held] >= LOSSES:
                        yield Outcome(jobs[held], [], losses[held], event.reason)
                    else:
                        again.append(held)
                if fresh or again:
                    engine.start(slot)
    if full:
        raise OutputError(full) from OSError(errno.ENOSPC, full)
