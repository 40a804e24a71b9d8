"""Table 3 as the paper means it: a baseline without padding, what PIM and GCM close of its way to the whole picture."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from localsr.evaluation.methods import Method
from localsr.evaluation.report.ablations import MISSING, family_of, mean_values, refuse_twins
from localsr.evaluation.report.document import ReportTable
from localsr.evaluation.report.tables import group_by
from localsr.evaluation.results import Result, paired_difference
from localsr.inference.strategies import Strategy

NONE, FULL = "`crop`", "`full`"
ROWS = (NONE, "PIM", "GCM", "PIM + GCM", "`halo` 2", "`halo` 4", FULL)
VARIED = ("pim", "gcm", "halo")
FULL_HALO = 8  # LR px that the network for `full` is trained with: CARN-M's 27.467 dB on 50 pictures by 8 and by `full`


def row_of(result: Result) -> str | None:
    """Return which row a result is, None if it is none."""
    config, halo = result.config, set(result.config.halo)
    if len(halo) > 1:
        return None
    (padding,) = halo
    if not config.plain:
        modules = " + ".join(name for name, has in (("PIM", config.pim), ("GCM", config.gcm)) if has)
        return modules if padding == 0 else None
    return {0: NONE, 2: "`halo` 2", 4: "`halo` 4", FULL_HALO: FULL}.get(padding)


def method_of(row: str) -> Method:
    """Return the method by which a row is measured."""
    if row in (NONE, FULL):
        return Method(Strategy.CROP if row == NONE else Strategy.FULL)
    return Method(Strategy.HALO if row.startswith("`halo`") else Strategy.CLSR)


def make_unpadded_tables(results: Sequence[Result]) -> list[ReportTable]:
    """Make a table for each family that has `crop` and one of PIM and GCM without a halo.

    Raises:
        DataError: Two results of one seed are the same row of one table.
    """
    rows = [r for r in results if (row := row_of(r)) is not None and method_of(row) in r.methods]
    tables: list[ReportTable] = []
    for own in group_by(rows, lambda r: family_of(r, VARIED)).values():
        found = group_by(own, lambda r: row_of(r) or "")
        refuse_twins(dict(found), "Table 3 without padding")
        if NONE in found and {"PIM", "GCM", "PIM + GCM"} & found.keys():
            tables.append(_table(found, len(tables) + 1))
    return tables


def _table(found: dict[str, list[Result]], number: int) -> ReportTable:
    """Make the table of one family."""
    base, first = mean_values(found[NONE], method_of(NONE)), found[NONE][0]
    way = fmean(mean_values(found[FULL], method_of(FULL))) - fmean(base) if FULL in found else 0.0
    rows = []
    for row in ROWS:
        if row not in found:
            rows.append((row, "0", MISSING, "", "", "", ""))
            continue
        own, method = found[row], method_of(row)
        values = mean_values(own, method)
        gflops = fmean(r.record.means[str(method)].gflops_first_roi for r in own)
        closed = f"{(fmean(values) - fmean(base)) / way:.0%}" if way > 0 else ""
        apart = "" if row == NONE else str(paired_difference(values, base))
        rows.append(
            (row, str(len(own)), f"{fmean(values):.3f}", f"{gflops:.2f}", closed, apart, _seeds(own, row, found))
        )
    columns = ("sees", "seeds", "PSNR Y", "GFLOPs", "of the way to `full`", "against `crop`, dB", "by seed, dB")
    recipe = first.record.recipe
    start = f"from {recipe['init']}, " if recipe.get("init") else ""
    title = f"Table 3 without padding ({first.data}, {first.setting}, {start}{recipe.get('steps', 'unknown')} steps)"
    note = (
        "PIM and GCM see no pixel around the ROI but through themselves; all rows have the same further steps, `full` "
        f"with {FULL_HALO} px around its ROIs. PSNR Y: mean over seeds. Differences are of pictures, paired, 95 % "
        "interval; by seed: the least and the largest, each of two networks of one seed. GFLOPs of a first ROI."
    )
    return ReportTable(f"table-3-unpadded-{number}", title, columns, tuple(rows), note, 1)


def _seeds(own: Sequence[Result], row: str, found: dict[str, list[Result]]) -> str:
    """Return the least and the largest difference against `crop` of the same seed, where there are two or more."""
    base = {r.record.recipe.get("seed"): r.psnr(method_of(NONE)) for r in found[NONE]}
    seeds = [(r.record.recipe.get("seed"), r.psnr(method_of(row))) for r in own]
    apart = [psnr - base[seed] for seed, psnr in seeds if seed in base]
    return f"{min(apart):+.3f} to {max(apart):+.3f}" if row != NONE and len(apart) > 1 else ""
