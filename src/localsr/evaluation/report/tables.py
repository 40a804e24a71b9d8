"""The paper's Table 1 with the baselines it leaves out, paired differences, time and memory; from results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from statistics import fmean
from typing import Any, NamedTuple

from localsr.evaluation.methods import Way
from localsr.evaluation.paper import COUNTS, PAPER, PICTURES, QUALITY
from localsr.evaluation.report.document import Table
from localsr.evaluation.results import Interval, Result, difference
from localsr.inference.strategies import Strategy
from localsr.models.config import ModelConfig
from localsr.models.presets import PRESETS


class Setting(NamedTuple):
    """What two results must share to stand in one table."""

    scale: int
    degradation: str
    roi: int

    def __str__(self) -> str:
        """`x4, ROI 24, LR by bicubic`."""
        made = "LR by bicubic" if self.degradation == "bicubic" else "LR as photos (blur, noise, JPEG)"
        return f"x{self.scale}, ROI {self.roi} x {self.roi}, {made}"


def setting(result: Result) -> Setting:
    """Give a result's."""
    about = result.about["protocol"]
    return Setting(about["scale"], about["degradation"], about["roi"])


def grouped(results: Iterable[Result], key: Callable[[Result], Any]) -> dict[Any, list[Result]]:
    """Put results with one key together, in the order they come."""
    groups: dict[Any, list[Result]] = {}
    for result in results:
        groups.setdefault(key(result), []).append(result)
    return groups


def config(result: Result) -> ModelConfig:
    """Give a result's network."""
    return ModelConfig.from_dict(result.about["model"])


def name(result: Result) -> str:
    """Give the name of a result's network."""
    return str(result.about["checkpoint"]["name"])


def data(result: Result) -> str:
    """Give the name of a result's data set."""
    return str(result.about["protocol"]["data"])


def spread(interval: Interval) -> str:
    """Write a difference with its interval of 95 %; one that holds 0 is a tie."""
    mean, low, high = interval
    if low is None or high is None:
        return f"{mean:+.3f} (of one picture: no interval)"
    told = f"{mean:+.3f} ({low:+.3f} to {high:+.3f})"
    return f"{told}, a tie" if low <= 0 <= high else told


def table_1(results: Sequence[Result], of: Setting) -> Table:
    """Lay Table 1 out for results of one setting: a row for each network and strategy, three columns a data set."""
    sets = list(dict.fromkeys(data(r) for r in results))
    columns = ["network", "strategy"]
    for each in sets:
        columns += [f"{each} PSNR Y", "SSIM Y", "GFLOPs", "paper"]
    rows = []
    for network, own in grouped(results, name).items():
        ways = dict.fromkeys(way for r in own for way in r.ways if way.halo is None and way.context is None)
        for way in sorted(ways, key=_order):
            cells = [f"`{network}`", f"`{way}`"]
            for each in sets:
                found = next((r for r in own if data(r) == each and way in r.ways), None)
                cells += _cells(found, way, of) if found else [""] * 4
            rows.append(tuple(cells))
    kept = [n for n, title in enumerate(columns) if title != "paper" or any(row[n] for row in rows)]
    columns, rows = [columns[n] for n in kept], [tuple(row[n] for n in kept) for row in rows]
    note = (
        "PSNR in dB and SSIM of stitched pictures, on Y, mean over pictures. GFLOPs of a picture's first ROI, patches "
        "and all. The paper: PSNR / SSIM / GFLOPs; its SSIM is of restored patches by its own words, but none of the "
        "usual definitions, of patches or of pictures, gives 0.88 on BSD100. LPIPS: n/a, its weights are not here."
    )
    if any(r.about["protocol"]["rois"] != "all" for r in results):
        note += " Where ROIs were sampled, PSNR and SSIM are means over ROIs."
    return Table(
        f"table-1-x{of.scale}-{of.degradation}-roi{of.roi}", f"Table 1: {of}", tuple(columns), tuple(rows), note
    )


def _order(way: Way) -> int:
    """Sort as the table reads: bicubic, then as Strategy has them."""
    return -1 if way.strategy is None else list(Strategy).index(way.strategy)


def _cells(result: Result, way: Way, of: Setting) -> list[str]:
    """Give PSNR, SSIM and GFLOPs of a way, and the paper's three."""
    numbers = result.about["strategies"][str(way)]
    ssim = numbers["ssim_y"] if numbers["ssim_y"] is not None else numbers["roi_ssim_y"]
    cost = "" if way.strategy is None else f"{numbers['gflops_first_roi']:.2f}"
    return [f"{psnr(result, way):.3f}", "n/a" if ssim is None else f"{ssim:.4f}", cost, _papers(result, way, of)]


def psnr(result: Result, way: Way) -> float:
    """Give the PSNR Y of a way in dB: of stitched pictures, or of ROIs where pictures were only sampled."""
    return fmean(result.values(way))


def _papers(result: Result, way: Way, of: Setting) -> str:
    """Give the paper's PSNR, SSIM and GFLOPs where it has them."""
    sets = [each.lower() for each in PICTURES]
    about = result.about["protocol"]
    complete = len(result.about["pictures"]) == COUNTS.get(data(result)) and about["rois"] == "all"
    if of != Setting(4, "bicubic", 24) or not complete:
        return ""
    plain = _backbone(config(result))
    preset = next((p for p in QUALITY if _backbone(PRESETS[p]) == plain), None)
    if preset is None or way.strategy not in QUALITY[preset]:
        return ""
    k = sets.index(data(result))
    paper_psnr, paper_ssim = QUALITY[preset][way.strategy][k]
    row = PAPER[preset]
    flops = {Strategy.CROP: row.crop, Strategy.FULL: row.full[k], Strategy.CLSR: row.clsr[k]}[way.strategy]
    return f"{paper_psnr:.2f} / {paper_ssim:.4f} / {flops:.2f}"


def _backbone(config: ModelConfig) -> dict[str, Any]:
    """Give what a network is without its context and its halo."""
    return {key: value for key, value in config.without_context().to_dict().items() if key != "halo"}


def differences(results: Sequence[Result], of: Setting) -> Table | None:
    """Compare what matters, paired by picture: context against halo and full, also of other plain networks."""
    clsr, halo, full, crop = (Way(s) for s in (Strategy.CLSR, Strategy.HALO, Strategy.FULL, Strategy.CROP))
    rows = []
    for each, own in grouped(results, data).items():
        for result in own:
            pairs = [(clsr, crop), (clsr, halo), (clsr, full), (halo, crop), (full, halo)]
            for one, other in pairs:
                if {one, other} <= set(result.ways):
                    apart = difference(result.values(one), result.values(other))
                    rows.append((each, f"`{name(result)}`: `{one}` - `{other}`", spread(apart)))
        for result, plain in ((a, b) for a in own for b in own):
            if clsr in result.ways and config(plain) == config(result).without_context() and same(result, plain):
                for other in (halo, full):
                    if other in plain.ways:
                        apart = difference(result.values(clsr), plain.values(other))
                        title = f"`{name(result)}` `{clsr}` - `{name(plain)}` `{other}`"
                        rows.append((each, title, spread(apart)))
    note = (
        "Mean over pictures of the difference of PSNR Y in dB, and the 95 % bootstrap interval of that mean, paired by "
        "picture. Between two networks, mind the steps of training of each."
    )
    title = f"Differences: {of}"
    file = f"differences-x{of.scale}-{of.degradation}-roi{of.roi}"
    return Table(file, title, ("data", "difference", "dB"), tuple(rows), note) if rows else None


def same(one: Result, other: Result) -> bool:
    """Tell whether two results are of the same pictures, cropped and reduced the same way."""
    return one.about["pictures"] == other.about["pictures"] and protocol(one) == protocol(other)


def protocol(result: Result) -> list[Any]:
    """Give what two results must share for their pictures to be compared one by one."""
    about = result.about["protocol"]
    return [about[key] for key in ("data", "scale", "degradation", "lr", "roi", "rois", "crop")]


def timing_table(results: Sequence[Result]) -> list[Table]:
    """Lay seconds and memory out, a table for each result that has them."""
    tables: list[Table] = []
    for result in results:
        if result.timing is None:
            continue
        rows = [
            (f"`{row['strategy']}`", row["size"], f"{row['first']:.3f}", f"{row['later']:.3f}", f"{row['peak_mb']}")
            for row in result.timing["rows"]
        ]
        place = f"{result.timing['machine']}, {result.timing['precision']}"
        title = f"Time and memory: `{name(result)}`, ROI {setting(result).roi}, {place}"
        note = (
            "Each row in a process of its own: seconds of a picture's first ROI with its patches, the median of later "
            "ones, and its peak memory on the host, libraries and weights counted in. `full` restores all of it."
        )
        columns = ("strategy", "picture, LR px", "first ROI, s", "later ROI, s", "peak MB")
        tables.append(Table(f"time-{len(tables) + 1}", title, columns, tuple(rows), note))
    return tables
