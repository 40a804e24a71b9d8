"""`localsr inspect`: what a picture is, and how it was made where localsr made it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import typer

from localsr.cli.condition_options import condition_facts
from localsr.cli.exits import ExitCode
from localsr.cli.options import JsonLines, PhotoPath

MAX_COMMENT = 2**16  # characters of a clip's header


def inspect_command(picture: PhotoPath, *, as_json: JsonLines = False) -> None:
    """Show what a picture is, how it was degraded, and what computed it, from what.

    Exit code 3: it does not say that localsr made it. Anyone can remove or write that; it is a statement, no proof.
    """
    about, measured, made = _clip_facts(picture) or _picture_facts(picture)
    if as_json:
        typer.echo(json.dumps(about | {"provenance": made}))
    else:
        width, height = about["size"]
        form = f"{about['bands']} bands of {about['depth']} bits" if "bands" in about else f"{about['seconds']:.2f} s"
        typer.echo(f"{picture}: {width} x {height} px, {form}")
        if measured:
            typer.echo(f"measured: {measured}")
        for name, value in (made or {}).items():
            typer.echo(f"{name.replace('_', ' ')}: {''.join(filter(str.isprintable, str(value)))}")
    if made is None:
        typer.echo(f"localsr: {picture} does not say that localsr made it", err=True)
        raise typer.Exit(ExitCode.INCOMPLETE)


def _picture_facts(picture: Path) -> tuple[dict[str, Any], str, dict[str, Any] | None]:
    """Return what a picture is, how it was degraded in words, and how it was made."""
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
    return about, conditions.described(), None if found is None else found.as_dict()


def _clip_facts(clip: Path) -> tuple[dict[str, Any], str, dict[str, Any] | None] | None:
    """Return what a clip is and how it was made, as the comment in its header says; None for what is no clip."""
    from localsr.frames.moments import SNIFFED_BYTES, looks_like_clip

    try:
        with clip.open("rb") as file:
            if not looks_like_clip(file.read(SNIFFED_BYTES)):
                return None
            from localsr.frames.decoding import facts

            found = facts(file, str(clip))
    except OSError:  # which is told where it is read as a picture
        return None
    about = {
        "file": str(clip),
        "size": [found.size.width, found.size.height],
        "seconds": found.seconds,
        "rate": found.rate,
    }
    try:
        said = json.loads(found.comment) if len(found.comment) <= MAX_COMMENT else None
    except (ValueError, RecursionError):
        said = None
    return about, "", said if isinstance(said, dict) and "software" in said else None
