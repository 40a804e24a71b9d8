"""`localsr train`: a recipe to a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from localsr.cli.console import bar, need


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
    need("lightning", "tensorboard", "torchmetrics")
    from localsr.training.fit import fit

    with bar("preparing pictures") as progress:
        path = fit(wanted, runs, resume=resume, progress=progress)
    typer.echo(str(path))
