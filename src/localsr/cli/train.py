"""`localsr train`: a recipe to a checkpoint."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from localsr.cli.console import bar
from localsr.errors import ConfigError

NEEDED = ("lightning", "tensorboard", "torchmetrics")  # the extra [train]


def run(
    recipe: Annotated[
        Path, typer.Argument(metavar="RECIPE.toml", help="What to train, on what, for how long.", show_default=False)
    ],
    runs: Annotated[Path, typer.Option(metavar="DIR", help="Folder of all runs; this one goes into DIR/NAME.")] = Path(
        "runs"
    ),
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last saved step of this run.")] = False,
) -> None:
    """Train a network by a recipe and print the path of its checkpoint."""
    from localsr.training.config import Recipe

    wanted = Recipe.read(recipe)
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise ConfigError(f"training needs {', '.join(missing)}; install it with: pip install 'localsr[train]'")
    from localsr.training.fit import fit

    with bar("preparing pictures") as progress:
        path = fit(wanted, runs, resume=resume, progress=progress)
    typer.echo(str(path))
