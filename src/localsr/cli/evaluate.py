"""`localsr evaluate`: the paper's protocol on a data set."""

from __future__ import annotations

import math
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from localsr.cli.options import NetworkOptions, takes_groups
from localsr.cli.terminal import print_table, progress_bar
from localsr.errors import CheckpointError, ConfigError
from localsr.extras import need
from localsr.files import write_whole

if TYPE_CHECKING:
    from rich.table import Table

    from localsr.evaluation.records import Protocol
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


@takes_groups
def evaluate_command(
    *,
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
    roi: Annotated[int, typer.Option(min=1, help="Side of an ROI in LR pixels.")] = 24,
    strategy: Annotated[
        str | None,
        typer.Option(
            metavar="bicubic,crop,halo,clsr,full",
            help="Which to compare, all by default; halo-4 has 4 px, clsr-in-3 sees three ROIs of the picture.",
            show_default=False,
        ),
    ] = None,
    network: NetworkOptions,
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
    if network.precision == "auto":  # numbers of a network, not of a machine
        network = replace(network, precision="fp32")
    if record and network.precision != "fp32":
        raise ConfigError(f"--record keeps the numbers of fp32, not of {network.precision}")
    if network.runtime == "onnx" and (record or timing):
        raise ConfigError("--record and --timing are of torch; leave out --runtime")
    if timing and output is None:
        raise ConfigError("--timing is for a report; say with -o where the result is to be kept")
    need("evaluate", "polars", "skimage", "torchmetrics")
    from localsr.evaluation.benchmark import Benchmark
    from localsr.evaluation.datasets import find_data_set
    from localsr.evaluation.methods import Method
    from localsr.evaluation.protocol import evaluate
    from localsr.models.embedded import BENCHMARK_NETWORKS, find_network

    if network.model is None and degradation == "bicubic":
        network = replace(network, model=BENCHMARK_NETWORKS.get(network.scale or 4))
    restorer = network.load()
    methods = [] if strategy is None else [Method.named(name.strip()) for name in strategy.split(",")]
    multiple = math.lcm(roi, restorer.multiple)
    benchmark = Benchmark(find_data_set(data, root), restorer.scale, multiple, limit, degradation=degradation)
    with tempfile.TemporaryDirectory(prefix="localsr-") as scratch, progress_bar("evaluating") as progress:
        result = evaluate(
            benchmark,
            restorer,
            output or Path(scratch),
            roi=roi,
            methods=list(dict.fromkeys(methods)),
            sample=sample,
            progress=progress,
        )
    print_table(result_table(result))
    for names, interval in result.record.differences.items():
        typer.echo(f"{names}, dB: {interval}")
    if timing and output is not None and result.timing is None:
        from localsr.evaluation.records import json_bytes, plain_values
        from localsr.evaluation.timing import measure_timing

        strategies = [m.strategy for m in result.methods if m.strategy and m == Method(m.strategy)]
        path = str(find_network(network.model, restorer.scale))
        with progress_bar("timing") as progress:
            measured = measure_timing(path, strategies, roi, network.device, network.precision, progress)
        write_whole(output / "timing.json", json_bytes(plain_values(measured)))
    if record:
        record_in_checkpoint(network.model, restorer, result)


def record_in_checkpoint(model: str | None, restorer: Restorer, result: Result) -> None:
    """Write a result into the header of the checkpoint that it was measured with."""
    from localsr.evaluation.records import plain_values
    from localsr.models import checkpoint
    from localsr.models.embedded import find_network

    path = find_network(model, restorer.scale)
    tensors, card = checkpoint.read(path)
    if card.sha256 != restorer.card.sha256:
        raise CheckpointError(f"{path} has changed since it was evaluated; its header is left as it is")
    record = plain_values(result.record)
    kept = {key: record[key] for key in ("protocol", "checkpoint", "strategies", "differences")}
    kept["protocol"].pop("degradations", None)  # a header is for people
    key = protocol_key(result.record.protocol)
    before = card.protocol.get(key, {})
    if isinstance(before, dict) and before.get("checkpoint") == kept["checkpoint"]:  # other strategies, measured before
        for part in ("strategies", "differences"):
            kept[part] = {**before.get(part, {}), **kept[part]}
    checkpoint.write(path, tensors, replace(card, protocol=card.protocol | {key: kept}))


def protocol_key(protocol: Protocol) -> str:
    """Return a result's name in a header: the data set, and what is not as in the paper's Table 1."""
    photo = "" if protocol.degradation == "bicubic" else f"-{protocol.degradation}"
    roi = "" if protocol.roi == 24 else f"-roi{protocol.roi}"
    return f"{protocol.data}{photo}{roi}"


def result_table(result: Result) -> Table:
    """Return a result as a table, a row for each method."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    protocol = result.record.protocol
    data = protocol.data + (" as photos" if protocol.degradation == "photo" else "")
    sampled = "" if protocol.rois == "all" else f", {protocol.rois}"
    title = f"{data}, {len(result.record.pictures)} pictures, ROI {protocol.roi}{sampled}, x{protocol.scale}"
    table = Table(title=escape(f"{title}, {result.network}"), box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("strategy")
    for name, _ in COLUMNS.values():
        table.add_column(name, justify="right")
    for method, means in result.record.means.items():
        numbers = ((getattr(means, key), form) for key, (_, form) in COLUMNS.items())
        table.add_row(method, *("n/a" if number is None else f"{number:{form}}" for number, form in numbers))
    return table
