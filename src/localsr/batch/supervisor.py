"""Hands tasks to workers that may die: who held what, what is tried again, what is set aside.

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

from localsr.batch.rows import NoRoom, Rows
from localsr.batch.tasks import Task
from localsr.errors import LocalSRError, OutputError

MAX_TRIES = 3  # of a picture whose worker dies
MAX_DEATHS = 10  # of a picture's workers for whatever reason, as with their machine
MAX_FAILED_STARTS = 20  # of workers that die before they are ready, while none is at work: no memory, no machine
STOP_CHECK_SECONDS = 0.5  # between two looks at whether to stop


class Ready(NamedTuple):
    """A worker has its network."""

    slot: int


class Reply(NamedTuple):
    """A worker is done with a picture."""

    slot: int
    rows: Rows | NoRoom


class Died(NamedTuple):
    """A worker has died."""

    slot: int
    reason: str
    blamed: bool = True  # whether its picture may be why; not where a whole machine is gone


class Engine(Protocol):
    """What carries messages to workers, who are numbered by slots; `start` puts a new one into a slot."""

    size: int

    def start(self, slot: int) -> None:
        """Start a worker; `Ready` or `Died` tells what became of it."""

    def send(self, slot: int, task: Task, before: Rows) -> None:
        """Hand a task to a worker that is ready and idle, with the rows that its picture has from earlier runs."""

    def wait(self, seconds: float) -> Sequence[Ready | Reply | Died]:
        """Return what has happened, once anything has or the time is over."""

    def close(self) -> None:
        """End all workers, whatever they have in hand."""


class Outcome(NamedTuple):
    """What became of a picture."""

    task: Task
    rows: Rows
    deaths: int = 0  # of its workers
    reason: str = ""  # of the last death, where there are no rows: it is set aside


def supervise(
    engine: Engine,
    tasks: Sequence[Task],
    before: Callable[[Task], Rows] = lambda _: [],
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[Outcome]:
    """Have all tasks done, and yield each one's outcome as it comes; once `stopped`, only what is in hand is finished.

    What killed a worker is tried again after everything else. Raises `OutputError` when there is no room to write to,
    after what is in hand; `LocalSRError` when no worker starts.
    """
    fresh, again = deque(range(len(tasks))), deque[int]()
    hands: dict[int, int | None] = {}  # slots of workers that are ready, and the number of the task in each one's hand
    blamed, deaths = Counter[int](), Counter[int]()
    failed_starts, no_room = 0, ""
    for slot in range(min(engine.size, len(tasks))):
        engine.start(slot)
    while True:
        if no_room or stopped():
            fresh.clear()
            again.clear()
        for slot in [slot for slot, held in hands.items() if held is None]:
            queue = fresh or again
            if queue:
                hands[slot] = n = queue.popleft()
                engine.send(slot, tasks[n], before(tasks[n]))
        if not fresh and not again and all(held is None for held in hands.values()):
            break
        for event in engine.wait(STOP_CHECK_SECONDS):
            slot = event.slot
            if isinstance(event, Ready):
                hands[slot], failed_starts = None, 0
            elif isinstance(event, Reply):
                held, failed_starts = hands[slot], 0
                hands[slot] = None
                if isinstance(event.rows, NoRoom):
                    no_room = event.rows.reason
                elif held is not None:
                    yield Outcome(tasks[held], event.rows, deaths[held])
            else:
                ready = slot in hands
                held = hands.pop(slot, None)
                failed_starts += not ready
                if failed_starts >= MAX_FAILED_STARTS and not hands:
                    raise LocalSRError(f"workers do not start: {event.reason}")
                if held is not None:
                    blamed[held] += event.blamed
                    deaths[held] += 1
                    if blamed[held] >= MAX_TRIES or deaths[held] >= MAX_DEATHS:
                        yield Outcome(tasks[held], [], deaths[held], event.reason)
                    else:
                        again.append(held)
                if fresh or again:
                    engine.start(slot)
    if no_room:
        raise OutputError(no_room) from OSError(errno.ENOSPC, no_room)
