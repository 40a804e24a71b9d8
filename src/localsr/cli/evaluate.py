"""`localsr evaluate`: the paper's protocol on a data set."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from localsr.cli.batch_progress import duration
from localsr.cli.options import NetworkOptions, takes_groups
from localsr.cli.terminal import print_table, progress_bar, spinner
from localsr.errors import CheckpointError, ConfigError
from localsr.extras import need
from localsr.files import write_whole

if TYPE_CHECKING:
    from rich.table import Table

    from localsr.evaluation.benchmark import Benchmark
    from localsr.evaluation.methods import Method
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
        list[str],
        typer.Option(
            metavar="NAME|DIR",
            help="A data set's folder, wherever it lies; or its name within --root, whatever its folder is called: "
            "set5, set14, bsd100, urban100, manga109, test2k, div2k-valid. Repeat it for more of them.",
            show_default=False,
        ),
    ],
    root: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where names are looked for.", envvar="LOCALSR_DATA", show_default=False),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="Keep the result for `localsr report`, that of each of several data sets in a folder of its own; a "
            "run that was broken off goes on, here or on another machine.",
            show_default=False,
        ),
    ] = None,
    roi: Annotated[int, typer.Option(min=1, help="Side of an ROI in LR pixels.")] = 24,
    strategy: Annotated[
        str | None,
        typer.Option(
            metavar="bicubic,crop,halo,clsr,full",
            help="Which to compare, all by default; halo-4 has 4 px, clsr-in-3 sees three ROIs of the picture; "
            "halo-by-roi is told of the degradation by the ROI, -by-surroundings by what is around it too, -by-truth.",
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
    to_full: Annotated[
        bool,
        typer.Option("--to-full", help="Compare with the network's own `full` instead of HR: what a halo brings back."),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what it would cost.")] = False,
    timing: Annotated[bool, typer.Option("--timing", help="Measure seconds and memory by picture size, too.")] = False,
    record: Annotated[bool, typer.Option("--record", help="Keep the result in the checkpoint's header.")] = False,
) -> None:
    """Measure quality and cost of the strategies on a data set, by the protocol of the paper."""
    if record and (limit is not None or sample is not None or to_full):
        raise ConfigError("--record keeps the numbers of a whole data set; leave out --limit, --sample and --to-full")
    if network.precision == "auto":  # numbers of a network, not of a machine
        network = replace(network, precision="fp32")
    if record and network.precision != "fp32":
        raise ConfigError(f"--record keeps the numbers of fp32, not of {network.precision}")
    if network.runtime == "onnx" and (record or timing):
        raise ConfigError("--record and --timing are of torch; leave out --runtime")
    if timing and output is None:
        raise ConfigError("--timing is for a report; say with -o where the result is to be kept")
    need("evaluate", "duckdb", "skimage", "torchmetrics")
    from localsr.evaluation.benchmark import Benchmark
    from localsr.evaluation.datasets import data_set_name, find_data_set
    from localsr.evaluation.methods import Method
    from localsr.evaluation.protocol import default_methods
    from localsr.models.embedded import BENCHMARK_NETWORKS

    if network.model is None and degradation == "bicubic":
        network = replace(network, model=BENCHMARK_NETWORKS.get(network.scale or 4))
    restorer = network.load()
    asked = [] if strategy is None else [Method.named(name.strip()) for name in strategy.split(",")]
    methods = list(dict.fromkeys(asked)) or default_methods(restorer, to_full=to_full)
    multiple = math.lcm(roi, restorer.multiple)
    folders = [find_data_set(name, root) for name in dict.fromkeys(data)]
    benchmarks = [Benchmark(f, restorer.network_scale, multiple, limit, degradation=degradation) for f in folders]
    if dry_run:
        for benchmark in benchmarks:
            print_estimate(benchmark, restorer, roi, methods, sample)
        return
    for folder, benchmark in zip(folders, benchmarks, strict=True):
        kept = output if output is None or len(folders) == 1 else output / data_set_name(folder)
        result = run_benchmark(benchmark, restorer, kept, roi, methods, sample, to_full=to_full)
        if timing and kept is not None and result.timing is None:
            keep_timing(result, kept, roi, network, restorer.network_scale)
        if record:
            record_in_checkpoint(network.model, restorer, result)


def run_benchmark(
    benchmark: Benchmark,
    restorer: Restorer,
    output: Path | None,
    roi: int,
    methods: Sequence[Method],
    sample: int | None,
    *,
    to_full: bool,
) -> Result:
    """Evaluate one data set and print its table; the result is kept in `output`, if there is one."""
    from localsr.evaluation.protocol import evaluate

    with tempfile.TemporaryDirectory(prefix="localsr-") as scratch, progress_bar("evaluating") as progress:
        result = evaluate(
            benchmark,
            restorer,
            output or Path(scratch),
            roi=roi,
            methods=methods,
            sample=sample,
            to_full=to_full,
            progress=progress,
        )
    print_table(result_table(result))
    for names, interval in result.record.differences.items():
        typer.echo(f"{names}, dB: {interval}")
    return result


def keep_timing(result: Result, folder: Path, roi: int, network: NetworkOptions, scale: int) -> None:
    """Measure seconds and memory of what was compared, and keep them beside the result."""
    from localsr.evaluation.methods import Method
    from localsr.evaluation.records import json_bytes, plain_values
    from localsr.evaluation.timing import measure_timing
    from localsr.models.embedded import find_network

    strategies = [m.strategy for m in result.methods if m.strategy and m == Method(m.strategy)]
    path = str(find_network(network.model, scale))
    with progress_bar("timing") as progress:
        measured = measure_timing(path, strategies, roi, network.device, network.precision, progress)
    write_whole(folder / "timing.json", json_bytes(plain_values(measured)))


def print_estimate(
    benchmark: Benchmark, restorer: Restorer, roi: int, methods: Sequence[Method], sample: int | None
) -> None:
    """Print what evaluating a data set would cost."""
    from rich import box
    from rich.table import Table

    from localsr.evaluation.estimate import estimate_evaluation

    with spinner(f"counting {benchmark.name}"):
        estimate = estimate_evaluation(benchmark, restorer, roi=roi, methods=methods, sample=sample)
    title = f"{benchmark.name}, {estimate.pictures} pictures, {estimate.rois} ROIs of {roi}, {restorer.card.name}"
    table = Table(title=title, box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("strategy")
    for name in ("GFLOPs", "time here"):
        table.add_column(name, justify="right")
    for method, cost in estimate.methods.items():
        table.add_row(method, f"{cost.gflops:.0f}", duration(cost.seconds))
    table.add_row("all", f"{sum(cost.gflops for cost in estimate.methods.values()):.0f}", duration(estimate.seconds))
    print_table(table)


def record_in_checkpoint(model: str | None, restorer: Restorer, result: Result) -> None:
    """Write a result into the header of the checkpoint that it was measured with."""
    from localsr.evaluation.records import plain_values
    from localsr.models import checkpoint
    from localsr.models.embedded import find_network

    path = find_network(model, restorer.network_scale)
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
