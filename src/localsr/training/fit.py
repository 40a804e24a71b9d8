"""A training run from recipe to checkpoint, on lightning's Trainer."""

from __future__ import annotations

import logging
import os
import platform
import shutil
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from torch.utils.data import DataLoader

from localsr.data.crops import Crops
from localsr.data.distilled import DistilledPairs
from localsr.data.pairs import Pairs
from localsr.errors import ConfigError, StoppedError
from localsr.evaluation.benchmark import Benchmark, Pair
from localsr.files import write_whole
from localsr.interrupts import handlers_restored
from localsr.models import checkpoint
from localsr.models.card import Card
from localsr.models.clsr import CLSR, blended
from localsr.models.config import ModelConfig
from localsr.models.embedded import find_network
from localsr.training.batches import Batch, Batches
from localsr.training.branch import branch, saved_run
from localsr.training.callbacks import Averages, Hours, ReportProgress, Stop, Watch, WholeFiles, prepare_folder
from localsr.training.config import Recipe
from localsr.training.material import read_material
from localsr.training.module import VALIDATION_ROI, Training
from localsr.training.origin import read_origin, start, twin_of

# settings that may change when a run is resumed: no step depends on the first; by the others, steps to come see other
# pictures
FREE_SETTINGS = (
    "data",
    "limits",
    "validation",
    "validate_every",
    "save_every",
    "half",
    "blend",
    "blend_share",
    "compile",
)
PICTURE_SETTINGS = ("folders", "lr_folders", "max_broken", "shares", "teachers", "teacher_shares")


def fit(
    recipe: Recipe,
    runs: Path,
    *,
    resume: bool = False,
    restart: bool = False,
    decayed: int | None = None,
    devices: int | str = "auto",
    nodes: int = 1,
    workers: int = 0,
    watch: Watch = lambda *_: None,
) -> Path:
    """Train, and return the checkpoint `runs/NAME/NAME.safetensors`.

    `resume` goes on from the run's last saved step, with the same recipe but for its pictures; `restart` throws that
    away; `decayed` leaves it and goes on from there in a run of its own, the rate falling to zero within so many steps.
    The batch is shared among `devices` of each of `nodes` by lightning's DDP; `workers` processes make the batches, or
    none. `watch` hears of "pictures" and "teaching" while the cache of pairs is made, once, in `runs/cache`, of
    "training" and of "validation". Raises `StoppedError` after SIGTERM or Ctrl-C, with the step saved.
    """
    if decayed is not None:
        recipe, resume = branch(recipe, runs, decayed, write=_is_main_process()), True
    folder = runs / recipe.name
    saved = folder / "last.ckpt"
    first = _first_step(recipe, folder, resume, restart)
    lightning.seed_everything(recipe.seed, verbose=False)
    origin = read_origin(recipe.init) if recipe.init else None
    twin, about = twin_of(recipe, origin)
    other = checkpoint.load(find_network(recipe.blend))[0] if recipe.blend else None
    module = Training(recipe, start(recipe, origin[0] if origin else None), twin)
    if other is not None:
        blended(module.network, other, 0.0)  # one that does not fit is refused now, not after the last step
    check = _benchmark(recipe)
    parts = read_material(recipe, runs / "cache", watch)
    crops = Crops(parts, recipe.context, recipe.steps * recipe.batch, recipe.seed, recipe.shares)
    hours, stop = Hours(), Stop(saved)
    with handlers_restored(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning.*")
        warnings.filterwarnings("ignore", "Grad strides do not match")  # of 1x1 convolutions under DDP; harmless
        logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
        callbacks = [Averages(recipe.ema), hours, stop, ReportProgress(watch)]
        trainer = _trainer(recipe, folder, first, devices, nodes, callbacks)
        if _is_main_process():  # the other processes find the folder ready
            if restart:
                shutil.rmtree(folder, ignore_errors=True)
            prepare_folder(folder)
            write_whole(folder / "recipe.toml", recipe.to_toml().encode())
        if first < recipe.steps:
            data = Loaders(recipe, crops, check, first, workers)
            trainer.fit(module, datamodule=data, ckpt_path=saved if resume else None, weights_only=True)
            step, spent = trainer.global_step, hours.spent
        else:
            step, spent = first, _finished(module, saved)
    if stop.signum and step < recipe.steps:
        raise StoppedError(f"stopped at step {step}, which is saved; --resume goes on", stop.signum)
    path = folder / f"{recipe.name}.safetensors"
    if trainer.is_global_zero:
        device = f"{trainer.world_size} x {trainer.strategy.root_device}"
        network = module.network if other is None else blended(module.network, other, recipe.blend_share)
        before = origin[1].training.get("lr_gigapixels", 0.0) if origin else 0.0
        export(path, recipe, network, module.skipped, parts, step, before, spent, device, about)
    trainer.strategy.barrier()
    return path


def _trainer(
    recipe: Recipe, folder: Path, first: int, devices: int | str, nodes: int, callbacks: list[Callback]
) -> lightning.Trainer:
    """Configure lightning's Trainer."""
    every = recipe.save_every
    saving = ModelCheckpoint(folder, filename="last", every_n_train_steps=every, enable_version_counter=False)
    try:
        return lightning.Trainer(
            max_steps=recipe.steps,
            default_root_dir=folder,
            precision=recipe.precision,  # type: ignore[arg-type]
            gradient_clip_val=recipe.clip,
            accelerator="auto",
            devices=devices,
            num_nodes=nodes,
            strategy=_strategy(recipe, devices, nodes),
            use_distributed_sampler=False,  # a process takes its share of each batch by itself
            plugins=[WholeFiles()],
            callbacks=[*callbacks, saving],
            logger=[
                CSVLogger(folder, name="csv", version=f"from-{first}"),  # it would overwrite what stood there before
                TensorBoardLogger(folder, name="", version="tensorboard"),
            ],
            log_every_n_steps=50,
            val_check_interval=recipe.validate_every,
            check_val_every_n_epoch=None,
            num_sanity_val_steps=0,
            enable_model_summary=False,
            enable_progress_bar=False,
        )
    except MisconfigurationException as error:
        raise ConfigError(f"{devices} devices on {nodes} nodes cannot be had here: {error}") from error


def _is_main_process() -> bool:
    """Tell whether this process writes the run's files; lightning gives the others a rank in their environment."""
    return all(os.environ.get(name, "0") == "0" for name in ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID"))


def _benchmark(recipe: Recipe) -> Benchmark | None:
    """Read the pictures to validate on once, so that what is wrong is said before hours of making pairs."""
    if not recipe.validation:
        return None
    folder, way = Path(recipe.validation), "bicubic" if recipe.degradation == "bicubic" else "photo"
    scale = recipe.model.scale if recipe.target == "hr" else 1
    check = Benchmark(folder, scale, VALIDATION_ROI, degradation=way)
    for k in range(len(check)):
        check[k]
    return check


def _finished(module: Training, saved: Path) -> float:
    """Load the averaged weights of a run that had saved its last step, and return its hours.

    Lightning would leave the network with its raw weights.
    """
    about = torch.load(saved, map_location="cpu", weights_only=True)
    module.load_state_dict(about["state_dict"])
    module.on_load_checkpoint(about)
    return float(about["callbacks"]["Hours"]["seconds"]) / 3600


class Loaders(lightning.LightningDataModule):
    """The loaders of one process, made when its rank is known."""

    def __init__(self, recipe: Recipe, crops: Crops, check: Benchmark | None, first: int, workers: int) -> None:
        """Take what there is to load."""
        super().__init__()
        self.recipe, self.crops, self.check, self.first, self.workers = recipe, crops, check, first, workers

    def train_dataloader(self) -> DataLoader[Batch]:
        """Load this process's share of the batches from the first step on."""
        recipe, trainer = self.recipe, self.trainer
        rank, ranks = (trainer.global_rank, trainer.world_size) if trainer is not None else (0, 1)
        batches = Batches(
            self.crops,
            recipe.batch,
            recipe.roi,
            recipe.steps,
            self.first,
            centred=recipe.centred,
            rank=rank,
            ranks=ranks,
        )
        return DataLoader(batches, batch_size=None, num_workers=self.workers)

    def val_dataloader(self) -> list[DataLoader[Pair]]:
        """Load the pictures to validate on, if any."""
        return [DataLoader(self.check, batch_size=None, collate_fn=_unchanged)] if self.check is not None else []


def _strategy(recipe: Recipe, devices: int | str, nodes: int) -> str:
    """Choose DDP where there may be several processes; with lambda 0 the slim branch's own head gets no gradient."""
    if nodes == 1 and (devices in (1, "1") or (devices == "auto" and torch.accelerator.device_count() < 2)):
        return "auto"
    idle = recipe.model.pim and recipe.context_loss[0] == 0
    return "ddp_find_unused_parameters_true" if idle else "ddp"


def _first_step(recipe: Recipe, folder: Path, resume: bool, restart: bool) -> int:
    """Return the step that a run begins at; refuse to lose a saved run or to go on with another recipe."""
    saved = folder / "last.ckpt"
    if not resume:
        there = [path for path in (saved, folder / f"{recipe.name}.safetensors") if path.exists()]
        if there and not restart and _is_main_process():
            advice = "go on with --resume, throw it away with --restart, or rename yours"
            raise ConfigError(f"{there[0]} holds a run; {advice}")
        return 0
    if not saved.is_file():
        raise ConfigError(f"there is nothing to resume: {saved} does not exist")
    about = saved_run(saved)
    before, step = dict(about["recipe"]), int(about["global_step"])
    before["model"] = ModelConfig.from_dict(before["model"]).to_dict()  # with the settings that came since
    now = recipe.to_dict()
    if changed := [
        key for key in now if key not in FREE_SETTINGS + PICTURE_SETTINGS and before.get(key, now[key]) != now[key]
    ]:
        raise ConfigError(f"{saved} was trained with another {', '.join(changed)}; a run goes on with its own recipe")
    return step


def _unchanged(pair: Any) -> Any:  # noqa: ANN401  # lightning's loader has no type for it
    """Return a pair as it is, where the loader would turn its arrays into tensors."""
    return pair


def export(
    path: Path,
    recipe: Recipe,
    network: CLSR,
    skipped: int,
    parts: Sequence[Pairs | DistilledPairs],
    steps: int,
    before: float,
    hours: float,
    device: str,
    twin: dict[str, str],
) -> None:
    """Write the network as a checkpoint with its card."""
    pixels = sum(h * w * part.scale**2 for part in parts for h, w in part.sizes)
    about = {
        "pictures": sum(len(part) for part in parts),
        "hr_megapixels": round(pixels / 1e6, 1),
        "steps": steps,
        "lr_gigapixels": round(before + recipe.batch * steps * recipe.roi_pixels / 1e9, 4),
        "skipped": skipped,
        "hours": round(hours, 2),
        "device": f"{device}, {platform.machine()}, {torch.get_num_threads()} threads",
        "torch": torch.__version__,
    }
    card = Card(recipe.name, recipe.model, recipe.to_dict(), about, plain=twin)
    checkpoint.save(path, network, card, half=recipe.half)
