"""From settings to a running service: socket, signals, and an end that leaves no accepted request without answer."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import socket
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import uvicorn

from localsr.errors import ConfigError, DataError
from localsr.files import lock_folder
from localsr.interrupts import ending
from localsr.serving.app import Service
from localsr.serving.connection import Connection
from localsr.serving.problems import Problem
from localsr.serving.settings import Settings
from localsr.systems import allow_descriptors

BACKLOG = 4096
DRAIN_SECONDS = 20.0  # after SIGTERM for accepted work to end; what has not then is answered with 503
SEND_SECONDS = 5.0  # after that for answers to go out
SCRATCH_PREFIX = "localsr-serving-"  # how the folders begin that services keep pictures in
SPARE_DESCRIPTORS = 200  # descriptors that are not connections

log = logging.getLogger("localsr.serving")


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
    service = Service(settings, folder)
    protocol = type("Bounded", (Connection,), {"limits": settings.limits})
    config = uvicorn.Config(
        service.application(),
        http=protocol,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=int(DRAIN_SECONDS + SEND_SECONDS),
        backlog=BACKLOG,
    )
    server = DrainingServer(config, service)
    starting = asyncio.ensure_future(service.start())
    ended = asyncio.ensure_future(server.ended.wait())
    try:
        with ending(server.end):
            await asyncio.wait({starting, ended}, return_when=asyncio.FIRST_COMPLETED)
            if not starting.done():
                return
            await starting
            if not server.should_exit:
                on_ready(page_url(settings, sock))
                await server.serve(sockets=[sock])
            if service.pool.refused is not None:
                raise ConfigError(service.pool.refused)
    except Problem as problem:
        raise ConfigError(problem.sentence) from None
    finally:
        starting.cancel()
        ended.cancel()
        await service.stop()


class DrainingServer(uvicorn.Server):
    """uvicorn's server, which tells the service of its end first."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        """Serve the application of `service`, and end where its pool cannot start."""
        super().__init__(config)
        self._service = service
        self.ended = asyncio.Event()
        service.pool.on_refused = self.end

    def end(self) -> None:
        """Finish what was accepted and end; a second time, end at once."""
        self.force_exit = self.should_exit
        self.should_exit = self._service.ending = True
        self.ended.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to `ending`: uvicorn would raise them again after a clean end."""
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more, finish what was taken, and answer with 503 what cannot be finished in time."""
        log.info("ending: %d requests are under way", len(self.server_state.tasks))
        late = asyncio.get_running_loop().call_later(
            DRAIN_SECONDS, lambda: asyncio.ensure_future(self._service.pool.close())
        )
        await super().shutdown(sockets)
        late.cancel()


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
