"""Which regions of a picture a command is about: its options, and from them to boxes before torch is loaded."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from localsr.cli.exits import ExitCode
from localsr.cli.picture_options import PictureOptions
from localsr.cli.terminal import spinner
from localsr.errors import BoxError, ConfigError

if TYPE_CHECKING:
    from localsr.images import Photo
    from localsr.inference.restorer import Restorer
    from localsr.regions import Found, Region, RegionRequest

MAX_LISTED = 20  # regions that a detector found; of more, only their number is printed

BoxTexts = Annotated[
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
        help="Regions from a file or folder: COCO or LabelMe JSON, Pascal VOC, YOLO text, JSON lines, a table, "
        "a mask, what restore --json printed; or JSON lines on standard input.",
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


@dataclass(frozen=True)
class RegionOptions:
    """Which regions."""

    box: BoxTexts = None
    boxes: BoxesFile = None
    detect: Detect = None
    grow: Grow = "0"
    min_size: MinSize = 0
    min_score: MinScore = None
    merge: Merge = False
    clip: Clip = False

    def request(self) -> RegionRequest:
        """Return what is asked of any picture: all but `--boxes`."""
        from localsr import regions

        given = tuple(regions.text(text) for text in self.box or ())
        margin = regions.Margin.parse(self.grow)
        return regions.RegionRequest(
            given, tuple(self.detect or ()), margin, self.min_score, self.min_size, self.merge, self.clip
        )

    def request_of(self, photo: Path) -> RegionRequest:
        """Return what is asked of one photo, the regions of a file or of standard input among it."""
        if not (self.box or self.boxes or self.detect):
            raise ConfigError("say which regions: --box X,Y,W,H, --boxes FILE, or --detect face")
        from localsr.regions.detectors import plugins

        for name in self.detect or ():
            plugins.check_detector(name)
        request = self.request()
        if self.boxes is None:
            return request
        return replace(request, given=request.given + annotated_regions(photo, self.boxes))

    def find(
        self, photo: Path, picture: PictureOptions, *, silent: bool = False, opened: Photo | None = None
    ) -> tuple[Photo, list[Found], int]:
        """Open a photo and find its regions; print what a detector found, unless `silent`; count those left out.

        A photo that is `opened` already, as a frame of a clip is, is taken as it is.
        A region of a file that cannot be of this photo is left out with a note; one that was typed is refused. Where
        there is no region, print why and leave with exit code 3.
        """
        request = self.request_of(photo)
        source = picture.read(photo) if opened is None else opened
        with spinner(f"looking for {' and '.join(request.detect)}"):
            found, refused = request.sift(source)
        for region, error in refused:
            if region in request.given[: len(self.box or ())]:
                raise error
        note_refused([error for _, error in refused])
        if not found:
            typer.echo(f"localsr: {describe_nothing(photo, source, request)}", err=True)
            raise typer.Exit(ExitCode.INCOMPLETE)
        if request.detect and not silent:
            for one in found[:MAX_LISTED]:
                typer.echo(describe_found(one))
            if len(found) > MAX_LISTED:
                typer.echo(f"and {len(found) - MAX_LISTED} more")
        return source, list(found), len(refused)

    def keep_fitting(self, found: Sequence[Found], restorer: Restorer) -> tuple[list[Found], int]:
        """Return the regions whose results can have the size that was asked for, and how many others are left out.

        Each of these has a note; the error of one is raised where regions were typed, or none is left.
        """
        from localsr.regions.request import sift_sizes

        fitting, refused = sift_sizes(found, restorer.size_of)
        if refused and (self.box or not fitting):
            raise refused[0].error
        note_refused([error for _, error in refused])
        return list(fitting), len(refused)


def note_refused(errors: Sequence[BoxError]) -> None:
    """Print why regions are left out."""
    for error in errors[:MAX_LISTED]:
        typer.echo(f"left out: {error.told('command')}", err=True)
    if len(errors) > MAX_LISTED:
        typer.echo(f"and {len(errors) - MAX_LISTED} more are left out", err=True)


def annotated_regions(photo: Path, boxes: str) -> tuple[Region, ...]:
    """Read a photo's regions from a file or folder of annotations, or from standard input."""
    from localsr import regions
    from localsr.regions.formats.documents import MAX_JSON_BYTES

    if boxes == "-":
        if sys.stdin.isatty():
            typer.echo("reading regions, one a line, until Ctrl-D", err=True)
        annotations = regions.read_lines(sys.stdin.buffer.read(MAX_JSON_BYTES + 1))
    else:
        with spinner(f"reading {boxes}"):
            annotations = regions.read(boxes)
    paired = boxes != "-" and not Path(boxes).is_dir()  # a file about one picture is meant for this one, even renamed
    found = annotations.of(photo, paired=paired)
    if not found and (names := annotations.names) and not annotations.match(photo):
        for file in annotations.broken.values():  # the broken file may have been this photo's
            raise BoxError(file.reason)
        several = f"{len(names):,} pictures, such as {names[0]}; none of them is {photo.name}"
        one = f"{names[0]}, which is not {photo.name}"
        raise BoxError(f"{annotations.origin} is about {several if len(names) > 1 else one}")
    return found


def describe_found(found: Found) -> str:
    """Return what was found and where, as `--box` takes it."""
    box = found.box
    score = "" if found.score is None else f", score {found.score:.2f}"
    return f"found {found.label or 'a region'} at {box.left},{box.top},{box.width},{box.height}{score}"


def describe_nothing(photo: Path, source: Photo, request: RegionRequest) -> str:
    """Return that there is no region, and what there would be with lower bounds on score and size."""
    wanted = " and no ".join(request.detect) if request.detect else "region"
    sentence = f"no {wanted} in {photo}, so there is nothing to do"
    with spinner("looking with lower bounds"):
        dropped = replace(request, min_score=0.0, min_size=0, merge=False).sift(source)[0]
    if not dropped:
        return sentence
    best = max(dropped, key=lambda found: found.score or 0.0)
    score = "" if best.score is None else f" and score {best.score:.2f}"
    return f"{sentence}; dropped: {len(dropped)}, the best of {best.box.size} px{score} (--min-score, --min-size)"
