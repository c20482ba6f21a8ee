"""Reads the heads of all targets in one database, on a connection that does nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from asyncpg import Connection

from providers.errors import AccessDeniedError, ConnectionLostError, StatementError
from providers.postgres.connecting import close, connect_to_read
from providers.postgres.errors import reading
from providers.postgres.heads import AT_ONCE, read_heads, read_known, read_many
from providers.postgres.pooler import backend
from providers.postgres.sql import version_table
from providers.types import Heads, Survey, Target

#: Seconds. What was changed about a role or a database counts for new connections only.
_LIFE = 600.0

_FIRST = "SELECT pg_backend_pid() AS backend, to_regclass($1) IS NOT NULL AS is_there"


class Reader:
    """One connection, and the version tables that it has seen."""

    def __init__(self, connection: Connection, seen: set[str]) -> None:
        self._connection = connection
        self._seen = seen
        self._is_whole = True
        self._born = asyncio.get_running_loop().time()

    @classmethod
    async def open(cls, target: Target) -> Reader:
        """Open a connection to the database of *target*; errors as `Provider.open`."""
        return cls(await connect_to_read(target, backend), set())

    @classmethod
    async def open_for(cls, target: Target) -> Reader:
        """Do the same to read *target* alone, with a look for its table on the way.

        Raises:
            AccessDeniedError: That table's schema may not be used, either.
        """
        table, seen = version_table(target), set[str]()

        async def greeting(connection: Connection) -> int:
            found = await connection.fetchrow(_FIRST, table)
            if found["is_there"]:
                seen.add(table)
            return int(found["backend"])

        return cls(await connect_to_read(target, greeting), seen)

    async def survey(self, targets: Sequence[Target]) -> Survey:
        """Return the heads of *targets*; see `Surveying.survey`."""
        major = str(self._connection.get_server_version().major)
        return Survey(major, await self._heads(targets))

    @property
    def is_fit(self) -> bool:
        """Whether it may be used for another survey.

        Not after an error, not for ever, and not after a survey of very many targets: the server
        process then holds all that the catalog says of them, 84 MB for 10,000 schemas.
        """
        age = asyncio.get_running_loop().time() - self._born
        return self._is_whole and age < _LIFE and not self._connection.is_closed()

    async def close(self) -> None:
        """Close the connection, which may be dead."""
        await close(self._connection)

    async def _heads(self, targets: Sequence[Target]) -> Mapping[str, Heads]:
        if len(targets) == 1:
            return await self._heads_of_one(*targets)
        self._is_whole = len(targets) <= AT_ONCE
        found: dict[str, Heads] = {}
        for first in range(0, len(targets), AT_ONCE):
            part = targets[first : first + AT_ONCE]
            async with self._in_time(part[0]):
                found.update(await read_many(self._connection, part))
        return found

    async def _heads_of_one(self, target: Target) -> Mapping[str, Heads]:
        table = version_table(target)
        read = read_known if table in self._seen else read_heads
        try:
            async with self._in_time(target):
                heads = await read(self._connection, target)
        except (AccessDeniedError, StatementError):
            self._is_whole = False
            return {}
        if heads:
            self._seen.add(table)
        return {target.name: heads}

    @asynccontextmanager
    async def _in_time(self, target: Target) -> AsyncIterator[None]:
        """Give the block no more than `connect_timeout`; then the connection is cut.

        Somebody may hold a version table, or the network may swallow what is sent.
        """
        try:
            async with asyncio.timeout(target.connect_timeout.total_seconds()):
                with reading(target.name):
                    yield
        except TimeoutError:
            self._connection.terminate()
            reason = "the version table was not read in time; somebody may hold it"
            raise ConnectionLostError(reason, target=target.name) from None
