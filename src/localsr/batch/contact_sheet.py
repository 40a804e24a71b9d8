"""A page to look at: each region before and after, to be sorted and searched; one file that needs no other."""

from __future__ import annotations

import io
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from PIL import Image

from localsr import images
from localsr.batch import storage
from localsr.batch.clips import open_picture
from localsr.batch.rows import Status
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
    wanted = pl.DataFrame([(as_text(p), ask) for p, ask in asked], schema=["input", "ask"], orient="row").unique()
    rows = read_table(folder).join(wanted, ["input", "ask"], "semi", maintain_order="left")
    done = rows.filter(pl.col("status") == Status.DONE.value)
    chosen = np.unique(np.linspace(0, done.height - 1, min(MAX_CARDS, done.height)).astype(int)).tolist()
    cards = []
    for k, row in enumerate(done[chosen].iter_rows(named=True), start=1):
        try:
            cards.append(_card(folder, row))
        except (LocalSRError, OSError):  # a picture that has gone since it was restored
            pass
        progress(k, len(chosen))
    bad = rows.filter(pl.col("status").is_in([Status.FAILED.value, Status.ASIDE.value]))
    summary = f"{done.height} regions of {rows['input'].n_unique()} pictures"
    if len(cards) < done.height:
        summary += f"; {len(cards)} of them here, spread over all"
    if done.height:
        scales = sorted(set(done["scale"]))
        summary += f". By {done['network'][0]}, {done['strategy'][0]}, x{scales[0]:.4g}"
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
        bad=bad.head(MAX_CARDS).to_dicts(),
        bad_title=f"{bad.height} picture{'s' if bad.height != 1 else ''} came to nothing",
    )
    write_whole(path, data)
    return len(cards), done.height


def _card(folder: str, row: dict[str, Any]) -> dict[str, Any]:
    """Return what the page shows of a region."""
    box = Box(row["left"], row["top"], row["right"], row["bottom"])
    with storage.fetched(storage.join(folder, row["output"])) as path:
        result = images.read(path)
        after = result.preview(MAX_SIDE)
    place, moment = split_moment(row["input"])
    with storage.fetched(place) as path:
        before, by = _before(open_picture(path, moment, 1).photo, box, result.size)
    change = float(np.abs(_fitted(before, after) - after.astype(np.float32)).mean())
    name = PurePosixPath(row["input"]).name
    facts = [f"box {box.left},{box.top},{box.width},{box.height}", f"changed by {change:.1f} of 255"]
    if row["score"] is not None:
        facts.append(f"score {row['score']:.2f}")
    if row["seconds"] is not None:
        facts.append(f"{row['seconds']:.2f} s")
    return {
        "title": f"{name}{', ' + row['label'] if row['label'] else ''}",
        "caption": " \N{MIDDLE DOT} ".join(facts),
        "words": f"{row['input']} {row['label']}".lower(),
        "before": _webp(before),
        "after": _webp(after),
        "by": by,
        "sides": f"{after.shape[1]} / {after.shape[0]}",
        "name": name,
        "label": row["label"],
        "score": "" if row["score"] is None else row["score"],
        "area": box.area,
        "change": f"{change:.3f}",
        "seconds": "" if row["seconds"] is None else f"{row['seconds']:.4f}",
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
