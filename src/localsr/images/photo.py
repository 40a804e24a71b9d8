"""A picture as the user has it, opened lazily and read by windows.

libvips does the work. Grey and RGB keep their own colour space and the ICC profile travels with them; CMYK and Lab
become sRGB. Grey is its one band three times. Alpha is straight, never premultiplied.
"""

from __future__ import annotations

import copyreg
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np
import pyvips
from numpy.typing import NDArray

from localsr.errors import ImageError
from localsr.geometry import Box, Size, whole
from localsr.images import xmp
from localsr.images.damage import DamageLatch
from localsr.images.metadata import MAX_HASHED_BYTES, Metadata
from localsr.images.provenance import Provenance
from localsr.images.source import PhotoSource
from localsr.images.vips import (
    NUMPY_TYPES,
    SPACES,
    Pixels,
    fetched,
    from_array,
    profile_of,
    rounded,
    translating_errors,
    with_profile,
)


@dataclass(frozen=True, eq=False)
class Photo:
    """A picture as the user has it, upright; its pixels are read when they are asked for. Made by `read`.

    It may be used by many threads at once. Its file may take another name or be deleted while it is open.

    Attributes:
        size: Width and height of the upright picture in pixels.
        bands: Bands of the source, alpha included: 1 to 4, or 5 for CMYK with alpha.
        depth: Bits of a band: 8, or 16, which stands for float too.
        profile: The ICC profile that the pixels are in, embedded or made of what else the file tells; None for sRGB.
        name: The name of the file, without its folder; empty for arrays and bytes.
        has_alpha: Whether there is a band of opacity.
        is_cmyk: Whether the source is CMYK; windows of it are sRGB.
        metadata: What the file says besides its pixels.
        page: Which page of a document or frame of an animation it is, from 1.
        pages: How many of them the file holds.
        damage: What is wrong with the file, of which a part is lost; empty for a sound one.

    Example:
        >>> import numpy as np
        >>> import localsr
        >>> photo = localsr.read(np.full((48, 64, 3), 51, np.uint8))
        >>> photo.size
        Size(width=64, height=48)
        >>> photo.bands, photo.depth, photo.has_alpha
        (3, 8, False)
    """

    size: Size
    bands: int
    depth: int
    profile: bytes | None = field(repr=False)
    name: str
    has_alpha: bool
    is_cmyk: bool
    _colour: pyvips.Image = field(repr=False)  # 1 or 3 bands; None where the pixels stayed elsewhere
    _alpha: pyvips.Image | None = field(repr=False)
    _latch: DamageLatch | None = field(repr=False, default=None)  # where damage is looked for
    metadata: Metadata = field(repr=False, default=Metadata())
    _source: PhotoSource | None = field(repr=False, default=None)  # None for pixels in memory
    page: int = 1
    pages: int = 1
    damage: str = ""

    def sha256(self, limit: float = MAX_HASHED_BYTES) -> str:
        """Return the sha256 of the picture's file, which is read for it once.

        Args:
            limit: A file of more bytes has none; the default, 512 MiB, costs 0.3 s.

        Returns:
            64 hexadecimal digits; empty beyond the limit, for an array, and for a file that has changed or gone.

        Example:
            >>> import numpy as np
            >>> import localsr
            >>> localsr.read(np.zeros((48, 64), np.uint8)).sha256()
            ''
        """
        return "" if self.metadata.source is None else self.metadata.source.sha256(limit)

    @property
    def provenance(self) -> Provenance | None:
        """How the picture was made, where it says that localsr made it."""
        return xmp.made_by(self.metadata.xmp)

    def window(self, box: Box) -> Pixels:
        """Read the pixels of a box.

        Args:
            box: A region within the picture.

        Returns:
            `(3, h, w)` float32 in [0, 1], RGB in the photo's own profile; grey three times, CMYK as sRGB.

        Raises:
            BoxError: The box leaves the picture.
            ImageError: The file is damaged there, or its float pixels leave [0, 1].

        Example:
            >>> import numpy as np
            >>> import localsr
            >>> photo = localsr.read(np.full((48, 64, 3), 51, np.uint8))
            >>> pixels = photo.window(localsr.Box(10, 20, 34, 36))
            >>> pixels.shape, round(float(pixels.max()), 3)
            ((3, 16, 24), 0.2)
        """
        return self.windows([box])[0]

    def windows(self, boxes: Sequence[Box]) -> list[Pixels]:
        """Read many boxes, each as `window` does; many small ones come much faster than one by one.

        Args:
            boxes: Regions within the picture, of any sizes.

        Returns:
            One `(3, h, w)` array for each box, in their order.

        Raises:
            BoxError: A box leaves the picture.
            ImageError: The file is damaged there, or its float pixels leave [0, 1].

        Example:
            >>> import numpy as np
            >>> import localsr
            >>> photo = localsr.read(np.zeros((48, 64), np.uint16))
            >>> [w.shape for w in photo.windows([localsr.Box(0, 0, 6, 6), localsr.Box(60, 40, 64, 48)])]
            [(3, 6, 6), (3, 8, 4)]
        """
        found = self._read(self._colour, boxes)
        return [pixels if len(pixels) == 3 else np.repeat(pixels, 3, axis=0) for pixels in found]

    def alpha(self, box: Box) -> Pixels | None:
        """Read the opacity of a box.

        Args:
            box: A region within the picture.

        Returns:
            `(1, h, w)` float32 in [0, 1], straight and not premultiplied; None for a picture without alpha.

        Raises:
            BoxError: The box leaves the picture.
            ImageError: The file is damaged there, or its float pixels leave [0, 1].

        Example:
            >>> import numpy as np
            >>> import localsr
            >>> box = localsr.Box(0, 0, 4, 4)
            >>> localsr.read(np.zeros((48, 64, 3), np.uint8)).alpha(box) is None
            True
            >>> localsr.read(np.full((48, 64, 4), 255, np.uint8)).alpha(box).shape
            (1, 4, 4)
        """
        return None if self._alpha is None else self._read(self._alpha, [box])[0]

    def preview(self, max_side: int) -> NDArray[np.uint8]:
        """Return the whole picture for a screen, shrunk to fit and never enlarged.

        Args:
            max_side: The most pixels that the longer side may have.

        Returns:
            `(h, w, 3)` in 8 bits, sRGB; what is transparent is on white.

        Raises:
            ImageError: The file is damaged.

        Example:
            >>> import numpy as np
            >>> import localsr
            >>> localsr.read(np.zeros((480, 640, 3), np.uint8)).preview(100).shape
            (75, 100, 3)
        """
        return self._shown(whole(self.size), max_side, max_side, "down")

    def __copy__(self) -> Photo:
        """Return the photo itself, which nothing can change."""
        return self

    def __deepcopy__(self, memo: object) -> Photo:
        """Return the photo itself, which nothing can change."""
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what opens the photo in another process: its path, or its bytes."""
        if self._colour is None:
            return copyreg.__newobj__, (type(self),), vars(self)  # type: ignore[attr-defined]
        if self._source is None or type(self) is not Photo:
            advice = "send the array and read it there, or save it and read the file"
            raise ImageError(
                f"{self.name or 'a photo'} of pixels in memory cannot be sent to another process; {advice}"
            )
        return PhotoSource.open, (self._source,)

    def detached(self) -> Photo:
        """Return what a photo says of itself without its pixels, which may then be sent to any process.

        Returns:
            A photo whose pixels cannot be read.

        Example:
            >>> import numpy as np
            >>> import localsr
            >>> localsr.read(np.zeros((480, 640, 3), np.uint8)).detached().size
            Size(width=640, height=480)
        """
        return replace(self, _colour=None, _alpha=None, _latch=None, _source=None)

    def shrunk(self, box: Box, size: Size) -> NDArray[np.uint8]:
        """Return a box for a screen, at a given size.

        Args:
            box: A region within the picture.
            size: Width and height to have; the proportions need not be the box's.

        Returns:
            `(size.height, size.width, 3)` in 8 bits, sRGB; what is transparent is on white.

        Raises:
            BoxError: The box leaves the picture.
            ImageError: The file is damaged there.

        Example:
            >>> import numpy as np
            >>> import localsr
            >>> photo = localsr.read(np.zeros((480, 640, 3), np.uint8))
            >>> photo.shrunk(localsr.Box(0, 0, 320, 240), localsr.Size(32, 24)).shape
            (24, 32, 3)
        """
        return self._shown(box.checked(self.size), size.width, size.height, "force")

    def _shown(self, box: Box, width: int, height: int, fit: str) -> NDArray[np.uint8]:
        """Shrink a box for a screen; `fit` is libvips' word for how width and height bind."""
        bands = [self._colour] if self._alpha is None else [self._colour, self._alpha]
        with self._reading([box]):
            parts = [band.crop(box.left, box.top, box.width, box.height) for band in bands]
            if {band.format for band in bands} not in ({"uchar"}, {"ushort"}):
                parts = [from_array(rounded(self._levels(b, [box])[0], 8), SPACES[b.bands, 8]) for b in bands]
            image = with_profile(parts[0], profile_of(parts[0], usable=True))
            how = {"height": height, "size": fit, "no_rotate": True, "output_profile": "srgb"}
            small = image.bandjoin(parts[1:]).thumbnail_image(width, **how).colourspace("srgb").cast("uchar")
            return cast(NDArray[np.uint8], (small.flatten(background=255) if parts[1:] else small).numpy())

    def _read(self, image: pyvips.Image, boxes: Sequence[Box]) -> list[Pixels]:
        """Read boxes of the colour or of the alpha: `(bands, h, w)`, [0, 1]."""
        with self._reading(boxes):
            return self._levels(image, boxes)

    @contextmanager
    def _reading(self, boxes: Sequence[Box]) -> Iterator[None]:
        """Name the picture in errors, check what boxes need of it, and read nothing from one found damaged."""
        if self._colour is None:
            raise ImageError(f"the pixels of {self.name or 'the picture'} stayed in another process; read it here")
        with (
            translating_errors(f"{self.name or 'the picture'} cannot be read"),
            nullcontext() if self._latch is None else self._latch.reading(boxes),
        ):
            yield

    def _levels(self, image: pyvips.Image, boxes: Sequence[Box]) -> list[Pixels]:
        """Fetch boxes and divide them by the highest level."""
        alike: dict[tuple[int, int], list[int]] = {}  # by size: 64 patches become floats in half the time together
        for n, box in enumerate(boxes):
            box.checked(self.size)
            alike.setdefault((box.height, box.width), []).append(n)
        dtype = NUMPY_TYPES[image.format]
        found: dict[int, Pixels] = {}
        levels = np.float32(1 if dtype.kind == "f" else np.iinfo(dtype).max)
        for sides, members in alike.items():
            raw = np.frombuffer(fetched(image, [boxes[n] for n in members]), dtype)
            if dtype.kind == "f" and not (raw.min() >= 0 and raw.max() <= 1):  # NaN is neither
                raise ImageError(f"{self.name or 'the picture'} has float pixels that are not in [0, 1]")
            pixels = raw.reshape(-1, *sides, image.bands).transpose(0, 3, 1, 2).astype(np.float32, order="C")
            pixels /= levels
            found.update(zip(members, pixels, strict=True))
        return [found[n] for n in range(len(boxes))]
