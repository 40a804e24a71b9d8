"""The training step (Eq. 7) as a lightning module."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torch.optim import Optimizer

from localsr import images, metrics
from localsr.data.bursts import decoded
from localsr.errors import ConfigError
from localsr.evaluation.benchmark import Pair
from localsr.geometry import Box, Size, tiles, whole
from localsr.inference.restoration import bicubic
from localsr.inference.scene import Scene
from localsr.inference.strategies import NetworkPair, Strategy
from localsr.models.backbone import crop
from localsr.models.clsr import CLSR
from localsr.models.patches import sample_patches
from localsr.pytorch.network import TorchNetwork
from localsr.training.batches import Batch
from localsr.training.config import Recipe
from localsr.training.muon import Muon

VALIDATION_ROI = 48  # LR px
WHOLE_SIDE = 4 * VALIDATION_ROI  # LR px of a picture's middle that is restored whole where there is no HR
RMS_FLOOR = 0.002  # of `rms_loss`: half a level of 255
STRIPS = 6  # pictures of a validation that are shown
MAX_SKIPPED_IN_A_ROW = 50  # steps in a row without a finite gradient, after which a run is given up


class Training(lightning.LightningModule):
    """Trains one network by one recipe."""

    def __init__(self, recipe: Recipe, network: CLSR, twin: CLSR | None = None) -> None:
        """Take a network, fresh or started from another's weights, and the plain one to show beside it."""
        super().__init__()
        self.recipe = recipe
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.skipped = 0  # steps whose gradient was not finite
        self._row = 0  # how many of them came last, one after the other
        self._beside = (twin,)  # in a tuple, so that lightning does not train it
        self._strips: list[NDArray[np.float32]] = []
        self._measure = torch.compile(self._losses) if recipe.compile else self._losses

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """Return the loss of Eq. 7: that of the ROI plus lambda times that of the context."""
        weight = self.context_weight(self.global_step)
        roi, context = self.losses(batch, with_context=weight > 0)
        self.log("loss", roi)
        return roi if context is None else roi + weight * context

    def losses(self, batch: Batch, *, with_context: bool = True) -> tuple[Tensor, Tensor | None]:
        """Return the two losses of Eq. 7: of the ROI, and of the whole picture that the slim branch restores."""
        return self._measure(batch, batch.roi, with_context=with_context)

    def _losses(self, batch: Batch, box: Box, *, with_context: bool) -> tuple[Tensor, Tensor | None]:
        """Return `losses` of a batch whose ROI is `box`: what is compiled, if the recipe asks for it."""
        x = _pixels(batch.lr)
        network, config = self.network, self.network.config
        size = Size(x.shape[-1], x.shape[-2])
        target = _pixels(batch.hr) if self.recipe.target == "hr" else self._whole(x, size)
        taper = network.geometry.taper(box, size, config.halo)
        context = near = rest = None
        if network.gcm is not None:
            boxes = sample_patches(size, config.gcm_patch, config.gcm_patches)
            patches = torch.stack([crop(x, b) for b in boxes], dim=1)
            corners = x.new_tensor([[b.left, b.top] for b in boxes]).expand(len(x), -1, -1)
            context = network.gcm.encode(patches, corners)
        if network.pim is not None:
            p, rest = network.pim(x)
            near = (p, whole(size))
        modulation = None if network.conditioning is None else network.conditioning(batch.conditions)
        y = network(crop(x, taper.windows[0]), taper, x.new_zeros(len(x), 2), context, near, modulation)
        measure = rms_loss if self.recipe.loss == "rms" else functional.l1_loss
        roi = measure(y.float(), crop(target, box.scaled(config.scale)))
        if network.pim is None or rest is None or not with_context:
            return roi, None
        return roi, measure(network.pim.restore(rest).float(), target)

    @torch.no_grad()
    def _whole(self, x: Tensor, size: Size) -> Tensor:
        """Return what the plain network that this one started from makes of all of the context."""
        (twin,) = self._beside
        assert twin is not None
        twin = twin.to(self.device)
        taper = Strategy.FULL.taper(whole(size), size, twin.geometry)
        y: Tensor = twin(x, taper, x.new_zeros(len(x), 2))
        return y.float()

    def validation_step(self, pair: Pair, index: int) -> None:
        """Restore a picture cell by cell in fp32 by the network's own strategy, and log its PSNR."""
        module = self.network.eval()
        network = TorchNetwork(module)
        with torch.autocast(self.device.type, enabled=False):
            pair = pair if self.recipe.target == "hr" else self._without_hr(pair)
            networks = NetworkPair(self.recipe.name, network, network if module.config.plain else None)
            scene = Scene(images.read(pair.lr), networks)
            cells = tiles(whole(scene.photo.size), VALIDATION_ROI)
            parts = torch.stack([torch.from_numpy(r.pixels) for r in scene.restore(cells)])
        restored = metrics.levels(metrics.stitch(parts, scene.photo.size.width // VALIDATION_ROI))
        score = metrics.psnr_y(restored, torch.from_numpy(pair.hr).float())
        self.log("psnr_y", score, on_epoch=True, batch_size=1, sync_dist=True)
        if index < STRIPS:
            self._strips.append(self._strip(scene, pair))
        module.train()

    def _without_hr(self, pair: Pair) -> Pair:
        """Return the middle of a picture with what the plain network makes of all of that in place of HR."""
        (twin,) = self._beside
        assert twin is not None
        h, w = pair.lr.shape[:2]
        middle = Box(0, 0, min(w, WHOLE_SIDE), min(h, WHOLE_SIDE))
        middle = middle.shifted((w - middle.width) // 2, (h - middle.height) // 2)
        lr = np.ascontiguousarray(pair.lr[middle.rows, middle.columns])
        plain = TorchNetwork(twin.to(self.device))
        scene = Scene(images.read(lr), NetworkPair("plain", plain, plain))
        pixels = scene.restore(whole(middle.size), Strategy.FULL).pixels
        return Pair(pair.name, lr, np.rint(255 * pixels).astype(np.uint8))

    def _strip(self, scene: Scene, pair: Pair) -> NDArray[np.float32]:
        """Return the middle of a picture side by side: LR, bicubic, plain twin, this network, HR; `(3, H, W)`."""
        photo, (twin,) = scene.photo, self._beside
        size, scale = photo.size, self.network.config.scale
        middle = Box.from_xywh((size.width - 1) // 2, (size.height - 1) // 2, 1, 1)
        box = middle.grow(VALIDATION_ROI // 2 - 1).clipped(size)
        nearest = photo.window(box).repeat(scale, 1).repeat(scale, 2)
        panels = [nearest, bicubic(photo, box, scale)]
        if twin is not None:
            plain = TorchNetwork(twin.to(self.device))
            panels.append(Scene(photo, NetworkPair("plain", plain, plain)).restore(box).pixels)
        large = box.scaled(scale)
        panels += [
            scene.restore(box).pixels,
            pair.hr[:, large.rows, large.columns].astype(np.float32) / np.float32(255),
        ]
        white = np.ones((3, panels[0].shape[1], 4), np.float32)
        return np.concatenate([part for panel in panels for part in (panel, white)][:-1], 2)

    def on_validation_epoch_end(self) -> None:
        """Write the strips under each other, as a file of the run and to TensorBoard."""
        strips, self._strips = self._strips, []
        log_dir = self.trainer.log_dir  # asked for by all processes: they wait for each other there
        if not strips or not self.trainer.is_global_zero or log_dir is None:
            return
        wide = max(s.shape[2] for s in strips)
        rows = [np.pad(s, ((0, 0), (0, 4), (0, wide - s.shape[2])), constant_values=1) for s in strips]
        sheet = np.concatenate(rows, 1)
        for logger in self.loggers:
            if isinstance(logger, TensorBoardLogger):
                logger.experiment.add_image("validation", sheet, self.global_step)
        like = images.read(np.zeros((1, 1, 3), np.uint8))
        folder = Path(self.trainer.default_root_dir) / "strips"
        images.write(folder / f"step-{self.global_step:07d}.png", sheet, None, like)

    def configure_gradient_clipping(
        self, optimizer: Optimizer, gradient_clip_val: float | None = None, gradient_clip_algorithm: str | None = None
    ) -> None:
        """Clip the gradient's norm; a gradient that is not finite moves nothing, and is counted."""
        parameters = [p for p in self.network.parameters() if p.grad is not None]
        norm = torch.nn.utils.clip_grad_norm_(parameters, self.recipe.clip)
        if norm.isfinite():
            self._row = 0
            return
        for parameter in parameters:
            parameter.grad = None
        self.skipped, self._row = self.skipped + 1, self._row + 1
        self.log("skipped", float(self.skipped))
        if self._row >= MAX_SKIPPED_IN_A_ROW:
            raise ConfigError(
                f"{self._row} steps in a row had no finite gradient; lower lr or choose precision 32-true"
            )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the recipe, which a resumed run must share, and what was skipped."""
        checkpoint |= {"recipe": self.recipe.to_dict(), "skipped": self.skipped}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Continue to count the steps that were skipped."""
        self.skipped = checkpoint["skipped"]

    def context_weight(self, step: int) -> float:
        """Return lambda of Eq. 7 at a step."""
        first, last = self.recipe.context_loss
        return first + (last - first) * min(step / self.recipe.steps, 1.0)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """Choose Adam, or Muon for the kernels, at a rate that rises, then falls to zero."""
        lr = self.recipe.lr
        muon = self.recipe.optimizer == "muon"
        optimizer = Muon(self.network, lr) if muon else torch.optim.Adam(self.network.parameters(), lr=lr)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self.rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def rate(self, step: int) -> float:
        """Return the share of the peak learning rate at a step: a linear rise, then a cosine to zero.

        With a decay it stays at the peak until so many steps before the end, then falls to zero by 1 - sqrt (Haegele et
        al., Scaling laws and compute-optimal training beyond fixed training durations, 2024): a run may go on.
        """
        warmup, steps, decay = self.recipe.warmup, self.recipe.steps, self.recipe.decay
        if step < warmup:
            return (step + 1) / (warmup + 1)
        if decay:
            return 1 - math.sqrt(min(max(step - (steps - decay), 0) / decay, 1.0))
        return 0.5 * (1 + math.cos(math.pi * min((step - warmup) / (steps - warmup), 1.0)))


def rms_loss(restored: Tensor, target: Tensor) -> Tensor:
    """Return the root mean square of the differences of each sample `(B, 3, h, w)`, averaged over the samples.

    It follows PSNR, a mean of logarithms of pictures' mean squares: large errors at edges count for more than L1 lets
    them, and no sample for more than another, however large its errors are. A sample below RMS_FLOOR counts for less.
    """
    squares: Tensor = (restored - target).square().mean((1, 2, 3))
    return squares.add(RMS_FLOOR**2).sqrt().mean()


def _pixels(levels: Tensor) -> Tensor:
    """Turn 8-bit levels into what a network reads: colours in [0, 1], and cells in [-1, 1] where they come after them.

    Channels last: convolutions on a CPU are faster so.
    """
    pixels = levels.float().div(255) if levels.shape[1] == 3 else decoded(levels)
    return pixels.contiguous(memory_format=torch.channels_last)
