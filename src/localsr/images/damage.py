"""Damage that libvips reports once: where it happened, nothing more is read."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pyvips


class DamageLatch:
    """Lets one thread read a tiled picture at a time, and none once a tile was damaged.

    libvips keeps a tile that it could not decode, black, and hands it to whoever asks for it next without an error.
    """

    def __init__(self) -> None:
        """Begin without damage."""
        self._lock = threading.Lock()
        self._damage: pyvips.Error | None = None

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Read within this; the first `pyvips.Error` is raised again by every later try."""
        with self._lock:
            if self._damage is not None:
                raise pyvips.Error(self._damage.message, self._damage.detail)
            try:
                yield
            except pyvips.Error as error:
                self._damage = error
                raise
