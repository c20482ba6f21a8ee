from __future__ import annotations

import inspect
import logging
import socket
import ssl
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from databricks.sql import exc
from urllib3 import exceptions as http

from providers.databricks.address import Address, AddressError
from providers.databricks.errors import (
    CONDITIONS,
    RULES,
    STATUSES,
    Meaning,
    find_rule,
    opening,
    reading,
    sending,
    waiting,
)
from providers.errors import (
    AccessDeniedError,
    ConnectError,
    ConnectionLostError,
    OvertakenError,
    ProviderError,
    StatementError,
)
from providers.workspace.login import Login

PLACE = Address(
    "dbc:443",
    "/sql/x",
    Login(origin="https://dbc:443", token="geheim"),  # noqa: S106 - made up
    catalog="main",
    schema="eu",
)
SECRET = "geheim"  # noqa: S105 - made up

#: Roots: what is raised as one of them, or hangs directly below, counts as lost.
ROOTS = {exc.Error, http.HTTPError, http.HTTPWarning}

DRIVERS: Any = exc  # the connector's own constructors have no types


def errors_of(module: object) -> list[type[BaseException]]:
    """Return all exception classes of *module* that a call can raise."""
    classes = [kind for _, kind in inspect.getmembers(module, inspect.isclass)]
    errors = [kind for kind in classes if issubclass(kind, BaseException)]
    return [kind for kind in errors if kind not in ROOTS and not issubclass(kind, http.HTTPWarning)]


def with_subclasses(kind: type[BaseException]) -> list[type[BaseException]]:
    """Return *kind* and all that derives from it."""
    return [kind, *(found for sub in kind.__subclasses__() for found in with_subclasses(sub))]


def answered(status: int, said: str = "") -> exc.RequestError:
    """Return what the connector makes of an HTTP status."""
    context = {"http-code": status, "error-message": f": {said}"}
    error: exc.RequestError = DRIVERS.RequestError("Error", context, None, EOFError())
    return error


def refused(text: str) -> exc.ServerOperationError:
    """Return what the connector makes of a statement that failed."""
    error: exc.ServerOperationError = DRIVERS.ServerOperationError(text, {})
    return error


def gone(reason: Exception) -> http.MaxRetryError:
    """Return what urllib3 makes of a broken connection."""
    return http.MaxRetryError(None, "/", reason)  # type: ignore[arg-type]  # no pool is looked at


def raised(error: Exception, context: Callable[[], AbstractContextManager[None]]) -> ProviderError:
    """Return what becomes of *error* in *context*."""
    with pytest.raises(ProviderError) as caught, context():
        raise error
    assert caught.value.__cause__ is error
    assert str(caught.value).startswith("orders: ")
    assert "\n" not in str(caught.value)
    assert SECRET not in str(caught.value)
    return caught.value


CONTEXTS: dict[str, Callable[[], AbstractContextManager[None]]] = {
    "opening": lambda: opening("orders", PLACE),
    "reading": lambda: reading("orders"),
    "sending": lambda: sending("orders", ticket="t1", sql="DROP TABLE a"),
    "waiting": lambda: waiting("orders", ticket="t1", sql="DROP TABLE a"),
}


@pytest.mark.parametrize(
    "kind", [*errors_of(exc), *errors_of(http)], ids=lambda kind: kind.__qualname__
)
def test_every_driver_error_has_a_meaning(kind: type[BaseException]) -> None:
    """No class of the connector's and of urllib3's is without a row: a new one shows here."""
    assert find_rule(kind) is not None


@pytest.mark.parametrize(
    "kind", [*with_subclasses(OSError), UnicodeError], ids=lambda kind: kind.__qualname__
)
def test_every_network_error_has_a_meaning(kind: type[BaseException]) -> None:
    """Nothing that connecting can raise is without a row: network, resolver, TLS, a bad URL."""
    assert find_rule(kind) is not None


def test_the_walk_sees_an_unmapped_class() -> None:
    """A class directly below the connector's root would fail the walk; it counts as lost."""
    unmapped = type("Unmapped", (exc.Error,), {})
    assert find_rule(unmapped) is None
    assert isinstance(raised(unmapped("no"), CONTEXTS["sending"]), ConnectionLostError)


REFUSAL, FORBIDDEN, BROKEN = (
    refused("[FIELD_ALREADY_EXISTS] no. SQLSTATE: 42710"),
    refused("[INSUFFICIENT_PERMISSIONS] no. SQLSTATE: 42501"),
    gone(http.ProtocolError("broken")),
)
UNSENT = gone(http.NewConnectionError(None, "no"))  # type: ignore[arg-type]  # no connection is looked at
NO_HOST = http.NameResolutionError("h", None, socket.gaierror())  # type: ignore[arg-type]  # as above
NO_SESSION = DRIVERS.DatabaseError("Invalid SessionHandle: SessionHandle [1-2-3]")
UNUSABLE = DRIVERS.InvalidServerResponseError("no catalogs")


@pytest.mark.parametrize(
    ("error", "opened", "read", "sent", "waited"),
    [
        (REFUSAL, ConnectError, StatementError, StatementError, StatementError),
        (FORBIDDEN, AccessDeniedError, AccessDeniedError, StatementError, StatementError),
        (
            answered(403),
            AccessDeniedError,
            AccessDeniedError,
            AccessDeniedError,
            ConnectionLostError,
        ),
        (
            UNUSABLE,
            AccessDeniedError,
            ConnectionLostError,
            ConnectionLostError,
            ConnectionLostError,
        ),
        (UNSENT, ConnectError, ConnectionLostError, ConnectError, ConnectionLostError),
        (NO_SESSION, ConnectError, ConnectionLostError, ConnectError, ConnectionLostError),
        (answered(429), ConnectError, ConnectionLostError, ConnectError, ConnectionLostError),
        (
            answered(503),
            ConnectError,
            ConnectionLostError,
            ConnectionLostError,
            ConnectionLostError,
        ),
        (BROKEN, ConnectError, ConnectionLostError, ConnectionLostError, ConnectionLostError),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else str(value)[:20],
)
def test_what_a_meaning_becomes(
    error: Exception, opened: type, read: type, sent: type, waited: type
) -> None:
    """What an error becomes depends on what the session was doing."""
    found = [type(raised(error, context)) for context in CONTEXTS.values()]
    assert found == [opened, read, sent, waited]


@pytest.mark.parametrize("status", [0, 200, 400, 500, 502, 503, 504])
def test_doubt(status: int) -> None:
    """An answer that does not rule out that the statement was taken leaves it in doubt."""
    error = raised(answered(status), CONTEXTS["sending"])
    assert isinstance(error, ConnectionLostError)
    assert error.ticket == "t1"


def test_status_of_the_request_before() -> None:
    """Where the network failed, the status is that of an earlier answer and proves nothing."""
    stale = DRIVERS.RequestError("no", {"http-code": 403}, None, ConnectionResetError())
    assert isinstance(raised(stale, CONTEXTS["sending"]), ConnectionLostError)
    polled = DRIVERS.RequestError("no", {"http-code": 403}, None, None)
    assert isinstance(raised(polled, CONTEXTS["sending"]), ConnectionLostError)


@pytest.mark.parametrize(
    ("error", "expected", "words"),
    [
        (answered(401, "Invalid token."), AccessDeniedError, r"wrong token for dbc:443 \(Invalid"),
        (answered(404), ConnectError, "no warehouse at /sql/x of dbc:443; check http_path"),
        (answered(400), AccessDeniedError, "its URL cannot be used"),
        (
            refused("[NO_SUCH_CATALOG_EXCEPTION] no. SQLSTATE: 42704"),
            ConnectError,
            'no catalog "main" on dbc:443; create it',
        ),
        (
            refused("[SCHEMA_NOT_FOUND] no. SQLSTATE: 42704"),
            ConnectError,
            'no schema "eu" on dbc:443; create it',
        ),
        (FORBIDDEN, AccessDeniedError, "grant the privilege"),
        (gone(NO_HOST), ConnectError, "find the host"),
        (gone(http.ConnectTimeoutError()), ConnectError, "raise connect_timeout"),
        (gone(http.SSLError(ssl.SSLError("x"))), ConnectError, "check _tls_trusted_ca_file"),
        (ConnectionRefusedError(111, "x"), ConnectError, "broke the connection off"),
        (OSError(101, "x"), ConnectError, r"cannot reach dbc:443 \(network is unreachable\)"),
        (FileNotFoundError(2, "x"), AccessDeniedError, "file that its URL names does not exist"),
        (
            AddressError("it lacks http_path"),
            AccessDeniedError,
            "cannot be used: it lacks http_path",
        ),
        (ValueError(SECRET), AccessDeniedError, "its URL cannot be used"),
        (ImportError(SECRET), AccessDeniedError, "takes no Thrift sessions"),
    ],
    ids=str,
)
def test_opening_says_what_to_do(
    error: Exception, expected: type[ProviderError], words: str
) -> None:
    """An error at opening is of the class that says whether to try again, with advice."""
    with pytest.raises(expected, match=words):
        raise raised(error, CONTEXTS["opening"])


def test_statement_error() -> None:
    """A refused statement keeps condition, SQLSTATE, ticket, SQL and names."""
    text = "[FIELD_ALREADY_EXISTS] Cannot add column `age` to `t`. SQLSTATE: 42710; line 1 pos 2"
    error = raised(refused(text), CONTEXTS["waiting"])
    assert isinstance(error, StatementError)
    assert (error.code, error.ticket, error.sql) == ("42710", "t1", "DROP TABLE a")
    assert "[FIELD_ALREADY_EXISTS] Cannot add column `age` to `t`" in str(error)
    assert str(error).endswith("(SQLSTATE 42710)")


@pytest.mark.parametrize(
    "text",
    [
        "geheim",
        "[DELTA_VIOLATE_CONSTRAINT_WITH_VALUES] violated by values: a : geheim SQLSTATE: 23001",
        "[CAST_INVALID_INPUT] The value 'geheim' cannot be cast. SQLSTATE: 22018",
        "[DELTA_NEW_CONDITION] geheim",
        "[PARSE_SYNTAX_ERROR] Syntax error at or near 'geheim'. SQLSTATE: 42601",
        '[DATATYPE_MISMATCH] Cannot resolve "(a = geheim)". SQLSTATE: 42K09',
        "[PARSE_SYNTAX_ERROR] no.\n== SQL ==\nSELECT geheim SQLSTATE: 42601",
    ],
)
def test_no_data_in_messages(text: str) -> None:
    """Values of rows and of the statement stay out; the condition stays in."""
    error = raised(refused(text), CONTEXTS["waiting"])
    assert str(error).startswith(
        f"orders: {text.partition(']')[0]}" if "[" in text else "orders: [no"
    )


def test_others_pass() -> None:
    """What is no driver's error goes through as it is."""
    with pytest.raises(ZeroDivisionError), sending("orders"):
        raise ZeroDivisionError


def test_meanings_are_all_used() -> None:
    """The tables use every meaning, so that none is left over."""
    rules = [*RULES.values(), *STATUSES.values(), *CONDITIONS.values()]
    assert {rule.meaning for rule in rules} == set(Meaning)


@pytest.mark.parametrize("name", ["databricks.sql", "databricks.sql.thrift_backend", "thrift"])
def test_what_is_under_it_keeps_quiet(name: str) -> None:
    """The connector's own talk is not what a failed test shows."""
    assert not logging.getLogger(name).isEnabledFor(logging.INFO)


@pytest.mark.parametrize(
    ("condition", "what"),
    [
        ("DELTA_METADATA_CHANGED", "changed the table's schema or properties meanwhile"),
        ("DELTA_PROTOCOL_CHANGED", "raised the table's protocol meanwhile"),
        ("DELTA_CONCURRENT_APPEND.METADATA_CHANGE", "changed the table's schema or properties"),
        ("DELTA_CONCURRENT_APPEND.PROTOCOL_CHANGE", "raised the table's protocol meanwhile"),
        ("DELTA_CONCURRENT_APPEND.WITHOUT_HINT", "wrote to the table meanwhile"),
        ("DELTA_CONCURRENT_DELETE_READ.WITHOUT_HINT", "wrote to the table meanwhile"),
        ("DELTA_CONCURRENT_DELETE_DELETE.WITHOUT_HINT", "wrote to the table meanwhile"),
        ("DELTA_CONCURRENT_TRANSACTION.CONFLICTING_COMMIT", "wrote to the table meanwhile"),
        ("DELTA_CONCURRENT_WRITE.CONFLICTING_COMMIT", "wrote to the table meanwhile"),
    ],
)
def test_a_commit_that_came_first_is_named(condition: str, what: str) -> None:
    """SQLSTATE 2D521 says that nothing happened; its condition says what the other one did."""
    error = raised(refused(f"[{condition}] Try again. SQLSTATE: 2D521"), CONTEXTS["waiting"])
    assert isinstance(error, OvertakenError)
    assert str(error).startswith(f"orders: somebody else {what}")
    assert f"[{condition}]" in str(error)
    assert str(error).endswith("(SQLSTATE 2D521); try again")
    assert (error.code, error.sql) == ("2D521", "DROP TABLE a")
