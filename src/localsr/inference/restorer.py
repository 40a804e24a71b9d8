"""A network with its weights, ready to run."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Self

from localsr import images
from localsr.errors import ConfigError
from localsr.frames.reading import Frames
from localsr.frames.tracking import follow
from localsr.geometry import Box
from localsr.inference.execution import PRECISIONS
from localsr.inference.fused_scene import FusedScene
from localsr.inference.memory import tensor_room
from localsr.inference.precision import AUTO, choose_precision, shortened_pair
from localsr.inference.protocols import RunnableNetwork
from localsr.inference.scene import Scene
from localsr.inference.strategies import Enlarger, NetworkPair, Strategy
from localsr.inference.tracking import TrackedRegion, restore_tracked
from localsr.models.card import Card
from localsr.progress import Progress


class Restorer(Enlarger):
    """A network, and its plain twin where it has context: `crop`, `halo` and `full` run the plain backbone.

    `network` and `plain` are theirs, `plain` None where there is no twin at hand; `card` is what the checkpoint says.

    Example:
        >>> import localsr
        >>> localsr.load("edsr-light-x4", device="cpu")
        <Restorer of edsr-light-x4, x4: crop, halo, full>
    """

    def __init__(
        self,
        network: RunnableNetwork,
        card: Card,
        plain: RunnableNetwork | None = None,
        precision: str = "fp32",
        *,
        max_memory: int | None = None,
    ) -> None:
        """Take networks that are ready to run; most callers want `localsr.load`.

        Args:
            network: The network.
            card: What its checkpoint says of it.
            plain: Its plain twin, None where there is none; a network without context is its own.
            precision: As in `localsr.load`.
            max_memory: MB that the process is to stay below, kept results aside; None for no bound.

        Raises:
            ConfigError: There is no such precision.
        """
        if precision not in (AUTO, *PRECISIONS):
            raise ConfigError(f"precision {precision!r} is not one of {AUTO}, {', '.join(PRECISIONS)}")
        self.card, self._asked_precision, self.max_memory = card, precision, max_memory
        self.network = network
        self.plain = plain if network.geometry.has_context else network

    @property
    def _networks(self) -> NetworkPair:  # type: ignore[override]  # made of what is public
        """Which network runs which strategy."""
        return NetworkPair(self.card.name, self.network, self.plain)

    def __repr__(self) -> str:
        """Return a line that says what it is."""
        return f"<Restorer of {self.card.name}, {self.enlargement}: {', '.join(self.strategies)}>"

    @property
    def precision(self) -> str:
        """What regions are restored in, `fp32`, `bf16` or `fp16`; `auto` is decided when this is first asked for."""
        return self._chosen_precision

    @cached_property
    def _chosen_precision(self) -> str:
        """What was asked for, or what `auto` comes to."""
        asked = self._asked_precision
        return choose_precision(self._networks, self.card.sha256) if asked == AUTO else asked

    @property
    def multiple(self) -> int:
        """LR px that a picture's sides must be a multiple of for every window to lie on the network's own grid."""
        return self.network.geometry.multiple

    def network_for(self, strategy: Strategy) -> RunnableNetwork:
        """Return the network that runs a strategy: the plain twin for all but `clsr`.

        Args:
            strategy: The strategy.

        Returns:
            The network.

        Raises:
            ConfigError: There is none at hand.

        Example:
            >>> import localsr
            >>> restorer = localsr.load("clsr-light-x4", device="cpu")
            >>> restorer.network_for(localsr.Strategy.HALO) is restorer.plain
            True
        """
        return self._networks.network_for(strategy)

    def with_halo(self, halo: int) -> Self:
        """Return a restorer of the same networks with another halo for `halo` and `clsr`.

        Args:
            halo: LR px kept around an ROI at every step, 0 to 256.

        Returns:
            The restorer; the weights are shared.

        Raises:
            ConfigError: The halo is out of range.

        Example:
            >>> import localsr
            >>> localsr.load("edsr-light-x4", device="cpu").with_halo(8).network.geometry.halo
            (8, 8, 8, 8)
        """
        if not 0 <= halo <= 256:
            raise ConfigError(f"a halo of {halo} LR px cannot be; give 0 to 256")
        network = self.network.with_halo(halo)
        plain = self.plain and self.plain.with_halo(halo)
        card = dataclasses.replace(self.card, config=self.card.config.with_halo(halo))
        other = type(self)(network, card, plain, self._asked_precision, max_memory=self.max_memory)
        other._asked = self._asked
        return other

    @cached_property
    def _running(self) -> NetworkPair:
        """The networks as they run fastest; with a bound on memory as they are, and nothing freed is kept."""
        return self._networks if self.max_memory is not None else self._networks.converted(lambda one: one.packed())

    @cached_property
    def _short(self) -> NetworkPair | None:
        """The networks in a precision of 16 bits, if they are to restore in one."""
        return None if self.precision == "fp32" else shortened_pair(self._networks, self.precision)

    def encode(
        self,
        source: images.Source | Frames,
        saved: str | PathLike[str] | None = None,
        *,
        denoise: float | None = None,
        deblur: float | None = None,
    ) -> Scene:
        """Look at a photo once; then ask the scene for as many boxes as needed.

        Args:
            source: A photo, or whatever else `localsr.read` takes: a path, the bytes of a file, an array. Or frames of
                `localsr.read_frames`, each region of which is then restored from all that show it.
            saved: A file that `Scene.save` wrote of this photo, to take its keys and values from.
            denoise: How much noise to take away, 0 to 100, as in `Scene.adjusted`; by default as much as is measured.
            deblur: How much blur to take away, 0 to 100; by default as much as is measured.

        Returns:
            The scene.

        Raises:
            ImageError: The source is no picture, or damaged where it is read.
            CheckpointError: The file is damaged, or of another photo or network.
            ConfigError: `max_memory` leaves nothing for tensors, or the network cannot be told of noise and blur.

        Example:
            >>> import localsr, numpy as np
            >>> scene = localsr.load("clsr-light-x4", device="cpu").encode(np.zeros((40, 60, 3), np.uint8))
            >>> scene.restore(localsr.Box(10, 10, 34, 34)).pixels.shape
            (3, 96, 96)
        """
        frames = source if isinstance(source, Frames) else None
        photo = images.read(source if frames is None else frames.reference)
        scene = Scene(
            photo,
            self._running,
            self.precision,
            self._short,
            sha256=self.card.sha256,
            memory=None if self.max_memory is None else tensor_room(self.max_memory),
            path=None if saved is None else Path(saved),
        ).adjusted(denoise, deblur)
        found = scene
        if frames is not None and frames.others:
            reads_cells = self.card.config.cells and self.network.runtime == "torch"  # graphs read colours alone
            found = FusedScene(frames, scene, scene if reads_cells else None)
        found._asked = self._asked
        return found

    def track(
        self,
        clip: bytes | str | PathLike[str],
        box: Box,
        *,
        at: float = 0.0,
        until: float | None = None,
        count: int | None = None,
        strategy: Strategy | str | None = None,
        progress: Progress | None = None,
    ) -> Iterator[TrackedRegion]:
        """Restore a region in every frame of a clip from a moment on, wherever it moves, each from its neighbours too.

        Args:
            clip: The clip: its path or bytes.
            box: The region in the frame shown at `at`, in LR px; it keeps its size and follows what it shows.
            at: The first moment, in seconds from the clip's beginning.
            until: The last moment; the clip's end without it.
            count: From how many frames each region may be made, 1 to 33; 9 without it.
            strategy: As in `Scene.restore`.
            progress: Called with the frames that are done, and about how many there are in all.

        Returns:
            An iterator over the restored regions; frames that are not asked for are not read.

        Raises:
            TrackLostError: A frame does not show the region any more; all before it have come.
            BoxError: The box leaves the picture.
            ConfigError: The clip has no such moment, a number is out of range, or a package is missing.
            ImageError: The clip is damaged, or of a kind that is not read.

        Example:
            >>> import localsr, numpy as np, tempfile
            >>> from localsr.frames.writing import writing_clip
            >>> blocks = np.random.default_rng(0).random((3, 12, 16)).repeat(8, 1).repeat(8, 2)
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     with writing_clip(f"{folder}/clip.mp4") as clip:
            ...         for n in range(3):
            ...             clip.add(blocks[:, :, n : n + 96], n / 25)
            ...     restorer = localsr.load("edsr-light-x4", device="cpu")
            ...     tracked = list(restorer.track(f"{folder}/clip.mp4", localsr.Box(40, 30, 64, 54)))
            >>> [round(one.place[0]) for one in tracked], tracked[0].restoration.pixels.shape
            ([40, 39, 38], (3, 96, 96))
        """
        found = follow(clip, box, at=at, until=until, count=count)
        return restore_tracked(found, box, self.encode, strategy, progress)
