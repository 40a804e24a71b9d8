"""The training step (Eq. 7) as a lightning module."""

from __future__ import annotations

import math

import lightning
import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor
from torch.nn import functional

from localsr import images, metrics
from localsr.data.benchmark import Pair
from localsr.geometry import Size, tiles, whole
from localsr.inference.scene import Scene
from localsr.models.backbone import Taper, crop
from localsr.models.clsr import CLSR
from localsr.models.context import sample_patches
from localsr.training.batches import Batch
from localsr.training.config import Recipe

VALIDATION_ROI = 48  # LR px


class Training(lightning.LightningModule):
    """Trains one network by one recipe."""

    def __init__(self, recipe: Recipe, network: CLSR) -> None:
        """Take a network, fresh or started from another's weights."""
        super().__init__()
        self.recipe = recipe
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """L1 of the ROI plus lambda times L1 of the slim branch's whole picture."""
        x, target = _pixels(batch.lr), _pixels(batch.hr)
        network, config = self.network, self.network.config
        size = Size(x.shape[-1], x.shape[-2])
        taper = Taper.around(batch.roi, size, config.halo, network.backbone.multiple)
        context = near = rest = None
        if network.gcm is not None:
            boxes = sample_patches(size, config.gcm_patch, config.gcm_patches)
            patches = torch.stack([crop(x, b) for b in boxes], dim=1)
            corners = x.new_tensor([[b.left, b.top] for b in boxes]).expand(len(x), -1, -1)
            context = network.gcm.encode(patches, corners)
        if network.pim is not None:
            p, rest = network.pim(x)
            near = (p, whole(size))
        y = network(crop(x, taper.windows[0]), taper, x.new_zeros(len(x), 2), context, near)
        loss = functional.l1_loss(y.float(), crop(target, batch.roi.scaled(config.scale)))
        self.log("loss", loss, prog_bar=True)
        weight = self.context_weight(self.global_step)
        if network.pim is not None and rest is not None and weight > 0:
            loss = loss + weight * functional.l1_loss(network.pim.restore(rest).float(), target)
        return loss

    def validation_step(self, pair: Pair, _: int) -> None:
        """Restore a picture cell by cell, as a user would have it: in fp32, by the network's own strategy."""
        network = self.network.eval()
        with torch.autocast(self.device.type, enabled=False):
            scene = Scene(images.read(pair.lr), self.recipe.name, network, network if network.config.plain else None)
            cells = tiles(whole(scene.photo.size), VALIDATION_ROI)
            parts = [torch.from_numpy(r.pixels) for r in scene.restore(cells)]
        restored = metrics.levels(metrics.stack(parts, scene.photo.size.width // VALIDATION_ROI))
        score = metrics.psnr_y(restored, torch.from_numpy(pair.hr).float())
        self.log("psnr_y", score, prog_bar=True, on_epoch=True, batch_size=1)
        network.train()

    def context_weight(self, step: int) -> float:
        """Give lambda of Eq. 7 at a step."""
        first, last = self.recipe.context_loss
        return first + (last - first) * min(step / self.recipe.steps, 1.0)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """Adam, a linear rise, a cosine to zero."""
        optimizer = torch.optim.Adam(self.network.parameters(), lr=self.recipe.lr)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self.rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def rate(self, step: int) -> float:
        """Give the share of the peak learning rate at a step."""
        warmup, steps = self.recipe.warmup, self.recipe.steps
        if step < warmup:
            return (step + 1) / (warmup + 1)
        return 0.5 * (1 + math.cos(math.pi * min((step - warmup) / (steps - warmup), 1.0)))


def _pixels(levels: Tensor) -> Tensor:
    """8-bit levels to float in [0, 1], channels last, which the CPU's convolutions want."""
    return levels.float().div(255).contiguous(memory_format=torch.channels_last)
