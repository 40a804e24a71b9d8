"""`localsr models`: the networks at hand and what they scored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from localsr.cli.terminal import print_table
from localsr.errors import ConfigError

if TYPE_CHECKING:
    from rich.table import Table


def models_command(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME|PATH]...", help="Networks to show; a single one with its whole card."),
    ] = None,
    remove: Annotated[str | None, typer.Option(metavar="NAME", help="Remove an imported network.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")] = False,
) -> None:
    """List the networks in the package and the imported ones: what they are and what they scored."""
    from localsr.models.embedded import DEFAULT_NETWORKS, embedded_networks, find_network, imported_networks

    own = imported_networks()
    if remove is not None:
        if remove not in own:
            raise ConfigError(f"no network {remove!r} was imported, only {', '.join(own) or 'none'}")
        own[remove].unlink()
        return
    files = {Path(name).stem: find_network(name) for name in names} if names else own | embedded_networks()
    rows = [describe(name, path, not names and name in DEFAULT_NETWORKS.values()) for name, path in files.items()]
    for row in rows:
        if row["name"] in own:
            row |= describe_need(row)
    if as_json:
        typer.echo(json.dumps({"models": rows}))
    elif names and len(rows) == 1:
        print_card(rows[0])
    elif rows:
        print_table(networks_table(rows))
    else:
        typer.echo("there is no network in this package; give `--model` the path of a checkpoint")
    for row in rows if not names and not as_json else []:
        if "halo" in row:
            need = f"{row['halo']} px of halo, {row['gflops_64']} GFLOPs for 64 x 64 px"
            typer.echo(f"{row['name']}, imported: {need}; {row['licence']}; sha256 {row['sha256'][:12]}")
    if not names and not as_json:
        typer.echo(f"Not trained yet: {', '.join(untrained())}. `localsr import` takes their authors' weights.")


def untrained() -> list[str]:
    """Name the presets that no network in the package has, at any scale, plain or with context."""
    from dataclasses import replace

    from localsr.models.card import read_card
    from localsr.models.embedded import embedded_networks
    from localsr.models.presets import PRESETS

    trained = [read_card(path, path.read_bytes()).config for path in embedded_networks().values()]
    return [
        name
        for name, preset in PRESETS.items()
        if not any(replace(preset, scale=c.scale, gcm=c.gcm, pim=c.pim) == c for c in trained)
    ]


def describe(name: str, path: Path, default: bool) -> dict[str, Any]:
    """Return what the header of a checkpoint holds."""
    from localsr.models.arrays import read_arrays
    from localsr.models.embedded import is_foreign

    if is_foreign(path):
        from localsr.foreign.files import read_about

        tensors, card = read_about(path)
        parameters = sum(tensor.numel() for tensor in tensors.values())
    else:
        arrays, card = read_arrays(path)
        parameters = sum(array.size for array in arrays.values())
    return {
        "name": name,
        "default": default,
        "scale": card.config.scale,
        "kind": "plain" if card.config.plain else "clsr",
        "backbone": card.config.backbone,
        "parameters": parameters,
        "bytes": path.stat().st_size,
        "steps": card.training.get("steps"),
        "sha256": card.sha256,
        "plain_twin": card.plain.get("name"),
        "recipe": card.recipe,
        "training": card.training,
        "protocol": card.protocol,
    }


def describe_need(row: dict[str, Any]) -> dict[str, Any]:
    """Return what an imported network needs: its halo, the GFLOPs of a region of 64 x 64 px, its licence, caution."""
    from localsr.geometry import Size
    from localsr.inference.cost import count_roi
    from localsr.inference.strategies import Strategy
    from localsr.loading import load
    from localsr.models.licences import caution, licence

    network = load(row["name"], device="cpu", precision="fp32").network
    size = Size(2 * max(network.geometry.exact_halo[0], 128), 2 * max(network.geometry.exact_halo[0], 128))
    gflops = count_roi(network, Strategy.HALO, 64, size).roi / 1e9
    file = row["training"].get("imported_sha256", row["sha256"])
    need = {"halo": network.geometry.halo[0], "gflops_64": round(gflops, 2)}
    return need | {"licence": licence(file), "caution": caution(file)}


def print_card(row: dict[str, Any]) -> None:
    """Print all that the header of a checkpoint holds."""
    recipe, training = row["recipe"], row["training"]
    kind = f"{row['backbone']}, x{row['scale']}, {row['kind']}"
    lines = {
        "network": f"{row['name']}: {kind}, {row['parameters']:,} parameters",
        "sha256": row["sha256"],
        "plain twin": row["plain_twin"],
        "started from": recipe.get("init"),
        "blended with": f"{recipe['blend']}, {recipe.get('blend_share')} of it" if recipe.get("blend") else None,
        "data": recipe.get("data") or ", ".join(map(str, recipe.get("folders") or [])),
        "degradation": recipe.get("degradation"),
        "pictures": training.get("pictures"),
        "steps": row["steps"],
        "batch": recipe.get("batch"),
        "context, ROI": f"{recipe.get('context')}, {recipe.get('roi')} LR px" if recipe else None,
        "seed": recipe.get("seed"),
        "hours": training.get("hours"),
        "device": training.get("device"),
        "imported": training.get("imported"),
        "halo": f"{row['halo']} LR px; {row['gflops_64']} GFLOPs for a region of 64 x 64" if "halo" in row else None,
        "licence": row.get("licence"),
        "caution": row.get("caution"),
        "limits": recipe.get("limits"),
    }
    for name, value in lines.items():
        if value not in (None, ""):
            typer.echo(f"{name + ':':14}{value}")
    for line in scores(row["protocol"]):
        typer.echo(f"{'PSNR Y, dB:':14}{line}")


def scores(protocol: dict[str, Any]) -> list[str]:
    """Return a line for each data set of a header: `bsd100: clsr 27.60, halo 27.51`; leave out what is malformed."""
    lines = []
    for data, result in protocol.items():
        strategies = result.get("strategies") if isinstance(result, dict) else None
        found = [
            f"{strategy} {numbers['psnr_y']:.2f}"
            for strategy, numbers in (strategies.items() if isinstance(strategies, dict) else ())
            if isinstance(numbers, dict) and isinstance(numbers.get("psnr_y"), float)
        ]
        if found:
            lines.append(f"{data}: {', '.join(found)}")
    return lines


def networks_table(rows: list[dict[str, Any]]) -> Table:
    """Return a row for each network."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("network", no_wrap=True)
    for title in ("scale", "kind", "backbone", "parameters", "file", "steps"):
        table.add_column(title, justify="left" if title in ("kind", "backbone") else "right", no_wrap=True)
    table.add_column("PSNR Y in dB")
    for row in rows:
        steps = row["steps"]
        table.add_row(
            escape(row["name"]) + (" [bold](default)[/]" if row["default"] else ""),
            f"x{row['scale']}",
            row["kind"],
            row["backbone"],
            f"{row['parameters']:,}",
            f"{row['bytes'] / 1e6:.2f} MB",
            f"{steps:,}" if isinstance(steps, int) else "-",
            escape("\n".join(scores(row["protocol"]))) or "-",
        )
    return table
