"""`localsr measure`: how much halo a network needs, measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from localsr.cli.options import Device, load_network
from localsr.cli.terminal import print_table, spinner
from localsr.errors import ConfigError
from localsr.extras import need

if TYPE_CHECKING:
    from localsr.foreign.probe import Measurement
    from localsr.inference.restorer import Restorer

HALOS = (0, 1, 2, 4, 6, 8, 12, 16, 24, 32, 48, 64, 80, 96)  # px that are shown
WHOLE_SIDE = 512  # px of the picture that a region's cost is compared with
EXACT = 99.0  # dB that nothing is told apart above
BAR_WIDTH, BAR_FROM, BAR_TO = 24, 20.0, 80.0  # letters of a bar, and the dB at both its ends


class HaloRow(NamedTuple):
    """What a region is with a halo."""

    halo: int  # LR px
    psnr: float  # dB against the whole picture, EXACT where nothing differs
    gflops: float
    share: float  # of the cost of a picture of WHOLE_SIDE


def measure_command(
    name: Annotated[
        str, typer.Argument(metavar="NAME|PATH", help="A network of `localsr models`, or the path of its file.")
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="PLOT.png", help="Also plot dB and cost over the halo.")
    ] = None,
    device: Device = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")] = False,
) -> None:
    """Measure how much halo a region needs to come out as in the whole picture, and on what grid.

    A patch goes through the network whole, and cut; where the results differ, the network looked across the cut.
    """
    if output is not None:
        if output.suffix.lower() != ".png":
            raise ConfigError(f"{output} must end in .png")
        need("evaluate", "matplotlib", what="a plot")
    from localsr.foreign.black_box import BlackBox
    from localsr.foreign.probe import ROI_SIDE, measure_restorer

    restorer = load_network("torch", name, None, device=device, precision="fp32")
    network = restorer.network
    with spinner("measuring"):
        # what is known of a network of others was measured when it was loaded, or earlier
        box = getattr(network, "module", None)
        found = box.found if isinstance(box, BlackBox) else measure_restorer(restorer)
    rows = halo_rows(restorer, found)
    exact = None if isinstance(box, BlackBox) else network.geometry.exact_halo[0]
    title = f"{restorer.card.name}: a region of {ROI_SIDE} x {ROI_SIDE} px against the whole picture"
    if output is not None:
        from localsr.evaluation.report.plots import plot_halos
        from localsr.files import write_whole

        halos, decibels, _, shares = zip(*rows, strict=True)
        write_whole(output, plot_halos(title, halos, decibels, shares).png)
    if as_json:
        curve = [{"halo": row.halo, "psnr": round(row.psnr, 2), "gflops": row.gflops} for row in rows]
        about = {"network": restorer.card.name, "halo": found.halo, "exact_halo": exact, "grid": found.grid}
        typer.echo(json.dumps(about | {"global": found.is_global, "curve": curve}))
        return
    print_halos(title, rows)
    if found.is_global:
        typer.echo(f"it looks at all it is given: no halo up to {found.halo} px makes a region as in the whole picture")
        return
    grid = "" if found.grid == 1 else f", on a grid of {found.grid} px"
    sees = "" if exact is None else f"; by its architecture it sees {exact} px"
    typer.echo(f"it needs {found.halo} px of halo{grid}{sees}")


def halo_rows(restorer: Restorer, found: Measurement) -> list[HaloRow]:
    """Return what a region in the middle of a picture is with each of HALOS up to the one that was measured."""
    from localsr.foreign.probe import ROI_SIDE
    from localsr.geometry import Size
    from localsr.inference.cost import count_roi
    from localsr.inference.strategies import Strategy

    network, picture = restorer.network_for(Strategy.FULL), Size(WHOLE_SIDE, WHOLE_SIDE)
    everything = count_roi(network, Strategy.FULL, ROI_SIDE, picture).roi
    rows = []
    for halo in sorted({halo for halo in HALOS if halo < found.halo} | {found.halo}):
        flops = count_roi(network.with_halo(halo), Strategy.HALO, ROI_SIDE, picture).roi
        rows.append(HaloRow(halo, min(found.psnr(halo), EXACT), flops / 1e9, flops / everything))
    return rows


def print_halos(title: str, rows: list[HaloRow]) -> None:
    """Print a table, a bar of dB in each row."""
    from rich import box
    from rich.bar import Bar
    from rich.table import Table

    table = Table(title=title, box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("halo, px", "dB", "GFLOPs", f"of {WHOLE_SIDE} x {WHOLE_SIDE} px"):
        table.add_column(heading, justify="right")
    table.add_column(f"{BAR_FROM:.0f} to {BAR_TO:.0f} dB", width=BAR_WIDTH)
    for row in rows:
        decibels = "exact" if row.psnr >= EXACT else f"{row.psnr:.1f}"
        bar = Bar(BAR_TO - BAR_FROM, 0, min(max(row.psnr, BAR_FROM), BAR_TO) - BAR_FROM)
        table.add_row(str(row.halo), decibels, f"{row.gflops:.2f}", f"{row.share:.1%}", bar)
    print_table(table)
