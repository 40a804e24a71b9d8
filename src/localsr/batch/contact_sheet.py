"""A page to look at: each region before and after, to be sorted and searched; one file that needs no other."""

from __future__ import annotations

import io
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from localsr import images
from localsr.batch import storage
from localsr.batch.clips import open_picture
from localsr.batch.rows import ResultRow, Status
from localsr.batch.table import as_text, read_table
from localsr.errors import LocalSRError
from localsr.files import write_whole
from localsr.frames.moments import split_moment
from localsr.geometry import Box, Size, whole
from localsr.html_pages import data_url, render_page
from localsr.images import Photo
from localsr.inference.restoration import MAX_PIXELS_HELD_BY_WORKER, bicubic
from localsr.progress import Progress

MAX_CARDS = 400  # regions on a page: about 20 MB
MAX_SIDE = 600  # px of a picture on the page
WEBP_QUALITY = 92
SORT_KEYS = {  # by what cards are sorted, and what the page calls it
    "name": "name",
    "label": "label",
    "score": "score",
    "area": "size of the region",
    "change": "change against bicubic",
    "seconds": "seconds",
}


def write_contact_sheet(
    path: Path, folder: str, asked: Sequence[tuple[str, str]], progress: Progress = lambda *_: None
) -> tuple[int, int]:
    """Write a page of a folder's regions; of many, some that are spread evenly.

    Args:
        path: The page.
        folder: Folder or URL of the results.
        asked: Pictures whose regions are shown, and the digest of what was asked of each (`Setup.digest`).
        progress: Called with the regions that are drawn, and how many there are.

    Returns:
        How many regions the page shows, and of how many.

    Raises:
        OutputError: The page could not be written.
    """
    wanted = {(as_text(picture), ask) for picture, ask in asked}
    rows = [row for row in read_table(folder) if (row.input, row.ask) in wanted]
    done = [row for row in rows if row.status == Status.DONE]
    chosen = np.unique(np.linspace(0, len(done) - 1, min(MAX_CARDS, len(done))).astype(int)).tolist()
    cards = []
    for k, number in enumerate(chosen, start=1):
        try:
            cards.append(_card(folder, done[number]))
        except (LocalSRError, OSError):  # a picture that has gone since it was restored
            pass
        progress(k, len(chosen))
    bad = [row for row in rows if row.status in (Status.FAILED, Status.ASIDE)]
    summary = f"{len(done)} regions of {len({row.input for row in rows})} pictures"
    if len(cards) < len(done):
        summary += f"; {len(cards)} of them here, spread over all"
    if done:
        scales = sorted({row.scale or 0 for row in done})
        summary += f". By {done[0].network}, {done[0].strategy}, x{scales[0]:.4g}"
        summary += f" to x{scales[-1]:.4g}" if len(scales) > 1 else ""
    data = render_page(
        "localsr.batch",
        "contact.html.jinja",
        {"data": data_url},
        files("localsr.batch").joinpath("contact.js").read_text(),
        title="Regions before and after",
        about=f"{summary}. Drag across a picture: left of the line is bicubic, right of it what localsr made.",
        keys=SORT_KEYS,
        cards=cards,
        bad=bad[:MAX_CARDS],
        bad_title=f"{len(bad)} picture{'s' if len(bad) != 1 else ''} came to nothing",
    )
    write_whole(path, data)
    return len(cards), len(done)


def _card(folder: str, row: ResultRow) -> dict[str, Any]:
    """Return what the page shows of a region."""
    box = row.box
    with storage.fetched(storage.join(folder, row.output)) as path:
        result = images.read(path)
        after = result.preview(MAX_SIDE)
    place, moment = split_moment(row.input)
    with storage.fetched(place) as path:
        before, by = _before(open_picture(path, moment, 1).photo, box, result.size)
    change = float(np.abs(_fitted(before, after) - after.astype(np.float32)).mean())
    name = PurePosixPath(row.input).name
    facts = [f"box {box.left},{box.top},{box.width},{box.height}", f"changed by {change:.1f} of 255"]
    if row.score is not None:
        facts.append(f"score {row.score:.2f}")
    if row.seconds is not None:
        facts.append(f"{row.seconds:.2f} s")
    return {
        "title": f"{name}{', ' + row.label if row.label else ''}",
        "caption": " \N{MIDDLE DOT} ".join(facts),
        "words": f"{row.input} {row.label}".lower(),
        "before": _webp(before),
        "after": _webp(after),
        "by": by,
        "sides": f"{after.shape[1]} / {after.shape[0]}",
        "name": name,
        "label": row.label,
        "score": "" if row.score is None else row.score,
        "area": box.area,
        "change": f"{change:.3f}",
        "seconds": "" if row.seconds is None else f"{row.seconds:.4f}",
    }


def _before(photo: Photo, box: Box, size: Size) -> tuple[NDArray[np.uint8], str]:
    """Return a region by bicubic at a size, or as it is where that would be too large, and which of the two it is."""
    if whole(size).area > MAX_PIXELS_HELD_BY_WORKER:
        return images.srgb(photo.window(box), photo), "before"
    return images.srgb(bicubic(photo, box, size).clip(0, 1), photo), "bicubic"


def _fitted(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return a picture in the size of another."""
    size = (other.shape[1], other.shape[0])
    return np.asarray(Image.fromarray(one).resize(size, Image.Resampling.BOX), np.float32)


def _webp(pixels: NDArray[np.uint8]) -> bytes:
    """Return a picture as WebP, no larger than the page shows it."""
    image = Image.fromarray(pixels)
    image.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, "WEBP", quality=WEBP_QUALITY)
    return file.getvalue()
