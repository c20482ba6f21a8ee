"""Postgres as a runner meets it: the migration lock, and the guard within a transaction."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from .connection import is_ours
from .errors import LockBusyError
from .guard import VersionGuard
from .words import is_setting, makes_own_setting

POLL_SECONDS = 0.1
WATCH_CLIENT = """DO $$ BEGIN
PERFORM set_config('client_connection_check_interval', '1s', false);
EXCEPTION WHEN OTHERS THEN NULL; END $$"""

#: Settings of a session, and who acts in it.
SETTINGS = """SELECT name, setting FROM pg_catalog.pg_settings
WHERE source IN ('client', 'session') AND name NOT IN ({passed_over})
UNION ALL SELECT 'role', current_user::text"""

#: What no statement's outcome depends on, what ends with the transaction, and the limits, which
#: the settings of the target say.
PASSED_OVER = (
    "application_name",
    "client_connection_check_interval",
    "client_encoding",
    "client_min_messages",
    "idle_in_transaction_session_timeout",
    "jit",
    "lock_timeout",
    "statement_timeout",
    "tcp_keepalives_count",
    "tcp_keepalives_idle",
    "tcp_keepalives_interval",
    "transaction_deferrable",
    "transaction_isolation",
    "transaction_read_only",
)

#: What else a session keeps beyond a transaction.
KEPT = """
UNION ALL SELECT 'temporary ' || relname, oid::text FROM pg_catalog.pg_class
WHERE relnamespace = pg_catalog.pg_my_temp_schema() AND relkind <> 'i'
UNION ALL SELECT 'temporary function ' || proname, oid::text FROM pg_catalog.pg_proc
WHERE pronamespace = pg_catalog.pg_my_temp_schema()
UNION ALL SELECT 'prepared statement ' || name, '' FROM pg_catalog.pg_prepared_statements
WHERE from_sql
UNION ALL SELECT 'cursor ' || name, '' FROM pg_catalog.pg_cursors WHERE is_holdable
UNION ALL SELECT 'channel ' || found, '' FROM pg_catalog.pg_listening_channels() found
UNION ALL SELECT 'advisory lock', pg_catalog.count(*)::text FROM pg_catalog.pg_locks
WHERE locktype = 'advisory' AND pid = pg_catalog.pg_backend_pid() HAVING pg_catalog.count(*) > 0"""

#: Ends all of it; DISCARD ALL would end what the driver has prepared for itself too.
FORGET = ("RESET SESSION AUTHORIZATION", "RESET ALL", "DISCARD TEMP", "CLOSE ALL", "UNLISTEN *")

#: Functions that may change something, by name; the server's own that are but never the same
#: do not.
ACTING = """SELECT 1 FROM pg_catalog.pg_proc WHERE provolatile = 'v' AND proname IN ({names})
AND NOT (pronamespace = 'pg_catalog'::regnamespace AND proname IN (
    'clock_timestamp', 'currval', 'gen_random_uuid', 'lastval', 'pg_sleep', 'random', 'timeofday'
)) LIMIT 1"""


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

    def setup(self, given: Connection | None, said: list[str]) -> list[str]:
        """Return SQL that sets our new session up as env.py has set up its own.

        The server is asked how they differ: env.py may have used options of its driver, or an
        event. It does not tell of settings that only scripts know of; those have been heard.
        """
        if given is None or is_ours(given) or given.dialect.name != self.connection.dialect.name:
            return [sql for sql in said if is_setting(sql)]
        theirs, ours = (
            dict(self.rows_on(given, settings_sql())),
            dict(self.ask_alone(settings_sql())),
        )
        differ = {name: value for name, value in theirs.items() if ours.get(name) != value}
        return [
            *map(setting_sql, differ.items()),
            *filter(makes_own_setting, filter(is_setting, said)),
        ]

    def rows_on(self, given: Connection, sql: str) -> list[Any]:
        """Return the rows of *sql* on a connection of env.py's, which is left as it was."""
        link = given.connection
        cursor = link.cursor()
        cursor.execute(sql)
        rows = list(cursor.fetchall())
        cursor.close()
        if not given.in_transaction():
            link.rollback()
        return rows

    def may_act(self, names: list[str]) -> bool:
        """Tell whether a query that calls functions of these names may change something.

        The server knows which may: they are volatile. Where it cannot be asked, any may.
        """
        if not names:
            return False
        folded = sorted({*names, *(name.lower() for name in names)})
        try:
            return bool(self.ask(ACTING.format(names=", ".join(map(literal, folded)))))
        except DBAPIError:
            return True

    def place(self) -> str | None:
        """Return the schema in which the session finds its version table, or would create it."""
        found = f"SELECT relnamespace FROM pg_class WHERE oid = to_regclass({literal(self.name)})"  # noqa: S608 - quoted name
        named = f"SELECT nspname FROM pg_namespace WHERE oid = ({found})"  # noqa: S608 - as above
        rows = self.ask_alone(f"SELECT coalesce(({named}), current_schema())::text")
        return self.schema or str(rows[0][0])

    def session(self) -> dict[str, str]:
        """Return what a script may leave in the session for later ones: name and value."""
        return dict(self.ask_alone(settings_sql() + KEPT))

    def left(self, before: dict[str, str], sent: list[str]) -> list[str]:
        """Return what is left in the session, by name, by a script that has *sent* this."""
        differ = dict(self.session().items() ^ before.items())
        own = ["a setting of its own"] if any(map(makes_own_setting, sent)) else []
        return sorted([*differ, *own])

    def restore(self, session: dict[str, str]) -> None:
        """Make the session again what `session` has told; only settings can be made anew."""
        for sql in (*FORGET, "SELECT pg_advisory_unlock_all()"):
            self.ask_alone(sql)
        for name, value in session.items():
            if " " not in name:
                self.ask_alone(setting_sql((name, value)))

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


def settings_sql() -> str:
    """Return SQL that tells the settings of a session."""
    return SETTINGS.format(passed_over=", ".join(map(literal, PASSED_OVER)))


def setting_sql(setting: tuple[str, str]) -> str:
    """Return SQL that makes a setting for the session."""
    name, value = setting
    return f"SELECT pg_catalog.set_config({literal(name)}, {literal(value)}, false)"


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
