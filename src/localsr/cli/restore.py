"""`localsr restore`: regions of one picture, each into a file of its own."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from localsr.cli.console import Device, MaxMemory, Model, Precision, Scale, bar
from localsr.errors import ConfigError
from localsr.geometry import Box

if TYPE_CHECKING:
    from localsr.inference.restorer import Restorer
    from localsr.inference.scene import Restoration

LOSSLESS = (".png", ".tif", ".tiff", ".webp")  # suffixes that a default name keeps; .png for any other
NAME = 180  # bytes of a photo's name in a default name; file systems take 255 in all


PhotoPath = Annotated[Path, typer.Argument(metavar="PHOTO", help="A JPEG, PNG, TIFF, WebP or BMP.", show_default=False)]
Boxes = Annotated[
    list[str],
    typer.Option(
        "--box",
        metavar="X,Y,W,H",
        help="Region: left, top, width, height in pixels of the upright picture. Repeat it for more regions.",
        show_default=False,
    ),
]
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
Way = Annotated[
    str | None,
    typer.Option(
        "--strategy",
        metavar="crop|halo|clsr|full",
        help="The region alone; with a few pixels around it; with these and the whole picture as context; with every "
        "pixel that can matter. By default clsr, or halo for a network without context.",
    ),
]
Compare = Annotated[
    Path | None,
    typer.Option(metavar="SHEET.png", help="Also write a sheet: photo, nearest, bicubic and restored side by side."),
]
Clip = Annotated[bool, typer.Option("--clip", help="Cut a box that leaves the picture instead of refusing it.")]
Share = Annotated[
    bool,
    typer.Option("--share", help="Restore regions that crowd as one, where that is cheaper; pixels differ a little."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of lines.")]


def run(
    photo: PhotoPath,
    box: Boxes,
    output: Output = None,
    scale: Scale = None,
    strategy: Way = None,
    model: Model = None,
    device: Device = "auto",
    precision: Precision = "fp32",
    compare: Compare = None,
    clip: Clip = False,
    share: Share = False,
    max_memory: MaxMemory = None,
    as_json: Json = False,
) -> None:
    """Restore regions of a picture, enlarged 2, 3 or 4 times.

    Nothing is written if one of the boxes is bad. Existing files are replaced, the photo itself never.
    """
    boxes = [Box.parse(text) for text in box]
    from localsr import images  # boxes and the picture's header are judged before torch is loaded

    source = images.read(photo)
    inside = [b.clipped(source.size) if clip else b.checked(source.size) for b in boxes]
    from localsr.inference.restorer import Restorer
    from localsr.inference.strategies import Strategy

    way = Strategy.named(strategy) if strategy is not None else None
    restorer = Restorer.load(model, scale=scale, device=device, precision=precision, max_memory=max_memory)
    paths = targets(photo, inside, restorer.scale, output)
    refuse(photo, inside, restorer.scale, paths, compare)
    scene = restorer.encode(source)
    with bar("restoring") as progress:
        found = scene.restore(inside, way, share=share, progress=progress)
    for restoration, path in zip(found, paths, strict=True):
        restoration.save(path)
    if compare is not None:
        from localsr.evaluation.figures import compare_sheet

        compare_sheet(compare, source, found)
    if as_json:
        typer.echo(json.dumps(report(photo, restorer, found, paths, compare)))
        return
    for r, path in zip(found, paths, strict=True):
        size = r.box.scaled(r.scale).size
        typer.echo(f"{path}: {size} px, {r.strategy}, {r.seconds:.2f} s")
    if compare is not None:
        typer.echo(f"{compare}: compared with nearest neighbour and bicubic")


def targets(photo: Path, boxes: Sequence[Box], scale: int, output: str | None) -> list[Path]:
    """Name the file of each box."""
    names = [default_name(photo, box, scale) for box in boxes]
    if output is None:
        return [Path(name) for name in names]
    path = Path(output)
    if path.is_dir() or output.endswith("/") or not path.suffix:
        return [path / name for name in names]
    if len(boxes) > 1 and "{n}" not in path.name:
        raise ConfigError(
            f"{output} is one file for {len(boxes)} boxes; give a folder, or a name with {{n}}: "
            f"{path.stem}-{{n}}{path.suffix}"
        )
    return [path.with_name(path.name.replace("{n}", str(n))) for n in range(1, len(boxes) + 1)]


def default_name(photo: Path, box: Box, scale: int) -> str:
    """Make a name that says what is in the file and that no shell trips over."""
    stem = re.sub(r"[^\w.-]+", "_", photo.stem).strip("._-") or "picture"
    stem = stem.encode(errors="replace")[:NAME].decode(errors="ignore")
    large = max(box.width, box.height) * scale > longest(photo)
    suffix = photo.suffix.lower() if photo.suffix.lower() in LOSSLESS and not large else ".png"
    return f"{stem}-{box.left}-{box.top}-{box.width}x{box.height}-x{scale}{suffix}"


def longest(path: Path) -> float:
    """Give the pixels that a side may have in the format of a name."""
    from localsr.images import FORMATS, LONGEST

    return LONGEST.get(FORMATS.get(path.suffix.lower(), ""), math.inf)


def refuse(photo: Path, boxes: Sequence[Box], scale: int, paths: Sequence[Path], compare: Path | None) -> None:
    """Refuse, before any work, names that cannot be or must not be written."""
    for box, path in zip(boxes, paths, strict=True):
        if max(box.width, box.height) * scale > longest(path):
            size = box.scaled(scale).size
            raise ConfigError(
                f"{path} would hold {size} px, but its format ends at {longest(path)} px a side; use .png"
            )
    from localsr.images import FORMATS

    wanted = [(path, tuple(FORMATS)) for path in paths]
    if compare is not None:
        from localsr.evaluation.figures import MAX_ROWS

        wanted.append((compare, (".png",)))
        if compare.resolve() in [path.resolve() for path in paths]:
            raise ConfigError(f"{compare} is named for the sheet and for a region; choose another name for one")
        if len(paths) > MAX_ROWS:
            raise ConfigError(f"a sheet shows at most {MAX_ROWS} regions, not {len(paths)}; leave out --compare")
    for path, suffixes in wanted:
        if path.suffix.lower() not in suffixes:
            raise ConfigError(f"{path} must end in {', '.join(suffixes)}")
        if path.is_dir():
            raise ConfigError(f"{path} is a folder; name a file in it")
        if path.exists() and path.samefile(photo):
            raise ConfigError(f"{path} is the photo itself, which is never replaced; choose another name")


def report(
    photo: Path, restorer: Restorer, found: Sequence[Restoration], paths: Sequence[Path], compare: Path | None
) -> dict[str, Any]:
    """Give what `--json` prints."""
    size = found[0].photo.size
    return {
        "input": str(photo),
        "size": [size.width, size.height],
        "model": {"name": restorer.card.name, "sha256": restorer.card.sha256},
        "scale": restorer.scale,
        "strategy": str(found[0].strategy),
        "regions": [
            {
                "box": [r.box.left, r.box.top, r.box.right, r.box.bottom],
                "output": str(path),
                "width": r.box.width * r.scale,
                "height": r.box.height * r.scale,
                "seconds": round(r.seconds, 4),
            }
            for r, path in zip(found, paths, strict=True)
        ],
    } | ({"compare": str(compare)} if compare is not None else {})
