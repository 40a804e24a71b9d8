"""What a photo's regions can be asked for, whether this process restores them or a service does."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from os import PathLike
from typing import overload

from localsr.geometry import AskedSize, Box, checked_boxes, whole
from localsr.images import Photo, Saving
from localsr.inference.cost import CostEstimate
from localsr.inference.paste import Pasting
from localsr.inference.restoration import Attention, Piece, Restoration
from localsr.inference.strategies import NetworkOffer, Strategy
from localsr.inference.told_scene import ToldScene
from localsr.progress import Progress

Restorations = Iterator[tuple[int, Restoration]]  # of boxes, with their numbers, as they become ready


class RegionScene(ToldScene):
    """A photo whose regions can be restored: a `Scene` of this process, or a `RemoteScene` of a service."""

    def __init__(self, photo: Photo, networks: NetworkOffer) -> None:
        """Take the photo, and the networks that restore its regions."""
        self.photo, self._networks = photo, networks

    def __repr__(self) -> str:
        """Return a line that says what it is."""
        name, strategies = self.photo.name or "a photo", ", ".join(self.strategies)
        kind, size = type(self).__name__, self.photo.size
        return f"<{kind} of {name}, {size} px, by {self._networks.name}, {self.enlargement}: {strategies}>"

    @overload
    def restore(
        self,
        boxes: Box,
        strategy: Strategy | str | None = ...,
        *,
        clip: bool = ...,
        share: bool = ...,
        scale: float | None = ...,
        size: AskedSize | None = ...,
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
        scale: float | None = ...,
        size: AskedSize | None = ...,
        progress: Progress | None = ...,
    ) -> list[Restoration]: ...

    def restore(
        self,
        boxes: Box | Sequence[Box],
        strategy: Strategy | str | None = None,
        *,
        clip: bool = False,
        share: bool = False,
        scale: float | None = None,
        size: AskedSize | None = None,
        progress: Progress | None = None,
    ) -> Restoration | list[Restoration]:
        """Restore one box, or a list of boxes: those of one size, at places alike to the network, run as one batch.

        Args:
            boxes: A region or a list of regions, in LR px of the upright picture.
            strategy: How they are restored; by default `clsr` for a network with context, `halo` for a plain one.
            clip: Cut off what leaves the picture instead of refusing the box.
            share: Restore boxes that crowd as one tile with all the halo that it needs, where that counts fewer FLOPs.
                Their pixels are then those of `full` (with context, for `clsr`), a little other than each box's own.
            scale: As in `sized`, for this call alone.
            size: As in `sized`, for this call alone.
            progress: Called with the LR px that are done, and how many there are in all.

        Returns:
            The restoration of the box, or a list of them in the order of the boxes. Pixels are `(3, s h, s w)`, RGB in
            the photo's own colours, in [0, 1].

        Raises:
            BoxError: A box leaves the picture, is none, or cannot have the size.
            ConfigError: There is no such strategy, scale or size, or the network cannot run it.
            ImageError: The photo is damaged where it is read.

        Example:
            >>> import localsr, numpy as np
            >>> scene = localsr.load("edsr-light-x4", device="cpu").encode(np.zeros((40, 60, 3), np.uint8))
            >>> scene.restore(localsr.Box(10, 10, 34, 30)).pixels.shape
            (3, 80, 96)
            >>> len(scene.restore([localsr.Box(0, 0, 8, 8), localsr.Box(20, 10, 28, 18)], "crop"))
            2
        """
        if scale is not None or size is not None:
            sized = self.sized(scale, size)
            return sized.restore(boxes, strategy, clip=clip, share=share, progress=progress)
        inside, chosen = self._checked(boxes, clip=clip), self.strategy(strategy)
        found = dict(self._restorations(inside, chosen, progress, share=share, together=True))
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
            >>> scene = localsr.load("edsr-light-x4", device="cpu").encode(np.zeros((40, 60, 3), np.uint8))
            >>> for number, restoration in scene.stream([localsr.Box(0, 0, 8, 8), localsr.Box(20, 10, 28, 18)]):
            ...     print(number, restoration.box)
            0 (0, 0, 8, 8)
            1 (20, 10, 28, 18)
        """
        inside, chosen = self._checked(boxes, clip=clip), self.strategy(strategy)
        return self._restorations(inside, chosen, progress, share=share, together=False)

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
            An iterator over parts of the result, each with its place in it and its pixels `(3, h, w)`, RGB in [0, 1].

        Raises:
            BoxError: The box leaves the picture, or is none.
            ConfigError: There is no such strategy, or the network cannot run it.
            ImageError: The photo is damaged where it is read.

        Example:
            >>> import localsr, numpy as np
            >>> scene = localsr.load("edsr-light-x4", device="cpu").encode(np.zeros((40, 60, 3), np.uint8))
            >>> [piece.pixels.shape for piece in scene.pieces(localsr.Box(0, 0, 60, 40))]
            [(3, 160, 240)]
        """
        return self._pieces(self._checked(box, clip=clip)[0], self.strategy(strategy), progress)

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
            >>> scene = localsr.load("edsr-light-x4", device="cpu").encode(np.zeros((40, 60, 3), np.uint8))
            >>> costs = scene.cost(localsr.Box(10, 10, 34, 34))
            >>> costs["crop"].gflops < costs["halo"].gflops < costs["full"].gflops
            True
        """
        return self._costs(self._checked(boxes), share=share)

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
            >>> scene = localsr.load("clsr-light-x4", device="cpu").encode(np.zeros((40, 60, 3), np.uint8))
            >>> found = scene.attention(localsr.Box(10, 10, 34, 34))
            >>> len(found.patches), round(sum(found.shares), 3)
            (48, 1.0)
        """
        return self._attention(checked_boxes(box, self.photo.size)[0])

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
            >>> scene = localsr.load("edsr-light-x4", device="cpu").encode(np.zeros((40, 60, 3), np.uint8))
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     scene.paste(f"{folder}/large.png", [localsr.Box(10, 10, 34, 34)])
            ...     print(localsr.read(f"{folder}/large.png").size)
            240 x 160
        """
        self._paste(path, checked_boxes(boxes, self.photo.size), self.strategy(strategy), how, progress, saving)

    def _checked(self, boxes: Box | Sequence[Box], *, clip: bool = False) -> list[Box]:
        """Return boxes as a list, each within the picture and such that its result can have its size."""
        inside = checked_boxes(boxes, self.photo.size, clip=clip)
        for box in inside:
            self.size_of(box)
        return inside

    @abstractmethod
    def _restorations(
        self, boxes: Sequence[Box], strategy: Strategy, progress: Progress | None, *, share: bool, together: bool
    ) -> Restorations:
        """Restore boxes; a service does so by one request if all are waited for `together`."""

    def _pieces(self, box: Box, strategy: Strategy, progress: Progress | None) -> Iterator[Piece]:
        """Restore a box, which is held in memory, as one piece."""
        for _, found in self._restorations([box], strategy, progress, share=False, together=True):
            yield Piece(whole(found.size), found.pixels, found.precision)

    @abstractmethod
    def _costs(self, boxes: Sequence[Box], *, share: bool) -> dict[Strategy, CostEstimate]:
        """Estimate by each strategy what boxes would cost."""

    @abstractmethod
    def _attention(self, box: Box) -> Attention:
        """Measure what the GCM draws on for a box."""

    @abstractmethod
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
