"""What a file says besides its pixels: blocks as they were found, resolution, colours, and which file it was."""

from __future__ import annotations

import hashlib
import math
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import pyvips

from localsr.images import jpeg_header, profiles, tags
from localsr.images.jpeg_header import ReadAt
from localsr.images.profiles import Colours
from localsr.images.told_colours import COLOUR_TAGS, avif_colours, exif_colours, measured_colours, png_colours
from localsr.images.vips import fields_of

MAX_HASHED_BYTES = 2**29  # of a file that is read once more for its sha256: 0.3 s at 1.7 GB/s; larger ones have none
ORIENTATION = 0x0112  # a tag of EXIF
MAX_DENSITY = 10**6  # pixels to a unit
MAX_TEXT = 2**16  # characters of a text of a PNG
MAX_CHUNKS = 1000
PNG_TEXTS = (
    "Title",
    "Author",
    "Description",
    "Copyright",
    "Creation Time",
    "Disclaimer",
    "Warning",
    "Source",
    "Comment",
)
COLOUR_CHUNKS = (b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"mDCV", b"pHYs")
UNITS = {2: "in", 3: "cm"}  # of TIFF and EXIF
CAMERA_TAGS = (0x010E, 0x010F, 0x0110, 0x0132, 0x013B, 0x013C, 0x4746, 0x4749, *range(0x9C9B, 0x9CA0), 0x8298)
TIFF_TAGS = (*CAMERA_TAGS, *COLOUR_TAGS, tags.EXIF_IFD, tags.GPS_IFD)  # that are read; what describes pixels is not


class Density(NamedTuple):
    """The resolution of an upright picture."""

    across: float  # pixels to a unit
    down: float
    unit: str  # "in" or "cm"

    def scaled(self, factor: float) -> Density:
        """Return the resolution of the picture enlarged, which covers the same paper."""
        return Density(self.across * factor, self.down * factor, self.unit)


class SourceFile:
    """The file that a picture was read from, for its sha256, which is taken once and only when it is wanted."""

    def __init__(self, source: bytes | str | os.PathLike[str]) -> None:
        """Remember the bytes of a file, or a path and what tells whether it still is the same file."""
        self._source, self._stamp, self._found = source, self._look(source), ""

    def __getstate__(self) -> dict[str, object]:
        """Return what another process gets: the sha256 in the place of bytes."""
        self.sha256()
        return {**vars(self), "_source": b"" if isinstance(self._source, bytes) else self._source}

    @staticmethod
    def _look(source: bytes | str | os.PathLike[str]) -> tuple[int, ...]:
        """Return size, place and age of a file; its size for bytes."""
        if isinstance(source, bytes):
            return (len(source),)
        stat = os.stat(source)
        return stat.st_size, stat.st_dev, stat.st_ino, stat.st_mtime_ns

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self._stamp[0]

    @property
    def is_unchanged(self) -> bool:
        """Whether the file is there as it was."""
        try:
            return self._look(self._source) == self._stamp
        except OSError:
            return False

    def content(self) -> bytes:
        """Return the bytes of the file; none where it has changed or gone since."""
        try:
            data = self._source if isinstance(self._source, bytes) else Path(self._source).read_bytes()
        except OSError:
            return b""
        return data if self.is_unchanged else b""

    def sha256(self, limit: float = MAX_HASHED_BYTES) -> str:
        """Return the sha256; empty for a file of more bytes than the limit, or that has changed or gone since."""
        if not self._found and self.size <= limit and self.is_unchanged:
            try:
                if isinstance(self._source, bytes):
                    self._found = hashlib.sha256(self._source).hexdigest()
                else:
                    with open(self._source, "rb") as file:
                        self._found = hashlib.file_digest(file, "sha256").hexdigest()
            except OSError:
                return ""
        return self._found


@dataclass(frozen=True)
class Metadata:
    """What a picture's file says besides its pixels; blocks are as they were found, checked by nobody yet."""

    exif: bytes = b""  # or the camera's tags of a TIFF, laid out as a block of EXIF
    xmp: bytes = b""
    iptc: bytes = b""
    density: Density | None = None
    texts: tuple[tuple[str, str], ...] = ()  # of a PNG: keywords and texts
    colours: Colours | None = None  # told by other means than a profile
    colours_first: bool = False  # whether they count more than a profile, as PNG's cICP does
    chunks: tuple[tuple[bytes, bytes], ...] = ()  # of a PNG, that tell colours no profile can: cICP, mDCV
    jpeg: bytes = b""  # the tables and the frame of a JPEG: a file that ends before its pixels
    notes: tuple[str, ...] = ()  # sentences about what could not be used
    source: SourceFile | None = field(default=None, repr=False)

    def on_its_side(self) -> Metadata:
        """Return this of a picture that lies on its side in its file."""
        density = self.density
        return replace(self, density=density and Density(density.down, density.across, density.unit))

    def with_profile(self, embedded: bytes | None, bands: int) -> tuple[bytes | None, Metadata]:
        """Return the profile of the pixels, of 1, 3 or 4 bands, None for sRGB; and this, noting one that is none."""
        profile = None if embedded is None else profiles.sound(embedded, bands)
        notes = self.notes
        if embedded is not None and profile is None:
            notes += ("the photo's colour profile is damaged or not one for its bands, and is left out",)
        if bands < 4 and self.colours is not None and (profile is None or self.colours_first):
            profile = None if profiles.is_srgb(self.colours) else profiles.made(self.colours, bands)
        return profile, replace(self, notes=notes)


def of_file(image: pyvips.Image, kind: str, read_at: ReadAt, weight: int, source: SourceFile | None = None) -> Metadata:
    """Return what a file says; `image` is how libvips has opened it, turned as it lies in the file."""
    blobs: dict[str, Any] = {name: value for name, _, value in fields_of(image)}
    exif = bytes(blobs.get("exif-data", b"")).removeprefix(b"Exif\0\0")
    block = tags.parse(read_at, TIFF_TAGS) if kind == "tiff" else block_of(exif)
    if kind == "tiff":
        exif = b"" if block is None else _as_exif(block)
    colours: Colours | None = None
    first, density, jpeg, found = False, None, b"", dict[bytes, bytes]()
    chunks: tuple[tuple[bytes, bytes], ...] = ()
    if kind == "png":
        found = dict(_png_chunks(read_at))
        colours, chunks = png_colours(found)
        first = b"cICP" in found
        density = _png_density(found.get(b"pHYs", b""))
    elif kind == "heif":
        colours, chunks = avif_colours(read_at)
    elif kind == "jpeg":
        coding = jpeg_header.coding_of(read_at, weight)
        density, jpeg = _jfif_density(coding.jfif), coding.tables
    elif kind == "tiff" and blobs.get("resolution-unit") in ("in", "cm"):
        factor = 25.4 if blobs["resolution-unit"] == "in" else 10
        density = checked_density(image.xres * factor, image.yres * factor, blobs["resolution-unit"])
    if block is not None:
        density = density or exif_density(block)
        if colours is None and not chunks and not {b"cICP", b"sRGB", b"gAMA", b"cHRM"} & found.keys():
            colours = exif_colours(block)
    texts = (
        (name.split("-", 3)[3], str(value))
        for name, value in blobs.items()
        if name.count("-") >= 3 and "png-comment-" in name
    )
    return Metadata(
        exif,
        bytes(blobs.get("xmp-data", b"")),
        bytes(blobs.get("iptc-data", b"")),
        density,
        tuple((keyword, text[:MAX_TEXT]) for keyword, text in texts if keyword in PNG_TEXTS),
        colours,
        first,
        chunks,
        jpeg,
        source=source,
    )


def of_pillow(info: dict[Any, Any], source: SourceFile | None = None) -> Metadata:
    """Return what a Pillow image says in its `info`."""
    exif = bytes(info.get("exif", b"")).removeprefix(b"Exif\0\0")
    block = block_of(exif)
    across, down = info.get("dpi") or (0, 0)
    density, colours = checked_density(float(across), float(down), "in"), None
    if "srgb" not in info:
        colours = measured_colours(info.get("gamma"), info.get("chromaticity"))
        if colours is None and block is not None and "gamma" not in info:
            colours = exif_colours(block)
    xmp = info.get("xmp", b"")
    xmp = xmp.encode(errors="replace") if isinstance(xmp, str) else bytes(xmp)
    return Metadata(exif, xmp, density=density, colours=colours, source=source)


def checked_density(across: float, down: float, unit: str) -> Density | None:
    """Return a resolution to a hundredth, or None for one that cannot be."""
    if not all(math.isfinite(value) and 0.01 <= value <= MAX_DENSITY for value in (across, down)):
        return None
    return Density(round(across, 2), round(down, 2), unit)


def exif_density(block: tags.TagBlock) -> Density | None:
    """Return the resolution that EXIF tells."""
    unit = tags.integer(block.tags, 0x0128, block.order)
    sides = [tags.ratios(block.tags, number, block.order) for number in (0x011A, 0x011B)]
    if unit not in UNITS or not all(sides):
        return None
    return checked_density(sides[0][0], sides[1][0], UNITS[unit])


def _png_chunks(read_at: ReadAt) -> Iterator[tuple[bytes, bytes]]:
    """Yield the chunks before a PNG's pixels that tell colours and resolution."""
    place = 8
    for _ in range(MAX_CHUNKS):
        head = read_at(place, 8)
        if len(head) < 8 or head[4:] in (b"IDAT", b"IEND"):
            return
        length = int.from_bytes(head[:4], "big")
        if head[4:] in COLOUR_CHUNKS:
            yield head[4:], read_at(place + 8, min(length, 64))
        place += 12 + length


def _png_density(body: bytes) -> Density | None:
    """Return the resolution of a pHYs chunk; None for one that tells proportions alone."""
    if len(body) != 9 or body[8] != 1:
        return None
    across, down = struct.unpack(">II", body[:8])
    return checked_density(across * 0.0254, down * 0.0254, "in")


def _jfif_density(body: bytes) -> Density | None:
    """Return the resolution of a JFIF segment."""
    if len(body) < 12 or body[7] not in (1, 2):
        return None
    across, down = struct.unpack(">HH", body[8:12])
    return checked_density(across, down, "in" if body[7] == 1 else "cm")


def _as_exif(block: tags.TagBlock) -> bytes:
    """Return the tags of a TIFF as a block of EXIF; empty where there are none."""
    if not block.tags:
        return b""
    start = struct.pack(block.order + "2sHI", b"II" if block.order == "<" else b"MM", 42, 8)
    return start + tags.laid_out(block.tags, 8, block.order)


def block_of(exif: bytes) -> tags.TagBlock | None:
    """Return the tags of a block of EXIF, None for one that is none."""
    return tags.parse(lambda place, count: exif[place : place + count]) if exif else None
