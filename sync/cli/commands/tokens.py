"""Commands about the API's tokens."""
# ruff: noqa: PLC0415 - `levelhead --help` starts fast because commands import late

from __future__ import annotations

from typing import Annotated

import typer

from sync.cli.commands.root import actor_of, perform, settings_of, token_app
from sync.cli.options import Actor, Config, Json
from sync.cli.screen import choose_screen
from sync.model import Role


@token_app.command("create")
def create_token(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who or what will use it.")],
    *,
    role: Annotated[
        Role,
        typer.Option(
            "--role",
            help="All read. approver: decides on plans. operator: starts runs. admin: all.",
        ),
    ] = Role.VIEWER,
    actor: Actor = None,
    config: Config = None,
    json: Json = False,
) -> int:
    """Create a token and print its key, which is shown only now."""
    from sync.cli.tokens import create

    return perform(
        create(settings_of(config), name, role, actor_of(actor), choose_screen(json=json))
    )


@token_app.command("list")
def list_tokens(*, config: Config = None, json: Json = False) -> int:
    """List the tokens, revoked ones included."""
    from sync.cli.tokens import show

    return perform(show(settings_of(config), choose_screen(json=json)))


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

    return perform(revoke(settings_of(config), name, actor_of(actor), choose_screen(json=json)))
