"""Pictures on disk: found by an id that cannot be guessed, dropped some time after their last use."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localsr.serving.limits import MEGABYTE, Limits
from localsr.serving.problems import Problem

LONGEST = 200  # characters of a name that are kept
MOST = 10_000  # pictures, however small


@dataclass
class Picture:
    """A picture's file and what is told of it."""

    path: Path
    name: str  # as it was given: text, of which nothing is made but text
    own: bool = True  # uploaded: a file of ours, with limits; else the one that `localsr view` was started on
    bytes: int = 0
    facts: dict[str, Any] = field(default_factory=dict)
    id: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    used: float = field(default_factory=time.monotonic)

    @property
    def told(self) -> dict[str, Any]:
        """What the API says of it."""
        return {"id": self.id, "name": self.name, **self.facts}

    @property
    def job(self) -> dict[str, Any]:
        """What a worker needs of it."""
        return {"id": self.id, "path": str(self.path), "name": self.name, "any_size": not self.own}


class Store:
    """The pictures, least recently used first."""

    def __init__(self, folder: Path, limits: Limits, forgotten: Callable[[str], None]) -> None:
        """Keep files in `folder`; `forgotten` hears of each picture that is dropped."""
        self.folder, self._limits, self._forgotten = folder, limits, forgotten
        self._pictures: OrderedDict[str, Picture] = OrderedDict()

    def __len__(self) -> int:
        """Count pictures."""
        return len(self._pictures)

    @property
    def bytes(self) -> int:
        """Bytes of uploaded pictures on disk."""
        return sum(picture.bytes for picture in self._pictures.values())

    def new(self, name: str) -> Picture:
        """Name the file of a picture that is to come."""
        picture = Picture(self.folder, cleaned(name))
        picture.path = self.folder / f"picture-{picture.id}"
        return picture

    def add(self, picture: Picture) -> None:
        """Take a picture, and drop those used longest ago until the budget holds."""
        self._pictures[picture.id] = picture
        while len(self) > MOST or self.bytes > self._limits.disk * MEGABYTE:
            oldest = next((p for p in self._pictures.values() if p.own), picture)
            self._drop(oldest)
            if oldest is picture:
                return

    def get(self, key: str) -> Picture:
        """Find a picture; 404 for none."""
        picture = self._pictures.get(key)
        if picture is None:
            kept = f"{self._limits.keep / 60:g} minutes after their last use"
            raise Problem(404, f"there is no such picture; they are kept for {kept}: upload it again")
        picture.used = time.monotonic()
        self._pictures.move_to_end(key)
        return picture

    def remove(self, key: str) -> None:
        """Drop a picture that is wanted no more."""
        picture = self.get(key)
        if not picture.own:
            raise Problem(409, "this picture is the one that the page was started on; it stays")
        self._drop(picture)

    def sweep(self) -> None:
        """Drop what nobody has used for long."""
        due = time.monotonic() - self._limits.keep
        for picture in [p for p in self._pictures.values() if p.own and p.used < due]:
            self._drop(picture)

    def _drop(self, picture: Picture) -> None:
        """Forget a picture and its file."""
        del self._pictures[picture.id]
        picture.path.unlink(missing_ok=True)
        self._forgotten(picture.id)


def cleaned(name: str) -> str:
    """Make a name plain text in one line: no control characters, no halves of characters, not too long."""
    text = name.encode(errors="replace").decode()[: 4 * LONGEST]
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:LONGEST] or "picture"
