"""A report on regions made from several frames, to be filed: JSON, and an HTML page that needs no other file."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from localsr import images
from localsr.drawing.marks import mark_box
from localsr.drawing.sheet import Drawing
from localsr.errors import ConfigError
from localsr.files import write_whole
from localsr.frames.alignment import PHASES, FrameUse, phase, shift_within
from localsr.frames.fusion import Plane
from localsr.frames.reading import Frames
from localsr.geometry import Box, Size
from localsr.html_pages import data_url, render_page
from localsr.inference.fused_restoration import FusedRestoration
from localsr.inference.restoration import Restoration

WARNING = (
    "This region is computed. It shows what the frames make likely, and letters, digits or a face in it may be wrong. "
    "It may be used as a lead to follow, together with the frames that it was made from. It may not be used as "
    "evidence of what was there, nor to identify a person or a vehicle by itself."
)
METHOD = (
    "The region was found in each frame by an affine map (Gauss-Newton, with gain and offset of the light). Each pixel "
    "of a frame counts by how well it agrees with the reference, against noise and local contrast. The weighted mean "
    "went through the network, and the result was moved towards the frames' own pixels. A gate then compared it, pixel "
    "by pixel, with the result of the reference alone: by which of them predicts a frame better that neither was "
    "made from. What did not pass is the single frame's."
)
PACKAGES = (
    "numpy",
    "torch",
    "onnxruntime",
    "opencv-python-headless",
    "av",
    "pillow",
)  # decide pixels
PREVIEW_SIDE = 720  # px of the reference on the page
SHOWN_SIDE = 420  # px that a region has on the page at least
STRIP_SIDE = 120  # the same of a frame in the strip


class FrameView(NamedTuple):
    """What a frame shows of a region."""

    name: str
    png: bytes
    weights: bytes | None  # PNG: white where the frame counts in full; None for the reference, which always does


@dataclass(frozen=True)
class RegionReport:
    """What is reported on one region.

    Attributes:
        restoration: The region.
        file: Where it was written, if it was.
    """

    restoration: Restoration
    file: Path | None = None

    def as_dict(self, frames: Frames) -> dict[str, Any]:
        """Return it as JSON has it."""
        one = self.restoration
        found: dict[str, Any] = {
            "box": [one.box.left, one.box.top, one.box.right, one.box.bottom],
            "scale": one.scale,
            "strategy": str(one.strategy),
            "precision": one.precision,
            "file": None if self.file is None else str(self.file),
            "file_sha256": None if self.file is None else hashlib.sha256(self.file.read_bytes()).hexdigest(),
            "pixels_sha256": hashlib.sha256(
                np.ascontiguousarray(one.pixels).tobytes()
            ).hexdigest(),  # float32 (3, h, w)
            "fused": isinstance(one, FusedRestoration) and bool(one.weights),
        }
        if not isinstance(one, FusedRestoration):
            return found
        hashes = {frame.name: frame.picture.sha256() for frame in frames.others}
        used, left_out = [use for use in one.uses if use.used], [use for use in one.uses if not use.used]
        return found | {
            "used": [_used(use, one.weights, hashes) for use in used],
            "left_out": [
                {"frame": use.name, "reason": use.reason, "sha256": hashes.get(use.name, "")} for use in left_out
            ],
            "phases": {"covered": len({(0, 0), *(phase(use.motion) for use in used)}), "of": PHASES**2},
            "passed_the_gate": round(float(one.share.mean()), 4),
        }


def write_frame_report(path: str | PathLike[str], frames: Frames, regions: Sequence[RegionReport]) -> Path:
    """Write a report on regions of the same frames: the page at `path`, and beside it the same as JSON.

    Returns the path of the JSON. `ConfigError` for a name that is no page's, `OutputError` where it cannot be written.
    """
    page = Path(path)
    if page.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"{page} must end in .html; JSON is written beside it, and a browser prints the page as PDF")
    told = [region.as_dict(frames) for region in regions]
    values = {"warning": WARNING, "method": METHOD, **_facts(frames, regions[0].restoration), "regions": told}
    write_whole(page.with_suffix(".json"), json.dumps(values, indent=1).encode())
    shown: dict[str, Any] = {
        "title": f"Regions of {values['source']} at {values['reference']}",
        "preview": _preview(frames, regions),
        "shown": [(each, _pictures(frames, one.restoration)) for each, one in zip(told, regions, strict=True)],
    }
    write_whole(page, render_page("localsr.drawing", "frame_report.html.jinja", {"data": data_url}, **values, **shown))
    return page.with_suffix(".json")


def _facts(frames: Frames, one: Restoration) -> dict[str, Any]:
    """Return what all regions share."""
    return {
        "source": frames.reference.name or "frames in memory",
        "source_sha256": frames.reference.sha256(),
        "size": [frames.reference.size.width, frames.reference.size.height],
        "reference": frames.name,
        "reference_sha256": (frames.decoded or frames.reference).sha256(),
        "network": one.model,
        "network_sha256": one.sha256,
        "software": one.provenance.software,
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _version(name: str) -> str:
    """Return an installed package's version."""
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _used(use: FrameUse, weights: dict[str, NDArray[np.float32]], hashes: dict[str, str]) -> dict[str, Any]:
    """Return what is said of a frame that was used."""
    weight = weights.get(use.name)
    return {
        "frame": use.name,
        "sha256": hashes.get(use.name, ""),
        "correlation": round(use.correlation, 4),
        "motion": [round(px, 3) for px in use.motion],
        "weight": None if weight is None else round(float(weight.mean()), 4),
    }


def _pictures(frames: Frames, one: Restoration) -> dict[str, Any]:
    """Return the pictures of a region as PNG: single, fused, the gate, the sum of weights, and each frame's window."""
    if not isinstance(one, FusedRestoration):
        return {"single": _png(images.srgb(one.pixels, one.photo)), "strip": []}
    found: dict[str, Any] = {
        "single": _png(images.srgb(one.single, one.photo)),
        "fused": _png(images.srgb(one.pixels, one.photo)),
        "gate": _png(_grey(one.share)),
    }
    if one.weights:
        total = 1 + np.sum(list(one.weights.values()), axis=0)
        found["weights"], found["most"] = _png(_grey(total / (1 + len(one.weights)))), 1 + len(one.weights)
    return found | {"strip": frame_strip(frames, one.box, one.uses, one.weights)}


def frame_strip(
    frames: Frames, box: Box, uses: Sequence[FrameUse], weights: Mapping[str, Plane] = MappingProxyType({})
) -> list[FrameView]:
    """Return what the reference and each used frame show of a box, the reference first."""
    pictures, size = {frame.name: frame.picture for frame in frames.others}, frames.reference.size
    strip = [FrameView(frames.name, _png(_levels(frames.reference.window(box)), STRIP_SIDE), None)]
    for use in (use for use in uses if use.used):
        shown = pictures[use.name].window(box.shifted(*shift_within(box, size, use.motion)))
        weight = None if use.name not in weights else _png(_grey(weights[use.name]), STRIP_SIDE)
        strip.append(FrameView(use.name, _png(_levels(shown), STRIP_SIDE), weight))
    return strip


def _preview(frames: Frames, regions: Sequence[RegionReport]) -> bytes:
    """Return the reference with the regions marked, as PNG."""
    small = frames.reference.preview(PREVIEW_SIDE)
    image = Image.fromarray(small)
    for region in regions:
        mark_box(image, (0, 0), Size(small.shape[1], small.shape[0]), region.restoration.box, frames.reference.size)
    return _png(np.asarray(image), 0)


def _levels(pixels: NDArray[np.float32]) -> Drawing:
    """Return `(3, h, w)` in [0, 1] as `(h, w, 3)` in 8 bits."""
    levels: Drawing = np.rint(pixels.transpose(1, 2, 0) * 255).clip(0, 255).astype(np.uint8)
    return levels


def _grey(plane: NDArray[np.float32]) -> Drawing:
    """Return `(h, w)` in [0, 1] as a grey drawing."""
    return _levels(np.repeat(plane[None], 3, 0))


def _png(drawing: Drawing, side: int = SHOWN_SIDE) -> bytes:
    """Return a drawing as PNG, enlarged by a whole factor until its longer side has about `side` px."""
    factor = max(1, round(side / max(drawing.shape[:2])))
    buffer = io.BytesIO()
    Image.fromarray(drawing.repeat(factor, 0).repeat(factor, 1)).save(buffer, "PNG")
    return buffer.getvalue()
