"""`localsr measure`: how much halo a network needs, measured."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from localsr.cli.options import Device, load_network
from localsr.cli.terminal import print_table, spinner

HALOS = (0, 1, 2, 4, 6, 8, 12, 16, 24, 32, 48, 64, 80, 96)  # px that are shown
WHOLE_SIDE = 512  # px of the picture that a region's cost is compared with


def measure_command(
    name: Annotated[
        str, typer.Argument(metavar="NAME|PATH", help="A network of `localsr models`, or a checkpoint's path.")
    ],
    device: Device = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")] = False,
) -> None:
    """Measure how much halo a region needs to come out as in the whole picture, and on what grid.

    A patch goes through the network whole, and cut; where the results differ, the network looked across the cut.
    """
    from rich import box
    from rich.table import Table

    from localsr.foreign.probe import ROI_SIDE, measure_restorer
    from localsr.geometry import Size
    from localsr.inference.cost import count_roi
    from localsr.inference.strategies import Strategy

    restorer = load_network("torch", name, None, device=device, precision="fp32")
    network = restorer.network_for(Strategy.FULL)
    with spinner("measuring"):
        found = measure_restorer(restorer)
    picture = Size(WHOLE_SIDE, WHOLE_SIDE)
    everything = count_roi(network, Strategy.FULL, ROI_SIDE, picture).roi
    exact = network.geometry.exact_halo[0]
    shown = sorted({halo for halo in HALOS if halo < found.halo} | {found.halo})
    rows = [
        (halo, found.psnr(halo), count_roi(network.with_halo(halo), Strategy.HALO, ROI_SIDE, picture).roi)
        for halo in shown
    ]
    if as_json:
        curve = [{"halo": halo, "psnr": min(round(psnr, 2), 99.0), "gflops": flops / 1e9} for halo, psnr, flops in rows]
        about = {"network": restorer.card.name, "halo": found.halo, "exact_halo": exact, "grid": found.grid}
        typer.echo(json.dumps(about | {"global": found.is_global, "curve": curve}))
        return
    title = f"{restorer.card.name}: a region of {ROI_SIDE} x {ROI_SIDE} px against the whole picture"
    table = Table(title=title, box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("halo, px", "dB", "GFLOPs", f"of {picture} px"):
        table.add_column(heading, justify="right")
    for halo, psnr, flops in rows:
        decibels = f"{psnr:.1f}" if psnr < 99 else "exact"
        table.add_row(str(halo), decibels, f"{flops / 1e9:.2f}", f"{flops / everything:.1%}")
    print_table(table)
    if found.is_global:
        typer.echo(f"it looks at all it is given: no halo up to {found.halo} px makes a region as in the whole picture")
        return
    grid = "" if found.grid == 1 else f", on a grid of {found.grid} px"
    typer.echo(f"it needs {found.halo} px of halo{grid}; by its architecture it sees {exact} px")
