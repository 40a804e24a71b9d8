"""`localsr evaluate`: the paper's protocol on a data set."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from localsr.cli.console import Device, Model, Precision, Scale, bar, need, show
from localsr.errors import CheckpointError, ConfigError
from localsr.files import write_whole

if TYPE_CHECKING:
    from rich.table import Table

    from localsr.inference.restorer import Restorer
    from localsr.inference.strategies import Strategy

COLUMNS = {  # key of a result -> title, format
    "psnr_y": ("PSNR Y", ".3f"),
    "psnr_rgb": ("PSNR RGB", ".3f"),
    "ssim_y": ("SSIM Y", ".4f"),
    "gflops_roi": ("GFLOPs an ROI", ".3f"),
    "gflops_first_roi": ("GFLOPs first ROI", ".3f"),
}


def run(
    data: Annotated[
        Path, typer.Option(metavar="DIR", help="Data set: DIR/HR and perhaps DIR/LR_x4.", show_default=False)
    ],
    scale: Scale = None,
    roi: Annotated[int, typer.Option(min=1, help="Side of an ROI in LR pixels.")] = 24,
    strategy: Annotated[
        str | None,
        typer.Option(
            metavar="crop,halo,clsr,full", help="Which to compare; all that the network has.", show_default=False
        ),
    ] = None,
    model: Model = None,
    device: Device = "auto",
    precision: Precision = "fp32",
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="Only the first N pictures.")] = None,
    degradation: Annotated[
        str, typer.Option(metavar="bicubic|photo", help="How LR is made: as the papers do, or blur, noise and JPEG.")
    ] = "bicubic",
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the result as JSON.")] = None,
    record: Annotated[bool, typer.Option("--record", help="Keep the result in the checkpoint's header.")] = False,
) -> None:
    """Measure quality and cost of the strategies on a data set, by the protocol of the paper."""
    if record and limit is not None:
        raise ConfigError("--record keeps the numbers of a whole data set; leave out --limit")
    if record and precision != "fp32":
        raise ConfigError(f"--record keeps the numbers of fp32, not of {precision}")
    if json_file is not None and json_file.is_dir():
        raise ConfigError(f"{json_file} is a folder; name a file in it")
    need("torchmetrics")
    from localsr.inference.restorer import BICUBIC, Restorer

    if model is None and degradation == "bicubic":
        model = BICUBIC.get(scale or 4)
    restorer = Restorer.load(model, scale=scale, device=device, precision=precision)
    ways = chosen(strategy, restorer)
    from localsr.evaluation.protocol import evaluate

    with bar("evaluating") as progress:
        result = evaluate(
            data, restorer, roi=roi, strategies=ways, limit=limit, degradation=degradation, progress=progress
        ).to_dict()
    show(table(result))
    for names, (mean, low, high) in result["differences"].items():
        typer.echo(f"{names}: {mean:+.3f} dB, 95 % of resamples in {low:+.3f} to {high:+.3f}")
    if json_file is not None:
        write_whole(json_file, (json.dumps(result, indent=2) + "\n").encode())
    if record:
        keep(model, restorer, result)


def chosen(text: str | None, restorer: Restorer) -> list[Strategy]:
    """Read a list of strategies; each once, in the order given."""
    from localsr.inference.strategies import Strategy

    if text is None:
        return [way for way in Strategy if way is not Strategy.CLSR or not restorer.card.config.plain]
    return list(dict.fromkeys(Strategy.named(name.strip()) for name in text.split(",")))


def keep(model: str | None, restorer: Restorer, result: dict[str, Any]) -> None:
    """Write a result into the header of the checkpoint that it came from."""
    from localsr.inference.restorer import find
    from localsr.models import checkpoint

    path = find(model, restorer.scale)
    tensors, card = checkpoint.read(path)
    if card.sha256 != restorer.card.sha256:
        raise CheckpointError(f"{path} has changed since it was evaluated; its header is left as it is")
    kept = {key: result[key] for key in ("protocol", "checkpoint", "strategies", "differences")}
    kept["protocol"].pop("degradations", None)  # a header is for people
    key = _key(result["protocol"])
    before = card.protocol.get(key, {})
    if isinstance(before, dict) and before.get("checkpoint") == kept["checkpoint"]:  # other strategies, measured before
        for part in ("strategies", "differences"):
            kept[part] = {**before.get(part, {}), **kept[part]}
    checkpoint.write(path, tensors, replace(card, protocol=card.protocol | {key: kept}))


def _key(protocol: dict[str, Any]) -> str:
    """Name a result in a header: the data set, and what is not as in the paper's Table 1."""
    photo = "" if protocol["degradation"] == "bicubic" else f"-{protocol['degradation']}"
    roi = "" if protocol["roi"] == 24 else f"-roi{protocol['roi']}"
    return f"{protocol['data']}{photo}{roi}"


def table(result: dict[str, Any]) -> Table:
    """Lay a result out, a row for each strategy."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    about = result["protocol"]
    data = about["data"] + (" as photos" if about["degradation"] == "photo" else "")
    title = f"{data}, {about['pictures']} pictures, ROI {about['roi']}, x{about['scale']}"
    made = Table(title=escape(f"{title}, {result['checkpoint']['name']}"), box=box.SIMPLE_HEAD, pad_edge=False)
    made.add_column("strategy")
    for name, _ in COLUMNS.values():
        made.add_column(name, justify="right")
    for way, numbers in result["strategies"].items():
        made.add_row(way, *(f"{numbers[key]:{form}}" for key, (_, form) in COLUMNS.items()))
    return made
