"""`localsr restore --track`: one region of a clip in frame after frame, as a clip or as numbered pictures."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

from localsr.cli.frame_options import FrameOptions
from localsr.cli.result_files import ResultFiles, default_name
from localsr.cli.terminal import counted, progress_bar
from localsr.errors import ConfigError, TrackLostError

if TYPE_CHECKING:
    from localsr.geometry import Box
    from localsr.images import Saving
    from localsr.inference.restorer import Restorer
    from localsr.inference.strategies import Strategy
    from localsr.inference.tracking import TrackedRegion

DIGITS = 5  # of the number in a picture's name


class Tracking(NamedTuple):
    """What is tracked."""

    clip: Path
    boxes: list[Box]
    frames: FrameOptions
    strategy: Strategy | None
    saving: Saving


def track_region(restorer: Restorer, asked: Tracking, files: ResultFiles, *, as_json: bool) -> bool:
    """Restore a region wherever it moves, and say what was written; False where the track was lost."""
    if len(asked.boxes) != 1:
        raise ConfigError(f"--track follows one region, not {len(asked.boxes)}; give one --box, and run it for each")
    if files.into is not None or files.compare is not None:
        raise ConfigError("--track writes the region alone; leave out --into and --compare")
    box, lost, told = asked.boxes[0], "", list[dict[str, Any]]()
    target = clip_target(files.output, asked.clip, box, restorer)
    with progress_bar("tracking") as progress, writing_regions(target, asked) as write:
        tracked = restorer.track(
            asked.clip,
            box,
            at=asked.frames.moment or 0.0,
            until=asked.frames.last_moment,
            count=asked.frames.frames,
            strategy=asked.strategy,
            progress=progress,
        )
        try:
            for number, region in enumerate(tracked, 1):
                told.append(region_facts(region) | {"output": str(write(number, region))})
        except TrackLostError as error:
            lost = error.told("command")
    if as_json:
        card, size = restorer.card, restorer.size_of(box)
        answer: dict[str, Any] = {"input": str(asked.clip), "model": {"name": card.name, "sha256": card.sha256}}
        answer |= {"scale": restorer.scale, "width": size.width, "height": size.height, "frames": told}
        typer.echo(json.dumps(answer | ({"lost": lost} if lost else {})))
    else:
        size, first, last = restorer.size_of(box), told[0]["seconds"], told[-1]["seconds"]
        typer.echo(f"{target}: {size} px, {counted(len(told), 'frame')} from {first:.3f} s to {last:.3f} s")
    if lost:
        typer.echo(f"localsr: {lost}", err=True)
    return not lost


def region_facts(region: TrackedRegion) -> dict[str, Any]:
    """Return what `--json` prints of a frame."""
    from localsr.inference.fused_restoration import FusedRestoration

    box = region.restoration.box
    found: dict[str, Any] = {"seconds": round(region.seconds, 6), "box": [box.left, box.top, box.right, box.bottom]}
    found |= {"place": [round(px, 3) for px in region.place], "correlation": round(region.correlation, 4)}
    if isinstance(region.restoration, FusedRestoration):
        brought = region.restoration.frames_as_dict()
        found |= {"used": len(brought["used"]) + 1, "fused_share": brought["fused_share"]}
    return found


def clip_target(output: str | None, clip: Path, box: Box, restorer: Restorer) -> Path:
    """Return the clip to write, or a name of pictures with {n} in it."""
    from localsr.frames.writing import WRITTEN_SUFFIX
    from localsr.images import FORMATS

    name = default_name(clip, box, restorer.enlargement)
    if output is None:
        return Path(name).with_suffix(WRITTEN_SUFFIX)
    path = Path(output)
    if path.is_dir() or output.endswith("/") or not path.suffix:
        return path / f"{Path(name).stem}-{{n}}.png"
    suffix = path.suffix.lower()
    if suffix not in (WRITTEN_SUFFIX, *FORMATS):
        raise ConfigError(f"{output} must end in {', '.join((WRITTEN_SUFFIX, *FORMATS))}, or be a folder")
    if suffix in FORMATS and "{n}" not in path.name:
        raise ConfigError(f"{output} is one picture for many frames; give a .mp4, a folder, or a name with {{n}}")
    if path.exists() and path.samefile(clip):
        raise ConfigError(f"{output} is the clip itself, which is never replaced; choose another name")
    return path


@contextmanager
def writing_regions(target: Path, asked: Tracking) -> Iterator[Callable[[int, TrackedRegion], Path]]:
    """Yield what writes a frame's region, and returns the file that it is in."""
    from localsr.frames.writing import WRITTEN_SUFFIX, writing_clip

    if target.suffix.lower() != WRITTEN_SUFFIX:

        def picture(number: int, region: TrackedRegion) -> Path:
            path = target.with_name(target.name.replace("{n}", f"{number:0{DIGITS}}"))
            region.restoration.save(path, asked.saving)
            return path

        yield picture
        return
    with writing_clip(target) as writer:

        def frame(number: int, region: TrackedRegion) -> Path:
            if number == 1 and asked.saving.provenance:
                writer.say(region.restoration.provenance)
            writer.add(region.restoration.pixels, region.seconds)
            return target

        yield frame
