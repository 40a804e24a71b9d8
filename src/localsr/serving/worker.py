"""A worker: a process that decodes pictures and runs networks, and that may die of either.

Reads messages from stdin, a line each, and answers on stdout; what is large goes through files in the folder that a job
names. `python -m localsr.serving.worker`; ends when stdin does.
"""

from __future__ import annotations

import ctypes
import logging
import os
import queue
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from msgspec import to_builtins

from localsr.errors import LocalSRError
from localsr.serving.messages import (
    CancelJob,
    ForgetPicture,
    Job,
    JobDone,
    JobFailed,
    ToWorker,
    WorkerReady,
    WorkerRefused,
    WorkerSettings,
    decode_for_worker,
    encode_message,
)

if TYPE_CHECKING:
    from localsr.serving.tasks import TaskRunner

log = logging.getLogger("localsr.serving.worker")
NICENESS = 5  # the service itself, which has little to do, comes first: a crowd gets its 429 at once; of 10, work would
# get a tenth of a core that others keep busy, of 5 a quarter


class JobCancelledError(Exception):
    """The client of a job has left."""


class Inbox:
    """What comes in: jobs in their order, and at once the word that nobody waits for one of them any more."""

    def __init__(self, source: BinaryIO) -> None:
        """Start to listen to `source`, in a thread."""
        self._messages: queue.SimpleQueue[ToWorker | None] = queue.SimpleQueue()
        self._source, self._cancelled = source, -1
        threading.Thread(target=self._listen, daemon=True).start()

    def __iter__(self) -> Iterator[ToWorker]:
        """Yield all messages but cancellations, until there are no more."""
        return iter(self._messages.get, None)

    def check(self, job: int) -> None:
        """Raise `JobCancelledError` for a job whose client has left."""
        if self._cancelled == job:
            raise JobCancelledError

    def _listen(self) -> None:
        """Read until the source ends."""
        for line in self._source:
            message = decode_for_worker(line)
            if isinstance(message, CancelJob):
                self._cancelled = message.number
            else:
                self._messages.put(message)
        self._messages.put(None)


def main() -> None:
    """Do jobs until stdin ends."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s worker %(process)d: %(message)s")
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever a library prints is no answer
    inbox = Inbox(sys.stdin.buffer)
    messages = iter(inbox)
    from localsr.images.vips import secure_process
    from localsr.serving.tasks import TaskRunner  # torch, which takes seconds while the settings come

    secure_process()
    settings = next(messages)
    assert isinstance(settings, WorkerSettings)
    try:
        runner = TaskRunner(settings)
    except LocalSRError as error:
        replies.write(encode_message(WorkerRefused(str(error))))
        return
    getattr(os, "nice", int)(NICENESS)  # from now on; a worker that starts is waited for
    replies.write(encode_message(WorkerReady(runner.networks())))
    trim = getattr(ctypes.pythonapi, "malloc_trim", int)  # glibc's, which Python is linked to
    for message in messages:
        if isinstance(message, ForgetPicture):
            runner.forget(message.picture)
        elif isinstance(message, Job):
            replies.write(encode_message(perform(runner, inbox, message)))
            trim(
                0
            )  # between jobs, so that memory stays flat; pieces given back as they are freed take 1.4 times as long


def perform(runner: TaskRunner, inbox: Inbox, job: Job) -> JobDone | JobFailed:
    """Do a job, and return its result or why there is none."""
    try:
        result = runner.run(job.task, Path(job.folder), lambda *_: inbox.check(job.number))
        return JobDone(job.number, to_builtins(result))
    except JobCancelledError:
        return JobFailed(job.number, "the client has left", "CancelledError")
    except (LocalSRError, MemoryError, RuntimeError) as error:
        if isinstance(error, MemoryError) or "can't allocate memory" in str(error):
            return JobFailed(job.number, "out of memory; ask for fewer or smaller regions", "MemoryError")
        if isinstance(error, LocalSRError):
            return JobFailed(job.number, without_paths(error.told("service"), job), type(error).__name__)
        log.exception("job of request %s", job.task.request)
    except Exception:
        log.exception("job of request %s", job.task.request)
    return JobFailed(job.number, "a fault of the service; its log tells more", "Fault")


def without_paths(sentence: str, job: Job) -> str:
    """Return an error's sentence with names in the place of paths of this machine."""
    picture = job.task.picture
    for path, name in ((job.folder, "the result"), (picture.path, picture.name)):
        sentence = sentence.replace(f"{path}/result", "the result").replace(path, name)
        sentence = sentence.replace(Path(path).name, name)
    return " ".join(sentence.split())


if __name__ == "__main__":
    main()
