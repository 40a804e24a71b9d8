"""`localsr report`: results of `localsr evaluate` as one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from localsr.errors import ConfigError
from localsr.extras import need
from localsr.files import write_whole


def report_command(
    results: Annotated[list[Path], typer.Argument(metavar="RESULTS...", help="Folders of `localsr evaluate -o`.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Where report.html and its parts are written.")
    ],
    readme: Annotated[
        Path | None,
        typer.Option(metavar="FILE.md", help="Put the tables between its <!-- results --> marks.", show_default=False),
    ] = None,
) -> None:
    """Show results as one HTML page that needs no network, as Markdown and as CSV: the paper's tables and figures."""
    need("evaluate", "jinja2", "matplotlib", "duckdb")
    from localsr.evaluation.report.document import insert_results, to_markdown
    from localsr.evaluation.report.page import write_report
    from localsr.evaluation.report.sections import read_results, readme_parts, report_parts

    found = read_results(results)
    typer.echo(write_report(output, "localsr: results", report_parts(found)))
    if readme is not None:
        try:
            text = insert_results(readme.read_text(), to_markdown("", readme_parts(found)))
        except ValueError as error:
            raise ConfigError(f"{readme} is left as it is: {error}") from error
        write_whole(readme, text.encode())
        typer.echo(readme)
