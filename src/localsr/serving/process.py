"""A worker process as the pool sees it: messages over its standard input and output."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections import deque

from localsr.errors import ConfigError
from localsr.serving.messages import (
    FromWorker,
    OfferedNetwork,
    ToWorker,
    WorkerReady,
    WorkerRefused,
    WorkerSettings,
    decode_from_worker,
    encode_message,
)

MAX_MESSAGE_BYTES = 2**24  # of an answer's facts
SMALL_CACHES = {  # memory of a worker that is asked for ever new sizes: 170 MB more after 1,000 requests without
    "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "32",  # compiled convolutions, one for each size; of 128 the heap crumbles:
    "LRU_CACHE_CAPACITY": "32",  # 27 MB more from the 250th to the 1,000th region of ever new sizes, of 32 it is 4
    "MALLOC_ARENA_MAX": "2",
}
RECENT_PICTURES = 8  # of a worker that are preferred for it


class WorkerProcess:
    """A process that does one job at a time."""

    def __init__(self) -> None:
        """Prepare; `start` starts the process."""
        self.process: asyncio.subprocess.Process | None = None
        self.networks: list[OfferedNetwork] = []
        self.recent: deque[str] = deque(maxlen=RECENT_PICTURES)  # ids of pictures that it has probably open

    async def start(self, settings: WorkerSettings, threads: int) -> None:
        """Start the process and wait until it has loaded its networks; `ConfigError` where it cannot."""
        environment = {"OMP_NUM_THREADS": str(threads)} | SMALL_CACHES | dict(os.environ)
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "localsr.serving.worker",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=environment,
            limit=MAX_MESSAGE_BYTES,
            process_group=0,  # Ctrl-C at a terminal is for the service, which lets its workers finish; Linux weighs
            # whole sessions against each other, so in one of its own a worker's niceness would mean nothing
        )
        self.send(settings)
        answer = await self.receive()
        if isinstance(answer, WorkerRefused):
            raise ConfigError(answer.error)
        if not isinstance(answer, WorkerReady):
            raise ValueError(f"a worker began with {type(answer).__name__}")
        self.networks = answer.networks

    def send(self, message: ToWorker) -> None:
        """Send a message without waiting for it to be read."""
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.write(encode_message(message))

    async def receive(self) -> FromWorker:
        """Wait for a message; `EOFError` for a process that has died."""
        assert self.process is not None
        assert self.process.stdout is not None
        line = await self.process.stdout.readline()
        if not line.endswith(b"\n"):
            raise EOFError
        return decode_from_worker(line)

    async def kill(self) -> None:
        """End the process, whatever it does."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
            await self.process.wait()
