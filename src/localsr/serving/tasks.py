"""What a worker does: each task takes a request as JSON and gives facts as JSON; pictures go to files beside."""

from __future__ import annotations

import json
import zipfile
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from localsr import images
from localsr.errors import ConfigError, LocalSRError
from localsr.geometry import Box, Size, whole
from localsr.images import Photo
from localsr.images.vips import Pixels
from localsr.inference.cost import Flops
from localsr.inference.output import write_regions
from localsr.inference.paste import Pasting, paste
from localsr.inference.restoration import MAX_PIXELS_HELD_BY_WORKER, bicubic, enlarged_alpha
from localsr.inference.restorer import OFFERED, Restorer
from localsr.inference.scene import Scene
from localsr.inference.strategies import Strategy
from localsr.onnx.restorer import load
from localsr.progress import Progress
from localsr.serving.limits import MEGABYTE

TILE = 256  # px
OVERVIEW = 4096  # px; tiles of what is shown smaller are cut from one copy of this size
MOST = 64  # pictures kept open at once, however small: each has a descriptor

Job = dict[str, Any]


class TooLargeError(LocalSRError):
    """An answer that would be larger than is given."""


class Open(NamedTuple):
    """A picture that is at hand."""

    photo: Photo
    scenes: dict[str, Scene]
    overview: dict[str, Photo]  # "": the picture shrunk to OVERVIEW, once a tile has needed it

    @property
    def bytes(self) -> int:
        """What it takes, decoded, in memory or in the cache folder."""
        kept = sum(photo.size.width * photo.size.height * 3 for photo in self.overview.values())
        return self.photo.size.width * self.photo.size.height * self.photo.bands * self.photo.depth // 8 + kept


class Tasks:
    """Networks, and the pictures used last, within a budget of bytes."""

    def __init__(self, networks: Sequence[str], runtime: str, memory: int, megapixels: int, output: int) -> None:
        """Load the networks and run each once, so that the first request does not wait for libraries."""
        self._restorers = {Path(name).stem: load(runtime, name) for name in networks or OFFERED}
        names = list(self._restorers)
        self._default = next((name for name in OFFERED if name in names), names[0])
        self._budget, self._megapixels, self._output = memory * MEGABYTE, megapixels, output
        self._open: OrderedDict[str, Open] = OrderedDict()
        noise = np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)
        scene = self._restorers[self._default].encode(images.read(noise))
        with Flops():  # whose first count loads 800 modules
            scene.restore(Box(16, 16, 80, 80))

    def networks(self) -> list[dict[str, Any]]:
        """Say what can be asked for."""
        noise = images.read(np.zeros((8, 8, 3), np.uint8))
        return [
            {
                "name": name,
                "scale": restorer.scale,
                "strategies": [str(way) for way in restorer.encode(noise).strategies],
                "default": name == self._default,
                "description": _described(restorer),
            }
            for name, restorer in self._restorers.items()
        ]

    def open(self, job: Job, progress: Progress) -> Job:
        """Judge a picture by its header."""
        photo = self._opened(job["picture"], progress).photo
        return {
            "width": photo.size.width,
            "height": photo.size.height,
            "depth": photo.depth,
            "alpha": photo.has_alpha,
            "tiles": {"size": TILE, "levels": levels(photo.size)},
        }

    def forget(self, picture: str) -> None:
        """Close a picture that nobody may ask for any more."""
        self._open.pop(picture, None)

    def tile(self, job: Job, progress: Progress) -> Job:
        """Cut a tile of the Deep Zoom pyramid."""
        found = self._opened(job["picture"], progress)
        photo, factor = found.photo, 2 ** (levels(found.photo.size) - 1 - job["level"])
        corner = Box.from_xywh(job["column"], job["row"], 1, 1).scaled(TILE * factor)
        box = corner.clipped(photo.size)
        coarse = 2 ** max(levels(photo.size) - levels(Size(OVERVIEW, 1)), 0)
        if 1 < coarse <= factor:
            if not found.overview:
                found.overview[""] = images.read(photo.shrunk(whole(photo.size), _reduced(photo.size, coarse)))
            photo, box, factor = found.overview[""], _covering(box, coarse), factor // coarse
        pixels = photo.shrunk(box, _reduced(box.size, factor))
        self._written(job, pixels.transpose(2, 0, 1).astype(np.float32) / np.float32(255), None, images.read(pixels))
        return {}

    def restore(self, job: Job, progress: Progress) -> Job:
        """Restore boxes: one picture, or a zip of them with an index."""
        scene, boxes = self._asked(job, progress)
        self._fits(sum(box.area for box in boxes) * scene.scale**2)
        folder, suffix, way = Path(job["folder"]), job["format"], scene.strategy(job["strategy"])
        network = job["network"] or self._default
        if len(boxes) == 1:
            path = folder / f"result.{suffix}"
            return self._restored(scene, boxes, [path], way, progress, network)[0]
        names = [f"{n}-{b.left}-{b.top}-{b.width}x{b.height}-x{scene.scale}.{suffix}" for n, b in enumerate(boxes, 1)]
        facts = self._restored(scene, boxes, [folder / name for name in names], way, progress, network)
        index = [{"name": name, **fact} for name, fact in zip(names, facts, strict=True)]
        with zipfile.ZipFile(folder / "result.zip", "w") as bundle:
            for name in names:
                bundle.write(folder / name, name)
            bundle.writestr("index.json", json.dumps({"pictures": index}, indent=1))
        return {**facts[0], "seconds": sum(f["seconds"] for f in facts), "gflops": sum(f["gflops"] for f in facts)}

    def bicubic(self, job: Job, progress: Progress) -> Job:
        """Enlarge a box by bicubic, to compare with."""
        photo = self._opened(job["picture"], progress).photo
        box = Box(*job["boxes"][0]).checked(photo.size)
        self._fits(box.area * job["scale"] ** 2)
        alpha = enlarged_alpha(photo, box, job["scale"])
        self._written(job, bicubic(photo, box, job["scale"]), alpha, photo)
        return {}

    def cost(self, job: Job, progress: Progress) -> Job:
        """Tell what boxes would cost, by strategy."""
        scene, boxes = self._asked(job, progress)
        bills = scene.cost(boxes)
        return {
            str(way): {
                "gflops": round(bill.gflops + bill.gflops_scene, 3),
                "seconds": round(bill.seconds, 4),
                "megabytes": round(bill.megabytes),
            }
            for way, bill in bills.items()
        }

    def attention(self, job: Job, progress: Progress) -> Job:
        """Tell which patches the network drew on for a box."""
        scene, boxes = self._asked(job, progress)
        found = scene.attention(boxes[0])
        patches = [{**sides(p), "weight": w} for p, w in zip(found.patches, found.shares, strict=True)]
        return {"box": sides(found.box), "patches": patches}

    def paste(self, job: Job, progress: Progress) -> Job:
        """Put restored boxes back into their picture."""
        scene, boxes = self._asked(job, progress)
        self._fits(whole(scene.photo.size).area * (1 if job["same_size"] else scene.scale**2))
        path = Path(job["folder"]) / f"result.{job['format']}"
        way = scene.strategy(job["strategy"])
        paste(path, scene, boxes, way, Pasting(job["feather"], job["same_size"]), progress)
        return {"scale": 1 if job["same_size"] else scene.scale, "strategy": str(way)}

    def _opened(self, picture: Job, progress: Progress) -> Open:
        """Give a picture that is at hand, or open it and close those that were used longest ago."""
        key = picture["id"]
        if key not in self._open:
            most = {} if picture["any_size"] else {"max_pixels": self._megapixels * 10**6}
            self._open[key] = Open(images.read(Path(picture["path"]), progress, **most), {}, {})
        self._open.move_to_end(key)
        while len(self._open) > 1 and (
            len(self._open) > MOST or sum(each.bytes for each in self._open.values()) > self._budget
        ):
            self._open.popitem(last=False)
        return self._open[key]

    def _asked(self, job: Job, progress: Progress) -> tuple[Scene, list[Box]]:
        """Give the scene and the boxes of a request."""
        name = job["network"] or self._default
        if name not in self._restorers:
            raise ConfigError(f"no network {name!r}; choose one of {', '.join(self._restorers)}")
        found = self._opened(job["picture"], progress)
        boxes = [Box(*box).checked(found.photo.size) for box in job["boxes"]]
        if name not in found.scenes:
            found.scenes[name] = self._restorers[name].encode(found.photo)
        return found.scenes[name], boxes

    def _fits(self, pixels: int) -> None:
        """Refuse an answer that is too large."""
        if pixels > self._output * 10**6:
            raise TooLargeError(f"it would have {pixels / 1e6:.1f} megapixels; an answer has at most {self._output}")

    def _restored(
        self, scene: Scene, boxes: list[Box], paths: list[Path], way: Strategy, progress: Progress, network: str
    ) -> list[Job]:
        """Write each box and give its facts."""
        seconds = [0.0] * len(boxes)
        files = [nullcontext(path) for path in paths]
        with Flops() as counted:
            written = write_regions(scene, boxes, files, way, max_pixels=MAX_PIXELS_HELD_BY_WORKER, progress=progress)
            for region in written:
                seconds[region.number] = region.seconds
        made = {"scale": scene.scale, "strategy": str(way), "network": network}
        each = counted.total / 1e9 / sum(box.area for box in boxes)  # shared by area, as seconds are
        return [
            {"box": sides(box), **made, "seconds": spent, "gflops": each * box.area}
            for box, spent in zip(boxes, seconds, strict=True)
        ]

    def _written(self, job: Job, pixels: Pixels, alpha: Pixels | None, like: Photo) -> None:
        """Write the answer's picture."""
        images.write(Path(job["folder"]) / f"result.{job['format']}", pixels, alpha, like)


def sides(box: Box) -> dict[str, int]:
    """Give a box as JSON has it."""
    return {"left": box.left, "top": box.top, "right": box.right, "bottom": box.bottom}


def levels(size: Size) -> int:
    """Count the levels of a Deep Zoom pyramid: the first has one pixel, the last all."""
    return (max(size.width, size.height) - 1).bit_length() + 1


def _reduced(size: Size, factor: int) -> Size:
    """Give the size of what is shown `factor` times smaller."""
    return Size(-(-size.width // factor), -(-size.height // factor))


def _covering(box: Box, factor: int) -> Box:
    """Give a box in a picture that is `factor` times smaller."""
    return Box(box.left // factor, box.top // factor, -(-box.right // factor), -(-box.bottom // factor))


def _described(restorer: Restorer) -> str:
    """Say in a line what a network is for."""
    config, name = restorer.card.config, restorer.card.name
    kind = "the plain backbone" if config.plain else "with the whole picture as context"
    data = "for photos" if "photo" in name else "for clean pictures reduced by bicubic" if "light" in name else "own"
    return f"{config.backbone.upper()} x{config.scale}, {kind}, {data}"
