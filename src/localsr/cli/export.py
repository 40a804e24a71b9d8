"""`localsr export`: a network as ONNX graphs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from localsr.cli.options import Model, NetworkScale, of_scale
from localsr.cli.terminal import progress_bar


def export_command(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="The folder to write.", show_default=False)
    ],
    model: Model = None,
    scale: NetworkScale = None,
) -> None:
    """Write a network as ONNX graphs, for every size: `encode` once a picture; `restore` and `attend` once a region.

    They are compared with torch first. `--runtime onnx --model DIR` runs them.
    """
    from localsr.loading import load
    from localsr.onnx.export import MAX_DIFFERENCE, export

    restorer = of_scale(load(model, runtime="torch", scale=scale, device="cpu", precision="fp32"), scale)
    with progress_bar("exporting") as progress:
        card = export(restorer, output, progress)
    for name in card.graphs:
        path = output / f"{name}.onnx"
        typer.echo(f"{path}: {path.stat().st_size / 1e6:.1f} MB")
    typer.echo(f"largest difference to torch: {card.difference:.1e} of a pixel in [0, 1], {MAX_DIFFERENCE:.0e} allowed")
