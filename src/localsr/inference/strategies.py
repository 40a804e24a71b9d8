"""How an ROI is fed to a network: strategies, which differ in halo and context alone, and what networks run them."""

from __future__ import annotations

import copy
from abc import ABC
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, Self

from localsr.conditions import Adjustment
from localsr.errors import Advice, ConfigError
from localsr.geometry import AskedSize, Box, Enlargement, Size, whole
from localsr.models.windows import NetworkGeometry, Taper

if TYPE_CHECKING:
    from localsr.inference.protocols import RunnableNetwork


class Strategy(StrEnum):
    """How much around a region its network sees.

    Example:
        >>> from localsr import Strategy
        >>> [str(strategy) for strategy in Strategy]
        ['crop', 'halo', 'clsr', 'full']
        >>> Strategy.named("full") is Strategy.FULL
        True
    """

    CROP = "crop"  # the ROI alone: the paper's pre-cropping
    HALO = "halo"  # the ROI with a tapered halo, no context
    CLSR = "clsr"  # the halo, GCM and PIM
    FULL = "full"  # every pixel that can matter: the paper's post-cropping, to 1e-5

    @classmethod
    def named(cls, name: str) -> Strategy:
        """Return the strategy of a name.

        Args:
            name: One of `crop`, `halo`, `clsr` and `full`, or a strategy.

        Returns:
            The strategy.

        Raises:
            ConfigError: There is no strategy of that name.
        """
        try:
            return cls(name)
        except ValueError:
            raise ConfigError(f"unknown strategy {name!r}; choose one of {', '.join(cls)}") from None

    def halo(self, geometry: NetworkGeometry) -> tuple[int, ...]:
        """Return the LR px kept around the ROI at each step through a network."""
        if self is Strategy.CROP:
            return (0,) * len(geometry.halo)
        if self is Strategy.FULL:
            return geometry.exact_halo
        return geometry.halo

    def taper(self, roi: Box, size: Size, geometry: NetworkGeometry) -> Taper:
        """Return the windows of an ROI of a picture of `size` through a network, untiled."""
        halo = self.halo(geometry)
        if self is Strategy.CROP:  # the ROI is all the picture there is
            return geometry.taper(whole(roi.size), roi.size, halo).shifted(roi.left, roi.top)
        return geometry.taper(roi, size, halo, aligned=self is Strategy.FULL)


def default_strategy(available: Collection[Strategy]) -> Strategy:
    """Return the strategy that runs unless one is named: `clsr` where there is context, else `halo`."""
    return Strategy.CLSR if Strategy.CLSR in available else Strategy.HALO


class NetworkOffer(Protocol):
    """Networks of this process or of a service: what they are called, and what they can run."""

    @property
    def name(self) -> str:
        """What the networks are called."""

    @property
    def scale(self) -> int:
        """How many times they enlarge."""

    @property
    def strategies(self) -> list[Strategy]:
        """The strategies that they can run."""

    @property
    def conditioned(self) -> bool:
        """Whether they can be told how a picture was degraded."""

    def choose(self, asked: Strategy | str | None = None) -> Strategy:
        """Return the strategy that is asked for, or the default; `ConfigError` for one that cannot run."""


class Enlarger(ABC):
    """What enlarges regions by the networks that it has, `_networks`."""

    _networks: NetworkOffer
    _asked: Enlargement | None = None  # for what the network does

    @property
    def network_scale(self) -> int:
        """How many times the network enlarges a region."""
        return self._networks.scale

    @property
    def enlargement(self) -> Enlargement:
        """How large results are."""
        return self._asked or Enlargement(self.network_scale)

    @property
    def scale(self) -> float:
        """How many times a region is enlarged; where a size was asked for, how many times the network does."""
        return self.enlargement.scale or self.network_scale

    def sized(self, scale: float | None = None, size: AskedSize | None = None) -> Self:
        """Return this with results of another size; it shares all but that with this one.

        A result is what the network makes, reduced by antialiased bicubic; it covers its region from corner to corner.

        Args:
            scale: How many times a region is enlarged, from 1 to what the network does; not only whole numbers.
            size: Or how large a result is: `1200x`, `x800` or `1200x800`, in pixels. None of both for what the network
                makes.

        Returns:
            The restorer or scene.

        Raises:
            ConfigError: There is no such scale or size, or the network does not enlarge so much.

        Example:
            >>> import localsr, numpy as np
            >>> scene = localsr.load("edsr-light-x4", device="cpu").encode(np.zeros((40, 60, 3), np.uint8))
            >>> scene.sized(3).restore(localsr.Box(10, 10, 34, 30)).size
            Size(width=72, height=60)
            >>> scene.sized(size="x50").restore(localsr.Box(10, 10, 34, 30)).size
            Size(width=60, height=50)
        """
        asked = Enlargement.asked(scale, size)
        if asked is not None and (asked.scale or 1) > self.network_scale:
            raise ConfigError(
                f"{self._networks.name} enlarges x{self.network_scale}, not {asked}; ask for at most "
                f"x{self.network_scale}, or choose a network that enlarges more"
            )
        other = copy.copy(self)
        other._asked = asked
        return other

    def size_of(self, box: Box) -> Size:
        """Return the size of a box's result.

        Args:
            box: The region, in LR px.

        Returns:
            Its result's size.

        Raises:
            BoxError: The size that was asked for is more than the network makes of the box, or less than the box.

        Example:
            >>> import localsr
            >>> localsr.load("edsr-light-x4", device="cpu").sized(1.5).size_of(localsr.Box(0, 0, 30, 20))
            Size(width=45, height=30)
        """
        return self.enlargement.within(box.size, self.network_scale)

    @property
    def strategies(self) -> list[Strategy]:
        """The strategies that can run."""
        return self._networks.strategies

    @property
    def conditioned(self) -> bool:
        """Whether the networks can be told how a picture was degraded, and how much to denoise and to deblur."""
        return self._networks.conditioned

    def adjustment(self, denoise: float | None, deblur: float | None) -> Adjustment:
        """Check a user's word on noise and blur before any picture is read.

        Args:
            denoise: How much of noise and of traces of compression to take away, 0 to 100; None for what is measured.
            deblur: How much blur to take away, 0 to 100; None for what is measured.

        Returns:
            Both.

        Raises:
            ConfigError: A number is out of range, or the networks cannot be told.

        Example:
            >>> import localsr
            >>> localsr.load("edsr-light-x4", device="cpu").adjustment(denoise=None, deblur=None)
            Adjustment(denoise=None, deblur=None)
        """
        if (denoise, deblur) != (None, None) and not self.conditioned:
            advice = Advice("leave denoise and deblur out", "leave --denoise and --deblur out")
            raise ConfigError(f"{self._networks.name} cannot be told how much to denoise or to deblur", advice)
        return Adjustment.checked(denoise, deblur)

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
            >>> restorer = localsr.load("edsr-light-x4", device="cpu")
            >>> str(restorer.strategy()), str(restorer.encode(np.zeros((40, 60, 3), np.uint8)).strategy("crop"))
            ('halo', 'crop')
        """
        return self._networks.choose(asked)


@dataclass(frozen=True)
class NetworkPair:
    """A network and its plain twin: which strategies they can run, and which of the two runs each."""

    name: str  # for messages
    network: RunnableNetwork
    plain: RunnableNetwork | None  # the network itself where it has no context; None where there is no twin at hand

    def converted(self, convert: Callable[[RunnableNetwork], RunnableNetwork]) -> NetworkPair:
        """Return what `convert` makes of the network and its twin."""
        network = convert(self.network)
        plain = network if self.plain is self.network else self.plain and convert(self.plain)
        return NetworkPair(self.name, network, plain)

    @property
    def scale(self) -> int:
        """How many times they enlarge."""
        return self.network.geometry.scale

    @property
    def conditioned(self) -> bool:
        """Whether they can be told how a picture was degraded."""
        return self.network.conditioned

    @property
    def strategies(self) -> list[Strategy]:
        """The strategies that can run."""
        plain, context = self.plain is not None, self.network.geometry.has_context
        return [strategy for strategy in Strategy if (context if strategy is Strategy.CLSR else plain)]

    def choose(self, asked: Strategy | str | None = None) -> Strategy:
        """Return the strategy that is asked for, or the default; `ConfigError` for one that cannot run."""
        strategy = default_strategy(self.strategies) if asked is None else Strategy.named(asked)
        self.network_for(strategy)
        return strategy

    def network_for(self, strategy: Strategy) -> RunnableNetwork:
        """Return the network that runs a strategy; `ConfigError` where there is none."""
        if strategy is Strategy.CLSR:
            if not self.network.geometry.has_context:
                around = "is run as it is, without context"
                if self.network.runtime != "foreign":
                    around = "is a plain backbone without context, which `localsr train` adds to a recipe's `init`"
                raise ConfigError(f"{self.name} {around}; choose crop, halo or full")
            return self.network
        if self.plain is None:
            raise ConfigError(
                f"{self.name} has no plain twin at hand, which {strategy} runs; put it beside the checkpoint"
            )
        return self.plain
