"""Exit codes, and the one place where an error becomes a sentence and a code."""

from __future__ import annotations

import errno
import traceback
from enum import IntEnum
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from localsr.errors import LocalSRError, StoppedError
from localsr.extras import missing_package

EXHAUSTION_ERRNOS = (errno.ENOSPC, errno.EDQUOT, errno.ENOMEM)


class ExitCode(IntEnum):
    """What a command ends with, besides 0; by a signal that localsr handles it ends with 128 + the signal's number."""

    FAULT = 1  # of localsr itself
    WRONG_INPUT = 2  # or wrong usage
    INCOMPLETE = 3  # a check failed, or some or all of the work came to nothing
    EXHAUSTED = 4  # out of disk or memory
    INTERRUPTED = 130  # by Ctrl-C


class OnceCommand(TyperCommand):
    """A command that refuses an option given twice where it takes one value: the first would go unheard."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401  # typer's context
        """Parse the arguments, once none is given twice."""
        given = args[: args.index("--")] if "--" in args else args
        for option in self.params:
            if not isinstance(option, TyperOption) or option.multiple or option.is_flag or option.count:
                continue
            times = sum((arg.partition("=")[0] if arg.startswith("--") else arg) in option.opts for arg in given)
            if times > 1:
                ctx.fail(f"{max(option.opts, key=len)} is given {times} times and takes one value")
        return super().parse_args(ctx, args)


class CommandGroup(TyperGroup):
    """The commands; an error of any of them ends here."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401  # typer's context has changed its home between versions
        """Run a command; print what went wrong as one sentence, after the traceback with `--debug`."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise  # the reader of a pipe has left; typer ends quietly
        except (Exception, KeyboardInterrupt) as error:
            if hasattr(error, "exit_code"):  # typer's own: a usage error, an exit
                raise
            code, sentence = describe_error(error)
            if ctx.params.get("debug"):
                typer.echo("".join(traceback.format_exception(error)), err=True, nl=False)
            typer.echo(f"localsr: {sentence}", err=True)
            raise typer.Exit(code) from None


def describe_error(error: BaseException) -> tuple[int, str]:
    """Return the exit code for an error, and the sentence that is printed for it."""
    told = error.told("command") if isinstance(error, LocalSRError) else str(error)
    sentence = " ".join(told.split()) or type(error).__name__
    if isinstance(error, KeyboardInterrupt):
        return ExitCode.INTERRUPTED, "interrupted"
    if isinstance(error, StoppedError):
        return 128 + error.signum, sentence
    system = error.__cause__ if isinstance(error, LocalSRError) else error
    if isinstance(system, OSError) and system.errno in EXHAUSTION_ERRNOS:
        return ExitCode.EXHAUSTED, sentence
    if isinstance(error, LocalSRError):
        return ExitCode.WRONG_INPUT, sentence
    if isinstance(error, ModuleNotFoundError) and error.name == "torch":  # restoring needs none; other commands do
        return ExitCode.WRONG_INPUT, str(missing_package("this command", "torch", ["torch"]))
    if isinstance(error, OSError) and error.strerror:
        return ExitCode.WRONG_INPUT, f"{error.filename or 'the system'}: {error.strerror}"
    # torch reports a failed allocation as a RuntimeError that only its text tells from others
    if isinstance(error, MemoryError) or "can't allocate memory" in sentence or "out of memory" in sentence:
        return ExitCode.EXHAUSTED, "out of memory; restore fewer or smaller boxes at a time"
    advice = "please report it with what `localsr --debug COMMAND ...` prints"
    return ExitCode.FAULT, f"unexpected {type(error).__name__}: {sentence}; {advice}"
