"""From a picture and cells to pixels, by every way that is compared."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from localsr import images
from localsr.evaluation.methods import Way
from localsr.geometry import Box, whole
from localsr.inference.protocols import RunnableNetwork
from localsr.inference.restoration import Attention, bicubic
from localsr.inference.restorer import Restorer
from localsr.inference.strategies import Strategy


class Feeds:
    """Restores cells of a picture by each of several ways."""

    def __init__(self, restorer: Restorer, ways: Sequence[Way]) -> None:
        """Make a restorer for each halo."""
        self.ways, self.scale = tuple(ways), restorer.scale
        self._restorers = {way: restorer if way.halo is None else restorer.with_halo(way.halo) for way in ways}

    def restore(self, way: Way, lr: NDArray[np.uint8], cells: Sequence[Box]) -> Tensor:
        """Give the cells `(n, 3, s h, s w)`, RGB in [0, 1], of an LR picture `(h, w, 3)`, 8-bit RGB."""
        photo = images.read(lr)
        size = photo.size
        everything = sum(cell.area for cell in cells) == whole(size).area
        if way.strategy is None or (way.strategy is Strategy.FULL and everything):
            # `full` of every cell is the whole picture's restoration, to 1e-5; once is enough
            picture = self._whole(way, photo)
            large = [cell.scaled(self.scale) for cell in cells]
            return torch.stack([picture[:, box.rows, box.columns] for box in large])
        restorer = self._restorers[way]
        if way.context is None:
            found = restorer.encode(photo).restore(list(cells), way.strategy)
        else:
            found = []
            for cell in cells:
                seen = way.seen(cell, size)
                scene = restorer.encode(images.read(np.ascontiguousarray(lr[seen.rows, seen.columns])))
                found.append(scene.restore(cell.within(seen), way.strategy))
        return torch.stack([torch.from_numpy(r.pixels) for r in found])

    def _whole(self, way: Way, photo: images.Photo) -> Tensor:
        """Give all of a picture."""
        box = whole(photo.size)
        if way.strategy is None:
            return torch.from_numpy(bicubic(photo, box, self.scale))
        return torch.from_numpy(self._restorers[way].encode(photo).restore(box, way.strategy).pixels)

    def network(self, way: Way) -> RunnableNetwork:
        """Return the network that a way runs: the plain twin has a halo of its own."""
        restorer = self._restorers[way]
        return restorer.network if way.strategy is None else restorer.network_for(way.strategy)

    def attention(self, way: Way, lr: NDArray[np.uint8], cell: Box) -> Attention:
        """Tell which patches of an LR picture the GCM draws on for a cell."""
        return self._restorers[way].encode(images.read(lr)).attention(cell)
