"""`localsr report`: all that results can show, in the paper's order; nothing is run again and nothing is invented."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from localsr.errors import DataError
from localsr.evaluation.report import ablations, plots, tables
from localsr.evaluation.report.document import Figure, Heading, Part, Text
from localsr.evaluation.report.tables import Setting, data, grouped, name, setting
from localsr.evaluation.results import Result


def report(results: Sequence[Result]) -> list[Part]:
    """Make the parts of a report; `DataError` for results that contradict each other."""
    _distinct(results)
    parts: list[Part] = [Heading("Results"), Text(_about(results))]
    for of, own in sorted(grouped(results, setting).items()):
        parts += comparison(own, of)
    parts.append(Heading("Ablations"))
    for kind in ablations.ABLATIONS:
        parts += ablations.ablation(results, kind) or [Text(f"{kind.title}: {ablations.MISSING}.")]
    if times := tables.timing_table(results):
        parts += [Heading("Time and memory"), *times]
    for result in results:
        parts += examples(result)
    return [*parts, Heading("How it was measured"), *_protocols(results)]


def comparison(results: Sequence[Result], of: Setting) -> list[Part]:
    """Give Table 1, the differences and the curves of one setting."""
    parts = _tables(results, of)
    for own in grouped(results, data).values():
        curves = (plots.pareto(own, of), plots.input_size(own, of), plots.context_size(own, of))
        parts += [curve for curve in curves if curve is not None]
    return parts


def examples(result: Result) -> list[Part]:
    """Give Figure 7 and 8 of a result that has them."""
    found = result.about.get("examples") or []
    parts: list[Part] = []
    for one in found:
        strip = result.folder / "examples" / f"{one['name']}.png"
        if not strip.is_file():
            continue
        verb = "gains" if one["kind"] == "gain" else "loses"
        box = "(" + ", ".join(map(str, one["box"])) + ")"
        title = f"`clsr` {verb} {abs(one['difference']):.2f} dB against `{one['against']}`: {one['picture']} {box}"
        note = "Left to right: " + ", ".join(one["panels"]) + "."
        parts.append(Figure(f"{_file(result)}-{one['name']}", title, strip.read_bytes(), note))
    if parts:
        where = f"{name(result)} on {data(result)}, {setting(result)}"
        parts.insert(0, Heading(f"Where context matters most: {where}"))
    attention = result.folder / "examples" / "attention.png"
    if attention.is_file():
        title = f"Figure 8: what the GCM of `{name(result)}` draws on for an ROI"
        parts.append(Figure(f"{_file(result)}-attention", title, attention.read_bytes()))
    return parts


def _file(result: Result) -> str:
    """Begin a file's name."""
    of = setting(result)
    return f"{name(result)}-{data(result)}-{of.degradation}-roi{of.roi}"


def _distinct(results: Sequence[Result]) -> None:
    """Refuse two results that would stand in one place."""
    if not results:
        raise DataError("a report needs at least one result; `localsr evaluate -o DIR` makes one")
    for (network, each, of), own in grouped(results, lambda r: (name(r), data(r), setting(r))).items():
        if len(own) > 1:
            folders = " and ".join(str(r.folder) for r in own)
            raise DataError(f"{folders} are both of {network} on {each}, {of}; give one of them")
    for (each, of), own in grouped(results, lambda r: (data(r), setting(r))).items():
        odd = next((r for r in own if not tables.same(own[0], r)), None)
        if odd is not None:
            pair = f"{own[0].folder} and {odd.folder}"
            raise DataError(
                f"{pair} are of other pictures of {each}, or cropped or sampled otherwise ({of}); report them apart"
            )


def _about(results: Sequence[Result]) -> str:
    """Say in a paragraph what the strategies are."""
    count = len({name(r) for r in results})
    return (
        f"{count} network{'s' if count > 1 else ''}. `crop` sees the ROI alone (the paper's pre-cropping), `halo` the "
        "ROI and a few LR px around it, `clsr` the halo, patches of the whole picture (GCM) and the surroundings "
        "through a slim branch (PIM), `full` every pixel that can matter (post-cropping). `crop`, `halo` and `full` of "
        "a network with context are its plain twin's. Every cell of a grid over each picture is the ROI once "
        "(Sec. 4.1); the cells are stitched and compared, no border cropped. A difference whose 95 % interval holds 0 "
        "is a tie."
    )


def _protocols(results: Sequence[Result]) -> list[Part]:
    """Say of each result what it came from."""
    parts: list[Part] = []
    for result in results:
        about = result.about
        told = ", ".join(f"{k} {v}" for k, v in about["protocol"].items() if k != "degradations")
        machine = ", ".join(f"{k} {v}" for k, v in about["machine"].items())
        parts.append(Text(f"`{name(result)}`, sha256 `{about['checkpoint']['sha256']}`: {told}; {machine}."))
    return parts


def readme(results: Sequence[Result]) -> list[Part]:
    """Give the part of a report that a README shows: Table 1 and the differences."""
    _distinct(results)
    return [part for of, own in sorted(grouped(results, setting).items()) for part in _tables(own, of)]


def _tables(results: Sequence[Result], of: Setting) -> list[Part]:
    """Give Table 1 and the differences of one setting."""
    apart = tables.differences(results, of)
    return [tables.table_1(results, of), *([] if apart is None else [apart])]


def read(folders: Sequence[Path]) -> list[Result]:
    """Read results."""
    return [Result.read(folder) for folder in folders]
