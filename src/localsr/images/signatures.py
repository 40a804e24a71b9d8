"""Formats by their first bytes: those that are read, and the names of those that are not, with what to do."""

from __future__ import annotations

import re
from typing import NamedTuple

READ_FORMATS = "localsr reads JPEG, PNG, TIFF, WebP, AVIF, GIF and BMP"
SIGNATURES = {
    "jpeg": rb"\xff\xd8\xff",
    "png": rb"\x89PNG\r\n\x1a\n",
    "tiff": rb"II\*\0(?!.{4}CR)|MM\0\*|II\+\0|MM\0\+",  # CR: Canon's RAW
    "webp": rb"RIFF.{4}WEBP",
    "heif": rb".{4}ftyp(?:avif|avis|(?:mif1|msf1|miaf).{4}(?:.{4}){0,16}?(?:avif|avis))",
    "gif": rb"GIF8[79]a",
    "bmp": rb"BM",
}

CONVERT = "save it as PNG or TIFF with the program it is from"
DEVELOP = "develop it to TIFF with a RAW converter"
FRAME = "take a frame of it, as by ffmpeg -ss 12 -i FILE -frames:v 1 frame.png"
UNPACK = "unpack it and give the pictures in it"


class OtherKind(NamedTuple):
    """A kind of files that is not read."""

    pattern: bytes  # of its first bytes
    name: str
    advice: str


OTHER_KINDS = (
    OtherKind(rb".{4}ftyp(?:hei[cxms]|hev[cxms]|mif1|msf1)", "HEIC", "save it as JPEG, or let the camera take JPEG"),
    OtherKind(rb".{4}ftypcrx|II\*\0.{4}CR|FUJIFILMCCD-RAW|II(?:U\0|R[OS])|MMOR|FOVb|\0MRM", "a camera's RAW", DEVELOP),
    OtherKind(rb".{4}(?:ftyp|moov|mdat|wide|skip)|\x1aE\xdf\xa3|RIFF.{4}AVI |FLV|\0\0\x01[\xb3\xba]", "a video", FRAME),
    OtherKind(rb"0&\xb2u\x8ef\xcf\x11|\x47.{187}\x47.{187}\x47", "a video", FRAME),
    OtherKind(rb"RIFF.{4}WAVE|ID3|fLaC|OggS|MThd|\xff[\xf2\xf3\xfb]", "sound", "give a picture"),
    OtherKind(rb".{0,1000}%PDF-", "a PDF", "save the page as PNG, as by pdftoppm -png -r 300 FILE page"),
    OtherKind(rb"%!PS|\xc5\xd0\xd3\xc6", "PostScript", "save the page as PNG or TIFF"),
    OtherKind(rb"8BPS", "a Photoshop document", CONVERT),
    OtherKind(rb"gimp xcf", "a GIMP document", CONVERT),
    OtherKind(
        rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml.*?|<!--.*?|<!DOCTYPE svg.*?)?<svg\b",
        "an SVG, a drawing without pixels",
        "save it as PNG, as large as you want it",
    ),
    OtherKind(
        rb"(?:\xef\xbb\xbf)?\s*<(?i:!doctype html|html|head|\?xml)",
        "a page of text",
        "give the picture itself; a download may have failed",
    ),
    OtherKind(
        rb"--[\w'()+,./:=? -]{1,70}\r\nContent-",
        "a form",
        "send the bytes of the picture alone, as by curl --data-binary",
    ),
    OtherKind(rb"data:image/|/9j/4|iVBORw0KGgo|UklGR|R0lGOD", "a picture written as text (base64)", "decode it first"),
    OtherKind(rb"version https://git-lfs", "a pointer of Git LFS", "fetch the file with git lfs pull"),
    OtherKind(rb"\0\0\0\x0cJXL|\xff\x0a", "JPEG XL", CONVERT),
    OtherKind(rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51", "JPEG 2000", CONVERT),
    OtherKind(rb"v/1\x01", "OpenEXR", CONVERT),
    OtherKind(rb"#\?R(?:ADIANCE|GBE)", "a Radiance picture", CONVERT),
    OtherKind(rb"P[1-7fF]\s", "a Netpbm picture", CONVERT),
    OtherKind(rb"SIMPLE  =", "FITS", CONVERT),
    OtherKind(rb".{128}DICM", "DICOM", CONVERT),
    OtherKind(rb"\0\0[\1\2]\0", "an icon or a cursor", CONVERT),
    OtherKind(rb"icns", "an icon", CONVERT),
    OtherKind(rb"\x8aMNG|\x8bJNG", "MNG or JNG", CONVERT),
    OtherKind(rb"DDS |\xabKTX", "a texture", CONVERT),
    OtherKind(rb"qoif|farbfeld|AT&TFORM|\xd7\xcd\xc6\x9a|\x01\0\0\0.{36} EMF", "another format", CONVERT),
    OtherKind(rb"PK\x03\x04|\x1f\x8b|7z\xbc\xaf|Rar!|BZh|\xfd7zXZ|\x28\xb5\x2f\xfd|.{257}ustar", "an archive", UNPACK),
    OtherKind(
        rb"\x89HDF|CDF[\1\2]", "an HDF5 or NetCDF file", "read its arrays in Python and give them to localsr.read"
    ),
    OtherKind(rb"\x93NUMPY", "a NumPy file", "give localsr.read the array: numpy.load(FILE)"),
)


def kind_of(head: bytes) -> str:
    """Return libvips' name of the format that a file's first bytes say, or an empty one."""
    return next((kind for kind, pattern in SIGNATURES.items() if re.match(pattern, head, re.DOTALL)), "")


def describe_other(head: bytes) -> str:
    """Return what a file of none of these formats is, and what to do."""
    for other in OTHER_KINDS:
        if re.match(other.pattern, head, re.DOTALL):
            return f"is {other.name}; {other.advice}; {READ_FORMATS}"
    return f"begins with {head[:8]!r}; {READ_FORMATS}" if head else f"is empty; {READ_FORMATS}"
