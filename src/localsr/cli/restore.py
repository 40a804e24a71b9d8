"""`localsr restore`: regions of one picture, each into a file of its own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from localsr.cli.condition_options import ConditionOptions, condition_facts
from localsr.cli.exits import ExitCode
from localsr.cli.frame_options import FrameOptions, write_report
from localsr.cli.options import JsonLines, MaxMemory, SavingOptions, SizedNetworkOptions, StrategyOption, takes_groups
from localsr.cli.picture_options import PictureOptions, picture_facts
from localsr.cli.region_options import RegionOptions
from localsr.cli.result_files import ResultFiles
from localsr.cli.terminal import counted, progress_bar
from localsr.cli.tracking import Tracking, track_region
from localsr.errors import ConfigError

if TYPE_CHECKING:
    from localsr.geometry import Box, Size
    from localsr.images import Saving
    from localsr.inference.restoration import Restoration
    from localsr.inference.restorer import Restorer
    from localsr.inference.scene import Scene
    from localsr.inference.strategies import Strategy
    from localsr.regions import Found

BYTES_PER_KEPT_PIXEL = 64  # of --max-memory: 12 as it is, three times as much while it is written

PhotoPaths = Annotated[
    list[Path],
    typer.Argument(
        metavar="PHOTO...",
        help="A JPEG, PNG, TIFF, WebP, AVIF, GIF or BMP; a clip with --at; several with --together.",
        show_default=False,
    ),
]
Share = Annotated[
    bool,
    typer.Option("--share", help="Restore regions that crowd as one, where that is cheaper; pixels differ a little."),
]


class RestoredRegion(NamedTuple):
    """A region that is restored."""

    found: Found
    path: Path | None = None  # where it is written alone
    precision: str = ""  # that it was computed in
    seconds: float = 0.0
    frames: dict[str, Any] | None = None  # what each frame brought, where there are several


class WritingOptions(NamedTuple):
    """How regions are written."""

    saving: Saving
    share: bool
    shown: bool  # on a sheet or in a report, for which all are held
    most: int  # HR px of a result that is held
    keep: bool


@takes_groups
def restore_command(
    photos: PhotoPaths,
    *,
    frames: FrameOptions,
    picture: PictureOptions,
    regions: RegionOptions,
    files: ResultFiles,
    strategy: StrategyOption = None,
    network: SizedNetworkOptions,
    conditions: ConditionOptions,
    saving: SavingOptions,
    share: Share = False,
    max_memory: MaxMemory = None,
    as_json: JsonLines = False,
) -> None:
    """Restore regions of a picture, or of a frame with the help of its neighbours, enlarged 1 to 4 times.

    Nothing is written if a --box is bad; a bad one of --boxes is left out. Existing files are replaced, the photo
    itself never. Exit code 3: there was no region, or some were left out.
    """
    photo, several, wished = photos[0], frames.read(photos, picture), conditions.adjustment()
    opened = None if several is None else several.reference
    source, found, left_out = regions.find(photo, picture, silent=as_json, opened=opened)
    from localsr.inference.memory import tensor_room
    from localsr.inference.restoration import MAX_PIXELS_HELD
    from localsr.inference.strategies import Strategy

    chosen = Strategy.named(strategy) if strategy is not None else None
    restorer = network.load(files.sized(source, [one.box for one in found], network.size), max_memory)
    restorer.adjustment(*wished)
    if not files.whole_alone:
        found, unfit = regions.keep_fitting(found, restorer)
        left_out += unfit
    boxes = [one.box for one in found]
    if frames.track:
        if wished != (None, None):
            raise ConfigError("--track takes away what each frame shows; leave out --denoise and --deblur")
        tracking = Tracking(photo, boxes, frames, chosen, saving.saving)
        if not track_region(restorer, tracking, files, as_json=as_json):
            raise typer.Exit(ExitCode.INCOMPLETE)
        return
    paths = files.region_paths(photo, boxes, restorer)
    files.check(photos, source, boxes, restorer, paths, saving.saving)
    if frames.report is not None and not paths:
        raise ConfigError("--report is on regions in files of their own; with --into alone there are none, so add -o")
    if frames.report is not None and regions.boxes is not None:
        frames.check_report(Path(regions.boxes))
    if files.into is not None and share:
        raise ConfigError("--share is for regions in files of their own; leave it out with --into")
    scene, most = restorer.encode(several or source).adjusted(*wished), MAX_PIXELS_HELD
    if max_memory is not None:  # half for what is restored at once, half for what has been
        half = tensor_room(max_memory) // 2
        scene, most = scene.bounded(half), min(MAX_PIXELS_HELD, half // BYTES_PER_KEPT_PIXEL)
    is_shown, keep = files.compare is not None or frames.report is not None, files.into is not None
    how = WritingOptions(saving.saving, share, is_shown, most, keep)
    done, kept = write_results(scene, found, paths, chosen, how)
    shown = [kept[n].reduced(scene.enlargement) for n in range(len(boxes))] if is_shown else []
    if files.compare is not None:
        from localsr.drawing.compare import compare_sheet

        compare_sheet(files.compare, scene.photo, shown)
    if frames.report is not None and several is not None:
        write_report(frames.report, several, list(zip(shown, paths, strict=True)))
    if files.into is not None:
        from localsr.inference.paste import Pasting, paste

        pasting = Pasting(files.feather, files.same_size)
        with progress_bar("pasting") as progress:
            whole = paste(files.into, scene, boxes, chosen, pasting, progress, kept, saving.saving)
    notes = describe_left_out(scene, boxes, paths, files, saving.saving)
    joint = scene.planned(boxes, chosen, share=True) if share else None
    if as_json:
        answer = json_answer(photo, restorer, scene, chosen, done, files)
        answer |= {"notes": list(notes)} if notes else {}
        answer |= picture_facts(source)
        if joint is not None:
            answer |= {"pieces": joint.pieces, "gflops": round(joint.gflops, 3)}
        typer.echo(json.dumps(answer))
    else:
        print_regions(done, scene, scene.strategy(chosen), files.compare)
        if scene.conditions is not None:
            typer.echo(f"{photo}: restored as of {scene.conditions.described()}")
        if frames.report is not None:
            typer.echo(f"{frames.report}: the report, and {frames.report.with_suffix('.json').name} beside it")
        if joint is not None:
            pieces, gflops, apart = joint.pieces, joint.gflops, scene.planned(boxes, chosen).gflops
            typer.echo(f"{len(boxes)} regions in {pieces} pieces: {gflops:.1f} GFLOPs, one by one {apart:.1f}")
        if files.into is not None:
            print_pasted(files.into, whole, boxes, files.feather)
        for note in notes:
            typer.echo(note, err=True)
    if left_out:
        raise typer.Exit(ExitCode.INCOMPLETE)


def write_results(
    scene: Scene,
    found: Sequence[Found],
    paths: Sequence[Path],
    strategy: Strategy | None,
    how: WritingOptions,
) -> tuple[list[RestoredRegion], dict[int, Restoration]]:
    """Restore regions and write each as soon as it is ready; one of more than `most` pixels is written in pieces.

    Kept, by their numbers, are all that are `shown`, and with `keep` those that together have about `most` pixels.
    """
    most = how.most
    if not paths:
        return [RestoredRegion(one) for one in found], {}
    boxes = [one.box for one in found]
    if how.shown and any(box.area * scene.network_scale**2 > most for box in boxes):
        raise ConfigError(
            f"sheets and reports show regions of up to {most / 1e6:.0f} megapixels; leave out --compare and --report"
        )
    from localsr.inference.fused_restoration import FusedRestoration
    from localsr.inference.output import write_regions

    done: dict[int, RestoredRegion] = {}
    kept: dict[int, Restoration] = {}
    held = 0  # pixels of those kept
    targets = [nullcontext(path) for path in paths]
    with progress_bar("restoring") as progress:
        for region in write_regions(
            scene,
            boxes,
            targets,
            strategy,
            share=how.share,
            max_pixels=most,
            progress=progress,
            saving=how.saving,
        ):
            n, restoration = region.number, region.restoration
            frames = restoration.frames_as_dict() if isinstance(restoration, FusedRestoration) else None
            done[n] = RestoredRegion(found[n], paths[n], region.precision, region.seconds, frames)
            if restoration is not None and (how.shown or (how.keep and held < most)):
                kept[n], held = restoration, held + restoration.pixels[0].size
    return [done[n] for n in range(len(boxes))], kept


def describe_left_out(
    scene: Scene, boxes: Sequence[Box], paths: Sequence[Path], files: ResultFiles, saving: Saving
) -> tuple[str, ...]:
    """Return in sentences what the files could not take from the photo, each once."""
    from localsr.images import left_out

    notes: list[str] = []
    for path in paths[:1]:  # all have one format
        notes += left_out(path, scene.photo, scene.provenance(boxes[:1]), saving)
    if files.into is not None:
        made = scene.provenance(boxes, whole=True, same_size=files.same_size)
        notes += left_out(files.into, scene.photo, made, saving)
    return tuple(dict.fromkeys(notes))


def print_regions(done: Sequence[RestoredRegion], scene: Scene, strategy: Strategy, compare: Path | None) -> None:
    """Print what the files of regions hold."""
    for region in done:
        if region.path is not None:
            size = scene.size_of(region.found.box)
            typer.echo(
                f"{region.path}: {size} px, {strategy}{from_frames(region)}, {region.precision}, {region.seconds:.2f} s"
            )
    if compare is not None:
        fused = any(region.frames is not None for region in done)
        others = "bicubic and one frame" if fused else "nearest neighbour and bicubic"
        typer.echo(f"{compare}: compared with {others}")


def print_pasted(into: Path, size: Size, boxes: Sequence[Box], feather: int) -> None:
    """Print what the whole picture's file holds."""
    from localsr.inference.paste import rim

    rims = sorted({rim(box, feather) for box in boxes})
    width = f"a rim of {' to '.join(map(str, {rims[0], rims[-1]}))} px" if rims[-1] else "no rim"
    typer.echo(f"{into}: {size} px, {counted(len(boxes), 'region')} restored with {width}")


def from_frames(region: RestoredRegion) -> str:
    """Return from how many frames a region was made, and how much of it; nothing where there is only one."""
    if region.frames is None:
        return ""
    return f" from {1 + len(region.frames['used'])} frames ({region.frames['fused_share']:.0%} of it)"


def json_answer(
    photo: Path,
    restorer: Restorer,
    scene: Scene,
    strategy: Strategy | None,
    done: Sequence[RestoredRegion],
    files: ResultFiles,
) -> dict[str, Any]:
    """Return what `--json` prints."""
    boxes, size = [region.found.box for region in done], scene.photo.size
    made = scene.provenance(boxes, strategy, whole=files.whole_alone)
    return {
        "input": str(photo),
        "size": [size.width, size.height],
        "model": {"name": restorer.card.name, "sha256": restorer.card.sha256},
        **({} if restorer.enlargement.scale is None else {"scale": restorer.scale}),
        "strategy": made.strategy,
        "provenance": made.as_dict(),
        **condition_facts(scene.conditions),
        "regions": [region_as_dict(region, restorer) for region in done],
        **({} if files.compare is None else {"compare": str(files.compare)}),
        **({} if files.into is None else {"into": str(files.into)}),
    }


def region_as_dict(region: RestoredRegion, restorer: Restorer) -> dict[str, Any]:
    """Return what `--json` prints of a region."""
    box, label, score, _ = region.found
    answer: dict[str, Any] = {"box": [box.left, box.top, box.right, box.bottom]}
    answer |= {"label": label} if label else {}
    answer |= {} if score is None else {"score": round(score, 4)}
    if region.path is not None:
        answer["output"] = str(region.path)
        size = restorer.size_of(box)
        answer |= {"width": size.width, "height": size.height}
        answer |= {"scale": restorer.enlargement.factor(box.size)} if restorer.enlargement.scale is None else {}
        answer |= {"precision": region.precision, "seconds": round(region.seconds, 4)}
    answer |= {} if region.frames is None else {"frames": region.frames}
    return answer
