"""Plots as papers, reports and dashboards have them, by matplotlib."""

from __future__ import annotations

import warnings
from random import Random

import matplotlib as mpl
import matplotlib.style
import numpy as np
from canvas import Photos, Pixels, any_colour, hsl, ink, paper
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d.axes3d import Axes3D
from words import MONO, SANS, SERIF, Voice

STYLES: tuple[str, ...] = (
    "default",
    "classic",
    "ggplot",
    "bmh",
    "fivethirtyeight",
    "grayscale",
    "dark_background",
    "Solarize_Light2",
    "seaborn-v0_8-whitegrid",
)
STYLES += ("seaborn-v0_8-ticks", "seaborn-v0_8-darkgrid", "tableau-colorblind10", "fast")
MAPS = (
    "viridis",
    "gray",
    "magma",
    "RdBu",
    "coolwarm",
    "Spectral",
    "Blues",
    "cividis",
    "terrain",
    "tab20",
    "YlOrRd",
    "hsv",
)
MARKERS = "osD^v<>x+*.phd1|_"


def draw(rng: Random, size: int, photos: Photos) -> Pixels:
    """Draw a figure of one to six axes."""
    dpi = rng.choice([60, 72, 90, 100, 120, 150, 200])
    voice = Voice(rng.choice(["en_US", "de_DE", "fr_FR", "es_ES", "pl_PL", "ja_JP", "ru_RU", "zh_CN"]), "")
    family = {"ja_JP": "Noto Sans CJK JP", "zh_CN": "Noto Sans CJK JP", "ru_RU": "DejaVu Sans"}.get(
        voice.locale, rng.choice(SANS[:9] + SERIF[:5] + MONO[:2])
    )
    with mpl.rc_context(), mpl.style.context(rng.choice(STYLES)):
        mpl.rcParams["font.family"] = [family, "DejaVu Sans"]
        rows, columns = rng.choice([(1, 1), (1, 1), (1, 1), (2, 1), (1, 2), (2, 2), (3, 1), (2, 3)])
        letter = rng.uniform(12, 24) / (rows * columns) ** 0.3  # px
        mpl.rcParams["font.size"] = letter * 72 / dpi
        mpl.rcParams["lines.linewidth"] = rng.uniform(0.8, 3) * 72 / dpi
        mpl.rcParams["axes.unicode_minus"] = False
        figure = Figure(figsize=(size / dpi, size / dpi), dpi=dpi, layout="constrained")
        canvas = FigureCanvasAgg(figure)
        if rng.random() < 0.3 and mpl.rcParams["text.color"] == "black":
            figure.set_facecolor(paper(rng))
        data = np.random.default_rng(rng.getrandbits(32))
        solid = rng.random() < 0.08
        for i in range(rows * columns):
            axes = figure.add_subplot(rows, columns, i + 1, projection=rng.choice(["3d", "polar"]) if solid else None)
            if isinstance(axes, Axes3D):
                surface(rng, data, axes)
            elif axes.name == "polar":
                axes.plot(np.linspace(0, 6.28, 60), data.random(60).cumsum(), color=any_colour(rng))
            else:
                rng.choice(CHARTS)(rng, data, axes, voice)
            dress(rng, axes, voice)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of axes too small for their words: drawn as they come
            canvas.draw()
        return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3])


def dress(rng: Random, axes: Axes, voice: Voice) -> None:
    """Add title, labels, grid, legend and a note."""
    if rng.random() < 0.7:
        axes.set_title(voice.line(rng, rng.randint(1, 3)))
    if rng.random() < 0.8:
        axes.set_xlabel(f"{voice.line(rng, 2)} ({rng.choice(['ms', 'km', '%', 'GHz', 'kg', 'a.u.'])})")
        axes.set_ylabel(
            rng.choice(
                [voice.line(rng, 2), r"$\alpha_{ij} \cdot x^{2}$", r"$\sum_k \sqrt{\lambda_k}$", r"$\Delta E/E_0$"]
            )
        )
    if rng.random() < 0.5:
        axes.grid(
            True,
            linestyle=rng.choice(["-", ":", "--"]),
            linewidth=rng.uniform(0.3, 1),
            which=rng.choice(["major", "both"]),
        )
    if axes.get_legend_handles_labels()[0] and rng.random() < 0.8:
        axes.legend(loc=rng.choice(["best", "upper left", "lower right"]), frameon=rng.random() < 0.6)
    if axes.name == "rectilinear" and rng.random() < 0.3:
        axes.annotate(
            voice.line(rng, 2), (0.5, 0.5), (0.2, 0.75), xycoords="axes fraction", arrowprops={"arrowstyle": "->"}
        )
    if axes.name == "rectilinear" and rng.random() < 0.3:
        axes.minorticks_on()


def lines(rng: Random, data: np.random.Generator, axes: Axes, voice: Voice) -> None:
    """Plot curves, some with markers, bands and bars of error, now and then on log axes."""
    x = np.linspace(0, rng.uniform(1, 100), rng.choice([12, 30, 200, 1000]))
    marks = len(x) < 40 and rng.random() < 0.7
    for _ in range(rng.randint(1, 7)):
        wave = np.sin(x / x[-1] * rng.uniform(1, 60) + rng.uniform(0, 6)) * rng.uniform(0.1, 2)
        y = (
            wave
            + data.normal(0, rng.choice([0, 0.05, 0.4]), len(x))
            + rng.uniform(-2, 2)
            + rng.choice([0, 1]) * data.normal(0, 0.1, len(x)).cumsum()
        )
        style = rng.choice(["-", "-", "--", ":", "-."])
        if rng.random() < 0.2:
            axes.errorbar(x, y, data.random(len(x)) * 0.4, fmt=rng.choice(MARKERS), capsize=2, label=voice.line(rng, 1))
            continue
        (line,) = axes.plot(
            x, y, style, marker=rng.choice(MARKERS) if marks else None, label=voice.line(rng, rng.randint(1, 2))
        )
        if rng.random() < 0.3:
            axes.fill_between(x, y - 0.3, y + 0.3, alpha=0.25, color=line.get_color())
    if rng.random() < 0.15:
        axes.set_xscale("symlog")


def points(rng: Random, data: np.random.Generator, axes: Axes, voice: Voice) -> None:
    """Plot clouds of points."""
    for _ in range(rng.randint(1, 4)):
        n = rng.choice([30, 200, 1500])
        x, y = data.normal(rng.uniform(-3, 3), 1, n), data.normal(rng.uniform(-3, 3), 1, n)
        axes.scatter(
            x,
            y + x * rng.uniform(-1, 1),
            s=(rng.uniform(1, 9) * 72 / axes.figure.dpi) ** 2,
            marker=rng.choice(MARKERS),
            alpha=rng.choice([1, 0.5]),
            label=voice.line(rng, 1),
        )


def bars(rng: Random, data: np.random.Generator, axes: Axes, voice: Voice) -> None:
    """Plot bars with names and numbers, grouped, hatched or lying."""
    n, groups = rng.randint(3, 14), rng.randint(1, 3)
    names = [voice.words(rng, 1)[0] for _ in range(n)]
    hatch = rng.choice([None, None, "//", "xx", "..", "||"])
    flat = rng.random() < 0.4
    for g in range(groups):
        values, at = data.random(n) * 10 ** rng.randint(0, 4), np.arange(n) + g * 0.8 / groups
        made = (axes.barh if flat else axes.bar)(
            at, values, 0.8 / groups, hatch=hatch, edgecolor=rng.choice([None, "black"]), label=voice.line(rng, 1)
        )
        if rng.random() < 0.4:
            axes.bar_label(made, fmt="%.3g", padding=1)
    if flat:
        axes.set_yticks(np.arange(n), names)
    else:
        axes.set_xticks(np.arange(n), names, rotation=rng.choice([30, 45, 90]))


def heat(rng: Random, data: np.random.Generator, axes: Axes, voice: Voice) -> None:
    """Plot a matrix with numbers in its cells, or one too large for them."""
    n, m = rng.choice([(5, 6), (8, 8), (12, 10), (40, 60)])
    values = data.normal(size=(n, m)) + np.linspace(0, 3, m)
    shown = axes.imshow(values, cmap=rng.choice(MAPS), aspect="auto", interpolation="nearest")
    if n * m < 130 and rng.random() < 0.7:
        for i in range(n):
            for j in range(m):
                axes.text(
                    j,
                    i,
                    f"{values[i, j]:.{rng.choice([1, 1, 2])}f}",
                    ha="center",
                    va="center",
                    color=rng.choice(["white", "black"]) if n > 40 else "black",
                )
    if rng.random() < 0.6:
        axes.figure.colorbar(shown, ax=axes)


def contours(rng: Random, data: np.random.Generator, axes: Axes, voice: Voice) -> None:
    """Plot lines of height, filled or with their values, or arrows."""
    x, y = np.meshgrid(np.linspace(-3, 3, 80), np.linspace(-3, 3, 80))
    z = np.zeros_like(x) + sum(
        rng.uniform(-1, 1)
        * np.exp(-((x - rng.uniform(-2, 2)) ** 2 + (y - rng.uniform(-2, 2)) ** 2) / rng.uniform(0.3, 3))
        for _ in range(6)
    )
    if rng.random() < 0.25:
        step = rng.choice([4, 6])
        down, across = (slope[::step, ::step] for slope in np.gradient(z))
        axes.quiver(x[::step, ::step], y[::step, ::step], across, down)
        return
    if rng.random() < 0.5:
        axes.contourf(x, y, z, rng.randint(6, 30), cmap=rng.choice(MAPS))
    drawn = axes.contour(x, y, z, rng.randint(6, 25), cmap=rng.choice(MAPS), linewidths=rng.uniform(0.4, 1.4))
    if rng.random() < 0.6:
        axes.clabel(drawn, fontsize="smaller")


def counts(rng: Random, data: np.random.Generator, axes: Axes, voice: Voice) -> None:
    """Plot a histogram, boxes, violins, stems, steps or a pie."""
    kind = rng.randrange(5)
    if kind == 0:
        axes.hist(
            [data.normal(i, 1 + i, 900) for i in range(rng.randint(1, 3))],
            bins=rng.randint(10, 60),
            histtype=rng.choice(["bar", "step", "stepfilled"]),
        )
    elif kind == 1:
        axes.boxplot(
            [data.normal(i, 1, 60) for i in range(rng.randint(3, 12))],
            notch=rng.random() < 0.4,
            patch_artist=rng.random() < 0.5,
        )
    elif kind == 2:
        axes.violinplot([data.normal(i, 1, 60) for i in range(rng.randint(3, 9))], showmedians=True)
    elif kind == 3:
        axes.stem(data.random(rng.randint(10, 60)))
        axes.step(range(30), data.random(30) + 1)
    else:
        n = rng.randint(3, 9)
        axes.pie(
            data.random(n) + 0.1,
            labels=[voice.words(rng, 1)[0] for _ in range(n)],
            autopct="%.1f%%",
            colors=[hsl(rng.random(), 0.5, rng.uniform(0.5, 0.8)) for _ in range(n)],
        )


def surface(rng: Random, data: np.random.Generator, axes: Axes3D) -> None:
    """Plot a surface or a wire frame in space."""
    x, y = np.meshgrid(np.linspace(-3, 3, 40), np.linspace(-3, 3, 40))
    z = np.sin(x * rng.uniform(0.5, 2)) * np.cos(y * rng.uniform(0.5, 2)) + 0.1 * x
    if rng.random() < 0.5:
        axes.plot_surface(x, y, z, cmap=rng.choice(MAPS), edgecolor=rng.choice(["none", "black"]), linewidth=0.3)
    else:
        axes.plot_wireframe(x, y, z, color=ink(rng, (1, 1, 1), 0.4), linewidth=rng.uniform(0.4, 1))


CHARTS = (lines, lines, points, bars, bars, heat, contours, counts)
