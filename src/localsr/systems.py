"""What Windows lacks of what Linux and macOS have: locks on files, reading at a place, memory of a process."""

from __future__ import annotations

import os
import sys
from threading import Lock
from typing import IO, Any

_AT_A_PLACE = Lock()  # where the system has no call that reads or writes at one


def lock_file(file: IO[Any], *, wait: bool) -> None:
    """Lock an open file until it is closed; `OSError` if another process holds it and this one is not to `wait`."""
    if sys.platform == "win32":
        import msvcrt

        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)  # LK_LOCK tries for 10 s
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)


def read_at(descriptor: int, count: int, place: int) -> bytes:
    """Read bytes of an open file from a place on, fewer at its end; for any thread."""
    if hasattr(os, "pread"):
        return os.pread(descriptor, count, place)
    with _AT_A_PLACE:
        os.lseek(descriptor, place, os.SEEK_SET)
        return os.read(descriptor, count)


def write_at(descriptor: int, data: bytes | memoryview, place: int) -> int:
    """Write bytes into an open file from a place on, and return how many were written; for any thread."""
    if hasattr(os, "pwrite"):
        return os.pwrite(descriptor, data, place)
    with _AT_A_PLACE:
        os.lseek(descriptor, place, os.SEEK_SET)
        return os.write(descriptor, data)


def most_memory() -> int | None:
    """Return the most bytes that this process had in memory at once; None where the system does not say."""
    if sys.platform == "win32":
        return None
    import resource

    unit = 1 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def allow_descriptors(wanted: int) -> None:
    """Ask for as many open files and connections as are wanted, as far as the system lets this process."""
    if sys.platform != "win32":
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
