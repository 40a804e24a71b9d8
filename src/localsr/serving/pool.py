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
from typing import Any, TypeVar

from msgspec import convert

from localsr.errors import ConfigError
from localsr.serving.messages import (
    CancelJob,
    ForgetPicture,
    FromWorker,
    Job,
    JobDone,
    JobFailed,
    OfferedNetwork,
    WorkerSettings,
    WorkerTask,
)
from localsr.serving.problems import Problem
from localsr.serving.process import WorkerProcess
from localsr.serving.settings import Settings, cores

Result = TypeVar("Result")
log = logging.getLogger("localsr.serving")
CANCEL_SECONDS = 5.0  # that a worker has to notice that a client has left, before it is killed
RESTART_SECONDS = 0.5  # before a worker that died while it started is started again; doubled each time
MAX_RESTART_SECONDS = 30.0
STATUS_BY_ERROR = {"OutputError": 507, "MemoryError": 503, "TooLargeError": 413, "Fault": 500}  # all others: 422


class Pool:
    """Workers; `run` gives a task to one of them and waits, in a bounded queue, until one is free."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        """Prepare; `start` starts the processes, whose files lie in `folder`."""
        limits = settings.limits
        self.limits, self.folder = limits, folder
        self.restarts = 0
        self.networks: list[OfferedNetwork] = []
        self.refused: str | None = None  # why no worker can be started at all
        self.on_refused: Callable[[], None] = lambda: None
        bounds = (limits.memory, limits.megapixels, limits.output)
        self._settings = WorkerSettings(settings.networks, settings.runtime, settings.precision, *bounds)
        self._processes = settings.processes
        self._threads = cores()
        self._idle: list[WorkerProcess] = []
        self._all: set[WorkerProcess] = set()
        self._waiting: deque[asyncio.Future[WorkerProcess]] = deque()
        self._arriving: set[str] = set()  # requests that were admitted and are still parsed
        self._numbers = itertools.count()
        self._background: set[asyncio.Task[None]] = set()
        self._closing = False
        self._started = asyncio.Event()

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

    def start(self) -> None:
        """Start a worker and, once it is ready, the others, which would take the cores that it starts by."""
        self._keep(self._start_worker(0.0))
        self._keep(self._start_others())

    async def known_networks(self) -> list[OfferedNetwork]:
        """Return the networks that are offered, once a first worker has loaded them."""
        await self._started.wait()
        return self.networks

    async def close(self) -> None:
        """Kill all workers; what still waits gets a 503."""
        self._closing = True
        for turn in self._waiting:
            if not turn.done():
                turn.set_exception(Problem(503, "the service is ending; ask again in a moment", retry=5))
        for task in list(self._background):
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await asyncio.gather(*(worker.kill() for worker in self._all))

    def forget(self, picture: str) -> None:
        """Let all workers close a picture."""
        for worker in self._all:
            worker.send(ForgetPicture(picture))

    def run(self, task: WorkerTask, result: type[Result]) -> Coroutine[Any, Any, tuple[Result, Path]]:
        """Do a task: return its result, of the type that it names, and a folder of files that the caller removes.

        Raises `Problem`: 429 for a full queue, 503 for a worker that died, 504 for work that takes too long, and what
        the task itself is refused for. Cancelling cancels the job.
        """
        self.check_queue()
        self._arriving.add(task.request)  # at once, before this is awaited: a crowd that arrives together would pass
        return self._run(task, result)

    async def _run(self, task: WorkerTask, result: type[Result]) -> tuple[Result, Path]:
        """Do a task that has its place."""
        number = next(self._numbers)
        worker = await self._acquire(task)
        folder = self.folder / f"job-{number}"
        folder.mkdir(mode=0o700)
        try:
            return convert(await self._execute(worker, Job(number, str(folder), task)), result), folder
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def check_queue(self) -> None:
        """Raise the 429 of a full queue, in which requests count from the moment that they are known."""
        count = len(self._waiting) + len(self._arriving) - len(self._idle)
        if count >= self.limits.queue * self._processes:
            raise Problem(429, f"{count} requests wait already, the limit; ask again in a moment", retry=1)

    def dismiss(self, request: str) -> None:
        """Give back the place of a request that has ended, whether it came to wait or not."""
        self._arriving.discard(request)

    async def _acquire(self, task: WorkerTask) -> WorkerProcess:
        """Wait for a worker, one that has the task's picture open if there is a choice."""
        picture = task.picture.id
        self.dismiss(task.request)
        if self._idle:
            worker = next((w for w in self._idle if picture in w.recent), self._idle[-1])
            self._idle.remove(worker)
        else:
            turn: asyncio.Future[WorkerProcess] = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                async with asyncio.timeout(self.limits.job):  # wait_for of Python 3.11 may swallow a cancellation
                    worker = await turn
            except TimeoutError:
                raise Problem(503, f"no worker was free for {self.limits.job:g} s; ask again later", retry=5) from None
            except BaseException:
                if turn.done() and not turn.cancelled() and turn.exception() is None:
                    self._release(turn.result())
                raise
            finally:
                with contextlib.suppress(ValueError):
                    self._waiting.remove(turn)
        if picture not in worker.recent:
            worker.recent.append(picture)
        return worker

    def _release(self, worker: WorkerProcess) -> None:
        """Pass a worker on to the next in the queue."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(worker)
                return
        self._idle.append(worker)

    async def _execute(self, worker: WorkerProcess, job: Job) -> Any:  # noqa: ANN401  # JSON
        """Let a worker do a job within its time, and return its result."""
        worker.send(job)
        reply = asyncio.ensure_future(worker.receive())
        reply.add_done_callback(lambda done: done.cancelled() or done.exception())  # or asyncio logs it at the end,
        # when workers are killed for which nobody waits any more
        try:
            async with asyncio.timeout(self.limits.job):
                answer = await asyncio.shield(reply)
        except TimeoutError:
            self._replace(worker, reply, Path(job.folder))
            sentence = f"the work took longer than {self.limits.job:g} s, the limit; ask for less at once"
            raise Problem(504, sentence) from None
        except (EOFError, OSError, ValueError):
            self._replace(worker, reply, Path(job.folder))
            raise Problem(503, "the process that did the work has died; ask again in a moment", retry=2) from None
        except asyncio.CancelledError:
            self._keep(self._cancel(worker, reply, job))
            raise
        self._release(worker)
        if isinstance(answer, JobFailed):
            raise Problem(STATUS_BY_ERROR.get(answer.kind, 422), answer.error, kind=answer.kind)
        assert isinstance(answer, JobDone)
        return answer.result

    async def _cancel(self, worker: WorkerProcess, reply: asyncio.Future[FromWorker], job: Job) -> None:
        """Cancel a job that nobody waits for any more, and have its worker back, or another in its place."""
        worker.send(CancelJob(job.number))
        try:
            async with asyncio.timeout(CANCEL_SECONDS):
                await asyncio.shield(reply)
        except (TimeoutError, EOFError, OSError, ValueError):
            self._replace(worker, reply, Path(job.folder))
        else:
            shutil.rmtree(job.folder, ignore_errors=True)  # which it may have made anew
            self._release(worker)

    def _replace(self, worker: WorkerProcess, reply: asyncio.Future[FromWorker] | None, folder: Path | None) -> None:
        """Kill a worker, remove what it was writing, and start another."""
        if reply is not None:
            reply.cancel()
        self._all.discard(worker)
        self.restarts += 1
        self._keep(self._kill(worker, folder))
        log.warning("a worker has died or was stopped; another is started")
        self._keep(self._start_worker(0.0))

    async def _kill(self, worker: WorkerProcess, folder: Path | None) -> None:
        """Kill a worker, then remove the folder of its job."""
        await worker.kill()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    async def _start_others(self) -> None:
        """Start all workers but the first."""
        await self._started.wait()
        for _ in range(self._processes - 1):
            self._keep(self._start_worker(0.0))

    async def _start_worker(self, pause: float) -> None:
        """Start a worker after a pause, again and again until that works; watch it while it has no job."""
        while not self._closing:
            await asyncio.sleep(pause)
            worker, began = WorkerProcess(), time.monotonic()
            try:
                await worker.start(self._settings, self._threads)
            except ConfigError as error:  # of the settings: it would be the same again
                await worker.kill()
                self.refused = str(error)
                self.on_refused()
                return
            except (EOFError, OSError, ValueError) as error:
                await worker.kill()
                pause = min(max(2 * pause, RESTART_SECONDS), MAX_RESTART_SECONDS)
                log.error("a worker could not be started (%s); again in %.1f s", type(error).__name__, pause)
                continue
            except BaseException:
                await worker.kill()
                raise
            log.info("a worker is ready after %.1f s", time.monotonic() - began)
            self.networks = worker.networks
            self._all.add(worker)
            self._started.set()
            self._release(worker)
            await self._replace_when_dead(worker)
            return

    async def _replace_when_dead(self, worker: WorkerProcess) -> None:
        """Replace a worker that dies while it has no job."""
        assert worker.process is not None
        await worker.process.wait()
        if worker in self._idle and not self._closing:
            self._idle.remove(worker)
            self._replace(worker, None, None)

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        """Hold on to a background task until it is done."""
        task = asyncio.ensure_future(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
