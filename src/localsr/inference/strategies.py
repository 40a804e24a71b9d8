"""How an ROI is fed to a network: one enum, one place; the strategies differ in their halo and in the context alone."""

from __future__ import annotations

from enum import StrEnum

from localsr.errors import ConfigError
from localsr.geometry import Box, Size, whole
from localsr.models import clsr
from localsr.models.backbone import Taper


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

    def taper(self, roi: Box, size: Size, network: clsr.CLSR) -> Taper:
        """Give the windows of an ROI of a picture of `size` through `network`, untiled."""
        halo, multiple = self.halo(network), network.backbone.multiple
        if self is Strategy.CROP:  # the ROI is all the picture there is
            return Taper.around(whole(roi.size), roi.size, halo, multiple).shifted(roi.left, roi.top)
        return Taper.around(roi, size, halo, multiple, aligned=self is Strategy.FULL)
