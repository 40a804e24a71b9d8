"""What the whole picture tells of its degradation: one network, told by estimates from more and more, and by truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from localsr.evaluation.methods import TOLD_BY
from localsr.evaluation.report.document import ReportTable
from localsr.evaluation.results import Result, paired_difference
from localsr.evaluation.runner import SURROUNDINGS

LABELS = {"roi": "the ROI alone", "surroundings": f"the ROI and {SURROUNDINGS} px around it", "truth": "the truth"}
WHOLE = "64 windows of the whole picture"


def make_told_tables(results: Sequence[Result]) -> list[ReportTable]:
    """Make a table for each result whose network was told by more than one way."""
    tables: list[ReportTable] = []
    for result in results:
        for base in (method for method in result.methods if not method.told):
            ways = [replace(base, told=told) for told in TOLD_BY]
            if not set(ways) & set(result.methods):
                continue
            ordered = [*ways[:2], base, ways[2]]
            rows = []
            for method in (method for method in ordered if method in result.methods):
                apart = "" if method is base else str(paired_difference(result.values(method), result.values(base)))
                rows.append((LABELS.get(method.told, WHOLE), f"{result.psnr(method):.3f}", apart))
            title = f"Told by what: `{result.network}`, `{base}`, {result.data}, {result.setting}"
            note = (
                "How the network is told of noise, blur and compression. Paired by picture, 95 % bootstrap interval. "
                "An ROI of 24 px has nine of JPEG's blocks, too few to tell anything, and counts as not degraded."
            )
            name = f"told-{result.network}-{result.data}-{result.setting.file}-{base}"
            columns = ("told by", "PSNR Y", "against the whole picture, dB")
            tables.append(ReportTable(name, title, columns, tuple(rows), note, 1))
    return tables
