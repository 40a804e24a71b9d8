"""The engine of one machine: processes, each with a pipe of its own."""

from __future__ import annotations

import multiprocessing as mp
import os
import signal
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import NamedTuple, cast

from localsr.batch.supervisor import Gone, Ready, Reply
from localsr.batch.tasks import Job, Setup
from localsr.batch.worker import Full, Rates, Rows, Worker, told
from localsr.errors import LocalSRError
from localsr.inference.memory import MEGABYTE, available

EACH = 700 * MEGABYTE  # of a worker: 450 with libraries and network, and a tile of 192 px with its halo
GOODBYE = 10.0  # seconds that a worker has to finish


def workers(asked: int | None = None) -> int:
    """Say how many workers suit this machine: one for each core that this process may use, as memory allows."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return asked or max(1, min(cores, available() // EACH))


class _Hand(NamedTuple):
    """A worker from outside."""

    process: SpawnProcess
    pipe: Connection[object, object]


class Local:
    """Worker processes of this machine."""

    def __init__(self, setup: Setup, rates: Rates, size: int) -> None:
        """Remember what workers are made of."""
        self.size = size
        self._setup, self._rates = setup, rates
        self._context = mp.get_context("spawn")  # torch and libvips have threads, which a fork would break
        self._hands: dict[int, _Hand] = {}

    @property
    def processes(self) -> list[int]:
        """Give the ids of the workers."""
        return [hand.process.pid for hand in self._hands.values() if hand.process.pid is not None]

    def start(self, slot: int) -> None:
        """Begin a worker."""
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=serve, args=(theirs, self._setup, self._rates), daemon=True)
        process.start()
        theirs.close()  # or its end would not be told by the pipe
        self._hands[slot] = _Hand(process, ours)

    def send(self, slot: int, job: Job, before: Rows) -> None:
        """Give a picture to a worker; the news of its death comes from `wait`."""
        try:
            self._hands[slot].pipe.send((job, before))
        except OSError:
            pass

    def wait(self, seconds: float) -> Sequence[Ready | Reply | Gone]:
        """Hear what workers say."""
        slots = {hand.pipe: slot for slot, hand in self._hands.items()}
        return [self._heard(slots[pipe]) for pipe in wait(list(slots), seconds)]  # type: ignore[index]

    def _heard(self, slot: int) -> Ready | Reply | Gone:
        """Read one message; a pipe that ends, even within a message, is a worker that has died."""
        process, pipe = self._hands[slot]
        try:
            message = pipe.recv()
        except (EOFError, OSError):
            pipe.close()
            del self._hands[slot]
            process.join(GOODBYE)
            code = process.exitcode or 0
            return Gone(slot, f"it was ended by signal {-code}" if code < 0 else f"it ended with code {code}")
        if message is None:
            return Ready(slot)
        if isinstance(message, list | Full):
            return Reply(slot, message)
        raise LocalSRError(str(message))  # what it could not start for, another would not either

    def close(self) -> None:
        """Let all workers go: each ends when its pipe does."""
        for _, pipe in self._hands.values():
            pipe.close()
        for process, _ in self._hands.values():
            process.join(GOODBYE)
            process.kill()
        self._hands.clear()


def serve(pipe: Connection[object, object], setup: Setup, rates: Rates) -> None:
    """Be a worker until the pipe ends, as it does when the command that reads from it is killed."""
    for signum in (signal.SIGINT, signal.SIGTERM):  # sent to the whole group; the command decides what is finished
        signal.signal(signum, signal.SIG_IGN)
    try:
        try:
            worker = Worker(setup, rates)
        except (LocalSRError, OSError, MemoryError) as error:
            pipe.send(told(error))
            return
        pipe.send(None)
        while True:
            job, before = cast(tuple[Job, Rows], pipe.recv())
            pipe.send(worker.do(job, before))
    except (EOFError, OSError):
        return
