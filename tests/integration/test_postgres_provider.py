from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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
    StampConflictError,
    StatementError,
)
from providers.postgres import lock
from providers.postgres.lock import key_expression
from providers.postgres.provider import PostgresProvider
from providers.postgres.session import PostgresSession
from providers.types import BASE, Outcome, Statement, Target
from tests.conformance.pooler import pooler, session_pooler
from tests.conformance.proxy import proxy
from tests.conformance.wire import Peer, listening, through

NO_WAIT = timedelta(0)
A1 = frozenset({"a1"})


def target_at(url: str, **settings: Any) -> Target:  # noqa: ANN401 - the fields of a Target
    """Return a target of that URL."""
    return Target(name="orders", history="app", dialect="postgresql", url=url, **settings)


@asynccontextmanager
async def session_on(url: str, **settings: Any) -> AsyncIterator[PostgresSession]:  # noqa: ANN401 - the fields of a Target
    """Open a session on a target of that URL."""
    async with PostgresProvider().open(target_at(url, **settings)) as session:
        assert isinstance(session, PostgresSession)
        yield session


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
        parts = urlsplit(database)
        url = parts._replace(netloc=f"{user}:x@{parts.netloc.rpartition('@')[2]}").geturl()
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
            ("statement_timeout", "0"),
            ("lock_timeout", "0"),
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


class TestConcurrentIndex:
    """CREATE INDEX CONCURRENTLY is not undone when it fails."""

    BUILD = Statement("CREATE UNIQUE INDEX CONCURRENTLY ix ON a (id)", transactional=False)
    TOLERANT = Statement("create index concurrently if not exists ix on public.a (id)")

    async def test_failure_leaves_an_invalid_index(
        self, session: PostgresSession, beside: asyncpg.Connection
    ) -> None:
        """The error says which INVALID index is left to drop; resolve does not guess."""
        await beside.execute("CREATE TABLE a AS SELECT 1 AS id FROM generate_series(1, 2)")
        with pytest.raises(StatementError, match="drop the INVALID index ix before") as caught:
            await session.execute(self.BUILD, ticket="t1")
        assert caught.value.code == "23505"
        assert await session.resolve(self.BUILD, ticket="t1") is Outcome.UNKNOWN

    async def test_failure_without_remains(self, session: PostgresSession) -> None:
        """Where nothing is left, nothing is said of it."""
        with pytest.raises(StatementError) as caught:
            await session.execute(self.BUILD, ticket="t1")
        assert "INVALID" not in str(caught.value)

    async def test_resolve_missing(
        self, session: PostgresSession, beside: asyncpg.Connection
    ) -> None:
        """Where there is no such index, the statement had no effect."""
        await beside.execute("CREATE TABLE a (id INTEGER)")
        assert await session.resolve(self.BUILD, ticket="t1") is Outcome.ABSENT
        assert await session.resolve(self.TOLERANT, ticket="t1") is Outcome.ABSENT

    async def test_resolve_valid(
        self, session: PostgresSession, beside: asyncpg.Connection
    ) -> None:
        """A valid index may be older than the statement: that matters unless it is tolerated."""
        await beside.execute("CREATE TABLE a (id INTEGER); CREATE INDEX ix ON a (id)")
        assert await session.resolve(self.BUILD, ticket="t1") is Outcome.UNKNOWN
        assert await session.resolve(self.TOLERANT, ticket="t1") is Outcome.APPLIED

    async def test_resolve_in_another_schema(self, database: str, session: Session) -> None:
        """An index is looked for in the schema of its table, on the search path or not."""
        qualified = Statement("CREATE INDEX CONCURRENTLY ix ON eu.a (id)", transactional=False)
        connection = await asyncpg.connect(database)
        await connection.execute("CREATE SCHEMA eu; CREATE TABLE eu.a (id INTEGER)")
        assert await session.resolve(qualified, ticket="t1") is Outcome.ABSENT
        await connection.execute("CREATE INDEX ix ON eu.a (id)")
        assert await session.resolve(qualified, ticket="t1") is Outcome.UNKNOWN
        await connection.close()

    async def test_resolve_without_its_table(self, session: PostgresSession) -> None:
        """Where the table cannot be found, nobody can tell."""
        assert await session.resolve(self.BUILD, ticket="t1") is Outcome.UNKNOWN

    async def test_resolve_while_it_runs(
        self, session: PostgresSession, beside: asyncpg.Connection
    ) -> None:
        """As long as a server process still runs the ticket, its outcome is unknown."""
        await beside.execute("CREATE TABLE a (id INTEGER)")
        running = asyncio.create_task(beside.execute("/* levelhead:t9 */ SELECT pg_sleep(0.5)"))
        await asyncio.sleep(0.1)
        assert await session.resolve(self.BUILD, ticket="t9") is Outcome.UNKNOWN
        assert await session.resolve(self.BUILD, ticket="t8") is Outcome.ABSENT
        await running
        assert await session.resolve(self.BUILD, ticket="t9") is Outcome.ABSENT

    async def test_ticket_travels_with_the_statement(
        self, database: str, session: PostgresSession, beside: asyncpg.Connection
    ) -> None:
        """While a statement runs, the server shows it with its ticket."""
        async with session_on(database) as other:
            work = asyncio.create_task(
                other.execute(Statement("SELECT pg_sleep(0.5)"), ticket="t9")
            )
            await asyncio.sleep(0.2)
            shown = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '/* levelhead:t9 */ %'"
            assert await beside.fetchval(shown) == 1
            assert await session.resolve(self.BUILD, ticket="t9") is Outcome.UNKNOWN
            await work


class TestTransaction:
    """What only a real server can do to a transaction."""

    async def test_no_row_data(self, session: PostgresSession) -> None:
        """An error over a row names table and constraint, never the row's values."""
        block = [
            Statement("CREATE TABLE users (email TEXT PRIMARY KEY)"),
            Statement("INSERT INTO users SELECT 'geheim@example.org' FROM generate_series(1, 2)"),
        ]
        with pytest.raises(StatementError) as caught:
            await session.apply(block, before=BASE, after=A1)
        assert caught.value.objects["constraint"] == "users_pkey"
        assert caught.value.sql == block[1].sql
        assert "geheim" not in str(caught.value)

    async def test_fails_at_commit(self, session: PostgresSession) -> None:
        """What fails at COMMIT rolls all back, and no statement is blamed."""
        block = [
            Statement("CREATE TABLE p (id INTEGER PRIMARY KEY)"),
            Statement("CREATE TABLE c (id INTEGER REFERENCES p DEFERRABLE INITIALLY DEFERRED)"),
            Statement("INSERT INTO c VALUES (1)"),
        ]
        with pytest.raises(StatementError) as caught:
            await session.apply(block, before=BASE, after=A1)
        assert (caught.value.code, caught.value.sql) == ("23503", None)
        assert await session.heads() == BASE

    async def test_syntax_error(self, session: PostgresSession) -> None:
        """A statement that cannot even be read is named too."""
        block = [Statement("CREATE TABLE a (id INTEGER)"), Statement("CREATE TABEL b ()")]
        with pytest.raises(StatementError, match='near "TABEL"') as caught:
            await session.apply(block, before=BASE, after=A1)
        assert caught.value.sql == "CREATE TABEL b ()"

    async def test_comments_and_semicolons(self, session: PostgresSession) -> None:
        """Statements are kept apart, whatever they end in."""
        block = [
            Statement("CREATE TABLE a (id INTEGER) -- the first"),
            Statement("CREATE TABLE b (id INTEGER);"),
            Statement("/* nothing */"),
        ]
        await session.apply(block, before=BASE, after=A1)
        assert await session.heads() == A1

    async def test_stamp_that_is_not_kept(
        self, session: PostgresSession, beside: asyncpg.Connection
    ) -> None:
        """A stamp is read back: what a trigger makes of it is an error, and nothing is kept."""
        await session.stamp(before=BASE, after=A1)
        await beside.execute(
            "CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS"
            " $$BEGIN NEW.version_num := 'zz'; RETURN NEW; END$$;"
            "CREATE TRIGGER meddle BEFORE INSERT ON alembic_version"
            " FOR EACH ROW EXECUTE FUNCTION meddle()"
        )
        with pytest.raises(StatementError, match="look for a trigger"):
            await session.stamp(before=A1, after=frozenset({"b2"}))
        assert await session.heads() == A1

    async def test_table_as_alembic_makes_it(
        self, database: str, beside: asyncpg.Connection
    ) -> None:
        """The version table has Alembic's column and the name of its constraint."""
        async with session_on(database, version_table="versions") as session:
            await session.stamp(before=BASE, after=A1)
        name = await beside.fetchval(
            "SELECT conname FROM pg_constraint WHERE conrelid = 'versions'::regclass"
        )
        column = await beside.fetchrow(
            "SELECT data_type, character_maximum_length, is_nullable"
            " FROM information_schema.columns WHERE table_name = 'versions'"
        )
        assert name == "versions_pkc"
        assert tuple(column) == ("character varying", 32, "NO")

    async def test_revision_too_long(self, session: PostgresSession) -> None:
        """A revision that does not fit the column is refused; nothing is changed."""
        with pytest.raises(StatementError) as caught:
            await session.stamp(before=BASE, after=frozenset({"x" * 33}))
        assert caught.value.code == "22001"
        assert await session.heads() == BASE

    async def test_odd_revisions(self, session: PostgresSession) -> None:
        """Quotes, dollars and backslashes in a revision are data."""
        odd = frozenset({"it's", "$levelhead$", 'a"b', "back\\slash", "ü"})
        await session.stamp(before=BASE, after=odd)
        assert await session.heads() == odd
        with pytest.raises(StampConflictError) as caught:
            await session.stamp(before=A1, after=BASE)
        assert caught.value.found == odd

    async def test_not_the_owner(self, database: str, beside: asyncpg.Connection) -> None:
        """A role that may not create the version table gets a StatementError with the reason."""
        user = f"test_{secrets.token_hex(4)}"
        await beside.execute(f"CREATE ROLE {user} LOGIN PASSWORD 'x'")
        server = urlsplit(database).netloc.rpartition("@")[2]
        url = urlsplit(database)._replace(netloc=f"{user}:x@{server}").geturl()
        try:
            async with session_on(url) as session:
                with pytest.raises(StatementError, match="permission denied for schema") as caught:
                    await session.stamp(before=BASE, after=A1)
        finally:
            await beside.execute(f"DROP ROLE {user}")
        assert caught.value.code == "42501"
