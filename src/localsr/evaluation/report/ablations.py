"""Tables 3, 4 and 5 from results: networks that differ in one thing alone; one that is not there is not invented."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Any, NamedTuple

from localsr.errors import DataError
from localsr.evaluation.methods import Method
from localsr.evaluation.report.document import ReportTable
from localsr.evaluation.report.tables import group_by
from localsr.evaluation.results import Result, paired_difference
from localsr.inference.strategies import Strategy

LAMBDAS = (0.0, 0.1, 0.5, 0.8, 1.0)  # Table 4
PADDINGS = (0, 2, 4, 8, 12)  # Table 5
MISSING = "not trained"


class Ablation(NamedTuple):
    """What a table varies: the settings by its rows, and how a result says which row it is."""

    file: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[Any, ...]
    labels: Callable[[Any], tuple[str, ...]]
    which: Callable[[Result], Any]
    varied: tuple[str, ...]  # settings of the model and keys of the recipe that may differ within a table
    paper: dict[Any, float]  # PSNR on its own terms: SwinIR (lw) from scratch; RCAN on BSD100 for the padding


def _context_loss(result: Result) -> Any:  # noqa: ANN401  # a number, or the pair of a schedule, or None
    """Return the weight of Eq. 7: one number if it is constant, else the pair."""
    pair = result.record.recipe.get("context_loss")
    return pair[0] if isinstance(pair, list | tuple) and pair[0] == pair[1] else tuple(pair or ()) or None


def _padding(result: Result) -> int | None:
    """Return the halo if it is the same at each step."""
    halo = set(result.config.halo)
    return halo.pop() if len(halo) == 1 else None


def _modules(result: Result) -> tuple[bool, bool]:
    """Return which of PIM and GCM there is."""
    return result.config.pim, result.config.gcm


ABLATIONS = (
    Ablation(
        "table-3",
        "Table 3: the modules",
        ("PIM", "GCM"),
        ((False, False), (True, False), (False, True), (True, True)),
        lambda row: tuple("yes" if part else "no" for part in row),
        _modules,
        ("pim", "gcm"),
        {(False, False): 37.64, (True, False): 37.93, (False, True): 37.83, (True, True): 37.99},
    ),
    Ablation(
        "table-4",
        "Table 4: the weight of the context loss, constant",
        ("lambda",),
        LAMBDAS,
        lambda row: (f"{row:g}",),
        _context_loss,
        ("context_loss",),
        dict(zip(LAMBDAS, (37.82, 37.82, 37.99, 37.91, 37.91), strict=True)),
    ),
    Ablation(
        "table-5",
        "Table 5: the padding, LR px at every step",
        ("padding",),
        PADDINGS,
        lambda row: (str(row),),
        _padding,
        ("halo",),
        dict(zip(PADDINGS, (32.22, 32.36, 32.40, 32.42, 32.43), strict=True)),
    ),
)


def make_ablation_tables(results: Sequence[Result], kind: Ablation) -> list[ReportTable]:
    """Make a table for each family of networks that differ in nothing but what it varies.

    A row that nobody trained says so, one of several seeds is their mean; families with one row alone make no table.

    Raises:
        DataError: Two results of one seed are the same row of one table.
    """
    families = group_by([r for r in results if own_method(r) in r.methods], lambda r: family_of(r, kind.varied))
    tables: list[ReportTable] = []
    for own in families.values():
        found = group_by([r for r in own if kind.which(r) in kind.rows], kind.which)
        refuse_twins(found, kind.title)
        if len(found) > 1:
            tables.append(_ablation_table(found, kind, f"-{len(tables) + 1}" if tables else ""))
    return tables


def refuse_twins(found: dict[Any, list[Result]], title: str) -> None:
    """Raise `DataError` where two results of one seed are the same row."""
    for own in found.values():
        if len({r.record.recipe.get("seed") for r in own}) < len(own):
            names = ", ".join(r.network for r in own)
            raise DataError(f"of {names} two are the same row of {title}; give one result a row and seed")


def family_of(result: Result, varied: Sequence[str]) -> str:
    """Return what must be the same of all rows of a table, as one text; `varied` may differ."""
    aside = {*varied, "name", "seed", "limits", "model"}
    recipe = {key: value for key, value in result.record.recipe.items() if key not in aside}
    model = {key: value for key, value in result.record.model.items() if key not in varied}
    return json.dumps([result.pairing, result.record.pictures, model, recipe], sort_keys=True)


def _ablation_table(found: dict[Any, list[Result]], kind: Ablation, suffix: str) -> ReportTable:
    """Make the table of one family, whose results are found by their rows."""
    base = next(found[row] for row in kind.rows if row in found)
    rows = []
    for row in kind.rows:
        label, paper = kind.labels(row), f"{kind.paper[row]:.2f}"
        results = found.get(row)
        if results is None:
            rows.append((*label, MISSING, "", paper))
            continue
        values = mean_values(results, own_method(results[0]))
        apart = "" if results is base else str(paired_difference(values, mean_values(base, own_method(base[0]))))
        rows.append((*label, f"{fmean(values):.3f}", apart, paper))
    columns = (*kind.columns, "PSNR Y", "against the first row", "paper")
    first, seeds = base[0], max(map(len, found.values()))
    steps = f"{first.record.recipe.get('steps', 'unknown')} steps"
    family = f"{first.data}, {first.setting}, {first.config.channels} channels, {steps}"
    runs = (
        "one training run a row, so what seeds do is not in it" if seeds == 1 else f"mean of up to {seeds} seeds a row"
    )
    note = f"Paired by picture, 95 % bootstrap interval; {runs}."
    title = f"{kind.title} ({family})"
    return ReportTable(f"{kind.file}{suffix}", title, columns, tuple(rows), note, len(kind.columns))


def mean_values(results: Sequence[Result], method: Method) -> list[float]:
    """Return the PSNR Y of each picture by a method, the mean over results that differ in their seed."""
    return [fmean(values) for values in zip(*(r.values(method) for r in results), strict=True)]


def own_method(result: Result) -> Method:
    """Return the method by which a network is used: clsr, and halo of a plain one."""
    return Method(Strategy.HALO if result.config.plain else Strategy.CLSR)
