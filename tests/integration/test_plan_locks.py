"""What the plan shows as locks is what a server takes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from sync.plan.locks import Lock, locks

TABLES = """
    CREATE TABLE a (id int PRIMARY KEY, b_id int, t text);
    CREATE TABLE b (id int PRIMARY KEY);
    CREATE TABLE "Odd Name" (id int);
    CREATE SCHEMA s;
    CREATE TABLE s.c (id int);
    CREATE TABLE parted (id int) PARTITION BY LIST (id);
    CREATE TABLE part1 PARTITION OF parted FOR VALUES IN (1);
    CREATE TABLE part2 (id int);
    CREATE INDEX ix ON a (b_id);
    ALTER TABLE a ADD CONSTRAINT ck CHECK (id > 0) NOT VALID;
    CREATE MATERIALIZED VIEW mv AS SELECT 1 AS id;
    CREATE UNIQUE INDEX ix_mv ON mv (id);
    CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
    CREATE TRIGGER tr AFTER INSERT ON a FOR EACH ROW EXECUTE FUNCTION f();
"""

#: Statement -> the locks on tables that are there already.
CASES = {
    "INSERT INTO a (id) VALUES (1)": {"a": "ROW EXCLUSIVE"},
    "UPDATE ONLY a SET t = 'x; DROP TABLE b'": {"a": "ROW EXCLUSIVE"},
    "DELETE FROM s.c": {"s.c": "ROW EXCLUSIVE"},
    "CREATE INDEX ON a (t)": {"a": "SHARE"},
    "CREATE UNIQUE INDEX IF NOT EXISTS ix2 ON ONLY a USING btree (t)": {"a": "SHARE"},
    'create index ix3 on "Odd Name" (id)': {'"Odd Name"': "SHARE"},
    "CREATE TABLE n (id int REFERENCES b (id), n_id int)": {"b": "SHARE ROW EXCLUSIVE"},
    "CREATE TABLE part3 PARTITION OF parted FOR VALUES IN (3)": {"parted": "ACCESS EXCLUSIVE"},
    "CREATE TABLE n (id int)": {},
    "CREATE TRIGGER tr2 BEFORE UPDATE OF t ON a FOR EACH ROW EXECUTE FUNCTION f()": {
        "a": "SHARE ROW EXCLUSIVE"
    },
    "CREATE STATISTICS st ON b_id, t FROM a": {"a": "SHARE UPDATE EXCLUSIVE"},
    "COMMENT ON TABLE a IS 'x'": {"a": "SHARE UPDATE EXCLUSIVE"},
    "COMMENT ON COLUMN s.c.id IS 'x'": {"s.c": "SHARE UPDATE EXCLUSIVE"},
    "ALTER TABLE a ADD COLUMN c int": {"a": "ACCESS EXCLUSIVE"},
    "ALTER TABLE a ADD COLUMN c int REFERENCES b (id)": {
        "a": "ACCESS EXCLUSIVE",
        "b": "SHARE ROW EXCLUSIVE",
    },
    "ALTER TABLE a ADD FOREIGN KEY (b_id) REFERENCES b (id)": {
        "a": "SHARE ROW EXCLUSIVE",
        "b": "SHARE ROW EXCLUSIVE",
    },
    "ALTER TABLE a ADD CONSTRAINT fk FOREIGN KEY(b_id) REFERENCES b (id) NOT VALID": {
        "a": "SHARE ROW EXCLUSIVE",
        "b": "SHARE ROW EXCLUSIVE",
    },
    "ALTER TABLE a ADD CONSTRAINT u UNIQUE (t)": {"a": "ACCESS EXCLUSIVE"},
    "ALTER TABLE a VALIDATE CONSTRAINT ck": {"a": "SHARE UPDATE EXCLUSIVE"},
    "ALTER TABLE IF EXISTS a VALIDATE CONSTRAINT ck, DROP COLUMN t": {"a": "ACCESS EXCLUSIVE"},
    "ALTER TABLE a ALTER COLUMN t SET STATISTICS 100": {"a": "SHARE UPDATE EXCLUSIVE"},
    "ALTER TABLE a ALTER t SET (n_distinct = 5)": {"a": "SHARE UPDATE EXCLUSIVE"},
    "ALTER TABLE a ALTER COLUMN t SET NOT NULL": {"a": "ACCESS EXCLUSIVE"},
    "ALTER TABLE a SET (fillfactor = 70, autovacuum_enabled = false)": {
        "a": "SHARE UPDATE EXCLUSIVE"
    },
    "ALTER TABLE a SET (fillfactor = 70, user_catalog_table = false)": {"a": "ACCESS EXCLUSIVE"},
    "ALTER TABLE a DISABLE TRIGGER tr": {"a": "SHARE ROW EXCLUSIVE"},
    "ALTER TABLE a ENABLE ALWAYS TRIGGER tr": {"a": "SHARE ROW EXCLUSIVE"},
    "ALTER TABLE a RENAME COLUMN t TO u": {"a": "ACCESS EXCLUSIVE"},
    "ALTER TABLE parted ATTACH PARTITION part2 FOR VALUES IN (2)": {
        "parted": "SHARE UPDATE EXCLUSIVE",
        "part2": "ACCESS EXCLUSIVE",
    },
    "ALTER INDEX ix RENAME TO iy": {"ix": "SHARE UPDATE EXCLUSIVE"},
    "TRUNCATE TABLE a, b": {"a": "ACCESS EXCLUSIVE", "b": "ACCESS EXCLUSIVE"},
    "LOCK TABLE a, b IN SHARE ROW EXCLUSIVE MODE": {
        "a": "SHARE ROW EXCLUSIVE",
        "b": "SHARE ROW EXCLUSIVE",
    },
    "LOCK a": {"a": "ACCESS EXCLUSIVE"},
    "DROP TABLE IF EXISTS b": {"b": "ACCESS EXCLUSIVE"},
    "REFRESH MATERIALIZED VIEW mv": {"mv": "ACCESS EXCLUSIVE"},
    "REFRESH MATERIALIZED VIEW CONCURRENTLY mv": {"mv": "EXCLUSIVE"},
    "-- CREATE INDEX ON b (id)\nCREATE /* b */ INDEX ON a (t)": {"a": "SHARE"},
    "DELETE FROM a; UPDATE b SET id = 1": {"a": "ROW EXCLUSIVE", "b": "ROW EXCLUSIVE"},
}

_TAKEN = """
    SELECT mode FROM pg_locks
     WHERE pid = pg_backend_pid() AND locktype = 'relation' AND relation = $1
"""


@pytest.fixture
async def connection(database: str) -> AsyncIterator[asyncpg.Connection]:
    """Give a connection to a database with some tables."""
    opened = await asyncpg.connect(database)
    await opened.execute(TABLES)
    yield opened
    await opened.close()


@pytest.mark.parametrize("sql", CASES)
async def test_what_is_shown_is_what_is_taken(connection: asyncpg.Connection, sql: str) -> None:
    """Each lock that is shown is held after the statement, in that very mode."""
    shown = {lock.on: lock.mode for lock in locks(sql, "postgresql")}
    assert shown == CASES[sql]
    oids = {table: await connection.fetchval("SELECT $1::regclass::oid", table) for table in shown}
    async with connection.transaction():
        await connection.execute(sql)
        for table, mode in shown.items():
            held = {row["mode"] for row in await connection.fetch(_TAKEN, oids[table])}
            assert f"{mode.title().replace(' ', '')}Lock" in held, held


async def test_the_lock_of_a_dropped_index(connection: asyncpg.Connection) -> None:
    """DROP INDEX locks the table of the index, whose name it does not tell."""
    sql = "DROP INDEX IF EXISTS ix"
    assert locks(sql, "postgresql") == (Lock("ACCESS EXCLUSIVE", "the table of ix"),)
    async with connection.transaction():
        await connection.execute(sql)
        table = await connection.fetchval("SELECT 'a'::regclass::oid")
        held = {row["mode"] for row in await connection.fetch(_TAKEN, table)}
        assert "AccessExclusiveLock" in held


@pytest.mark.parametrize(
    ("sql", "mode"),
    [
        ("CREATE INDEX CONCURRENTLY IF NOT EXISTS ix9 ON a (t)", "SHARE UPDATE EXCLUSIVE"),
        ("ALTER TABLE a DETACH PARTITION p CONCURRENTLY", "SHARE UPDATE EXCLUSIVE"),
    ],
)
def test_what_commits_alone(sql: str, mode: str) -> None:
    """What runs outside a transaction is taken from the manual; nobody can look afterwards."""
    assert Lock(mode, "a") in locks(sql, "postgresql")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 FROM a",
        "WITH x AS (DELETE FROM a RETURNING *) SELECT * FROM x",
        "DROP INDEX CONCURRENTLY ix",
        "REINDEX TABLE a",
        "CREATE TYPE mood AS ENUM ('happy')",
        "ALTER TYPE mood ADD VALUE 'sad'",
        "DO $$ BEGIN DROP TABLE a; END $$",
        "CREATE INDEX",
        "ALTER TABLE",
        "DROP TABLE IF EXISTS",
        "LOCK TABLE a IN NO MODE",
        "",
    ],
)
def test_no_guess(sql: str) -> None:
    """What the manual leaves open, and what cannot be followed, shows nothing."""
    assert locks(sql, "postgresql") == ()


def test_other_databases() -> None:
    """The table is that of Postgres."""
    assert locks("DROP TABLE a", "databricks") == ()
