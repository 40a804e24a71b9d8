"""Whole picture files that only look irregular: each beside a regular one that has its pixels."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from localsr.images.vips import from_array

Levels = NDArray[np.uint8]
Pair = tuple[bytes, bytes]
Maker = Callable[[Levels, np.random.Generator], Pair]
Edits = dict[str, Callable[[bytes, np.random.Generator], bytes]]
ADOBE = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0"  # a segment of a JPEG without its last byte, the transform
TRAILERS: dict[str, Callable[[np.random.Generator], bytes]] = {
    "zeros behind it": lambda rng: bytes(int(rng.integers(1, 4096))),
    "noise behind it": lambda rng: rng.bytes(int(rng.integers(1, 4096))),
    "a ZIP behind it": lambda rng: b"PK\3\4" + rng.bytes(200),
}


def saved(levels: Levels, kind: str, **options: object) -> bytes:
    """Encode by Pillow."""
    file = io.BytesIO()
    Image.fromarray(levels).save(file, kind, **options)
    return file.getvalue()


# --- JPEG -------------------------------------------------------------------------------------------------------------


def segment(marker: int, body: bytes) -> bytes:
    """Return a segment of a JPEG."""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def before(data: bytes, marker: bytes, what: bytes) -> bytes:
    """Put bytes before the first marker of a kind."""
    place = data.index(marker)
    return data[:place] + what + data[place:]


JPEG_EDITS: Edits = {
    "JFIF 2": lambda data, rng: data.replace(b"JFIF\0\1", b"JFIF\0\2"),
    "JFIF 0": lambda data, rng: data.replace(b"JFIF\0\1", b"JFIF\0\0"),
    "stray zeros before a table": lambda data, rng: before(data, b"\xff\xdb", bytes(int(rng.integers(1, 3000)))),
    "stray bytes before the frame": lambda data, rng: before(data, b"\xff\xc4", b"\1" * int(rng.integers(1, 15))),
    "stray bytes before the scan": lambda data, rng: before(data, b"\xff\xda", b"\7" * int(rng.integers(1, 15))),
    "fill bytes before a table": lambda data, rng: before(data, b"\xff\xdb", b"\xff" * int(rng.integers(1, 99))),
    "zeros before the end": lambda data, rng: data[:-2] + bytes(int(rng.integers(1, 4000))) + data[-2:],
    "fill bytes before the end": lambda data, rng: data[:-2] + b"\xff" * int(rng.integers(1, 4000)) + data[-2:],
    "an unknown segment": lambda data, rng: before(data, b"\xff\xdb", segment(0xEC, rng.bytes(300))),
    "an empty comment": lambda data, rng: before(data, b"\xff\xdb", segment(0xFE, b"")),
    "a comment of noise": lambda data, rng: before(data, b"\xff\xdb", segment(0xFE, rng.bytes(70))),
    "EXIF of noise": lambda data, rng: before(data, b"\xff\xdb", segment(0xE1, b"Exif\0\0" + rng.bytes(90))),
    "an ICC profile of noise": lambda data, rng: before(
        data, b"\xff\xdb", segment(0xE2, b"ICC_PROFILE\0\1\1" + rng.bytes(200))
    ),
    "part 2 of 3 of a profile": lambda data, rng: before(
        data, b"\xff\xdb", segment(0xE2, b"ICC_PROFILE\0\2\3" + rng.bytes(200))
    ),
    "an unknown Adobe transform": lambda data, rng: data[:2] + ADOBE + b"\2" + data[data.index(b"\xff\xdb") :],
    "no JFIF segment": lambda data, rng: data[:2] + data[data.index(b"\xff\xdb") :],
    **{name: lambda data, rng, trailer=trailer: data + trailer(rng) for name, trailer in TRAILERS.items()},
}


def spectrum(data: bytes, parameters: bytes) -> bytes:
    """Set the last three parameters of a sequential scan."""
    scan = data.index(b"\xff\xda")
    place = scan + 2 + int.from_bytes(data[scan + 2 : scan + 4], "big") - 3
    return data[:place] + parameters + data[place + 3 :]


def jpeg_makers() -> dict[str, Maker]:
    """Return the irregular JPEGs, in three codings."""
    codings: dict[str, dict[str, object]] = {
        "JPEG": {"quality": 88},
        "progressive JPEG": {"quality": 88, "progressive": True},
        "JPEG with restarts": {"quality": 88, "restart_marker_rows": 1},
    }
    makers: dict[str, Maker] = {}
    for coding, options in codings.items():
        for name, edit in JPEG_EDITS.items():

            def make(levels: Levels, rng: np.random.Generator, options=options, edit=edit) -> Pair:  # noqa: ANN001
                data = saved(levels, "JPEG", **options)
                return edit(data, rng), data

            makers[f"{coding}: {name}"] = make
    for name, parameters in {"0 to 0": b"\0\0\0", "0 to 63, of 1": b"\0\x3f\x11", "1 to 5": b"\1\5\0"}.items():

        def scanned(levels: Levels, rng: np.random.Generator, parameters=parameters) -> Pair:  # noqa: ANN001
            data = saved(levels, "JPEG", quality=80)
            return spectrum(data, parameters), data

        makers[f"JPEG: a spectrum of {name}"] = scanned
    return makers


# --- PNG --------------------------------------------------------------------------------------------------------------


def chunk(kind: bytes, body: bytes, check: int | None = None) -> bytes:
    """Return a chunk of a PNG."""
    return (
        struct.pack(">I", len(body))
        + kind
        + body
        + struct.pack(">I", zlib.crc32(kind + body) if check is None else check)
    )


def with_chunk(data: bytes, new: bytes, where: bytes = b"IDAT") -> bytes:
    """Put a chunk before the first of a kind."""
    place = data.index(where) - 4
    return data[:place] + new + data[place:]


def with_pixels(data: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """Change the compressed pixels of a PNG, and write them as one chunk."""
    start, end = data.index(b"IDAT") - 4, data.index(b"IEND") - 4
    body, place = b"", start
    while place < end:
        (length,) = struct.unpack_from(">I", data, place)
        body += data[place + 8 : place + 8 + length]
        place += 12 + length
    return data[:start] + chunk(b"IDAT", change(body)) + data[end:]


PNG_EDITS: Edits = {
    "a profile of noise": lambda data, rng: with_chunk(data, chunk(b"iCCP", b"x\0\0" + zlib.compress(rng.bytes(99)))),
    "a profile that does not inflate": lambda data, rng: with_chunk(data, chunk(b"iCCP", b"x\0\0" + rng.bytes(99))),
    "a gamma of 0": lambda data, rng: with_chunk(data, chunk(b"gAMA", bytes(4))),
    "chromaticities of 0": lambda data, rng: with_chunk(data, chunk(b"cHRM", bytes(32))),
    "a short gamma": lambda data, rng: with_chunk(data, chunk(b"gAMA", b"\0")),
    "a wrong check of a text": lambda data, rng: with_chunk(data, chunk(b"tEXt", b"Comment\0x", check=1)),
    "a text in Latin-1": lambda data, rng: with_chunk(data, chunk(b"tEXt", "Größe\0ä".encode("latin-1"))),
    "a text without a keyword": lambda data, rng: with_chunk(data, chunk(b"tEXt", b"\0x")),
    "an impossible time": lambda data, rng: with_chunk(data, chunk(b"tIME", b"\7\xe0\x0d\x20\x19\x3d\x3d")),
    "a resolution of 0": lambda data, rng: with_chunk(data, chunk(b"pHYs", bytes(9))),
    "an unknown chunk": lambda data, rng: with_chunk(data, chunk(b"abCd", rng.bytes(40))),
    "a chunk twice": lambda data, rng: with_chunk(data, 2 * chunk(b"pHYs", struct.pack(">IIB", 2835, 2835, 1))),
    "significant bits of 0": lambda data, rng: with_chunk(data, chunk(b"sBIT", bytes(3))),
    "a suggested palette": lambda data, rng: with_chunk(data, chunk(b"PLTE", bytes(range(48)))),
    "a histogram without a palette": lambda data, rng: with_chunk(data, chunk(b"hIST", bytes(32))),
    "EXIF of noise": lambda data, rng: with_chunk(data, chunk(b"eXIf", rng.bytes(60))),
    "an empty IDAT": lambda data, rng: with_chunk(data, chunk(b"IDAT", b"")),
    "more pixels than it has": lambda data, rng: with_pixels(
        data, lambda body: zlib.compress(zlib.decompress(body) + bytes(500))
    ),
    "bytes after its pixels": lambda data, rng: with_pixels(data, lambda body: body + rng.bytes(50)),
    **{name: lambda data, rng, trailer=trailer: data + trailer(rng) for name, trailer in TRAILERS.items()},
}


# --- TIFF -------------------------------------------------------------------------------------------------------------


def tiff(levels: Levels, compression: str, *, tile: bool) -> bytes:
    """Encode by libvips."""
    layout = {"tile": True, "tile_width": 64, "tile_height": 64} if tile else {}
    return bytes(from_array(levels, "srgb").tiffsave_buffer(compression=compression, **layout))


def entries(data: bytes) -> list[bytes]:
    """Return the entries of the first directory of a little-endian TIFF."""
    (place,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, place)
    return [data[place + 2 + 12 * n : place + 14 + 12 * n] for n in range(count)]


def with_entries(data: bytes, found: list[bytes], following: int = 0) -> bytes:
    """Write a directory anew, behind all else."""
    data += bytes(len(data) % 2)
    directory = struct.pack("<H", len(found)) + b"".join(found) + struct.pack("<I", following)
    return data[:4] + struct.pack("<I", len(data)) + data[8:] + directory


def entry(tag: int, kind: int, count: int, value: int) -> bytes:
    """Return an entry of a directory whose value lies in it."""
    return struct.pack("<HHII", tag, kind, count, value)


def ordered(found: list[bytes]) -> list[bytes]:
    """Sort entries by their tags."""
    return sorted(found, key=lambda each: struct.unpack_from("<H", each))


def without(found: list[bytes], *tags: int) -> list[bytes]:
    """Leave entries out."""
    return [each for each in found if struct.unpack_from("<H", each)[0] not in tags]


def with_more(data: bytes, tag: int, kind: int, count: int, value: int) -> bytes:
    """Put an entry more into the directory, or in the place of another."""
    return with_entries(data, ordered([*without(entries(data), tag), entry(tag, kind, count, value)]))


TIFF_EDITS: Edits = {
    "tags out of order": lambda data, rng: with_entries(data, entries(data)[::-1]),
    "an unknown tag": lambda data, rng: with_more(data, 65_000, 4, 1, 7),
    "an unknown type of a tag": lambda data, rng: with_more(data, 65_000, 99, 1, 7),
    "a text without an end": lambda data, rng: with_more(data, 305, 2, 4, 0x61616161),
    "a text behind the end": lambda data, rng: with_more(data, 305, 2, 999, 2**30),
    "a page number of one value": lambda data, rng: with_more(data, 297, 3, 1, 0),
    "a resolution as a whole number": lambda data, rng: with_more(data, 282, 4, 1, 72),
    "no resolution": lambda data, rng: with_entries(data, without(entries(data), 282, 283, 296)),
    "a tag twice": lambda data, rng: with_entries(data, ordered([*entries(data), entry(296, 3, 1, 2)])),
    "a next page behind the end": lambda data, rng: with_entries(data, entries(data), 2**30),
    "a next page that is itself": lambda data, rng: with_entries(data, entries(data), len(data) + len(data) % 2),
    "a profile of noise": lambda data, rng: with_more(data + rng.bytes(200), 34_675, 7, 200, len(data)),
    "XMP of noise": lambda data, rng: with_more(data + rng.bytes(200), 700, 1, 200, len(data)),
    **{name: lambda data, rng, trailer=trailer: data + trailer(rng) for name, trailer in TRAILERS.items()},
}
RAW_EDITS: Edits = {
    "no byte counts": lambda data, rng: with_entries(data, without(entries(data), 279)),
    "byte counts of 0": lambda data, rng: with_entries(
        data, ordered([*without(entries(data), 279), entry(279, 4, 1, 0)])
    ),
}


# --- WebP, BMP, AVIF --------------------------------------------------------------------------------------------------


def riff(data: bytes) -> bytes:
    """Set the length of a WebP right."""
    return data[:4] + struct.pack("<I", len(data) - 8) + data[8:]


def box(kind: bytes, body: bytes) -> bytes:
    """Return a box of an AVIF."""
    return struct.pack(">I", 8 + len(body)) + kind + body


WEBP_EDITS: Edits = {
    "an unknown chunk behind it": lambda data, rng: riff(data + b"abcd" + struct.pack("<I", 40) + rng.bytes(40)),
    **{name: lambda data, rng, trailer=trailer: data + trailer(rng) for name, trailer in TRAILERS.items()},
}
BMP_EDITS: Edits = {
    "a file size of 0": lambda data, rng: data[:2] + bytes(4) + data[6:],
    "a size of pixels of 0": lambda data, rng: data[:34] + bytes(4) + data[38:],
    "a wrong file size": lambda data, rng: data[:2] + rng.bytes(4) + data[6:],
    "a gap before the pixels": lambda data, rng: (
        data[:10] + struct.pack("<I", 94) + data[14:54] + bytes(40) + data[54:]
    ),
    "a resolution below 0": lambda data, rng: data[:38] + b"\xff" * 8 + data[46:],
    "reserved bytes": lambda data, rng: data[:6] + rng.bytes(4) + data[10:],
    **{name: lambda data, rng, trailer=trailer: data + trailer(rng) for name, trailer in TRAILERS.items()},
}
AVIF_EDITS: Edits = {
    "a free box behind it": lambda data, rng: data + box(b"free", rng.bytes(40)),
    "an unknown box behind it": lambda data, rng: data + box(b"abcd", rng.bytes(40)),
}


def edited(encode: Callable[[Levels], bytes], edit: Callable[[bytes, np.random.Generator], bytes]) -> Maker:
    """Return what encodes a picture and makes the file irregular."""

    def make(levels: Levels, rng: np.random.Generator) -> Pair:
        data = encode(levels)
        return edit(data, rng), data

    return make


def others() -> dict[str, Maker]:
    """Return the irregular files of the other formats."""
    forms: list[tuple[str, Callable[[Levels], bytes], Edits]] = [
        ("PNG", lambda levels: saved(levels, "PNG"), PNG_EDITS),
        ("TIFF raw strips", lambda levels: tiff(levels, "none", tile=False), TIFF_EDITS | RAW_EDITS),
        ("TIFF LZW strips", lambda levels: tiff(levels, "lzw", tile=False), TIFF_EDITS),
        ("TIFF PackBits strips", lambda levels: tiff(levels, "packbits", tile=False), TIFF_EDITS),
        ("TIFF deflate tiles", lambda levels: tiff(levels, "deflate", tile=True), TIFF_EDITS),
        ("TIFF JPEG tiles", lambda levels: tiff(levels, "jpeg", tile=True), TIFF_EDITS),
        ("WebP", lambda levels: saved(levels, "WEBP", quality=85), WEBP_EDITS),
        ("WebP, lossless", lambda levels: saved(levels, "WEBP", lossless=True), WEBP_EDITS),
        ("BMP", lambda levels: saved(levels, "BMP"), BMP_EDITS),
        ("AVIF", lambda levels: saved(levels, "AVIF", quality=80, speed=9), AVIF_EDITS),
    ]
    return {f"{form}: {name}": edited(encode, edit) for form, encode, edits in forms for name, edit in edits.items()}


IRREGULAR: dict[str, Maker] = jpeg_makers() | others()
