"""What a workspace's answers mean in the contract's terms, while a session is opened.

===========================  =========================================================
answer                       becomes
===========================  =========================================================
401, 403, no credentials     AccessDeniedError
400, 404                     ConnectError: there is no such instance or endpoint (now)
429, 5xx, none, not its own  ConnectError
the instance is starting     StartingError
===========================  =========================================================

What comes after that, Postgres says: see `providers.postgres.errors`.
"""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPException
from urllib.error import HTTPError, URLError

from providers.errors import AccessDeniedError, ConnectError, ProviderError, StartingError
from providers.lakebase.address import Address
from providers.lakebase.grants import Grant, NotRunningError
from providers.workspace.rest import ERRORS, AuthoritiesError, is_temporary
from providers.workspace.tokens import SignInDeniedError, SignInError

_ADVICE: Mapping[int, str] = {
    400: "{workspace} does not know what is asked of {resource} ({said}); check its name",
    401: "wrong token for {workspace} ({said}); it may have expired: replace it",
    403: "{workspace} mints no credential for {resource} ({said}); grant its use",
    404: "there is no {resource} at {workspace}; create it, or correct the URL",
}
_DENIED = frozenset({401, 403})
_STARTING = frozenset({"STARTING", "FAILING_OVER", "INIT"})

#: State in which nobody can log in -> what to do.
_STATES: Mapping[str, str] = {
    "STOPPED": "start it first",
    "DELETING": "name another one in the URL",
}

_CODE = re.compile(r"[A-Z][A-Z_]{1,60}")


@contextmanager
def reading(target: str) -> Iterator[None]:
    """Translate what reading a URL raises; `LoginError` and `AddressError` show no secret."""
    try:
        yield
    except ValueError as error:
        raise AccessDeniedError(f"its URL cannot be used: {error}", target=target) from None


@contextmanager
def minting(target: str, place: Address) -> Iterator[None]:
    """Translate what asking the workspace raises."""
    try:
        yield
    except NotRunningError as error:
        raise _state(target, place, str(error)) from error
    except ERRORS as error:
        raise _refusal(target, place, error) from error


def refused_login(target: str, place: Address, grant: Grant) -> AccessDeniedError:
    """Return the error for a login that was refused with a credential minted just now."""
    return AccessDeniedError(
        f'{grant.host} does not let role "{grant.role}" in with what {place.workspace}'
        " minted; check that the role exists there and belongs to who signs in, or set role",
        target=target,
    )


def _state(target: str, place: Address, state: str) -> ConnectError:
    if state in _STARTING:
        line = f"{place.resource} is starting; try again shortly"
        return StartingError(line, target=target)
    advice = _STATES.get(state, "look at it in the workspace, and try again later")
    return ConnectError(f"{place.resource} is {state.lower()}; {advice}", target=target)


def _refusal(target: str, place: Address, error: Exception) -> ProviderError:
    if isinstance(error, SignInError):
        denied = isinstance(error, SignInDeniedError)
        line = f"{error}; check the credentials" if denied else str(error)
        return (AccessDeniedError if denied else ConnectError)(line, target=target)
    if isinstance(error, HTTPError):
        return _by_status(target, place, error)
    return ConnectError(_without_answer(place, error), target=target)


def _by_status(target: str, place: Address, error: HTTPError) -> ProviderError:
    said = _said(error)
    otherwise = "{workspace} answered {said}; try again later"
    if not is_temporary(error) and error.code not in _ADVICE:
        otherwise = "{workspace} answered {said}, which its API does not; check the host in the URL"
    advice = _ADVICE.get(error.code, otherwise)
    line = advice.format(workspace=place.workspace, resource=place.resource, said=said)
    return (AccessDeniedError if error.code in _DENIED else ConnectError)(line, target=target)


def _said(error: HTTPError) -> str:
    """Return status and error code; the message beside it could quote anything."""
    try:
        code = str(json.loads(error.read())["error_code"])
    except (HTTPException, OSError, ValueError, KeyError, TypeError):
        code = ""
    return f"{error.code} {code}" if _CODE.fullmatch(code) else str(error.code)


def _without_answer(place: Address, error: Exception) -> str:
    reason = error.reason if isinstance(error, URLError) else error
    if isinstance(reason, ssl.SSLError):
        detail = getattr(reason, "verify_message", None) or reason.reason or "the handshake failed"
        return f"no TLS session with {place.workspace} ({detail}); check _tls_trusted_ca_file"
    if isinstance(reason, AuthoritiesError):
        return str(reason)
    if isinstance(reason, TimeoutError):
        return f"{place.workspace} gave no answer in time; check the network"
    if isinstance(reason, OSError):
        return f"cannot reach {place.workspace}; check the host in the URL, and the network"
    return f"{place.workspace} answered what its API does not; check the host in the URL"
