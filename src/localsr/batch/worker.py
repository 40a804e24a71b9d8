"""One picture: opened once, its scene encoded once, its regions one batch; and the rows that tell of it."""

from __future__ import annotations

import errno
import hashlib
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from localsr import images
from localsr.batch import storage
from localsr.batch.tasks import Job, Setup
from localsr.errors import CheckpointError, LocalSRError
from localsr.geometry import Box
from localsr.images import Photo
from localsr.inference.output import write_regions
from localsr.inference.restoration import MAX_PIXELS_HELD_BY_WORKER
from localsr.onnx.restorer import load

DONE, EMPTY, FAILED, ASIDE = "done", "empty", "failed", "set aside"  # what a picture came to
FINAL = (DONE, EMPTY)  # that a rerun leaves as it is
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
THREADS = 1  # of a worker; as many workers as cores are faster than as many threads, and bytes stay the same
log = logging.getLogger(__name__)


class Row(NamedTuple):
    """A region of a picture, or a picture that has none to show; a row of the table."""

    input: str
    status: str  # DONE, EMPTY, FAILED or ASIDE
    reason: str = ""  # why not
    left: int | None = None  # the box, px of the upright picture
    top: int | None = None
    right: int | None = None
    bottom: int | None = None
    label: str = ""
    score: float | None = None
    output: str = ""  # relative to the table's folder
    seconds: float | None = None  # a region's own, and its share of its picture's; None for one that was there already
    gflops: float | None = None  # of the region, and its share of its picture's scene
    width: int | None = None  # of the upright picture
    height: int | None = None
    content: str = ""  # the sha256 of the picture's file
    network: str = ""
    sha256: str = ""  # of the network
    strategy: str = ""
    scale: int | None = None
    stamp: str = ""  # of the picture's file: its size and time
    ask: str = ""  # digest of what was asked
    finished: float = 0.0  # seconds since 1970; the same for all rows of a picture


class Full(NamedTuple):
    """Instead of rows: there is no room to write to."""

    reason: str


Rows = list[Row]


class Rates(NamedTuple):
    """GFLOPs of a region of w x h px away from the borders: `one + across w + down h + area w h`.

    What convolutions and attention over sampled patches cost is of this form, but for the rounding of windows.
    """

    one: float
    across: float
    down: float
    area: float
    scene: float  # of a picture's patches, once

    def of(self, box: Box) -> float:
        """Give GFLOPs of a region."""
        return self.one + self.across * box.width + self.down * box.height + self.area * box.area


class Worker:
    """The network, loaded once, and what is done to each picture."""

    def __init__(self, setup: Setup, rates: Rates | None = None) -> None:
        """Load the network; `CheckpointError` if it is another than the one that names were made for."""
        torch.set_num_threads(THREADS)
        self.setup, self._rates = setup, rates
        self._restorer = load(
            setup.runtime,
            setup.model,
            scale=setup.scale,
            device=setup.device,
            precision=setup.precision,
            max_memory=setup.max_memory,
        )
        if self._restorer.card.sha256 != setup.sha256:
            raise CheckpointError(
                f"{setup.model or setup.name} is another network here ({self._restorer.card.sha256[:12]}) than where "
                f"the work began ({setup.sha256[:12]}); put the same file on every machine"
            )

    def do(self, job: Job, before: Sequence[Row] = ()) -> Rows | Full:
        """Restore what is missing of a picture; `before` are its rows of an earlier run, given back if they hold."""
        began, here = time.perf_counter(), job.picture
        ask = self.setup.ask(job)
        try:
            if self._holds(job, ask, before):
                return list(before)
            with storage.fetched(job.picture) as path:
                here = str(path)
                return self._restored(job, path, ask, began)
        except (LocalSRError, OSError) as error:
            system = error.__cause__ if isinstance(error, LocalSRError) else error
            reason = told(error).replace(here, job.picture)  # a copy's name says nothing
            if isinstance(system, OSError) and system.errno in NO_ROOM:
                return Full(reason)
        except MemoryError:
            reason = "out of memory"
        except Exception as error:  # a fault of ours or of torch's memory must not cost the other pictures
            log.exception("%s", job.picture)
            reason = f"unexpected {type(error).__name__}: {told(error)}"
        return [failed(job, self.setup, FAILED, reason)]

    def _holds(self, job: Job, ask: str, before: Sequence[Row]) -> bool:
        """Tell whether an earlier run's rows are still true: the same file, asked the same, and all results there."""
        if not before or any(row.ask != ask or row.status not in FINAL for row in before):
            return False
        if before[0].stamp != storage.stamp(job.picture):
            return False
        return all(storage.exists(self._place(row.output)) for row in before if row.status == DONE)

    def _restored(self, job: Job, path: Path, ask: str, began: float) -> Rows:
        """Restore the regions of a picture that lies at `path`, and write those that are missing."""
        setup, stamp = self.setup, storage.stamp(job.picture)
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        photo = images.read(path)
        found = job.found(photo)
        outputs = setup.outputs(job.picture, content, found)
        each = {(output, one.label): (one, output) for one, output in zip(found, outputs, strict=True)}
        found, outputs = [one for one, _ in each.values()], [output for _, output in each.values()]  # twice is once
        missing = {n for n, output in enumerate(outputs) if not storage.exists(self._place(output))}
        spent: dict[int, float] = {}
        if missing:
            spent = self._write(photo, [f.box for f in found], outputs, missing)
        shared = (time.perf_counter() - began - sum(spent.values())) / max(len(missing), 1)
        rates, size = self._rates, photo.size
        common = Row(
            job.picture,
            DONE if found else EMPTY,
            width=size.width,
            height=size.height,
            content=content,
            network=setup.name,
            sha256=setup.sha256,
            strategy=setup.strategy,
            scale=setup.scale,
            stamp=stamp,
            ask=ask,
            finished=time.time(),
        )
        if not found:
            return [common]
        return [
            common._replace(
                left=f.box.left,
                top=f.box.top,
                right=f.box.right,
                bottom=f.box.bottom,
                label=f.label,
                score=f.score,
                output=outputs[n],
                seconds=spent[n] + shared if n in missing else None,
                gflops=None if rates is None else rates.of(f.box) + rates.scene / len(found),
            )
            for n, f in enumerate(found)
        ]

    def _write(self, photo: Photo, boxes: Sequence[Box], outputs: Sequence[str], missing: set[int]) -> dict[int, float]:
        """Write results and give the seconds of each.

        All small regions are restored whenever one is missing: what runs in one batch is the same in every run, and so
        are the bytes.
        """
        scene, way = self._restorer.encode(photo), self.setup.strategy
        targets = [storage.storing(self._place(o)) if n in missing else None for n, o in enumerate(outputs)]
        written = write_regions(scene, boxes, targets, way, max_pixels=MAX_PIXELS_HELD_BY_WORKER)
        return {region.number: region.seconds for region in written}

    def _place(self, output: str) -> str:
        """Give the path or URL of an output."""
        return storage.join(self.setup.folder, output)


def failed(job: Job, setup: Setup, status: str, reason: str) -> Row:
    """Give the row of a picture that came to nothing."""
    row = Row(job.picture, status, reason, ask=setup.ask(job), finished=time.time())
    return row._replace(network=setup.name, sha256=setup.sha256, strategy=setup.strategy, scale=setup.scale)


def told(error: BaseException) -> str:
    """Give an error as one line."""
    if isinstance(error, OSError) and not isinstance(error, LocalSRError) and error.strerror:
        return f"{error.filename or 'the system'}: {error.strerror}"
    return " ".join(str(error).split())[:500] or type(error).__name__
