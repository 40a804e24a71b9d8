"""`localsr restore`: regions of one picture, each into a file of its own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from localsr.cli import outputs, regions
from localsr.cli.console import Device, MaxMemory, Model, Precision, Runtime, Scale, bar, loaded
from localsr.errors import ConfigError
from localsr.geometry import Size

if TYPE_CHECKING:
    from localsr.inference.restoration import Restoration
    from localsr.inference.restorer import Restorer
    from localsr.inference.scene import Scene
    from localsr.inference.strategies import Strategy
    from localsr.regions import Found

PIXEL = 64  # bytes of --max-memory for a pixel that is kept: 12 as it is, three times as much while it is written
FEATHER = 4  # LR px


PhotoPath = Annotated[Path, typer.Argument(metavar="PHOTO", help="A JPEG, PNG, TIFF, WebP or BMP.", show_default=False)]
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
    box: regions.Boxes = None,
    boxes: regions.BoxesFile = None,
    detect: regions.Detect = None,
    grow: regions.Grow = "0",
    min_size: regions.MinSize = 0,
    min_score: regions.MinScore = None,
    merge: regions.Merge = False,
    output: Output = None,
    scale: Scale = None,
    strategy: Way = None,
    model: Model = None,
    device: Device = "auto",
    precision: Precision = "fp32",
    runtime: Runtime = "torch",
    compare: Compare = None,
    clip: regions.Clip = False,
    share: Share = False,
    into: Into = None,
    same_size: SameSize = False,
    feather: Feather = FEATHER,
    max_memory: MaxMemory = None,
    as_json: Json = False,
) -> None:
    """Restore regions of a picture, enlarged 2, 3 or 4 times.

    Nothing is written if one of the boxes is bad. Existing files are replaced, the photo itself never. Exit code 3:
    there was no region.
    """
    want = regions.asked(photo, box, boxes, detect, grow, min_size, min_score, merge=merge, clip=clip)
    source, found = regions.opened(photo, want, silent=as_json)
    inside = [one.box for one in found]
    from localsr.images import loses_exif
    from localsr.inference.memory import room
    from localsr.inference.restoration import MAX_PIXELS_HELD
    from localsr.inference.strategies import Strategy

    way = Strategy.named(strategy) if strategy is not None else None
    restorer = loaded(runtime, model, scale, device=device, precision=precision, max_memory=max_memory)
    paths = outputs.targets(photo, inside, restorer.scale, output) if into is None or output is not None else []
    outputs.refuse(photo, inside, restorer.scale, paths, compare, into)
    if into is None and (same_size or feather != FEATHER):
        raise ConfigError("--same-size and --feather are for the whole picture; name its file with --into")
    side = max(source.size.width, source.size.height) * (1 if same_size else restorer.scale)
    if into is not None and side > outputs.longest(into):
        raise ConfigError(
            f"{into} would have {side} px a side, but its format ends at {outputs.longest(into)}; use .tif"
        )
    if into is not None and share:
        raise ConfigError("--share is for regions in files of their own; leave it out with --into")
    scene, most = restorer.encode(source), MAX_PIXELS_HELD
    if max_memory is not None:  # half for what is restored at once, half for what has been
        half = room(max_memory) // 2
        scene, most = scene.bounded(half), min(MAX_PIXELS_HELD, half // PIXEL)
    done, kept = restored(scene, found, paths, way, share=share, compare=compare, most=most, keep=into is not None)
    whole = None
    if into is not None:
        from localsr.inference.paste import Pasting, paste

        with bar("pasting") as progress:
            whole = paste(into, scene, inside, way, Pasting(feather, same_size), progress, kept)
    joint = scene.planned(inside, way, share=True) if share else None
    if as_json:
        told = report(photo, restorer, source.size, scene.strategy(way), done, compare, into)
        typer.echo(json.dumps(told | ({} if joint is None else {"pieces": joint[0], "gflops": round(joint[1], 3)})))
        return
    for r in done:
        if r.path is not None:
            typer.echo(f"{r.path}: {r.found.box.scaled(scene.scale).size} px, {scene.strategy(way)}, {r.seconds:.2f} s")
    if compare is not None:
        typer.echo(f"{compare}: compared with nearest neighbour and bicubic")
    if joint is not None:
        (pieces, gflops), (_, apart) = joint, scene.planned(inside, way)
        typer.echo(f"{len(inside)} regions in {pieces} pieces: {gflops:.1f} GFLOPs, one by one {apart:.1f}")
    if into is not None:
        from localsr.inference.paste import rim as width

        rims = sorted({width(box, feather) for box in inside})
        rim = f"a rim of {' to '.join(map(str, {rims[0], rims[-1]}))} px" if rims[-1] else "no rim"
        count = f"{len(inside)} region{'s' if len(inside) > 1 else ''}"
        typer.echo(f"{into}: {whole} px, {count} restored with {rim}")
        if loses_exif(into, source):
            typer.echo(f"the photo's EXIF is left out: {into.suffix} takes none here", err=True)


class Region(NamedTuple):
    """A region that is restored."""

    found: Found
    path: Path | None = None  # where it is written alone
    seconds: float = 0.0


def restored(
    scene: Scene,
    found: Sequence[Found],
    paths: Sequence[Path],
    way: Strategy | None,
    *,
    share: bool,
    compare: Path | None,
    most: int,
    keep: bool,
) -> tuple[list[Region], dict[int, Restoration]]:
    """Restore boxes and write each as soon as it is there; of more than `most` pixels, to its file in pieces.

    Kept are those of a sheet and, with `keep`, as many as have `most` pixels in all.
    """
    if not paths:
        return [Region(one) for one in found], {}
    boxes = [one.box for one in found]
    if compare is not None and any(box.area * scene.scale**2 > most for box in boxes):
        raise ConfigError(f"a sheet shows regions of up to {most / 1e6:.0f} megapixels; leave out --compare")
    from localsr.inference.output import write_regions

    done: dict[int, Region] = {}
    kept: dict[int, Restoration] = {}
    held = 0  # pixels of them
    files = [nullcontext(path) for path in paths]
    with bar("restoring") as progress:
        for region in write_regions(scene, boxes, files, way, share=share, max_pixels=most, progress=progress):
            n, restoration = region.number, region.restoration
            done[n] = Region(found[n], paths[n], region.seconds)
            if restoration is not None and (compare is not None or (keep and held < most)):
                kept[n], held = restoration, held + restoration.pixels[0].size
    if compare is not None:
        from localsr.drawing.compare import compare_sheet

        compare_sheet(compare, scene.photo, [kept[n] for n in range(len(boxes))])
    return [done[n] for n in range(len(boxes))], kept


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
        "regions": [described(r, restorer.scale) for r in done],
        **({} if compare is None else {"compare": str(compare)}),
        **({} if into is None else {"into": str(into)}),
    }


def described(region: Region, scale: int) -> dict[str, Any]:
    """Give what `--json` prints of a region."""
    box, label, score, _ = region.found
    told: dict[str, Any] = {"box": [box.left, box.top, box.right, box.bottom]}
    told |= {"label": label} if label else {}
    told |= {} if score is None else {"score": round(score, 4)}
    if region.path is not None:
        told["output"] = str(region.path)
        told |= {"width": box.width * scale, "height": box.height * scale, "seconds": round(region.seconds, 4)}
    return told
