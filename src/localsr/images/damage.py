"""Damage that a decoder passes over: each block of a file is checked once, while its pixels are first decoded."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Protocol

import pyvips

from localsr.geometry import Box


class DamagedBlockError(Exception):
    """A part of a file that is not what its encoder wrote; the message does not name the file."""


class CheckedBlocks(Protocol):
    """The parts of a file that can be checked alone."""

    def under(self, boxes: Sequence[Box]) -> set[int]:
        """Return the numbers of those that boxes of the upright picture need."""

    def check(self, number: int) -> None:
        """Raise `DamagedBlockError` if one is damaged."""


class WholeFile:
    """A file that is one block."""

    def __init__(self, check: Callable[[], None]) -> None:
        """Take the call that checks it and raises `DamagedBlockError`."""
        self._check = check

    def under(self, boxes: Sequence[Box]) -> set[int]:
        """Return the only one."""
        return {0}

    def check(self, number: int) -> None:
        """Check it."""
        self._check()


class DamageLatch:
    """Lets pixels out when the blocks that they come from were checked, and none once damage was read.

    libvips keeps a tile that it could not decode, black, and hands it to whoever asks for it next without an error:
    a tiled picture is read by one thread at a time.
    """

    def __init__(self, blocks: CheckedBlocks | None, *, tiled: bool) -> None:
        """Begin without damage and with nothing checked; without `blocks`, the decoder's errors are all there is."""
        self._lock = threading.Lock()
        self._damage = ""
        self._blocks, self._tiled = blocks, tiled
        self._sound: set[int] = set()

    @contextmanager
    def reading(self, boxes: Sequence[Box]) -> Iterator[None]:
        """Read boxes within this, while others check them; the first damage is raised again by every later try."""
        needed = set() if self._blocks is None else self._blocks.under(boxes)
        if not self._damage and not self._tiled and needed <= self._sound:
            yield
            return
        with self._lock:
            if self._damage:
                raise DamagedBlockError(self._damage)
            try:
                with ThreadPoolExecutor() as pool:
                    reasons = pool.map(self._damage_of, needed - self._sound)
                    yield
            except pyvips.Error as error:
                self._damage = error.detail or str(error)
                raise
            self._damage = next(filter(None, reasons), "")
            if self._damage:
                raise DamagedBlockError(self._damage)
            self._sound |= needed

    def _damage_of(self, number: int) -> str:
        """Return what is wrong with a block, or nothing: an exception in a future is a cycle that holds images."""
        assert self._blocks is not None
        try:
            self._blocks.check(number)
        except DamagedBlockError as error:
            return str(error)
        return ""
