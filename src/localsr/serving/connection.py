"""Connections that nobody can hold open: uvicorn lets slow headers and slow readers wait for ever."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any, ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from localsr.serving.settings import Limits

MAX_FIELDS = 100  # lines of a request's head; 5,000 take 9 ms to parse
MAX_BUFFERED_BYTES = 2**16  # of a head or a chunk's line that is not whole yet
SPARE_PARTS = 1024  # of a body; beyond that they have MIN_PART_BYTES on average: 16,000 chunks of a byte take 80 ms
MIN_PART_BYTES = 64
DISCARD_SECONDS = 2.0  # in which a body is still read that has its answer, so that its sender comes to read that
DISCARD_PAUSE = 0.005  # s after each part of it, up to 256 KiB: 50 MB a second, and the processor stays free
HEAD_END = re.compile(rb"\n\r?\n")
GRACE_SECONDS = 1.0  # after SIGTERM in which a request that is on its way may still arrive on an open connection


class BoundedParser(h11.Connection):
    """h11's parser, to which each chunk is an event: it refuses bodies that come in crumbs."""

    def __init__(self) -> None:
        """Start with no request."""
        super().__init__(h11.SERVER, MAX_BUFFERED_BYTES)
        self._parts = self._bytes = 0

    def next_event(self) -> Any:  # noqa: ANN401  # h11's
        """Return the next event; `h11.RemoteProtocolError` for a body in too many parts."""
        event = super().next_event()
        if isinstance(event, h11.Data):
            self._parts += 1
            self._bytes += len(event.data)
            if self._parts > SPARE_PARTS + self._bytes // MIN_PART_BYTES:
                raise h11.RemoteProtocolError("the body comes in too many chunks")
        elif isinstance(event, h11.Request):
            self._parts = self._bytes = 0
        return event


class Connection(H11Protocol):
    """uvicorn's protocol with deadlines for the request's head and for whoever reads the answer."""

    limits: ClassVar[Limits] = Limits()

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401  # uvicorn's
        """Start with no timer running."""
        super().__init__(*args, **options)
        self.conn = BoundedParser()
        self._fields, self._tail = 0, b""
        self._discarding: asyncio.TimerHandle | None = None
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
        if not self._answering() and self._discarding is None and not self._few_fields(data):
            self._refuse(431, f"the request has more than {MAX_FIELDS} headers, the limit; send fewer")
            return
        super().data_received(data)
        if self._discarding is not None:
            self._discard_slowly()
        if self._answering():
            self._fields, self._tail = 0, b""
            self._stop_timer("_head")
            self.cycle.keep_alive = self.cycle.keep_alive and not self._ending

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timers of a lost connection."""
        self._stop_timer("_head")
        self._stop_timer("_discarding")
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
        """Wait for the last part to be read, and for the rest of a body that was not, but not for ever."""
        super().on_response_complete()
        if self.conn.their_state is h11.SEND_BODY and not self.transport.is_closing():
            self._discarding = self.loop.call_later(DISCARD_SECONDS, self.transport.close)
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

    def _few_fields(self, data: bytes) -> bool:
        """Return whether a head, of which `data` is a part, has as many lines as it may."""
        data = self._tail + data
        end = HEAD_END.search(data)
        self._fields += data.count(b"\n", len(self._tail), len(data) if end is None else end.start())
        self._tail = data[-2:]
        return self._fields <= MAX_FIELDS

    def _discard_slowly(self) -> None:
        """Stop when a body that has its answer is in, else pause before more of it is read."""
        if self.conn.their_state is not h11.SEND_BODY:
            self._stop_timer("_discarding")
        elif not self.transport.is_closing():
            self.flow.pause_reading()
            self.loop.call_later(DISCARD_PAUSE, self.flow.resume_reading)

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
        phrase = {
            400: "Bad Request",
            408: "Request Timeout",
            431: "Request Header Fields Too Large",
            503: "Service Unavailable",
        }[status]
        head = f"HTTP/1.1 {status} {phrase}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
        self.transport.write(f"{head}connection: close\r\n\r\n".encode() + body)
        self.transport.close()
        self.loop.call_later(self.limits.read_seconds, self.transport.abort)

    def _stop_timer(self, name: str) -> None:
        """Stop a timer, if it runs."""
        timer = getattr(self, name)
        if timer is not None:
            timer.cancel()
            setattr(self, name, None)
