"""The guard of one version table: it holds the target to what the plan expects of it."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from .errors import MovedError, RefusedError
from .words import is_setting

#: dialect name -> module of this package that has its ``Guard``
GUARDS = {"postgresql": "postgres", "databricks": "databricks"}


class VersionGuard(ABC):
    """Reads the version table by raw DBAPI, beside SQLAlchemy's bookkeeping."""

    #: Whether the driver's ``executemany`` is a statement for each row, which commits alone.
    row_by_row = False

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

    def commit(self) -> None:
        """End the transaction that `ask` may have opened."""
        with self.told("COMMIT"):
            self.connection.connection.commit()

    @contextmanager
    def told(self, sql: str) -> Iterator[None]:
        """Raise what the driver raises as SQLAlchemy does, which has no part in this.

        Otherwise a connection that was lost would pass for a mistake in a script.
        """
        dialect = self.connection.dialect
        try:
            yield
        except dialect.dbapi.Error as error:  # type: ignore[union-attr]  # it is connected
            lost = self.kind(error) == "lost"
            raise DBAPIError(sql, None, error, connection_invalidated=lost) from error

    def kind(self, error: BaseException) -> str:
        """Tell what an error means that came while something was sent.

        "statement": the database refused, no effect. "lost": nobody knows. "denied": the
        credentials are not taken any more, no effect. "script": it is not the driver's.
        """
        dialect, link = self.connection.dialect, self.connection.connection
        if not isinstance(error, dialect.dbapi.Error):  # type: ignore[union-attr]  # there is one
            return "script"
        lost = dialect.is_disconnect(error, link, None)
        return "lost" if lost else "statement"

    def has_committed(self, error: Exception) -> bool:  # noqa: ARG002 - for databases that tell
        """Tell whether *error* came behind the commit of its statement, which stands."""
        return False

    @abstractmethod
    def prepare(self, request: dict[str, Any]) -> None:
        """Set up the session: who we are, how long to wait, where to look."""

    @abstractmethod
    def lock(self, patience: float) -> None:
        """Take the migration lock on this connection, where the database has one.

        Raises:
            LockBusyError: Somebody else held it for all of *patience* seconds.
        """

    @abstractmethod
    def unlock(self) -> None:
        """Give the migration lock back."""

    @abstractmethod
    def exists(self) -> bool:
        """Tell whether there is a version table."""

    @abstractmethod
    def require(self, expected: list[str]) -> None:
        """Require the version rows to be *expected*, and keep them so where that is possible.

        Raises:
            MovedError: Somebody changed them since.
        """

    @abstractmethod
    def confirm(self, after: list[str]) -> None:
        """Read back what a step has stamped, where the database may lose it unsaid.

        Raises:
            MovedError: The version table does not hold it.
        """

    def setup(self, given: Connection | None, said: list[str]) -> list[str]:  # noqa: ARG002 - what the database itself can tell comes first
        """Return SQL that sets our new session up as env.py has set up the one it has *given*.

        *said* is what env.py has sent on connections of its own.
        """
        return [sql for sql in said if is_setting(sql)]

    def may_act(self, names: list[str]) -> bool:  # noqa: ARG002 - for databases with such functions
        """Tell whether a query that calls functions of these names may change something."""
        return False

    def place(self) -> str | None:
        """Return the schema in which the session finds its version table, or would create it."""
        return self.schema

    def session(self) -> dict[str, str]:
        """Return what a session keeps beyond a transaction, name and value, where that is told."""
        return {}

    def left(self, before: dict[str, str], sent: list[str]) -> list[str]:  # noqa: ARG002 - for those that tell
        """Return what is left in the session, by name, by a script that has *sent* this.

        *before* is what `session` told ahead of it.
        """
        return sorted({f"{sql:.40}" for sql in sent if is_setting(sql)})

    def restore(self, session: dict[str, str]) -> None:  # noqa: ARG002 - for those that tell
        """Make the session again what `session` has told."""
        return

    def heads(self) -> list[str]:
        """Return the rows of the version table, sorted, each as often as it stands there."""
        if not self.exists():
            return []
        rows = self.ask(f"SELECT version_num FROM {self.name}")  # noqa: S608 - quoted name
        return sorted(row[0] for row in rows)

    def compare(self, expected: list[str]) -> None:
        """Raise `MovedError` unless the version rows are *expected*."""
        found = self.heads()
        if found != expected:
            raise MovedError(expected, found)


def guard_for(connection: Connection, request: dict[str, Any]) -> VersionGuard:
    """Return the guard of the version table that *request* names."""
    name = connection.dialect.name
    if name not in GUARDS:
        raise RefusedError(f"levelhead cannot guard a version table on {name}")
    module = importlib.import_module(f".{GUARDS[name]}", __package__)
    guard: VersionGuard = module.Guard(
        connection, request["version_table"], request["version_table_schema"]
    )
    return guard
