"""The paper's curves from results: PSNR over cost, over the input around an ROI, over the context; PSNR over halos."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas

from localsr.evaluation.methods import Method
from localsr.evaluation.report.document import Figure
from localsr.evaluation.results import Result, Setting
from localsr.inference.strategies import Strategy

MARKERS = {"crop": "s", "halo": "o", "clsr": "*", "full": "D"}
COLOURS = ("#0b5394", "#cc4125", "#38761d", "#674ea7", "#b45f06", "#134f5c")


def plot_pareto(results: Sequence[Result], setting: Setting) -> Figure | None:
    """Plot PSNR over the GFLOPs of a first ROI (Figure 6): a point for each method, and the Pareto line."""
    canvas, axes = _axes()
    points = []
    for n, result in enumerate(results):
        colour = COLOURS[n % len(COLOURS)]
        for method in result.methods:
            if method.strategy is None or method.context is not None or method.told:
                continue
            x, y = result.record.means[str(method)].gflops_first_roi, result.psnr(method)
            points.append((x, y))
            own, marker = method.halo is None, MARKERS[method.strategy]
            axes.plot(x, y, marker, color=colour, markersize=10 if own else 5, alpha=1 if own else 0.7)
            label = str(method) if own else f"{method.halo}"
            place = (6, -4) if own else (3, -11)
            axes.annotate(label, (x, y), textcoords="offset points", xytext=place, fontsize=8, color=colour)
        axes.plot([], [], "-", color=colour, linewidth=4, label=result.network)
    if not points:
        return None
    best: list[tuple[float, float]] = []
    for x, y in sorted(points, key=lambda p: (p[0], -p[1])):
        if not best or y > best[-1][1]:
            best.append((x, y))
    axes.plot(*zip(*best, strict=True), "--", color="#888888", linewidth=1, zorder=0, label="Pareto line")
    axes.set_xscale("log")
    label = "PSNR Y to `full`, dB" if setting.against else "PSNR Y, dB"
    axes.set(xlabel="GFLOPs of a picture's first ROI", ylabel=label)
    axes.legend(loc="lower right", fontsize=8)
    data = results[0].data
    note = "Small circles: `halo` with the same LR px at every step, the number beside them; 0 is the ROI alone."
    return Figure(f"cost-{_file(data, setting)}", f"PSNR over cost: {data}, {setting}", _png(canvas), note)


def plot_input_size(results: Sequence[Result], setting: Setting) -> Figure | None:
    """Plot PSNR over the side of the input around the ROI (Figure 2a), from the halos that were compared."""

    def points(result: Result) -> dict[int, Method]:
        halos = {m.halo: m for m in result.methods if m.strategy is Strategy.HALO and m.halo is not None}
        if Method(Strategy.CROP) in result.methods:
            halos.setdefault(0, Method(Strategy.CROP))
        return {setting.roi + 2 * halo: method for halo, method in halos.items()}

    data = results[0].data
    return _plot_curves(
        results,
        points,
        Method(Strategy.FULL),
        f"figure-2a-{_file(data, setting)}",
        f"Figure 2a: PSNR over the input around the ROI: {data}, {setting}",
        f"side of the input around an ROI of {setting.roi} LR px",
        "Plain backbones; dotted: `full`, which sees every pixel that can matter.",
    )


def plot_context_size(results: Sequence[Result], setting: Setting) -> Figure | None:
    """Plot PSNR of `clsr` over the side of the picture that it sees, in sides of the ROI (Figure 9)."""

    def points(result: Result) -> dict[int, Method]:
        return {m.context: m for m in result.methods if m.context is not None and m.halo is None}

    data, sampled = results[0].data, results[0].record.protocol.rois
    note = "`clsr` on the picture cut to so many ROIs around the ROI; dotted: all of the picture."
    return _plot_curves(
        results,
        points,
        Method(Strategy.CLSR),
        f"figure-9-{_file(data, setting)}",
        f"Figure 9: PSNR over the context: {data}, {setting}",
        "side of the context, in sides of the ROI",
        note if sampled == "all" else f"{note} ROIs: {sampled}.",
    )


def plot_halos(title: str, halos: Sequence[int], decibels: Sequence[float], shares: Sequence[float]) -> Figure:
    """Plot what a region is with each halo: dB against the whole picture, and its share of the whole's cost."""
    canvas, axes = _axes()
    axes.plot(halos, decibels, "o-", color=COLOURS[0])
    axes.set(xlabel="halo, LR px", title=title)
    axes.set_ylabel("PSNR to the whole picture, dB", color=COLOURS[0])
    cost = axes.twinx()
    cost.plot(halos, [100 * share for share in shares], "s--", color=COLOURS[1])
    cost.set_ylabel("cost, % of the whole picture", color=COLOURS[1])
    cost.set_ylim(bottom=0)
    return Figure("halos", title, _png(canvas))


def _file(data: str, setting: Setting) -> str:
    """Return the end of a figure's name."""
    return f"{data}-{setting.file}"


def _plot_curves(
    results: Sequence[Result],
    points: Callable[[Result], dict[int, Method]],
    limit: Method,
    file: str,
    title: str,
    label: str,
    note: str,
) -> Figure | None:
    """Plot PSNR over the keys of `points`, a curve for each result with three or more, dotted what `limit` reaches."""
    canvas, axes = _axes()
    for n, result in enumerate(results):
        methods, colour = points(result), COLOURS[n % len(COLOURS)]
        if len(methods) < 3:
            continue
        sides = sorted(methods)
        axes.plot(sides, [result.psnr(methods[k]) for k in sides], "o-", color=colour, label=result.network)
        if limit in result.methods:
            axes.axhline(result.psnr(limit), color=colour, linestyle=":", linewidth=1)
    if not axes.lines:
        return None
    axes.set(xlabel=label, ylabel="PSNR Y, dB")
    axes.legend(loc="lower right", fontsize=8)
    return Figure(file, title, _png(canvas), note)


def _axes() -> tuple[Canvas, Axes]:
    """Make an empty plot."""
    canvas = Canvas(figsize=(8, 4.8), dpi=120, layout="constrained")
    axes = canvas.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#e5e5e5", linewidth=0.7)
    axes.set_axisbelow(True)
    return canvas, axes


def _png(canvas: Canvas) -> bytes:
    """Return a plot as a PNG."""
    file = io.BytesIO()
    FigureCanvasAgg(canvas).print_png(file)  # type: ignore[no-untyped-call]
    return file.getvalue()
