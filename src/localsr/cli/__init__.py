"""The command `localsr`: text to values, errors to exit codes; what a command needs is imported when it runs.

Exit codes: 0 done, 1 a fault of localsr, 2 wrong usage or input, 3 a check failed or (some of) the work came to
nothing, 4 out of disk or memory, 130 interrupted, 143 ended.
"""

from __future__ import annotations

import errno
import os
import sys
import traceback
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from localsr import __version__
from localsr.cli import (
    batch,
    cost,
    evaluate,
    explain,
    export,
    flops,
    import_,
    models,
    report,
    restore,
    serve,
    train,
    verify,
)
from localsr.errors import LocalSRError, StoppedError

WRONG, EXHAUSTED, INTERRUPTED, FAULT = 2, 4, 130, 1
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.ENOMEM)


class Guarded(TyperGroup):
    """The commands, and the one place where an error becomes a sentence and an exit code."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401  # typer's context has changed its home between versions
        """Run a command; say in one sentence what went wrong, with the traceback under `--debug`."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise  # the reader of a pipe has left; typer ends quietly
        except (Exception, KeyboardInterrupt) as error:
            if hasattr(error, "exit_code"):  # typer's own: a usage error, an exit
                raise
            code, sentence = verdict(error)
            if ctx.params.get("debug"):
                typer.echo("".join(traceback.format_exception(error)), err=True, nl=False)
            typer.echo(f"localsr: {sentence}", err=True)
            raise typer.Exit(code) from None


def verdict(error: BaseException) -> tuple[int, str]:
    """Give the exit code and the sentence for an error."""
    sentence = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED, "interrupted"
    if isinstance(error, StoppedError):
        return 128 + error.signum, sentence
    system = error.__cause__ if isinstance(error, LocalSRError) else error
    if isinstance(system, OSError) and system.errno in NO_ROOM:
        return EXHAUSTED, sentence
    if isinstance(error, LocalSRError):
        return WRONG, sentence
    if isinstance(error, OSError) and error.strerror:
        return WRONG, f"{error.filename or 'the system'}: {error.strerror}"
    # torch reports a failed allocation as a RuntimeError, and only its text tells
    if isinstance(error, MemoryError) or "can't allocate memory" in sentence or "out of memory" in sentence:
        return EXHAUSTED, "out of memory; restore fewer or smaller boxes at a time"
    told = "please report it with what `localsr --debug COMMAND ...` prints"
    return FAULT, f"unexpected {type(error).__name__}: {sentence}; {told}"


app = typer.Typer(
    name="localsr",
    cls=Guarded,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 2 wrong usage or input, 3 a check failed or some work came to nothing, 4 out of disk "
    "or memory, 130 or 143 stopped.",
)
app.command("restore")(restore.run)
app.command("batch")(batch.run)
app.command("cost")(cost.run)
app.command("explain")(explain.run)
app.command("flops")(flops.run)
app.command("models")(models.run)
app.command("import")(import_.run)
app.command("export")(export.run)
app.command("train")(train.run)
app.command("evaluate")(evaluate.run)
app.command("report")(report.run)
app.command("verify")(verify.run)
app.command("view")(serve.view)
app.command("serve")(serve.run)


def _version(wanted: bool) -> None:
    """Print the version and leave."""
    if wanted:
        typer.echo(f"localsr {__version__}")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
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
            stream.reconfigure(errors="backslashreplace")  # a file's name may be no text at all
    try:
        app()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it flushes at exit
        sys.exit(FAULT)
