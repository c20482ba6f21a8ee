"""From arguments to an exit code, and from errors to one line."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Mapping, Sequence

import typer

from providers.errors import LevelheadError
from sync.cli.commands import app
from sync.cli.failures import RefusedError
from sync.cli.starting import INTERRUPTED
from sync.cli.words import one_line

UNEXPECTED = 70  #: a fault of levelhead itself, as sysexits.h numbers it
DEBUG = "LEVELHEAD_DEBUG"


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run one command and return its exit code; whatever fails is a line on stderr."""
    try:
        _require_text(arguments)
        code = app(args=list(arguments), prog_name="levelhead", standalone_mode=False)
        _tell_interrupt(code)
        sys.stdout.flush()
    except BrokenPipeError:
        return _reader_left()
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - nothing may end in a traceback
        if environ.get(DEBUG) == "1":
            traceback.print_exception(error)
        lines, code = describe(error)
        sys.stderr.writelines(f"levelhead: {line}\n" for line in lines)
    return int(code or 0)


def _require_text(arguments: Sequence[str]) -> None:
    """Refuse bytes that are no text: nothing that is stored or sent could hold them."""
    for argument in arguments:
        if any("\ud800" <= character <= "\udfff" for character in argument):
            raise typer.BadParameter(f"{argument!r} is not valid UTF-8")


def _tell_interrupt(code: int | None) -> None:
    """Say what typer does not: it makes an exit code of Ctrl-C, without a word."""
    if code == INTERRUPTED:
        sys.stderr.write("levelhead: interrupted\n")


def describe(error: BaseException) -> tuple[Sequence[str], int]:
    """Return what to say about *error*, line by line, and the exit code."""
    match _first_leaf(error):
        case LevelheadError() | RefusedError() as known:
            return str(known).splitlines(), known.exit_code
        case typer.TyperException() as usage:
            return (_usage_line(usage),), usage.exit_code
        case KeyboardInterrupt() | typer.Abort():
            return ("interrupted",), INTERRUPTED
        case unknown:
            # Its text is not ours: it may hold a URL or a row, so only its kind is shown.
            return (_unexpected_line(unknown),), UNEXPECTED


def _first_leaf(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _usage_line(error: typer.TyperException) -> str:
    """Return one line; what refuses a value names its own class of errors, which tells nobody."""
    context = getattr(error, "ctx", None)
    command = "levelhead" if context is None else context.command_path
    text = one_line(error.format_message()).rstrip(".").replace(": Value error, ", ": ", 1)
    return f"{text[:1].lower()}{text[1:]}; see {command} --help"


def _unexpected_line(error: BaseException) -> str:
    kind = type(error)
    return (
        f"unexpected {kind.__module__}.{kind.__qualname__}; this is a fault in levelhead: "
        f"please open an issue with the traceback that {DEBUG}=1 shows"
    )


def _reader_left() -> int:
    """Let the interpreter flush into nothing: whoever read our output has gone."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1
