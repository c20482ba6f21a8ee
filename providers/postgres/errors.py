"""What each exception of asyncpg and of the network means in the contract's terms.

One table says it for all: a class that is not in it counts as its nearest base class
that is. What the meaning becomes depends on what the session was doing:

=============  ====================  =====================  ===================
meaning        opening               reading                sending
=============  ====================  =====================  ===================
REFUSED        ConnectError          StatementError         StatementError
STARTING       StartingError         StatementError         StatementError
CONTENDED      ConnectError          ContentionError        ContentionError
DENIED         AccessDeniedError     AccessDeniedError      StatementError
UNUSABLE       AccessDeniedError     ConnectionLostError    ConnectionLostError
LOST           ConnectError          ConnectionLostError    ConnectionLostError
IN_DOUBT       ConnectError          ConnectionLostError    ConnectionLostError
=============  ====================  =====================  ===================
"""

from __future__ import annotations

import os
import re
import socket
import ssl
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto

from asyncpg import exceptions as pg

from providers.errors import (
    AccessDeniedError,
    ConnectError,
    ConnectionLostError,
    ContentionError,
    ProviderError,
    StartingError,
    StatementError,
)
from providers.postgres.address import Address
from providers.redaction import redacted


class Meaning(Enum):
    """What an exception says about the session and about the statement."""

    REFUSED = auto()  #: the server said no; the session stands
    STARTING = auto()  #: the server said that it takes nobody yet
    CONTENDED = auto()  #: the server said no, for another session was in the way
    DENIED = auto()  #: the server said no, for want of credentials or of a privilege
    UNUSABLE = auto()  #: the connection settings make no sense
    LOST = auto()  #: the session is gone
    IN_DOUBT = auto()  #: the server itself does not know what became of the transaction


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table."""

    meaning: Meaning
    advice: str = "{said}"  #: the line for an error at opening


_REFUSED, _DENIED = Rule(Meaning.REFUSED), Rule(Meaning.DENIED)
_CONTENDED = Rule(Meaning.CONTENDED)
_LOST, _IN_DOUBT = Rule(Meaning.LOST), Rule(Meaning.IN_DOUBT)
_UNREACHABLE = Rule(
    Meaning.LOST,
    "cannot reach {server} ({said}); check that the server runs, and host and port in the URL",
)
_HUNG_UP = Rule(
    Meaning.LOST,
    "{server} broke the connection off at sign-on; check that it is a Postgres server,"
    " and sslmode in the URL",
)
_UNUSABLE = Rule(
    Meaning.UNUSABLE,
    "its URL cannot be used; check its form (reserved characters are percent-encoded),"
    " its options, and the files that they name",
)

RULES: Mapping[type[BaseException], Rule] = {
    # Said by the server, in the order of the SQLSTATE classes.
    pg.UnknownPostgresError: _REFUSED,
    pg.PostgresWarning: _REFUSED,
    pg.SQLStatementNotYetCompleteError: _REFUSED,
    pg.PostgresConnectionError: _HUNG_UP,
    pg.TransactionResolutionUnknownError: _IN_DOUBT,
    pg.TriggeredActionError: _REFUSED,
    pg.FeatureNotSupportedError: _REFUSED,
    pg.InvalidTransactionInitiationError: _REFUSED,
    pg.LocatorError: _REFUSED,
    pg.InvalidGrantorError: _REFUSED,
    pg.InvalidRoleSpecificationError: _REFUSED,
    pg.DiagnosticsError: _REFUSED,
    pg.InvalidArgumentForXqueryError: _REFUSED,
    pg.CaseNotFoundError: _REFUSED,
    pg.CardinalityViolationError: _REFUSED,
    pg.DataError: _REFUSED,
    pg.IntegrityConstraintViolationError: _REFUSED,
    pg.InvalidCursorStateError: _REFUSED,
    pg.InvalidTransactionStateError: _REFUSED,
    pg.InvalidSQLStatementNameError: _REFUSED,
    pg.TriggeredDataChangeViolationError: _REFUSED,
    pg.InvalidAuthorizationSpecificationError: Rule(
        Meaning.DENIED,
        'the server does not let user "{user}" in: {said}; check the user, and pg_hba.conf there',
    ),
    pg.InvalidPasswordError: Rule(
        Meaning.DENIED, 'wrong password for user "{user}"; correct it in the configuration'
    ),
    pg.DependentPrivilegeDescriptorsStillExistError: _REFUSED,
    pg.InvalidTransactionTerminationError: _REFUSED,
    pg.SQLRoutineError: _REFUSED,
    pg.InvalidCursorNameError: _REFUSED,
    pg.ExternalRoutineError: _REFUSED,
    pg.ExternalRoutineInvocationError: _REFUSED,
    pg.SavepointError: _REFUSED,
    pg.InvalidCatalogNameError: Rule(
        Meaning.REFUSED,
        'there is no database "{database}" on {server}; create it, or correct the URL',
    ),
    pg.InvalidSchemaNameError: _REFUSED,
    pg.TransactionRollbackError: _REFUSED,
    pg.SerializationError: _CONTENDED,
    pg.DeadlockDetectedError: _CONTENDED,
    pg.StatementCompletionUnknownError: _IN_DOUBT,
    pg.SyntaxOrAccessError: _REFUSED,
    pg.InsufficientPrivilegeError: Rule(
        Meaning.DENIED, '{said}; grant the privilege to user "{user}"'
    ),
    pg.WithCheckOptionViolationError: _REFUSED,
    pg.InsufficientResourcesError: _REFUSED,
    pg.TooManyConnectionsError: Rule(
        Meaning.REFUSED,
        "{server} has no connection left ({said}); close some, or raise max_connections",
    ),
    pg.ProgramLimitExceededError: _REFUSED,
    pg.ObjectNotInPrerequisiteStateError: _REFUSED,
    pg.LockNotAvailableError: _CONTENDED,
    pg.OperatorInterventionError: _REFUSED,
    pg.CannotConnectNowError: Rule(
        Meaning.STARTING, "{server} does not take connections yet ({said}); try again shortly"
    ),
    pg.PostgresSystemError: _REFUSED,
    pg.SnapshotTooOldError: _REFUSED,
    pg.ConfigFileError: _REFUSED,
    pg.FDWError: _REFUSED,
    pg.PLPGSQLError: _REFUSED,
    pg.InternalServerError: _REFUSED,
    # Said by asyncpg.
    pg.InterfaceError: _LOST,
    pg.InterfaceWarning: _LOST,
    pg.ClientConfigurationError: _UNUSABLE,
    pg.InternalClientError: _LOST,
    pg.TargetServerAttributeNotMatched: Rule(
        Meaning.LOST, "no host of {server} has what target_session_attrs in the URL asks for"
    ),
    # Said by the network, the resolver and TLS.
    OSError: _UNREACHABLE,
    ConnectionError: _HUNG_UP,
    ConnectionRefusedError: _UNREACHABLE,
    FileNotFoundError: Rule(
        Meaning.LOST, "a socket, certificate or key file that its URL names does not exist"
    ),
    TimeoutError: Rule(
        Meaning.LOST,
        "{server} gave no answer in time; check the network, or raise connect_timeout",
    ),
    socket.gaierror: Rule(
        Meaning.LOST, "cannot find the host of {server}; check its name in the URL"
    ),
    ssl.SSLError: Rule(
        Meaning.LOST, "no TLS session with {server} ({said}); check sslmode in the URL"
    ),
    ssl.SSLCertVerificationError: Rule(
        Meaning.LOST,
        "the certificate of {server} cannot be verified ({said}); check sslrootcert in the URL",
    ),
    # Raised for a URL that cannot be read.
    ValueError: _UNUSABLE,
}

#: What each meaning becomes at opening; all others are ConnectError.
_AT_OPENING: Mapping[Meaning, type[ProviderError]] = {
    Meaning.STARTING: StartingError,
    Meaning.DENIED: AccessDeniedError,
    Meaning.UNUSABLE: AccessDeniedError,
}

#: After these the session stands, and the statement had no effect.
_SAID_NO = frozenset({Meaning.REFUSED, Meaning.STARTING, Meaning.CONTENDED, Meaning.DENIED})

#: What a call to asyncpg can raise.
DRIVER_ERRORS = (pg.PostgresError, pg.InterfaceError, pg.InternalClientError, OSError)

#: Names of asyncpg's error fields -> keys of `StatementError.objects`.
_FIELDS = {
    "schema_name": "schema",
    "table_name": "table",
    "column_name": "column",
    "constraint_name": "constraint",
    "data_type_name": "datatype",
}


@contextmanager
def opening(target: str, place: Address) -> Iterator[None]:
    """Translate what opening a session raises."""
    try:
        yield
    except (*DRIVER_ERRORS, ValueError) as error:
        raise _opening_error(error, target, place) from error


@contextmanager
def reading(target: str) -> Iterator[None]:
    """Translate what a query of our own raises; it changed nothing."""
    try:
        yield
    except DRIVER_ERRORS as error:
        if meaning_of(error) is Meaning.DENIED:
            raise AccessDeniedError(_said(error), target=target) from error
        raise _sending_error(error, target, None, None) from error


@contextmanager
def sending(target: str, *, ticket: str | None = None, sql: str | None = None) -> Iterator[None]:
    """Translate what a statement raises; *sql* is None where it is not known which it was."""
    try:
        yield
    except DRIVER_ERRORS as error:
        raise _sending_error(error, target, ticket, sql) from error


def find_rule(kind: type[BaseException]) -> Rule | None:
    """Return the table's row for an exception class; None where it has no place in the table."""
    return next((RULES[base] for base in kind.__mro__ if base in RULES), None)


def meaning_of(error: BaseException) -> Meaning:
    """Return what *error* means once the session is open."""
    meaning = _rule_for(error).meaning
    severity = _severity(error)
    if severity in {"FATAL", "PANIC"}:
        return Meaning.LOST
    if severity is not None and meaning is Meaning.LOST:
        return Meaning.REFUSED  # said of another server, by a foreign table or dblink
    return meaning


def _rule_for(error: BaseException) -> Rule:
    return find_rule(type(error)) or _IN_DOUBT  # a later asyncpg may know more than we do


def _opening_error(error: Exception, target: str, place: Address) -> ProviderError:
    rule = _rule_for(error)
    line = rule.advice.format(
        said=_said(error), user=place.user, server=place.server, database=place.database
    )
    return _AT_OPENING.get(rule.meaning, ConnectError)(line, target=target)


def _sending_error(
    error: Exception, target: str, ticket: str | None, sql: str | None
) -> ProviderError:
    meaning = meaning_of(error)
    if meaning not in _SAID_NO:
        return ConnectionLostError(
            f"the connection broke ({_said(error)})", target=target, ticket=ticket
        )
    kind = ContentionError if meaning is Meaning.CONTENDED else StatementError
    code = getattr(error, "sqlstate", None)
    return kind(
        f"{_said(error, sql)} (SQLSTATE {code})",
        target=target,
        ticket=ticket,
        code=code,
        sql=sql,
        objects=_objects(error),
    )


def _said(error: Exception, sql: str | None = None) -> str:
    """Return what *error* says in one line: never row data, a password or a URL."""
    if isinstance(error, pg.PostgresError) and error.args:
        names = [*_objects(error).values(), *_words(error, sql)]
        return redacted(str(error.args[0]), code=error.sqlstate, names=names)
    if isinstance(error, ssl.SSLError):  # not every one has these
        detail = getattr(error, "verify_message", None) or getattr(error, "reason", None)
        return detail or "the handshake failed"
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno).lower()
    return "no reply"


def _words(error: pg.PostgresError, sql: str | None) -> Collection[str]:
    """Return the bare words of a statement that a syntax error points into: no row data."""
    if sql is None or error.position is None or error.sqlstate != "42601":
        return ()
    return set(re.findall(r"[^\W\d]\w*", sql))


def _objects(error: BaseException) -> dict[str, str]:
    values = {key: getattr(error, field, None) for field, key in _FIELDS.items()}
    return {key: value for key, value in values.items() if value is not None}


def _severity(error: BaseException) -> str | None:
    """Return the server's word for it in English; None for what the server did not say."""
    return getattr(error, "severity_en", None) or getattr(error, "severity", None)
