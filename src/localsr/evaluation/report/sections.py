"""What a report holds, in the paper's order; nothing is run again and nothing is invented."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from localsr.errors import DataError
from localsr.evaluation.report import ablations, plots, tables, told, unpadded
from localsr.evaluation.report.document import Figure, Heading, Part, Text
from localsr.evaluation.report.tables import group_by
from localsr.evaluation.results import Result, Setting


def read_results(folders: Sequence[Path]) -> list[Result]:
    """Read results; raises `DataError` for a folder that holds none."""
    return [Result.read(folder) for folder in folders]


def report_parts(results: Sequence[Result]) -> list[Part]:
    """Make all parts of a report.

    Raises:
        DataError: There are no results, or two of them contradict each other or would stand in one place.
    """
    _refuse_clashes(results)
    parts: list[Part] = [Heading("Results"), Text(_introduction(results))]
    for setting, own in sorted(group_by(results, lambda r: r.setting).items()):
        parts += _table_parts(own, setting)
        for of_data in group_by(own, lambda r: r.data).values():
            curves = (plots.plot_pareto, plots.plot_input_size, plots.plot_context_size)
            parts += [figure for plot in curves if (figure := plot(of_data, setting)) is not None]
    parts.append(Heading("Ablations"))
    for kind in ablations.ABLATIONS:
        untrained = [Text(f"{kind.title}: {ablations.MISSING}.")]
        parts += ablations.make_ablation_tables(results, kind) or untrained
    parts += unpadded.make_unpadded_tables(results)
    if times := tables.make_timing_tables(results):
        parts += [Heading("Time and memory"), *times]
    for result in results:
        parts += _example_parts(result)
    return [*parts, Heading("How it was measured"), *(Text(_provenance(result)) for result in results)]


def readme_parts(results: Sequence[Result]) -> list[Part]:
    """Make the part of a report that a README shows: Table 1 and the differences; raises as `report_parts`."""
    _refuse_clashes(results)
    settings = sorted(group_by(results, lambda r: r.setting).items())
    return [part for setting, own in settings for part in _table_parts(own, setting)]


def _table_parts(results: Sequence[Result], setting: Setting) -> list[Part]:
    """Make Table 1 and the differences of one setting."""
    apart = tables.make_differences_table(results, setting)
    return [tables.make_table_1(results, setting), *([] if apart is None else [apart]), *told.make_told_tables(results)]


def _example_parts(result: Result) -> list[Part]:
    """Show Figures 7 and 8 of a result that has them."""
    setting = result.setting
    name = f"{result.network}-{result.data}-{setting.file}"
    parts: list[Part] = []
    for one in result.record.examples:
        strip = result.folder / "examples" / f"{one.name}.png"
        if not strip.is_file():
            continue
        verb = "gains" if one.kind == "gain" else "loses"
        box = "(" + ", ".join(map(str, one.box)) + ")"
        title = f"`clsr` {verb} {abs(one.difference):.2f} dB against `{one.against}`: {one.picture} {box}"
        note = "Left to right: " + ", ".join(one.panels) + "."
        parts.append(Figure(f"{name}-{one.name}", title, strip.read_bytes(), note))
    if parts:
        where = f"{result.network} on {result.data}, {setting}"
        parts.insert(0, Heading(f"Where context matters most: {where}"))
    attention = result.folder / "examples" / "attention.png"
    if attention.is_file():
        title = f"Figure 8: what the GCM of `{result.network}` draws on for an ROI"
        parts.append(Figure(f"{name}-attention", title, attention.read_bytes()))
    return parts


def _refuse_clashes(results: Sequence[Result]) -> None:
    """Refuse two results that would stand in one place."""
    if not results:
        raise DataError("a report needs at least one result; `localsr evaluate -o DIR` makes one")
    for (network, data, setting), own in group_by(results, lambda r: (r.network, r.data, r.setting)).items():
        if len(own) > 1:
            folders = " and ".join(str(r.folder) for r in own)
            raise DataError(f"{folders} are both of {network} on {data}, {setting}; give one of them")
    for (data, setting), own in group_by(results, lambda r: (r.data, r.setting)).items():
        odd = next((r for r in own if not own[0].pairs_with(r)), None)
        if odd is not None:
            pair = f"{own[0].folder} and {odd.folder}"
            raise DataError(
                f"{pair} are of other pictures of {data}, or cropped or sampled otherwise ({setting}); "
                "report them apart"
            )


def _introduction(results: Sequence[Result]) -> str:
    """Say in a paragraph what the strategies are."""
    count = len({r.network for r in results})
    return (
        f"{count} network{'s' if count > 1 else ''}. `crop` sees the ROI alone (the paper's pre-cropping), `halo` the "
        "ROI and a few LR px around it, `clsr` the halo, patches of the whole picture (GCM) and the surroundings "
        "through a slim branch (PIM), `full` every pixel that can matter (post-cropping). `crop`, `halo` and `full` of "
        "a network with context are its plain twin's. Every cell of a grid over each picture is the ROI once "
        "(Sec. 4.1); the cells are stitched and compared, no border cropped. A difference whose 95 % interval holds 0 "
        "is a tie."
    )


def _provenance(result: Result) -> str:
    """Say what a result came from."""
    settings = msgspec.to_builtins(result.record.protocol)
    protocol = ", ".join(f"{key} {value}" for key, value in settings.items() if key != "degradations")
    machine = ", ".join(f"{key} {value}" for key, value in result.record.machine.items())
    return f"`{result.network}`, sha256 `{result.record.checkpoint.sha256}`: {protocol}; {machine}."
