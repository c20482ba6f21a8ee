"""What differs between the databases that can be a control database."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import quote

from sqlalchemy import ColumnElement, DateTime, bindparam, event, func, text
from sqlalchemy.engine import URL, Connection, Dialect
from sqlalchemy.engine.interfaces import DBAPIConnection, IsolationLevel
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from providers.errors import ConfigError
from providers.tasks import undisturbed
from sync.errors import ControlDatabaseError
from sync.store.tables import Moment

#: Seconds that anything waits for a connection, a lock or an answer.
PATIENCE = 30

#: Seconds after which a connection that rested is asked whether it lives.
_LONG = 10.0

#: Connections to Postgres of an engine at most. They are kept: to sign on costs the service more
#: than all that a run asks of its control database.
_MOST = 15

#: Where a connection of a pool notes since when it rests.
_SINCE = "levelhead.rests_since"

#: Services that start at once take turns by this key (the letters "level" as a number).
MIGRATION_KEY = 0x6C6576656C


class Backend(ABC):
    """One kind of control database, and where this one is."""

    place: str  #: how errors name it; holds no secret

    @abstractmethod
    def prepare(self) -> None:
        """Make sure that there is something to connect to."""

    @abstractmethod
    def writer(self) -> AsyncEngine:
        """Return an engine whose transactions write."""

    @abstractmethod
    def reader(self) -> AsyncEngine:
        """Return an engine whose transactions the database keeps from writing."""

    async def start(self, connection: AsyncConnection) -> None:
        """Connect, or take what is at rest in the pool."""
        await connection.start()

    @abstractmethod
    def now(self, clock: Callable[[], datetime]) -> ColumnElement[datetime]:
        """Return what a query selects for the time by the clock that every service shares.

        It is the time when the query is sent, however long before it was put together.
        """

    @abstractmethod
    async def migrate_alone(self, connection: AsyncConnection) -> None:
        """Let nobody else migrate until the transaction of *connection* ends."""


class SqliteBackend(Backend):
    """One file, for one service; readers work beside it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.place = f"control database {path}"

    def prepare(self) -> None:
        """Create the file where it is missing; only its owner may read it.

        SQLite gives the files that it puts beside it the same mode.
        """
        with suppress(FileExistsError):
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))

    def writer(self) -> AsyncEngine:
        """Return an engine with one connection: writers take turns in the order they came."""
        engine = self._engine("rw", pool_size=1)
        _on_connect(
            engine,
            "PRAGMA journal_mode = WAL",
            "PRAGMA synchronous = FULL",  # an intent is on disk before the act
            "PRAGMA foreign_keys = ON",
        )
        _on_begin(engine, "BEGIN IMMEDIATE")
        return engine

    def reader(self) -> AsyncEngine:
        """Return an engine that opens the file for reading only."""
        if not self.path.exists():
            raise ControlDatabaseError(f"{self.place} does not exist yet; run levelhead serve")
        engine = self._engine("ro", pool_size=5)
        _on_begin(engine, "BEGIN")
        return engine

    def _engine(self, mode: str, *, pool_size: int) -> AsyncEngine:
        url = URL.create(
            "sqlite+aiosqlite",
            database=f"file:{quote(str(self.path.absolute()))}",
            query={"mode": mode, "uri": "true"},
        )
        return create_async_engine(
            url,
            # The driver begins nothing by itself; `_on_begin` says how.
            connect_args={"isolation_level": None, "timeout": PATIENCE},
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=PATIENCE,
            hide_parameters=True,
        )

    async def start(self, connection: AsyncConnection) -> None:
        """Connect to the end even if nobody wants it any more.

        The driver's thread would tell an event loop that is gone, with a traceback.
        """
        await undisturbed(connection.start())

    def now(self, clock: Callable[[], datetime]) -> ColumnElement[datetime]:
        """Return the service's own clock, asked at each query: it is the only one."""
        return bindparam("now", callable_=lambda: clock().astimezone(UTC), type_=Moment())

    async def migrate_alone(self, connection: AsyncConnection) -> None:
        """Do nothing: BEGIN IMMEDIATE lets one writer in."""


class PostgresBackend(Backend):
    """A Postgres database, which several services can share."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.place = "control database"

    def prepare(self) -> None:
        """Do nothing: a person creates the database."""

    def writer(self) -> AsyncEngine:
        """Return an engine for any number of services."""
        return self._engine("READ COMMITTED", {})

    def reader(self) -> AsyncEngine:
        """Return an engine whose sessions are read-only.

        Each query has a snapshot of its own, as with READ COMMITTED, so there is nothing to
        begin and to end around it.
        """
        return self._engine("AUTOCOMMIT", {"default_transaction_read_only": "on"})

    def _engine(self, isolation: IsolationLevel, more: Mapping[str, str]) -> AsyncEngine:
        settings = {
            "application_name": "levelhead",
            "lock_timeout": f"{PATIENCE}s",
            # Shorter than lock_timeout: whoever waits outlives a session that was cut off.
            "idle_in_transaction_session_timeout": f"{PATIENCE * 2 // 3}s",
        }
        engine = create_async_engine(
            "postgresql+asyncpg://",
            # The driver reads the URL itself, so that sslmode and its like mean what libpq says.
            connect_args={
                "dsn": self._url,
                "timeout": PATIENCE // 3,
                "command_timeout": PATIENCE + PATIENCE // 3,
                "server_settings": {**settings, **more},
            },
            isolation_level=isolation,
            pool_size=_MOST,
            max_overflow=0,
            pool_use_lifo=True,  # few connections do most of the work, and know the statements
            pool_timeout=PATIENCE,
            hide_parameters=True,
        )
        _refuse_dead(engine)
        return engine

    def now(self, clock: Callable[[], datetime]) -> ColumnElement[datetime]:
        """Return the server's clock, as it is when the row is read: not the transaction's."""
        del clock
        return func.clock_timestamp(type_=DateTime(timezone=True))

    async def migrate_alone(self, connection: AsyncConnection) -> None:
        """Wait for the lock that every service takes before it migrates."""
        await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_KEY})


def _on_connect(engine: AsyncEngine, *pragmas: str) -> None:
    @event.listens_for(engine.sync_engine, "connect")
    def run(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(pragma)
        cursor.close()


def _refuse_dead(engine: AsyncEngine) -> None:
    """Have the pool replace a connection that did not survive its rest.

    The driver knows when the server closed it. Of one that rested long the server is asked: what
    lies between may have dropped it and told nobody.
    """

    @event.listens_for(engine.sync_engine, "checkin")
    def note(_connection: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
        entry.info[_SINCE] = monotonic()

    @event.listens_for(engine.sync_engine, "checkout")
    def ask(
        connection: DBAPIConnection, entry: ConnectionPoolEntry, _proxy: PoolProxiedConnection
    ) -> None:
        driver: Any = entry.driver_connection  # asyncpg's, which this package may not import
        if driver.is_closed():
            raise DisconnectionError
        if _SINCE in entry.info and monotonic() - entry.info[_SINCE] > _LONG:
            _ask(engine.dialect, connection)


def _ask(dialect: Dialect, connection: DBAPIConnection) -> None:
    try:
        dialect.do_ping(connection)
    except dialect.loaded_dbapi.Error as error:
        raise DisconnectionError from error


def _on_begin(engine: AsyncEngine, sql: str) -> None:
    @event.listens_for(engine.sync_engine, "begin")
    def run(connection: Connection) -> None:
        connection.exec_driver_sql(sql)


def backend_for(url: str) -> Backend:
    """Return the backend that *url* names.

    Raises:
        ConfigError: It is neither ``sqlite:///path`` nor ``postgresql://...``.
    """
    if path := control_file(url):
        return SqliteBackend(path)
    if url.partition(":")[0] in {"postgresql", "postgres"}:
        return PostgresBackend(url)
    raise ConfigError(
        "url under [control] is neither sqlite:///path/of/file nor postgresql://host/database"
    )


def control_file(url: str) -> Path | None:
    """Return the file of a SQLite control database; None where *url* names no SQLite file."""
    scheme, _, rest = url.partition(":///")
    path = rest.partition("?")[0]
    return Path(path) if scheme == "sqlite" and path not in {"", ":memory:"} else None
