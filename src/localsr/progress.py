"""How work that takes a while says how far it has come."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

Progress: TypeAlias = Callable[[int, int], None]  # (done, of): rows, pixels or pictures, as whoever takes one says
