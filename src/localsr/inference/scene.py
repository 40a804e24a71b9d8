"""A photo that a restorer has looked at, and the one way from a box to its pixels: plan, batch, execute, assemble."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from os import PathLike
from pathlib import Path

from localsr.conditions import Conditions
from localsr.errors import ConfigError
from localsr.geometry import Box, checked_boxes
from localsr.images import Photo, Provenance, Saving
from localsr.inference.assembly import assemble
from localsr.inference.batching import batch_work
from localsr.inference.calibration import measured_speed
from localsr.inference.conditioning import PhotoConditions
from localsr.inference.cost import CostEstimate, WorkCount, count_planned, estimate_cost
from localsr.inference.execution import RunInputs, attend, execute
from localsr.inference.memory import resident
from localsr.inference.paste import Pasting, paste
from localsr.inference.planning import WorkSettings, plan_work
from localsr.inference.reduction import Grid, reduced_pieces
from localsr.inference.region_scene import RegionScene, Restorations
from localsr.inference.restoration import Attention, Piece
from localsr.inference.scene_context import SceneContext
from localsr.inference.strategies import NetworkPair, Strategy
from localsr.progress import Progress


class Scene(RegionScene):
    """What all boxes of one photo share; made by `Restorer.encode`, immutable, for any thread as often as one likes.

    The pixels of a box depend on the box and on nothing else: not on what is asked for with it, before or at once;
    but for `share`, whose point is that they may.

    Example:
        >>> import localsr, numpy as np
        >>> localsr.load("clsr-light-x4", device="cpu").encode(localsr.read(np.zeros((40, 60, 3), np.uint8)))
        <Scene of a photo, 60 x 40 px, by clsr-light-x4, x4: crop, halo, clsr, full>
    """

    _networks: NetworkPair

    def __init__(
        self,
        photo: Photo,
        networks: NetworkPair,
        precision: str = "fp32",
        short: NetworkPair | None = None,
        *,
        sha256: str = "",
        memory: int | None = None,
        path: Path | None = None,
    ) -> None:
        """Take a photo and the networks to restore its regions by; `Restorer.encode` does it for most callers.

        Args:
            photo: The photo.
            networks: A network with its plain twin.
            precision: `fp32`, or `bf16` or `fp16`, that of `short`.
            short: The networks in 16 bits, which restore regions; keys, values and attention stay in fp32.
            sha256: Of the network's weights, where they were saved.
            memory: Bytes that a batch's tensors may take; None for no bound.
            path: A file that `save` wrote, to read keys and values from; without it they are made when first needed.

        Raises:
            CheckpointError: The file is damaged, or of another photo or network.
        """
        super().__init__(photo, networks)
        self._precision, self._short, self._memory, self._sha256 = precision, short, memory, sha256
        self._photo_conditions = PhotoConditions(photo)
        self._context = SceneContext(networks.network, photo, sha256)
        if path is not None:
            self._context.load(path)

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
            Network, source, boxes, scale (0 where boxes of one size have several) and strategy.

        Raises:
            ConfigError: There is no such strategy, or the network cannot run it.

        Example:
            >>> import localsr, numpy as np
            >>> scene = localsr.load("edsr-light-x4", device="cpu").encode(np.zeros((40, 60, 3), np.uint8))
            >>> scene.provenance([localsr.Box(0, 0, 8, 8)]).strategy
            'halo'
        """
        enlarged = [self.photo.size] if whole and not same_size else [box.size for box in boxes]
        scales = {self.enlargement.factor(size) for size in enlarged}
        scale = self.network_scale if same_size else scales.pop() if len(scales) == 1 else 0
        made = (self._networks.name, self._sha256, self.photo.sha256(), tuple(boxes), scale)
        how = (str(self.strategy(strategy)), whole, same_size)
        told = () if self.conditions is None else (*self.conditions,)
        return Provenance(*made, *how, precision=self._precision, source_damage=self.photo.damage, told=told)

    def bounded(self, memory: int) -> Scene:
        """Return this scene with a bound on memory.

        Args:
            memory: Bytes that the tensors of a batch may take; tiles and batches are made as small as that needs.

        Returns:
            A scene that shares the photo, the networks and the keys and values with this one.

        Example:
            >>> import localsr, numpy as np
            >>> scene = localsr.load("edsr-light-x4", device="cpu").encode(np.zeros((40, 60, 3), np.uint8))
            >>> scene.bounded(2**25).restore(localsr.Box(10, 10, 30, 30)).pixels.shape
            (3, 80, 80)
        """
        other = copy.copy(self)
        other._memory = memory
        return other

    def told(self, conditions: Conditions) -> Scene:
        """Return this scene with conditions that are known, which are then not measured.

        Args:
            conditions: How the photo was degraded.

        Returns:
            A scene that shares all else with this one.

        Example:
            >>> import localsr, numpy as np
            >>> from localsr.conditions import Conditions
            >>> scene = localsr.load("edsr-light-x4", device="cpu").encode(np.zeros((40, 60, 3), np.uint8))
            >>> scene.told(Conditions(noise=4.0)).conditions is None  # this network cannot be told
            True
        """
        other = copy.copy(self)
        other._photo_conditions = PhotoConditions(self.photo, conditions)
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
            >>> scene = localsr.load("edsr-light-x4", device="cpu").encode(np.zeros((40, 60, 3), np.uint8))
            >>> scene.planned([localsr.Box(10, 10, 34, 34), localsr.Box(0, 0, 9, 9)], "crop").pieces
            2
        """
        inside = checked_boxes(boxes, self.photo.size)
        settings = self._settings(self.strategy(strategy))
        return count_planned(plan_work(inside, settings, share=share), settings)

    def _restorations(
        self, boxes: Sequence[Box], strategy: Strategy, progress: Progress | None, *, share: bool, together: bool
    ) -> Restorations:
        """Restore boxes in batches, whether they are waited for or not."""
        settings = self._settings(strategy)
        items, inputs = plan_work(boxes, settings, share=share), self._inputs(settings)
        done = execute(batch_work(items, settings), inputs, progress)
        made_by = (self._networks.name, self._sha256)
        return assemble(boxes, items, done, inputs, strategy, made_by, self.enlargement)

    def _pieces(self, box: Box, strategy: Strategy, progress: Progress | None) -> Iterator[Piece]:
        """Restore a box in the tiles that its work is cut into."""
        settings = self._settings(strategy)
        done = execute(batch_work(plan_work([box], settings), settings), self._inputs(settings), progress)
        scale = self.network_scale
        pieces = (
            Piece(restored.item.taper.roi.within(box).scaled(scale), restored.pixels, restored.precision)
            for restored in done
        )
        return reduced_pieces(pieces, box, Grid(box, self.size_of(box), scale))

    def _measured(self) -> Conditions:
        """Return how the photo was degraded, measured now if it is not yet."""
        return self._photo_conditions.get()

    def _costs(self, boxes: Sequence[Box], *, share: bool) -> dict[Strategy, CostEstimate]:
        """Estimate by each strategy what boxes would cost on this machine."""
        before = resident()  # beforehand: counting takes memory, too
        found = {}
        for strategy in self.strategies:
            settings = self._settings(strategy)
            plan = batch_work(plan_work(boxes, settings, share=share), settings)
            speed = measured_speed(settings, self._contextless(settings), self._sha256)
            found[strategy] = estimate_cost(boxes, plan, settings, speed, before)
        return found

    def _attention(self, box: Box) -> Attention:
        """Sum the weights of the attention over the box's tiles, queries and heads."""
        if self._networks.network.geometry.context is None:
            raise ConfigError(f"{self._networks.name} has no global context module; choose a network that has one")
        settings = self._settings(Strategy.CLSR)
        patches = self._context.patches
        return Attention(box, patches, attend(self._inputs(settings), plan_work([box], settings), len(patches)))

    def _paste(
        self,
        path: str | PathLike[str],
        boxes: Sequence[Box],
        strategy: Strategy,
        how: Pasting,
        progress: Progress | None,
        saving: Saving,
    ) -> None:
        """Write the picture with its boxes restored."""
        paste(path, self, boxes, strategy, how, progress, saving=saving)

    def _settings(self, strategy: Strategy) -> WorkSettings:
        """Return what work by a strategy depends on."""
        network, patches = self._networks.network_for(strategy), len(self._context.patches)
        return WorkSettings(network, strategy, self.photo.size, patches, self._memory)

    def _inputs(self, settings: WorkSettings) -> RunInputs:
        """Return what batches are restored from; the keys and values of `clsr` are made now, if they are not yet."""
        context = self._context.get() if settings.strategy is Strategy.CLSR else None
        inputs = self._contextless(settings)._replace(context=context)
        return inputs if self.conditions is None else inputs.told(self.conditions)

    def _contextless(self, settings: WorkSettings) -> RunInputs:
        """Return what batches are restored from, but for the keys and values."""
        short = None if self._short is None else self._short.network_for(settings.strategy)
        return RunInputs(settings.network, self.photo, None, short, self._precision)
