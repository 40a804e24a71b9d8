"""From settings to a running service: socket, signals, and an end that leaves no accepted request without answer."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from localsr.errors import ConfigError, DataError
from localsr.files import lock_folder
from localsr.interrupts import ending
from localsr.serving.pool import Pool
from localsr.serving.settings import BACKLOG, Settings
from localsr.systems import allow_descriptors

if TYPE_CHECKING:
    from localsr.serving.draining import DrainingServer

SCRATCH_PREFIX = "localsr-serving-"  # how the folders begin that services keep pictures in
SPARE_DESCRIPTORS = 200  # descriptors that are not connections


def run_service(settings: Settings, on_ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or Ctrl-C; `on_ready` is called with its address once it answers.

    Raises `ConfigError` for an address that cannot be had, a network or a photo that cannot be opened.
    """
    with open_socket(settings) as sock, scratch_folder() as folder:
        asyncio.run(serve(settings, sock, folder, on_ready))


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """Make a folder for pictures, which goes with the service; first remove those of services that were killed."""
    for left in Path(tempfile.gettempdir()).glob(f"{SCRATCH_PREFIX}*"):
        about = left.lstat()
        if (
            stat.S_ISDIR(about.st_mode) and about.st_uid == getattr(os, "getuid", int)()
        ):  # another's could lead anywhere
            with contextlib.suppress(DataError, OSError), lock_folder(left):  # a service that lives holds the lock
                shutil.rmtree(left, ignore_errors=True)
    made = Path(tempfile.mkdtemp(prefix="localsr-new-"))  # no name that others sweep, before it is locked
    with lock_folder(made):
        folder = made.rename(made.with_name(SCRATCH_PREFIX + made.name.removeprefix("localsr-new-")))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


async def serve(settings: Settings, sock: socket.socket, folder: Path, on_ready: Callable[[str], None]) -> None:
    """Serve on a socket that listens, until the end is asked for."""
    allow_descriptors(settings.limits.connections + SPARE_DESCRIPTORS)
    pool = Pool(settings, folder)
    pool.start()
    try:
        server = await asyncio.to_thread(_put_together, settings, pool)
        pool.on_refused = server.end
        if pool.refused is not None:  # before there was a server to end
            server.end()
        with ending(server.end):
            await server.start_service()
            if not server.should_exit:
                on_ready(page_url(settings, sock))
                await server.serve(sockets=[sock])
        if pool.refused is not None:
            raise ConfigError(pool.refused)
    finally:
        await pool.close()


def _put_together(settings: Settings, pool: Pool) -> DrainingServer:
    """Make the server; what it is made of takes half a second to import, in which a worker starts."""
    from localsr.serving.draining import DrainingServer

    return DrainingServer(settings, pool)


def open_socket(settings: Settings) -> socket.socket:
    """Open the socket; `ConfigError` for an address that cannot be had."""
    try:
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        return socket.create_server((settings.host, settings.port), family=family, backlog=BACKLOG)
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"{settings.host} port {settings.port} cannot be listened on: {why}") from error


def page_url(settings: Settings, sock: socket.socket) -> str:
    """Return the URL of the page."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{sock.getsockname()[1]}{settings.root_path}/"
