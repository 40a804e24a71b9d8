"""`localsr models`: the networks at hand and what they scored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from localsr.cli.console import show

if TYPE_CHECKING:
    from rich.table import Table


def run(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[PATH]...", help="Checkpoints to show instead of the networks in the package."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")] = False,
) -> None:
    """List the networks in the package: what they are and what they scored."""
    from localsr.inference.restorer import DEFAULT, embedded

    files = {path.stem: path for path in paths} if paths else embedded()
    rows = [describe(name, path, not paths and name in DEFAULT.values()) for name, path in files.items()]
    if as_json:
        typer.echo(json.dumps({"models": rows}))
    elif rows:
        show(table(rows))
    else:
        typer.echo("there is no network in this package; give `--model` the path of a checkpoint")


def describe(name: str, path: Path, default: bool) -> dict[str, Any]:
    """Give what a checkpoint's header says."""
    from localsr.models import checkpoint

    tensors, card = checkpoint.read(path)
    return {
        "name": name,
        "default": default,
        "scale": card.config.scale,
        "kind": "plain" if card.config.plain else "clsr",
        "backbone": card.config.backbone,
        "parameters": sum(tensor.numel() for tensor in tensors.values()),
        "bytes": path.stat().st_size,
        "steps": card.training.get("steps"),
        "sha256": card.sha256,
        "plain_twin": card.plain.get("name"),
        "protocol": card.protocol,
    }


def scores(protocol: dict[str, Any]) -> list[str]:
    """Give a line for each data set of a header, whatever of it is there: `bsd100: clsr 27.60, halo 27.51`."""
    lines = []
    for data, result in protocol.items():
        ways = result.get("strategies") if isinstance(result, dict) else None
        found = [
            f"{way} {numbers['psnr_y']:.2f}"
            for way, numbers in (ways.items() if isinstance(ways, dict) else ())
            if isinstance(numbers, dict) and isinstance(numbers.get("psnr_y"), float)
        ]
        if found:
            lines.append(f"{data}: {', '.join(found)}")
    return lines


def table(rows: list[dict[str, Any]]) -> Table:
    """Lay the rows out."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    made.add_column("network", no_wrap=True)
    for title in ("scale", "kind", "backbone", "parameters", "file", "steps"):
        made.add_column(title, justify="left" if title in ("kind", "backbone") else "right", no_wrap=True)
    made.add_column("PSNR Y in dB")
    for row in rows:
        steps = row["steps"]
        made.add_row(
            escape(row["name"]) + (" [bold](default)[/]" if row["default"] else ""),
            f"x{row['scale']}",
            row["kind"],
            row["backbone"],
            f"{row['parameters']:,}",
            f"{row['bytes'] / 1e6:.2f} MB",
            f"{steps:,}" if isinstance(steps, int) else "-",
            escape("\n".join(scores(row["protocol"]))) or "-",
        )
    return made
