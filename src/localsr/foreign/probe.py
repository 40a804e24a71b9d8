"""How much halo a network needs, on what grid it works, and whether it looks at the whole picture: measured.

A patch goes through the network whole, with its left and upper margin cut off, and with its right and lower one: a
network need not see as far to all sides. Where two results differ, the network looked across the cut; the distance from
the cut at which they stop to differ is the halo that it needs. A network that works in windows of 8 px gives something
else everywhere unless the cut is a multiple of 8: so the cuts that leave the far corner alone tell its grid. Where no
cut does, the network looks at all it is given.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from localsr import images
from localsr.geometry import whole
from localsr.inference.restorer import Restorer
from localsr.inference.strategies import Strategy

Pixels = NDArray[np.float32]
Upscale = Callable[[Pixels], Pixels]  # (3, h, w) RGB in [0, 1] -> (3, s h, s w)
Patches = Callable[[int], Iterator[Pixels]]  # of a side to (3, side, side) RGB in [0, 1], one or more

VERSION = 4  # of what follows: measurements of another version are made anew
HALF_LEVEL = 0.5 / 255  # a difference that rounding to 8 bits hides
EXACT = 1e-6  # a difference that sums in another order make
MARGIN = 1.1  # what is added to the distance measured: patches differ
MAX_GRID = 64  # px; no architecture in use has larger windows
CUTS = (64, 48, 56, 60, 63)  # px that all grids in use divide: powers of two, and multiples of 3, 5 and 7
REACHES = (48, 96, 128, 192)  # px from the cut that are looked at, one after the other until the difference has gone
FAR = 0.75  # of the reach: what differs beyond it does not fall off
SURE = 0.5  # of the reach: what differs beyond it is measured on a longer patch, where places that far are many; by a
# reach of 128 px two noises gave x4plus 76 and 94, by 192 three gave 99, 99 and 104, for twice as many pixels
LEFT_TOP, RIGHT_BOTTOM = 1, -1  # corners that are cut off
ROI_SIDE = 48  # px of the region whose PSNR by halo is told


@dataclass(frozen=True)
class Measurement:
    """What a network needs, in LR px.

    Attributes:
        halo: Pixels around a region with which no pixel of it differs by half a level of 255 from the whole picture's.
            For a network that looks at the whole picture, the largest distance that was tried.
        grid: A window must begin at multiples of this many pixels; 1 for networks without windows.
        is_global: Whether the difference does not fall off with the distance: pooling, normalisation or attention over
            all that the network is given.
        largest: Largest difference, in [0, 1], at each distance from the cut or farther: index 0 is the cut itself.
        rms: Root mean square difference at each distance.

    """

    halo: int
    grid: int
    is_global: bool
    largest: tuple[float, ...]
    rms: tuple[float, ...]

    @property
    def reach(self) -> int:
        """The smallest distance from which on nothing differs by `EXACT`; all that was tried where there is none."""
        return next((d for d, most in enumerate(self.largest) if most < EXACT), len(self.largest))

    def psnr(self, halo: int) -> float:
        """Predict the PSNR in dB of a region of 48 x 48 px with a halo, against the same region of the whole picture.

        Each pixel of the region differs as pixels at its distance from the nearest cut did; of a network that looks at
        all, those that are farther from it as the farthest that were seen. Infinite where nothing differs; at most
        99 dB is told apart from that.
        """
        edge = np.minimum(np.arange(ROI_SIDE), np.arange(ROI_SIDE)[::-1])
        distance = halo + np.minimum(edge[:, None], edge[None, :])
        beyond = self.rms[-1] ** 2 if self.is_global else 0.0
        power = np.append(np.square(self.rms), beyond)[np.minimum(distance, len(self.rms))].mean()
        return math.inf if power <= 10**-9.9 else -10 * math.log10(power)


def noise_and_bars(side: int, seed: int = 0) -> Iterator[Pixels]:
    """Yield patches `(3, side, side)` in [0, 1]: noise whose spectrum falls as a photo's does, then bars and white.

    What is bright differs most from the zeros that most networks see beyond a cut.
    """
    random = np.random.default_rng(seed)
    rows, columns = np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side), indexing="ij")
    frequency = np.maximum(np.hypot(rows, columns), 1 / side)
    noise = np.fft.ifft2(np.fft.fft2(random.standard_normal((3, side, side))) / frequency).real
    noise -= noise.mean((1, 2), keepdims=True)
    light = np.add.outer(np.linspace(0.4, -0.2, side), np.linspace(0.4, -0.2, side)) / 2  # what is cut off is brighter
    yield np.clip(0.5 + light + 0.18 * noise / noise.std(), 0, 1).astype(np.float32)
    period = random.integers(3, 9)
    bars = ((np.add.outer(np.arange(side), np.arange(side)) // period) % 2).astype(np.float32)
    yield np.stack([bars, 1 - bars, np.ones_like(bars)])


def measure(
    upscale: Upscale,
    scale: int,
    *,
    multiple: int = 1,
    exact_halo: int | None = None,
    patches: Patches = noise_and_bars,
) -> Measurement:
    """Measure what a network needs by running it on patches.

    Args:
        upscale: The network: `(3, h, w)` float32 RGB in [0, 1] to `(3, scale h, scale w)`.
        scale: How many times it enlarges.
        multiple: What the sides of its input must be multiples of, in LR px.
        exact_halo: The halo beyond which its architecture sees nothing, where that is known: an upper bound.
        patches: What it is run on.

    Returns:
        The halo, the grid, whether the network is global, and the curves that say so.

    Example:
        >>> import numpy as np
        >>> from localsr.foreign.probe import measure
        >>> def shifted(x):  # each pixel is its left neighbour's: it needs one pixel of halo
        ...     return np.pad(x, ((0, 0), (0, 0), (1, 0)))[:, :, :-1].astype(np.float32)
        >>> measure(shifted, 1).halo
        2

    """
    grid, first = _grid(upscale, scale, multiple, patches)
    step = grid or multiple
    for reach in (reach for reach in REACHES if (reach >= first if grid else reach == first)):
        side, cut = (-(-length // step) * step for length in (reach, reach // 3))
        curves = [_curve(upscale, scale, patch, cut) for patch in patches(side + cut)]
        squares = np.mean([np.square(rms) for _, rms in curves], axis=0)
        largest = np.maximum.reduce([most for most, _ in curves])
        apart = [d for d, most in enumerate(largest) if most >= HALF_LEVEL]
        needed = apart[-1] + 1 if apart else 0
        if needed <= SURE * side:
            break
    is_global = not grid or needed > FAR * side
    halo = len(largest) if is_global else math.ceil(needed * MARGIN)
    if exact_halo is not None:
        halo, is_global = min(halo, exact_halo), False
    return Measurement(halo, step, is_global, tuple(largest.tolist()), tuple(np.sqrt(squares).tolist()))


def measure_restorer(restorer: Restorer, patches: Patches = noise_and_bars) -> Measurement:
    """Measure the plain network of a restorer, as `full` runs it.

    Args:
        restorer: What holds the network.
        patches: What it is run on.
    """
    network = restorer.network_for(Strategy.FULL)
    geometry = network.geometry

    def upscale(pixels: Pixels) -> Pixels:
        photo = images.read(np.ascontiguousarray(pixels.transpose(1, 2, 0)))
        return restorer.encode(photo).restore(whole(photo.size), Strategy.FULL).pixels

    known = network.runtime != "foreign"  # what a network of others sees was measured itself
    exact = geometry.exact_halo[0] + geometry.multiple - 1 if known else None
    return measure(upscale, geometry.scale, multiple=geometry.multiple, exact_halo=exact, patches=patches)


def _grid(upscale: Upscale, scale: int, multiple: int, patches: Patches) -> tuple[int, int]:
    """Return the smallest cut that leaves the far corner of a patch alone, 0 where none does, and the reach seen so."""

    def cut_off(cut: int) -> NDArray[np.float32]:
        side = -(-(reach + cut) // multiple) * multiple
        return _curve(upscale, scale, next(patches(side)), cut, corners=(LEFT_TOP,))[0]

    for reach in REACHES:
        first = cut_off(multiple)
        if _leaves_alone(first):
            return multiple, reach
        if _falls(first) and reach < REACHES[-1]:
            continue  # it may only see farther than this patch reaches
        curves = {cut: cut_off(cut) for cut in CUTS if cut % multiple == 0}
        if common := next((cut for cut, curve in curves.items() if _leaves_alone(curve)), 0):
            shorter = (cut for cut in range(2 * multiple, common, multiple) if common % cut == 0)
            return next((cut for cut in shorter if _leaves_alone(cut_off(cut))), common), reach
        if reach > REACHES[0] and not any(map(_falls, curves.values())):
            break  # nor would it on a longer patch
    return 0, reach


def _leaves_alone(largest: NDArray[np.float32]) -> bool:
    """Whether a cut leaves the far corner alone."""
    return bool(largest[int(FAR * len(largest))] < HALF_LEVEL)


def _falls(largest: NDArray[np.float32]) -> bool:
    """Whether a curve still falls: its last quarter begins below half of where its second begins."""
    quarter = len(largest) // 4
    return bool(largest[3 * quarter] < largest[quarter] / 2)


def _curve(
    upscale: Upscale, scale: int, patch: Pixels, cut: int, corners: tuple[int, ...] = (LEFT_TOP, RIGHT_BOTTOM)
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Cut a patch at corners: the largest difference from each distance on, and the rms at each."""
    everything, side = upscale(patch).clip(0, 1), patch.shape[1] - cut
    apart = []
    for corner in corners:  # also the step that reads from it on
        kept = slice(cut, None) if corner == LEFT_TOP else slice(side)
        part = upscale(np.ascontiguousarray(patch[:, kept, kept])).clip(0, 1)
        there = slice(cut * scale, None) if corner == LEFT_TOP else slice(side * scale)
        apart.append(np.abs(everything[:, there, there] - part)[:, ::corner, ::corner])
    difference = np.concatenate(apart).reshape(-1, side, scale, side, scale)
    most, square = difference.max((0, 2, 4)), np.square(difference).mean((0, 2, 4))
    distance = np.minimum(np.arange(side)[:, None], np.arange(side)[None, :])
    at = [distance == d for d in range(side)]
    largest = np.array([most[ring].max() for ring in at], dtype=np.float32)
    rms = np.sqrt([square[ring].mean() for ring in at]).astype(np.float32)
    return np.maximum.accumulate(largest[::-1])[::-1], rms
