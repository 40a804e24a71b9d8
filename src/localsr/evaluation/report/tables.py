"""The paper's Table 1 with the baselines it leaves out, paired differences, time and memory; from results."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, TypeVar

from localsr.evaluation.methods import Method
from localsr.evaluation.paper import PAPER_COSTS, PAPER_QUALITY, PAPER_SIZES, PICTURE_COUNTS
from localsr.evaluation.report.document import ReportTable
from localsr.evaluation.results import Result, Setting, paired_difference
from localsr.inference.strategies import Strategy
from localsr.models.config import ModelConfig
from localsr.models.presets import PRESETS

Key = TypeVar("Key", bound=Hashable)


def group_by(results: Iterable[Result], key: Callable[[Result], Key]) -> dict[Key, list[Result]]:
    """Put results with the same key together, in the order they come."""
    groups: dict[Key, list[Result]] = {}
    for result in results:
        groups.setdefault(key(result), []).append(result)
    return groups


def make_table_1(results: Sequence[Result], setting: Setting) -> ReportTable:
    """Make Table 1 of results of one setting: a row for each network and strategy, columns for each data set."""
    data_sets = list(dict.fromkeys(r.data for r in results))
    columns = ["network", "strategy"]
    for data in data_sets:
        columns += [f"{data} PSNR Y", "SSIM Y", "GFLOPs", "paper"]
    rows = []
    for network, own in group_by(results, lambda r: r.network).items():
        methods = dict.fromkeys(
            m for r in own for m in r.methods if m.halo is None and m.context is None and not m.told
        )
        for method in sorted(methods, key=_order):
            cells = [f"`{network}`", f"`{method}`"]
            for data in data_sets:
                found = next((r for r in own if r.data == data and method in r.methods), None)
                cells += _cells(found, method) if found else [""] * 4
            rows.append(tuple(cells))
    kept = [n for n, title in enumerate(columns) if title != "paper" or any(row[n] for row in rows)]
    columns, rows = [columns[n] for n in kept], [tuple(row[n] for n in kept) for row in rows]
    note = (
        "PSNR in dB and SSIM of stitched pictures, on Y, mean over pictures. GFLOPs of a picture's first ROI, patches "
        "and all. The paper: PSNR / SSIM / GFLOPs; its SSIM is of restored patches by its own words, but none of the "
        "usual definitions, of patches or of pictures, gives 0.88 on BSD100. LPIPS: n/a, its weights are not here."
    )
    if any(r.record.protocol.rois != "all" for r in results):
        note += " Where ROIs were sampled, PSNR and SSIM are means over ROIs."
    title = "How near to the whole picture's" if setting.against else "Table 1"
    return ReportTable(f"table-1-{setting.file}", f"{title}: {setting}", tuple(columns), tuple(rows), note)


def _order(method: Method) -> int:
    """Sort as the table reads: bicubic, then as Strategy has them."""
    return -1 if method.strategy is None else list(Strategy).index(method.strategy)


def _cells(result: Result, method: Method) -> list[str]:
    """Return PSNR, SSIM and GFLOPs of a method, and the paper's three."""
    means = result.record.means[str(method)]
    ssim = means.ssim_y if means.ssim_y is not None else means.roi_ssim_y
    gflops = "" if method.strategy is None else f"{means.gflops_first_roi:.2f}"
    psnr = f"{result.psnr(method):.3f}"
    return [psnr, "n/a" if ssim is None else f"{ssim:.4f}", gflops, _paper_cell(result, method)]


def _paper_cell(result: Result, method: Method) -> str:
    """Return the paper's PSNR, SSIM and GFLOPs where it measured the same network on the same pictures."""
    complete = len(result.record.pictures) == PICTURE_COUNTS.get(result.data) and result.record.protocol.rois == "all"
    if result.setting != Setting(4, "bicubic", 24) or not complete:
        return ""
    backbone = _backbone(result.config)
    preset = next((p for p in PAPER_QUALITY if _backbone(PRESETS[p]) == backbone), None)
    if preset is None or method.strategy not in PAPER_QUALITY[preset]:
        return ""
    k = [data.lower() for data in PAPER_SIZES].index(result.data)
    psnr, ssim = PAPER_QUALITY[preset][method.strategy][k]
    costs = PAPER_COSTS[preset]
    gflops = {Strategy.CROP: costs.crop, Strategy.FULL: costs.full[k], Strategy.CLSR: costs.clsr[k]}[method.strategy]
    return f"{psnr:.2f} / {ssim:.4f} / {gflops:.2f}"


def _backbone(config: ModelConfig) -> dict[str, Any]:
    """Return what a network is without its context and its halo."""
    return {key: value for key, value in config.without_context().to_dict().items() if key != "halo"}


def make_differences_table(results: Sequence[Result], setting: Setting) -> ReportTable | None:
    """Compare what matters, paired by picture: context against halo and full, also of other plain networks."""
    clsr, halo, full, crop = (Method(s) for s in (Strategy.CLSR, Strategy.HALO, Strategy.FULL, Strategy.CROP))
    rows = []
    for data, own in group_by(results, lambda r: r.data).items():
        for result in own:
            pairs = [(clsr, crop), (clsr, halo), (clsr, full), (halo, crop), (full, halo)]
            for one, other in pairs:
                if {one, other} <= set(result.methods):
                    apart = paired_difference(result.values(one), result.values(other))
                    rows.append((data, f"`{result.network}`: `{one}` - `{other}`", str(apart)))
        for result, plain in ((a, b) for a in own for b in own):
            twins = plain.config == result.config.without_context()
            if clsr in result.methods and twins and result.pairs_with(plain):
                for other in (halo, full):
                    if other in plain.methods:
                        apart = paired_difference(result.values(clsr), plain.values(other))
                        title = f"`{result.network}` `{clsr}` - `{plain.network}` `{other}`"
                        rows.append((data, title, str(apart)))
    note = (
        "Mean over pictures of the difference of PSNR Y in dB, and the 95 % bootstrap interval of that mean, paired by "
        "picture. Between two networks, mind the steps of training of each."
    )
    columns = ("data", "difference", "dB")
    return (
        ReportTable(f"differences-{setting.file}", f"Differences: {setting}", columns, tuple(rows), note)
        if rows
        else None
    )


def make_timing_tables(results: Sequence[Result]) -> list[ReportTable]:
    """Make a table of seconds and memory for each result that has them."""
    tables: list[ReportTable] = []
    for result in results:
        if result.timing is None:
            continue
        rows = [
            (f"`{row.strategy}`", row.size, f"{row.first:.3f}", f"{row.later:.3f}", f"{row.peak_mb}")
            for row in result.timing.rows
        ]
        place = f"{result.timing.machine}, {result.timing.precision}"
        title = f"Time and memory: `{result.network}`, ROI {result.setting.roi}, {place}"
        note = (
            "Each row in a process of its own: seconds of a picture's first ROI with its patches, the median of later "
            "ones, and its peak memory on the host, libraries and weights counted in. `full` restores all of it."
        )
        columns = ("strategy", "picture, LR px", "first ROI, s", "later ROI, s", "peak MB")
        tables.append(ReportTable(f"time-{len(tables) + 1}", title, columns, tuple(rows), note))
    return tables
