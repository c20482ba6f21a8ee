"""Commands that look: check, status, runs, events."""
# ruff: noqa: PLC0415 - `levelhead --help` starts fast because commands import late

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from sync.cli.commands.root import app, events_app, look, perform, settings_of
from sync.cli.options import (
    Config,
    History,
    Json,
    Labels,
    OneTarget,
    Since,
    Targets,
    Until,
    checked_kind,
    parse_moment,
    selection,
)
from sync.cli.screen import choose_screen
from sync.model import EventQuery, RunQuery, RunState


@app.command()
def check(*, config: Config = None, json: Json = False) -> int:
    """Examine settings, scripts, targets and control database."""
    from sync.cli.doctor import examine

    return perform(examine(config, os.environ, Path.cwd(), choose_screen(json=json)))


@app.command()
def status(
    targets: Targets = None,
    *,
    history: History = None,
    label: Labels = None,
    config: Config = None,
    json: Json = False,
) -> int:
    """Look at the targets now; show where each stands.

    Exit code 0 when all are at head, else 1.
    """
    from sync.cli.reading import show_statuses

    chosen = selection(targets, history, label)
    return look(show_statuses(settings_of(config), chosen, choose_screen(json=json)))


@app.command()
def runs(
    *,
    target: OneTarget = None,
    history: History = None,
    state: Annotated[
        RunState | None, typer.Option("--state", metavar="STATE", help="Only runs in this state.")
    ] = None,
    rollout: Annotated[
        str | None, typer.Option("--rollout", metavar="ID", help="Only runs of this rollout.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 20,
    config: Config = None,
    json: Json = False,
) -> int:
    """Show the newest runs."""
    from sync.cli.reading import show_runs

    query = RunQuery(limit=limit, target=target, history=history, state=state, rollout=rollout)
    return look(show_runs(settings_of(config), query, datetime.now(UTC), choose_screen(json=json)))


@events_app.callback(invoke_without_command=True)
def events(
    context: typer.Context,
    *,
    target: OneTarget = None,
    history: History = None,
    kind: Annotated[
        str | None,
        typer.Option(
            "--kind", metavar="KIND", callback=checked_kind, help="Only events of this kind."
        ),
    ] = None,
    actor: Annotated[
        str | None, typer.Option("--actor", metavar="NAME", help="Only what this actor did.")
    ] = None,
    run: Annotated[
        str | None, typer.Option("--run", metavar="RUN", help="Only events of this run.")
    ] = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 50,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what happens next.")
    ] = False,
    config: Config = None,
    json: Json = False,
) -> int:
    """Show the newest events of the audit log, oldest of them first."""
    if context.invoked_subcommand is not None:
        return 0
    from sync.cli.auditing import follow_events, show_events

    now = datetime.now(UTC)
    query = EventQuery(
        limit=limit,
        target=target,
        history=history,
        kind=kind,
        actor=actor,
        run=run,
        since=parse_moment(since, now),
        until=parse_moment(until, now),
    )
    act = follow_events if follow else show_events
    return look(act(settings_of(config), query, choose_screen(json=json)))


@app.command(name="restore-plan", short_help="Print what would restore tables on Databricks.")
def restore_plan(
    run: Annotated[str, typer.Argument(metavar="RUN", help="As much of a run's id as will do.")],
    *,
    config: Config = None,
    json: Json = False,
) -> int:
    """Print what would restore the tables that a run on Databricks touched; send nothing."""
    from sync.cli.restoring import show_restore_plan

    return look(show_restore_plan(settings_of(config), run, choose_screen(json=json)))


@events_app.command()
def verify(*, config: Config = None, json: Json = False) -> int:
    """Check every event's hash and the order of the chain."""
    from sync.cli.auditing import verify_events

    return look(verify_events(settings_of(config), choose_screen(json=json)))
