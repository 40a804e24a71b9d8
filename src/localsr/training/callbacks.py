"""What a run does besides its steps: checkpoints, signals, averages of weights, time and progress."""

from __future__ import annotations

import io
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, WeightAveraging
from lightning.pytorch.plugins.io import TorchCheckpointIO
from torch import Tensor

from localsr.errors import OutputError
from localsr.files import remove_leftovers, write_whole
from localsr.interrupts import StopRequest

Watch = Callable[[str, int, int, dict[str, float]], None]  # (what, done, of, numbers)


class WholeFiles(TorchCheckpointIO):
    """Writes checkpoints whole or not at all, and synced; lightning does not where /tmp is another file system."""

    def save_checkpoint(
        self,
        checkpoint: dict[str, Any],
        path: str | Path,
        storage_options: Any | None = None,  # noqa: ANN401  # lightning's word
    ) -> None:
        """Write to memory, then to a temporary file, then rename."""
        made = io.BytesIO()
        torch.save(checkpoint, made)
        write_whole(path, made.getbuffer())


class Stop(Callback):
    """Ends a run after the step in which SIGTERM or Ctrl-C came, and saves it; `signum` is then the signal, else 0."""

    def __init__(self, path: Path) -> None:
        """Take the path to save to."""
        self.path, self._request = path, StopRequest("stopped at once; --resume goes on from the last save")
        self.signum = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Listen in place of lightning's own handlers."""
        self._request.listen()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        """Save and end if a signal has come to any of the processes."""
        if trainer.strategy.reduce_boolean_decision(bool(self._request.signum), all=False):
            self.signum = self._request.signum or signal.SIGTERM
            trainer.save_checkpoint(self.path)
            trainer.should_stop = True


class Averages(WeightAveraging):
    """Keeps an exponential moving average of the weights, which becomes the run's network.

    Its decay rises to the recipe's: after n steps it is at most (1 + n) / (10 + n). With 0.999 from the start, a tenth
    of the random weights would still be in the average after 2,300 steps.
    """

    def __init__(self, decay: float) -> None:
        """Take the recipe's decay."""

        def average(mean: Tensor, now: Tensor, steps: Tensor | int) -> Tensor:
            return mean.lerp(now, 1 - min(decay, (1 + int(steps)) / (10 + int(steps))))

        super().__init__(avg_fn=average)


class Hours(Callback):
    """Counts the hours of training over all sessions of a run."""

    def __init__(self) -> None:
        """Begin at zero, now."""
        self.before, self.began = 0.0, time.monotonic()

    @property
    def spent(self) -> float:
        """Hours of this session and those before."""
        return (self.before + time.monotonic() - self.began) / 3600

    def state_dict(self) -> dict[str, Any]:
        """Return the seconds so far, to be saved."""
        return {"seconds": self.spent * 3600}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from the saved seconds."""
        self.before, self.began = state_dict["seconds"], time.monotonic()


class ReportProgress(Callback):
    """Reports each step and each validation to a `Watch`."""

    def __init__(self, watch: Watch) -> None:
        """Take what hears of it."""
        self.watch = watch

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        """Report a step and its loss."""
        loss = trainer.callback_metrics.get("loss")
        self.watch("training", trainer.global_step, trainer.max_steps, {} if loss is None else {"loss": float(loss)})

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Report a validation and its PSNR."""
        numbers = {"psnr_y": float(trainer.callback_metrics["psnr_y"])}
        self.watch("validation", trainer.global_step, trainer.max_steps, numbers)


def prepare_folder(folder: Path) -> None:
    """Make a run's folder, and remove files from it that a killed run left half written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} cannot be made: {error.strerror}") from error
    remove_leftovers(folder)
