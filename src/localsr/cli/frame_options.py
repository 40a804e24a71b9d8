"""Which frames a region is restored from: a moment of a clip and how many around it, or photos taken together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from localsr.cli.picture_options import PictureOptions
from localsr.cli.terminal import spinner
from localsr.errors import ConfigError
from localsr.frames.moments import read_moment

if TYPE_CHECKING:
    from localsr.frames.reading import Frames
    from localsr.inference.restoration import Restoration

At = Annotated[
    str | None,
    typer.Option(
        "--at",
        metavar="12.4s|M:SS.S",
        help="Of a clip: the moment whose frame is restored, from its beginning on.",
        show_default=False,
    ),
]
Count = Annotated[
    int | None,
    typer.Option(
        "--frames",
        metavar="N",
        min=1,
        max=33,
        help="From how many frames a region may be made; by default 9 of a clip, and all photos with --together.",
        show_default=False,
    ),
]
Together = Annotated[
    bool, typer.Option("--together", help="The photos show the same: restore regions of the first from all of them.")
]

TrackFlag = Annotated[
    bool,
    typer.Option(
        "--track",
        help="Follow the region through the clip from --at on: -o is a clip (.mp4), a folder, or a name with {n}.",
    ),
]
Until = Annotated[
    str | None,
    typer.Option(
        "--until", metavar="15s|M:SS.S", help="Of --track: the last moment; by default the end.", show_default=False
    ),
]
Report = Annotated[
    Path | None,
    typer.Option(
        "--report",
        metavar="REPORT.html",
        help="Of frames: also write a report to be filed, a page that a browser prints as PDF, and .json beside it.",
        show_default=False,
    ),
]


@dataclass(frozen=True)
class FrameOptions:
    """Which frames."""

    at: At = None
    frames: Count = None
    together: Together = False
    track: TrackFlag = False
    until: Until = None
    report: Report = None

    @property
    def moment(self) -> float | None:
        """The moment that is asked for, in seconds."""
        return None if self.at is None else read_moment(self.at)

    @property
    def last_moment(self) -> float | None:
        """Until when a region is tracked, in seconds."""
        return None if self.until is None else read_moment(self.until)

    def check_report(self, boxes: Path) -> None:
        """Refuse a report whose JSON would take the place of the boxes' file."""
        beside = None if self.report is None else self.report.with_suffix(".json")
        if beside is not None and beside.exists() and boxes.exists() and beside.samefile(boxes):
            raise ConfigError(
                f"{beside} holds the boxes, and --report would write beside the page; choose another name"
            )

    def read(self, photos: Sequence[Path], picture: PictureOptions) -> Frames | None:
        """Read frames, of a clip to be tracked the first; None where one photo is meant."""
        if self.until is not None and not self.track:
            raise ConfigError("--until is where --track ends; add --track or leave it out")
        if self.report is not None and self.track:
            raise ConfigError("--report is on regions of one moment; leave it out with --track")
        if self.together:
            if self.track:
                raise ConfigError("--track is for a clip, --together for photos; leave one out")
            if self.at is not None:
                raise ConfigError("--at is for a clip, --together for photos; leave one out")
            if len(photos) < 2:
                raise ConfigError("--together takes two photos or more; for a clip, say --at 12.4s")
        elif len(photos) > 1:
            raise ConfigError(
                f"{len(photos)} photos are given; if they show the same, add --together, else see `batch`"
            )
        elif self.at is None and self.frames is None and not self.track:
            if self.report is not None:
                raise ConfigError("--report is on regions from several frames; say --at 12.4s, or --together")
            return None
        if picture.tolerant and not self.together:
            raise ConfigError("--tolerant reads damaged pictures, not clips; leave it out, or take a frame of the clip")
        from localsr.frames.reading import read_frames

        count = 1 if self.track else self.frames
        if self.together:
            return read_frames([picture.read(photo) for photo in photos], count=count)
        with spinner("reading frames"):
            return read_frames(photos[0], at=self.moment, count=count)


def write_report(path: Path, frames: Frames, regions: Sequence[tuple[Restoration, Path]]) -> None:
    """Write a report on regions, each with the file that it is in."""
    from localsr.drawing.frame_report import RegionReport, write_frame_report

    write_frame_report(path, frames, [RegionReport(one, file) for one, file in regions])
