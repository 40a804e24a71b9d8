"""How an ROI is fed to a network: one enum, one place; the strategies differ in their halo and in the context alone."""

from __future__ import annotations

from enum import StrEnum

from localsr.errors import ConfigError
from localsr.geometry import Box, Size, tiles
from localsr.models import clsr
from localsr.models.backbone import Taper

TILE = 192  # LR px; ROIs whose window exceeds TILED are cut into tiles of this side
TILED = 2**16  # LR px; 17 MB a feature map at 64 channels


class Strategy(StrEnum):
    """The four ways."""

    CROP = "crop"  # the ROI alone: the paper's pre-cropping
    HALO = "halo"  # the ROI with a tapered halo, no context
    CLSR = "clsr"  # the halo, GCM and PIM
    FULL = "full"  # every pixel that can matter: the paper's post-cropping, to 1e-5

    @classmethod
    def named(cls, name: str) -> Strategy:
        """Find a strategy by its name; `ConfigError` names the four."""
        try:
            return cls(name)
        except ValueError:
            raise ConfigError(f"unknown strategy {name!r}; choose one of {', '.join(cls)}") from None

    def halo(self, network: clsr.CLSR) -> tuple[int, ...]:
        """Give the LR px kept around the ROI at each step through `network`."""
        if self is Strategy.CROP:
            return (0,) * len(network.config.halo)
        if self is Strategy.FULL:
            return network.exact_halo
        return network.config.halo


def plan(box: Box, size: Size, network: clsr.CLSR, halo: tuple[int, ...]) -> list[Taper]:
    """Give the tapers that together make `box` of a picture of `size`: one, or one for each tile of a large box."""
    taper = Taper.around(box, size, halo)
    first = taper.windows[0]
    if first.width * first.height <= TILED:
        return [taper]
    return [taper.part(tile, network.exact_halo) for tile in tiles(box, TILE)]
