from __future__ import annotations

import inspect
import socket
import ssl
from contextlib import suppress

import asyncpg
import pytest
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
from providers.postgres.errors import RULES, Meaning, find_rule, opening, reading, sending

PLACE = Address(user="app", server="db:5432", database="orders")

#: Bases that asyncpg never raises: each error that it does raise needs a more telling row.
NEVER_RAISED = {pg.PostgresError, pg.FatalPostgresError}


def every_asyncpg_error() -> list[type[BaseException]]:
    """Return all exception classes of asyncpg's but its bare roots."""
    classes = [kind for _, kind in inspect.getmembers(pg, inspect.isclass)]
    return [
        kind for kind in classes if issubclass(kind, BaseException) and kind not in NEVER_RAISED
    ]


def with_subclasses(kind: type[BaseException]) -> list[type[BaseException]]:
    """Return *kind* and all that derives from it."""
    return [kind, *(found for sub in kind.__subclasses__() for found in with_subclasses(sub))]


def server_error(
    code: str, message: str = "no", *, severity: str = "ERROR", **fields: str
) -> pg.PostgresError:
    """Return the exception that asyncpg makes of a server's answer."""
    return pg.PostgresError.new({"C": code, "M": message, "V": severity, "S": severity, **fields})


def sent(error: Exception, sql: str | None = None) -> ProviderError:
    """Return what becomes of *error* when it is raised by a statement."""
    with pytest.raises(ProviderError) as caught, sending("orders", ticket="t1", sql=sql):
        raise error
    assert caught.value.__cause__ is error
    return caught.value


def opened(error: Exception) -> ProviderError:
    """Return what becomes of *error* when it is raised at opening."""
    with pytest.raises(ProviderError) as caught, opening("orders", PLACE):
        raise error
    assert caught.value.__cause__ is error
    return caught.value


@pytest.mark.parametrize("kind", every_asyncpg_error(), ids=lambda kind: kind.__name__)
def test_every_asyncpg_error_has_a_meaning(kind: type[BaseException]) -> None:
    """No class of asyncpg's is without a row, so a new one shows here and not in the field."""
    assert find_rule(kind) is not None


@pytest.mark.parametrize(
    "kind", [*with_subclasses(OSError), UnicodeError], ids=lambda kind: kind.__name__
)
def test_every_network_error_has_a_meaning(kind: type[BaseException]) -> None:
    """Nothing that connecting can raise is without a row: network, resolver, TLS, a bad URL."""
    assert find_rule(kind) is not None


def test_the_walk_sees_an_unmapped_class() -> None:
    """A class that hangs directly below asyncpg's root would fail the walk."""
    unmapped = type("Unmapped", (pg.PostgresError,), {})
    assert find_rule(unmapped) is None
    assert isinstance(sent(unmapped("no")), ConnectionLostError)


def test_every_row_gives_one_line() -> None:
    """Each row's advice can be said: target first, one line."""
    for kind in RULES:
        with suppress(TypeError):  # a few classes cannot be made without their own arguments
            error = kind("said\nmore")
            assert isinstance(error, Exception)
            if issubclass(kind, (Warning, pg.InterfaceWarning)):
                continue
            line = str(opened(error))
            assert line.startswith("orders: ")
            assert "\n" not in line
            assert "{" not in line


@pytest.mark.parametrize(
    ("error", "expected", "words"),
    [
        (server_error("28P01"), AccessDeniedError, 'wrong password for user "app"'),
        (server_error("28000", "no pg_hba.conf entry"), AccessDeniedError, "pg_hba.conf entry"),
        (server_error("42501", "permission denied"), AccessDeniedError, "grant the privilege"),
        (server_error("3D000"), ConnectError, 'no database "orders" on db:5432; create it'),
        (server_error("53300", "too many clients"), ConnectError, "no connection left"),
        (server_error("57P03", "starting up"), StartingError, "try again shortly"),
        (ConnectionRefusedError(111, "x"), ConnectError, "cannot reach db:5432 \\(connection"),
        (socket.gaierror(-2, "x"), ConnectError, "cannot find the host of db:5432"),
        (TimeoutError(), ConnectError, "raise connect_timeout"),
        (ConnectionResetError(104, "x"), ConnectError, "broke the connection off"),
        (ssl.SSLError("x"), ConnectError, "check sslmode"),
        (FileNotFoundError(2, "x"), ConnectError, "file that its URL names"),
        (pg.ClientConfigurationError("x"), AccessDeniedError, "its URL cannot be used"),
        (ValueError("x"), AccessDeniedError, "percent-encoded"),
        (UnicodeError("x"), AccessDeniedError, "its URL cannot be used"),
    ],
)
def test_opening_says_what_to_do(
    error: Exception, expected: type[ProviderError], words: str
) -> None:
    """An error at opening is of the class that says whether to try again, with advice."""
    with pytest.raises(expected, match=words), opening("orders", PLACE):
        raise error


def test_statement_error() -> None:
    """A refused statement keeps SQLSTATE, ticket, SQL and names; detail and values go."""
    error = sent(
        server_error(
            "23505",
            'duplicate key value violates unique constraint "users_email_key"',
            D="Key (email)=(a@b.c) already exists.",
            H="a hint with a@b.c",
            s="public",
            t="users",
            n="users_email_key",
        ),
        sql="INSERT 1",
    )
    assert isinstance(error, StatementError)
    assert (error.code, error.ticket, error.sql) == ("23505", "t1", "INSERT 1")
    assert error.objects == {
        "schema": "public",
        "table": "users",
        "constraint": "users_email_key",
    }
    assert "users_email_key" in str(error)
    assert "a@b.c" not in str(error)


def test_syntax_error_names_the_token() -> None:
    """A syntax error keeps a bare word of the statement itself, and no literal of it."""
    word = server_error("42601", 'syntax error at or near "TABEL"', P="8")
    assert '"TABEL"' in str(sent(word, sql="CREATE TABEL x"))
    value = server_error("42601", "syntax error at or near \"'geheim'\"", P="8")
    assert "geheim" not in str(sent(value, sql="SELECT 'x' 'geheim'"))
    nested = server_error("42601", 'syntax error at or near "geheim"')
    assert "geheim" not in str(sent(nested, sql="SELECT run('geheim')"))


@pytest.mark.parametrize(
    "error",
    [
        server_error("57P01", severity="FATAL"),
        server_error("25P03", severity="FATAL"),
        server_error("XX000", severity="PANIC"),
        server_error("40003"),
        server_error("08007"),
        asyncpg.ConnectionDoesNotExistError("connection was closed"),
        asyncpg.InterfaceError("connection is closed"),
        asyncpg.InternalClientError("got result for unknown protocol state"),
        ConnectionResetError(104, "x"),
        TimeoutError(),
    ],
    ids=repr,
)
def test_lost(error: Exception) -> None:
    """Whatever ends the session, or leaves the outcome open, is ConnectionLostError."""
    lost = sent(error)
    assert isinstance(lost, ConnectionLostError)
    assert lost.ticket == "t1"


@pytest.mark.parametrize("code", ["08001", "08006", "57014", "55P03", "40001", "40P01", "42501"])
def test_refused(code: str) -> None:
    """An ERROR of the server's leaves the session standing, even one about another connection."""
    error = sent(server_error(code))
    assert isinstance(error, StatementError)
    assert error.code == code


@pytest.mark.parametrize("code", ["55P03", "40001", "40P01"])
def test_contention(code: str) -> None:
    """A lock not free in time, a lost order and a deadlock are ContentionError: try again."""
    assert isinstance(sent(server_error(code)), ContentionError)
    assert not isinstance(sent(server_error("57014")), ContentionError)


def test_reading_denied() -> None:
    """A missing privilege is AccessDeniedError where we only read."""
    with pytest.raises(AccessDeniedError), reading("orders"):
        raise server_error("42501", "permission denied for table alembic_version")


def test_others_pass() -> None:
    """What is no driver's error goes through as it is."""
    with pytest.raises(ZeroDivisionError), sending("orders"):
        raise ZeroDivisionError


def test_meanings_are_all_used() -> None:
    """The table uses every meaning, so that none is left over."""
    assert {rule.meaning for rule in RULES.values()} == set(Meaning)
