"""`localsr cost`: what regions would cost, before they are restored."""

from __future__ import annotations

import json

import typer

from localsr.cli.condition_options import condition_facts
from localsr.cli.options import JsonTable, MaxMemory, PhotoPath, SizedNetworkOptions, takes_groups
from localsr.cli.picture_options import PictureOptions
from localsr.cli.region_options import RegionOptions
from localsr.cli.restore import Share
from localsr.cli.terminal import counted, print_table


@takes_groups
def cost_command(
    photo: PhotoPath,
    *,
    picture: PictureOptions,
    regions: RegionOptions,
    network: SizedNetworkOptions,
    max_memory: MaxMemory = None,
    share: Share = False,
    as_json: JsonTable = False,
) -> None:
    """Tell what restoring regions would cost by each strategy: GFLOPs, seconds on this machine, memory.

    The first call for a network measures the machine for a second or two; it is kept in your cache folder.
    """
    source, found, _ = regions.find(photo, picture, silent=as_json)
    restorer = network.load([one.box for one in found], max_memory)
    found, _ = regions.keep_fitting(found, restorer)
    boxes = [one.box for one in found]
    scene = restorer.encode(source)
    estimates = scene.cost(boxes, share=share)
    if as_json:
        strategies = {str(strategy): estimate._asdict() for strategy, estimate in estimates.items()}
        sizes = [[size.width, size.height] for size in map(restorer.size_of, boxes)]
        about = {"input": str(photo), "model": restorer.card.name, "results": sizes}
        typer.echo(json.dumps(about | {"strategies": strategies} | condition_facts(scene.conditions)))
        return
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    title = f"{counted(len(found), 'region')} of a picture of {source.size} px, {restorer.enlargement}"
    table = Table(title=f"{title}, {restorer.card.name}", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("strategy")
    for name in ("GFLOPs", "patches, GFLOPs", "seconds", "peak MB"):
        table.add_column(name, justify="right")
    for strategy, estimate in estimates.items():
        table.add_row(
            strategy,
            f"{estimate.gflops:.2f}",
            f"{estimate.gflops_scene:.2f}",
            f"{estimate.seconds:.3f}",
            f"{estimate.megabytes:.0f}",
        )
    print_table(table)
    if scene.conditions is not None:
        typer.echo(f"{photo}: {scene.conditions.described()}, measured once a picture")
