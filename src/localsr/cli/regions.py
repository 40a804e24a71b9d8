"""Which regions of a picture a command is about: its options, and from them to boxes before torch is loaded."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from localsr.cli.console import bar, waiting
from localsr.errors import BoxError, ConfigError

if TYPE_CHECKING:
    from localsr.images import Photo
    from localsr.regions import Found, Region, Regions

NOTHING = 3  # exit code: there was no region to work on
TOLD = 20  # regions that are listed; of more, only their number is told

Boxes = Annotated[
    list[str] | None,
    typer.Option(
        "--box",
        metavar="X,Y,W,H",
        help="Region of the upright picture: left, top, width, height in pixels; corners, 40,60:168,156; either in "
        "percent, 10%,10%,50%,50%, or shares, rel:0.1,0.1,0.5,0.5. Repeat it for more regions.",
        show_default=False,
    ),
]
BoxesFile = Annotated[
    str | None,
    typer.Option(
        "--boxes",
        metavar="FILE|-",
        help="Regions from a file or folder: COCO or LabelMe JSON, Pascal VOC, YOLO text, JSON lines, a mask; or JSON "
        "lines on standard input.",
        show_default=False,
    ),
]
Detect = Annotated[
    list[str] | None,
    typer.Option(
        "--detect",
        metavar="face|plate|NAME|FILE.onnx",
        help="Find regions: faces, licence plates, what an installed package or an ONNX detector finds. Repeat it.",
        show_default=False,
    ),
]
Grow = Annotated[str, typer.Option("--grow", metavar="10%|PX", help="Grow each region on each side.")]
MinSize = Annotated[
    int, typer.Option("--min-size", metavar="PX", min=0, help="Drop regions whose shorter side has less.")
]
MinScore = Annotated[
    float | None,
    typer.Option(
        "--min-score",
        metavar="0..1",
        min=0,
        max=1,
        help="Drop regions that are less sure; by default what --detect finds below 0.5.",
        show_default=False,
    ),
]
Merge = Annotated[bool, typer.Option("--merge-overlapping", help="Make one region of those that overlap.")]
Clip = Annotated[bool, typer.Option("--clip", help="Cut a box that leaves the picture instead of refusing it.")]


def asked(
    photo: Path,
    box: Sequence[str] | None,
    boxes: str | None,
    detect: Sequence[str] | None,
    grow: str,
    min_size: int,
    min_score: float | None,
    *,
    merge: bool,
    clip: bool,
) -> Regions:
    """Give what a command's options ask for, a file's or standard input's regions among it."""
    if not (box or boxes or detect):
        raise ConfigError("say which regions: --box X,Y,W,H, --boxes FILE, or --detect face")
    from localsr import regions
    from localsr.regions.detectors import plugins

    for name in detect or ():
        plugins.check(name)
    given = [regions.text(text) for text in box or ()]
    margin = regions.Margin.parse(grow)
    if boxes is not None:
        given += from_file(photo, boxes)
    return regions.Regions(tuple(given), tuple(detect or ()), margin, min_score, min_size, merge, clip)


def from_file(photo: Path, boxes: str) -> tuple[Region, ...]:
    """Read a photo's regions from a file or folder, or from standard input."""
    from localsr import regions
    from localsr.regions.formats.documents import LARGEST

    if boxes == "-":
        if sys.stdin.isatty():
            typer.echo("reading regions, one a line, until Ctrl-D", err=True)
        annotations = regions.read_lines(sys.stdin.buffer.read(LARGEST + 1))
    else:
        with waiting(f"reading {boxes}"):
            annotations = regions.read(boxes)
    paired = boxes != "-" and not Path(boxes).is_dir()  # a file of one picture is meant for this one, even renamed
    found = annotations.of(photo, paired=paired)
    if not found and (names := annotations.names) and not annotations.named(photo):
        for why in annotations.broken.values():  # of that file it may have been
            raise BoxError(why)
        several = f"{len(names):,} pictures, such as {names[0]}; none of them is {photo.name}"
        one = f"{names[0]}, which is not {photo.name}"
        raise BoxError(f"{annotations.origin} is about {several if len(names) > 1 else one}")
    return found


def opened(photo: Path, regions: Regions, *, silent: bool = False) -> tuple[Photo, list[Found]]:
    """Read the picture's header, find its regions and judge them; say what a detector found, unless `silent`.

    Where there is none, leave with a sentence and exit code 3.
    """
    from localsr import images

    with bar("decoding") as progress:
        source = images.read(photo, progress)
    with waiting(f"looking for {' and '.join(regions.detect)}"):
        found = regions.of(source)
    if not found:
        typer.echo(f"localsr: {nothing(photo, source, regions)}", err=True)
        raise typer.Exit(NOTHING)
    if regions.detect and not silent:
        for one in found[:TOLD]:
            typer.echo(spoken(one))
        if len(found) > TOLD:
            typer.echo(f"and {len(found) - TOLD} more")
    return source, list(found)


def spoken(found: Found) -> str:
    """Say what was found and where, as `--box` takes it."""
    box = found.box
    score = "" if found.score is None else f", score {found.score:.2f}"
    return f"found {found.label or 'a region'} at {box.left},{box.top},{box.width},{box.height}{score}"


def nothing(photo: Path, source: Photo, regions: Regions) -> str:
    """Say that there is no region, and what there would be if less were asked for."""
    told = f"no {' and no '.join(regions.detect) if regions.detect else 'region'} in {photo}, so there is nothing to do"
    with waiting("looking for less"):
        more = replace(regions, min_score=0.0, min_size=0, merge=False).of(source)
    if not more:
        return told
    best = max(more, key=lambda f: f.score or 0.0)
    score = "" if best.score is None else f" and score {best.score:.2f}"
    return f"{told}; dropped: {len(more)}, the best of {best.box.size} px{score} (--min-score, --min-size)"
