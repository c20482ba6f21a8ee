from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from providers.base import Session
from providers.errors import (
    AccessDeniedError,
    ConnectError,
    ConnectionLostError,
    LockBusyError,
    StatementError,
)
from providers.postgres import lock
from providers.postgres.lock import key_expression
from providers.postgres.session import PostgresSession
from providers.types import BASE, Statement
from tests.conformance.pooler import pooler, session_pooler
from tests.conformance.proxy import proxy
from tests.conformance.wire import Peer, listening, through
from tests.integration.sessions import as_user, session_on, target_at

NO_WAIT = timedelta(0)
A1 = frozenset({"a1"})


@pytest.fixture
async def beside(database: str) -> AsyncIterator[asyncpg.Connection]:
    """Give a plain connection to the test's database."""
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


@pytest.fixture
async def session(database: str) -> AsyncIterator[PostgresSession]:
    """Give a session on the test's database, with short timeouts."""
    async with session_on(database, lock_timeout=timedelta(milliseconds=50)) as opened:
        yield opened


async def refuses(url: str, kind: type[Exception], words: str, **settings: Any) -> None:  # noqa: ANN401 - the fields of a Target
    """Check that no session opens at *url*, and that the error says *words*."""
    with pytest.raises(kind, match=words):
        async with session_on(url, **settings):
            raise AssertionError("it opened")


class TestOpening:
    """What can go wrong before there is a session, and what is in force when there is one."""

    @pytest.mark.parametrize("size", [1, 2, 3])
    async def test_transaction_mode_pooler(self, database: str, size: int) -> None:
        """A transaction-mode pooler is refused, also where it happens to have one session only."""
        async with pooler(database, size=size) as url:
            await refuses(url, AccessDeniedError, "is a transaction-mode pooler.*give the URL of")

    async def test_session_mode_pooler(self, database: str) -> None:
        """A session-mode pooler does no harm."""
        through_it = session_pooler(database)
        async with through_it as url, session_on(url) as session, session.lock(wait=NO_WAIT):
            assert await session.heads() == BASE

    async def test_missing_database(self, database: str) -> None:
        """A missing database is named; it may be created yet, so this is a ConnectError."""
        await refuses(f"{database}x", ConnectError, 'no database "test_[0-9a-f]+x" on .*create it')

    async def test_no_connection_left(self, database: str, beside: asyncpg.Connection) -> None:
        """A server without a free connection can be tried again."""
        user = f"test_{secrets.token_hex(4)}"
        await beside.execute(f"CREATE ROLE {user} LOGIN PASSWORD 'x' CONNECTION LIMIT 0")
        url = as_user(database, user, "x")
        try:
            await refuses(url, ConnectError, "has no connection left .*raise max_connections")
        finally:
            await beside.execute(f"DROP ROLE {user}")

    async def test_no_tls(self, database: str) -> None:
        """A server without TLS, where the URL demands it, points at sslmode."""
        async with proxy(database) as before:
            await refuses(f"{before.url}?sslmode=require", ConnectError, "sslmode in the URL")

    async def test_silence(self, database: str) -> None:
        """A server that accepts and says nothing is given up after connect_timeout."""

        async def say_nothing(client: Peer) -> None:
            await client.reader.read()

        async with listening(say_nothing) as port, asyncio.timeout(5):
            await refuses(
                through(database, port),
                ConnectError,
                "no answer in time",
                connect_timeout=timedelta(seconds=0.3),
            )

    async def test_hung_up(self, database: str) -> None:
        """What accepts and hangs up at once is perhaps no Postgres server."""

        async def hang_up(client: Peer) -> None:
            await client.close()

        async with listening(hang_up) as port:
            await refuses(through(database, port), ConnectError, "check that it is a Postgres")

    @pytest.mark.parametrize(
        ("setting", "value"),
        [
            ("application_name", "levelhead"),
            ("client_connection_check_interval", "2s"),
            ("tcp_keepalives_idle", "30"),
            ("statement_timeout", "2147483647ms"),  # as good as none
            ("lock_timeout", "2147483647ms"),
            ("idle_in_transaction_session_timeout", "0"),
            ("default_transaction_isolation", "read committed"),
            ("search_path", '"Odd ""name"""'),
        ],
    )
    async def test_settings(
        self, database: str, beside: asyncpg.Connection, setting: str, value: str
    ) -> None:
        """What a session relies on is set, whatever the database's own defaults are."""
        name = urlsplit(database).path[1:]
        await beside.execute(f'ALTER DATABASE "{name}" SET statement_timeout = 1000')
        await beside.execute(
            f'ALTER DATABASE "{name}" SET default_transaction_isolation = serializable'
        )
        async with session_on(database, schema='Odd "name"') as session:
            assert await session._connection.fetchval(f"SHOW {setting}") == value

    async def test_closed_afterwards(self, database: str, beside: asyncpg.Connection) -> None:
        """After the block the server has no session of ours."""
        async with session_on(database):
            assert await sessions_of_ours(beside) == 1
        async with asyncio.timeout(5):
            while await sessions_of_ours(beside):  # noqa: ASYNC110 - a database tells nobody
                await asyncio.sleep(0.02)


async def sessions_of_ours(beside: asyncpg.Connection) -> int:
    """Return how many sessions the server has of us on this database."""
    return int(
        await beside.fetchval(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'levelhead'"
        )
    )


class TestLock:
    """The lock that anybody can take."""

    @pytest.mark.parametrize(
        ("settings", "parts"),
        [
            ({}, "'public', 'alembic_version'"),
            ({"schema": "eu"}, "'eu', 'alembic_version'"),
            ({"schema": "eu", "version_table_schema": "m"}, "'m', 'alembic_version'"),
            ({"version_table": "it's"}, "'public', 'it''s'"),
        ],
    )
    async def test_key(
        self, database: str, beside: asyncpg.Connection, settings: dict[str, str], parts: str
    ) -> None:
        """The key is derived as documented, so that a hand-run can take the same lock."""
        await beside.fetchval(
            "SELECT pg_advisory_lock(hashtextextended("
            f"concat_ws(':', 'levelhead', current_database(), {parts}), 0))"
        )
        async with session_on(database, **settings) as session:
            with pytest.raises(LockBusyError):
                async with session.lock(wait=NO_WAIT):
                    raise AssertionError("both hold the lock")

    async def test_names_the_holder(self, database: str, session: Session) -> None:
        """LockBusyError says which process of which application holds the lock."""
        other = await asyncpg.connect(database, server_settings={"application_name": "by hand"})
        await other.execute(f"SELECT pg_advisory_lock({key_expression(target_at(database))})")
        with pytest.raises(LockBusyError, match=f"held by pid {other.get_server_pid()}, by hand"):
            async with session.lock(wait=NO_WAIT):
                raise AssertionError("both hold the lock")
        await other.close()

    async def test_search_path_moves(self, session: PostgresSession) -> None:
        """A migration that moves the search path does not keep the lock from being given back."""
        async with session.lock(wait=NO_WAIT):
            await session.execute(Statement("SET search_path = pg_catalog"), ticket="t1")
        held = (
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
        )
        assert await session._connection.fetchval(held) == 0

    async def test_cancel_that_gets_lost(
        self, database: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where a cancelled statement runs on unreachably, the session lets go all the same."""
        monkeypatch.setattr(lock, "_RELEASE_PATIENCE", 0.3)
        async with proxy(database) as before:
            before.lose_cancels()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(8), session_on(before.url) as session:
                    await self._give_up(session)

    async def _give_up(self, session: Session) -> None:
        async with asyncio.timeout(0.2), session.lock(wait=NO_WAIT):
            await session.execute(Statement("SELECT pg_sleep(60)"), ticket="t1")

    @pytest.mark.slow
    async def test_server_notices_a_lost_client(
        self, database: str, beside: asyncpg.Connection
    ) -> None:
        """A server that works for a client that is gone stops soon, and frees the lock."""
        async with session_on(database) as session:
            await session._connection.execute(
                f"SELECT pg_advisory_lock({key_expression(target_at(database))})"
            )
            work = asyncio.create_task(
                session.execute(Statement("SELECT pg_sleep(60)"), ticket="t1")
            )
            await asyncio.sleep(0.2)
            session._connection.terminate()
            with pytest.raises(ConnectionLostError):
                await work
        patient = timedelta(seconds=8)
        async with session_on(database) as other, other.lock(wait=patient):
            assert await sessions_of_ours(beside) == 1


class TestTimeouts:
    """The target's timeouts are for migrations."""

    async def test_lock_timeout(self, session: PostgresSession, beside: asyncpg.Connection) -> None:
        """A table that somebody else holds ends execute and apply in a StatementError, soon."""
        await beside.execute("CREATE TABLE a (id INTEGER)")
        await beside.execute("BEGIN; LOCK TABLE a")
        drop = Statement("DROP TABLE a")
        with pytest.raises(StatementError) as executed:
            await session.execute(drop, ticket="t1")
        with pytest.raises(StatementError) as applied:
            await session.apply([drop], before=BASE, after=A1)
        assert executed.value.code == applied.value.code == "55P03"
        assert applied.value.sql == drop.sql

    async def test_statement_timeout(self, database: str) -> None:
        """A statement that takes too long is a StatementError, in execute and in apply."""
        sleep = Statement("SELECT pg_sleep(60)")
        async with session_on(database, statement_timeout=timedelta(seconds=0.1)) as session:
            with pytest.raises(StatementError) as executed:
                await session.execute(sleep, ticket="t1")
            with pytest.raises(StatementError) as applied:
                await session.apply([sleep], before=BASE, after=A1)
        assert executed.value.code == applied.value.code == "57014"

    @pytest.mark.parametrize("limit", ["7s", "0"])
    async def test_a_scripts_own_limit_holds(self, session: PostgresSession, limit: str) -> None:
        """What a script sets for its session is in force from then on, as under Alembic."""
        before = BASE
        for name, sql in [("lock_timeout", "apply"), ("statement_timeout", "execute")]:
            setting = Statement(f"SET {name} = '{limit}'")
            if sql == "apply":
                await session.apply([setting], before=before, after=A1)
            else:
                await session.execute(setting, ticket="t1")
        told = Statement(
            "CREATE TABLE told AS SELECT current_setting('lock_timeout') AS one,"
            " current_setting('statement_timeout') AS other"
        )
        await session.apply([told], before=A1, after=frozenset({"b2"}))
        row = await session._connection.fetchrow("SELECT * FROM told")
        assert tuple(row) == (limit, limit)

    async def test_reading_is_not_hurt(self, database: str, beside: asyncpg.Connection) -> None:
        """Heads wait for a version table that is locked for a while, whatever the timeouts."""
        short = timedelta(milliseconds=1)
        async with session_on(database, lock_timeout=short, statement_timeout=short) as session:
            await session._connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
            with pytest.raises(StatementError):
                await session.execute(Statement("SELECT pg_sleep(1)"), ticket="t1")
            await beside.execute("BEGIN; LOCK TABLE alembic_version")
            reading = asyncio.create_task(session.heads())
            await asyncio.sleep(0.1)
            await beside.execute("ROLLBACK")
            assert await reading == BASE
