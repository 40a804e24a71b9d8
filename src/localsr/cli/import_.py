"""`localsr import`: another project's weights to checkpoints."""

from __future__ import annotations

import hashlib
import re
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from localsr.errors import CheckpointError, ConfigError

if TYPE_CHECKING:
    from localsr.models.clsr import CLSR

SUFFIX = ".safetensors"
MAX_NAME = 60  # letters of a name that is made of a file's


def import_command(
    official: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A .pth, .safetensors or .onnx: CARN, SRResNet, RCAN, SwinIR, ESRGAN, Compact or SPAN; with the extra "
            "[spandrel] 40 kinds more.",
            show_default=False,
        ),
    ],
    name: Annotated[
        str | None, typer.Option("--as", metavar="NAME", help="What to call the network; by default as its file.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar=f"OUT{SUFFIX}", help="A file; by default it is kept under its name."),
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
    """Import a network of another project, to be named to other commands. Nothing in its file is executed."""
    from localsr.models import checkpoint
    from localsr.models.card import Card, checked_name
    from localsr.models.embedded import imported_folder, is_graph

    name = default_name(official) if name is None else checked_name(name)
    if output is None:
        for each in (name, f"{name}-clsr") if context else (name,):
            check_new(each)
    if is_graph(official):
        if context or scale is not None:
            raise ConfigError(f"{official} is run as it is, at its own scale; leave --scale and --context out")
        target = output or imported_folder() / f"{name}.onnx"
        check_output(target, official, ".onnx")
        import_foreign(official, target)
        return
    plain_file = output or imported_folder() / f"{name}{SUFFIX}"
    check_output(plain_file, official)
    context_file = plain_file.with_name(f"{plain_file.stem}-clsr{SUFFIX}")
    if context:
        check_output(context_file, official)
    import torch

    from localsr.models.clsr import started
    from localsr.models.importer import UnknownLayoutError, import_network

    try:
        plain = import_network(official, scale)
    except CheckpointError as error:
        if context or scale is not None:
            raise
        if find_spec("spandrel") is None:
            raise CheckpointError(f"{error}; with localsr[spandrel] 40 kinds more can be") from error
        try:
            import_foreign(official, plain_file)
        except CheckpointError:
            if isinstance(error, UnknownLayoutError):
                raise
            raise error from None  # what it lacks to be one of ours says more
        return
    with official.open("rb") as file:
        source = {
            "imported": printable(official.name),
            "imported_sha256": hashlib.file_digest(file, "sha256").hexdigest(),
        }
    network = None
    if context:
        torch.manual_seed(0)  # the same file gives the same network
        network = started(plain.config.with_context(), plain)
    card = checkpoint.save(plain_file, plain, Card(name, plain.config, training=source))
    typer.echo(f"{plain_file}: {describe_network(plain)}")
    if network is not None:
        # the twin is looked for beside a network by the name of its file
        twin = {"name": printable(plain_file.stem), "sha256": card.sha256}
        about = Card(f"{name}-clsr", network.config, training=source, plain=twin)
        checkpoint.save(context_file, network, about)
        typer.echo(f"{context_file}: {describe_network(network)}; its context adds nothing until it is trained")


def import_foreign(official: Path, target: Path) -> None:
    """Keep a network of others that runs as a black box, measured; what `--context` could be added to it is not."""
    import torch

    from localsr.files import write_whole
    from localsr.foreign.files import measured_box, read_foreign

    file = read_foreign(official, torch.device("cpu"))
    box = measured_box(file)
    write_whole(target, file.data)
    grid = "" if box.found.grid == 1 else f" on a grid of {box.found.grid} px"
    reach = "it looks at all of a picture" if box.found.is_global else f"it needs {box.found.halo} px of halo{grid}"
    typer.echo(f"{target}: {file.network.architecture}, x{file.network.scale}; {reach}")


def default_name(official: Path) -> str:
    """Return what a network is called after its file: `4x-Net-v2` for `4x Net (v2).pth`."""
    if official.is_dir():
        raise ConfigError(f"{official} is a folder; name a file in it")
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", official.stem).strip("._-")[:MAX_NAME]
    if not name:
        raise ConfigError(f"no name can be made of {printable(official.name)!r}; choose one by --as")
    return name


def check_new(name: str) -> None:
    """Refuse a name that another network has."""
    from localsr.models.embedded import embedded_networks, imported_networks

    if name in embedded_networks():
        raise ConfigError(f"{name} is the name of a network of the package; choose another by --as")
    if name in imported_networks():
        how = f"choose another by --as, or first remove that one by `localsr models --remove {name}`"
        raise ConfigError(f"{name} is the name of a network that was imported before; {how}")


def check_output(path: Path, official: Path, suffix: str = SUFFIX) -> None:
    """Refuse a name that cannot or must not be written."""
    if path.suffix != suffix:
        raise ConfigError(f"{path} must end in {suffix}")
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
