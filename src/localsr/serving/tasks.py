"""What a worker does: a task comes in as a message and its facts go out; pictures go to files beside."""

from __future__ import annotations

import json
import logging
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path

import numpy as np
from msgspec import to_builtins
from msgspec.structs import replace

from localsr import images
from localsr.drawing.rings import ring_radius
from localsr.errors import ConfigError, LocalSRError
from localsr.geometry import Box, Enlargement, whole
from localsr.inference.fused_restoration import FusedRestoration
from localsr.inference.fused_scene import FusedScene
from localsr.inference.output import write_bicubic, write_regions
from localsr.inference.paste import Pasting, paste
from localsr.inference.restoration import MAX_PIXELS_HELD_BY_WORKER
from localsr.inference.restorer import Restorer
from localsr.inference.scene import Scene
from localsr.inference.strategies import Strategy
from localsr.loading import load
from localsr.models.embedded import OFFERED_NETWORKS, imported_networks, suiting_network
from localsr.models.licences import caution
from localsr.progress import Progress
from localsr.serving.messages import (
    AttentionFacts,
    AttentionTask,
    BicubicTask,
    ConditionFacts,
    ConditionsTask,
    CostTask,
    FrameFacts,
    NetworkTask,
    OfferedNetwork,
    OpenTask,
    PasteFacts,
    PasteTask,
    PatchShare,
    PictureFacts,
    RestorationFacts,
    RestoreTask,
    StrategyCost,
    StripTask,
    TilePyramid,
    TileTask,
    WorkerSettings,
    WorkerTask,
)
from localsr.serving.pictures import TILE_SIDE, OpenPictures
from localsr.serving.strips import strip_facts

log = logging.getLogger("localsr.serving.tasks")


class TooLargeError(LocalSRError):
    """An answer that would have more pixels than are allowed."""


class TaskRunner:
    """Networks, and the pictures that were used last."""

    def __init__(self, settings: WorkerSettings) -> None:
        """Load the networks and run one once, so that the first request does not wait for libraries."""
        self._restorers = dict(_loaded(settings))
        self._default = next(name for name in (*OFFERED_NETWORKS, *self._restorers) if name in self._restorers)
        self._pictures = OpenPictures(settings.memory, settings.megapixels)
        self._max_megapixels = settings.output
        noise = np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)
        scene = self._restorers[self._default].encode(images.read(noise))
        scene.restore(Box(16, 16, 80, 80))

    def networks(self) -> list[OfferedNetwork]:
        """Return what can be asked for."""
        return [
            OfferedNetwork(
                name,
                restorer.network_scale,
                [str(strategy) for strategy in restorer.strategies],
                name == self._default,
                describe_network(restorer),
                default_strategy=str(restorer.strategy()),
                attention=restorer.card.config.gcm,
                conditioned=restorer.conditioned,
            )
            for name, restorer in self._restorers.items()
        ]

    def run(self, task: WorkerTask, folder: Path, progress: Progress) -> object:
        """Do a task, with its files in a folder, and return its facts.

        `progress` is called now and then; it may raise, and the task ends with that.
        """
        return HANDLERS[type(task)](self, task, folder, progress)

    def forget(self, picture: str) -> None:
        """Close a picture that nobody may ask for any more."""
        self._pictures.close(picture)

    def open(self, task: OpenTask, _: Path, progress: Progress) -> PictureFacts:
        """Judge a picture by its header."""
        picture = self._pictures.get(task.picture, progress)
        size, depth, alpha = picture.photo.size, picture.photo.depth, picture.photo.has_alpha
        tiles, notes = TilePyramid(TILE_SIDE, picture.levels), images.notes_of(picture.photo)
        return PictureFacts(size.width, size.height, depth, alpha, tiles, notes, picture.clip)

    def tile(self, task: TileTask, folder: Path, progress: Progress) -> None:
        """Cut a tile of the Deep Zoom pyramid."""
        pixels = self._pictures.get(task.picture, progress).tile(task.level, task.column, task.row)
        planes = pixels.transpose(2, 0, 1).astype(np.float32) / np.float32(255)
        images.write(folder / "result.jpg", planes, None, images.read(pixels))

    def bicubic(self, task: BicubicTask, folder: Path, progress: Progress) -> None:
        """Enlarge a box by bicubic, to compare with."""
        photo = self._pictures.get(task.picture, progress).photo
        box = Box(*task.box).checked(photo.size)
        self._check_pixels(int(box.area * task.scale**2))
        write_bicubic(folder / "result.png", photo, box, task.scale, progress)

    def restore(self, task: RestoreTask, folder: Path, progress: Progress) -> RestorationFacts:
        """Restore boxes: one picture, or a zip of them with an index."""
        network, scene, boxes = self._scene(task, progress, task.frames)
        scene = scene.adjusted(*task.adjustment)
        suffix, strategy = task.format, scene.strategy(task.strategy)
        if len(boxes) == 1:
            return self._write(scene, boxes, [folder / f"result.{suffix}"], strategy, network, progress, task.saving)[0]
        scales = [f"x{scene.enlargement.factor(box.size):.4g}" for box in boxes]
        names = [
            f"{n}-{b.left}-{b.top}-{b.width}x{b.height}-{scale}.{suffix}"
            for n, (b, scale) in enumerate(zip(boxes, scales, strict=True), 1)
        ]
        facts = self._write(scene, boxes, [folder / name for name in names], strategy, network, progress, task.saving)
        index = [{"name": name, **to_builtins(fact)} for name, fact in zip(names, facts, strict=True)]
        with zipfile.ZipFile(folder / "result.zip", "w") as bundle:
            for name in names:
                bundle.write(folder / name, name)
            bundle.writestr("index.json", json.dumps({"pictures": index}, indent=1))
        return replace(facts[0], seconds=sum(f.seconds for f in facts), gflops=sum(f.gflops for f in facts))

    def strip(self, task: StripTask, _: Path, progress: Progress) -> list[FrameFacts]:
        """Show what each frame around a moment of a clip shows of a box, the moment's own first."""
        scene, (box,) = self._scene(task, progress, task.frames)[1:]
        return strip_facts(scene, box) if isinstance(scene, FusedScene) else []

    def cost(self, task: CostTask, _: Path, progress: Progress) -> dict[str, StrategyCost]:
        """Estimate what boxes would cost, by strategy."""
        scene, boxes = self._scene(task, progress)[1:]
        estimates = scene.cost(boxes)
        return {
            str(strategy): StrategyCost(
                round(estimate.gflops + estimate.gflops_scene, 3),
                round(estimate.seconds, 4),
                float(round(estimate.megabytes)),
            )
            for strategy, estimate in estimates.items()
        }

    def attention(self, task: AttentionTask, _: Path, progress: Progress) -> AttentionFacts:
        """Find which patches the network draws on for a box."""
        scene, (box,) = self._scene(task, progress)[1:]
        found = scene.attention(box)
        patches = [
            PatchShare(patch.left, patch.top, patch.right, patch.bottom, share, ring_radius(share, scene.photo.size))
            for patch, share in zip(found.patches, found.shares, strict=True)
        ]
        return AttentionFacts(found.box, patches)

    def paste(self, task: PasteTask, folder: Path, progress: Progress) -> PasteFacts:
        """Put restored boxes back into their picture."""
        network, scene, boxes = self._scene(task, progress)
        scene = scene.adjusted(*task.adjustment)
        size, strategy = scene.photo.size, scene.strategy(task.strategy)
        scale = 1 if task.same_size else scene.enlargement.factor(size)
        self._check_pixels(whole(size if task.same_size else scene.size_of(whole(size))).area)
        how = Pasting(task.feather, task.same_size)
        paste(folder / f"result.{task.format}", scene, boxes, strategy, how, progress, saving=task.saving)
        return PasteFacts(scale, str(strategy), self._restorers[network].precision)

    def conditions(self, task: ConditionsTask, _: Path, progress: Progress) -> ConditionFacts:
        """Measure how a picture was degraded."""
        network, scene, _boxes = self._scene(task, progress)
        found = scene.conditions
        if found is None:
            raise ConfigError(f"{network} cannot be told how the picture was degraded")
        return ConditionFacts(*found, found.denoise, found.deblur, found.described())

    def _scene(self, task: NetworkTask, progress: Progress, count: int = 1) -> tuple[str, Scene, list[Box]]:
        """Return the network that is asked for, a picture's scene for it, and the boxes, within it and its limit."""
        picture = self._pictures.get(task.picture, progress)
        boxes = [Box(*each).checked(picture.photo.size) for each in task.boxes]
        sized = [whole(picture.photo.size)] if isinstance(task, PasteTask) else boxes
        name = task.network or self._suiting(Enlargement.asked(task.scale, task.size), sized)
        if name not in self._restorers:
            raise ConfigError(f"no network {name!r}; choose one of {', '.join(self._restorers)}")
        self._check_pixels(sum(box.area for box in boxes) * self._restorers[name].network_scale ** 2)
        count = 1 if picture.clip is None else count
        if (name, count) not in picture.scenes:
            picture.scenes[name, count] = self._restorers[name].encode(picture.source(task.picture, count))
        return name, picture.scenes[name, count].sized(task.scale, task.size), boxes

    def _suiting(self, asked: Enlargement | None, boxes: Sequence[Box]) -> str:
        """Return the network that makes what is asked for of boxes, where none is named."""
        if asked is None:
            return self._default
        scales = {name: restorer.network_scale for name, restorer in self._restorers.items()}
        return suiting_network(scales, max(asked.factor(box.size) for box in boxes), self._default)

    def _check_pixels(self, pixels: int) -> None:
        """Refuse an answer that is too large."""
        if pixels > self._max_megapixels * 10**6:
            sentence = f"it would have {pixels / 1e6:.1f} megapixels; an answer has at most {self._max_megapixels}"
            raise TooLargeError(sentence)

    def _write(
        self,
        scene: Scene,
        boxes: list[Box],
        paths: list[Path],
        strategy: Strategy,
        network: str,
        progress: Progress,
        saving: images.Saving,
    ) -> list[RestorationFacts]:
        """Write each restored box and return its facts."""
        seconds, precisions, frames = [0.0] * len(boxes), [""] * len(boxes), [1] * len(boxes)
        files = [nullcontext(path) for path in paths]
        for region in write_regions(
            scene,
            boxes,
            files,
            strategy,
            max_pixels=MAX_PIXELS_HELD_BY_WORKER,
            progress=progress,
            saving=saving,
        ):
            seconds[region.number], precisions[region.number] = region.seconds, region.precision
            if isinstance(region.restoration, FusedRestoration):
                frames[region.number] += sum(use.used for use in region.restoration.uses)
        gflops = scene.planned(boxes, strategy).gflops / sum(
            box.area for box in boxes
        )  # shared by area, as seconds are
        return [
            RestorationFacts(
                box,
                scene.enlargement.factor(box.size),
                str(strategy),
                network,
                spent,
                gflops * box.area,
                precision,
                count,
            )
            for box, spent, precision, count in zip(boxes, seconds, precisions, frames, strict=True)
        ]


HANDLERS: dict[type[WorkerTask], Callable[..., object]] = {
    OpenTask: TaskRunner.open,
    TileTask: TaskRunner.tile,
    RestoreTask: TaskRunner.restore,
    StripTask: TaskRunner.strip,
    BicubicTask: TaskRunner.bicubic,
    CostTask: TaskRunner.cost,
    AttentionTask: TaskRunner.attention,
    PasteTask: TaskRunner.paste,
    ConditionsTask: TaskRunner.conditions,
}


def _loaded(settings: WorkerSettings) -> Iterator[tuple[str, Restorer]]:
    """Load the networks that are asked for or, if none is, those of the package and the imported ones that load."""
    imported = () if settings.networks else tuple(imported_networks())
    for name in (*(settings.networks or OFFERED_NETWORKS), *imported):
        try:
            yield Path(name).stem, load(name, runtime=settings.runtime, precision=settings.precision)
        except LocalSRError as error:
            if name not in imported:
                raise
            log.warning("the imported network %s is not offered: %s", name, error)


def describe_network(restorer: Restorer) -> str:
    """Return in a line what a network is for."""
    config, name = restorer.card.config, restorer.card.name
    source = restorer.card.training.get("imported_sha256", restorer.card.sha256)
    if restorer.network.runtime == "foreign" or "imported_sha256" in restorer.card.training:
        return f"{config.backbone.upper()} x{config.scale}, imported; {caution(source) or 'no GAN'}"
    kind = "the plain backbone" if config.plain else "with the whole picture as context"
    data = "for photos" if "photo" in name else "for clean pictures reduced by bicubic" if "light" in name else "own"
    return f"{config.backbone.upper()} x{config.scale}, {kind}, {data}"
