"""uvicorn's server around a service: what was accepted is finished when its end is asked for."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator

import uvicorn

from localsr.errors import ConfigError
from localsr.serving.app import Service
from localsr.serving.connection import Connection
from localsr.serving.pool import Pool
from localsr.serving.problems import Problem
from localsr.serving.settings import BACKLOG, Settings

DRAIN_SECONDS = 20.0  # after SIGTERM for accepted work to end; what has not then is answered with 503
SEND_SECONDS = 5.0  # after that for answers to go out

log = logging.getLogger("localsr.serving")


class DrainingServer(uvicorn.Server):
    """uvicorn's server, which tells the service of its end first."""

    def __init__(self, settings: Settings, pool: Pool) -> None:
        """Put together the service of a pool; it listens when it is told on what."""
        self._service, self._ended = Service(settings, pool), asyncio.Event()
        config = uvicorn.Config(
            self._service.application(),
            http=type("Bounded", (Connection,), {"limits": settings.limits}),
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=5,
            timeout_graceful_shutdown=int(DRAIN_SECONDS + SEND_SECONDS),
            backlog=BACKLOG,
        )
        super().__init__(config)

    async def start_service(self) -> None:
        """Start the service, unless its end comes first; `ConfigError` where it cannot be."""
        starting = asyncio.ensure_future(self._service.start())
        ended = asyncio.ensure_future(self._ended.wait())
        try:
            await asyncio.wait({starting, ended}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                await starting
        except Problem as problem:
            raise ConfigError(problem.sentence) from None
        finally:
            starting.cancel()
            ended.cancel()

    def end(self) -> None:
        """Finish what was accepted and end; a second time, end at once."""
        self.force_exit = self.should_exit
        self.should_exit = self._service.ending = True
        self._ended.set()

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
