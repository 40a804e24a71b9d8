"""`localsr verify`: the engine's promises, tried with a network's own weights."""

from __future__ import annotations

import typer

from localsr.cli.exits import ExitCode
from localsr.cli.options import Device, Model, NetworkScale, of_scale
from localsr.cli.terminal import print_table, spinner


def verify_command(model: Model = None, scale: NetworkScale = None, device: Device = "auto") -> None:
    """Check that a region comes out the same by every route: alone, in a list, in tiles, from a saved scene."""
    from functools import partial

    from rich import box
    from rich.table import Table

    from localsr.loading import load
    from localsr.selfcheck import verify

    on = partial(load, model, runtime="torch", scale=scale, precision="fp32")
    restorer = of_scale(on(device=device), scale)
    table = Table(title=f"{restorer.card.name}: largest differences of a pixel in [0, 1]", box=box.SIMPLE_HEAD)
    for name in ("check", "difference", "allowed", ""):
        table.add_column(name, justify="left" if name in ("check", "") else "right")
    failed = 0
    with spinner("trying each; the graphs of ONNX are made for it"):
        checks = list(verify(restorer, lambda place: on(device=place)))
    for check in checks:
        outcome = "not tried: " + check.note if check.worst is None else "pass" if check.passed else "FAIL"
        worst = "" if check.worst is None else f"{check.worst:.1e}"
        table.add_row(check.name, worst, f"{check.allowed:.0e}", outcome)
        failed += not check.passed
    print_table(table)
    if failed:
        raise typer.Exit(ExitCode.INCOMPLETE)
