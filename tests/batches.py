"""Pictures, regions and an engine within the test's own process, for tests of batches."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from localsr.batch.rows import ResultRow
from localsr.batch.supervisor import Died, Ready, Reply
from localsr.batch.tasks import Setup, Task
from localsr.batch.worker import BatchWorker
from localsr.regions import RegionRequest, text

BOXES = ("3,4,20,14", "40%,40%,30%,30%", "1,1,9,9")


def write_picture(path: Path, seed: int = 0, size: tuple[int, int] = (60, 50)) -> str:
    """Write noise and return the path."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return str(path)


def request(*given: str) -> RegionRequest:
    return RegionRequest(given=tuple(text(one) for one in given))


def tasks_in(folder: Path) -> list[Task]:
    """Twelve pictures of one to three regions each."""
    return [Task(write_picture(folder / f"{k:02d}.png", k), request(*BOXES[: k % 3 + 1])) for k in range(12)]


class InlineEngine:
    """An engine in this process; `dies` says how often a picture kills its worker."""

    def __init__(self, setup: Setup, dies: dict[str, int] | None = None, size: int = 2, blamed: bool = True) -> None:
        self.size, self.worker, self.dies, self.blamed = size, BatchWorker(setup), dict(dies or {}), blamed
        self.events: list[Ready | Reply | Died] = []
        self.sent: list[str] = []
        self.closed = False

    def start(self, slot: int) -> None:
        self.events.append(Ready(slot))

    def send(self, slot: int, task: Task, before: Sequence[ResultRow]) -> None:
        name = Path(task.picture).stem
        self.sent.append(name)
        if self.dies.get(name, 0):
            self.dies[name] -= 1
            self.events.append(Died(slot, "it was ended by signal 9", self.blamed))
        else:
            self.events.append(Reply(slot, self.worker.process(task, before)))

    def wait(self, seconds: float) -> list[Ready | Reply | Died]:
        return [self.events.pop(0)] if self.events else []

    def close(self) -> None:
        self.closed = True


def contents(folder: str | Path) -> dict[str, bytes]:
    """The results in a folder."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in Path(folder).rglob("*.png")}


def stray(folder: str | Path) -> list[Path]:
    """What a finished run must not leave."""
    return [p for p in Path(folder).rglob("*") if p.name.endswith(".part") or p.parent.name == ".parts"]
