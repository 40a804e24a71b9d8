"""What of a photo's metadata goes on into a result: what is whole and still true, and how the result was made."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from localsr.errors import ConfigError
from localsr.geometry import Size
from localsr.images import tags, xmp
from localsr.images.metadata import CAMERA_TAGS, ORIENTATION, UNITS, Density, Metadata, block_of
from localsr.images.provenance import Provenance

MAX_SEGMENT = 65_000  # bytes of EXIF or XMP in a JPEG, whose segments end at 65,533
SOFTWARE, ACROSS, DOWN, UNIT = 0x0131, 0x011A, 0x011B, 0x0128
WIDTH, HEIGHT = 0xA002, 0xA003  # of EXIF
FALSE_NOW = (  # tags of EXIF that were true of the photo's own pixels or file
    0x9101,  # components
    0x9102,  # compressed bits of a pixel
    0x9214,  # where the subject is
    0x927C,  # the maker's note, which points to places of its old file and holds previews
    0xA004,  # a file of sound
    *(0xA20E, 0xA20F, 0xA210),  # pixels of the sensor
    0xA214,  # where the subject is
    0xA420,  # the picture's own number
)
FALSE_OF_PARTS = (0xA405,)  # the focal length for 35 mm film, which means an angle of view
IIM_RESOURCE = 0x0404  # of Photoshop: the texts of IPTC
IIM_PREVIEWS = (200, 201, 202)  # datasets of record 2
HOLDS_IIM = ("jpeg", "tiff")
HOLDS_NOTHING = ("bmp",)


@dataclass(frozen=True)
class Saving:
    """How results are written.

    Example:
        >>> import localsr
        >>> localsr.Saving(quality=90, metadata=False).quality
        90
    """

    quality: int | None = None  # 1 to 100, of JPEG, WebP and AVIF; None: the best that is sensible, or the photo's own
    metadata: bool = True  # carry on what the camera and people said of the photo
    provenance: bool = True  # say how the result was made

    def __post_init__(self) -> None:
        """Refuse a quality that cannot be."""
        if self.quality is not None and not 1 <= self.quality <= 100:
            raise ConfigError(f"a quality of {self.quality} cannot be; give 1 to 100")


class Blocks(NamedTuple):
    """What is put into a file beside its pixels."""

    profile: bytes = b""
    tags: tags.Ifd = {}  # noqa: RUF012  # nobody changes it
    order: str = "<"  # of the tags
    xmp: bytes = b""
    iim: bytes = b""  # the texts of IPTC
    density: Density | None = None
    texts: tuple[tuple[str, str], ...] = ()  # of a PNG
    chunks: tuple[tuple[bytes, bytes], ...] = ()  # of a PNG
    notes: tuple[str, ...] = ()  # sentences about what is left out

    @property
    def exif(self) -> bytes:
        """The tags as a block of EXIF; empty without tags."""
        if not self.tags:
            return b""
        head = struct.pack(self.order + "2sHI", b"II" if self.order == "<" else b"MM", 42, 8)
        return head + tags.laid_out(self.tags, 8, self.order)


def blocks_for(found: Metadata, kind: str, size: Size, made: Provenance, saving: Saving) -> Blocks:
    """Return what goes into a result of a format and size, and say what of the photo does not."""
    notes = list(found.notes)
    block = block_of(found.exif) if saving.metadata else None
    order = block.order if block is not None else "<"
    camera = _camera(block, size, made) if block is not None else {}
    packet = found.xmp if saving.metadata else b""
    iim = iim_of(found.iptc) if saving.metadata else b""
    if saving.metadata and found.exif and (block is None or block.damaged):
        notes.append("the photo's EXIF is damaged; what of it is whole is kept")
    if packet and not xmp.parsed(packet):
        notes.append("the photo's XMP is damaged or too large, and is left out")
    if saving.metadata and found.iptc and not iim:
        notes.append("the photo's IPTC block is damaged or has no texts, and is left out")
    if kind in HOLDS_NOTHING:
        if camera or packet or iim:
            notes.append(f"the photo's metadata is left out: a {kind.upper()} holds none")
        return Blocks(density=found.density and found.density.scaled(made.denser), notes=tuple(notes))
    if iim and kind not in HOLDS_IIM:
        iim = b""
        notes.append(f"the photo's IPTC texts are left out: a {kind.upper()} holds none")
    said = made if saving.provenance else None
    density = found.density and found.density.scaled(made.denser)
    own = _own(said if camera or density or kind == "tiff" else None, density, order)  # alone, XMP says it better
    if kind == "jpeg" and len(Blocks(tags=camera | own, order=order).exif) > MAX_SEGMENT:
        camera = {}
        notes.append("the photo's EXIF is left out: a JPEG holds 64 KB of it")
    new = xmp.packet_for(packet, said)
    if kind == "jpeg" and len(new) > MAX_SEGMENT:
        new = xmp.packet_for(b"", said)
        notes.append("the photo's XMP is left out: a JPEG holds 64 KB of it")
    if kind == "jpeg" and len(iim) > MAX_SEGMENT:
        iim = b""
        notes.append("the photo's IPTC texts are left out: a JPEG holds 64 KB of them")
    texts = found.texts if saving.metadata else ()
    if said is not None:
        own_text = json.dumps(said.as_dict())
        texts = (*(each for each in texts if each[0] != "Software"), ("Software", said.software), ("localsr", own_text))
    return Blocks(b"", camera | own, order, new, iim, density, texts, found.chunks, tuple(notes))


def _camera(block: tags.TagBlock, size: Size, made: Provenance) -> tags.Ifd:
    """Return the tags of a camera and of people that are still true."""
    false_now = FALSE_NOW if made.whole else FALSE_NOW + FALSE_OF_PARTS
    kept: tags.Ifd = {number: tag for number, tag in block.tags.items() if number in CAMERA_TAGS}
    if exif := {number: tag for number, tag in block.part(tags.EXIF_IFD).items() if number not in false_now}:
        exif[WIDTH] = tags.integer_tag(size.width, block.order)
        exif[HEIGHT] = tags.integer_tag(size.height, block.order)
        kept[tags.EXIF_IFD] = exif
    if gps := block.part(tags.GPS_IFD):
        kept[tags.GPS_IFD] = gps
    if kept:
        kept[ORIENTATION] = tags.integer_tag(1, block.order, tags.SHORT)
    return kept


def _own(made: Provenance | None, density: Density | None, order: str) -> tags.Ifd:
    """Return the tags that say what made a result, and its resolution."""
    own: tags.Ifd = {}
    if made is not None:
        own[SOFTWARE] = tags.text_tag(made.software)
    if density is not None:
        own[ACROSS], own[DOWN] = tags.ratio_tag(density.across, order), tags.ratio_tag(density.down, order)
        own[UNIT] = tags.integer_tag(next(n for n, unit in UNITS.items() if unit == density.unit), order, tags.SHORT)
    return own


def iim_of(block: bytes) -> bytes:
    """Return the texts of IPTC, as IIM, in a block of a TIFF or of Photoshop's; empty for none, or damaged ones."""
    if not block.startswith((b"Photoshop 3.0\0", b"8BIM")):
        return b"".join(_datasets(block))
    block, place = block.removeprefix(b"Photoshop 3.0\0"), 0
    while block[place : place + 4] == b"8BIM" and place + 12 <= len(block):
        number, name = struct.unpack_from(">HB", block, place + 4)
        start = place + 6 + (1 + name + 1) // 2 * 2
        if start + 4 > len(block):
            break
        length = struct.unpack_from(">I", block, start)[0]
        if number == IIM_RESOURCE and start + 4 + length <= len(block):
            return b"".join(_datasets(block[start + 4 : start + 4 + length]))
        place = start + 4 + length + length % 2
    return b""


def _datasets(block: bytes) -> Iterator[bytes]:
    """Yield the datasets of IIM that are whole, without previews, up to the first that is not."""
    place = 0
    while place + 5 <= len(block) and block[place] == 0x1C:
        record, number, length = struct.unpack_from(">BBH", block, place + 1)
        end = place + 5 + length
        if length >= 0x8000 or end > len(block):
            return
        if record in (1, 2) and not (record == 2 and number in IIM_PREVIEWS):
            yield block[place:end]
        place = end
