"""Moments of clips as people write them: seconds, minutes, and `clip.mp4#t=12.4` (W3C Media Fragments, 2012)."""

from __future__ import annotations

import re

from localsr.errors import ConfigError

MOMENT = re.compile(r"(?:(?:(\d{1,3}):)?(\d{1,4}):)?(\d{1,9}(?:\.\d{1,9})?)s?", re.ASCII)
FRAGMENT = re.compile(r"(.+)#t=(?:npt:)?([0-9:.]{1,20}s?)", re.ASCII | re.DOTALL)
CLIP_SUFFIXES = (
    ".mp4",
    ".m4v",
    ".mov",
    ".mkv",
    ".webm",
    ".avi",
    ".ts",
    ".mpg",
    ".mpeg",
    ".3gp",
    ".ogv",
    ".wmv",
    ".flv",
)
SNIFFED_BYTES = 16
CLIP_SIGNATURES = (  # Matroska and WebM, FLV, ASF, MPEG program streams, Ogg, MXF
    b"\x1aE\xdf\xa3",
    b"FLV\x01",
    b"0&\xb2u",
    b"\x00\x00\x01\xba",
    b"OggS",
    b"\x06\x0e+4",
)
STILL_BRANDS = (b"avif", b"avis", b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1")  # of pictures in MP4's boxes


def looks_like_clip(head: bytes) -> bool:
    """Tell by its first bytes whether a file is of a kind that holds clips."""
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free"):
        return head[8:12] not in STILL_BRANDS
    return head.startswith(CLIP_SIGNATURES) or (head[:4] == b"RIFF" and head[8:11] == b"AVI")


def read_moment(text: str) -> float:
    """Read a moment in seconds: `12.4`, `12.4s`, `1:02.5` or `1:00:02.5`; `ConfigError` for what is none.

    Example:
        >>> read_moment("1:02.5")
        62.5
    """
    match = MOMENT.fullmatch(text)
    if match is None:
        raise ConfigError(f"{text!r} is no moment; give seconds, such as 12.4s, or minutes and seconds, such as 1:02.5")
    hours, minutes, rest = match.groups()
    return 3600 * int(hours or 0) + 60 * int(minutes or 0) + float(rest)


def at_moment(place: str, seconds: float) -> str:
    """Return the name of a moment of a clip.

    Example:
        >>> at_moment("clip.mp4", 12.4)
        'clip.mp4#t=12.4'
    """
    return f"{place}#t={seconds:.6f}".rstrip("0").rstrip(".")


def split_moment(place: str) -> tuple[str, float | None]:
    """Return a clip and the moment of it that a place names; None for a place that names none.

    Example:
        >>> split_moment("clip.mp4#t=12.4"), split_moment("a.png")
        (('clip.mp4', 12.4), ('a.png', None))
    """
    match = FRAGMENT.fullmatch(place)
    return (place, None) if match is None else (match[1], read_moment(match[2]))
