"""A report as values: headings, paragraphs, tables and figures; as Markdown and as CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Heading:
    """Begins a section."""

    text: str


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class ReportTable:
    """Cells as they are printed; the first `left` columns are words and stand at the left, the rest are numbers."""

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


Part = Heading | Text | ReportTable | Figure


def to_markdown(title: str, parts: Sequence[Part]) -> str:
    """Return Markdown as GitHub reads it, without a heading where `title` is empty."""
    blocks = [f"# {title}"] if title else []
    for part in parts:
        match part:
            case Heading():
                blocks.append(f"## {part.text}")
            case Text():
                blocks.append(part.text)
            case ReportTable():
                blocks += [f"**{part.title}**", _markdown_table(part), part.note]
            case Figure():
                blocks += [f"**{part.title}**", f"![{part.title}]({part.name}.png)", part.note]
    return "\n\n".join(block for block in blocks if block) + "\n"


def insert_results(text: str, block: str) -> str:
    """Return a Markdown file with a block between its marks `<!-- results -->` and `<!-- /results -->`.

    Raises:
        ValueError: The marks are not there once each, in this order.
    """
    begin, end = "<!-- results -->", "<!-- /results -->"
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise ValueError(f"it lacks one line {begin} and below it one line {end}")
    before, rest = text.split(begin)
    return f"{before}{begin}\n\n{block.strip()}\n\n{end}{rest.split(end)[1]}"


def _markdown_table(table: ReportTable) -> str:
    """Return a table between pipes."""
    marks = ["---"] * table.left + ["---:"] * (len(table.columns) - table.left)
    lines = [table.columns, marks, *table.rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


def to_csv(table: ReportTable) -> str:
    """Return a table as CSV, without Markdown's marks of type."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerows([table.columns, *([re.sub(r"[`*]", "", cell) for cell in row] for row in table.rows)])
    return file.getvalue()
