"""`localsr evaluate`: the paper's protocol on a data set."""

from __future__ import annotations

import json
import math
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from localsr.cli.console import Device, Model, Precision, Runtime, Scale, bar, loaded, show
from localsr.errors import CheckpointError, ConfigError
from localsr.extras import need
from localsr.files import write_whole

if TYPE_CHECKING:
    from rich.table import Table

    from localsr.evaluation.results import Result
    from localsr.inference.restorer import Restorer

COLUMNS = {  # key of a result -> title, format
    "psnr_y": ("PSNR Y", ".3f"),
    "psnr_rgb": ("PSNR RGB", ".3f"),
    "ssim_y": ("SSIM Y", ".4f"),
    "roi_psnr_y": ("PSNR Y of ROIs", ".3f"),
    "roi_ssim_y": ("SSIM Y of ROIs", ".4f"),
    "gflops_roi": ("GFLOPs an ROI", ".3f"),
    "gflops_first_roi": ("GFLOPs first ROI", ".3f"),
}


def run(
    data: Annotated[
        str,
        typer.Option(
            metavar="NAME|DIR",
            help="set5, set14, bsd100, urban100, manga109, test2k, div2k-valid within --root; or a data set's folder.",
            show_default=False,
        ),
    ],
    root: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the named data sets are.", envvar="LOCALSR_DATA", show_default=False),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="Keep the result for `localsr report`; a run that was broken off goes on.",
            show_default=False,
        ),
    ] = None,
    scale: Scale = None,
    roi: Annotated[int, typer.Option(min=1, help="Side of an ROI in LR pixels.")] = 24,
    strategy: Annotated[
        str | None,
        typer.Option(
            metavar="bicubic,crop,halo,clsr,full",
            help="Which to compare, all by default; halo-4 has 4 px, clsr-in-3 sees three ROIs of the picture.",
            show_default=False,
        ),
    ] = None,
    model: Model = None,
    device: Device = "auto",
    precision: Precision = "fp32",
    runtime: Runtime = "torch",
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="Only the first N pictures.")] = None,
    sample: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="At most N ROIs of a picture, drawn by its number.")
    ] = None,
    degradation: Annotated[
        str, typer.Option(metavar="bicubic|photo", help="How LR is made: as the papers do, or blur, noise and JPEG.")
    ] = "bicubic",
    timing: Annotated[bool, typer.Option("--timing", help="Measure seconds and memory by picture size, too.")] = False,
    record: Annotated[bool, typer.Option("--record", help="Keep the result in the checkpoint's header.")] = False,
) -> None:
    """Measure quality and cost of the strategies on a data set, by the protocol of the paper."""
    if record and (limit is not None or sample is not None):
        raise ConfigError("--record keeps the numbers of a whole data set; leave out --limit and --sample")
    if record and precision != "fp32":
        raise ConfigError(f"--record keeps the numbers of fp32, not of {precision}")
    if runtime != "torch" and (record or timing):
        raise ConfigError("--record and --timing are of torch; leave out --runtime")
    if timing and output is None:
        raise ConfigError("--timing is for a report; say with -o where the result is to be kept")
    need("evaluate", "polars", "skimage", "torchmetrics")
    from localsr.evaluation.benchmark import Benchmark
    from localsr.evaluation.datasets import find as find_data
    from localsr.evaluation.methods import Way
    from localsr.evaluation.protocol import evaluate
    from localsr.inference.restorer import BICUBIC, find

    if model is None and degradation == "bicubic":
        model = BICUBIC.get(scale or 4)
    restorer = loaded(runtime, model, scale, device=device, precision=precision)
    ways = [] if strategy is None else [Way.named(name.strip()) for name in strategy.split(",")]
    multiple = math.lcm(roi, restorer.multiple)
    benchmark = Benchmark(find_data(data, root), restorer.scale, multiple, limit, degradation=degradation)
    with tempfile.TemporaryDirectory(prefix="localsr-") as scratch, bar("evaluating") as progress:
        result = evaluate(
            benchmark,
            restorer,
            output or Path(scratch),
            roi=roi,
            ways=list(dict.fromkeys(ways)),
            sample=sample,
            progress=progress,
        )
    show(table(result))
    from localsr.evaluation.report.tables import spread

    for names, interval in result.about["differences"].items():
        typer.echo(f"{names}, dB: {spread(interval)}")
    if timing and output is not None and result.timing is None:
        from localsr.evaluation.timing import timings

        strategies = [way.strategy for way in result.ways if way.strategy and way == Way(way.strategy)]
        path = str(find(model, restorer.scale))
        with bar("timing") as progress:
            measured = timings(path, strategies, roi, device, precision, progress)
        write_whole(output / "timing.json", (json.dumps(measured, indent=2) + "\n").encode())
    if record:
        keep(model, restorer, result.about)


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


def table(result: Result) -> Table:
    """Lay a result out, a row for each way."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    about = result.about["protocol"]
    data = about["data"] + (" as photos" if about["degradation"] == "photo" else "")
    sampled = "" if about["rois"] == "all" else f", {about['rois']}"
    title = f"{data}, {about['pictures']} pictures, ROI {about['roi']}{sampled}, x{about['scale']}"
    made = Table(title=escape(f"{title}, {result.about['checkpoint']['name']}"), box=box.SIMPLE_HEAD, pad_edge=False)
    made.add_column("strategy")
    for name, _ in COLUMNS.values():
        made.add_column(name, justify="right")
    for way, numbers in result.about["strategies"].items():
        cells = ("n/a" if numbers[key] is None else f"{numbers[key]:{form}}" for key, (_, form) in COLUMNS.items())
        made.add_row(way, *cells)
    return made
