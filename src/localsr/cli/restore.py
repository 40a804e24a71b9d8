"""`localsr restore`: regions of one picture, each into a file of its own."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from localsr.cli.console import Device, MaxMemory, Model, Precision, Runtime, Scale, bar, loaded
from localsr.errors import ConfigError
from localsr.geometry import Box, Size

if TYPE_CHECKING:
    from localsr.images import Photo
    from localsr.inference.restoration import Restoration
    from localsr.inference.restorer import Restorer
    from localsr.inference.scene import Scene
    from localsr.inference.strategies import Strategy

LOSSLESS = (".png", ".tif", ".tiff", ".webp")  # suffixes that a default name keeps; .png for any other
LARGE = 2**26  # pixels of a region from which it is not kept in memory: 0.8 GB
PIXEL = 64  # bytes of --max-memory for a pixel that is kept: 12 as it is, three times as much while it is written
FEATHER = 4  # LR px
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
    runtime: Runtime = "torch",
    compare: Compare = None,
    clip: Clip = False,
    share: Share = False,
    into: Into = None,
    same_size: SameSize = False,
    feather: Feather = FEATHER,
    max_memory: MaxMemory = None,
    as_json: Json = False,
) -> None:
    """Restore regions of a picture, enlarged 2, 3 or 4 times.

    Nothing is written if one of the boxes is bad. Existing files are replaced, the photo itself never.
    """
    source, inside = opened(photo, box, clip=clip)
    from localsr.inference.strategies import Strategy

    way = Strategy.named(strategy) if strategy is not None else None
    restorer = loaded(runtime, model, scale, device=device, precision=precision, max_memory=max_memory)
    paths = targets(photo, inside, restorer.scale, output) if into is None or output is not None else []
    refuse(photo, inside, restorer.scale, paths, compare, into)
    if into is None and (same_size or feather != FEATHER):
        raise ConfigError("--same-size and --feather are for the whole picture; name its file with --into")
    side = max(source.size.width, source.size.height) * (1 if same_size else restorer.scale)
    if into is not None and side > longest(into):
        raise ConfigError(f"{into} would have {side} px a side, but its format ends at {longest(into)}; use .tif")
    if into is not None and share:
        raise ConfigError("--share is for regions in files of their own; leave it out with --into")
    scene = restorer.encode(source)
    done = regions(scene, inside, paths, way, share=share, compare=compare, max_memory=max_memory)
    whole = None
    if into is not None:
        from localsr.inference.paste import Pasting, paste

        with bar("pasting") as progress:
            whole = paste(into, scene, inside, way, Pasting(feather, same_size), progress)
    if as_json:
        typer.echo(json.dumps(report(photo, restorer, source.size, scene.strategy(way), done, compare, into)))
        return
    for r in done:
        typer.echo(f"{r.path}: {r.box.scaled(scene.scale).size} px, {scene.strategy(way)}, {r.seconds:.2f} s")
    if compare is not None:
        typer.echo(f"{compare}: compared with nearest neighbour and bicubic")
    if into is not None:
        rim = f"a rim of {feather} px" if feather else "no rim"
        count = f"{len(inside)} region{'s' if len(inside) > 1 else ''}"
        typer.echo(f"{into}: {whole} px, {count} restored with {rim}")


def opened(photo: Path, box: Sequence[str], *, clip: bool) -> tuple[Photo, list[Box]]:
    """Read boxes and the picture's header, and judge both before torch is loaded."""
    boxes = [Box.parse(text) for text in box]
    from localsr import images

    with bar("decoding") as progress:
        source = images.read(photo, progress)
    return source, [b.clipped(source.size) if clip else b.checked(source.size) for b in boxes]


class Region(NamedTuple):
    """A region that is written."""

    box: Box
    path: Path
    seconds: float


def regions(
    scene: Scene,
    boxes: Sequence[Box],
    paths: Sequence[Path],
    way: Strategy | None,
    *,
    share: bool,
    compare: Path | None,
    max_memory: int | None,
) -> list[Region]:
    """Restore boxes and write each as soon as it is there; what does not fit in memory goes to its file in pieces."""
    if not paths:
        return []
    from localsr.inference.paste import write_large

    most = LARGE if max_memory is None else min(LARGE, max_memory * 2**20 // PIXEL)
    done: dict[int, Region] = {}
    kept: dict[int, Restoration] = {}
    large = [n for n, box in enumerate(boxes) if box.area * scene.scale**2 > most]
    small = [n for n in range(len(boxes)) if n not in large]
    if large and compare is not None:
        raise ConfigError(f"a sheet shows regions of up to {most / 1e6:.0f} megapixels; leave out --compare")
    with bar("restoring") as progress:
        for k, r in scene.stream([boxes[n] for n in small], way, share=share, progress=progress):
            n = small[k]
            r.save(paths[n])
            done[n] = Region(r.box, paths[n], r.seconds)
            if compare is not None:
                kept[n] = r
    for n in large:
        began = time.perf_counter()
        with bar(f"restoring {paths[n].name}") as progress:
            write_large(paths[n], scene, boxes[n], way, progress)
        done[n] = Region(boxes[n], paths[n], time.perf_counter() - began)
    if compare is not None:
        from localsr.evaluation.figures import compare_sheet

        compare_sheet(compare, scene.photo, [kept[n] for n in small])
    return [done[n] for n in range(len(boxes))]


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


def refuse(
    photo: Path, boxes: Sequence[Box], scale: int, paths: Sequence[Path], compare: Path | None, into: Path | None
) -> None:
    """Refuse, before any work, names that cannot be or must not be written."""
    if compare is not None and not paths:
        raise ConfigError("--compare shows regions; with --into alone there are none, so name their files with -o")
    for box, path in zip(boxes, paths, strict=False):
        if max(box.width, box.height) * scale > longest(path):
            size = box.scaled(scale).size
            raise ConfigError(
                f"{path} would hold {size} px, but its format ends at {longest(path)} px a side; use .png"
            )
    from localsr.images import FORMATS

    wanted = [(path, tuple(FORMATS)) for path in ([] if into is None else [into]) + list(paths)]
    if compare is not None:
        from localsr.evaluation.figures import MAX_ROWS

        wanted.append((compare, (".png",)))
        if compare.resolve() in [path.resolve() for path in paths]:
            raise ConfigError(f"{compare} is named for the sheet and for a region; choose another name for one")
        if len(paths) > MAX_ROWS:
            raise ConfigError(f"a sheet shows at most {MAX_ROWS} regions, not {len(paths)}; leave out --compare")
    if into is not None and into.resolve() in [path.resolve() for path, _ in wanted[1:]]:
        raise ConfigError(f"{into} is named for the picture and for something else; choose another name for one")
    for path, suffixes in wanted:
        if path.suffix.lower() not in suffixes:
            raise ConfigError(f"{path} must end in {', '.join(suffixes)}")
        if path.is_dir():
            raise ConfigError(f"{path} is a folder; name a file in it")
        if path.exists() and path.samefile(photo):
            raise ConfigError(f"{path} is the photo itself, which is never replaced; choose another name")


def report(
    photo: Path,
    restorer: Restorer,
    size: Size,
    strategy: Strategy,
    done: Sequence[Region],
    compare: Path | None,
    into: Path | None,
) -> dict[str, Any]:
    """Give what `--json` prints."""
    return {
        "input": str(photo),
        "size": [size.width, size.height],
        "model": {"name": restorer.card.name, "sha256": restorer.card.sha256},
        "scale": restorer.scale,
        "strategy": str(strategy),
        "regions": [
            {
                "box": [r.box.left, r.box.top, r.box.right, r.box.bottom],
                "output": str(r.path),
                "width": r.box.width * restorer.scale,
                "height": r.box.height * restorer.scale,
                "seconds": round(r.seconds, 4),
            }
            for r in done
        ],
        **({} if compare is None else {"compare": str(compare)}),
        **({} if into is None else {"into": str(into)}),
    }
