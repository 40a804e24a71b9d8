"""A report as values: headings, paragraphs, tables and figures; written as one HTML page, as Markdown and as CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup, escape

from localsr.errors import DataError
from localsr.files import write_whole
from localsr.html_pages import data_url, render_page

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class Heading:
    """Begins a section."""

    text: str


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Table:
    """Cells as they are printed; the first `left` columns are words, the rest numbers."""

    name: str  # of its CSV file
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    left: int = 2


@dataclass(frozen=True)
class Figure:
    """A PNG."""

    name: str  # of its file
    title: str
    png: bytes
    note: str = ""


Part = Heading | Text | Table | Figure


def write(folder: Path, title: str, parts: Sequence[Part]) -> Path:
    """Write `report.html`, which needs no other file, `report.md` with its figures beside it, a CSV for each table."""
    for part in parts:
        if isinstance(part, Table | Figure) and not NAME.fullmatch(part.name):
            raise DataError(f"{part.name!r} is no name for a file of a report")
        if isinstance(part, Table):
            write_whole(folder / f"{part.name}.csv", _csv(part))
        elif isinstance(part, Figure):
            write_whole(folder / f"{part.name}.png", part.png)
    write_whole(folder / "report.md", markdown(title, parts).encode())
    path = folder / "report.html"
    write_whole(path, _html(title, parts))
    return path


def markdown(title: str, parts: Sequence[Part]) -> str:
    """Write Markdown as GitHub reads it."""
    blocks = [f"# {title}"] if title else []
    for part in parts:
        match part:
            case Heading():
                blocks.append(f"## {part.text}")
            case Text():
                blocks.append(part.text)
            case Table():
                blocks += [f"**{part.title}**", _pipes(part), part.note]
            case Figure():
                blocks += [f"**{part.title}**", f"![{part.title}]({part.name}.png)", part.note]
    return "\n\n".join(block for block in blocks if block) + "\n"


def spliced(text: str, block: str) -> str:
    """Put a block between the marks `<!-- results -->` and `<!-- /results -->` of a Markdown file."""
    begin, end = "<!-- results -->", "<!-- /results -->"
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise ValueError(f"it lacks one line {begin} and below it one line {end}")
    before, rest = text.split(begin)
    return f"{before}{begin}\n\n{block.strip()}\n\n{end}{rest.split(end)[1]}"


def _pipes(table: Table) -> str:
    """Write a table between pipes."""
    marks = ["---"] * table.left + ["---:"] * (len(table.columns) - table.left)
    lines = [table.columns, marks, *table.rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


def _csv(table: Table) -> bytes:
    """Write a table as CSV, without marks of type."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerows([table.columns, *([re.sub(r"[`*]", "", cell) for cell in row] for row in table.rows)])
    return file.getvalue().encode()


def _html(title: str, parts: Sequence[Part]) -> bytes:
    """Write the page; all that comes from a result is escaped, and the page forbids itself every request."""
    filters: dict[str, Callable[..., str]] = {"data": data_url, "kind": _kind, "marked": _marked}
    return render_page("localsr.evaluation.report", "report.html.jinja", filters, title=title, parts=parts)


def _kind(part: Part) -> str:
    """Give the name of a part's class, by which the template chooses."""
    return type(part).__name__


def _marked(text: str) -> Markup:
    """Turn Markdown's `code` and **bold** into HTML."""
    safe = str(escape(text))
    safe = re.sub(r"`([^`]+)`", r"<code>\1</code>", safe)
    safe = re.sub(r"\*\*([^*]+)\*\*", r"<b>\1</b>", safe)
    return Markup(safe)
