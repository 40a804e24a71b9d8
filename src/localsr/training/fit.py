"""A training run from recipe to checkpoint, on lightning's Trainer."""

from __future__ import annotations

import pickle
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback, EMAWeightAveraging, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from torch.utils.data import DataLoader

from localsr.data.benchmark import Benchmark, Pair
from localsr.data.crops import Crops
from localsr.data.pairs import Pairs
from localsr.errors import CheckpointError, ConfigError
from localsr.inference.restorer import find
from localsr.models import checkpoint
from localsr.models.clsr import CLSR, started
from localsr.training.batches import Batches
from localsr.training.config import Recipe
from localsr.training.module import VALIDATION_ROI, Training

SAVE_EVERY = 250  # steps; at 2 steps a second a kill costs two minutes


def fit(
    recipe: Recipe,
    runs: Path,
    *,
    resume: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Train, and return the checkpoint `runs/NAME/NAME.safetensors`; `resume` goes on from the run's last saved step.

    `progress(done, of)` hears of the pictures while the cache of pairs is made, once, in `runs/cache`.
    """
    folder = runs / recipe.name
    saved = folder / "last.ckpt"
    if resume and not saved.is_file():
        raise ConfigError(f"there is nothing to resume: {saved} does not exist")
    first = _step(saved) if resume else 0
    lightning.seed_everything(recipe.seed, verbose=False)
    module = Training(recipe, start(recipe))
    folders = [Path(f) for f in recipe.folders]
    pairs = Pairs(
        folders, recipe.model.scale, runs / "cache", progress, degradation=recipe.degradation, seed=recipe.seed
    )
    crops = Crops(pairs, recipe.context, recipe.steps * recipe.batch, recipe.seed)
    batches = Batches(crops, recipe.batch, recipe.roi, recipe.steps, first)
    check: DataLoader[Pair] | None = None
    if recipe.validation:
        pictures = Benchmark(
            Path(recipe.validation), recipe.model.scale, VALIDATION_ROI, degradation=recipe.degradation
        )
        check = DataLoader(pictures, batch_size=None, collate_fn=_as_it_is)
    hours = Hours()
    trainer = lightning.Trainer(
        max_steps=recipe.steps,
        precision=recipe.precision,  # type: ignore[arg-type]
        gradient_clip_val=recipe.clip,
        accelerator="auto",
        devices=1,
        callbacks=[
            EMAWeightAveraging(decay=recipe.ema),
            ModelCheckpoint(folder, filename="last", every_n_train_steps=SAVE_EVERY, enable_version_counter=False),
            hours,
        ],
        logger=[
            CSVLogger(folder, name="csv", version=f"from-{first}"),  # it would overwrite what stood before a resumption
            TensorBoardLogger(folder, name="", version="tensorboard"),
        ],
        log_every_n_steps=50,
        val_check_interval=recipe.validate_every,
        check_val_every_n_epoch=None,
        num_sanity_val_steps=0,
        enable_model_summary=False,
    )
    trainer.fit(
        module, DataLoader(batches, batch_size=None), check, ckpt_path=saved if resume else None, weights_only=True
    )
    device = trainer.strategy.root_device
    return export(recipe, module.network, folder, pairs, trainer.global_step, hours.spent, device)


def _step(saved: Path) -> int:
    """Give the step at which a run was saved."""
    try:
        return int(torch.load(saved, map_location="cpu", weights_only=True, mmap=True)["global_step"])
    except (OSError, RuntimeError, ValueError, KeyError, EOFError, pickle.UnpicklingError) as error:
        raise CheckpointError(f"{saved} is damaged; start the run again without resuming") from error


def start(recipe: Recipe) -> CLSR:
    """Build the recipe's network, random or on the backbone of another checkpoint."""
    if not recipe.init:
        return CLSR(recipe.model)
    return started(recipe.model, checkpoint.load(find(recipe.init))[0])


def _as_it_is(pair: Any) -> Any:  # noqa: ANN401  # lightning's loader has no type for it
    """Keep arrays arrays."""
    return pair


class Hours(Callback):
    """Counts the seconds of training across resumptions."""

    def __init__(self) -> None:
        """Start at nothing."""
        self.before, self.began = 0.0, time.monotonic()

    @property
    def spent(self) -> float:
        """Hours so far."""
        return (self.before + time.monotonic() - self.began) / 3600

    def state_dict(self) -> dict[str, Any]:
        """Keep what was spent."""
        return {"seconds": self.spent * 3600}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        self.before, self.began = state_dict["seconds"], time.monotonic()


def export(
    recipe: Recipe, network: CLSR, folder: Path, pairs: Pairs, steps: int, hours: float, device: torch.device
) -> Path:
    """Write the network as a checkpoint with its card."""
    path = folder / f"{recipe.name}.safetensors"
    about = {
        "pictures": len(pairs),
        "hr_megapixels": round(sum(h * w for h, w in pairs.sizes) * recipe.model.scale**2 / 1e6, 1),
        "steps": steps,
        "hours": round(hours, 2),
        "device": f"{device}, {platform.machine()}, {torch.get_num_threads()} threads",
        "torch": torch.__version__,
    }
    plain = {}
    if recipe.init and not recipe.model.plain:
        _, card = checkpoint.read(find(recipe.init))
        plain = {"name": card.name, "sha256": card.sha256}
    card = checkpoint.Card(recipe.name, recipe.model, recipe.to_dict(), about, plain=plain)
    checkpoint.save(path, network, card, half=recipe.half)
    return path
