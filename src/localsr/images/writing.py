"""Pictures out: written with the depth, bands, profile and metadata of their source, as far as the format can."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyvips
from numpy.typing import NDArray

from localsr.errors import ConfigError, OutputError
from localsr.files import replacing
from localsr.geometry import Box, Size
from localsr.images.carried import Blocks, Saving, blocks_for
from localsr.images.encoding import (
    DEEP_FORMATS,
    FORMATS,
    MAX_SIDES,
    OPAQUE_FORMATS,
    JpegTables,
    check_quality,
    encode,
)
from localsr.images.jpeg_copy import JpegOriginal, why_not
from localsr.images.photo import Photo
from localsr.images.provenance import Provenance
from localsr.images.reading import read
from localsr.images.vips import (
    SPACES,
    VIPS_FORMATS,
    Pixels,
    from_array,
    mapped,
    profile_of,
    rounded,
    translating_errors,
    with_profile,
)
from localsr.systems import read_at, write_at

PLAIN = Saving()


def write(
    path: str | os.PathLike[str],
    pixels: Pixels,
    alpha: Pixels | None,
    like: Photo,
    made: Provenance | None = None,
    saving: Saving = PLAIN,
) -> None:
    """Write a picture with the depth, bands and profile of a photo; the file appears whole or not at all.

    `pixels` are `(3, H, W)` RGB and `alpha` `(1, H, W)`, both in [0, 1]; the suffix says the format. What a format
    cannot hold becomes the nearest that it can: 8 bit in JPEG, WebP and BMP, no alpha in JPEG and BMP, sRGB for CMYK in
    PNG, WebP, AVIF and BMP, sRGB for any profile in BMP. `made` says how the pixels were made from the photo; with it
    the file carries it and the photo's metadata, as far as `saving` says. Raises `OutputError`.
    """
    kind = checked_format(path, like, saving)
    planes = [pixels] if alpha is None else [pixels, alpha]
    shapes = [(bands, *pixels.shape[1:]) for bands in (3, 1)][: len(planes)]
    if [p.shape for p in planes] != shapes or not all(np.isfinite(p).all() for p in planes):
        raise OutputError(f"{path} is not written: {[p.shape for p in planes]} must be (3, H, W), (1, H, W) and finite")
    with (
        replacing(path) as temporary,
        translating_errors(f"{path} could not be written", OutputError, "; what was there is untouched"),
    ):
        levels = _levels(pixels, None if kind in OPAQUE_FORMATS else alpha, like, _depth(kind, like))
        _save(temporary, kind, from_array(levels, "multiband"), like, made, saving)


def srgb(pixels: Pixels, like: Photo) -> NDArray[np.uint8]:
    """Return how pixels `(3, H, W)` in [0, 1] look in a file saved with them: `(H, W, 3)` in 8 bits, sRGB.

    The bands, depth and profile of `like` decide the colours.
    """
    with tempfile.TemporaryDirectory(prefix="localsr-") as folder:
        path = Path(folder) / "shown.png"
        write(path, pixels, None, like)
        return read(path).preview(max(pixels.shape))


class Canvas:
    """A picture in the making that need not fit in memory: its levels lie in a file without a name.

    Use it in a `with` statement; `finish` writes the picture, whole or not at all.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        size: Size,
        like: Photo,
        made: Provenance | None = None,
        saving: Saving = PLAIN,
        *,
        alpha: bool,
    ) -> None:
        """Begin a picture of `size` like a photo; `OutputError` if the disk or the format has no room for it.

        `made` and `saving` are those of `write`.
        """
        self.path, self.size, self.like = Path(path), size, like
        self._made, self._saving = made, saving
        self._kind = checked_format(path, like, saving)
        self._depth = _depth(self._kind, like)
        self._bands = (1 if like.bands < 3 else 3) + (alpha and self._kind not in OPAQUE_FORMATS)
        self._pixel = self._bands * self._depth // 8
        if max(size.width, size.height) > MAX_SIDES.get(self._kind, 2**31):
            raise OutputError(f"{path} would hold {size} px, but its format ends at {MAX_SIDES[self._kind]} px a side")
        folder = self.path.resolve().parent
        wanted = 2 * size.width * size.height * self._pixel  # the levels, and a finished file or a second copy as large
        try:
            folder.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(folder).free
            if free < wanted:
                message = f"{wanted >> 20} MB are needed while it is made; {folder} has {free >> 20} MB left"
                raise OSError(errno.ENOSPC, message)
            self._file = tempfile.TemporaryFile(dir=folder)  # closed by __exit__
            self._file.truncate(size.width * size.height * self._pixel)
        except OSError as error:
            raise OutputError(f"{path} could not be begun: {error.strerror or error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def put(self, box: Box, pixels: Pixels, alpha: Pixels | None = None) -> None:
        """Set a box to `pixels` `(3, h, w)` and `alpha` `(1, h, w)`, both in [0, 1]; it is opaque without alpha."""
        box.checked(self.size)
        if alpha is None and self._bands in (2, 4):
            alpha = np.ones((1, *pixels.shape[1:]), np.float32)
        levels = _levels(pixels, alpha if self._bands in (2, 4) else None, self.like, self._depth)
        try:
            for row, line in enumerate(levels, start=box.top):
                data, place = line.tobytes(), (row * self.size.width + box.left) * self._pixel
                while data:  # a disk that is nearly full takes only a part
                    done = write_at(self._file.fileno(), data, place)
                    data, place = data[done:], place + done
        except OSError as error:
            raise OutputError(f"{self.path} could not be written: {error.strerror}") from error

    def get(self, box: Box) -> Pixels:
        """Return the colour of a box as it was set, `(3, h, w)` RGB in [0, 1], rounded to levels."""
        box.checked(self.size)
        count = box.width * self._pixel
        lines = [
            read_at(self._file.fileno(), count, (row * self.size.width + box.left) * self._pixel)
            for row in range(box.top, box.bottom)
        ]
        levels = np.frombuffer(b"".join(lines), f"u{self._depth // 8}").reshape(box.height, box.width, self._bands)
        colour = levels[..., : 3 if self._bands >= 3 else 1].transpose(2, 0, 1).astype(np.float32)
        return np.repeat(colour, 3 // len(colour), axis=0) / np.float32(2**self._depth - 1)

    def finish(self) -> None:
        """Write the picture; raises `OutputError`."""
        form = VIPS_FORMATS[f"u{self._depth // 8}"]
        self._file.flush()
        with (
            replacing(self.path) as temporary,
            translating_errors(f"{self.path} could not be written", OutputError, "; what was there is untouched"),
        ):
            raw = mapped(self._file, self.size.width, self.size.height, self._bands, form)
            _save(temporary, self._kind, raw, self.like, self._made, self._saving)


def checked_format(path: str | os.PathLike[str], like: Photo, saving: Saving = PLAIN) -> str:
    """Return the format that the suffix of a name says; `ConfigError` where it cannot hold what a photo is."""
    kind = FORMATS.get(Path(path).suffix.lower())
    if kind is None:
        raise OutputError(f"{path} is not written: its name must end in one of {', '.join(FORMATS)}")
    check_quality(kind, saving.quality)
    if like.metadata.chunks and like.profile is None and kind != "png":
        code = like.metadata.chunks[0][1]
        name = {16: "PQ", 18: "HLG"}.get(code[1], f"cICP {', '.join(map(str, code))}")
        raise ConfigError(f"the photo's colours ({name}) are told by cICP, which {path} cannot hold; use .png")
    return kind


def left_out(path: str | os.PathLike[str], like: Photo, made: Provenance, saving: Saving = PLAIN) -> tuple[str, ...]:
    """Return in sentences what a file of this name does not take over from a photo, or takes over changed."""
    kind = checked_format(path, like, saving)
    notes = blocks_for(like.metadata, kind, like.size, made, saving).notes
    if _keeps_tables(kind, like, made, saving):
        if _tables(like) is None:
            notes += ("the photo's own JPEG tables could not be kept; the file is encoded with quality 95",)
        elif made.same_size and (reason := why_not(like, made.boxes)):
            notes += (f"the whole JPEG is encoded again, by its own tables: {reason}",)
    return notes


def _save(path: Path, kind: str, levels: pyvips.Image, like: Photo, made: Provenance | None, saving: Saving) -> None:
    """Encode levels like a photo, with all that goes beside them; every file of a result is written here."""
    image = _finished(kind, levels, like)
    blocks = Blocks(chunks=like.metadata.chunks)
    if made is not None:
        blocks = blocks_for(like.metadata, kind, Size(image.width, image.height), made, saving)
    blocks = blocks._replace(profile=profile_of(image) or b"")
    tables = _tables(like) if _keeps_tables(kind, like, made, saving) else None
    if tables is not None and made is not None and made.same_size and made.boxes:
        tables = tables._replace(original=JpegOriginal.of(like, made.boxes))
    encode(path, kind, image, blocks, saving.quality, tables)


def _keeps_tables(kind: str, like: Photo, made: Provenance | None, saving: Saving) -> bool:
    """Tell whether a file is a JPEG photo as JPEG again, whole, for which no quality is asked."""
    whole = made is not None and made.whole
    return whole and kind == "jpeg" and saving.quality is None and bool(like.metadata.jpeg)


def _tables(like: Photo) -> JpegTables | None:
    """Return how a JPEG photo is encoded; None where it cannot be had again."""
    return None if like.is_cmyk else JpegTables.of(like.metadata.jpeg, like.bands)


def _depth(kind: str, like: Photo) -> int:
    """Return the bits of a band that a format keeps of a photo's."""
    return like.depth if kind in DEEP_FORMATS else 8


def _levels(pixels: Pixels, alpha: Pixels | None, like: Photo, depth: int) -> NDArray[np.unsignedinteger[Any]]:
    """Round to the nearest levels `(h, w, bands)`; for a grey photo, the mean of the three bands."""
    colour = pixels.mean(axis=0, keepdims=True) if like.bands < 3 else pixels
    return rounded(colour if alpha is None else np.concatenate([colour, alpha]), depth)


def _finished(kind: str, image: pyvips.Image, like: Photo) -> pyvips.Image:
    """Bring levels, alpha included, to the space and profile that the file is to have."""
    depth = 8 if image.format == "uchar" else 16
    bands = 3 if image.bands >= 3 else 1
    colour = image.extract_band(0, n=bands).copy(interpretation=SPACES[bands, depth])
    colour = with_profile(colour, None if like.is_cmyk else like.profile)
    if like.is_cmyk and kind in ("jpeg", "tiff"):
        colour = with_profile(colour.icc_import(input_profile="srgb"), like.profile)
        builtin = {} if like.profile else {"output_profile": "cmyk"}
        colour = with_profile(colour.icc_export(depth=depth, **builtin), like.profile)
    elif (kind == "bmp" or (kind in ("webp", "avif") and like.bands < 3)) and profile_of(colour, usable=True):
        colour = with_profile(colour.icc_transform("srgb", embedded=True), None)  # BMP holds none, those none for grey
    return colour if image.bands == bands else colour.bandjoin(image.extract_band(bands))
