"""The memory of this process: what it has, what it had at most, what it may still take."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from localsr.errors import ConfigError
from localsr.systems import most_memory

MEGABYTE = 2**20
LIBRARY_BYTES = 128 * MEGABYTE  # oneDNN's weights and buffers, from the first call on: 60 to 120 MB
BUFFER_BYTES = 16 * MEGABYTE  # what a first region takes besides its tensors: 10 to 15 MB
TAKEN_PER_COUNTED = 1.25  # bytes at the peak to bytes counted, for an estimate: 1.1 to 1.35 from 64 to 400 px
UNKNOWN_BYTES = 4096 * MEGABYTE  # of a machine whose system does not say what it has
USUAL_BYTES = 256 * MEGABYTE  # of a process that has loaded a network and torch
MIN_TENSOR_BYTES = 16 * MEGABYTE  # for tensors: a small tile
TENSOR_SLACK = 1.1  # bytes taken to bytes counted, libraries aside: 0.8 to 1.0


def keep_freed() -> None:
    """Have glibc keep up to 64 MB of what is freed, rather than return it page by page and fault it in again.

    It keeps twice the largest block that was freed so far, of blocks up to 32 MB. This one is never touched. Without it
    a region of 128 x 128 px takes 2,000 to 10,000 page faults, a tenth of its time.
    """
    np.empty(2**25 - 2**16, np.uint8)


def resident() -> int:
    """Return the bytes in memory now; on systems without /proc, what they were at most."""
    return _status("VmRSS") or peak()


def peak() -> int:
    """Return the most bytes that were in memory at once; where no system says it, what they usually are."""
    return _status("VmHWM") or most_memory() or USUAL_BYTES


def tensor_room(limit: int) -> int:
    """Return the bytes that tensors may have in a process that stays below `limit` MB; `ConfigError` if none."""
    here = resident()
    taken = here + LIBRARY_BYTES
    left = limit * MEGABYTE - taken
    if left < MIN_TENSOR_BYTES:
        least = -(-(taken + MIN_TENSOR_BYTES) // MEGABYTE)
        raise ConfigError(f"{limit} MB are not enough: libraries and weights take {taken // MEGABYTE}; give {least}")
    return int(left / TENSOR_SLACK)


def _status(key: str) -> int:
    """Read a size from the kernel; 0 where there is no /proc. Its ru_maxrss begins with what the parent had."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 2**10 for line in lines if line.startswith(f"{key}:")), 0)


def available() -> int:
    """Return the bytes that new processes may take: what the machine has left, or the container."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        free = next(int(line.split()[1]) * 2**10 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        pages = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else UNKNOWN_BYTES
        free = pages // 2
    group = Path("/sys/fs/cgroup")
    try:
        most, now = ((group / name).read_text().strip() for name in ("memory.max", "memory.current"))
        return free if most == "max" else min(free, max(int(most) - int(now), 0))
    except (OSError, ValueError):
        return free
