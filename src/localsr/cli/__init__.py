"""The command `localsr`: from text to values; what a command needs is imported when it runs."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from localsr import __version__
from localsr.cli import (
    batch,
    cost,
    evaluate,
    explain,
    export,
    flops,
    import_,
    inspect,
    measure,
    models,
    report,
    restore,
    serve,
    train,
    verify,
)
from localsr.cli.exits import CommandGroup, ExitCode, OnceCommand

app = typer.Typer(
    name="localsr",
    cls=CommandGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 2 wrong usage or input, 3 a check failed or some work came to nothing, 4 out of disk "
    "or memory, 130 or 143 stopped.",
)
app.command("restore", cls=OnceCommand)(restore.restore_command)
app.command("batch", cls=OnceCommand)(batch.batch_command)
app.command("cost", cls=OnceCommand)(cost.cost_command)
app.command("explain", cls=OnceCommand)(explain.explain_command)
app.command("flops", cls=OnceCommand)(flops.flops_command)
app.command("measure", cls=OnceCommand)(measure.measure_command)
app.command("inspect", cls=OnceCommand)(inspect.inspect_command)
app.command("models", cls=OnceCommand)(models.models_command)
app.command("import", cls=OnceCommand)(import_.import_command)
app.command("export", cls=OnceCommand)(export.export_command)
app.command("train", cls=OnceCommand)(train.train_command)
app.command("evaluate", cls=OnceCommand)(evaluate.evaluate_command)
app.command("report", cls=OnceCommand)(report.report_command)
app.command("verify", cls=OnceCommand)(verify.verify_command)
app.command("view", cls=OnceCommand)(serve.view_command)
app.command("serve", cls=OnceCommand)(serve.serve_command)


def print_version(wanted: bool) -> None:
    """Print the version and exit, if it is asked for."""
    if wanted:
        typer.echo(f"localsr {__version__}")
        raise typer.Exit


@app.callback()
def localsr_command(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Zoom into a region of any picture, with the whole picture as context, at the cost of the region."""


def main() -> None:
    """Run the command and exit with its code."""
    # Threads of torch that wait by spinning take the core that they wait for. On two idle cores a region takes 16 ms
    # with 5,000 turns or more, 18 with 3,000, 27 with none (OMP_WAIT_POLICY=passive); beside a busy process 46 ms with
    # 5,000, 73 with 10,000, a second with libgomp's own 300,000. libgomp reads this when torch is imported.
    os.environ.setdefault("GOMP_SPINCOUNT", "5000")
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a file's name may be bytes that are no text
    try:
        app()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it flushes at exit
        sys.exit(ExitCode.FAULT)
