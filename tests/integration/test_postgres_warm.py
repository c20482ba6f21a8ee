"""Connections of surveys that stay open: who gets them, when they end, and what they hide."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from urllib.parse import urlsplit

import asyncpg
import pytest

from providers.errors import ConnectError
from providers.postgres import survey
from providers.postgres.provider import PostgresProvider
from providers.types import BASE, Statement, Survey, Target
from tests.conformance.proxy import proxy
from tests.integration.sessions import target_at
from tests.support.engine import execute, query
from tests.support.postgres import Databases, Postgres

LONG = timedelta(minutes=1)
A1 = frozenset({"a1"})
OURS = (
    "SELECT pid FROM pg_stat_activity"
    " WHERE datname = current_database() AND application_name = 'levelhead'"
)


@pytest.fixture
async def provider() -> AsyncIterator[PostgresProvider]:
    """Give a provider that keeps up to two connections."""
    keeping = PostgresProvider()
    keeping.keep_warm(2, LONG)
    yield keeping
    await keeping.aclose()


@pytest.fixture
def target(database: str) -> Target:
    """Give a target in an empty database."""
    return target_at(database)


async def ours(target: Target) -> list[object]:
    """Return the server processes that work for us in the target's database."""
    return [row[0] for row in await query(target.url, OURS)]


async def until_gone(target: Target) -> None:
    """Wait until the server has no connection of ours: it notices when it comes to it."""
    async with asyncio.timeout(10):
        while await ours(target):  # noqa: ASYNC110 - a database tells nobody
            await asyncio.sleep(0.02)


async def heads(provider: PostgresProvider, target: Target) -> Survey:
    """Survey one target."""
    return await provider.survey([target])


async def stamp(provider: PostgresProvider, target: Target) -> None:
    """Put the target at a1."""
    async with provider.open(target) as session:
        await session.stamp(before=BASE, after=A1)


async def test_the_next_survey_is_on_the_same_connection(
    provider: PostgresProvider, target: Target
) -> None:
    """Two surveys share a connection, and the second sees what happened in between."""
    assert (await heads(provider, target)).heads == {"orders": BASE}
    kept = await ours(target)
    await stamp(provider, target)
    assert (await heads(provider, target)).heads == {"orders": A1}
    assert await ours(target) == kept
    assert len(kept) == 1


async def test_nothing_is_kept_unless_told(target: Target) -> None:
    """A provider that was not told to keep connections closes each."""
    await heads(PostgresProvider(), target)
    await until_gone(target)


async def test_a_session_is_always_new(provider: PostgresProvider, target: Target) -> None:
    """What one session does to itself, no other session finds, nor does a survey."""
    (kept,) = await _kept(provider, target)
    for sql in (
        "SET search_path = nowhere",
        "CREATE TEMPORARY TABLE alembic_version AS SELECT 'temp' AS version_num",
        "SELECT pg_advisory_lock(42)",
        "LISTEN something",
        "SET application_name = 'somebody else'",
    ):
        async with provider.open(target) as session:
            await session.execute(Statement(sql, transactional=False), ticket="t")
            assert session._connection.get_server_pid() != kept  # type: ignore[attr-defined]
        async with provider.open(target) as session:
            assert await session.heads() == BASE
        assert (await heads(provider, target)).heads == {"orders": BASE}
    assert await query(target.url, "SELECT FROM pg_locks WHERE locktype = 'advisory'") == []
    assert await ours(target) == [kept]


async def _kept(provider: PostgresProvider, target: Target) -> list[object]:
    await heads(provider, target)
    return await ours(target)


async def test_a_terminated_connection_is_replaced(
    provider: PostgresProvider, target: Target
) -> None:
    """A survey whose connection the server ended since tells what it would have told anyway."""
    await stamp(provider, target)
    (kept,) = await _kept(provider, target)
    await execute(target.url, f"SELECT pg_terminate_backend({kept}, 5000)")
    assert (await heads(provider, target)).heads == {"orders": A1}
    assert await ours(target) != [kept]


async def test_a_connection_that_dies_at_the_first_message_is_replaced(
    provider: PostgresProvider, database: str
) -> None:
    """A survey whose connection breaks while it asks is done once more, on a new one."""
    async with proxy(database) as before:
        target = target_at(before.url)
        await stamp(provider, target)
        await heads(provider, target)
        before.lose_reply("version_num")
        assert (await heads(provider, target)).heads == {"orders": A1}
        await provider.aclose()


async def test_no_more_than_the_bound(provider: PostgresProvider, databases: Databases) -> None:
    """Where there is no room those that are kept stay, so that the next sweep finds them."""
    targets = [target_at(url) for url in await databases(3)]
    for _ in range(2):
        found = [await _kept(provider, target) for target in targets]
    assert [len(pids) for pids in found] == [1, 1, 0]


async def test_not_for_long(target: Target) -> None:
    """A connection that nobody wants for a while is closed."""
    provider = PostgresProvider()
    provider.keep_warm(1, timedelta(milliseconds=50))
    await heads(provider, target)
    await until_gone(target)
    assert (await heads(provider, target)).heads == {"orders": BASE}
    await provider.aclose()


async def test_not_for_ever(
    provider: PostgresProvider, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection is not kept once it is old, for what was changed about its role or database."""
    monkeypatch.setattr(survey, "_LIFE", 0.0)
    await heads(provider, target)
    await until_gone(target)


async def test_not_after_an_error(provider: PostgresProvider, target: Target) -> None:
    """A connection on which a survey failed is not kept."""
    await execute(target.url, "CREATE TABLE alembic_version ()")
    assert (await heads(provider, target)).heads == {}
    await until_gone(target)


async def test_not_after_a_cancellation(provider: PostgresProvider, target: Target) -> None:
    """A connection on which a survey was cancelled is not kept."""
    await stamp(provider, target)
    holder = await asyncpg.connect(target.url)
    try:
        await holder.execute("BEGIN; LOCK TABLE alembic_version")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(heads(provider, target), 0.5)
    finally:
        await holder.close()
    await until_gone(target)


async def test_dropping_a_database(
    provider: PostgresProvider, target: Target, postgres: Postgres
) -> None:
    """DROP DATABASE is refused while a connection is kept, unless it is forced; then we know."""
    name = urlsplit(target.url).path[1:]
    await heads(provider, target)
    with pytest.raises(asyncpg.ObjectInUseError):
        await execute(postgres.admin_url, f"DROP DATABASE {name}")
    await postgres.drop_database(name)  # WITH (FORCE)
    with pytest.raises(ConnectError, match="there is no database"):
        await heads(provider, target)


async def test_closing_the_provider(provider: PostgresProvider, target: Target) -> None:
    """A provider that is closed leaves no connection, and keeps none from then on."""
    await heads(provider, target)
    await provider.aclose()
    await until_gone(target)
    await heads(provider, target)
    await until_gone(target)
