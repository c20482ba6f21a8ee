"""Signs in to workspaces, with databricks-sdk wherever the URL holds no token.

The SDK finds credentials as all of Databricks' tools do, and asks for a new token before the
old one runs out. What it logs and raises never holds a secret's text, but its settings: those
are left out of our errors.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from providers.workspace.login import AZURE, Login

#: Seconds for one answer, and for all tries to get one, while the SDK signs in.
_PATIENCE, _TRIES = 5, 4

#: Where the SDK's message begins to list its settings.
_SETTINGS = re.compile(r"\.? ?(?:Config|Env): .*|, please check https?://.*", re.DOTALL)

_LONGEST = 200  #: characters of the SDK's own words

#: The SDK tells of each try and each step; what matters of it comes as an error.
logging.getLogger("databricks.sdk").setLevel(logging.CRITICAL)


class SignInError(Exception):
    """No token could be had. The text is one line without any secret."""


class SignInDeniedError(SignInError):
    """The credentials are wrong, or there are none: trying again cannot help."""


class SignInUnavailableError(SignInError):
    """Who gives tokens did not answer: try again later."""


@dataclass(slots=True)
class _Entry:
    """What the SDK knows of one login; whoever comes second waits."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    config: Any = None  #: the SDK's; None: nobody has signed in yet


class Tokens:
    """The tokens of this process: one sign-in for each login. Calls block; threads may share it."""

    def __init__(self) -> None:
        self._entries: dict[Login, _Entry] = {}

    def headers(self, login: Login) -> Mapping[str, str]:
        """Return the HTTP headers that sign a request in, with a token that is valid now.

        Raises:
            SignInDeniedError: The credentials are wrong, or none are set up.
            SignInUnavailableError: There was no answer.
        """
        if login.token is not None:
            return {"Authorization": f"Bearer {login.token}"}
        entry = self._entries.setdefault(login, _Entry())
        with entry.lock:
            try:
                entry.config = entry.config or _config(login)
                found: dict[str, str] = entry.config.authenticate()
            except Exception as error:  # noqa: BLE001 - the SDK and what it calls raise of all kinds
                raise _failure(login, error) from None  # it could show what it was given
        return found

    def secret(self, login: Login) -> str:
        """Return the token by itself; see `headers`."""
        return self.headers(login)["Authorization"].partition(" ")[2]


def _config(login: Login) -> Any:  # noqa: ANN401 - the SDK's; it is imported here alone
    sdk = import_module("databricks.sdk.config")  # late: it is optional, and takes its time
    given = {
        "host": login.origin,
        "auth_type": login.auth,
        "profile": login.profile,
        "azure_tenant_id": login.tenant,
        **_principal(login),
        "http_timeout_seconds": _PATIENCE,
        "retry_timeout_seconds": _TRIES,
        "disable_async_token_refresh": True,  # behind our back it would fail unseen
    }
    return sdk.Config(**{name: value for name, value in given.items() if value is not None})


def _principal(login: Login) -> dict[str, str | None]:
    prefix = "azure_client" if login.auth == AZURE else "client"
    return {f"{prefix}_id": login.client, f"{prefix}_secret": login.secret}


def _failure(login: Login, error: Exception) -> SignInError:
    host = login.origin.partition("://")[2]
    if isinstance(error, ImportError):
        advice = "pip install 'levelhead[databricks]' or 'levelhead[lakebase]'"
        return SignInDeniedError(f"signing in needs {error.name!r}, which is missing; {advice}")
    if _is_temporary(error):
        return SignInUnavailableError(f"nobody at {host} gives a token now; try again later")
    return SignInDeniedError(f"no token for {host} ({_said(error, login)})")


def _is_temporary(error: BaseException | None) -> bool:
    """Tell whether the network, or a server that is overburdened, is the reason."""
    requests = import_module("requests.exceptions")  # comes with the SDK
    sdk = import_module("databricks.sdk.errors")
    passing = (
        requests.ConnectionError,
        requests.Timeout,
        requests.MissingSchema,  # the SDK did not hear who gives tokens, and asks nobody
        sdk.TooManyRequests,
        sdk.InternalError,
        sdk.TemporarilyUnavailable,
        sdk.DeadlineExceeded,
        TimeoutError,
        ConnectionError,
    )
    while error is not None:
        if isinstance(error, passing):
            return True
        error = error.__cause__ or error.__context__
    return False


def _said(error: Exception, login: Login) -> str:
    text = _SETTINGS.sub("", str(error)).partition("\n")[0].strip()
    for secret in filter(None, (login.secret, login.token)):
        text = text.replace(secret, "***")
    return text[:_LONGEST] or type(error).__name__
