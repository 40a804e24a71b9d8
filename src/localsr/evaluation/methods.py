"""What is compared: a strategy, perhaps with a halo of its own or a picture cut to so many ROIs; or bicubic."""

from __future__ import annotations

import re
from dataclasses import dataclass

from localsr.errors import ConfigError
from localsr.geometry import Box, Size, whole
from localsr.inference.strategies import Strategy

BICUBIC = "bicubic"
TOLD_BY = ("roi", "surroundings", "truth")  # of conditions: measured on the ROI alone, with what is around, or known
METHOD_SYNTAX = re.compile(rf"([a-z]+)(?:-(\d{{1,3}}))?(?:-in-(\d{{1,3}}))?(?:-by-({'|'.join(TOLD_BY)}))?", re.ASCII)


@dataclass(frozen=True)
class Method:
    """One row of a comparison. Its name is `STRATEGY[-HALO][-in-CONTEXT][-by-TOLD]`, or `bicubic`."""

    strategy: Strategy | None  # None: bicubic
    halo: int | None = None  # LR px at every step, in place of the network's own
    context: int | None = None  # side of the picture that is seen, in sides of the ROI; None: all of it
    told: str = ""  # one of TOLD_BY: where the network's conditions are from; "" for all of the picture

    @classmethod
    def named(cls, name: str) -> Method:
        """Read a method from its name.

        Raises:
            ConfigError: The name is none, or asks for a halo or a context where there is none to choose.

        Example:
            >>> Method.named("clsr-in-3")
            Method(strategy=<Strategy.CLSR: 'clsr'>, halo=None, context=3, told='')
        """
        if name == BICUBIC:
            return cls(None)
        found = METHOD_SYNTAX.fullmatch(name)
        if not found:
            raise ConfigError(f"{name!r} is nothing to compare; give {BICUBIC}, or a strategy such as halo, halo-4")
        text, halo, context, told = found.groups()
        own, seen = (None if n is None else int(n) for n in (halo, context))
        method = cls(Strategy.named(text), own, seen, told or "")
        if method.halo is not None and method.strategy not in (Strategy.HALO, Strategy.CLSR):
            raise ConfigError(f"{name}: only halo and clsr have a halo to choose")
        if method.context is not None and (method.strategy is not Strategy.CLSR or not method.context):
            raise ConfigError(f"{name}: only clsr has a context to cut, to one ROI or more")
        return method

    def __str__(self) -> str:
        """Return the name."""
        halo = "" if self.halo is None else f"-{self.halo}"
        context = "" if self.context is None else f"-in-{self.context}"
        told = f"-by-{self.told}" if self.told else ""
        return f"{self.strategy or BICUBIC}{halo}{context}{told}"

    def visible(self, roi: Box, size: Size) -> Box:
        """Return the part of a picture of `size` that is seen for an ROI: so many of its sides, moved to lie within."""
        if self.context is None:
            return whole(size)
        width, height = min(self.context * roi.width, size.width), min(self.context * roi.height, size.height)
        left = min(max(roi.left - (width - roi.width) // 2, 0), size.width - width)
        top = min(max(roi.top - (height - roi.height) // 2, 0), size.height - height)
        return Box.from_xywh(left, top, width, height)
