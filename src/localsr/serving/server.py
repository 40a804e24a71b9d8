"""From settings to a running service: socket, signals, and an end that leaves no accepted request without answer."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import shutil
import signal
import socket
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import uvicorn

from localsr.errors import ConfigError, DataError
from localsr.files import lock_folder
from localsr.serving.app import Service
from localsr.serving.connection import Connection
from localsr.serving.limits import Settings
from localsr.serving.problems import Problem

BACKLOG = 4096
DRAIN = 20.0  # s after SIGTERM for accepted work to end; what has not then is answered with 503
LAST = 5.0  # s after that for answers to go out
SCRATCH = "localsr-serving-"  # how the folders begin that services keep pictures in
SPARE = 200  # descriptors that are not connections

log = logging.getLogger("localsr.serving")


def run(settings: Settings, listening: Callable[[str], None]) -> None:
    """Serve until SIGTERM or Ctrl-C; `listening` hears the address once it answers.

    Raises `ConfigError` for an address that cannot be had, a network or a photo that cannot be opened.
    """
    with listener(settings) as sock, scratch() as folder:
        asyncio.run(serve(settings, sock, folder, listening))


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """Give a folder for pictures, which goes with the service; first remove those of services that were killed."""
    for left in Path(tempfile.gettempdir()).glob(f"{SCRATCH}*"):
        about = left.lstat()
        if stat.S_ISDIR(about.st_mode) and about.st_uid == os.getuid():  # another's could lead anywhere
            with contextlib.suppress(DataError, OSError), lock_folder(left):  # which a service that lives holds
                shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=SCRATCH) as folder, lock_folder(Path(folder)):
        yield Path(folder)


async def serve(settings: Settings, sock: socket.socket, folder: Path, listening: Callable[[str], None]) -> None:
    """Serve on a socket that listens."""
    _descriptors(settings)
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
        timeout_graceful_shutdown=int(DRAIN + LAST),
        backlog=BACKLOG,
    )
    server = Server(config, service)
    starting = asyncio.ensure_future(service.start())
    ended = asyncio.ensure_future(server.ended.wait())
    try:
        with server.signals():
            await asyncio.wait({starting, ended}, return_when=asyncio.FIRST_COMPLETED)
            if not starting.done():
                return
            await starting
            if not server.should_exit:
                listening(address(settings, sock))
                await server.serve(sockets=[sock])
            if service.pool.refused is not None:
                raise ConfigError(service.pool.refused)
    except Problem as problem:
        raise ConfigError(problem.sentence) from None
    finally:
        starting.cancel()
        ended.cancel()
        await service.stop()


class Server(uvicorn.Server):
    """uvicorn's server, whose end is told to the service first."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        """Take the service."""
        super().__init__(config)
        self._service = service
        self.ended = asyncio.Event()
        service.pool.on_refused = self.end

    def end(self) -> None:
        """Begin to end; a second time, end at once."""
        self.force_exit = self.should_exit
        self.should_exit = self._service.ending = True
        self.ended.set()

    @contextlib.contextmanager
    def signals(self) -> Iterator[None]:
        """Listen to SIGTERM and Ctrl-C."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.end)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to `signals`: uvicorn would raise them again after a clean end."""
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more, finish what was taken, and answer with 503 what cannot be finished in time."""
        log.info("ending: %d requests are under way", len(self.server_state.tasks))
        late = asyncio.get_running_loop().call_later(DRAIN, lambda: asyncio.ensure_future(self._service.pool.close()))
        await super().shutdown(sockets)
        late.cancel()


def listener(settings: Settings) -> socket.socket:
    """Open the socket; `ConfigError` for an address that cannot be had."""
    try:
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        return socket.create_server((settings.host, settings.port), family=family, backlog=BACKLOG)
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"{settings.host} port {settings.port} cannot be listened on: {why}") from error


def address(settings: Settings, sock: socket.socket) -> str:
    """Give the URL of the page."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{sock.getsockname()[1]}/"


def _descriptors(settings: Settings) -> None:
    """Ask for as many descriptors as connections may need."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = settings.limits.connections + SPARE
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
