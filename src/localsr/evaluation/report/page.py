"""A report on disk: one HTML page that needs no other file, Markdown with figures beside it, a CSV for each table."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from markupsafe import Markup, escape

from localsr.errors import DataError
from localsr.evaluation.report.document import Figure, Part, ReportTable, to_csv, to_markdown
from localsr.files import write_whole
from localsr.html_pages import data_url, render_page

PART_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")  # files are called so


def write_report(folder: Path, title: str, parts: Sequence[Part]) -> Path:
    """Write `report.html`, `report.md` with its figures beside it, and a CSV for each table.

    Args:
        folder: Where they are written; it is made.
        title: The heading of the page.
        parts: What it holds, in order.

    Returns:
        The path of the HTML page.

    Raises:
        DataError: A table or a figure has a name that no file should have.
        OutputError: A file could not be written.
    """
    for part in parts:
        if isinstance(part, ReportTable | Figure) and not PART_NAME.fullmatch(part.name):
            raise DataError(f"{part.name!r} is no name for a file of a report")
        if isinstance(part, ReportTable):
            write_whole(folder / f"{part.name}.csv", to_csv(part).encode())
        elif isinstance(part, Figure):
            write_whole(folder / f"{part.name}.png", part.png)
    write_whole(folder / "report.md", to_markdown(title, parts).encode())
    path = folder / "report.html"
    write_whole(path, _render_html(title, parts))
    return path


def _render_html(title: str, parts: Sequence[Part]) -> bytes:
    """Return the page; all that comes from a result is escaped, and the page forbids itself every request."""
    filters: dict[str, Callable[..., str]] = {"data": data_url, "kind": _class_name, "marked": _inline_html}
    return render_page("localsr.evaluation.report", "report.html.jinja", filters, title=title, parts=parts)


def _class_name(part: Part) -> str:
    """Return the name of a part's class, by which the template chooses."""
    return type(part).__name__


def _inline_html(text: str) -> Markup:
    """Return a line of Markdown as HTML: `code` and **bold**, the rest escaped."""
    safe = str(escape(text))
    safe = re.sub(r"`([^`]+)`", r"<code>\1</code>", safe)
    safe = re.sub(r"\*\*([^*]+)\*\*", r"<b>\1</b>", safe)
    return Markup(safe)
