"""What comes out of a scene: restored pixels, what they drew on, what they cost; and bicubic to compare with."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self, cast

import numpy as np
from numpy.typing import NDArray

from localsr import images
from localsr.conditions import Conditions
from localsr.errors import ConfigError, OutputError
from localsr.geometry import Box, Enlargement, Size, whole
from localsr.images import Photo, Provenance, Saving
from localsr.images.vips import rounded
from localsr.inference.strategies import Strategy
from localsr.resize import needed, resample, resize

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS_HELD = 2**26  # HR px of a result that is held before it is written; larger ones go in pieces: 0.8 GB
MAX_PIXELS_HELD_BY_WORKER = 2**24  # the same in a process that shares its machine with others: 0.2 GB


@dataclass(frozen=True, repr=False, eq=False)  # two are the same if they are one: arrays cannot be compared as a whole
class Restoration:
    """HR pixels of one box, and how they were made; in a notebook it shows itself.

    Example:
        >>> import localsr, numpy as np
        >>> picture, box = np.zeros((40, 60, 3), np.uint8), localsr.Box(10, 10, 34, 30)
        >>> found = localsr.restore(picture, box, model="edsr-light-x4")
        >>> found
        <Restoration of (10, 10, 34, 30): 96 x 80 px by edsr-light-x4, halo, fp32>
    """

    pixels: NDArray[np.float32]  # (3, s h, s w), RGB in the photo's own colours, [0, 1]
    alpha: NDArray[np.float32] | None  # (1, s h, s w) in [0, 1], where the photo has it
    box: Box  # LR px of the upright picture
    scale: float  # a whole number as an int
    strategy: Strategy
    model: str  # name of the network
    precision: str  # that the pixels were computed in, one of PRECISIONS
    seconds: float  # from box to pixels; a batch's time is shared among its boxes by their area
    photo: Photo  # what it was made from: depth, bands and profile
    sha256: str = ""  # of the network's weights, where they were saved
    conditions: Conditions | None = None  # that the network was told

    @property
    def provenance(self) -> Provenance:
        """How it was made, as its file will say."""
        made = (self.model, self.sha256, self.photo.sha256(), (self.box,), self.scale)
        told = () if self.conditions is None else (*self.conditions,)
        damage = self.photo.damage
        return Provenance(*made, str(self.strategy), precision=self.precision, source_damage=damage, told=told)

    def save(self, path: str | PathLike[str], saving: Saving = Saving()) -> None:  # noqa: B008  # frozen
        """Write a picture with the photo's depth, bands, profile and metadata, and with how it was made.

        Args:
            path: The file to write: PNG, JPEG, TIFF, WebP, AVIF or BMP by its suffix.
            saving: The quality, and what is left out.

        Raises:
            OutputError: The file cannot be written, or its format is not known.
            ConfigError: The format has no quality, or cannot hold the photo's colours.

        Example:
            >>> import localsr, numpy as np, tempfile
            >>> picture, box = np.zeros((40, 60, 3), np.uint8), localsr.Box(10, 10, 34, 30)
            >>> found = localsr.restore(picture, box, model="edsr-light-x4")
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     found.save(f"{folder}/region.png")
            ...     print(localsr.read(f"{folder}/region.png").size)
            96 x 80
        """
        if not isinstance(path, str | PathLike):
            raise OutputError(f"a {type(path).__name__} is no path; give a file's name, or save to_pil() to it")
        images.write(Path(path), self.pixels, self.alpha, self.photo, self.provenance, saving)

    @property
    def size(self) -> Size:
        """How many pixels it has."""
        return Size(self.pixels.shape[2], self.pixels.shape[1])

    def reduced(self, to: Enlargement) -> Self:
        """Return the restoration at a smaller scale or size: antialiased bicubic, as of MATLAB's `imresize`.

        Args:
            to: How large it is to be.

        Returns:
            A restoration of the same box from corner to corner; itself if it has that size.

        Raises:
            BoxError: It would be larger than it is, smaller than its box, or stretched.

        Example:
            >>> import localsr, numpy as np
            >>> from localsr.geometry import Enlargement
            >>> picture, box = np.zeros((40, 60, 3), np.uint8), localsr.Box(10, 10, 34, 30)
            >>> localsr.restore(picture, box, model="edsr-light-x4").reduced(Enlargement(1.5)).size
            Size(width=36, height=30)
        """
        size = to.within(self.box.size, self.scale)
        if size == self.size:
            return self
        pixels, alpha = reduced(self.pixels, size), enlarged_alpha(self.photo, self.box, size)
        return replace(self, pixels=pixels, alpha=alpha, scale=to.factor(self.box.size))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:  # noqa: ANN401  # NumPy's own
        """Return the picture as NumPy and its users expect it, for `np.asarray(restoration)`.

        Args:
            dtype: `uint8`, the default, or `uint16`: the nearest levels; a float: values in [0, 1].
            copy: As NumPy asks; the array is always a new one.

        Returns:
            `(s h, s w, 3)` RGB in the photo's own colours, `(s h, s w, 4)` where the photo has alpha.

        Raises:
            ConfigError: The dtype is none of these.
            ValueError: `copy` is False.

        Example:
            >>> import localsr, numpy as np
            >>> picture, box = np.zeros((40, 60, 3), np.uint8), localsr.Box(10, 10, 34, 30)
            >>> found = localsr.restore(picture, box, model="edsr-light-x4")
            >>> np.asarray(found).shape, np.asarray(found).dtype, np.asarray(found, np.float32).dtype
            ((80, 96, 3), dtype('uint8'), dtype('float32'))
        """
        if copy is False:
            raise ValueError("the array of a restoration is always a new one; leave copy=False out")
        wanted = np.dtype(np.uint8 if dtype is None else dtype)
        planes = self.pixels if self.alpha is None else np.concatenate([self.pixels, self.alpha])
        if wanted.kind == "f":
            return np.ascontiguousarray(planes.transpose(1, 2, 0), wanted)
        if wanted not in (np.uint8, np.uint16):
            raise ConfigError(f"a restoration is no array of {wanted}; ask for uint8, uint16 or a float")
        return rounded(planes, 8 * wanted.itemsize)

    def to_pil(self) -> Image:
        """Return the picture for Pillow.

        Returns:
            An image in 8 bits, RGB, or RGBA where the photo has alpha; the photo's ICC profile is its
            `info["icc_profile"]`, where the pixels are in it.

        Example:
            >>> import localsr, numpy as np
            >>> picture, box = np.zeros((40, 60, 3), np.uint8), localsr.Box(10, 10, 34, 30)
            >>> found = localsr.restore(picture, box, model="edsr-light-x4")
            >>> found.to_pil().size
            (96, 80)
        """
        from PIL import Image

        picture = Image.fromarray(np.asarray(self))
        if self.photo.profile is not None and self.photo.bands in (3, 4) and not self.photo.is_cmyk:
            picture.info["icc_profile"] = self.photo.profile
        return picture

    def __getstate__(self) -> dict[str, Any]:
        """Return what another process gets: all but the photo's own pixels."""
        return {**vars(self), "photo": self.photo.detached()}

    def __copy__(self) -> Self:
        """Return a restoration that shares its pixels with this one."""
        return replace(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return a restoration whose pixels are its own."""
        return replace(self, **{each.name: copy.deepcopy(getattr(self, each.name), memo) for each in fields(self)})

    def __repr__(self) -> str:
        """Return a line that says what it is."""
        return f"<Restoration of {self.box}: {self.size} px by {self.model}, {self.strategy}, {self.precision}>"

    def _repr_png_(self) -> bytes:
        """Return the picture as PNG, which notebooks show."""
        with tempfile.TemporaryDirectory(prefix="localsr-") as folder:
            path = Path(folder) / "region.png"
            self.save(path)
            return path.read_bytes()


@dataclass(frozen=True)
class Attention:
    """What the GCM drew on for a box: each sampled patch and its share of the attention; the shares sum to 1.

    Example:
        >>> import localsr
        >>> from localsr.inference.restoration import Attention
        >>> patches = [localsr.Box(0, 0, 6, 6), localsr.Box(6, 0, 12, 6)]
        >>> found = Attention(localsr.Box(0, 0, 9, 9), patches, [0.25, 0.75])
        >>> found.patches[found.shares.index(max(found.shares))]
        Box(left=6, top=0, right=12, bottom=6)
    """

    box: Box
    patches: list[Box]  # LR px of the upright picture
    shares: list[float]  # the mean over heads and queries


class Piece(NamedTuple):
    """A part of a restored box."""

    place: Box  # px of the result, from its left upper corner
    pixels: NDArray[np.float32]  # (3, h, w), RGB in the photo's own colours, [0, 1]
    precision: str  # that the pixels were computed in


def bicubic(photo: Photo, box: Box, to: float | Size, part: Box | None = None) -> NDArray[np.float32]:
    """Enlarge a box by bicubic with what its kernel sees around it, so many times or to a size, all or a part of it.

    Returns `(3, h, w)` in [0, 1]; `part` is in px of the result.
    """
    return _enlarged(photo.window, photo, box, to, part)


def enlarged_alpha(photo: Photo, box: Box, to: float | Size, part: Box | None = None) -> NDArray[np.float32] | None:
    """Enlarge a box of the photo's alpha as `bicubic` does: `(1, h, w)` in [0, 1]; None for a photo without."""
    read = cast(Callable[[Box], NDArray[np.float32]], photo.alpha)
    return _enlarged(read, photo, box, to, part) if photo.has_alpha else None


def _enlarged(
    read: Callable[[Box], NDArray[np.float32]], photo: Photo, box: Box, to: float | Size, part: Box | None
) -> NDArray[np.float32]:
    """Enlarge what `read` returns of a box of the photo."""
    size = to if isinstance(to, Size) else Enlargement(to).of(box.size)
    part = part or whole(size)
    around = needed(part, box, size).clipped(photo.size)
    return resample(read(around), around, box, size, part).clip(0, 1)


def reduced(pixels: NDArray[np.float32], size: Size) -> NDArray[np.float32]:
    """Reduce pixels `(bands, h, w)` to a size; see `Restoration.reduced`."""
    return resize(pixels, size.height, size.width).clip(0, 1)
