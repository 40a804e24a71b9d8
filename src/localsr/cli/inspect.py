"""`localsr inspect`: what a picture is, and how it was made where localsr made it."""

from __future__ import annotations

import json
from typing import Any

import typer

from localsr.cli.condition_options import condition_facts
from localsr.cli.exits import ExitCode
from localsr.cli.options import JsonLines, PhotoPath


def inspect_command(picture: PhotoPath, *, as_json: JsonLines = False) -> None:
    """Show what a picture is, how it was degraded, and what computed it, from what.

    Exit code 3: it does not say that localsr made it. Anyone can remove or write that; it is a statement, no proof.
    """
    from localsr import images
    from localsr.inference.conditioning import measure_photo

    photo = images.read(picture)
    conditions = measure_photo(photo)
    found, density = photo.provenance, photo.metadata.density
    about: dict[str, Any] = {
        "file": str(picture),
        "size": [photo.size.width, photo.size.height],
        "depth": photo.depth,
        "bands": photo.bands,
        "profile_bytes": len(photo.profile or b""),
        "resolution": None if density is None else list(density),
        **condition_facts(conditions),
    }
    if as_json:
        typer.echo(json.dumps(about | {"provenance": None if found is None else found.as_dict()}))
    else:
        typer.echo(f"{picture}: {photo.size} px, {photo.bands} bands of {photo.depth} bits")
        typer.echo(f"measured: {conditions.described()}")
        for name, value in (found.as_dict() if found is not None else {}).items():
            typer.echo(f"{name.replace('_', ' ')}: {value}")
    if found is None:
        typer.echo(f"localsr: {picture} does not say that localsr made it", err=True)
        raise typer.Exit(ExitCode.INCOMPLETE)
