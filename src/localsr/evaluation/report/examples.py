"""Figure 7 and 8: the ROIs where context gains and loses most against `halo` and `full`, and what it drew on there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from localsr import images
from localsr.drawing.attention import attention_map
from localsr.drawing.sheet import write_sheet
from localsr.evaluation.benchmark import Benchmark, Pair
from localsr.evaluation.feeds import Feeds
from localsr.evaluation.methods import Way
from localsr.geometry import Box
from localsr.inference.strategies import Strategy

EACH = 2  # gains and as many losses against each
AGAINST = (Way(Strategy.HALO), Way(Strategy.FULL))
CONTEXT = Way(Strategy.CLSR)


def write_examples(
    folder: Path, rois: pl.DataFrame, feeds: Feeds, benchmark: Benchmark, roi: int, *, attention: bool
) -> list[dict[str, Any]]:
    """Restore the extreme ROIs once more, a strip of panels for each; none where context was not compared."""
    if CONTEXT not in feeds.ways:
        return []
    found: list[dict[str, Any]] = []
    names = [file.name for file in benchmark.files]
    shown = [way for way in AGAINST if way in feeds.ways]
    for against in shown:
        for kind, row in extremes(rois, against):
            pair = benchmark[names.index(row["picture"])]
            box = Box.from_xywh(row["left"], row["top"], roi, roi)
            name = f"{kind}-{against}-{row['rank']}"
            panels = _panels(pair, box, feeds, (*shown, CONTEXT))
            write_sheet(folder / "examples" / f"{name}.png", np.concatenate(list(panels.values()), 1))
            if attention and not found:
                photo = images.read(pair.lr)
                attention_map(folder / "examples" / "attention.png", photo, feeds.attention(CONTEXT, pair.lr, box), "")
            found.append(
                {
                    "name": name,
                    "kind": kind,
                    "against": str(against),
                    "picture": row["picture"],
                    "box": [box.left, box.top, box.right, box.bottom],
                    "difference": round(row["difference"], 3),
                    "panels": list(panels),
                }
            )
    return found


def extremes(rois: pl.DataFrame, against: Way) -> list[tuple[str, dict[str, Any]]]:
    """Give the ROIs with the largest gain and loss of PSNR Y of `clsr` over `against`: "gain" or "loss", and a row."""
    place = ["picture", "left", "top"]
    one = rois.filter(pl.col("way") == str(CONTEXT)).select(*place, "psnr_y")
    other = rois.filter(pl.col("way") == str(against)).select(*place, pl.col("psnr_y").alias("other"))
    both = one.join(other, on=place).with_columns(difference=pl.col("psnr_y") - pl.col("other"))
    ordered = both.sort("difference", *place)
    gains = [("gain", row) for row in ordered.tail(EACH).reverse().iter_rows(named=True) if row["difference"] > 0]
    losses = [("loss", row) for row in ordered.head(EACH).iter_rows(named=True) if row["difference"] < 0]
    return [(kind, row | {"rank": rank}) for part in (gains, losses) for rank, (kind, row) in enumerate(part, start=1)]


def _panels(pair: Pair, box: Box, feeds: Feeds, ways: Sequence[Way]) -> dict[str, NDArray[np.uint8]]:
    """Give 8-bit `(H, W, 3)` panels of one size: the LR pixels, each way's restoration, the original."""
    scale, large = feeds.scale, box.scaled(feeds.scale)
    made = {"LR": pair.lr[box.rows, box.columns].repeat(scale, 0).repeat(scale, 1)}
    for way in ways:
        pixels = feeds.restore(way, pair.lr, [box])[0].numpy()
        made[str(way)] = np.rint(pixels * 255).astype(np.uint8).transpose(1, 2, 0)
    return made | {"HR": pair.hr[:, large.rows, large.columns].transpose(1, 2, 0)}
