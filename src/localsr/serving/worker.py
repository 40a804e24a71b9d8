"""A worker: a process that decodes pictures and runs networks, and that may die of either.

Reads one JSON object a line from stdin and answers one a line on stdout; what is large goes through files in a folder
that the request names. `python -m localsr.serving.worker`; ends when stdin does.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import queue
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from localsr.errors import LocalSRError

log = logging.getLogger("localsr.serving.worker")
NICE = 10  # the service itself, which has little to do, comes first: a crowd hears 429 at once


class CancelledError(Exception):
    """The client of a job has left."""


class Line:
    """What comes in: jobs in their order, and at once the word that one of them is wanted no more."""

    def __init__(self, source: BinaryIO) -> None:
        """Listen."""
        self._jobs: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._source, self._cancelled = source, -1
        threading.Thread(target=self._listen, daemon=True).start()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Give jobs until there are no more."""
        return iter(self._jobs.get, None)

    def wanted(self, job: int) -> None:
        """Raise `CancelledError` for a job whose client has left."""
        if self._cancelled == job:
            raise CancelledError

    def _listen(self) -> None:
        """Sort what comes."""
        for text in self._source:
            said = json.loads(text)
            if "cancel" in said:
                self._cancelled = said["cancel"]
            else:
                self._jobs.put(said)
        self._jobs.put(None)


def main() -> None:
    """Answer jobs until stdin ends."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s worker %(process)d: %(message)s")
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever a library prints is no answer
    line = Line(sys.stdin.buffer)
    jobs = iter(line)
    from localsr.serving.tasks import Tasks  # torch, which takes seconds: the first line is its settings

    try:
        tasks = Tasks(**next(jobs))
    except LocalSRError as error:
        replies.write(json.dumps({"refused": str(error)}).encode() + b"\n")
        return
    os.nice(NICE)  # from now on; a worker that starts is waited for
    replies.write(json.dumps({"ready": tasks.networks()}).encode() + b"\n")
    trim = getattr(ctypes.CDLL(None), "malloc_trim", lambda pad: None)  # glibc's
    for job in jobs:
        if job["do"] == "forget":
            tasks.forget(job["picture"])
            continue
        reply = {"id": job["id"], **answered(tasks, line, job)}
        replies.write(json.dumps(reply).encode() + b"\n")
        trim(0)  # between jobs, so that memory stays flat: pieces given back as they are freed take 1.4 times as long


def answered(tasks: Any, line: Line, job: dict[str, Any]) -> dict[str, Any]:  # noqa: ANN401  # of a late import
    """Do a job: what it says, or a sentence without a path in it."""
    try:
        return {"done": getattr(tasks, job["do"])(job, lambda *_: line.wanted(job["id"]))}
    except CancelledError:
        return {"error": "the client has left", "kind": "CancelledError"}
    except (LocalSRError, MemoryError, RuntimeError) as error:
        full = isinstance(error, MemoryError) or "can't allocate memory" in str(error)
        if isinstance(error, LocalSRError) or full:
            sentence = "out of memory; ask for fewer or smaller regions" if full else shown(str(error), job)
            return {"error": sentence, "kind": "MemoryError" if full else type(error).__name__}
        log.exception("job of request %s", job.get("request"))
    except Exception:
        log.exception("job of request %s", job.get("request"))
    return {"error": "a fault of the service; its log tells more", "kind": "Fault"}


def shown(sentence: str, job: dict[str, Any]) -> str:
    """Put names where an error's sentence has paths of this machine."""
    picture = job.get("picture") or {}
    for path, name in ((job.get("folder"), "the result"), (picture.get("path"), picture.get("name") or "the picture")):
        if path:
            sentence = sentence.replace(f"{path}/result", "the result").replace(str(path), name)
            sentence = sentence.replace(Path(path).name, name)
    return " ".join(sentence.split())


if __name__ == "__main__":
    main()
