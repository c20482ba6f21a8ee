"""The command itself, and what its subcommands share; what they do is imported when it runs."""
# ruff: noqa: PLC0415 - `levelhead --help` starts fast because commands import late

from __future__ import annotations

import gc
import os
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sync.cli import starting
from sync.cli.options import os_user

if TYPE_CHECKING:
    from sync.settings import Settings

app = typer.Typer(
    help="Keeps many databases at the head of one Alembic history, and writes down every act.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    no_args_is_help=False,
)
events_app = typer.Typer(help="Show the audit log, or verify its chain.")
token_app = typer.Typer(help="Create, list and revoke the API's tokens.")
app.add_typer(events_app, name="events")
app.add_typer(token_app, name="token")


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - the signature of a callback
    if wanted:
        from importlib.metadata import version

        typer.echo(f"levelhead {version('levelhead')}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _start(
    context: typer.Context,
    *,
    version: Annotated[  # noqa: ARG001 - its callback does the work
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> int:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
    return 0


def settings_of(config: Path | None) -> Settings:
    """Read the settings that a command works with."""
    from sync.settings import load_settings

    return load_settings(config, os.environ, Path.cwd())


def actor_of(given: str | None) -> str:
    """Return who does it, for the audit log."""
    return given or f"cli:{os_user()}"


def perform(work: Coroutine[object, object, int]) -> int:
    """Do what a command is for, now that all it needs is imported; return its exit code."""
    import asyncio

    starting.end()
    return asyncio.run(work)


def look(work: Coroutine[object, object, int]) -> int:
    """Do as `perform` for a command that is over soon, and only looks.

    What is left ends with the process: to take it apart takes longer than the look. Not so where
    a database may run in this process: DuckDB complains of what was left.
    """
    code = perform(work)
    gc.freeze()
    return code
