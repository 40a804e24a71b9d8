"""What the scripts about the service share: a real `localsr serve`, pictures, and a look at its processes."""

from __future__ import annotations

import io
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import numpy as np
from PIL import Image

BOX = {"left": 40, "top": 40, "right": 72, "bottom": 72}


class Service:
    """`localsr serve` in a process and a temporary folder of its own, for a `with`."""

    def __init__(self, *options: str, cores: Sequence[int] = (), command: Sequence[str] = ("serve",)) -> None:
        """Prepare to run `command` with more options; `cores` binds it, and its workers, to some."""
        self._folder = tempfile.TemporaryDirectory(prefix="service-")
        self.folder = Path(self._folder.name)
        self.log = self.folder / "log"
        self._command = [sys.executable, "-m", "localsr", *command, "--port", "0", *options]
        self._cores = cores

    def __enter__(self) -> Self:
        """Start the service and wait until it can take work."""
        temporary = self.folder / "tmp"
        temporary.mkdir()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                self._command,
                stdout=subprocess.PIPE,
                stderr=log,
                env=os.environ | {"TMPDIR": str(temporary)},
                text=True,
                preexec_fn=(lambda: os.sched_setaffinity(0, self._cores)) if self._cores else None,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line.startswith("localsr: http"):
            raise RuntimeError(f"the service did not start: {self.log.read_text()}")
        self.url = line.split()[1].rstrip("/")
        self.address = ("127.0.0.1", int(self.url.rpartition(":")[2]))
        self.start_seconds = self.ready()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the service, if it runs, and remove its folder."""
        self.stop()
        self._folder.cleanup()

    def ready(self, seconds: float = 300.0) -> float:
        """Wait until the service can take work, and return how long that took."""
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            try:
                if httpx.get(f"{self.url}/readyz").status_code == 200:
                    return time.monotonic() - began
            except httpx.HTTPError:
                pass
            time.sleep(0.05)
        raise RuntimeError(f"the service is not ready: {self.log.read_text()[-2000:]}")

    def stop(self) -> tuple[int, float]:
        """End the service by SIGTERM, and return its exit code and how long that took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(60)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code, time.monotonic() - began

    def upload(self, data: bytes, name: str = "picture") -> str:
        """Send a picture, and return its id."""
        answer = httpx.post(f"{self.url}/api/v1/pictures", params={"name": name}, content=data, timeout=60)
        answer.raise_for_status()
        return str(answer.json()["id"])

    def ask(self, key: str, timeout: float = 60.0) -> tuple[int, float]:
        """Ask for a region of a picture, and return the status and the seconds."""
        began = time.monotonic()
        url = f"{self.url}/api/v1/pictures/{key}/restorations"
        return httpx.post(url, json={"boxes": [BOX]}, timeout=timeout).status_code, time.monotonic() - began

    def usual_seconds(self, key: str) -> float:
        """Return what a region takes while nobody else asks: the first ones are slow, and do not count."""
        return statistics.median([self.ask(key)[1] for _ in range(12)][4:])

    def settle(self, seconds: float = 60.0) -> dict[str, Any]:
        """Wait until no temporary file is left, for so long at most, and return the state then."""
        began = time.monotonic()
        while (state := self.state())["files"] and time.monotonic() - began < seconds:
            time.sleep(0.05)
        return state

    @property
    def workers(self) -> list[int]:
        """The processes of its workers."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(pid) for pid in children]

    def state(self) -> dict[str, Any]:
        """Return MB in memory, descriptors and threads of the service with its workers, and its temporary files."""
        pids = [self.process.pid, *self.workers]
        return {
            "MB": sum(rss(pid) for pid in pids) / 2**20,
            "front MB": rss(self.process.pid) / 2**20,
            "descriptors": sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids),
            "threads": sum(len(os.listdir(f"/proc/{pid}/task")) for pid in pids),
            "files": len(
                [path for path in (self.folder / "tmp").rglob("*") if path.is_file() and path.name != ".lock"]
            ),
        }


def rss(pid: int) -> int:
    """Return the bytes that a process has in memory."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


def photo(width: int = 640, height: int = 480, kind: str = "JPEG", seed: int = 0) -> bytes:
    """Return an encoded picture of soft, coloured noise."""
    small = np.random.default_rng(seed).integers(0, 256, (max(height // 16, 1), max(width // 16, 1), 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC).save(file, kind)
    return file.getvalue()
