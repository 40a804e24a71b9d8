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
from localsr.images import Photo, Provenance, Saving
from localsr.inference.batching import batch_work
from localsr.inference.calibration import Speed, calibrated
from localsr.inference.cost import CostEstimate, estimate_cost
from localsr.inference.execution import RestoredItem, RunInputs, attend, execute
from localsr.inference.memory import resident
from localsr.inference.paste import Pasting, paste
from localsr.inference.planning import WorkItem, WorkSettings, plan_work
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

    Example:
        >>> import localsr, numpy as np
        >>> localsr.load("clsr-light-x4", device="cpu").encode(localsr.read(np.zeros((40, 60, 3), np.uint8)))
        <Scene of a photo, 60 x 40 px, by clsr-light-x4, x4: crop, halo, clsr, full>
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
        """Return the strategy that runs when `asked` is asked for.

        Args:
            asked: A strategy or its name; None for the default: `clsr` for a network with context, `halo` for a plain
                one.

        Returns:
            The strategy.

        Raises:
            ConfigError: There is no such strategy, or the network cannot run it.

        Example:
            >>> import localsr, numpy as np
            >>> photo = localsr.read(np.zeros((40, 60, 3), np.uint8))
            >>> scene = localsr.load("edsr-light-x4", device="cpu").encode(photo)
            >>> str(scene.strategy())
            'halo'
        """
        return self._networks.choose(asked)

    def provenance(
        self,
        boxes: Sequence[Box],
        strategy: Strategy | str | None = None,
        *,
        whole: bool = False,
        same_size: bool = False,
    ) -> Provenance:
        """Return what a file of boxes says of how it was made.

        Args:
            boxes: Regions in LR px of the upright picture.
            strategy: As in `restore`.
            whole: Whether the file is of the whole picture with the boxes in it.
            same_size: And whether at the picture's own size.

        Returns:
            Network, source, boxes, scale and strategy.

        Raises:
            ConfigError: There is no such strategy, or the network cannot run it.

        Example:
            >>> import localsr, numpy as np
            >>> photo = localsr.read(np.zeros((40, 60, 3), np.uint8))
            >>> scene = localsr.load("edsr-light-x4", device="cpu").encode(photo)
            >>> scene.provenance([localsr.Box(0, 0, 8, 8)]).strategy
            'halo'
        """
        made = (self._networks.name, self._sha256, self.photo.sha256(), tuple(boxes), self.scale)
        return Provenance(*made, str(self.strategy(strategy)), whole, same_size)

    def bounded(self, memory: int) -> Scene:
        """Return this scene with a bound on memory.

        Args:
            memory: Bytes that the tensors of a batch may take; tiles and batches are made as small as that needs.

        Returns:
            A scene that shares the photo, the networks and the keys and values with this one.

        Example:
            >>> import localsr, numpy as np
            >>> photo = localsr.read(np.zeros((40, 60, 3), np.uint8))
            >>> scene = localsr.load("edsr-light-x4", device="cpu").encode(photo)
            >>> scene.bounded(2**25).restore(localsr.Box(10, 10, 30, 30)).pixels.shape
            (3, 80, 80)
        """
        other = copy.copy(self)
        other._memory = memory
        return other

    def save(self, path: str | PathLike[str]) -> None:
        """Write the keys and values, for `Restorer.encode(photo, path)` in another process.

        Args:
            path: The file to write, as safetensors; it belongs to this photo and to the network's weights.

        Raises:
            ConfigError: The network has no global context module, or was never saved itself.
            OutputError: The file cannot be written.

        Example:
            >>> import localsr, numpy as np, tempfile
            >>> restorer = localsr.load("clsr-light-x4", device="cpu")
            >>> photo = localsr.read(np.zeros((40, 60, 3), np.uint8))
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     restorer.encode(photo).save(f"{folder}/scene.safetensors")
            ...     restorer.encode(photo, f"{folder}/scene.safetensors").scale
            4
        """
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
        """Restore one box, or a list of boxes: those of one size, at places alike to the network, run as one batch.

        Args:
            boxes: A region or a list of regions, in LR px of the upright picture.
            strategy: How they are restored; by default `clsr` for a network with context, `halo` for a plain one.
            clip: Cut off what leaves the picture instead of refusing the box.
            share: Restore boxes that crowd as one tile with all the halo that it needs, where that counts fewer FLOPs.
                Their pixels are then those of `full` (with context, for `clsr`), a little other than each box's own.
            progress: Called with the LR px that are done, and how many there are in all.

        Returns:
            The restoration of the box, or a list of them in the order of the boxes. Pixels are `(3, s h, s w)`, RGB in
            the photo's own colours, in [0, 1].

        Raises:
            BoxError: A box leaves the picture, or is none.
            ConfigError: There is no such strategy, or the network cannot run it.
            ImageError: The photo is damaged where it is read.

        Example:
            >>> import localsr, numpy as np
            >>> photo = localsr.read(np.zeros((40, 60, 3), np.uint8))
            >>> scene = localsr.load("edsr-light-x4", device="cpu").encode(photo)
            >>> scene.restore(localsr.Box(10, 10, 34, 30)).pixels.shape
            (3, 80, 96)
            >>> len(scene.restore([localsr.Box(0, 0, 8, 8), localsr.Box(20, 10, 28, 18)], "crop"))
            2
        """
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
        """Restore boxes as `restore` does, and yield each as soon as it is ready.

        Args:
            boxes: Regions in LR px of the upright picture.
            strategy: How they are restored; by default `clsr` for a network with context, `halo` for a plain one.
            clip: Cut off what leaves the picture instead of refusing the box.
            share: Restore boxes that crowd as one tile, as in `restore`.
            progress: Called with the LR px that are done, and how many there are in all.

        Returns:
            An iterator over the boxes' numbers and restorations; work that is not asked for is not done.

        Raises:
            BoxError: A box leaves the picture, or is none.
            ConfigError: There is no such strategy, or the network cannot run it.
            ImageError: The photo is damaged where it is read.

        Example:
            >>> import localsr, numpy as np
            >>> photo = localsr.read(np.zeros((40, 60, 3), np.uint8))
            >>> scene = localsr.load("edsr-light-x4", device="cpu").encode(photo)
            >>> for number, restoration in scene.stream([localsr.Box(0, 0, 8, 8), localsr.Box(20, 10, 28, 18)]):
            ...     print(number, restoration.box)
            0 (0, 0, 8, 8)
            1 (20, 10, 28, 18)
        """
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
        """Restore a box piece by piece, none of which is kept: for regions that do not fit in memory.

        Args:
            box: The region, in LR px of the upright picture.
            strategy: As in `restore`.
            clip: Cut off what leaves the picture instead of refusing the box.
            progress: Called with the LR px that are done, and how many there are in all.

        Returns:
            An iterator over parts of the box, each with its pixels `(3, s h, s w)`, RGB in [0, 1].

        Raises:
            BoxError: The box leaves the picture, or is none.
            ConfigError: There is no such strategy, or the network cannot run it.
            ImageError: The photo is damaged where it is read.

        Example:
            >>> import localsr, numpy as np
            >>> photo = localsr.read(np.zeros((40, 60, 3), np.uint8))
            >>> scene = localsr.load("edsr-light-x4", device="cpu").encode(photo)
            >>> [piece.pixels.shape for piece in scene.pieces(localsr.Box(0, 0, 60, 40))]
            [(3, 160, 240)]
        """
        inside = checked_boxes(box, self.photo.size, clip=clip)
        settings = self._settings(self.strategy(strategy))
        items = plan_work(inside, settings)
        done = execute(batch_work(items, settings), self._inputs(settings), progress)
        return (Piece(restored.item.taper.roi, restored.pixels) for restored in done)

    def planned(
        self, boxes: Sequence[Box], strategy: Strategy | str | None = None, *, share: bool = False
    ) -> WorkCount:
        """Count the work that restoring boxes would be, without doing it.

        Args:
            boxes: Regions in LR px of the upright picture.
            strategy: As in `restore`.
            share: Count boxes that crowd as one tile, as in `restore`.

        Returns:
            In how many pieces they would be restored, and their GFLOPs, a multiply-add counted as two FLOPs.

        Raises:
            BoxError: A box leaves the picture, or is none.
            ConfigError: There is no such strategy, or the network cannot run it.

        Example:
            >>> import localsr, numpy as np
            >>> photo = localsr.read(np.zeros((40, 60, 3), np.uint8))
            >>> scene = localsr.load("edsr-light-x4", device="cpu").encode(photo)
            >>> scene.planned([localsr.Box(10, 10, 34, 34), localsr.Box(0, 0, 9, 9)], "crop").pieces
            2
        """
        inside = checked_boxes(boxes, self.photo.size)
        settings = self._settings(self.strategy(strategy))
        items = plan_work(inside, settings, share=share)
        return WorkCount(len(items), sum(item.load(settings).flops for item in items) / 1e9)

    def cost(self, boxes: Box | Sequence[Box], *, share: bool = False) -> dict[Strategy, CostEstimate]:
        """Estimate what restoring boxes would cost by each strategy; the first call measures the machine.

        Args:
            boxes: A region or a list of regions, in LR px of the upright picture.
            share: Count boxes that crowd as one tile, as in `restore`.

        Returns:
            By each strategy that can run: GFLOPs, seconds on this machine, and the process's MB at its peak.

        Raises:
            BoxError: A box leaves the picture, or is none.

        Example:
            >>> import localsr, numpy as np
            >>> photo = localsr.read(np.zeros((40, 60, 3), np.uint8))
            >>> scene = localsr.load("edsr-light-x4", device="cpu").encode(photo)
            >>> costs = scene.cost(localsr.Box(10, 10, 34, 34))
            >>> costs["crop"].gflops < costs["halo"].gflops < costs["full"].gflops
            True
        """
        before = resident()  # beforehand: counting takes memory, too
        inside = checked_boxes(boxes, self.photo.size)
        found = {}
        for strategy in self.strategies:
            settings = self._settings(strategy)
            plan = batch_work(plan_work(inside, settings, share=share), settings)
            found[strategy] = estimate_cost(inside, plan, settings, self._speed(settings), before)
        return found

    def attention(self, box: Box) -> Attention:
        """Measure which of the sampled patches the GCM draws on for a box (Fig. 8).

        Args:
            box: The region, in LR px of the upright picture.

        Returns:
            The patches and the share of each in the attention.

        Raises:
            BoxError: The box leaves the picture, or is none.
            ConfigError: The network has no global context module.
            ImageError: The photo is damaged where it is read.

        Example:
            >>> import localsr, numpy as np
            >>> photo = localsr.read(np.zeros((40, 60, 3), np.uint8))
            >>> scene = localsr.load("clsr-light-x4", device="cpu").encode(photo)
            >>> found = scene.attention(localsr.Box(10, 10, 34, 34))
            >>> len(found.patches), round(sum(found.shares), 3)
            (48, 1.0)
        """
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
        saving: Saving = Saving(),  # noqa: B008  # frozen
    ) -> None:
        """Write the whole picture with its boxes restored, the rest enlarged by bicubic or as it was.

        Args:
            path: The file to write: PNG, JPEG, TIFF, WebP, AVIF or BMP by its suffix.
            boxes: Regions in LR px of the upright picture; they are pasted in their order.
            strategy: As in `restore`.
            how: How boxes go into the picture: their feather, and whether it keeps its own size.
            progress: Called with the LR px that are done, of the picture and the boxes, and how many there are in all.
            saving: The quality of the file, and what is left out of it.

        Raises:
            BoxError: A box leaves the picture.
            ConfigError: The network cannot run the strategy, or boxes cannot go into the picture that way.
            OutputError: The file cannot be written.

        Example:
            >>> import localsr, numpy as np, tempfile
            >>> photo = localsr.read(np.zeros((40, 60, 3), np.uint8))
            >>> scene = localsr.load("edsr-light-x4", device="cpu").encode(photo)
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     scene.paste(f"{folder}/large.png", [localsr.Box(10, 10, 34, 34)])
            ...     print(localsr.read(f"{folder}/large.png").size)
            240 x 160
        """
        paste(path, self, boxes, strategy, how, progress, saving=saving)

    def _settings(self, strategy: Strategy) -> WorkSettings:
        """Return what work by a strategy depends on."""
        network, patches = self._networks.network_for(strategy), len(self._context.patches)
        return WorkSettings(network, strategy, self.photo.size, patches, self._memory)

    def _inputs(self, settings: WorkSettings) -> RunInputs:
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
                    made_of = (*made, self.photo, self._sha256)
                    yield n, Restoration(pixels.pop(n), alpha, box, scale, strategy, name, *made_of)

    def _speed(self, settings: WorkSettings) -> Speed:
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
