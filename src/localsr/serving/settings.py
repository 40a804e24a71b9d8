"""The settings of a service: every limit with its default, where it listens, and who may ask."""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from localsr.conditions import Adjustment
from localsr.errors import ConfigError

MIB = 2**20
BACKLOG = 4096  # connections that wait to be accepted
LOOPBACK = ("localhost", "127.0.0.1", "::1")
MIN_TOKEN_LENGTH = 16  # characters
ROOT_PATH = re.compile(
    r"(?!/(?:api|healthz|login|metrics|readyz)(?:/|$))(?:/(?!\.{1,2}(?:/|$))[\w.~@%+=-]+)*", re.ASCII
)


@dataclass(frozen=True)
class Limits:
    """Bounds of what one request and all together may take; each is named in the answer that it causes."""

    body: int = 64  # MiB of an uploaded picture
    megapixels: int = 100  # of an uploaded picture
    boxes: int = 1000  # of one request
    output: int = 200  # megapixels of one answer
    header: float = 10.0  # s for the request's line and headers
    body_seconds: float = 30.0  # s for all of a body
    read_seconds: float = 30.0  # s in which a client takes the next part of an answer, and its last part
    job: float = 60.0  # s for the work of one request
    queue: int = 4  # requests that wait, for each worker
    keep: float = 600.0  # s after its last use that a picture stays on disk
    disk: int = 4096  # MiB of pictures on disk, and of uploads under way; the least recently used goes first
    uploads: int = 32  # under way at once
    memory: int = 1024  # MiB of decoded pictures and scenes in each worker; the least recently used goes first
    connections: int = 4000  # at once

    def __post_init__(self) -> None:
        """Raise `ConfigError` for a limit that is not positive."""
        for name in self.__dataclass_fields__:
            if not 0 < getattr(self, name) < 2**31:
                raise ConfigError(f"the limit {name.replace('_', '-')} is {getattr(self, name)}; give more than 0")


@dataclass(frozen=True)
class Settings:
    """One service: where it listens, to whom, with what."""

    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = field(default=None, repr=False)
    hosts: tuple[str, ...] = ()  # names, besides this machine's loopback, that a Host header may have
    origins: tuple[str, ...] = ()  # other sites whose pages may ask, as https://name:port
    root_path: str = ""  # below which a proxy serves it, as /tool
    networks: tuple[str, ...] = ()  # names or paths; OFFERED_NETWORKS where there are none
    runtime: str = "auto"  # what computes: torch, onnx, or auto for torch where it is installed
    precision: str = "auto"  # in which; as `localsr.load` takes it
    workers: int = 0  # processes; 0: by the cores
    limits: Limits = Limits()
    photo: Path | None = None  # that `localsr view` shows
    tolerant: bool = False  # whether it is read as far as it goes
    adjustment: Adjustment = Adjustment()  # noqa: RUF009  # frozen; that the page starts with

    def __post_init__(self) -> None:
        """Raise `ConfigError` for a service that others can reach and that has no token, or no safe one."""
        if self.token is not None and (len(self.token) < MIN_TOKEN_LENGTH or not self.token.isascii()):
            raise ConfigError(f"the token must have {MIN_TOKEN_LENGTH} ASCII characters or more")
        if self.token is None and not is_loopback(self.host):
            raise ConfigError(
                f"{self.host} can be reached from other machines, so a token is needed: set LOCALSR_TOKEN or give "
                "--token-file; or listen on 127.0.0.1"
            )
        if not ROOT_PATH.fullmatch(self.root_path):
            raise ConfigError(f"the root path is {self.root_path!r}; give one as /tool, but none of the service's own")
        if not 0 <= self.workers <= 64:
            raise ConfigError(f"{self.workers} workers cannot be; give 1 to 64, or 0 for as many as suit the cores")

    @property
    def processes(self) -> int:
        """Workers that are started: one a core, 2 to 4, so that tiles come beside a long job on a single core, too."""
        return self.workers or min(max(cores(), 2), 4)


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches an address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
