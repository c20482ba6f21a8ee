"""Postgres as a runner meets it: the migration lock, and the guard within a transaction."""

from __future__ import annotations

import time
from typing import Any

from .errors import LockBusyError
from .guard import VersionGuard

POLL_SECONDS = 0.1
WATCH_CLIENT = """DO $$ BEGIN
PERFORM set_config('client_connection_check_interval', '1s', false);
EXCEPTION WHEN OTHERS THEN NULL; END $$"""


class Guard(VersionGuard):
    """The version table on Postgres."""

    def ask_alone(self, sql: str) -> list[Any]:
        """Run *sql* in a transaction of its own."""
        rows = self.ask(sql)
        self.commit()
        return rows

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

    def exists(self) -> bool:
        """Tell whether there is a version table."""
        return self.ask(f"SELECT to_regclass({literal(self.name)})")[0][0] is not None

    def require(self, expected: list[str]) -> None:
        """Keep the version rows from changing until COMMIT, and require them to be *expected*.

        The table is locked, not its rows: an empty table has none to lock.

        Raises:
            MovedError: Somebody changed them since.
        """
        self.ask(f"LOCK TABLE {self.name} IN SHARE ROW EXCLUSIVE MODE")
        self.compare(expected)

    def confirm(self, after: list[str]) -> None:
        """Do nothing: Alembic has counted the rows, in the transaction that changed them."""


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
