"""Every command with its options; what it does is imported when it runs."""
# ruff: noqa: PLC0415 - `levelhead --help` starts fast because commands import late

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sync.cli.options import (
    Actor,
    Catalogs,
    Certificate,
    Config,
    Directory,
    History,
    Json,
    Key,
    Labels,
    OneTarget,
    Port,
    Rev,
    Since,
    Target,
    Targets,
    To,
    Until,
    checked_kind,
    one_revision,
    os_user,
    parse_moment,
    selection,
)
from sync.cli.screen import choose_screen
from sync.model import EventQuery, Order, Role, RunQuery, RunState, Selection, Verb, Verdict

if TYPE_CHECKING:
    from sync.settings import Settings

#: Alembic's ``-1`` is a revision here, not an option.
RELATIVE = {"ignore_unknown_options": True}

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


@app.command()
def check(*, config: Config = None, json: Json = False) -> int:
    """Examine settings, scripts, targets and control database."""
    from sync.cli.doctor import examine

    return asyncio.run(examine(config, os.environ, Path.cwd(), choose_screen(json=json)))


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
    return asyncio.run(show_statuses(_settings(config), chosen, choose_screen(json=json)))


@app.command("sync")
def synchronise(
    targets: Targets = None,
    *,
    to: Annotated[str, typer.Option("--to", metavar="REV", help="Stop at this revision.")] = "head",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would run.")] = False,
    history: History = None,
    label: Labels = None,
    actor: Actor = None,
    config: Config = None,
    json: Json = False,
) -> int:
    """Apply what is pending, and wait until it is done."""
    order, chosen = Order(Verb.SYNC, to), selection(targets, history, label)
    if dry_run:
        from sync.cli.reading import show_previews

        return asyncio.run(
            show_previews(_settings(config), order, chosen, choose_screen(json=json))
        )
    return _carry_out(order, chosen, actor, config, json=json)


@app.command(context_settings=RELATIVE)
def downgrade(
    target: Target,
    rev: Rev = None,
    *,
    to: To = None,
    actor: Actor = None,
    config: Config = None,
    json: Json = False,
) -> int:
    """Take one target down to REV and hold it there.

    REV is a revision, base, or steps to go back: -1, -2. The clock leaves the
    target alone until `levelhead release`.
    """
    order = Order(Verb.DOWNGRADE, one_revision(rev, to))
    return _carry_out(order, _only(target), actor, config, json=json)


@app.command(context_settings=RELATIVE)
def stamp(
    target: Target,
    rev: Rev = None,
    *,
    to: To = None,
    actor: Actor = None,
    config: Config = None,
    json: Json = False,
) -> int:
    """Set the version table of one target; run no script.

    Below head, the clock leaves the target alone until `levelhead release`.
    """
    order = Order(Verb.STAMP, one_revision(rev, to))
    return _carry_out(order, _only(target), actor, config, json=json)


@app.command()
def release(
    target: Target, *, actor: Actor = None, config: Config = None, json: Json = False
) -> int:
    """End the hold of one target."""
    from sync.cli.changing import release_target

    return asyncio.run(
        release_target(_settings(config), target, _actor(actor), choose_screen(json=json))
    )


@app.command()
def settle(
    ticket: Annotated[str, typer.Argument(metavar="TICKET", help="As the run's error names it.")],
    outcome: Annotated[Verdict, typer.Argument(metavar="applied|absent", help="What you found.")],
    *,
    actor: Actor = None,
    config: Config = None,
    json: Json = False,
) -> int:
    """Say whether a statement that nobody saw the end of took effect.

    Look at the target first. The next run goes on from there.
    """
    from sync.cli.changing import settle_ticket

    screen = choose_screen(json=json)
    return asyncio.run(settle_ticket(_settings(config), ticket, outcome, _actor(actor), screen))


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
    return asyncio.run(
        show_runs(_settings(config), query, datetime.now(UTC), choose_screen(json=json))
    )


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
        str | None, typer.Option("--run", metavar="ID", help="Only events of this run.")
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
    return asyncio.run(act(_settings(config), query, choose_screen(json=json)))


@events_app.command()
def verify(*, config: Config = None, json: Json = False) -> int:
    """Check every event's hash and the order of the chain."""
    from sync.cli.auditing import verify_events

    return asyncio.run(verify_events(_settings(config), choose_screen(json=json)))


@token_app.command("create")
def create_token(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who or what will use it.")],
    *,
    role: Annotated[
        Role, typer.Option("--role", help="viewer reads, operator changes targets, admin tokens.")
    ] = Role.VIEWER,
    actor: Actor = None,
    config: Config = None,
    json: Json = False,
) -> int:
    """Create a token and print its key, which is shown only now."""
    from sync.cli.tokens import create

    return asyncio.run(
        create(_settings(config), name, role, _actor(actor), choose_screen(json=json))
    )


@token_app.command("list")
def list_tokens(*, config: Config = None, json: Json = False) -> int:
    """List the tokens, revoked ones included."""
    from sync.cli.tokens import show

    return asyncio.run(show(_settings(config), choose_screen(json=json)))


@token_app.command("revoke")
def revoke_token(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the token.")],
    *,
    actor: Actor = None,
    config: Config = None,
    json: Json = False,
) -> int:
    """Revoke a token: from now on its key opens nothing."""
    from sync.cli.tokens import revoke

    return asyncio.run(revoke(_settings(config), name, _actor(actor), choose_screen(json=json)))


@app.command()
def serve(
    *,
    host: Annotated[
        str | None, typer.Option("--host", metavar="ADDRESS", help="Instead of [api] host.")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option("--port", min=0, max=65535, metavar="PORT", help="Instead of [api] port."),
    ] = None,
    config: Config = None,
) -> int:
    """Run the clock and the API until a signal ends them."""
    from sync.cli.serving import serve_until_told

    settings = _settings(config)
    return asyncio.run(
        serve_until_told(
            settings, host or settings.api.host, settings.api.port if port is None else port
        )
    )


@app.command()
def demo(
    *,
    once: Annotated[
        bool, typer.Option("--once", help="End when all targets stand at head.")
    ] = False,
    json: Json = False,
) -> int:
    """Show levelhead at work on throwaway databases."""
    from sync.demo.main import demo as run_demo

    return asyncio.run(run_demo(once=once, as_json=json))


@app.command()
def warehouse(
    *,
    port: Port = 0,
    directory: Directory = None,
    certificate: Certificate = None,
    key: Key = None,
    catalog: Catalogs = None,
) -> int:
    """Run a local SQL warehouse to try Databricks targets on, until a signal ends it.

    Clients present the token in LEVELHEAD_WAREHOUSE_TOKEN; without one, a new token is shown.
    """
    from sync.cli.warehouse import run_warehouse

    files = (certificate, key)
    return asyncio.run(run_warehouse(port, directory, files, catalog or (), os.environ))


def _settings(config: Path | None) -> Settings:
    from sync.settings import load_settings

    return load_settings(config, os.environ, Path.cwd())


def _actor(given: str | None) -> str:
    return given or f"cli:{os_user()}"


def _only(target: str) -> Selection:
    return Selection(targets=(target,))


def _carry_out(
    order: Order, chosen: Selection, actor: str | None, config: Path | None, *, json: bool
) -> int:
    from sync.cli.changing import carry_out

    return asyncio.run(
        carry_out(_settings(config), order, chosen, _actor(actor), choose_screen(json=json))
    )
