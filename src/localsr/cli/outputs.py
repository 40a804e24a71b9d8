"""What the files of `localsr restore` are called, and which names are refused before any work."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path

from localsr.errors import ConfigError
from localsr.geometry import Box

LOSSLESS = (".png", ".tif", ".tiff", ".webp")  # suffixes that a default name keeps; .png for any other
NAME = 180  # bytes of a photo's name in a default name; file systems take 255 in all


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
    from localsr.images import FORMATS, MAX_SIDES

    return MAX_SIDES.get(FORMATS.get(path.suffix.lower(), ""), math.inf)


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
        from localsr.drawing.compare import MAX_ROWS

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
