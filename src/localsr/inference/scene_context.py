"""What a network knows of a whole photo: keys and values of patches sampled from all over it (Sec. 3.2)."""

from __future__ import annotations

import hashlib
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from localsr.errors import ConfigError
from localsr.geometry import Box, whole
from localsr.images import Photo
from localsr.inference import scene_file
from localsr.inference.execution import Floats, read_windows
from localsr.inference.protocols import RunnableNetwork
from localsr.models.patches import Context, sample_patches


class SceneContext:
    """Keys and values of a photo's patches, made when they are first asked for, and once.

    `patches` are sampled from the photo whatever its size; there are none for a network without GCM.
    """

    def __init__(self, network: RunnableNetwork, photo: Photo, sha256: str) -> None:
        """Choose the patches; nothing is read or computed yet. `sha256` is of the network's weights."""
        self._network, self._photo, self._sha256 = network, photo, sha256
        self._lock = Lock()
        self._context: Context[Floats] | None = None
        self.patches: list[Box] = []
        if (shape := network.geometry.context) is not None:
            self.patches = sample_patches(photo.size, shape.patch, shape.patches)

    def __getstate__(self) -> dict[str, Any]:
        """Return all but the lock."""
        return {name: value for name, value in vars(self).items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take what `__getstate__` gave, and a lock of its own."""
        self.__dict__.update(state, _lock=Lock())

    def get(self) -> Context[Floats] | None:
        """Return keys and values, and make them if no thread has yet; None for a network without GCM."""
        if not self.patches:
            return None
        with self._lock:
            if self._context is None:
                self._context = self._encode(self._pixels())
            return self._context

    def save(self, path: Path, name: str) -> None:
        """Write keys and values; `name` is the network's, for messages."""
        context = self.get()
        if context is None:
            raise ConfigError(f"{name} has no global context module, so a scene of it holds nothing to save")
        if not self._sha256:
            raise ConfigError(f"{name} was never saved, so nothing could tell that a scene is of its weights")
        scene_file.write_scene(path, context, self.identity())

    def load(self, path: Path) -> None:
        """Read keys and values; `CheckpointError` for a damaged file, or of another picture or network."""
        self._context = scene_file.read_scene(path, self._network, len(self.patches), self.identity())

    def identity(self) -> dict[str, str]:
        """Return hashes of all that keys and values follow from: the picture's size, its patches, and the network."""
        pixels = f"{self._photo.size}".encode() + self._pixels().tobytes()
        return {"picture": hashlib.sha256(pixels).hexdigest(), "network": self._sha256}

    def _pixels(self) -> Floats:
        """Read the patches, `(N, 3, r, r)`."""
        bounds = whole(self._photo.size)
        places = [(box, bounds) for box in self.patches]
        return read_windows(self._photo, places) if places else np.empty(0, np.float32)

    def _encode(self, pixels: Floats) -> Context[Floats] | None:
        """Make keys and values of the patches."""
        corners = np.array([[[box.left, box.top] for box in self.patches]], np.float32)
        return self._network.encode(pixels[None], corners)
