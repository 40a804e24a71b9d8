"""A photo whose networks are told how it was degraded: as measured, or as a user says."""

from __future__ import annotations

import copy
from abc import abstractmethod
from typing import Self

from localsr.conditions import Adjustment, Conditions
from localsr.inference.strategies import Enlarger


class ToldScene(Enlarger):
    """What a scene knows of noise, blur and compression, in this process or at a service."""

    _adjustment = Adjustment()  # a user's word

    @property
    def conditions(self) -> Conditions | None:
        """What the networks are told: as measured once, or as a user says; None where they cannot be told."""
        return self._adjustment.of(self._measured()) if self.conditioned else None

    def adjusted(self, denoise: float | None = None, deblur: float | None = None) -> Self:
        """Return this scene with a user's word on noise and blur; it shares all but that with this one.

        Args:
            denoise: How much of noise and of traces of compression to take away, 0 to 100; None for what was measured.
            deblur: How much blur to take away, 0 to 100; None for what was measured.

        Returns:
            The scene.

        Raises:
            ConfigError: A number is out of range, or the network cannot be told.

        Example:
            >>> import localsr, numpy as np
            >>> scene = localsr.load("edsr-light-x4", device="cpu").encode(np.zeros((40, 60, 3), np.uint8))
            >>> scene.adjusted(denoise=30)
            Traceback (most recent call last):
            ...
            localsr.errors.ConfigError: edsr-light-x4 cannot be told how much to denoise or to deblur; leave denoise ...
        """
        other = copy.copy(self)
        other._adjustment = self.adjustment(denoise, deblur)
        return other

    @abstractmethod
    def _measured(self) -> Conditions:
        """Return how the photo was degraded, as measured over all of it."""
