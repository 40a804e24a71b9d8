"""Tables 3, 4 and 5 from results: networks that differ in one thing alone; one that is not there is not invented."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from localsr.errors import DataError
from localsr.evaluation.methods import Way
from localsr.evaluation.report.document import Table
from localsr.evaluation.report.tables import config, data, grouped, name, protocol, psnr, setting, spread
from localsr.evaluation.results import Result, difference
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


def _lambda(result: Result) -> Any:  # noqa: ANN401  # a number, or the pair of a schedule, or None
    """Give the weight of Eq. 7: one number if it is constant, else the pair."""
    pair = result.about["recipe"].get("context_loss")
    return pair[0] if isinstance(pair, list | tuple) and pair[0] == pair[1] else tuple(pair or ()) or None


def _padding(result: Result) -> int | None:
    """Give the halo if it is the same at each step."""
    halo = set(config(result).halo)
    return halo.pop() if len(halo) == 1 else None


def _modules(result: Result) -> tuple[bool, bool]:
    """Tell which of PIM and GCM there is."""
    return config(result).pim, config(result).gcm


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
        _lambda,
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


def ablation(results: Sequence[Result], kind: Ablation) -> list[Table]:
    """Fill a table for each family of networks that differ in nothing but what it varies; a missing one says so."""
    tables: list[Table] = []
    aside = {*kind.varied, "name", "seed", "limits"}

    def family(result: Result) -> str:
        about = result.about
        recipe = {k: v for k, v in about["recipe"].items() if k not in aside and k != "model"}
        model = {k: v for k, v in about["model"].items() if k not in kind.varied}
        return json.dumps([protocol(result), about["pictures"], model, recipe], sort_keys=True)

    for own in grouped([r for r in results if _own(r) in r.ways], family).values():
        found = {kind.which(r): r for r in own if kind.which(r) in kind.rows}
        if len(found) < sum(kind.which(r) in kind.rows for r in own):
            names = ", ".join(name(r) for r in own)
            raise DataError(f"of {names} two are the same row of {kind.title}; give one result a row")
        if len(found) < 2:
            continue
        first = next(found[row] for row in kind.rows if row in found)
        rows = []
        for row in kind.rows:
            result, label = found.get(row), kind.labels(row)
            if result is None:
                rows.append((*label, MISSING, "", f"{kind.paper[row]:.2f}"))
                continue
            way = _own(result)
            apart = difference(result.values(way), first.values(_own(first))) if result is not first else None
            told = spread(apart) if apart else ""
            rows.append((*label, f"{psnr(result, way):.3f}", told, f"{kind.paper[row]:.2f}"))
        columns = (*kind.columns, "PSNR Y", "against the first row", "paper")
        suffix = f"-{len(tables) + 1}" if tables else ""
        steps = f"{first.about['recipe'].get('steps', 'unknown')} steps"
        of = f"{data(first)}, {setting(first)}, {config(first).channels} channels, {steps}"
        note = "Paired by picture, 95 % bootstrap interval; one training run a row, so what seeds do is not in it."
        tables.append(
            Table(f"{kind.file}{suffix}", f"{kind.title} ({of})", columns, tuple(rows), note, len(kind.columns))
        )
    return tables


def _own(result: Result) -> Way:
    """Give the way in which a network is used: clsr, and halo of a plain one."""
    return Way(Strategy.HALO if config(result).plain else Strategy.CLSR)
