"""A worker process as the pool sees it: JSON, a line a message, over its standard input and output."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections import deque
from typing import Any

from localsr.errors import ConfigError

LINE = 2**24  # bytes of an answer's facts at most
STEADY = {  # memory of a worker that is asked for ever new sizes: 170 MB more after 1,000 requests without
    "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "32",  # compiled convolutions, one for each size; of 128 the heap crumbles:
    "LRU_CACHE_CAPACITY": "32",  # 27 MB more from the 250th to the 1,000th region of ever new sizes, of 32 it is 4
    "MALLOC_ARENA_MAX": "2",
}

Job = dict[str, Any]


class Worker:
    """A process and the job that it has."""

    def __init__(self) -> None:
        """Have none yet."""
        self.process: asyncio.subprocess.Process | None = None
        self.networks: list[Job] = []
        self.recent: deque[str] = deque(maxlen=8)  # pictures that it has probably open

    async def start(self, settings: Job, threads: int) -> None:
        """Start the process and wait until it has loaded its networks."""
        own = {"OMP_NUM_THREADS": str(threads)} | STEADY
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "localsr.serving.worker",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=own | dict(os.environ),
            limit=LINE,
            start_new_session=True,  # Ctrl-C at a terminal is for the service, which lets them finish
        )
        self.send(settings)
        answer = await self.receive()
        if "refused" in answer:
            raise ConfigError(answer["refused"])
        self.networks = answer["ready"]

    def send(self, message: Job) -> None:
        """Say something."""
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message).encode() + b"\n")

    async def receive(self) -> Job:
        """Wait for an answer; `EOFError` for a process that has died."""
        assert self.process is not None
        assert self.process.stdout is not None
        text = await self.process.stdout.readline()
        if not text.endswith(b"\n"):
            raise EOFError
        answer: Job = json.loads(text)
        return answer

    async def kill(self) -> None:
        """End the process, whatever it does."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
            await self.process.wait()
