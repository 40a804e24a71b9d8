"""A photo that a restorer has looked at, and the one way from a box to its pixels: plan, batch, execute, assemble."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from os import PathLike
from pathlib import Path
from typing import NamedTuple, overload

import numpy as np
import torch
from numpy.typing import NDArray

from localsr import images
from localsr.errors import ConfigError
from localsr.geometry import Box, checked_boxes
from localsr.images import Photo
from localsr.inference.batching import batch_work
from localsr.inference.calibration import Speed, calibrated
from localsr.inference.cost import CostEstimate, estimate_cost
from localsr.inference.execution import RestoredItem, RunInputs, attend, execute
from localsr.inference.memory import resident
from localsr.inference.paste import Pasting, paste
from localsr.inference.planning import RunSettings, WorkItem, plan_work
from localsr.inference.protocols import RunnableNetwork
from localsr.inference.restoration import Attention, Piece, Restoration, enlarged_alpha
from localsr.inference.scene_context import SceneContext
from localsr.inference.strategies import NetworkPair, Strategy
from localsr.progress import Progress


class WorkCount(NamedTuple):
    """What is planned for boxes."""

    pieces: int
    gflops: float


class Scene:
    """What all boxes of one photo share; made by `Restorer.encode`, immutable, for any thread as often as one likes.

    The pixels of a box depend on the box and on nothing else: not on what is asked for with it, before or at once;
    but for `share`, whose point is that they may.
    """

    def __init__(
        self,
        photo: Photo,
        name: str,
        network: RunnableNetwork,
        plain: RunnableNetwork | None,
        precision: str = "fp32",
        *,
        sha256: str = "",
        memory: int | None = None,
        path: Path | None = None,
    ) -> None:
        """Take a photo and the networks to restore its regions by; `Restorer.encode` does it for most callers.

        Args:
            photo: The photo.
            name: The network's name, for messages and results.
            network: The network, with context or without.
            plain: Its plain twin, `network` itself if it has no context; None if there is none at hand.
            precision: `fp32`, `bf16` or `fp16`.
            sha256: Of the network's weights, where they were saved.
            memory: Bytes that a batch's tensors may take; None for no bound.
            path: A file that `save` wrote, from which the photo's keys and values are read now. Without it they are
                made when `clsr`, `attention` or `save` first asks for them.

        Raises:
            CheckpointError: The file is damaged, or of another photo or network.
        """
        self.photo = photo
        self._networks, self._precision, self._memory = NetworkPair(name, network, plain), precision, memory
        self._sha256 = sha256
        self._context = SceneContext(network, photo, sha256)
        if path is not None:
            self._context.load(path)

    def __repr__(self) -> str:
        """Return a line that says what it is."""
        name, strategies = self.photo.name or "a photo", ", ".join(self.strategies)
        return f"<Scene of {name}, {self.photo.size} px, by {self._networks.name}, x{self.scale}: {strategies}>"

    @property
    def scale(self) -> int:
        """How many times a region is enlarged."""
        return self._networks.network.geometry.scale

    @property
    def strategies(self) -> list[Strategy]:
        """The strategies that can run here."""
        return self._networks.strategies

    def strategy(self, asked: Strategy | str | None = None) -> Strategy:
        """Return the strategy that runs when `asked` is asked for, the default for None; `ConfigError` for no such."""
        return self._networks.choose(asked)

    def bounded(self, memory: int) -> Scene:
        """Return this scene with a bound on the bytes of a batch's tensors."""
        other = copy.copy(self)
        other._memory = memory
        return other

    def prepare(self, strategy: Strategy | str | None = None) -> None:
        """Make now what a first region by a strategy would wait for: the keys and values of `clsr`."""
        self._inputs(self._settings(self.strategy(strategy)))

    def save(self, path: str | PathLike[str]) -> None:
        """Write the keys and values, for `Restorer.encode(photo, path)` in another process."""
        self._context.save(Path(path), self._networks.name)

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
        """Restore one box, or a list of boxes: those of one size, at places alike to the network, run as one batch."""
        asked = [boxes] if isinstance(boxes, Box) else boxes
        found = dict(self.stream(asked, strategy, clip=clip, share=share, progress=progress))
        return found[0] if isinstance(boxes, Box) else [found[n] for n in range(len(found))]

    def stream(
        self,
        boxes: Sequence[Box],
        strategy: Strategy | str | None = None,
        *,
        clip: bool = False,
        share: bool = False,
        progress: Progress | None = None,
    ) -> Iterator[tuple[int, Restoration]]:
        """Restore boxes as `restore` does, and yield each one's number and restoration as soon as it is ready."""
        inside = checked_boxes(boxes, self.photo.size, clip=clip)
        settings = self._settings(self.strategy(strategy))
        items = plan_work(inside, settings, share=share)
        done = execute(batch_work(items, settings), self._inputs(settings), progress)
        return self._assemble(inside, items, done, settings.strategy)

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
        settings = self._settings(self.strategy(strategy))
        items = plan_work(inside, settings)
        done = execute(batch_work(items, settings), self._inputs(settings), progress)
        return (Piece(restored.item.taper.roi, restored.pixels) for restored in done)

    def planned(
        self, boxes: Sequence[Box], strategy: Strategy | str | None = None, *, share: bool = False
    ) -> WorkCount:
        """Return in how many pieces boxes would be restored, and their GFLOPs."""
        inside = checked_boxes(boxes, self.photo.size)
        settings = self._settings(self.strategy(strategy))
        items = plan_work(inside, settings, share=share)
        return WorkCount(len(items), sum(item.load(settings).flops for item in items) / 1e9)

    def cost(self, boxes: Box | Sequence[Box], *, share: bool = False) -> dict[Strategy, CostEstimate]:
        """Return what restoring boxes would cost by each strategy that can run; the first call measures the machine."""
        before = resident()  # beforehand: counting takes memory, too
        inside = checked_boxes(boxes, self.photo.size)
        found = {}
        for strategy in self.strategies:
            settings = self._settings(strategy)
            plan = batch_work(plan_work(inside, settings, share=share), settings)
            found[strategy] = estimate_cost(inside, plan, settings, self._speed(settings), before)
        return found

    def attention(self, box: Box) -> Attention:
        """Return which of the sampled patches the GCM draws on for a box (Fig. 8), as numbers."""
        inside, name = checked_boxes(box, self.photo.size), self._networks.name
        if self._networks.network.geometry.context is None:
            raise ConfigError(f"{name} has no global context module; choose a network that has one")
        settings = self._settings(Strategy.CLSR)
        inputs, patches = self._inputs(settings), self._context.patches
        total = torch.zeros(len(patches))
        for item in plan_work(inside, settings):
            weights = attend(inputs, item).mean(1)[0]  # (queries, tokens)
            total += weights.sum(0).view(len(patches), -1).sum(1).cpu()
        return Attention(inside[0], patches, (total / total.sum()).tolist())

    def paste(
        self,
        path: str | PathLike[str],
        boxes: Sequence[Box],
        strategy: Strategy | str | None = None,
        how: Pasting = Pasting(),  # noqa: B008  # frozen
        progress: Progress | None = None,
    ) -> None:
        """Write the whole picture with its boxes restored, the rest enlarged by bicubic or as it was."""
        paste(path, self, boxes, strategy, how, progress)

    def _settings(self, strategy: Strategy) -> RunSettings:
        """Return what work by a strategy depends on."""
        network, patches = self._networks.network_for(strategy), len(self._context.patches)
        return RunSettings(network, strategy, self.photo.size, patches, self._memory)

    def _inputs(self, settings: RunSettings) -> RunInputs:
        """Return what batches are restored from; the keys and values of `clsr` are made now, if they are not yet."""
        context = self._context.get() if settings.strategy is Strategy.CLSR else None
        return RunInputs(settings.network, self.photo, context, self._precision)

    def _assemble(
        self, boxes: Sequence[Box], items: Sequence[WorkItem], done: Iterator[RestoredItem], strategy: Strategy
    ) -> Iterator[tuple[int, Restoration]]:
        """Put boxes together from their items; a box is ready with the last item that it waits for."""
        scale = self.scale
        waiting = Counter(n for item in items for n in item.boxes)
        pixels: dict[int, NDArray[np.float32]] = {}
        seconds, precisions = [0.0] * len(boxes), [self._precision] * len(boxes)
        for restored in done:
            for n in restored.item.boxes:
                box = boxes[n]
                pixels[n] = restored.paste_into(box, pixels.get(n), scale)
                seconds[n] += restored.seconds / len(restored.item.boxes)
                precisions[n] = restored.precision if restored.precision != self._precision else precisions[n]
                waiting[n] -= 1
                if not waiting[n]:
                    alpha, made = enlarged_alpha(self.photo, box, scale), (precisions[n], seconds[n])
                    name = self._networks.name
                    yield n, Restoration(pixels.pop(n), alpha, box, scale, strategy, name, *made, self.photo)

    def _speed(self, settings: RunSettings) -> Speed:
        """Return how fast this machine restores by a strategy, measured where it is not known yet."""
        network, strategy = settings.network, settings.strategy
        key = f"{self._sha256[:16]} {strategy} {self._precision} {network.runtime} {network.device}"
        return calibrated(key, *self._samples(strategy))

    def _samples(self, strategy: Strategy) -> tuple[Callable[[], int], Callable[[], int]]:
        """Return two pieces of work to measure by: a small and a large ROI, in the middle of a picture of noise."""
        photo = images.read(np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8))
        pair = self._networks
        scene = Scene(photo, pair.name, pair.network, pair.plain, self._precision)

        def work(side: int) -> int:
            box = Box.from_xywh(128 - side // 2, 128 - side // 2, side, side)
            scene.restore(box, strategy)
            settings = scene._settings(strategy)
            return sum(item.load(settings).flops for item in plan_work([box], settings))

        return partial(work, 24), partial(work, 96)
