"""One control database: its transactions and its clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime

from sqlalchemy import ColumnElement
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sync.store.backends import Backend, backend_for
from sync.store.migrate import migrate, require_latest
from sync.store.translate import CommitInDoubtError, translated, translated_connect


class Store:
    """One control database: every transaction on it, and the time by its clock.

    Whatever a transaction runs into is raised as `ControlDatabaseError`. Do nothing but
    talk to the control database inside `writing` and `reading`.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        writer: AsyncEngine,
        reader: AsyncEngine,
        clock: Callable[[], datetime],
    ) -> None:
        self._backend = backend
        self._writer = writer
        self._reader = reader
        self._clock = clock

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, *, clock: Callable[[], datetime]) -> AsyncIterator[Store]:
        """Open the control database at *url* for the block, and bring it to date.

        A SQLite file is created where it is missing, with mode 0600.

        Raises:
            ConfigError: *url* names no SQLite file and no Postgres database.
            ControlDatabaseError: It cannot be reached, read or written, or a newer
                levelhead made it.
        """
        backend = backend_for(url)
        with translated(backend.place):
            backend.prepare()
        async with _disposed(backend.writer()) as writer, _disposed(backend.reader()) as reader:
            store = cls(backend, writer=writer, reader=reader, clock=clock)
            await migrate(store.writing, backend, clock=clock)
            yield store

    @classmethod
    @asynccontextmanager
    async def open_reading(cls, url: str) -> AsyncIterator[Store]:
        """Open the control database at *url* for reading, beside a running service.

        The database itself refuses whatever would write.

        Raises:
            ConfigError: *url* names no SQLite file and no Postgres database.
            ControlDatabaseError: It is missing, of another version than this code
                reads, or out of reach.
        """
        backend = backend_for(url)
        async with _disposed(backend.reader()) as reader:
            store = cls(backend, writer=reader, reader=reader, clock=lambda: datetime.now(UTC))
            async with store.reading() as connection:
                await require_latest(connection, backend)
            yield store

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """Hold one transaction that may write; commit after the block unless it raises.

        On SQLite it is the only one: do not nest it. Where a transaction takes several
        rows, the order is: target, lease, run, and at last the head of the audit log; of
        several targets, one after the other by name.

        Raises:
            CommitInDoubtError: Nobody knows whether COMMIT took effect.
            ControlDatabaseError: The database refused; nothing was changed.
        """
        async with self._transaction(self._writer) as connection:
            with translated(self._backend.place):
                yield connection
            with translated(self._backend.place, CommitInDoubtError):
                await connection.commit()

    def reading(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Hold one transaction that only reads.

        Raises:
            ControlDatabaseError: The database refused, or cannot be reached.
        """
        return self._reading()

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AsyncConnection]:
        async with self._transaction(self._reader) as connection:
            with translated(self._backend.place):
                yield connection

    @asynccontextmanager
    async def _transaction(self, engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
        """Begin a transaction; closing the connection rolls back what was not committed."""
        connection = engine.connect()
        try:
            with translated_connect(self._backend.place):
                await self._backend.start(connection)
            with translated(self._backend.place):
                await connection.begin()
            yield connection
        finally:
            # A connection whose return is cut short is lost to the pool, with a traceback.
            if connection.sync_connection is not None:
                await asyncio.shield(connection.close())

    def now(self) -> ColumnElement[datetime]:
        """Return what a query selects for the time by the control database's clock, when sent."""
        return self._backend.now(self._clock)


@asynccontextmanager
async def _disposed(engine: AsyncEngine) -> AsyncIterator[AsyncEngine]:
    """Close every connection of *engine* after the block."""
    try:
        yield engine
    finally:
        await engine.dispose()
