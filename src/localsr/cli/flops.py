"""`localsr flops`: the FLOPs of the paper's Table 1, counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from localsr.cli.terminal import print_table, progress_bar
from localsr.errors import ConfigError
from localsr.files import write_whole

if TYPE_CHECKING:
    from rich.table import Table

    from localsr.evaluation.paper import CountedCost, HaloCost


def flops_command(
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the rows as JSON.")] = None,
) -> None:
    """Count the FLOPs of the paper's Table 1: five networks at x4, a region of 24 x 24 px, three strategies."""
    if json_file is not None and json_file.is_dir():
        raise ConfigError(f"{json_file} is a folder; name a file in it")
    from localsr.evaluation.paper import PAPER_COSTS, PAPER_HALOS, PAPER_SIZES, count_halos, count_table_1

    rows: list[CountedCost] = []
    over_halo: list[HaloCost] = []
    total = len(PAPER_COSTS) * (1 + 2 * len(PAPER_SIZES) + len(PAPER_HALOS))
    with progress_bar("counting") as progress:
        for row in count_table_1():
            rows.append(row)
            progress(len(rows), total)
        for halo in count_halos():
            over_halo.append(halo)
            progress(len(rows) + len(over_halo), total)
    print_table(paper_table(rows))
    print_table(halo_table(over_halo))
    if json_file is not None:
        counted = {"rows": [r._asdict() for r in rows], "halos": [h._asdict() for h in over_halo]}
        write_whole(json_file, (json.dumps(counted, indent=2) + "\n").encode())


def paper_table(rows: list[CountedCost]) -> Table:
    """Return counted GFLOPs beside those of the paper, a column for each picture size."""
    from rich import box
    from rich.table import Table

    from localsr.evaluation.paper import PAPER_COSTS, PAPER_ROI, PAPER_SIZES

    table = Table(title="GFLOPs, the paper's beside them (Table 1)", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("network")
    table.add_column("strategy")
    for name, size in PAPER_SIZES.items():
        table.add_column(f"{name} {size.height} x {size.width}", justify="right")
    for network in PAPER_COSTS:
        for strategy in ("crop", "clsr", "full"):
            cells = [f"{r.gflops:.2f} ({r.paper:.2f})" for r in rows if r.network == network and r.strategy == strategy]
            table.add_row(network, f"crop {PAPER_ROI} x {PAPER_ROI}" if strategy == "crop" else strategy, *cells)
    return table


def halo_table(rows: list[HaloCost]) -> Table:
    """Return GFLOPs by the width of the halo."""
    from rich import box
    from rich.table import Table

    from localsr.evaluation.paper import PAPER_COSTS, PAPER_HALOS

    title = "GFLOPs of a first region by halo in LR px at every step: plain, and clsr"
    table = Table(title=title, box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("network")
    for halo in PAPER_HALOS:
        table.add_column(str(halo), justify="right")
    for network in PAPER_COSTS:
        table.add_row(network, *(f"{r.plain:.2f}, {r.clsr:.2f}" for r in rows if r.network == network))
    return table
