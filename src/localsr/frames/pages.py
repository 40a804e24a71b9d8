"""Pages of one file as frames: multi-page TIFF, GIF, animated WebP and PNG; each with the moment that it is shown at.

Pillow decodes, by the plugin that the first bytes name and no other. Pages are composed one after the other, as they
are meant to be seen, and only those around the moment are kept.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator
from typing import IO, NamedTuple

from PIL import Image

from localsr import images
from localsr.errors import ConfigError, ImageError
from localsr.frames.decoding import MAX_HELD_BYTES
from localsr.images import Photo
from localsr.images.vips import translating_errors

SIGNATURES = {b"GIF8": "GIF", b"\x89PNG\r\n\x1a\n": "PNG", b"RIFF": "WEBP"}
SIGNATURES |= dict.fromkeys((b"II*\0", b"MM\0*"), "TIFF")
HEAD_BYTES = 16
MAX_PAGES = 10_000
MAX_PAGE_PIXELS = 2**26
PAGE_PIXEL_BYTES = 4
TIFF_SECONDS = 1.0  # for which a page is taken to be shown
LEAST_SECONDS = 0.01  # of a page that says no time of its own


class Page(NamedTuple):
    """A page and the seconds from the beginning on that it is shown at."""

    seconds: float
    photo: Photo


class PageExcerpt(NamedTuple):
    """What was decoded around a moment; neighbours come nearest first."""

    reference: Page
    before: list[Page]
    after: list[Page]


def page_format(head: bytes) -> str | None:
    """Return Pillow's name of the format that a file begins with, None for one without pages."""
    name = next((name for signature, name in SIGNATURES.items() if head.startswith(signature)), None)
    return None if name == "WEBP" and head[8:12] != b"WEBP" else name


def page_excerpt(file: IO[bytes], kind: str, title: str, at: float, before: int, after: int) -> PageExcerpt:
    """Decode the page shown `at` seconds after the beginning, and as many before and after it as there are.

    `ConfigError` if the file ends earlier; `ImageError` if it is damaged or too large.
    """
    with translating_errors(f"{title} cannot be read"), Image.open(file, formats=[kind]) as picture:
        width, height = picture.size
        if width * height > MAX_PAGE_PIXELS:
            raise ImageError(
                f"{title} has pages of {width} x {height} px; at most {MAX_PAGE_PIXELS / 1e6:.0f} megapixels"
            )
        most = MAX_HELD_BYTES // (PAGE_PIXEL_BYTES * width * height) // 2
        before, after = min(before, most), min(after, most)
        earlier: deque[Page] = deque(maxlen=before + 1)
        later: list[Page] = []
        end = 0.0
        for page, until in _pages(picture, kind):
            end = until
            (earlier if page.seconds <= at else later).append(page)
            if len(later) >= max(after, 1):
                break
        if not later and at >= end:
            raise ConfigError(f"{title} has no page at {at:g} s; it lasts {end:.2f} s")
        return PageExcerpt(earlier[-1], list(earlier)[-2::-1], later[:after])


def _pages(picture: Image.Image, kind: str) -> Iterator[tuple[Page, float]]:
    """Yield each page, and when it ends."""
    seconds = 0.0
    for n in itertools.count():
        if n >= MAX_PAGES:
            raise ImageError(f"more than {MAX_PAGES:,} pages are not read; cut the file")
        try:
            picture.seek(n)
        except EOFError:
            return
        shown = picture.convert("RGB") if kind == "GIF" and picture.mode == "P" else picture
        page = Page(seconds, images.read(_still(shown)))
        lasts = float(picture.info.get("duration", 0)) / 1000
        seconds += TIFF_SECONDS if kind == "TIFF" else max(lasts, LEAST_SECONDS)
        yield page, seconds


def _still(picture: Image.Image) -> Image.Image:
    """Return a copy of the page in view, alone."""
    still = picture.copy()
    still.info.pop("duration", None)
    return still
