"""A file to read, by its bytes or an open descriptor."""

from __future__ import annotations

import os
import weakref
from dataclasses import dataclass, replace
from typing import Any

import pyvips

from localsr.images.metadata import SourceFile
from localsr.systems import read_at


@dataclass(frozen=True, eq=False)
class Origin:
    """A file to read: its bytes or an open descriptor, and how to call it."""

    title: str  # in messages
    name: str  # without its folder, or empty
    data: bytes | int
    head: bytes  # its first bytes
    weight: int  # bytes
    source: SourceFile

    def read_at(self, place: int, count: int) -> bytes:
        """Read some bytes, fewer at the end."""
        if isinstance(self.data, bytes):
            return self.data[place : place + count]
        return read_at(self.data, count, place)

    def content(self) -> bytes:
        """Read all of it."""
        return self.read_at(0, self.weight)

    def kept(self) -> Origin:
        """Return it with a descriptor of its own, which is closed when nobody has it any more."""
        if isinstance(self.data, bytes):
            return self
        descriptor = os.dup(self.data)
        own = replace(self, data=descriptor)
        weakref.finalize(own, os.close, descriptor)
        return own

    def load(self, kind: str, **options: Any) -> pyvips.Image:  # noqa: ANN401  # libvips' own
        """Open it with libvips' loader of a format; nothing of it but the header is decoded yet."""
        if isinstance(self.data, bytes):
            source = pyvips.Source.new_from_memory(self.data)
        else:
            os.lseek(self.data, 0, os.SEEK_SET)
            source = pyvips.Source.new_from_descriptor(self.data)  # which libvips duplicates
        image = getattr(pyvips.Image, f"{kind}load_source")(source, **options)
        image._references.append(source)  # as pyvips' own new_from_source does, so that the bytes stay
        return image
