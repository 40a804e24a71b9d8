"""`localsr cost`: what regions would cost, before they are restored."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from localsr.cli import regions
from localsr.cli.console import Device, MaxMemory, Model, Precision, Runtime, Scale, loaded, show
from localsr.cli.restore import PhotoPath, Share


def run(
    photo: PhotoPath,
    box: regions.Boxes = None,
    boxes: regions.BoxesFile = None,
    detect: regions.Detect = None,
    grow: regions.Grow = "0",
    min_size: regions.MinSize = 0,
    min_score: regions.MinScore = None,
    merge: regions.Merge = False,
    scale: Scale = None,
    model: Model = None,
    device: Device = "auto",
    precision: Precision = "fp32",
    runtime: Runtime = "torch",
    max_memory: MaxMemory = None,
    clip: regions.Clip = False,
    share: Share = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")] = False,
) -> None:
    """Tell what restoring regions would cost by each strategy: GFLOPs, seconds on this machine, memory.

    The first call for a network measures the machine for a second or two; it is kept in your cache folder.
    """
    want = regions.asked(photo, box, boxes, detect, grow, min_size, min_score, merge=merge, clip=clip)
    source, found = regions.opened(photo, want, silent=as_json)
    inside = [one.box for one in found]
    restorer = loaded(runtime, model, scale, device=device, precision=precision, max_memory=max_memory)
    bills = restorer.encode(source).cost(inside, share=share)
    if as_json:
        told = {str(way): bill._asdict() for way, bill in bills.items()}
        typer.echo(json.dumps({"input": str(photo), "model": restorer.card.name, "strategies": told}))
        return
    from rich import box as lines
    from rich.table import Table

    count = f"{len(inside)} region{'s' if len(inside) > 1 else ''}"
    title = f"{count} of a picture of {source.size} px, x{restorer.scale}, {restorer.card.name}"
    table = Table(title=title, box=lines.SIMPLE_HEAD, pad_edge=False)
    table.add_column("strategy")
    for name in ("GFLOPs", "patches, GFLOPs", "seconds", "peak MB"):
        table.add_column(name, justify="right")
    for way, bill in bills.items():
        table.add_row(
            way, f"{bill.gflops:.2f}", f"{bill.gflops_scene:.2f}", f"{bill.seconds:.3f}", f"{bill.megabytes:.0f}"
        )
    show(table)
