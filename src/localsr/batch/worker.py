"""What a worker does with a picture: it is opened once, its scene made once, its regions restored as one batch."""

from __future__ import annotations

import errno
import logging
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from localsr import images
from localsr.batch import storage
from localsr.batch.clips import TaskPicture, open_picture
from localsr.batch.rows import NoRoom, ResultRow, Rows, Status, describe_error, failure_row, rows_hold
from localsr.batch.tasks import Setup, Task
from localsr.errors import CheckpointError, DataError, LocalSRError
from localsr.inference.output import write_regions
from localsr.inference.restoration import MAX_PIXELS_HELD_BY_WORKER
from localsr.loading import load
from localsr.regions import Found
from localsr.regions.request import sift_sizes

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
THREADS = 1  # of a worker; as many workers as cores are faster than as many threads, and bytes stay the same
log = logging.getLogger(__name__)


class Output(NamedTuple):
    """A region and the name of its result."""

    found: Found
    name: str


class Spent(NamedTuple):
    """What a region took."""

    seconds: float
    gflops: float


class BatchWorker:
    """The network, loaded once, and what is done to each picture."""

    def __init__(self, setup: Setup) -> None:
        """Load the network; `CheckpointError` if it is another than the one that names were made for."""
        self.setup = setup
        self._restorer = load(
            setup.model,
            runtime=setup.runtime,
            scale=setup.scale,
            device=setup.device,
            precision=setup.precision,
            max_memory=setup.max_memory,
            threads=THREADS,
        )
        if setup.size:
            self._restorer = self._restorer.sized(size=setup.size)
        if self._restorer.card.sha256 != setup.sha256:
            raise CheckpointError(
                f"{setup.model or setup.name} is another network here ({self._restorer.card.sha256[:12]}) than where "
                f"the work began ({setup.sha256[:12]}); put the same file on every machine"
            )

    def process(self, task: Task, before: Sequence[ResultRow] = ()) -> Rows | NoRoom:
        """Restore what is missing of a picture; `before`, its rows of an earlier run, is returned if it holds."""
        began, local = time.perf_counter(), task.picture
        try:
            if rows_hold(task, before, self.setup):
                return list(before)
            with storage.fetched(task.file) as path:
                local = str(path)
                return self._restore(task, path, began)
        except (LocalSRError, OSError) as error:
            system = error.__cause__ if isinstance(error, LocalSRError) else error
            reason = describe_error(error).replace(local, task.file)  # nobody knows a copy's name
            if isinstance(system, OSError) and system.errno in NO_ROOM:
                return NoRoom(reason)
        except MemoryError:
            reason = "out of memory"
        except Exception as error:  # a fault of ours or of a device's memory must not cost the other pictures
            log.exception("%s", task.picture)
            reason = f"unexpected {type(error).__name__}: {describe_error(error)}"
        return [failure_row(task, self.setup, Status.FAILED, reason)]

    def _restore(self, task: Task, path: Path, began: float) -> Rows:
        """Restore the regions of a picture that lies at `path`, write those that are missing, and return all rows."""
        setup, stamp = self.setup, storage.file_stamp(task.file)
        picture = open_picture(path, task.moment, setup.frames, tolerant=setup.tolerant)
        photo = picture.photo
        content = photo.sha256(limit=math.inf)
        if not content:
            raise DataError(f"{path} has changed while it was read; run the batch again")
        found, refused = task.sift_regions(photo)
        found, unfit = sift_sizes(found, self._restorer.size_of)
        outputs = self._outputs(task, found, content)
        missing = {n for n, output in enumerate(outputs) if not storage.exists(self._place(output.name))}
        spent = self._write(picture, outputs, missing) if missing else {}
        shared = (time.perf_counter() - began - sum(each.seconds for each in spent.values())) / max(len(missing), 1)
        common = ResultRow(
            task.picture,
            Status.DONE if outputs else Status.EMPTY,
            width=photo.size.width,
            height=photo.size.height,
            content=content,
            network=setup.name,
            sha256=setup.sha256,
            strategy=setup.strategy,
            scale=setup.scale,
            stamp=stamp,
            ask=setup.digest(task),
            finished=time.time(),
            notes="; ".join(images.notes_of(photo)),
        )
        done = [
            common._replace(
                left=one.box.left,
                top=one.box.top,
                right=one.box.right,
                bottom=one.box.bottom,
                scale=setup.enlargement.factor(one.box.size),
                label=one.label,
                score=one.score,
                output=name,
                seconds=spent[n].seconds + shared if n in spent else None,
                gflops=spent[n].gflops if n in spent else None,
            )
            for n, (one, name) in enumerate(outputs)
        ]
        failed = [
            common._replace(status=Status.FAILED, reason=describe_error(error), label=region.label, score=region.score)
            for region, error in (*refused, *unfit)
        ]
        return [*done, *failed] or [common]

    def _outputs(self, task: Task, found: Sequence[Found], content: str) -> list[Output]:
        """Return the regions of a picture and the names of their results, each once however often it is asked for."""
        names = self.setup.output_names(task.picture, content, found)
        unique = {(name, one.label): Output(one, name) for one, name in zip(found, names, strict=True)}
        return list(unique.values())

    def _write(self, picture: TaskPicture, outputs: Sequence[Output], missing: set[int]) -> dict[int, Spent]:
        """Write the results that are missing, and return what each took by its number."""
        boxes = [output.found.box for output in outputs]
        targets = [storage.storing(self._place(o.name)) if n in missing else None for n, o in enumerate(outputs)]
        scene, strategy = self._restorer.encode(picture.source).adjusted(*self.setup.adjustment), self.setup.strategy
        most, saving = MAX_PIXELS_HELD_BY_WORKER, self.setup.saving
        written = write_regions(scene, boxes, targets, strategy, max_pixels=most, saving=saving)
        seconds = {region.number: region.seconds for region in written}
        area, spent = sum(boxes[n].area for n in seconds), {}
        for n in seconds:  # the scene is shared by area, as its seconds are
            work = scene.planned([boxes[n]], strategy)
            spent[n] = Spent(seconds[n], work.gflops + work.gflops_scene * boxes[n].area / area)
        return spent

    def _place(self, output: str) -> str:
        """Return the path or URL of an output."""
        return storage.join(self.setup.folder, output)
