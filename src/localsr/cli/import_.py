"""`localsr import`: another project's weights to checkpoints."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from localsr.errors import ConfigError

if TYPE_CHECKING:
    from localsr.models.clsr import CLSR

SUFFIX = ".safetensors"


def import_command(
    official: Annotated[
        Path,
        typer.Argument(metavar="OFFICIAL.pth", help="CARN, CARN-M, SRResNet, RCAN or SwinIR.", show_default=False),
    ],
    name: Annotated[str, typer.Option("--as", metavar="NAME", help="What to call the network.", show_default=False)],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar=f"OUT{SUFFIX}", help=f"Without it: NAME{SUFFIX} in this folder."),
    ] = None,
    scale: Annotated[
        int | None,
        typer.Option(metavar="2|3|4", help="Which scale, of a file that holds several; by default 4."),
    ] = None,
    context: Annotated[
        bool,
        typer.Option("--context", help="Also write OUT-clsr, the same with context, which adds nothing until trained."),
    ] = False,
) -> None:
    """Import a network of another project. Nothing in its file is executed; all of it must fit."""
    from localsr.models import checkpoint

    checkpoint.checked_name(name)
    plain_file = output or Path(f"{name}{SUFFIX}")
    check_output(plain_file, official)
    context_file = plain_file.with_name(f"{plain_file.stem}-clsr{SUFFIX}")
    if context:
        check_output(context_file, official)
    import torch

    from localsr.models.clsr import started
    from localsr.models.importer import import_network

    plain = import_network(official, scale)
    with official.open("rb") as file:
        source = {
            "imported": printable(official.name),
            "imported_sha256": hashlib.file_digest(file, "sha256").hexdigest(),
        }
    network = None
    if context:
        torch.manual_seed(0)  # the same file gives the same network
        network = started(plain.config.with_context(), plain)
    card = checkpoint.save(plain_file, plain, checkpoint.Card(name, plain.config, training=source))
    typer.echo(f"{plain_file}: {describe_network(plain)}")
    if network is not None:
        # the twin is looked for beside a network by the name of its file
        twin = {"name": printable(plain_file.stem), "sha256": card.sha256}
        about = checkpoint.Card(f"{name}-clsr", network.config, training=source, plain=twin)
        checkpoint.save(context_file, network, about)
        typer.echo(f"{context_file}: {describe_network(network)}; its context adds nothing until it is trained")


def check_output(path: Path, official: Path) -> None:
    """Refuse a name that cannot or must not be written."""
    if path.suffix != SUFFIX:
        raise ConfigError(f"{path} must end in {SUFFIX}")
    if path.is_dir():
        raise ConfigError(f"{path} is a folder; name a file in it")
    if path.exists() and official.exists() and path.samefile(official):
        raise ConfigError(f"{path} is the file to import, which is never replaced; choose another name")


def printable(name: str) -> str:
    """Return a file's name without the letters that a checkpoint's header must not hold."""
    return "".join(letter if letter.isprintable() else "?" for letter in name)


def describe_network(network: CLSR) -> str:
    """Return what a network is: `CARN, x4, 0.29 M parameters`."""
    config, millions = network.config, sum(p.numel() for p in network.parameters()) / 1e6
    kind = type(network.backbone).__name__ + ("" if config.plain else " with context")
    return f"{kind}, x{config.scale}, {millions:.2f} M parameters"
