"""SIGTERM and Ctrl-C: work in hand is finished and kept before the process ends."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from localsr.errors import StoppedError

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopRequest:
    """Notes a signal instead of dying of it; a second Ctrl-C leaves at once.

    `signum` is the signal that asked for the end, 0 while none has.
    """

    def __init__(self, at_once: str) -> None:
        """Take the sentence of the `StoppedError` that a second Ctrl-C raises."""
        self.signum = 0
        self._at_once = at_once

    def listen(self) -> None:
        """Handle the signals from now on; does nothing outside the main thread, which alone may."""
        if threading.current_thread() is threading.main_thread():
            for signum in SIGNALS:
                signal.signal(signum, self._note)

    def _note(self, signum: int, _: FrameType | None) -> None:
        if self.signum and signum == signal.SIGINT:
            raise StoppedError(self._at_once, signum)
        self.signum = self.signum or signum


@contextmanager
def handlers_restored() -> Iterator[None]:
    """Put the handlers that the signals had before back at the end of the block, whoever changed them in it."""
    before = {signum: signal.getsignal(signum) for signum in SIGNALS}
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            for signum, handler in before.items():
                signal.signal(signum, handler)


@contextmanager
def stop_requests(at_once: str) -> Iterator[StopRequest]:
    """Note signals within the block."""
    request = StopRequest(at_once)
    with handlers_restored():
        request.listen()
        yield request


@contextmanager
def ending(end: Callable[[], None]) -> Iterator[None]:
    """Call `end` within the running event loop at each signal, until the end of the block."""
    loop = asyncio.get_running_loop()
    for signum in SIGNALS:
        try:
            loop.add_signal_handler(signum, end)
        except NotImplementedError:  # loops of Windows
            signal.signal(signum, lambda *_: loop.call_soon_threadsafe(end))
    try:
        yield
    finally:
        for signum in SIGNALS:
            with suppress(NotImplementedError):
                loop.remove_signal_handler(signum)


def ignore_signals() -> None:
    """Leave signals to the process that began this one: a terminal sends Ctrl-C to all of them."""
    for signum in SIGNALS:
        signal.signal(signum, signal.SIG_IGN)
