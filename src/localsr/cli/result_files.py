"""Which files `localsr restore` writes: its options, the names, and what is refused before any work."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from localsr.errors import ConfigError
from localsr.geometry import Box, Enlargement, whole

if TYPE_CHECKING:
    from localsr.images import Photo, Saving
    from localsr.inference.restorer import Restorer

LOSSLESS_SUFFIXES = (".png", ".tif", ".tiff", ".webp")  # that a default name takes from the photo; else it has .png
MAX_STEM_BYTES = 180  # of a photo's name in a default name; file systems take 255 in all
DEFAULT_FEATHER = 4  # LR px

Output = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="OUT",
        help="A file (its suffix is the format; with several boxes {n} in its name becomes 1, 2, ...) or a folder (no "
        "suffix). Without it: PHOTO-X-Y-WxH-xSCALE in this folder, lossless: PNG, or TIFF or WebP if the photo is one.",
    ),
]
Compare = Annotated[
    Path | None,
    typer.Option(metavar="SHEET.png", help="Also write a sheet: photo, nearest, bicubic and restored side by side."),
]
Into = Annotated[
    Path | None,
    typer.Option(
        metavar="OUT",
        help="Write the whole picture with the regions in it, the rest enlarged by bicubic; each alone only with -o.",
        show_default=False,
    ),
]
SameSize = Annotated[
    bool, typer.Option("--same-size", help="Into the picture at its own size: regions restored, then reduced again.")
]
Feather = Annotated[
    int,
    typer.Option(
        min=0, max=256, metavar="PX", help="Into the picture: the rim of a region that fades in; 0 for exact pixels."
    ),
]


@dataclass(frozen=True)
class ResultFiles:
    """Which files: one for each region, a sheet that compares them, the whole picture with them in it."""

    output: Output = None
    compare: Compare = None
    into: Into = None
    same_size: SameSize = False
    feather: Feather = DEFAULT_FEATHER

    @property
    def whole_alone(self) -> bool:
        """Whether the whole picture is all that is written."""
        return self.into is not None and self.output is None

    def sized(self, source: Photo, boxes: Sequence[Box], size: str | None) -> Sequence[Box]:
        """Return what is to have the `--size`: the regions, or all of the picture where it alone is written."""
        if size is not None and self.into is not None and (self.same_size or self.output is not None):
            raise ConfigError("--size is of one file: leave out --same-size, and one of --into and -o")
        return [whole(source.size)] if self.whole_alone else boxes

    def region_paths(self, photo: Path, boxes: Sequence[Box], restorer: Restorer) -> list[Path]:
        """Name the file of each box; with `--into` alone there are none."""
        if self.whole_alone:
            return []
        names = [default_name(photo, box, restorer.enlargement) for box in boxes]
        if self.output is None:
            return [Path(name) for name in names]
        path = Path(self.output)
        if path.is_dir() or self.output.endswith("/") or not path.suffix:
            return [path / name for name in names]
        if len(boxes) > 1 and "{n}" not in path.name:
            raise ConfigError(
                f"{self.output} is one file for {len(boxes)} boxes; give a folder, or a name with {{n}}: "
                f"{path.stem}-{{n}}{path.suffix}"
            )
        return [path.with_name(path.name.replace("{n}", str(n))) for n in range(1, len(boxes) + 1)]

    def check(
        self,
        photos: Sequence[Path],
        source: Photo,
        boxes: Sequence[Box],
        restorer: Restorer,
        paths: Sequence[Path],
        saving: Saving,
    ) -> None:
        """Refuse names that cannot or must not be written; `paths` are those of regions, `source` the first photo."""
        self._check_sizes(source, boxes, restorer, paths)
        self._check_sheet(paths)
        if self.into is None and (self.same_size or self.feather != DEFAULT_FEATHER):
            raise ConfigError("--same-size and --feather are for the whole picture; name its file with --into")
        from localsr.images import FORMATS, checked_format

        others = [*paths, *([] if self.compare is None else [self.compare])]
        if self.into is not None and self.into.resolve() in [path.resolve() for path in others]:
            raise ConfigError(f"{self.into} is named for the picture and for something else; choose another name")
        for path in [*([] if self.into is None else [self.into]), *others]:
            suffixes = (".png",) if path is self.compare else tuple(FORMATS)
            if path.suffix.lower() not in suffixes:
                raise ConfigError(f"{path} must end in {', '.join(suffixes)}")
            if path.is_dir():
                raise ConfigError(f"{path} is a folder; name a file in it")
            if path.exists() and any(path.samefile(photo) for photo in photos):
                raise ConfigError(f"{path} is the photo itself, which is never replaced; choose another name")
            if path is not self.compare:
                checked_format(path, source, saving)

    def _check_sizes(self, source: Photo, boxes: Sequence[Box], restorer: Restorer, paths: Sequence[Path]) -> None:
        """Refuse pictures that are larger than their format allows, or than the network makes them."""
        for box, path in zip(boxes, paths, strict=False):
            size = restorer.size_of(box)
            if max(size.width, size.height) > max_side(path):
                raise ConfigError(
                    f"{path} would be {size} px, but its format allows {max_side(path)} px a side; use .png"
                )
        if self.into is None:
            return
        size = source.size if self.same_size else restorer.size_of(whole(source.size))
        side = max(size.width, size.height)
        if side > max_side(self.into):
            raise ConfigError(
                f"{self.into} would have {side} px a side, but its format allows {max_side(self.into)}; use .tif"
            )

    def _check_sheet(self, paths: Sequence[Path]) -> None:
        """Refuse a sheet without regions, of too many, or in the file of one of them."""
        if self.compare is None:
            return
        from localsr.drawing.compare import MAX_ROWS

        if not paths:
            raise ConfigError("--compare shows regions; with --into alone there are none, so name their files with -o")
        if self.compare.resolve() in [path.resolve() for path in paths]:
            raise ConfigError(f"{self.compare} is named for the sheet and for a region; choose another name for one")
        if len(paths) > MAX_ROWS:
            raise ConfigError(f"a sheet shows at most {MAX_ROWS} regions, not {len(paths)}; leave out --compare")


def default_name(photo: Path, box: Box, to: Enlargement) -> str:
    """Make a name that says what is in the file and that needs no quotes in a shell."""
    stem = re.sub(r"[^\w.-]+", "_", photo.stem).strip("._-") or "picture"
    stem = stem.encode(errors="replace")[:MAX_STEM_BYTES].decode(errors="ignore")
    size, scale = to.of(box.size), to.scale
    large = max(size.width, size.height) > max_side(photo)
    suffix = photo.suffix.lower() if photo.suffix.lower() in LOSSLESS_SUFFIXES and not large else ".png"
    enlarged = f"{size.width}x{size.height}" if scale is None else f"x{scale:g}"
    return f"{stem}-{box.left}-{box.top}-{box.width}x{box.height}-{enlarged}{suffix}"


def max_side(path: Path) -> float:
    """Return how many pixels a side may have in the format of a name."""
    from localsr.images import FORMATS, MAX_SIDES

    return MAX_SIDES.get(FORMATS.get(path.suffix.lower(), ""), math.inf)
