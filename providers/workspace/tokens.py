"""Signs in to workspaces, with databricks-sdk wherever the URL holds no token.

The SDK finds credentials as all of Databricks' tools do, and asks for a new token before the
old one runs out. It sets no limit to some of its requests, so whoever waits for it does. What it
raises may list its settings, or repeat what whoever gives tokens has said: the settings are left
out of our errors, and so is every secret that was sent.
"""

from __future__ import annotations

import base64
import logging
import os
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from importlib import import_module
from time import monotonic
from typing import Any
from urllib.parse import quote, quote_plus

from providers.workspace.calls import begin
from providers.workspace.login import AZURE, Login
from providers.workspace.profiles import choice, is_elsewhere

#: Seconds for one answer, and for all tries to get one, where the SDK knows such limits.
_PATIENCE, _TRIES = 5, 4

#: Seconds for all of it, whatever the SDK is waiting for.
_LIMIT = 10.0

#: How many times the limit has to pass before a call without an end is left to itself.
_ABANDONED = 6

#: Where the SDK's message begins to list its settings.
_SETTINGS = re.compile(r"\.? ?(?:Config|Env): .*|, please check https?://.*", re.DOTALL)

#: The SDK's words for having looked everywhere.
_NOTHING = "cannot configure default credentials"

#: Where its text ends when it looks for Azure in vain.
_NO_AZURE = "no attribute 'active_directory_endpoint'"

#: What credentials are refused with: RFC 6749, section 5.2. All else is no answer to them.
_REFUSALS = re.compile(r"(?:invalid|unauthorized|unsupported)_|access_denied")

#: What signs a request in: a token that can stand in a header.
_SIGNED = re.compile(r"Bearer (?!None$)[!-~]+")

_LONGEST = 200  #: characters of the SDK's own words

#: The SDK tells of each try and each step; what matters of it comes as an error.
logging.getLogger("databricks.sdk").setLevel(logging.CRITICAL)


class SignInError(Exception):
    """No token could be had. The text is one line without any secret."""


class SignInDeniedError(SignInError):
    """The credentials are wrong, or there are none: trying again cannot help."""


class SignInUnavailableError(SignInError):
    """Who gives tokens did not answer, or made no sense: try again later."""


@dataclass(slots=True)
class _Entry:
    """What the SDK knows of one login, and the call that asks it; whoever comes second joins."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    config: Any = None  #: the SDK's; None: nobody has signed in yet
    call: Future[Mapping[str, str]] | None = None
    begun: float = 0.0  #: when the call began, by the monotonic clock


class Tokens:
    """The tokens of this process: one sign-in for each login. Calls block; threads may share it."""

    def __init__(self, limit: float = _LIMIT) -> None:
        """Wait for *limit* seconds at most, and let all who ask meanwhile wait for the same."""
        self._limit = limit
        self._entries: dict[Login, _Entry] = {}

    def headers(self, login: Login) -> Mapping[str, str]:
        """Return the HTTP headers that sign a request in, with a token that is valid now.

        Raises:
            SignInDeniedError: The credentials are wrong, or none are set up.
            SignInUnavailableError: There was no answer in time, or none that makes sense.
        """
        if login.token is not None:
            return {"Authorization": f"Bearer {login.token}"}
        entry = self._entries.setdefault(login, _Entry())
        call, left = self._call(entry, login)
        try:
            return call.result(timeout=max(left, 0.0))
        except TimeoutError:
            line = f"nobody at {_host(login)} gave a token in time; try again later"
            raise SignInUnavailableError(line) from None

    def secret(self, login: Login) -> str:
        """Return the token by itself; see `headers`."""
        return self.headers(login)["Authorization"].partition(" ")[2]

    def forget(self, login: Login) -> None:
        """Look for the credentials anew next time: what was found was not taken."""
        self._entries.pop(login, None)

    def _call(self, entry: _Entry, login: Login) -> tuple[Future[Mapping[str, str]], float]:
        """Return the call that is going on, or else a new one, and the seconds it has left."""
        with entry.lock:
            age = monotonic() - entry.begun
            going_on = entry.call is not None and not entry.call.done()
            if not going_on or age > self._limit * _ABANDONED:
                entry.call, entry.begun = begin(lambda: _sign(entry, login)), monotonic()
            assert entry.call is not None  # noqa: S101 - it is there, or was made just now
            return entry.call, entry.begun + self._limit - monotonic()


def _sign(entry: _Entry, login: Login) -> Mapping[str, str]:
    """Have the SDK sign; what it found is kept for as long as it serves."""
    config, entry.config = entry.config, None
    try:
        config = config or _config(login)
    except SignInDeniedError:
        raise
    except Exception as error:  # noqa: BLE001 - the SDK and what it calls raise of all kinds
        raise _failure(login, error, ()) from None  # it could show what it was given
    try:
        found: dict[str, str] = config.authenticate()
    except Exception as error:  # noqa: BLE001 - as above
        if _makes_no_sense(error):
            raise _nonsense(login) from None
        raise _failure(login, error, _found_secrets(config)) from None
    if not _SIGNED.fullmatch(found.get("Authorization", "")):
        raise _unfit(login, config.auth_type)
    entry.config = config
    return found


def _config(login: Login) -> Any:  # noqa: ANN401 - the SDK's; it is imported here alone
    sdk = import_module("databricks.sdk.config")  # late: it is optional, and takes its time
    found = choice(login, sdk.Config.attributes(), os.environ) if login.client is None else None
    if found and found.variables:
        line = f"{', '.join(found.variables)} would count instead of profile {login.profile}"
        raise SignInDeniedError(
            f"no token for {_host(login)} ({line}; unset them, or leave profile out)"
        )
    given = {
        "host": login.origin,
        "auth_type": login.auth,
        "profile": found.profile if found else None,
        "azure_tenant_id": login.tenant,
        **_principal(login),
        "http_timeout_seconds": _PATIENCE,
        "retry_timeout_seconds": _TRIES,
        "disable_async_token_refresh": True,  # behind our back it would fail unseen
    }
    config = sdk.Config(**{name: value for name, value in given.items() if value is not None})
    if found and found.host and config.auth_type == "pat" and is_elsewhere(found.host, login):
        line = f"the token that was found is for {_host_of(found.host)}; it is not sent elsewhere"
        raise SignInDeniedError(f"no token for {_host(login)} ({line})")
    return config


def _principal(login: Login) -> dict[str, str | None]:
    prefix = "azure_client" if login.auth == AZURE else "client"
    return {f"{prefix}_id": login.client, f"{prefix}_secret": login.secret}


def _failure(login: Login, error: Exception, found: Iterable[str]) -> SignInError:
    """Return what *error* of the SDK means; *found* are secrets beside those of the login."""
    if isinstance(error, ImportError):
        advice = "pip install 'levelhead[databricks]' or 'levelhead[lakebase]'"
        return SignInDeniedError(f"signing in needs {error.name!r}, which is missing; {advice}")
    if _is_temporary(error):
        return _nobody(login)
    return SignInDeniedError(f"no token for {_host(login)} ({_said(error, login, found)})")


def _nobody(login: Login) -> SignInUnavailableError:
    return SignInUnavailableError(f"nobody at {_host(login)} gives a token now; try again later")


def _unfit(login: Login, auth: str) -> SignInError:
    """Return the error for what is no token that can be sent."""
    if auth not in {"pat", "basic"}:
        return _nonsense(login)
    line = f"what was found for auth={auth} is no token of printable ASCII without blanks"
    return SignInDeniedError(f"no token for {_host(login)} ({line})")


def _nonsense(login: Login) -> SignInUnavailableError:
    what = f"{_host(login)} gives no token, and does not say that the credentials are wrong"
    return SignInUnavailableError(f"{what}; check the host in the URL, or try again later")


def _host(login: Login) -> str:
    return _host_of(login.origin)


def _host_of(address: str) -> str:
    return (address.partition("://")[2] or address).rpartition("@")[2]


def _makes_no_sense(error: Exception) -> bool:
    """Tell whether an answer is no refusal: that of a gateway, or a page for people.

    The SDK raises the same for any status, with what it took for the refusal's code first; an
    answer without a type, a body or a token it stumbles over.
    """
    if isinstance(error, ValueError):
        return not _REFUSALS.match(str(error))
    return isinstance(error, NotImplementedError | LookupError | TypeError | AttributeError)


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


def _said(error: Exception, login: Login, found: Iterable[str]) -> str:
    text = _SETTINGS.sub("", str(error)).partition("\n")[0].strip()
    if _NO_AZURE in text:
        return f"auth={login.auth} is for workspaces on Azure"
    if _NOTHING in text:
        return f"{_looked_for(login)}: write token:TOKEN@ before the host, or set up a profile"
    for secret in sorted(_written(login, found), key=len, reverse=True):
        text = text.replace(secret, "***")
    return text[:_LONGEST] or type(error).__name__


def _looked_for(login: Login) -> str:
    where = f" in profile {login.profile}" if login.profile else ""
    return (
        f"no credentials for auth={login.auth}{where}" if login.auth else f"no credentials{where}"
    )


def _written(login: Login, found: Iterable[str]) -> Iterator[str]:
    """Yield every secret in all the ways in which it is sent."""
    if login.client and login.secret:
        yield base64.b64encode(f"{login.client}:{login.secret}".encode()).decode()
    for secret in filter(None, (login.secret, login.token, *found)):
        yield from (secret, quote(secret, ""), quote_plus(secret), repr(secret)[1:-1])


def _found_secrets(config: Any) -> list[str]:  # noqa: ANN401 - the SDK's
    """Return what the SDK has found in profiles and variables that nobody may see."""
    names = (each.name for each in config.attributes() if each.sensitive)
    return [str(value) for value in (getattr(config, name) for name in names) if value]
