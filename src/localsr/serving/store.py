"""Pictures on disk: found by an id that cannot be guessed, dropped some time after their last use."""

from __future__ import annotations

import contextlib
import copy
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msgspec import to_builtins

from localsr.serving.messages import MOMENT_SIGN, PictureFacts, PictureFile
from localsr.serving.problems import Problem
from localsr.serving.settings import MIB, Limits

MAX_NAME_LENGTH = 200  # characters of a name that are kept
MAX_PICTURES = 10_000  # however small


@dataclass
class StoredPicture:
    """A picture's file and what its header says."""

    path: Path
    name: str  # as it was given: text, of which nothing is made but text
    tolerant: bool = False
    own: bool = True  # uploaded: a file of ours, with limits; else the one that `localsr view` was started on
    bytes: int = 0
    facts: PictureFacts = field(init=False)  # once a worker has opened it, before it is added to a store
    id: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    used: float = field(default_factory=time.monotonic)
    at: float | None = None  # of a clip, the moment that is asked about

    def as_dict(self) -> dict[str, Any]:
        """Return the API's answer about it."""
        return {"id": self.id, "name": self.name, **to_builtins(self.facts)}

    @property
    def file(self) -> PictureFile:
        """What a worker needs of it."""
        return PictureFile(self.id, str(self.path), self.name, not self.own, self.tolerant, self.at)

    def moment(self, key: str) -> StoredPicture:
        """Return the clip at a moment, whose id is the clip's, `~` and the seconds; 404 for one that it has not."""
        text = key.partition(MOMENT_SIGN)[2]
        if self.facts.clip is None or not re.fullmatch(r"\d{1,6}(\.\d{1,6})?", text, re.ASCII):
            raise Problem(404, "there is no such moment; an id of one is a clip's, ~ and seconds, such as ID~12.4")
        found = copy.copy(self)
        found.id, found.at = key, float(text)
        return found


class Store:
    """The pictures, least recently used first."""

    def __init__(self, folder: Path, limits: Limits, on_drop: Callable[[str], None]) -> None:
        """Keep files in `folder`; `on_drop` is called with the id of each picture that is dropped."""
        self.folder, self._limits, self._on_drop = folder, limits, on_drop
        self._pictures: OrderedDict[str, StoredPicture] = OrderedDict()
        self._reserved: list[int] = []  # bytes of each upload under way

    def __len__(self) -> int:
        """Return how many pictures there are."""
        return len(self._pictures)

    @property
    def bytes(self) -> int:
        """Bytes of uploaded pictures on disk."""
        return sum(picture.bytes for picture in self._pictures.values())

    def new(self, name: str, *, tolerant: bool = False) -> StoredPicture:
        """Return a picture whose file is to be written, and which is to be added then."""
        picture = StoredPicture(self.folder, clean_name(name), tolerant)
        picture.path = self.folder / f"picture-{picture.id}"
        return picture

    @contextlib.contextmanager
    def reserve(self, declared: int | None) -> Iterator[None]:
        """Hold room for an upload while it comes; without a declared length as much as may come.

        Drops pictures used longest ago, as `add` does; 413 for more than the disk's share, 429 where other uploads
        under way leave no room.
        """
        share, most = self._limits.disk * MIB, self._limits.uploads
        size = min(self._limits.body * MIB, share) if declared is None else declared
        if size > share:
            raise Problem(413, f"the body has more than {self._limits.disk} MiB, the limit of all pictures; send less")
        if len(self._reserved) >= most or sum(self._reserved) + size > share:
            raise Problem(429, f"{len(self._reserved)} uploads are under way, as many as can be; try again", retry=2)
        self._reserved.append(size)
        try:
            for oldest in [p for p in self._pictures.values() if p.own]:
                if self.bytes + sum(self._reserved) <= share:
                    break
                self._drop(oldest)
            yield
        finally:
            self._reserved.remove(size)

    def add(self, picture: StoredPicture) -> None:
        """Add a picture, and drop those used longest ago until the limits hold."""
        self._pictures[picture.id] = picture
        while len(self) > MAX_PICTURES or self.bytes + sum(self._reserved) > self._limits.disk * MIB:
            oldest = next((p for p in self._pictures.values() if p.own), picture)
            self._drop(oldest)
            if oldest is picture:
                return

    def get(self, key: str) -> StoredPicture:
        """Return a picture and note its use; 404 for none."""
        picture = self._pictures.get(key.partition(MOMENT_SIGN)[0])
        if picture is None:
            kept = f"{self._limits.keep / 60:g} minutes after their last use"
            raise Problem(404, f"there is no such picture; they are kept for {kept}: upload it again")
        picture.used = time.monotonic()
        self._pictures.move_to_end(picture.id)
        return picture.moment(key) if MOMENT_SIGN in key else picture

    def remove(self, key: str) -> None:
        """Drop a picture; 409 for the one that the page was started on."""
        picture = self.get(key)
        if not picture.own:
            raise Problem(409, "this picture is the one that the page was started on; it stays")
        if picture.at is not None:
            raise Problem(409, "a moment goes with its clip; remove that")
        self._drop(picture)

    def sweep(self) -> None:
        """Drop what nobody has used for long."""
        due = time.monotonic() - self._limits.keep
        for picture in [p for p in self._pictures.values() if p.own and p.used < due]:
            self._drop(picture)

    def _drop(self, picture: StoredPicture) -> None:
        """Forget a picture and remove its file."""
        del self._pictures[picture.id]
        picture.path.unlink(missing_ok=True)
        self._on_drop(picture.id)


def clean_name(name: str) -> str:
    """Return a name as plain text in one line: no control characters, no halves of characters, not too long."""
    text = name.encode(errors="replace").decode()[: 4 * MAX_NAME_LENGTH]
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:MAX_NAME_LENGTH] or "picture"
