from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest

from providers.base import Session
from providers.errors import StampConflictError, StatementError
from providers.postgres.session import PostgresSession
from providers.types import BASE, Outcome, Statement
from tests.integration.sessions import as_user, session_on

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


class TestConcurrentIndex:
    """CREATE INDEX CONCURRENTLY is not undone when it fails."""

    BUILD = Statement("CREATE UNIQUE INDEX CONCURRENTLY ix ON a (id)", transactional=False)
    TOLERANT = Statement("create index concurrently if not exists ix on public.a (id)")

    async def test_failure_leaves_an_invalid_index(
        self, session: PostgresSession, beside: asyncpg.Connection
    ) -> None:
        """The error says so; the statement did not take effect, and what it left can be dropped."""
        await beside.execute("CREATE TABLE a AS SELECT 1 AS id FROM generate_series(1, 2)")
        with pytest.raises(StatementError, match="left the INVALID index ix behind") as caught:
            await session.execute(self.BUILD, ticket="t1")
        assert caught.value.code == "23505"
        assert await session.resolve(self.BUILD, ticket="t1") is Outcome.ABSENT
        (drop,) = await session.remains(self.BUILD)
        assert drop == Statement("DROP INDEX CONCURRENTLY IF EXISTS public.ix", transactional=False)
        await session.execute(drop, ticket="t2")
        assert await session.remains(self.BUILD) == ()
        assert await session.resolve(drop, ticket="t2") is Outcome.APPLIED

    @pytest.mark.parametrize("makes", ["TABLE ix ()", "INDEX ix ON a (id)"])
    async def test_what_is_whole_is_no_remains(
        self, session: PostgresSession, beside: asyncpg.Connection, makes: str
    ) -> None:
        """Only an INVALID index is dropped; a valid one, or a table of its name, is not."""
        await beside.execute(f"CREATE TABLE a (id INTEGER); CREATE {makes}")
        assert await session.remains(self.BUILD) == ()

    async def test_what_is_being_built_is_no_remains(
        self, session: PostgresSession, beside: asyncpg.Connection, database: str
    ) -> None:
        """An index that somebody builds at this moment is INVALID too, and is left alone."""
        await beside.execute("CREATE TABLE a (id INTEGER)")
        await beside.execute("BEGIN; LOCK a IN ROW EXCLUSIVE MODE")
        async with session_on(database) as other, asyncio.timeout(30):
            building = asyncio.create_task(other.execute(self.BUILD, ticket="t9"))
            while not await beside.fetchval("SELECT oid FROM pg_class WHERE relname = 'ix'"):  # noqa: ASYNC110 - a database is asked
                await asyncio.sleep(0.02)
            assert await session.remains(self.BUILD) == ()
            assert await session.resolve(self.BUILD, ticket="t1") is Outcome.UNKNOWN
            await beside.execute("COMMIT")
            await building

    async def test_drop_can_be_sent_again(
        self, session: PostgresSession, beside: asyncpg.Connection
    ) -> None:
        """An index that stands was not dropped; of one that is missing nobody can tell by whom."""
        drop = Statement("DROP INDEX CONCURRENTLY public.ix", transactional=False)
        await beside.execute("CREATE TABLE a (id INTEGER); CREATE INDEX ix ON a (id)")
        assert await session.resolve(drop, ticket="t1") is Outcome.ABSENT
        await beside.execute(
            "UPDATE pg_index SET indisvalid = false WHERE NOT indisprimary"
            " AND indexrelid = 'ix'::regclass"
        )
        assert await session.resolve(drop, ticket="t1") is Outcome.ABSENT
        assert await session.remains(drop) == ()
        await session.execute(drop, ticket="t1")
        assert await session.resolve(drop, ticket="t1") is Outcome.UNKNOWN

    @pytest.mark.parametrize(
        ("sql", "left"),
        [
            ("REINDEX INDEX CONCURRENTLY ix", "ix_ccnew"),
            ("REINDEX (VERBOSE) TABLE CONCURRENTLY a", "ix_ccnew"),
            ("CREATE UNIQUE INDEX CONCURRENTLY ON a (id)", "a_id_idx"),
        ],
    )
    async def test_remains_under_another_name(
        self, session: PostgresSession, beside: asyncpg.Connection, sql: str, left: str
    ) -> None:
        """Where the statement does not say the name of what it leaves, the error does."""
        await beside.execute(
            "CREATE TABLE a AS SELECT 1 AS id FROM generate_series(1, 2);"
            "CREATE FUNCTION same(id int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT id';"
        )
        if "REINDEX" in sql:
            await beside.execute(
                "DELETE FROM a; CREATE UNIQUE INDEX ix ON a (id);"
                "UPDATE pg_index SET indisunique = false WHERE indexrelid = 'ix'::regclass;"
            )
            await beside.execute("INSERT INTO a VALUES (1), (1)")
            await beside.execute(
                "UPDATE pg_index SET indisunique = true WHERE indexrelid = 'ix'::regclass"
            )
        with pytest.raises(StatementError, match=f"INVALID now: {left}; drop what it left"):
            await session.execute(Statement(sql, transactional=False), ticket="t1")

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
        """As long as a server process still runs the ticket, it has no outcome."""
        await beside.execute("CREATE TABLE a (id INTEGER)")
        running = asyncio.create_task(beside.execute("/* levelhead:t9 */ SELECT pg_sleep(0.5)"))
        await asyncio.sleep(0.1)
        assert await session.resolve(self.BUILD, ticket="t9") is Outcome.RUNNING
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
            assert await session.resolve(self.BUILD, ticket="t9") is Outcome.RUNNING
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
        url = as_user(database, user, "x")
        try:
            async with session_on(url) as session:
                with pytest.raises(StatementError, match="permission denied for schema") as caught:
                    await session.stamp(before=BASE, after=A1)
        finally:
            await beside.execute(f"DROP ROLE {user}")
        assert caught.value.code == "42501"
