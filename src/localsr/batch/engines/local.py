"""The engine of one machine: processes, each with a pipe of its own."""

from __future__ import annotations

import multiprocessing as mp
import os
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import NamedTuple, cast

from localsr.batch.rows import NoRoom, Rows, describe_error
from localsr.batch.supervisor import Died, Ready, Reply
from localsr.batch.tasks import Setup, Task
from localsr.batch.worker import BatchWorker
from localsr.errors import LocalSRError
from localsr.images.vips import secure_process
from localsr.inference.memory import MEGABYTE, available
from localsr.interrupts import ignore_signals

WORKER_BYTES = 700 * MEGABYTE  # of one worker: 450 with libraries and network, and a tile of 192 px with its halo
END_SECONDS = 10.0  # that a worker has to end


def count_workers(asked: int | None = None) -> int:
    """Return how many workers to start: as asked, or one for each core that this process may use, as memory allows."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return asked or max(1, min(cores, available() // WORKER_BYTES))


class _WorkerHandle(NamedTuple):
    """A worker as the command sees it."""

    process: SpawnProcess
    pipe: Connection[object, object]


class LocalEngine:
    """Worker processes of this machine."""

    def __init__(self, setup: Setup, size: int) -> None:
        """Take what workers are made of, and how many; `start` starts them."""
        self.size = size
        self._setup = setup
        self._context = mp.get_context("spawn")  # torch and libvips have threads, which a fork would break
        self._workers: dict[int, _WorkerHandle] = {}

    @property
    def processes(self) -> list[int]:
        """The process ids of the workers."""
        return [worker.process.pid for worker in self._workers.values() if worker.process.pid is not None]

    def start(self, slot: int) -> None:
        """Start a process and keep its end of the pipe."""
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=run_worker, args=(theirs, self._setup), daemon=True)
        process.start()
        theirs.close()  # else our end would not notice that the worker has ended
        self._workers[slot] = _WorkerHandle(process, ours)

    def send(self, slot: int, task: Task, before: Rows) -> None:
        """Hand a task to a worker; that it has died is noticed by `wait`."""
        try:
            self._workers[slot].pipe.send((task, before))
        except OSError:
            pass

    def wait(self, seconds: float) -> Sequence[Ready | Reply | Died]:
        """Return the messages of workers."""
        slots = {worker.pipe: slot for slot, worker in self._workers.items()}
        return [self._receive(slots[pipe]) for pipe in wait(list(slots), seconds)]  # type: ignore[index]

    def _receive(self, slot: int) -> Ready | Reply | Died:
        """Read one message; a pipe that ends, even within a message, is a worker that has died."""
        process, pipe = self._workers[slot]
        try:
            message = pipe.recv()
        except (EOFError, OSError):
            pipe.close()
            del self._workers[slot]
            process.join(END_SECONDS)
            code = process.exitcode or 0
            return Died(slot, f"it was ended by signal {-code}" if code < 0 else f"it ended with code {code}")
        if message is None:
            return Ready(slot)
        if isinstance(message, list | NoRoom):
            return Reply(slot, message)
        raise LocalSRError(str(message))  # what it could not start for, another would not either

    def close(self) -> None:
        """End all workers: each ends when its pipe does."""
        for _, pipe in self._workers.values():
            pipe.close()
        for process, _ in self._workers.values():
            process.join(END_SECONDS)
            process.kill()
        self._workers.clear()


def run_worker(pipe: Connection[object, object], setup: Setup) -> None:
    """Process tasks until the pipe ends, as it does when the command that reads from it is killed."""
    ignore_signals()  # the command decides what is finished
    secure_process()
    try:
        try:
            worker = BatchWorker(setup)
        except (LocalSRError, OSError, MemoryError) as error:
            pipe.send(describe_error(error))
            return
        pipe.send(None)
        while True:
            task, before = cast(tuple[Task, Rows], pipe.recv())
            pipe.send(worker.process(task, before))
    except (EOFError, OSError):
        return
