"""Commands that change targets: sync, downgrade, stamp, release, settle."""
# ruff: noqa: PLC0415 - `levelhead --help` starts fast because commands import late

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sync.cli.commands.root import actor_of, app, perform, settings_of
from sync.cli.options import (
    Actor,
    Config,
    History,
    Json,
    Labels,
    Rev,
    Target,
    Targets,
    To,
    one_revision,
    selection,
)
from sync.cli.screen import choose_screen
from sync.model import Order, Selection, Verb, Verdict

#: Alembic's ``-1`` is a revision here, not an option.
RELATIVE = {"ignore_unknown_options": True}


@app.command("sync")
def synchronise(
    targets: Targets = None,
    *,
    to: Annotated[str, typer.Option("--to", metavar="REV", help="Stop at this revision.")] = "head",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be sent.")
    ] = False,
    history: History = None,
    label: Labels = None,
    actor: Actor = None,
    config: Config = None,
    json: Json = False,
) -> int:
    """Apply what is pending, and wait until it is done."""
    order, chosen = Order(Verb.SYNC, to), selection(targets, history, label)
    if dry_run:
        from sync.cli.planning import show_previews

        return perform(show_previews(settings_of(config), order, chosen, choose_screen(json=json)))
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
    return _carry_out(order, Selection(targets=(target,)), actor, config, json=json)


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
    return _carry_out(order, Selection(targets=(target,)), actor, config, json=json)


@app.command()
def release(
    target: Target, *, actor: Actor = None, config: Config = None, json: Json = False
) -> int:
    """End the hold of one target."""
    from sync.cli.changing import release_target

    return perform(
        release_target(settings_of(config), target, actor_of(actor), choose_screen(json=json))
    )


@app.command(short_help="Say what became of a statement in doubt.")
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
    return perform(settle_ticket(settings_of(config), ticket, outcome, actor_of(actor), screen))


def _carry_out(
    order: Order, chosen: Selection, actor: str | None, config: Path | None, *, json: bool
) -> int:
    from sync.cli.changing import carry_out

    return perform(
        carry_out(settings_of(config), order, chosen, actor_of(actor), choose_screen(json=json))
    )
