"""Commands about plans: plan, portability, plans, approve, reject."""
# ruff: noqa: PLC0415 - `levelhead --help` starts fast because commands import late

from __future__ import annotations

from typing import Annotated

import typer

from sync.cli.commands.root import actor_of, app, perform, settings_of
from sync.cli.options import Actor, Config, Json
from sync.cli.screen import choose_screen
from sync.model import PlanQuery, PlanState

Digest = Annotated[
    str,
    typer.Argument(metavar="DIGEST", help="Of the plan, or as much of it as no other begins with."),
]
Reason = Annotated[
    str | None, typer.Option("--reason", metavar="TEXT", help="Why, for the audit log.")
]
History = Annotated[
    str | None,
    typer.Option("--history", metavar="NAME", help="Of this history, for each of its dialects."),
]


@app.command(short_help="Show what would happen, step by step.")
def plan(
    target: Annotated[
        str | None, typer.Argument(metavar="TARGET", help="From where this target stands.")
    ] = None,
    *,
    history: History = None,
    digest: Annotated[
        str | None, typer.Option("--digest", metavar="DIGEST", help="One that was compiled before.")
    ] = None,
    start: Annotated[
        str, typer.Option("--from", metavar="REV", help="With --history: where it begins.")
    ] = "base",
    to: Annotated[str, typer.Option("--to", metavar="REV", help="Where it ends.")] = "head",
    dialect: Annotated[
        str | None, typer.Option("--dialect", metavar="NAME", help="With --history: only this one.")
    ] = None,
    sql: Annotated[bool, typer.Option("--sql", help="Print the SQL that would be sent.")] = False,
    config: Config = None,
    json: Json = False,
) -> int:
    """Show what would happen: each step, its class and why, statements and locks."""
    from sync.cli import planning

    settings, screen = settings_of(config), choose_screen(json=json)
    match target, history, digest:
        case str(), None, None:
            work = planning.show_target_plan(settings, target, to, screen, sql=sql)
        case None, str(), None:
            span = planning.Span(history, start, to, dialect)
            work = planning.show_history_plans(settings, span, screen, sql=sql)
        case None, None, str():
            work = planning.show_known_plan(settings, digest, screen, sql=sql)
        case _:
            raise typer.BadParameter("expected one of TARGET, --history and --digest")
    return perform(work)


@app.command(short_help="Show what becomes of a history on Databricks.")
def portability(
    *,
    history: Annotated[str, typer.Option("--history", metavar="NAME", help="Of this history.")],
    dialect: Annotated[
        str, typer.Option("--dialect", metavar="NAME", help="On this kind of database.")
    ] = "databricks",
    config: Config = None,
    json: Json = False,
) -> int:
    """Show what becomes of each revision on another kind of database; needs no target there.

    Exit code 1 when something of it is refused.
    """
    from sync.cli.portability import show_portability

    screen = choose_screen(json=json)
    return perform(show_portability(settings_of(config), history, dialect, screen))


@app.command()
def plans(
    *,
    history: Annotated[
        str | None, typer.Option("--history", metavar="NAME", help="Only plans of this history.")
    ] = None,
    state: Annotated[
        PlanState | None,
        typer.Option("--state", metavar="STATE", help="compiled, proposed, approved or rejected."),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 20,
    config: Config = None,
    json: Json = False,
) -> int:
    """Show the newest plans, and what was said of them."""
    from sync.cli.planning import show_plans

    query = PlanQuery(limit=limit, history=history, state=state)
    return perform(show_plans(settings_of(config), query, choose_screen(json=json)))


@app.command(short_help="Let a plan be applied.")
def approve(
    digest: Digest,
    *,
    reason: Reason = None,
    actor: Actor = None,
    config: Config = None,
    json: Json = False,
) -> int:
    """Let a plan be applied where an approval is needed; read it first: levelhead plan.

    Whoever asked for it cannot approve it.
    """
    from sync.cli.planning import approve_plan

    screen = choose_screen(json=json)
    return perform(approve_plan(settings_of(config), digest, reason, actor_of(actor), screen))


@app.command(short_help="Keep a plan from being applied.")
def reject(
    digest: Digest,
    *,
    reason: Reason = None,
    actor: Actor = None,
    config: Config = None,
    json: Json = False,
) -> int:
    """Keep a plan from being applied where an approval is needed."""
    from sync.cli.planning import reject_plan

    screen = choose_screen(json=json)
    return perform(reject_plan(settings_of(config), digest, reason, actor_of(actor), screen))
