"""A photo that a restorer has looked at, and the one way from a box to its pixels."""

from __future__ import annotations

import copy
import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import overload

import numpy as np
import torch
from numpy.typing import NDArray

from localsr import images
from localsr.errors import ConfigError
from localsr.geometry import Box, checked_boxes
from localsr.images import Photo
from localsr.inference import scene_file
from localsr.inference.calibration import calibrated
from localsr.inference.cost import scene_load
from localsr.inference.execution import Done, Job, attend, batches, each, encode, run, sampled
from localsr.inference.memory import BUFFERS, MEGABYTE, TAKEN, resident
from localsr.inference.planning import plan, shared
from localsr.inference.restoration import MAX_PIXELS_HELD, Attention, Bill, Piece, Restoration, enlarged_alpha
from localsr.inference.strategies import Strategy
from localsr.models.clsr import CLSR
from localsr.progress import Progress


class Scene:
    """What all boxes of one photo share; made by `Restorer.encode`, immutable, for any thread as often as one likes.

    The pixels of a box depend on the box and on nothing else: not on what is asked for with it, before or at once;
    but for `share`, whose point is that they may.
    """

    def __init__(
        self,
        photo: Photo,
        name: str,
        network: CLSR,
        plain: CLSR | None,
        precision: str = "fp32",
        *,
        sha256: str = "",
        memory: int | None = None,
        path: Path | None = None,
    ) -> None:
        """Look at the photo: sample N patches, whatever its size, and keep their keys and values.

        With `path` they come from a file that `save` wrote. `memory` bounds the bytes of a batch's tensors.
        """
        self.photo = photo
        self._name, self._network, self._plain, self._precision = name, network, plain, precision
        self._memory = memory
        self._patches, pixels = sampled(network, photo)
        self._about = {"picture": _digest(photo, pixels), "network": sha256}
        if path is None:
            self._context = encode(network, photo, self._patches, pixels)
        else:
            self._context = scene_file.read(path, network, len(self._patches), self._about)

    @property
    def scale(self) -> int:
        """How many times a region is enlarged."""
        return self._network.config.scale

    @property
    def strategies(self) -> list[Strategy]:
        """The strategies that can run here."""
        plain, context = self._plain is not None, not self._network.config.plain
        return [way for way in Strategy if (context if way is Strategy.CLSR else plain)]

    def bounded(self, memory: int) -> Scene:
        """Give this scene with a bound on the bytes of a batch's tensors."""
        other = copy.copy(self)
        other._memory = memory
        return other

    def save(self, path: str | PathLike[str]) -> None:
        """Write the keys and values, for `Restorer.encode(photo, path)` in another process.

        Raises `ConfigError` for a network without GCM, which has none.
        """
        if self._context is None:
            raise ConfigError(f"{self._name} has no global context module, so a scene of it holds nothing to save")
        if not self._about["network"]:
            raise ConfigError(f"{self._name} was never saved, so nothing could tell that a scene is of its weights")
        scene_file.write(Path(path), self._context, self._about)

    @overload
    def restore(
        self,
        boxes: Box,
        strategy: Strategy | str | None = ...,
        *,
        clip: bool = ...,
        share: bool = ...,
        progress: Progress | None = ...,
    ) -> Restoration: ...

    @overload
    def restore(
        self,
        boxes: Sequence[Box],
        strategy: Strategy | str | None = ...,
        *,
        clip: bool = ...,
        share: bool = ...,
        progress: Progress | None = ...,
    ) -> list[Restoration]: ...

    def restore(
        self,
        boxes: Box | Sequence[Box],
        strategy: Strategy | str | None = None,
        *,
        clip: bool = False,
        share: bool = False,
        progress: Progress | None = None,
    ) -> Restoration | list[Restoration]:
        """Restore one box, or a list of boxes: those of one size, at places alike to the network, run as one batch.

        With `share`, boxes that crowd are restored as one tile with all the halo it needs, where that counts fewer
        FLOPs: their pixels are then those of `full` (with context, for `clsr`) and differ a little from each box's own.

        `strategy` is `clsr` for a network with context and `halo` for a plain one, unless named. `progress` hears how
        many LR px are done, of how many. Raises `BoxError` for a box that leaves the picture, unless `clip` cuts it.
        """
        if isinstance(boxes, Box):
            return self.restore([boxes], strategy, clip=clip, progress=progress)[0]
        found = dict(self.stream(boxes, strategy, clip=clip, share=share, progress=progress))
        return [found[n] for n in range(len(found))]

    def stream(
        self,
        boxes: Sequence[Box],
        strategy: Strategy | str | None = None,
        *,
        clip: bool = False,
        share: bool = False,
        progress: Progress | None = None,
    ) -> Iterator[tuple[int, Restoration]]:
        """Restore boxes as `restore` does, and give each one's number and restoration as soon as it is ready."""
        inside = checked_boxes(boxes, self.photo.size, clip=clip)
        way, network = self._choose(strategy)
        return self._work(inside, way, network, self._jobs(inside, way, network, share=share), progress)

    def _jobs(self, boxes: Sequence[Box], way: Strategy, network: CLSR, *, share: bool) -> list[Job]:
        """Plan the work for boxes within the picture."""
        size, count = self.photo.size, len(self._patches)
        jobs = plan(boxes, size, network, way, count, self._memory)
        return shared(jobs, size, network, count, self._memory) if share and way is not Strategy.CROP else jobs

    def pieces(
        self,
        box: Box,
        strategy: Strategy | str | None = None,
        *,
        clip: bool = False,
        progress: Progress | None = None,
    ) -> Iterator[Piece]:
        """Restore a box piece by piece, none of which is kept: for regions that do not fit in memory."""
        inside = checked_boxes(box, self.photo.size, clip=clip)
        way, network = self._choose(strategy)
        jobs = plan(inside, self.photo.size, network, way, len(self._patches), self._memory)
        return (Piece(done.job.taper.roi, done.pixels) for done in self._run(jobs, way, network, progress))

    def _run(self, jobs: Sequence[Job], way: Strategy, network: CLSR, progress: Progress | None) -> Iterator[Done]:
        """Run jobs, those that are alike together."""
        context = self._context if way is Strategy.CLSR else None
        total, area = sum(job.taper.roi.area for job in jobs), 0
        parts, threads = batches(jobs, network, len(self._patches), self._memory)

        def work(batch: list[Job]) -> tuple[float, list[tuple[list[Job], list[NDArray[np.float32]], str]]]:
            began = time.perf_counter()
            found = list(run(network, self.photo, batch, context, self._precision))
            return (time.perf_counter() - began) / len(batch) / threads, found

        for spent, found in each(work, parts, threads):
            for part, pixels, precision in found:
                area += sum(job.taper.roi.area for job in part)
                if progress is not None:
                    progress(area, total)
                for job, own in zip(part, pixels, strict=True):
                    yield Done(job, own, precision, spent)

    def _work(
        self, boxes: Sequence[Box], way: Strategy, network: CLSR, jobs: Sequence[Job], progress: Progress | None
    ) -> Iterator[tuple[int, Restoration]]:
        """Put boxes together from jobs; a box is done with the last job that it waits for."""
        scale = network.config.scale
        waiting = Counter(n for job in jobs for n in job.boxes)
        pixels: dict[int, NDArray[np.float32]] = {}
        seconds, precisions = [0.0] * len(boxes), [self._precision] * len(boxes)
        for done in self._run(jobs, way, network, progress):
            for n in done.job.boxes:
                box = boxes[n]
                pixels[n] = done.put(box, pixels.get(n), scale)
                seconds[n] += done.seconds / len(done.job.boxes)
                precisions[n] = done.precision if done.precision != self._precision else precisions[n]
                waiting[n] -= 1
                if not waiting[n]:
                    alpha, made = enlarged_alpha(self.photo, box, scale), (precisions[n], seconds[n])
                    yield n, Restoration(pixels.pop(n), alpha, box, scale, way, self._name, *made, self.photo)

    def planned(
        self, boxes: Sequence[Box], strategy: Strategy | str | None = None, *, share: bool = False
    ) -> tuple[int, float]:
        """Tell in how many pieces boxes would be restored, and their GFLOPs."""
        way, network = self._choose(strategy)
        jobs = self._jobs(checked_boxes(boxes, self.photo.size), way, network, share=share)
        return len(jobs), sum(job.load(network, len(self._patches)).flops for job in jobs) / 1e9

    def cost(self, boxes: Box | Sequence[Box], *, share: bool = False) -> dict[Strategy, Bill]:
        """Tell what restoring boxes would cost by each strategy that can run; the first call measures the machine.

        Raises `BoxError` for a box that leaves the picture.
        """
        here = resident()  # beforehand: what counts takes memory, too
        boxes, patches = checked_boxes(boxes, self.photo.size), len(self._patches)
        bills = {}
        for way in self.strategies:
            network = self._choose(way)[1]
            key = f"{self._about['network'][:16]} {way} {self._precision} {network.runtime} {network.device}"
            speed = calibrated(key, *self._samples(way))
            jobs = self._jobs(boxes, way, network, share=share)
            parts, threads = batches(jobs, network, patches, self._memory)
            work = [(len(batch), batch[0].load(network, patches)) for batch in parts]
            scene = scene_load(network.config, patches)
            flops = sum(count * each.flops for count, each in work)
            made = max((min(box.scaled(network.config.scale).area, MAX_PIXELS_HELD) for box in boxes), default=0)
            most = threads * max((count * each.bytes for count, each in work), default=0) + 3 * 4 * made
            bills[way] = Bill(
                flops / 1e9,
                scene.flops / 1e9,
                speed.seconds(len(work), flops + scene.flops),
                (here + BUFFERS + most * TAKEN) / MEGABYTE,
            )
        return bills

    def _samples(self, way: Strategy) -> tuple[Callable[[], int], Callable[[], int]]:
        """Give two pieces of work to measure by: a small and a large ROI, in the middle of a picture of noise."""
        photo = images.read(np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8))
        scene = Scene(photo, self._name, self._network, self._plain, self._precision)
        network = self._choose(way)[1]

        def work(side: int) -> int:
            box = Box.from_xywh(128 - side // 2, 128 - side // 2, side, side)
            scene.restore(box, way)
            jobs = scene._jobs([box], way, network, share=False)
            return sum(job.load(network, len(scene._patches)).flops for job in jobs)

        return lambda: work(24), lambda: work(96)

    def attention(self, box: Box) -> Attention:
        """Tell which of the sampled patches the GCM draws on for a box (Fig. 8): as numbers; who asks may draw them.

        Raises `ConfigError` for a network without GCM, `BoxError` for a box that leaves the picture.
        """
        (box,) = checked_boxes(box, self.photo.size)
        if self._context is None:
            raise ConfigError(f"{self._name} has no global context module; choose a network that has one")
        size, patches = self.photo.size, self._patches
        total = torch.zeros(len(patches))
        for job in plan([box], size, self._network, Strategy.CLSR, len(patches), self._memory):
            weights = attend(self._network, self.photo, job, self._context).mean(1)[0]  # (queries, tokens)
            total += weights.sum(0).view(len(patches), -1).sum(1).cpu()
        return Attention(box, patches, (total / total.sum()).tolist())

    def strategy(self, asked: Strategy | str | None = None) -> Strategy:
        """Give the strategy that runs when `asked` is asked for; `ConfigError` for one that cannot."""
        return self._choose(asked)[0]

    def _choose(self, strategy: Strategy | str | None) -> tuple[Strategy, CLSR]:
        """Settle the strategy and the network that runs it."""
        if strategy is None:
            strategy = Strategy.HALO if self._network.config.plain else Strategy.CLSR
        way = Strategy.named(strategy)
        if way is Strategy.CLSR:
            if self._network.config.plain:
                raise ConfigError(f"{self._name} is a plain backbone without context; choose crop, halo or full")
            return way, self._network
        if self._plain is None:
            raise ConfigError(f"{self._name} has no plain twin at hand, which {way} runs; put it beside the checkpoint")
        return way, self._plain


def _digest(photo: Photo, patches: torch.Tensor) -> str:
    """Hash all that keys and values follow from besides the network: the picture's size and its patches' pixels."""
    return hashlib.sha256(f"{photo.size}".encode() + patches.numpy().tobytes()).hexdigest()
