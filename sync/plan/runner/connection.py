"""The runner's own connection to the target, made with a driver of the history's environment."""

from __future__ import annotations

import importlib.util
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.engine.url import URL, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from .errors import LockBusyError, MovedError, RefusedError, UnreachableError

#: Drivers for Postgres, best first: psycopg serves synchronous and asynchronous env.py alike.
DRIVERS = ("psycopg", "psycopg2", "asyncpg")
ASYNC_ENV = re.compile(r"\b(async_engine_from_config|create_async_engine|AsyncEngine)\b")
POLL_SECONDS = 0.1
WATCH_CLIENT = """DO $$ BEGIN
PERFORM set_config('client_connection_check_interval', '1s', false);
EXCEPTION WHEN OTHERS THEN NULL; END $$"""


def with_driver(url: str, wanted: str | None, env_py: Path) -> str:
    """Return *url* naming a driver that is installed here and that env.py can use.

    A driver in the URL stands. Else the history's setting, else the first that fits.
    """
    parsed = make_url(url)
    if "+" in parsed.drivername or parsed.get_backend_name() != "postgresql":
        return url
    driver = wanted or installed(suited(env_py))
    return rendered(parsed.set(drivername=f"postgresql+{driver}"))


def rendered(url: URL) -> str:
    """Return *url* as text, password included: it goes to env.py and the driver only."""
    return url.render_as_string(hide_password=False)


def suited(env_py: Path) -> tuple[str, ...]:
    """Return the drivers that env.py can use, best first: asynchronous ones where it is."""
    if ASYNC_ENV.search(env_py.read_text(encoding="utf-8")):
        return ("psycopg", "asyncpg")
    return DRIVERS


def installed(drivers: tuple[str, ...]) -> str:
    """Return the first of *drivers* that can be imported here."""
    for driver in drivers:
        if importlib.util.find_spec(driver):
            return driver
    raise RefusedError(
        "the history's environment has no Postgres driver that its env.py can use; "
        f"install one of {', '.join(drivers)}"
    )


def engine_like(given: Connection | None, url: str) -> Engine:
    """Return an engine for the target, with the driver that env.py itself connected with."""
    parsed = make_url(url)
    if given is not None and given.dialect.name == parsed.get_backend_name():
        parsed = parsed.set(drivername=f"{given.dialect.name}+{given.dialect.driver}")
    return create_engine(parsed, poolclass=NullPool)


def connect(engine: Engine) -> Connection:
    """Open the connection on which everything happens."""
    try:
        return engine.connect()
    except DBAPIError as error:
        origin = error.orig.__cause__ or error.orig if error.orig else error
        raise UnreachableError(f"{type(origin).__name__} while the runner connected") from error


class Guard:
    """Lock and guard of one version table, by raw DBAPI beside SQLAlchemy's bookkeeping."""

    def __init__(self, connection: Connection, table: str, schema: str | None) -> None:
        self.connection = connection
        self.table = table
        self.schema = schema
        quote = connection.dialect.identifier_preparer.quote
        self.name = f"{quote(schema)}.{quote(table)}" if schema else quote(table)

    def ask(self, sql: str) -> list[Any]:
        """Run *sql* in whatever transaction is open and return its rows; none for a command."""
        with self.told(sql):
            cursor = self.connection.connection.cursor()
            try:
                cursor.execute(sql)
                return list(cursor.fetchall()) if cursor.description else []
            finally:
                cursor.close()

    def ask_alone(self, sql: str) -> list[Any]:
        """Run *sql* in a transaction of its own."""
        rows = self.ask(sql)
        self.commit()
        return rows

    def commit(self) -> None:
        """End the transaction that `ask` may have opened."""
        with self.told("COMMIT"):
            self.connection.connection.commit()

    @contextmanager
    def told(self, sql: str) -> Iterator[None]:
        """Raise what the driver raises as SQLAlchemy does, which has no part in this.

        Otherwise a connection that was lost would pass for a mistake in a script.
        """
        dialect, link = self.connection.dialect, self.connection.connection
        try:
            yield
        except dialect.dbapi.Error as error:  # type: ignore[union-attr]  # it is connected
            lost = dialect.is_disconnect(error, link, None)
            raise DBAPIError(sql, None, error, connection_invalidated=lost) from error

    def prepare(self, request: dict[str, Any]) -> None:
        """Set up the session: who we are, how long to wait, where to look.

        The server is asked to notice within a second that the runner is gone, in the
        middle of a statement too, where it can (PostgreSQL 14 on Linux).
        """
        for name, value in settings(request):
            self.ask_alone(f"SELECT set_config('{name}', {literal(value)}, false)")
        self.ask_alone(WATCH_CLIENT)

    def lock(self, patience: float) -> None:
        """Take the migration lock on this connection, by polling outside any transaction.

        Raises:
            LockBusyError: Somebody else held it for all of *patience* seconds.
        """
        deadline = time.monotonic() + patience
        while not self.ask_alone(f"SELECT pg_try_advisory_lock({self.key()})")[0][0]:
            if time.monotonic() >= deadline:
                raise LockBusyError(
                    f"migration lock is held by another session; waited {patience:g} s"
                )
            time.sleep(POLL_SECONDS)

    def unlock(self) -> None:
        """Give the migration lock back."""
        self.ask_alone(f"SELECT pg_advisory_unlock({self.key()})")

    def key(self) -> str:
        """Return the SQL of the lock's key; docs/reference/migration-lock.md derives it."""
        schema = literal(self.schema) if self.schema else "current_schema()"
        parts = f"'levelhead', current_database(), {schema}, {literal(self.table)}"
        return f"hashtextextended(concat_ws(':', {parts}), 0)"

    def heads(self) -> list[str]:
        """Return the rows of the version table, sorted; none where it is missing."""
        if self.ask(f"SELECT to_regclass({literal(self.name)})")[0][0] is None:
            return []
        rows = self.ask(f"SELECT version_num FROM {self.name}")  # noqa: S608 - quoted name
        return sorted(row[0] for row in rows)

    def require(self, expected: list[str]) -> None:
        """Keep the version rows from changing until COMMIT, and require them to be *expected*.

        The table is locked, not its rows: an empty table has none to lock.

        Raises:
            MovedError: Somebody changed them since.
        """
        self.ask(f"LOCK TABLE {self.name} IN SHARE ROW EXCLUSIVE MODE")
        self.compare(expected)

    def compare(self, expected: list[str]) -> None:
        """Raise `MovedError` unless the version rows are *expected*."""
        found = self.heads()
        if found != expected:
            raise MovedError(expected, found)


def settings(request: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the session settings that a request asks for, as name and value."""
    found = [
        ("application_name", "levelhead"),
        ("tcp_keepalives_idle", "30"),
        ("lock_timeout", f"{request['lock_timeout_ms']}ms"),
        ("statement_timeout", f"{request['statement_timeout_ms']}ms"),
    ]
    if request["schema"]:
        found.append(("search_path", '"' + request["schema"].replace('"', '""') + '"'))
    return found


def literal(value: str) -> str:
    """Return *value* as an SQL string literal."""
    return "'" + value.replace("'", "''") + "'"
