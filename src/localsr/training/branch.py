"""A decayed network branched off a run that goes on."""

from __future__ import annotations

import dataclasses
import io
import pickle
from pathlib import Path
from typing import Any

import torch

from localsr.errors import CheckpointError, ConfigError
from localsr.files import write_whole
from localsr.training.config import Recipe


def saved_run(path: Path) -> dict[str, Any]:
    """Read what a run has saved, nothing in it executed; `CheckpointError` for a damaged file."""
    try:
        about: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        dict(about["recipe"]), int(about["global_step"])
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, EOFError, pickle.UnpicklingError) as error:
        raise CheckpointError(f"{path} is damaged; start the run again with --restart") from error
    return about


def branch(recipe: Recipe, runs: Path, steps: int, *, write: bool = True) -> Recipe:
    """Copy a run's last save to a run of its own whose rate falls to zero within so many steps.

    Args:
        recipe: Of the run that goes on, which is left as it is.
        runs: Folder of all runs.
        steps: From the last save to the end of the branch; with 0 it ends at once, in the averaged weights.
        write: Whether this process writes; the others of a run find it written.

    Returns:
        The recipe of the branch, to be resumed. It is called as the run, and by the step that it ends at.

    Raises:
        ConfigError: There is no such run, or there is such a branch.
        CheckpointError: What the run has saved is damaged.
    """
    saved = runs / recipe.name / "last.ckpt"
    if not saved.is_file():
        raise ConfigError(f"there is nothing to branch off: {saved} does not exist")
    about = saved_run(saved)
    last = int(about["global_step"]) + steps
    made = dataclasses.replace(recipe, name=f"{recipe.name}-{last}", steps=last, decay=steps)
    if not write:
        return made
    target = runs / made.name / "last.ckpt"
    if target.exists():
        raise ConfigError(f"{target} holds a branch; go on with its own recipe.toml and --resume, or remove it")
    file = io.BytesIO()
    torch.save(about | {"recipe": made.to_dict()}, file)
    write_whole(target, file.getbuffer())
    write_whole(target.with_name("recipe.toml"), made.to_toml().encode())
    return made
