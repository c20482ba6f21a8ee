"""How the connector signs its requests in, where the URL holds no token: anew at each."""

from __future__ import annotations

from typing import Any

from providers.databricks.address import address, connect_arguments
from providers.workspace.login import Login
from providers.workspace.tokens import Tokens


def renewing(login: Login, tokens: Tokens) -> dict[str, Any]:
    """Return arguments of the connector; none where *login* holds a token.

    Raises:
        SignInError: There is no token to be had.
    """
    if login.token is not None:
        return {}
    tokens.headers(login)  # so that wrong credentials are told apart from a wrong answer
    return {"credentials_provider": lambda: lambda: tokens.headers(login)}


def arguments(url: str) -> dict[str, Any]:
    """Return all that the connector gets for the URL of a warehouse; for a hand-run of Alembic.

    Raises:
        AddressError: *url* cannot be used as it is written.
        SignInError: There is no token to be had.
    """
    return {**connect_arguments(url), **renewing(address(url).login, Tokens())}
