"""Connections that nobody can hold open: uvicorn lets slow headers and slow readers wait for ever."""

from __future__ import annotations

import asyncio
import json
from typing import Any, ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol

from localsr.serving.settings import Limits

GRACE_SECONDS = 1.0  # after SIGTERM in which a request that is on its way may still arrive on an open connection


class Connection(H11Protocol):
    """uvicorn's protocol with deadlines for the request's head and for whoever reads the answer."""

    limits: ClassVar[Limits] = Limits()

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401  # uvicorn's
        """Start with no timer running."""
        super().__init__(*args, **options)
        self._head: asyncio.TimerHandle | None = None
        self._reader: asyncio.TimerHandle | None = None
        self._ending = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a head, but not for ever; refuse what is one connection too many."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            self._refuse(503, f"{self.limits.connections} connections are open, the limit; try again in a moment")
            return
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        """Receive a part of a request."""
        if self._head is None and not self._answering():
            self._wait_for_head()
        super().data_received(data)
        if self._answering():
            self._stop_timer("_head")
            self.cycle.keep_alive = self.cycle.keep_alive and not self._ending

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop both timers of a lost connection."""
        self._stop_timer("_head")
        self._stop_timer("_reader")
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Wait for a slow reader, but not for ever."""
        super().pause_writing()
        if self._reader is None:
            self._reader = self.loop.call_later(self.limits.read_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """Stop waiting for the reader."""
        self._stop_timer("_reader")
        super().resume_writing()

    def on_response_complete(self) -> None:
        """Wait for the last part to be read, but not for ever."""
        super().on_response_complete()
        if self.transport.get_write_buffer_size() and self._reader is None:
            self._reader = self.loop.call_later(self.limits.read_seconds, self._abort_unread)

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection, unless its last answer is still being read."""
        if not self.transport.get_write_buffer_size():
            super().timeout_keep_alive_handler()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP."""
        self._refuse(400, msg)

    def shutdown(self) -> None:
        """End with the answer that is under way, or a moment later, for a request that is."""
        self._ending = True
        if self._answering():
            super().shutdown()
        else:
            self.loop.call_later(GRACE_SECONDS, self._end)

    def _end(self) -> None:
        """Close the connection, if nothing has come."""
        if not self.transport.is_closing():
            super().shutdown()

    def _answering(self) -> bool:
        """Return whether a request is in and its answer not out."""
        return self.cycle is not None and not self.cycle.response_complete

    def _wait_for_head(self) -> None:
        """Refuse a client whose line and headers take too long."""
        sentence = f"the request's headers took longer than {self.limits.header:g} s, the limit"
        self._head = self.loop.call_later(self.limits.header, self._refuse, 408, sentence)

    def _abort_unread(self) -> None:
        """Abort a connection whose answer nobody reads to its end."""
        self._reader = None
        if self.transport.get_write_buffer_size():
            self.transport.abort()

    def _refuse(self, status: int, sentence: str) -> None:
        """Answer before there is a request, and close."""
        self._stop_timer("_head")
        if self.transport.is_closing():
            return
        body = json.dumps({"error": sentence, "kind": "ServiceError", "request": ""}).encode()
        phrase = {400: "Bad Request", 408: "Request Timeout", 503: "Service Unavailable"}[status]
        head = f"HTTP/1.1 {status} {phrase}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
        self.transport.write(f"{head}connection: close\r\n\r\n".encode() + body)
        self.transport.close()
        self.loop.call_later(self.limits.read_seconds, self.transport.abort)

    def _stop_timer(self, name: str) -> None:
        """Stop a timer, `_head` or `_reader`, if it runs."""
        timer = getattr(self, name)
        if timer is not None:
            timer.cancel()
            setattr(self, name, None)
