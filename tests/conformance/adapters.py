"""What the suite needs of each kind of database, beside the contract itself."""

# ruff: noqa: D102 - the base class says what each method of an adapter does

from __future__ import annotations

import asyncio
import secrets
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import ClassVar, Literal, TypeAlias
from urllib.parse import urlsplit

import asyncpg

from providers.base import ON_TARGET, Provider, Session
from providers.memory import Fault, MemoryDatabase, MemoryProvider, What, Where
from providers.postgres.provider import PostgresProvider
from providers.postgres.sql import identifier, version_schema, version_table
from providers.types import Heads, Statement, Target
from tests.conformance.proxy import Proxy

Call: TypeAlias = Literal["execute", "stamp", "apply"]


class Adapter(ABC):
    """One kind of database: a provider, an empty target, and a way round the sessions."""

    excludes: ClassVar[bool] = True  #: who holds the lock keeps others out; else the lease does
    rolls_back: ClassVar[bool] = True  #: sessions are `Transactional`
    fingerprints: ClassVar[bool] = True  #: sessions are `Fingerprinting`
    surveys: ClassVar[bool] = True  #: the provider is `Surveying`

    place: ClassVar[str | None] = ON_TARGET  #: where the suite has shadows made

    provider: Provider
    target: Target
    slow: Statement  #: runs until its session is cut
    odd_name: str = 'Odd "name"'  #: as odd as a table's name may be

    def opened(self, shadow: Target) -> AbstractAsyncContextManager[Session]:
        """Open a session on a shadow, which another provider may have to open."""
        return self.provider.open(shadow)

    @abstractmethod
    async def tables(self) -> set[str]:
        """Return every table, as ``schema.table``; the default schema is ``public``."""

    @abstractmethod
    async def write_heads(self, target: Target, heads: Heads) -> None:
        """Create *target*'s version table beside any session, and fill it."""

    @abstractmethod
    async def forget_heads(self, target: Target) -> None:
        """Take *target*'s version table away."""

    @abstractmethod
    async def in_schemas(self, schema: str | None, version_schema: str | None) -> Target:
        """Return the target with these schemas, which exist."""

    @abstractmethod
    async def new_database(self) -> str:
        """Create another database on the same server, and return its name."""

    @abstractmethod
    async def slow_is_running(self) -> None:
        """Return when a session has sent *slow*."""

    @abstractmethod
    async def cut(self) -> None:
        """End the connection of every session."""

    @abstractmethod
    def lose_reply(self, call: Call) -> None:
        """Have the next reply to *call* lost, after all of it was done."""

    def in_the_way(self) -> AbstractAsyncContextManager[Statement]:
        """Have another session hold for the block what a statement needs; give the statement.

        For kinds that roll back.
        """
        raise NotImplementedError

    @abstractmethod
    async def unreachable(self) -> Target:
        """Return a target where nothing listens."""

    @abstractmethod
    async def starting(self) -> Target:
        """Return a target whose server is starting, until `finish_start`."""

    @abstractmethod
    def finish_start(self) -> None:
        """Have the server take sessions."""

    @abstractmethod
    async def unwelcome(self) -> Target:
        """Return a target whose password is wrong."""

    @abstractmethod
    async def unreadable(self) -> Target:
        """Return a target whose version table exists, but may not be read."""


class MemoryAdapter(Adapter):
    """The database in memory."""

    slow = Statement("CREATE TABLE slow (id INTEGER)", transactional=False)

    def __init__(self) -> None:
        self.provider = self._memory = MemoryProvider()
        self.target = a_target("memory", "memory://orders")
        self._hang = Fault(Where.EXECUTE, What.HANG, sql=self.slow.sql)
        self._database.faults.append(self._hang)

    @property
    def _database(self) -> MemoryDatabase:
        return self._memory.database(self.target.url)

    async def tables(self) -> set[str]:
        return {*self._database.tables, *self._database.versions}

    async def write_heads(self, target: Target, heads: Heads) -> None:
        self._database.versions[_memory_name(target)] = heads

    async def forget_heads(self, target: Target) -> None:
        del self._database.versions[_memory_name(target)]

    async def in_schemas(self, schema: str | None, version_schema: str | None) -> Target:
        self._database.schemas |= {name for name in (schema, version_schema) if name}
        return replace(self.target, schema=schema, version_table_schema=version_schema)

    async def new_database(self) -> str:
        name = f"another{len(self._memory.databases())}"
        self._memory.database(f"memory://{name}")
        return name

    async def slow_is_running(self) -> None:
        while self._hang in self._database.faults:  # noqa: ASYNC110 - a database tells nobody
            await asyncio.sleep(0.01)

    async def cut(self) -> None:
        self._database.cut()

    def lose_reply(self, call: Call) -> None:
        self._database.faults.append(Fault(Where(call), What.LOSE_REPLY))

    @asynccontextmanager
    async def in_the_way(self) -> AsyncIterator[Statement]:
        self._database.tables.add("public.held")
        self._database.faults.append(Fault(Where.APPLY, What.CONTEND))
        yield Statement("DROP TABLE held")

    async def unreachable(self) -> Target:
        self._database.faults.append(Fault(Where.OPEN, What.REFUSE))
        return self.target

    async def starting(self) -> Target:
        self._database.faults.append(Fault(Where.OPEN, What.START))
        return self.target

    def finish_start(self) -> None:
        assert all(fault.what is not What.START for fault in self._database.faults)

    async def unwelcome(self) -> Target:
        self._database.faults.append(Fault(Where.OPEN, What.DENY))
        return self.target

    async def unreadable(self) -> Target:
        self._database.faults.append(Fault(Where.HEADS, What.DENY))
        return self.target


@dataclass
class PostgresAdapter(Adapter):
    """A real server, behind a proxy that can lose replies."""

    direct_url: str  #: a superuser's, past the proxy
    proxy: Proxy
    cleanup: AsyncExitStack

    slow = Statement("SELECT pg_sleep(60)", transactional=False)

    def __post_init__(self) -> None:
        self.provider = PostgresProvider()
        self.target = a_target("postgresql", self.proxy.url)

    async def tables(self) -> set[str]:
        rows = await self._beside(
            "SELECT schemaname || '.' || tablename FROM pg_tables"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        )
        return set(rows)

    async def write_heads(self, target: Target, heads: Heads) -> None:
        table = _postgres_name(target)
        await self._beside(f"CREATE TABLE {table} (version_num VARCHAR(32) PRIMARY KEY)")
        for head in heads:
            await self._beside(f"INSERT INTO {table} VALUES ('{head}')")

    async def forget_heads(self, target: Target) -> None:
        await self._beside(f"DROP TABLE {_postgres_name(target)}")

    async def in_schemas(self, schema: str | None, version_schema: str | None) -> Target:
        for name in {schema, version_schema} - {None}:
            await self._beside(f"CREATE SCHEMA {identifier(str(name))}")
        return replace(self.target, schema=schema, version_table_schema=version_schema)

    async def new_database(self) -> str:
        name = f"test_{secrets.token_hex(6)}"
        await self._beside(f"CREATE DATABASE {name}")
        self.cleanup.push_async_callback(self._beside, f"DROP DATABASE {name} WITH (FORCE)")
        return name

    async def slow_is_running(self) -> None:
        asleep = f"{_OURS} AND wait_event = 'PgSleep'"
        while not await self._beside(asleep):  # noqa: ASYNC110 - a database tells nobody
            await asyncio.sleep(0.02)

    async def cut(self) -> None:
        await self._beside(f"SELECT pg_terminate_backend(pid, 5000) FROM ({_OURS}) AS ours")

    def lose_reply(self, call: Call) -> None:
        self.proxy.lose_reply("levelhead:" if call == "execute" else "version_num")

    @asynccontextmanager
    async def in_the_way(self) -> AsyncIterator[Statement]:
        await self._beside("CREATE TABLE held ()")
        holder = await asyncpg.connect(self.direct_url)
        try:
            await holder.execute("BEGIN; LOCK TABLE held")
            yield Statement("DROP TABLE held")
        finally:
            await holder.close()

    async def unreachable(self) -> Target:
        port = urlsplit(self.target.url).port
        return replace(self.target, url=self.target.url.replace(f":{port}/", ":1/"))

    async def starting(self) -> Target:
        """A server starts too fast to be seen, so the proxy before it stands for it."""
        self.proxy.is_starting = True
        return self.target

    def finish_start(self) -> None:
        self.proxy.is_starting = False

    async def unwelcome(self) -> Target:
        return replace(self.target, url=self._url("postgres", "not-it"))

    async def unreadable(self) -> Target:
        user, password = f"test_{secrets.token_hex(4)}", secrets.token_hex(8)
        await self._beside(f"CREATE ROLE {user} LOGIN PASSWORD '{password}'")
        self.cleanup.push_async_callback(self._beside, f"DROP ROLE {user}")
        await self.write_heads(self.target, frozenset({"a1"}))
        return replace(self.target, url=self._url(user, password))

    def _url(self, user: str, password: str) -> str:
        parts = urlsplit(self.target.url)
        return parts._replace(netloc=f"{user}:{password}@127.0.0.1:{parts.port}").geturl()

    async def _beside(self, sql: str) -> list[str]:
        """Run *sql* on a connection of our own; return the first column."""
        connection = await asyncpg.connect(self.direct_url)
        try:
            return [row[0] for row in await connection.fetch(sql)]
        finally:
            await connection.close()


_OURS = (
    "SELECT pid FROM pg_stat_activity"
    " WHERE datname = current_database() AND application_name = 'levelhead'"
)


def a_target(dialect: str, url: str) -> Target:
    """Return the target that the suite's tests know."""
    return Target(
        name="orders",
        history="app",
        dialect=dialect,
        url=url,
        lock_timeout=timedelta(seconds=1),
    )


def _memory_name(target: Target) -> str:
    return f"{version_schema(target) or 'public'}.{target.version_table}"


def _postgres_name(target: Target) -> str:
    schema = version_schema(target)
    return version_table(target) if schema else f"public.{identifier(target.version_table)}"
