"""The pool: worker processes that may die, a queue that is bounded, and jobs that can be cancelled."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import shutil
import time
from collections import deque
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from localsr.errors import ConfigError
from localsr.serving.limits import Limits, cores
from localsr.serving.problems import Problem
from localsr.serving.process import Job, Worker

log = logging.getLogger("localsr.serving")
PATIENCE = 5.0  # s that a worker has to notice that a client has left, before it is killed
PAUSE = 0.5  # s before a worker that died is started again; twice as long each time that it dies while starting


class Pool:
    """Workers; `run` gives a job to one of them and waits, in a bounded queue, until one is free."""

    def __init__(self, processes: int, limits: Limits, settings: Job, folder: Path) -> None:
        """Prepare; `start` starts the processes."""
        self.limits, self.folder = limits, folder
        self.restarts = 0
        self.networks: list[Job] = []
        self.refused: str | None = None  # why no worker can be started at all
        self.on_refused: Callable[[], None] = lambda: None
        self._settings, self._processes = settings, processes
        self._threads = cores()
        self._idle: list[Worker] = []
        self._all: set[Worker] = set()
        self._waiting: deque[asyncio.Future[Worker]] = deque()
        self._numbers = itertools.count()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False
        self._changed = asyncio.Event()

    @property
    def ready(self) -> int:
        """Workers that are started."""
        return len(self._all)

    @property
    def waiting(self) -> int:
        """Jobs in the queue."""
        return len(self._waiting)

    @property
    def busy(self) -> int:
        """Workers that have a job."""
        return len(self._all) - len(self._idle)

    @property
    def pids(self) -> list[int]:
        """The processes that are started."""
        return [worker.process.pid for worker in self._all if worker.process is not None]

    def start(self) -> None:
        """Start all workers, which takes some seconds."""
        for _ in range(self._processes):
            self._spawn(0.0)

    async def networks_known(self) -> list[Job]:
        """Wait until a first worker has told what networks there are."""
        while not self.networks:
            self._changed.clear()
            await self._changed.wait()
        return self.networks

    async def close(self) -> None:
        """Kill all workers; what still waits gets a 503."""
        self._closing = True
        for free in self._waiting:
            if not free.done():
                free.set_exception(Problem(503, "the service is ending; ask again in a moment", retry=5))
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(worker.kill() for worker in self._all))

    def forget(self, picture: str) -> None:
        """Let workers close a picture."""
        for worker in self._all:
            worker.send({"do": "forget", "picture": picture})

    async def run(self, job: Job) -> tuple[Job, Path]:
        """Do a job: its facts, and a folder with its files that the caller removes.

        Raises `Problem`: 429 for a full queue, 503 for a worker that died, 504 for work that takes too long, and what
        the job itself is refused for. Cancelling cancels the job.
        """
        number = next(self._numbers)
        worker = await self._free(job["picture"]["id"])
        folder = self.folder / f"job-{number}"
        folder.mkdir(mode=0o700)
        try:
            return await self._run(worker, {**job, "id": number, "folder": str(folder)}), folder
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def admit(self) -> None:
        """Raise the 429 of a full queue."""
        count = len(self._waiting)
        if count >= self.limits.queue * self._processes:
            raise Problem(429, f"{count} requests wait already, the limit; ask again in a moment", retry=1)

    async def _free(self, picture: str) -> Worker:
        """Wait for a worker, one that has the picture open if there is a choice."""
        if self._idle:
            worker = next((w for w in self._idle if picture in w.recent), self._idle[-1])
            self._idle.remove(worker)
        else:
            self.admit()
            free: asyncio.Future[Worker] = asyncio.get_running_loop().create_future()
            self._waiting.append(free)
            try:
                async with asyncio.timeout(self.limits.job):  # wait_for of Python 3.11 may swallow a cancellation
                    worker = await free
            except TimeoutError:
                raise Problem(503, f"no worker was free for {self.limits.job:g} s; ask again later", retry=5) from None
            except BaseException:
                if free.done() and not free.cancelled() and free.exception() is None:
                    self._release(free.result())
                raise
            finally:
                with contextlib.suppress(ValueError):
                    self._waiting.remove(free)
        if picture not in worker.recent:
            worker.recent.append(picture)
        return worker

    def _release(self, worker: Worker) -> None:
        """Give a worker its next job."""
        while self._waiting:
            free = self._waiting.popleft()
            if not free.done():
                free.set_result(worker)
                return
        self._idle.append(worker)

    async def _run(self, worker: Worker, job: Job) -> Job:
        """Let a worker do a job within its time."""
        worker.send(job)
        reply = asyncio.ensure_future(worker.receive())
        try:
            async with asyncio.timeout(self.limits.job):
                answer = await asyncio.shield(reply)
        except TimeoutError:
            self._replace(worker, reply, Path(job["folder"]))
            sentence = f"the work took longer than {self.limits.job:g} s, the limit; ask for less at once"
            raise Problem(504, sentence) from None
        except (EOFError, OSError, ValueError):
            self._replace(worker, reply, Path(job["folder"]))
            raise Problem(503, "the process that did the work has died; ask again in a moment", retry=2) from None
        except asyncio.CancelledError:
            self._keep(self._stopped(worker, reply, job))
            raise
        self._release(worker)
        if "error" in answer:
            raise Problem(STATUS.get(answer["kind"], 422), answer["error"], kind=answer["kind"])
        done: Job = answer["done"]
        return done

    async def _stopped(self, worker: Worker, reply: asyncio.Future[Job], job: Job) -> None:
        """Tell a worker that nobody waits for its job any more, and have it back, or another in its place."""
        worker.send({"cancel": job["id"]})
        try:
            async with asyncio.timeout(PATIENCE):
                await asyncio.shield(reply)
        except (TimeoutError, EOFError, OSError, ValueError):
            self._replace(worker, reply, Path(job["folder"]))
        else:
            shutil.rmtree(job["folder"], ignore_errors=True)  # which it may have made anew
            self._release(worker)

    async def _ended(self, worker: Worker, folder: Path) -> None:
        """Kill a worker, then remove what it was writing."""
        await worker.kill()
        shutil.rmtree(folder, ignore_errors=True)

    def _replace(self, worker: Worker, reply: asyncio.Future[Job], folder: Path) -> None:
        """Kill a worker and start another."""
        reply.cancel()
        self._all.discard(worker)
        self.restarts += 1
        self._keep(self._ended(worker, folder))
        log.warning("a worker has died or was stopped; another is started")
        self._spawn(PAUSE)

    def _spawn(self, pause: float) -> None:
        """Start a worker, again and again until that works."""

        async def start() -> None:
            wait = pause
            while not self._closing:
                await asyncio.sleep(wait)
                worker, began = Worker(), time.monotonic()
                try:
                    await worker.start(self._settings, self._threads)
                except ConfigError as error:  # of the settings: it would be the same again
                    await worker.kill()
                    self.refused = str(error)
                    self.on_refused()
                    return
                except (EOFError, OSError, ValueError) as error:
                    await worker.kill()
                    wait = min(max(2 * wait, PAUSE), 30.0)
                    log.error("a worker could not be started (%s); again in %.1f s", type(error).__name__, wait)
                    continue
                except BaseException:
                    await worker.kill()
                    raise
                log.info("a worker is ready after %.1f s", time.monotonic() - began)
                self.networks = worker.networks
                self._all.add(worker)
                self._changed.set()
                self._release(worker)
                self._keep(self._watched(worker))
                return

        self._keep(start())

    async def _watched(self, worker: Worker) -> None:
        """Replace a worker that dies while it has no job."""
        assert worker.process is not None
        await worker.process.wait()
        if worker in self._idle and not self._closing:
            self._idle.remove(worker)
            self._replace(worker, asyncio.get_running_loop().create_future(), self.folder / "none")

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        """Hold on to a task until it is done."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


STATUS = {"OutputError": 507, "MemoryError": 503, "TooLargeError": 413, "Fault": 500}
