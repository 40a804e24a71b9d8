"""How a request's body comes in and how a picture goes out: both bounded, both given up when the client leaves."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Awaitable, Mapping
from pathlib import Path
from typing import TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from localsr.serving.problems import Problem

Result = TypeVar("Result")
CHUNK_BYTES = 2**18  # of a file that are sent at once
BLOCK_BYTES = 2**20  # of a body that are written at once


class FileAnswer(Response):
    """A file that has no name any more when it is sent: nothing is left whatever becomes of the connection."""

    def __init__(self, path: Path, media_type: str, headers: Mapping[str, str]) -> None:
        """Open the file and remove the folder that it lies in."""
        self.file = path.open("rb")
        shutil.rmtree(path.parent, ignore_errors=True)
        self.length = self.file.seek(0, 2)
        self.file.seek(0)
        super().__init__(None, 200, {**headers, "content-length": str(self.length)}, media_type)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file in chunks."""
        with self.file:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            left = self.length
            while left > 0:
                chunk = self.file.read(CHUNK_BYTES)
                left -= len(chunk)
                await send({"type": "http.response.body", "body": chunk, "more_body": left > 0})


async def save_body(request: Request, path: Path) -> int:
    """Write a request's body to a new file as it comes, and return its bytes; 507 where the disk is full.

    Written in a thread: the kernel lets writers wait when a disk falls behind, and all other requests would with them.
    """
    held, count = bytearray(), 0
    try:
        path.touch(exist_ok=False)
        async for chunk in request.stream():
            held += chunk
            if held and (len(held) >= BLOCK_BYTES or not chunk):  # the last is empty
                await asyncio.to_thread(_append, path, bytes(held))
                count += len(held)
                held.clear()
        return count
    except OSError:
        path.unlink(missing_ok=True)
        raise Problem(507, "the disk has no room for the picture; ask again later", kind="OutputError") from None
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _append(path: Path, data: bytes) -> None:
    """Write bytes to the end of a file, if it is still there: whoever waits for this may have given it up."""
    with path.open("r+b") as file:
        file.seek(0, os.SEEK_END)
        file.write(data)


async def while_connected(request: Request, work: Awaitable[Result]) -> Result:
    """Wait for work as long as the client does; cancel it when the client leaves."""
    task = asyncio.ensure_future(work)
    left = asyncio.ensure_future(_wait_until_left(request))
    try:
        await asyncio.wait({task, left}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return await task
    finally:
        left.cancel()
        if not task.done():
            task.cancel()


async def _wait_until_left(request: Request) -> None:
    """Return when the client has left."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
