"""What each exception of the connector and of the network means in the contract's terms.

One table says it for all classes; a class that is not in it counts as its nearest base
class that is. Where a class says too little, the HTTP status or the error condition that it
carries decides: `STATUSES`, `CONDITIONS`. What a meaning becomes depends on what the session
was doing: *sending* ends, and *waiting* begins, when the warehouse has taken a statement.

=========  =================  ===================  ===================  ===================
meaning    opening            reading              sending              waiting
=========  =================  ===================  ===================  ===================
REFUSED    ConnectError       StatementError       StatementError       StatementError
FORBIDDEN  AccessDeniedError  AccessDeniedError    StatementError       StatementError
DENIED     AccessDeniedError  AccessDeniedError    AccessDeniedError    ConnectionLostError
UNUSABLE   AccessDeniedError  ConnectionLostError  ConnectionLostError  ConnectionLostError
UNSENT     ConnectError       ConnectionLostError  ConnectError         ConnectionLostError
LOST       ConnectError       ConnectionLostError  ConnectionLostError  ConnectionLostError
=========  =================  ===================  ===================  ===================

A 503 is LOST: a gateway says it also when it had passed a request on and lost the warehouse.
"""

from __future__ import annotations

import os
import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from http.client import HTTPException

from databricks.sql import exc
from urllib3 import exceptions as http

from providers.databricks.address import Address, AddressError
from providers.errors import (
    AccessDeniedError,
    ConnectError,
    ConnectionLostError,
    OvertakenError,
    ProviderError,
    StatementError,
)
from providers.redaction import redacted
from providers.workspace.rest import AuthoritiesError
from providers.workspace.tokens import SignInDeniedError, SignInError, SignInUnavailableError


class Meaning(Enum):
    """What an exception says about the session and about the statement."""

    REFUSED = auto()  #: the warehouse said no to the statement; the session stands
    FORBIDDEN = auto()  #: it said no for want of a privilege
    DENIED = auto()  #: the token was not accepted, so nothing was looked at
    UNUSABLE = auto()  #: the settings make no sense
    UNSENT = auto()  #: the session is gone, and the request was never taken
    LOST = auto()  #: the session is gone, and nobody knows what became of the request


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of a table."""

    meaning: Meaning
    advice: str = "{said}"  #: the line for an error at opening


_REFUSED, _LOST = Rule(Meaning.REFUSED), Rule(Meaning.LOST)
_UNREACHABLE = "cannot reach {server} ({said}); check the host in the URL, and the network"
_BROKEN = Rule(Meaning.LOST, "{server} broke the connection off; check host and port in the URL")
_SILENT = "{server} gave no answer in time; check the network, or raise connect_timeout"
_TLS = "no TLS session with {server} ({said}); check _tls_trusted_ca_file in the URL"
_NO_THRIFT = Rule(
    Meaning.UNUSABLE,
    "the warehouse takes no Thrift sessions; give the http_path of one that does",
)
_UNUSABLE = Rule(Meaning.UNUSABLE, "its URL cannot be used; check its options and their files")

RULES: Mapping[type[BaseException], Rule] = {
    # Said by the connector.
    exc.Warning: _LOST,
    exc.InterfaceError: _LOST,
    exc.DatabaseError: _LOST,
    exc.InternalError: _LOST,
    exc.OperationalError: _LOST,
    exc.ProgrammingError: _LOST,
    exc.IntegrityError: _REFUSED,
    exc.DataError: _REFUSED,
    exc.NotSupportedError: _LOST,
    exc.TransactionError: _LOST,
    exc.InvalidServerResponseError: _UNUSABLE,
    exc.ServerOperationError: _REFUSED,
    exc.ReydenThriftUnsupportedError: _NO_THRIFT,
    exc.RequestError: _LOST,
    exc.MaxRetryDurationError: _LOST,
    exc.NonRecoverableNetworkError: _LOST,
    exc.UnsafeToRetryError: _LOST,
    exc.SessionAlreadyClosedError: _LOST,
    exc.CursorAlreadyClosedError: _LOST,
    exc.TelemetryRateLimitError: _LOST,
    exc.TelemetryNonRateLimitError: _LOST,
    ImportError: _NO_THRIFT,  # the connector looks for another protocol, which is not installed
    # Said by urllib3, which the connector lets through.
    http.NewConnectionError: Rule(Meaning.UNSENT, _UNREACHABLE),
    http.NameResolutionError: Rule(
        Meaning.UNSENT, "cannot find the host of {server}; check its name in the URL"
    ),
    http.ConnectTimeoutError: Rule(Meaning.UNSENT, _SILENT),
    http.TimeoutError: Rule(Meaning.LOST, _SILENT),
    http.SSLError: Rule(Meaning.LOST, _TLS),
    http.ProxyError: Rule(Meaning.LOST, "the proxy before {server} failed; check HTTPS_PROXY"),
    http.ProtocolError: _BROKEN,
    http.PoolError: _BROKEN,
    http.DecodeError: _BROKEN,
    http.ResponseNotChunked: _BROKEN,
    http.BodyNotHttplibCompatible: _BROKEN,
    http.HeaderParsingError: _BROKEN,
    http.UnrewindableBodyError: _BROKEN,
    http.InvalidHeader: _BROKEN,
    http.ResponseError: _BROKEN,
    HTTPException: _BROKEN,
    http.LocationValueError: _UNUSABLE,
    http.ProxySchemeUnknown: _UNUSABLE,
    http.ProxySchemeUnsupported: _UNUSABLE,
    http.TimeoutStateError: _UNUSABLE,
    # Said by the network, the resolver and TLS.
    OSError: Rule(Meaning.LOST, _UNREACHABLE),
    TimeoutError: Rule(Meaning.LOST, _SILENT),
    ConnectionError: _BROKEN,
    FileNotFoundError: Rule(
        Meaning.UNUSABLE, "a certificate or key file that its URL names does not exist"
    ),
    socket.gaierror: Rule(
        Meaning.LOST, "cannot find the host of {server}; check its name in the URL"
    ),
    ssl.SSLError: Rule(Meaning.LOST, _TLS),
    # Said by who gives tokens: the request was not sent.
    SignInError: Rule(Meaning.UNSENT, "{said}"),
    SignInDeniedError: Rule(Meaning.DENIED, "{said}; check the credentials"),
    SignInUnavailableError: Rule(Meaning.UNSENT, "{said}"),
    # Raised for settings that make no sense.
    AddressError: Rule(Meaning.UNUSABLE, "its URL cannot be used: {said}"),
    AuthoritiesError: Rule(Meaning.UNUSABLE, "{said}"),
    ValueError: _UNUSABLE,
}

_TOKEN = Rule(Meaning.DENIED, "wrong token for {server} ({said}); it may have expired: replace it")

#: HTTP status of a request that was not answered as it should -> what it means.
STATUSES: Mapping[int, Rule] = {
    400: _UNUSABLE,
    401: _TOKEN,
    403: _TOKEN,
    404: Rule(Meaning.UNSENT, "there is no warehouse at {path} of {server}; check http_path"),
    429: Rule(Meaning.UNSENT, "{server} takes no more requests ({said}); try again later"),
    503: Rule(Meaning.LOST, "{server} is not available (503: {said}); try again later"),
}

#: Condition of an error that comes behind the commit: whatever failed, the statement stands.
COMMITTED = "DELTA_POST_COMMIT_HOOK_FAILED"

#: Error condition -> what it means. All others mean what their class says, or REFUSED.
CONDITIONS: Mapping[str, Rule] = {
    "INSUFFICIENT_PERMISSIONS": Rule(Meaning.FORBIDDEN, "{said}; grant the privilege"),
    "PERMISSION_DENIED": Rule(Meaning.FORBIDDEN, "{said}; grant the privilege"),
    COMMITTED: _LOST,  # whoever does not know of it has to look
    "NO_SUCH_CATALOG_EXCEPTION": Rule(
        Meaning.REFUSED, 'there is no catalog "{catalog}" on {server}; create it, or correct it'
    ),
    "SCHEMA_NOT_FOUND": Rule(
        Meaning.REFUSED, 'there is no schema "{schema}" on {server}; create it, or correct it'
    ),
}

#: SQLSTATE of a statement that had no effect because another commit came first.
OVERTAKEN = "2D521"

#: Part of the condition that goes with it -> what the other one did. Page "delta/isolation-level".
CONFLICTS: Mapping[str, str] = {
    "METADATA_CHANGE": "somebody else changed the table's schema or properties meanwhile",
    "PROTOCOL_CHANGE": "somebody else raised the table's protocol meanwhile",
}
OTHER_CONFLICT = "somebody else wrote to the table meanwhile"

_NO_SUCH_SESSION = Rule(Meaning.UNSENT)

#: What a call to the connector can raise.
DRIVER_ERRORS = (exc.Error, exc.Warning, http.HTTPError, HTTPException, OSError, SignInError)

#: Answers by which a warehouse asks for another try: it starts, or it has too much to do.
_AGAIN = frozenset({429, 503})

_CONDITION = re.compile(r"\[([A-Z][A-Z0-9_]+(?:\.[A-Z0-9_]+)*)\]")
_SQLSTATE = re.compile(r"SQLSTATE:? ?([0-9A-Z]{5})\b")
_SESSION = re.compile(r"invalid session ?handle", re.IGNORECASE)

#: SQLSTATE classes whose texts hold names and SQL, but no values of rows.
_ABOUT_NAMES = frozenset({"0A", "25", "28", "2B", "2D", "3D", "3F", "42", "HY", "KD"})

_LEFT_OUT = "its text may hold data, so only the warehouse's query history shows it"


@contextmanager
def opening(target: str, place: Address | None) -> Iterator[None]:
    """Translate what opening a session raises; *place* is None where the URL is not read yet."""
    try:
        yield
    except (*DRIVER_ERRORS, ValueError, ImportError) as error:
        raise _opening_error(error, target, place) from error


@contextmanager
def reading(target: str) -> Iterator[None]:
    """Translate what a query of our own raises; it changed nothing."""
    try:
        yield
    except DRIVER_ERRORS as error:
        meaning = rule_for(error).meaning
        if meaning in {Meaning.FORBIDDEN, Meaning.DENIED}:
            raise AccessDeniedError(said(error), target=target) from error
        if meaning is Meaning.REFUSED:
            raise _refusal(error, target, None, None) from error
        raise _loss(error, target, None) from error


@contextmanager
def sending(target: str, *, ticket: str | None = None, sql: str | None = None) -> Iterator[None]:
    """Translate what a statement raises that is on its way to the warehouse."""
    try:
        yield
    except DRIVER_ERRORS as error:
        meaning = rule_for(error).meaning
        if meaning is Meaning.DENIED:
            line = f"the token is not accepted ({said(error)}); replace it"
            raise AccessDeniedError(line, target=target) from error
        if meaning is Meaning.UNSENT:
            line = f"the session is gone ({said(error)}); the statement was not sent"
            raise ConnectError(line, target=target) from error
        if meaning in {Meaning.REFUSED, Meaning.FORBIDDEN}:
            raise _refusal(error, target, ticket, sql) from error
        raise _loss(error, target, ticket) from error


@contextmanager
def waiting(target: str, *, ticket: str | None = None, sql: str | None = None) -> Iterator[None]:
    """Translate what a statement raises that the warehouse has taken."""
    try:
        yield
    except DRIVER_ERRORS as error:
        if rule_for(error).meaning in {Meaning.REFUSED, Meaning.FORBIDDEN}:
            raise _refusal(error, target, ticket, sql) from error
        raise _loss(error, target, ticket) from error


def find_rule(kind: type[BaseException]) -> Rule | None:
    """Return the row for an exception class; None where it has no place in the table."""
    return next((RULES[base] for base in kind.__mro__ if base in RULES), None)


def rule_for(error: BaseException) -> Rule:
    """Return what *error* means, by what it carries or else by its class."""
    error = _cause(error)
    own = find_rule(type(error)) or _LOST  # a later connector may know more than we do
    if isinstance(error, exc.RequestError):
        return STATUSES.get(_status(error), own)
    if not isinstance(error, exc.DatabaseError):
        return own
    if condition := condition_of(error):
        return CONDITIONS.get(condition.partition(".")[0], _REFUSED)
    return _NO_SUCH_SESSION if _SESSION.search(str(error)) else own


def condition_of(error: BaseException) -> str | None:
    """Return the error condition that the warehouse named; None where it named none."""
    found = _CONDITION.search(str(error)) if isinstance(error, exc.DatabaseError) else None
    return found[1] if found else None


@contextmanager
def standing() -> Iterator[None]:
    """Take the error of a statement for none that says that its commit stands."""
    try:
        yield
    except exc.DatabaseError as error:
        if condition_of(error) != COMMITTED:
            raise


def asks_for_patience(error: BaseException) -> bool:
    """Tell whether the warehouse did not take a request, and wants it again later."""
    return isinstance(error, exc.RequestError) and _status(error) in _AGAIN


def is_denied(error: BaseException) -> bool:
    """Tell whether a request was turned away with the token that it had."""
    return rule_for(error).meaning is Meaning.DENIED


def said(error: BaseException) -> str:
    """Return what *error* says in one line: never row data, a token or a URL."""
    error = _cause(error)
    if isinstance(error, AddressError | AuthoritiesError | SignInError):
        return str(error)
    if isinstance(error, exc.RequestError):
        return _said_by_header(error)
    if isinstance(error, exc.DatabaseError):
        return _said_by_warehouse(error)
    if isinstance(error, http.SSLError | ssl.SSLError):
        return _said_by_tls(error)
    below = error.__cause__ if isinstance(error, http.NewConnectionError) else error
    if isinstance(below, OSError) and below.errno:
        return os.strerror(below.errno).lower()
    return "no reply"


def _opening_error(error: Exception, target: str, place: Address | None) -> ProviderError:
    rule = rule_for(error)
    line = rule.advice.format(
        said=said(error),
        server=place.server if place else "the server",
        path=place.http_path if place else "?",
        catalog=place.catalog if place else "?",
        schema=place.schema if place else "?",
    )
    final = {Meaning.FORBIDDEN, Meaning.DENIED, Meaning.UNUSABLE}
    return (AccessDeniedError if rule.meaning in final else ConnectError)(line, target=target)


def _refusal(error: Exception, target: str, ticket: str | None, sql: str | None) -> StatementError:
    code = _code(error)
    line = said(error) if code is None else f"{said(error)} (SQLSTATE {code})"
    if code == OVERTAKEN:
        line = f"{_conflict(error)}: {line}; try again"
        return OvertakenError(line, target=target, ticket=ticket, code=code, sql=sql)
    return StatementError(line, target=target, ticket=ticket, code=code, sql=sql)


def _conflict(error: Exception) -> str:
    """Return what another writer did that came first."""
    condition = condition_of(error) or ""
    return next((what for part, what in CONFLICTS.items() if part in condition), OTHER_CONFLICT)


def _loss(error: Exception, target: str, ticket: str | None) -> ConnectionLostError:
    line = f"the connection broke ({said(error)})"
    return ConnectionLostError(line, target=target, ticket=ticket)


def _cause(error: BaseException) -> BaseException:
    """Return what the request was given up for, instead of the fact that it was."""
    if isinstance(error, http.MaxRetryError) and error.reason is not None:
        return error.reason
    if isinstance(error, exc.RequestError):  # it could not even be signed
        return next((inner for inner in error.args if isinstance(inner, SignInError)), error)
    return error


def _status(error: exc.RequestError) -> int:
    """Return the HTTP status that *error* is about; 0 where there was none.

    The connector reports the status of the request before, where the network failed.
    """
    failed = error.args[1] if len(error.args) > 1 else None
    if failed is None or isinstance(failed, OSError):
        return 0
    return int(error.context.get("http-code") or 0)


def _code(error: BaseException) -> str | None:
    found = _SQLSTATE.search(str(error)) if isinstance(error, exc.DatabaseError) else None
    return found[1] if found else None


def _said_by_header(error: exc.RequestError) -> str:
    text = str(error.context.get("error-message") or "").strip(" :.")
    status = _status(error)
    return redacted(text, code=None, names=()) or (
        f"HTTP status {status}" if status else "no reply"
    )


def _said_by_warehouse(error: exc.DatabaseError) -> str:
    """Return condition and text; the condition alone where the text may hold values of rows."""
    condition, code = condition_of(error), _code(error)
    if condition is None and not isinstance(error, exc.ServerOperationError):
        return redacted(str(error), code=None, names=())  # about the session, not a statement
    if code is None or code[:2] not in _ABOUT_NAMES:
        return f"[{condition or 'no condition'}] {_LEFT_OUT}"
    text = _SQLSTATE.sub("", str(error).partition(f"[{condition}]")[2]).strip(" ;")
    return redacted(f"[{condition}] {text}", code=None, names=())


def _said_by_tls(error: BaseException) -> str:
    """Return the reason of a failed handshake; urllib3 keeps the original as its argument."""
    inner = next((arg for arg in error.args if isinstance(arg, ssl.SSLError)), error)
    detail = getattr(inner, "verify_message", None) or getattr(inner, "reason", None)
    return str(detail) if detail else "the handshake failed"
