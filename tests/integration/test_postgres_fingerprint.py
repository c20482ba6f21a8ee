from __future__ import annotations

import asyncio
import secrets
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from providers.errors import StatementError
from providers.postgres import fingerprint
from providers.postgres.embedded import bundled_binaries, system_binaries, throwaway_postgres
from providers.postgres.session import PostgresSession
from providers.types import BASE, Snapshot
from tests.integration.rich_schema import (
    CHANGES,
    DATABASE_CHANGES,
    NEWER_CHANGES,
    NO_CHANGES,
    NO_CHANGES_ALONE,
    RICH,
)
from tests.integration.sessions import session_on
from tests.support.postgres import Postgres

BINARIES = [found for found in (system_binaries(), bundled_binaries()) if found]

#: Whatever a role or a database may have set for its sessions.
ODD_SETTINGS = {
    "search_path": "pg_temp, information_schema, users_of_another, pg_catalog",
    "DateStyle": "German, DMY",
    "IntervalStyle": "iso_8601",
    "TimeZone": "Asia/Kathmandu",
    "extra_float_digits": "-3",
    "quote_all_identifiers": "on",
    "bytea_output": "escape",
    "standard_conforming_strings": "off",
    "backslash_quote": "on",
    "escape_string_warning": "off",
    "transform_null_equals": "on",
    "default_transaction_read_only": "on",
    "default_transaction_isolation": "serializable",
    "enable_hashjoin": "off",
    "cursor_tuple_fraction": "0.001",
    "statement_timeout": "0",
}


@dataclass(frozen=True, slots=True)
class Server:
    """A server of one version, with a database to copy."""

    binaries: Path
    databases: Postgres
    before: Snapshot  #: of the database "rich"

    @property
    def rich(self) -> str:
        """Return the URL of a database with some of everything, to be left as it is."""
        return self.databases.url("rich")

    async def after(self, sql: str) -> Snapshot:
        """Return the snapshot after *sql*, which is taken back."""
        async with session_on(self.rich) as session, rolled_back(session._connection):
            await session._connection.execute(sql)
            return await looked_at(session)

    def tool(self, name: str, *arguments: str, text: str | None = None) -> str:
        """Run one of the server's own programs, and return what it says."""
        command = [str(self.binaries / name), *arguments]
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
        return done.stdout


@cache
def major(binaries: Path) -> int:
    """Return the version of a server that does not run yet."""
    command = [str(binaries / "postgres"), "--version"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return int(said.split()[-1 if said.split()[-1][0].isdigit() else 2].split(".")[0])


@pytest.fixture(scope="module")
def servers() -> Iterator[Mapping[Path, Server]]:
    """Give a server of each version that this machine has, by its binaries."""
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        stack = AsyncExitStack()
        try:
            yield {path: runner.run(_start(stack, path)) for path in BINARIES}
        finally:
            runner.run(stack.aclose())


async def _start(stack: AsyncExitStack, binaries: Path) -> Server:
    started = await stack.enter_async_context(throwaway_postgres(binaries=binaries))
    databases = Postgres(started.url("postgres"))
    await databases.create_database("rich")
    await run(databases.url("rich"), RICH)
    return Server(binaries, databases, await snapshot(databases.url("rich")))


@pytest.fixture(params=BINARIES, ids=lambda path: str(major(path)))
def server(request: pytest.FixtureRequest, servers: Mapping[Path, Server]) -> Server:
    """Give each server in turn."""
    return servers[request.param]


@pytest.fixture
async def bare(server: Server) -> AsyncIterator[str]:
    """Give the URL of an empty database."""
    async with copy_of(server, "template1") as url:
        yield url


@asynccontextmanager
async def copy_of(server: Server, template: str) -> AsyncIterator[str]:
    """Copy a database for the block."""
    name = f"test_{secrets.token_hex(6)}"
    await server.databases.create_database(name, template)
    try:
        yield server.databases.url(name)
    finally:
        await server.databases.drop_database(name)


async def run(url: str, sql: str, schema: str = "public") -> None:
    """Run statements on a connection of their own."""
    connection = await asyncpg.connect(url, timeout=30)
    try:
        await connection.execute(f"SET search_path = {schema}, pg_catalog")
        await connection.execute(sql)
    finally:
        await connection.close()


async def looked_at(session: PostgresSession) -> Snapshot:
    """Return the session's snapshot, after a look that the server's hash is the same."""
    found = await session.snapshot()
    assert await session.fingerprint() == found.fingerprint
    return found


async def snapshot(url: str, **settings: Any) -> Snapshot:  # noqa: ANN401 - the fields of a Target
    """Return a target's snapshot."""
    async with session_on(url, **settings) as session:
        return await looked_at(session)


@asynccontextmanager
async def rolled_back(connection: asyncpg.Connection) -> AsyncIterator[None]:
    """Take back what is done in the block."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        yield
    finally:
        await transaction.rollback()


def on_servers(*changes: tuple[int, Mapping[str, str]]) -> pytest.MarkDecorator:
    """Return the mark of a test of each change, on each server from that version on."""
    cases = [
        pytest.param(path, sql, id=f"{major(path)}-{name}")
        for path in BINARIES
        for since, part in changes
        for name, sql in part.items()
        if since <= major(path)
    ]
    return pytest.mark.parametrize(("server", "sql"), cases, indirect=["server"])


class TestChanges:
    """What changes a fingerprint, and what does not."""

    @on_servers((13, CHANGES), (13, DATABASE_CHANGES), *NEWER_CHANGES.items())
    async def test_change(self, server: Server, sql: str) -> None:
        """What pg_dump shows changes the fingerprint."""
        assert (await server.after(sql)).fingerprint != server.before.fingerprint

    @on_servers((13, NO_CHANGES))
    async def test_no_change(self, server: Server, sql: str) -> None:
        """What pg_dump does not show leaves the fingerprint as it is."""
        assert await server.after(sql) == server.before

    @on_servers((13, NO_CHANGES_ALONE))
    async def test_no_change_alone(self, server: Server, sql: str) -> None:
        """Nor does what cannot stand in a transaction."""
        await run(server.rich, sql)
        assert await snapshot(server.rich) == server.before

    async def test_extension(self, server: Server) -> None:
        """An extension is one object, whatever belongs to it."""
        after = await server.after("CREATE EXTENSION hstore")
        added = after.objects.keys() - server.before.objects.keys()
        assert added == {"extension hstore"}
        assert "version" in after.objects["extension hstore"]

    async def test_temporary_table(self, server: Server) -> None:
        """A temporary table neither counts nor hides another."""
        before = await snapshot(server.rich, schema="public")
        async with session_on(server.rich, schema="public") as session:
            await session._connection.execute("CREATE TEMPORARY TABLE users (a mood)")
            assert await looked_at(session) == before


class TestSame:
    """What makes no difference, as nobody can see it in a dump."""

    async def test_dump_and_restore(self, server: Server, bare: str) -> None:
        """A restored dump has the fingerprint of what was dumped."""
        dump = server.tool("pg_dump", "--schema-only", "--no-owner", server.rich)
        server.tool("psql", "--quiet", "--set=ON_ERROR_STOP=1", bare, text=dump)
        assert await snapshot(bare) == server.before

    async def test_two_schemas(self, bare: str) -> None:
        """Two schemas of one shape are equal, also where names of theirs hide the server's."""
        for schema in ("eu", '"U ""s"""'):
            await run(bare, f"CREATE SCHEMA {schema}")
            await run(bare, RICH, schema)
        one, other = await snapshot(bare, schema="eu"), await snapshot(bare, schema='U "s"')
        assert one == other
        assert not [text for text in one.objects.items() if "eu." in str(text)]

    async def test_order_of_creation(self, bare: str, server: Server) -> None:
        """The order in which tables, indexes, types and functions were made does not matter."""
        parts = [
            "CREATE TABLE a (id integer PRIMARY KEY, b text)",
            "CREATE INDEX ON a (b)",
            "CREATE UNIQUE INDEX ON a (b, id)",
            "ALTER TABLE a ADD CHECK (id > 0)",
            "CREATE TYPE t AS ENUM ('x')",
            "CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
            "CREATE TABLE z (id serial)",
        ]
        async with copy_of(server, "template1") as other:
            await run(bare, "; ".join(parts))
            await run(other, "; ".join([*parts[4:], parts[0], *reversed(parts[1:4])]))
            assert await snapshot(bare) == await snapshot(other)

    async def test_settings(self, server: Server) -> None:
        """Whatever the session has set, the server writes the same."""
        async with session_on(server.rich) as session:
            for name, value in ODD_SETTINGS.items():
                await session._connection.execute("SELECT set_config($1, $2, false)", name, value)
            after = await looked_at(session)
        assert after == server.before

    async def test_encoding(self, server: Server, bare: str) -> None:
        """It is the same in a database of another encoding."""
        table = 'CREATE TABLE "grün" ("ß" text DEFAULT \'ä\'); CREATE TABLE "grün2" (b integer)'
        name = f"test_{secrets.token_hex(6)}"
        await run(
            server.databases.admin_url,
            f"CREATE DATABASE {name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0",
        )
        try:
            for url in (bare, server.databases.url(name)):
                await run(url, table)
            assert await snapshot(server.databases.url(name)) == await snapshot(bare)
        finally:
            await server.databases.drop_database(name)

    async def test_any_role(self, server: Server) -> None:
        """A role without any privilege sees the same."""
        role = f"test_{secrets.token_hex(4)}"
        prepared = f"CREATE ROLE {role}; {DATABASE_CHANGES['subscription']}"
        async with (
            session_on(server.rich) as session,
            rolled_back(session._connection),
        ):
            await session._connection.execute(prepared)
            before = await looked_at(session)
            await session._connection.execute(f"SET ROLE {role}")
            assert await looked_at(session) == before


class TestVersionTable:
    """The version table is left out: the one that `heads` reads, and no other."""

    TABLE = "(version_num varchar(32) CONSTRAINT alembic_version_pkc PRIMARY KEY)"

    async def test_on_the_search_path(self, bare: str) -> None:
        """Without a schema it is the one that the session's search path finds."""
        before = await snapshot(bare)
        await run(bare, f"CREATE TABLE alembic_version {self.TABLE}")
        assert await snapshot(bare) == before

    async def test_in_another_schema(self, bare: str) -> None:
        """One of the same name elsewhere is a table like any other."""
        await run(bare, f"CREATE SCHEMA attic; CREATE TABLE attic.alembic_version {self.TABLE}")
        assert "table attic.alembic_version" in (await snapshot(bare)).objects
        there = await snapshot(bare, version_table_schema="attic")
        assert [name for name in there.objects if "alembic" in name] == []
        own = await snapshot(bare, schema="attic")
        assert own.objects == {}


class TestSession:
    """What a look leaves behind, and what can go wrong."""

    async def test_leaves_nothing(self, server: Server) -> None:
        """Neither a transaction nor a cursor nor a setting remains."""
        shown = "SELECT name, setting FROM pg_settings WHERE source = 'session' ORDER BY 1"
        async with session_on(server.rich, schema="public") as session:
            connection = session._connection
            before = await connection.fetch(shown)
            await looked_at(session)
            assert await connection.fetch(shown) == before
            assert await connection.fetch("SELECT name FROM pg_cursors WHERE is_holdable") == []
            assert not connection.is_in_transaction()

    async def test_changes_nothing(self, server: Server) -> None:
        """A session that may only read can look."""
        async with session_on(server.rich) as session:
            await session._connection.execute("SET default_transaction_read_only = on")
            await looked_at(session)

    async def test_locked_table(self, server: Server) -> None:
        """A table that somebody keeps locked ends the look after `lock_timeout`, with a word."""
        other = await asyncpg.connect(server.rich)
        try:
            async with (
                rolled_back(other),
                session_on(server.rich, lock_timeout=timedelta(milliseconds=50)) as session,
            ):
                await other.execute("LOCK TABLE users")
                with pytest.raises(StatementError, match="lock timeout"):
                    await session.fingerprint()
                assert await session.heads() == BASE
        finally:
            await other.close()

    async def test_broken_off(self, server: Server) -> None:
        """After a look that was broken off the session can look again."""
        async with session_on(server.rich) as session:
            expected = await session.fingerprint()
            left = f"DECLARE {fingerprint._CURSOR} CURSOR WITH HOLD FOR SELECT 1"
            await session._connection.execute(left)
            assert await session.fingerprint() == expected
            for delay in (0.001, 0.005, 0.02, 0.05):
                with suppress(TimeoutError):
                    async with asyncio.timeout(delay):
                        await session.snapshot()
                assert await session.fingerprint() == expected


class TestWords:
    """How the objects read."""

    @pytest.mark.parametrize(
        ("name", "definition"),
        [
            ("column public.users.email", 'text collate "C" not null, after id, comment'),
            ("column public.users.score", "numeric(10,2) default 0, after mood"),
            ("type public.mood", "enum ('sad', 'ok', 'happy')"),
            ("constraint public.orders.orders_user", "FOREIGN KEY (user_id) REFERENCES public.us"),
            ("index public.ix_users_score", "CREATE INDEX ix_users_score ON public.users USING b"),
            (
                "sequence public.tickets",
                "bigint from 1 to 1000, start 5, increment 5, cache 1",
            ),
            ("table public.events_2020", "permanent, partition of public.events FOR VALUES FROM"),
            ("function public.twice(integer)", "(n integer)\n RETURNS integer\n LANGUAGE sql"),
            ('column public."Odd ""name"" of it"."a.b"', "integer"),
        ],
    )
    async def test_definition(self, server: Server, name: str, definition: str) -> None:
        """A person can read what it is."""
        assert server.before.objects[name].startswith(definition)
