"""The paper's curves from results: PSNR over cost, over the input around an ROI, over the context."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas

from localsr.evaluation.methods import Way
from localsr.evaluation.report.document import Figure
from localsr.evaluation.report.tables import Setting, data, name, psnr
from localsr.evaluation.results import Result
from localsr.inference.strategies import Strategy

MARKERS = {"crop": "s", "halo": "o", "clsr": "*", "full": "D"}
COLOURS = ("#0b5394", "#cc4125", "#38761d", "#674ea7", "#b45f06", "#134f5c")


def pareto(results: Sequence[Result], of: Setting) -> Figure | None:
    """Figure 6 and the one that decides: PSNR over the GFLOPs of a first ROI, a point for each way, the Pareto line."""
    canvas, axes = _axes()
    points = []
    for n, result in enumerate(results):
        colour = COLOURS[n % len(COLOURS)]
        for way in result.ways:
            if way.strategy is None or way.context is not None:
                continue
            x, y = result.about["strategies"][str(way)]["gflops_first_roi"], psnr(result, way)
            points.append((x, y))
            own = way.halo is None
            axes.plot(x, y, MARKERS[way.strategy], color=colour, markersize=10 if own else 5, alpha=1 if own else 0.7)
            label = str(way) if own else f"{way.halo}"
            place = (6, -4) if own else (3, -11)
            axes.annotate(label, (x, y), textcoords="offset points", xytext=place, fontsize=8, color=colour)
        axes.plot([], [], "-", color=colour, linewidth=4, label=name(result))
    if not points:
        return None
    best: list[tuple[float, float]] = []
    for x, y in sorted(points, key=lambda p: (p[0], -p[1])):
        if not best or y > best[-1][1]:
            best.append((x, y))
    axes.plot(*zip(*best, strict=True), "--", color="#888888", linewidth=1, zorder=0, label="Pareto line")
    axes.set_xscale("log")
    axes.set(xlabel="GFLOPs of a picture's first ROI", ylabel="PSNR Y, dB")
    axes.legend(loc="lower right", fontsize=8)
    each = data(results[0])
    title = f"PSNR over cost: {each}, {of}"
    note = "Small circles: `halo` with the same LR px at every step, the number beside them; 0 is the ROI alone."
    return Figure(f"cost-{each}-x{of.scale}-{of.degradation}-roi{of.roi}", title, _png(canvas), note)


def input_size(results: Sequence[Result], of: Setting) -> Figure | None:
    """Figure 2a: PSNR over the side of the input around the ROI, from the halos that were compared."""

    def points(result: Result) -> dict[int, Way]:
        halos = {way.halo: way for way in result.ways if way.strategy is Strategy.HALO and way.halo is not None}
        if Way(Strategy.CROP) in result.ways:
            halos.setdefault(0, Way(Strategy.CROP))
        return {of.roi + 2 * halo: way for halo, way in halos.items()}

    each = data(results[0])
    return _curves(
        results,
        points,
        Way(Strategy.FULL),
        f"figure-2a-{each}-x{of.scale}-{of.degradation}-roi{of.roi}",
        f"Figure 2a: PSNR over the input around the ROI: {each}, {of}",
        f"side of the input around an ROI of {of.roi} LR px",
        "Plain backbones; dotted: `full`, which sees every pixel that can matter.",
    )


def context_size(results: Sequence[Result], of: Setting) -> Figure | None:
    """Figure 9: PSNR of `clsr` over the side of the picture that it sees, in sides of the ROI."""

    def points(result: Result) -> dict[int, Way]:
        return {way.context: way for way in result.ways if way.context is not None and way.halo is None}

    each, sampled = data(results[0]), results[0].about["protocol"]["rois"]
    note = "`clsr` on the picture cut to so many ROIs around the ROI; dotted: all of the picture."
    return _curves(
        results,
        points,
        Way(Strategy.CLSR),
        f"figure-9-{each}-x{of.scale}-{of.degradation}-roi{of.roi}",
        f"Figure 9: PSNR over the context: {each}, {of}",
        "side of the context, in sides of the ROI",
        note if sampled == "all" else f"{note} ROIs: {sampled}.",
    )


def _curves(
    results: Sequence[Result],
    points: Callable[[Result], dict[int, Way]],
    limit: Way,
    file: str,
    title: str,
    label: str,
    note: str,
) -> Figure | None:
    """Draw PSNR over the keys of `points`, a curve for each result with three or more, dotted what `limit` reaches."""
    canvas, axes = _axes()
    for n, result in enumerate(results):
        ways, colour = points(result), COLOURS[n % len(COLOURS)]
        if len(ways) < 3:
            continue
        sides = sorted(ways)
        axes.plot(sides, [psnr(result, ways[k]) for k in sides], "o-", color=colour, label=name(result))
        if limit in result.ways:
            axes.axhline(psnr(result, limit), color=colour, linestyle=":", linewidth=1)
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
    """Draw a plot."""
    file = io.BytesIO()
    FigureCanvasAgg(canvas).print_png(file)  # type: ignore[no-untyped-call]
    return file.getvalue()
