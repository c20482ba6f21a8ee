from __future__ import annotations

import asyncio
import os
import secrets
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from providers.base import ON_TARGET, Shadowing
from providers.errors import AccessDeniedError, ConnectError, ShadowError
from providers.postgres import shadow as module
from providers.postgres.embedded import bundled_binaries, system_binaries, throwaway_postgres
from providers.postgres.provider import PostgresProvider
from providers.types import Target
from tests.conformance.wire import Peer, dial, listening, through
from tests.integration.sessions import as_user, session_on, target_at
from tests.support.postgres import Databases, Postgres

MARK = "levelhead_shadow_"
HERE = [found for found in (system_binaries(), bundled_binaries()) if found]


async def rows(url: str, sql: str, *values: object) -> list[Any]:
    """Run *sql* on a connection of our own; return the first column."""
    connection = await asyncpg.connect(url)
    try:
        return [row[0] for row in await connection.fetch(sql, *values)]
    finally:
        await connection.close()


async def shadows_on(url: str) -> set[str]:
    """Return the shadows on the server of *url*; those of other tests too."""
    sql = "SELECT datname FROM pg_database WHERE starts_with(datname, $1)"
    return set(await rows(url, sql, MARK))


async def major_of(url: str) -> str:
    """Return the server's major version."""
    async with session_on(url) as session:
        return await session.server_major()


@pytest.fixture
async def provider() -> AsyncIterator[PostgresProvider]:
    """Give a provider of the test's own."""
    made = PostgresProvider()
    yield made
    await made.aclose()


@pytest.fixture
async def major(database: str) -> str:
    """Give the major version of the session's server."""
    return await major_of(database)


@pytest.fixture
async def role(postgres: Postgres, database: str) -> AsyncIterator[str]:
    """Give the URL of *database* for a role that may do nothing in particular."""
    user, password = f"test_{secrets.token_hex(4)}", secrets.token_hex(8)
    await rows(postgres.admin_url, f"CREATE ROLE {user} LOGIN PASSWORD '{password}'")
    yield as_user(database, user, password)
    await rows(postgres.admin_url, f"DROP ROLE {user}")


async def refuses(
    provider: PostgresProvider,
    target: Target,
    place: str | None,
    major: str,
    kind: type[Exception] = ShadowError,
) -> str:
    """Check that there is no shadow, and that no password is shown; return the error's line."""
    with pytest.raises(kind, match=r"^shadow of orders: ") as caught:
        async with provider.shadow(target, place, major=major):
            raise AssertionError("there was one")
    line = str(caught.value)
    assert "\n" not in line
    for url in (target.url, place or ""):
        password = urlsplit(url).password
        assert password is None or password not in line
    return line


async def test_on_a_configured_server(
    provider: PostgresProvider, database: str, major: str
) -> None:
    """A shadow is a database of its own on the server of `shadow`, and is gone afterwards."""
    target = target_at("postgresql://nobody@never.invalid/orders")
    assert isinstance(provider, Shadowing)
    async with provider.shadow(target, database, major=major) as shadow:
        name = urlsplit(shadow.url).path.removeprefix("/")
        assert name in await shadows_on(database)
        assert await rows(shadow.url, "SELECT current_database()") == [name]
        assert shadow == replace(target, name="shadow of orders", url=shadow.url)
    assert name not in await shadows_on(database)


async def test_on_the_targets_own_server(
    provider: PostgresProvider, role: str, postgres: Postgres, major: str
) -> None:
    """A role with CREATEDB makes its shadows beside the target; the target is left alone."""
    await rows(postgres.admin_url, f"ALTER ROLE {urlsplit(role).username} CREATEDB")
    async with provider.shadow(target_at(role), ON_TARGET, major=major) as shadow:
        await rows(shadow.url, "CREATE TABLE users (id INT)")
        assert await rows(role, "SELECT to_regclass('users') IS NULL") == [True]
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await rows(shadow.url, "SELECT 1")


async def test_role_that_may_not_create_databases(
    provider: PostgresProvider, role: str, major: str
) -> None:
    """Without CREATEDB the error names the user, the server, and the setting."""
    line = await refuses(provider, target_at(role), ON_TARGET, major)
    place = urlsplit(role)
    assert f'user "{place.username}" may not create databases on 127.0.0.1:{place.port}' in line
    assert 'set shadow of history "app" to another place' in line


async def test_another_major(provider: PostgresProvider, database: str, major: str) -> None:
    """A server of another major version than the target's is refused, by both versions."""
    line = await refuses(provider, target_at(database), database, "9")
    assert f"is Postgres {major}, the target is Postgres 9;" in line


async def test_major_that_is_not_installed(provider: PostgresProvider) -> None:
    """Without binaries of the target's major version the error names those that there are."""
    line = await refuses(provider, target_at("postgresql://h/d"), None, "9")
    assert "no server of Postgres 9 is installed here (found: 1" in line


async def test_unreachable_place(provider: PostgresProvider, database: str, major: str) -> None:
    """A place where nothing listens is ConnectError, and names no target."""
    place = database.replace(f":{urlsplit(database).port}/", ":1/")
    await refuses(provider, target_at(database), place, major, ConnectError)


async def test_wrong_password(provider: PostgresProvider, role: str, major: str) -> None:
    """A place with a wrong password is AccessDeniedError, and the password is not repeated."""
    place = role.replace(str(urlsplit(role).password), "not-it")
    await refuses(provider, target_at(role), place, major, AccessDeniedError)


async def test_shadow_that_is_not_empty(provider: PostgresProvider) -> None:
    """Where new databases come with something in them, there is no shadow, and none is left."""
    async with throwaway_postgres() as server:
        place, template = server.url("postgres"), server.url("template0")
        await rows(place, "ALTER DATABASE template0 ALLOW_CONNECTIONS true")
        await rows(template, "CREATE TABLE users (id INT)")
        line = await refuses(provider, target_at(place), place, str(server.major))
        assert "is not empty, it holds public.users" in line
        assert await shadows_on(place) == set()


@asynccontextmanager
async def leading_to(database: str) -> AsyncIterator[str]:
    """Stand before a server as poolers may: shadows are this database; give the URL."""
    own = urlsplit(database).path.removeprefix("/").encode()

    async def serve(client: Peer) -> None:
        startup, server = await client.read_startup(), await dial(database)
        head, found, tail = startup[4:].partition(b"database\0" + MARK.encode())
        if found:
            startup = b"...." + head + b"database\0" + own + tail[tail.index(b"\0") :]
        await server.write(len(startup).to_bytes(4) + startup[4:])
        try:
            await asyncio.gather(pump(client, server), pump(server, client))
        finally:
            await server.close()

    async with listening(serve) as port:
        yield through(database, port)


async def pump(source: Peer, sink: Peer) -> None:
    """Pass all on until *source* ends."""
    while data := await source.reader.read(65536):
        await sink.write(data)
    raise EOFError


async def test_server_that_leads_elsewhere(
    provider: PostgresProvider, database: str, major: str
) -> None:
    """A pooler that leads to an existing database whatever it is asked for is found out."""
    async with leading_to(database) as place:
        line = await refuses(provider, target_at(database), place, major)
    name = urlsplit(database).path.removeprefix("/")
    assert f'leads to database "{name}" whatever the name in the URL' in line
    assert await rows(database, "SELECT 1") == [1]


async def test_schemas_of_the_target(provider: PostgresProvider, database: str, major: str) -> None:
    """The schemas of target and version table are there, and empty."""
    target = target_at(database, schema="tenant", version_table_schema='"odd"')
    async with (
        provider.shadow(target, ON_TARGET, major=major) as shadow,
        provider.open(shadow) as session,
    ):
        await session.stamp(before=frozenset(), after=frozenset({"a1"}))
        found = "SELECT schemaname FROM pg_tables WHERE tablename = 'alembic_version'"
        assert await rows(shadow.url, found) == ['"odd"']
        assert await rows(shadow.url, "SELECT to_regnamespace('tenant') IS NOT NULL") == [True]


async def test_encoding_of_the_place(
    provider: PostgresProvider, postgres: Postgres, databases: Databases, major: str
) -> None:
    """A shadow on the target's server has the encoding and the locale of the target."""
    (url,) = await databases(1)
    name = f"{urlsplit(url).path.removeprefix('/')}_latin"
    sql = f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'"
    await rows(url, sql)
    try:
        target = target_at(postgres.url(name))
        async with provider.shadow(target, ON_TARGET, major=major) as shadow:
            assert await rows(shadow.url, "SHOW server_encoding") == ["LATIN1"]
    finally:
        await postgres.drop_database(name)


async def test_forgotten_shadows(
    provider: PostgresProvider, postgres: Postgres, role: str, major: str
) -> None:
    """Dropped are shadows of the same role, a day old, that nobody uses; nothing else."""
    admin, owner = postgres.admin_url, urlsplit(role).username
    (now,) = await rows(admin, "SELECT to_char(now() AT TIME ZONE 'utc', 'YYYYMMDDHH24MISS')")
    left, used, young, foreign = (f"{MARK}{at}_{secrets.token_hex(6)}" for at in when(now))
    alike = f"{left}_kept"
    for name in (left, used, young, alike):
        await postgres.create_database(name)
    await rows(admin, f"CREATE DATABASE {foreign} OWNER {owner}")
    user = await asyncpg.connect(postgres.url(used))
    try:
        async with provider.shadow(target_at(admin), ON_TARGET, major=major):
            found = await shadows_on(admin)
        assert left not in found
        assert {used, young, foreign, alike} <= found
    finally:
        await user.close()
        await postgres.drop_database(used, young, foreign, alike)


def when(now: str) -> tuple[str, str, str, str]:
    """Return times in the names: of old shadows, but for a young one."""
    return "20200101000000", "20200101000000", now, "20200101000000"


async def test_sessions_that_stay(provider: PostgresProvider, database: str, major: str) -> None:
    """A session that somebody left open does not keep the shadow from being dropped."""
    async with provider.shadow(target_at(database), ON_TARGET, major=major) as shadow:
        left_open = await asyncpg.connect(shadow.url)
    with pytest.raises(ConnectError, match="there is no database"):
        async with provider.open(shadow):
            raise AssertionError("it is still there")
    left_open.terminate()


async def test_cancelled_block(provider: PostgresProvider, database: str, major: str) -> None:
    """A cancelled block drops its shadow before the cancellation goes on."""
    entered: asyncio.Queue[Target] = asyncio.Queue()

    async def use() -> None:
        async with provider.shadow(target_at(database), ON_TARGET, major=major) as shadow:
            entered.put_nowait(shadow)
            await asyncio.sleep(3600)

    task = asyncio.create_task(use())
    shadow = await entered.get()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert urlsplit(shadow.url).path.removeprefix("/") not in await shadows_on(database)


async def test_cancelled_while_it_is_created(
    provider: PostgresProvider, database: str, major: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who gives up while CREATE DATABASE runs leaves no database behind."""
    created: asyncio.Queue[str] = asyncio.Queue()
    create = module._create

    async def creating(session: asyncpg.Connection) -> str:
        task.cancel()
        await asyncio.sleep(0)  # the cancellation arrives here
        created.put_nowait(name := await create(session))
        return name

    async def use() -> None:
        async with provider.shadow(target_at(database), ON_TARGET, major=major):
            raise AssertionError("it was cancelled before")

    monkeypatch.setattr(module, "_create", creating)
    task = asyncio.create_task(use())
    with pytest.raises(asyncio.CancelledError):
        await task
    assert created.get_nowait() not in await shadows_on(database)


async def test_own_servers(provider: PostgresProvider) -> None:
    """Callers at the same time share one own server, which ends with the provider."""
    async with throwaway_postgres() as server:
        major = str(server.major)
    target = target_at("postgresql+psycopg://h/orders")

    async def place() -> str:
        async with provider.shadow(target, None, major=major) as shadow:
            assert urlsplit(shadow.url).scheme == "postgresql+psycopg"
            return urlsplit(shadow.url).netloc

    places = await asyncio.gather(*(place() for _ in range(3)))
    assert len(set(places)) == 1
    await provider.aclose()
    with pytest.raises(OSError, match=r"refused|Connect call failed"):
        await asyncpg.connect(f"postgresql://{places[0]}/postgres")


async def test_own_servers_of_each_major(provider: PostgresProvider) -> None:
    """A target gets a shadow of its own major version, of all that are installed."""
    majors = set()
    for binaries in HERE:
        async with throwaway_postgres(binaries=binaries) as server:
            majors.add(str(server.major))
    for major in majors:
        async with provider.shadow(target_at("postgresql://h/d"), None, major=major) as shadow:
            assert await major_of(shadow.url) == major


async def test_own_server_that_died(
    provider: PostgresProvider, caplog: pytest.LogCaptureFixture
) -> None:
    """A shadow whose server died ends without an error; the next one gets a new server."""
    async with throwaway_postgres() as server:
        major = str(server.major)
    target = target_at("postgresql://h/d")
    async with provider.shadow(target, None, major=major) as shadow:
        (directory,) = await rows(shadow.url, "SHOW data_directory")
        await ended(postmaster(directory), shadow.url)
    assert "is left over: shadow of orders: cannot reach 127.0.0.1" in caplog.text
    async with provider.shadow(target, None, major=major) as again:
        assert urlsplit(again.url).netloc != urlsplit(shadow.url).netloc
        assert await rows(again.url, "SELECT 1") == [1]


def postmaster(directory: str) -> int:
    """Return the process id of the server in *directory*."""
    return int(Path(directory, "postmaster.pid").read_text().split()[0])


async def ended(pid: int, url: str) -> None:
    """Kill a server, and wait until it answers nobody."""
    os.kill(pid, signal.SIGKILL)
    while True:
        try:
            await rows(url, "SELECT 1")
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return
