"""`localsr explain`: which patches of the picture the network drew on for a region."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from localsr.cli.condition_options import condition_facts
from localsr.cli.options import Model, NetworkScale, PhotoPath, Runtime, load_network, of_scale, takes_groups
from localsr.cli.picture_options import PictureOptions
from localsr.errors import ConfigError


@takes_groups
def explain_command(
    photo: PhotoPath,
    box: Annotated[str, typer.Option("--box", metavar="X,Y,W,H", help="Region, as for restore.", show_default=False)],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="MAP.png", help="The picture to write.")],
    *,
    picture: PictureOptions,
    scale: NetworkScale = None,
    model: Model = None,
    runtime: Runtime = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print the numbers as one JSON object.")] = False,
) -> None:
    """Draw which of the sampled patches the global context module drew on for a region (the paper's Figure 8)."""
    from localsr import regions

    region = regions.text(box)
    source = picture.read(photo)
    inside = region.on(source.size).box
    if output.suffix.lower() != ".png":
        raise ConfigError(f"{output} must end in .png")
    if output.exists() and output.samefile(photo):
        raise ConfigError(f"{output} is the photo itself, which is never replaced; choose another name")
    from localsr.drawing.attention import attention_map

    restorer = of_scale(load_network(runtime, model, scale, precision="fp32"), scale)
    scene = restorer.encode(source)
    attention = scene.attention(inside)
    attention_map(output, source, attention, restorer.card.name)
    if as_json:
        patches = [
            {"box": [p.left, p.top, p.right, p.bottom], "share": round(share, 6)}
            for p, share in zip(attention.patches, attention.shares, strict=True)
        ]
        answer = {"input": str(photo), "model": restorer.card.name, "map": str(output), "patches": patches}
        typer.echo(json.dumps(answer | condition_facts(scene.conditions)))
        return
    typer.echo(f"{output}: {len(attention.patches)} patches, the largest share {max(attention.shares):.1%}")
    if scene.conditions is not None:
        typer.echo(f"{photo}: {scene.conditions.described()}, measured over all of it")
