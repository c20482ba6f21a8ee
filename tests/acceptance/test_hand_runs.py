"""Alembic called by hand through the sample's env.py: its lock, its URL, its error lines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.support.sample import Sample, copy_sample

LOCK = """hashtextextended(
    concat_ws(':', 'levelhead', current_database(), current_schema(), 'alembic_version'), 0)"""

LOOK_AND_LEAVE_TRANSACTION = '''\
def upgrade() -> None:
    op.execute("""
        CREATE TABLE held AS SELECT (classid::bigint << 32) | objid::bigint AS key
        FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid = pg_backend_pid()
    """)
    with op.get_context().autocommit_block():
        op.execute("CREATE INDEX CONCURRENTLY ix_users_name ON users (name)")


def downgrade() -> None:
    op.drop_table("held")
'''

AS_A_RUNNER_CALLS = """\
from alembic import command
from alembic.config import Config

config = Config("alembic.ini")
config.set_main_option("sqlalchemy.url", {url!r})
config.attributes["levelhead.lock_held"] = True
command.upgrade(config, "head")
"""


@pytest.fixture
def sample(tmp_path: Path, database: str) -> Sample:
    """Give a copy of the project, and an empty database."""
    return copy_sample(tmp_path / "project", database)


@asynccontextmanager
async def somebody_migrating(sample: Sample) -> AsyncIterator[None]:
    """Hold the migration lock on another connection."""
    connection = await asyncpg.connect(sample.url)
    try:
        assert await connection.fetchval(f"SELECT pg_try_advisory_lock({LOCK})")
        yield
    finally:
        await connection.close()


async def test_it_waits_for_whoever_migrates(sample: Sample) -> None:
    """A hand-run changes nothing while somebody else holds the lock, and goes on afterwards."""
    async with asyncio.TaskGroup() as group, somebody_migrating(sample):
        upgrade = group.create_task(sample.run("alembic upgrade head"))
        await until_both_are_idle(sample)
        await asyncio.sleep(1)  # without the lock it would have ended well before that
        await until_both_are_idle(sample)
        assert not upgrade.done()
        assert await sample.columns("users") == {}
    assert await sample.columns("users")


async def until_both_are_idle(sample: Sample) -> None:
    """Wait until the lock's holder and a hand-run are connected, neither in a transaction."""
    idle = (
        "SELECT pid FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = 'idle'"
    )
    async with asyncio.timeout(90):
        while len(await sample.query(idle)) < 2:  # noqa: ASYNC110 - they are other processes
            await asyncio.sleep(0.05)


async def test_its_patience_ends_with_one_line(sample: Sample) -> None:
    """Where the lock does not come free in time, it says so and changes nothing."""
    sample.edit("alembic.ini", "lock_wait = 30", "lock_wait = 1")
    async with somebody_migrating(sample):
        outcome = await sample.attempt("alembic upgrade head")
    assert outcome.code != 0
    assert outcome.out == (
        "FAILED: somebody else is migrating this database; waited 1 s, try again later\n"
    )
    assert "Traceback" not in outcome.err
    assert await sample.columns("users") == {}


@pytest.mark.parametrize("driver", ["postgresql", "postgresql+psycopg"])
async def test_it_holds_the_lock_on_the_connection_that_migrates(
    sample: Sample, driver: str
) -> None:
    """The session that runs the SQL holds the lock, and autocommit_block works under it."""
    await sample.run('alembic revision -m "look"')
    sample.fill("look", LOOK_AND_LEAVE_TRANSACTION)
    url = urlsplit(sample.url)._replace(scheme=driver).geturl()
    await sample.run("alembic upgrade head", DATABASE_URL=url)
    assert await sample.query("SELECT key FROM held") == await sample.query(f"SELECT {LOCK}")
    assert await sample.query(
        "SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_users_name'::regclass"
    ) == [(True,)]


async def test_it_leaves_the_lock_to_a_runner(sample: Sample) -> None:
    """Where `levelhead.lock_held` is set, whoever called holds the lock; the URL is theirs too."""
    sample.write("call.py", AS_A_RUNNER_CALLS.format(url=sample.url))
    async with somebody_migrating(sample):
        await sample.run("python call.py", DATABASE_URL="postgresql://127.0.0.1:1/nowhere")
    assert await sample.columns("users")


async def test_each_revision_commits_for_itself(sample: Sample) -> None:
    """A revision that fails takes none of those before it back."""
    await sample.run('alembic revision -m "fail"')
    sample.fill("fail", 'def upgrade() -> None:\n    op.execute("SELECT 1 / 0")\n')
    assert (await sample.attempt("alembic upgrade head")).code != 0
    assert await sample.version() == {sample.revision("add_title_to_users")}


async def test_the_url_comes_from_the_usual_variables(sample: Sample) -> None:
    """Without DATABASE_URL, PGHOST and its like say where the local database is."""
    url = urlsplit(sample.url)
    await sample.run(
        "alembic upgrade head",
        DATABASE_URL="",
        POSTGRES_PROVIDER="local",
        PGHOST=str(url.hostname),
        PGPORT=str(url.port),
        PGPASSWORD=url.password or "",
        PGDATABASE=url.path.removeprefix("/"),
    )
    assert await sample.columns("users")


WAREHOUSE = "databricks://token:s3cret@h"

#: A warehouse that is nowhere, by its variables.
BY_WAREHOUSE = {
    "POSTGRES_PROVIDER": "databricks",
    "DATABASE_URL": "",
    "DATABRICKS_HOST": "h",
    "DATABRICKS_HTTP_PATH": "/sql/1.0/warehouses/x",
    "DATABRICKS_TOKEN": "s3cret",
}


@pytest.mark.parametrize(
    ("environ", "line"),
    [
        (
            {"POSTGRES_PROVIDER": "databricks", "DATABASE_URL": "", "DATABRICKS_HOST": "h"},
            "POSTGRES_PROVIDER is 'databricks'; set DATABRICKS_HTTP_PATH",
        ),
        (
            {
                "POSTGRES_PROVIDER": "lakebase",
                "DATABASE_URL": "lakebase://token:s3cret@127.0.0.1:1/app",
            },
            "cannot use lakebase: lakebase: its URL cannot be used: ",
        ),
        (
            {"POSTGRES_PROVIDER": "lakebase", "DATABASE_URL": "", "DATABRICKS_HOST": "h"},
            "POSTGRES_PROVIDER is 'lakebase'; set DATABRICKS_HOST, and one of LAKEBASE_INSTANCE",
        ),
        (
            {"POSTGRES_PROVIDER": "lakebase", "DATABASE_URL": "postgresql://me:s3cret@h/app"},
            "POSTGRES_PROVIDER is 'lakebase', but DATABASE_URL begins with postgresql://; correct",
        ),
        (
            {**BY_WAREHOUSE, "DATABRICKS_HOST": "127.0.0.1:x"},
            "DATABRICKS_HOST is '127.0.0.1:x'; write a host, or host:port",
        ),
        (
            {**BY_WAREHOUSE, "DATABRICKS_HOST": "https://[::1]:1/?o=1"},
            "cannot connect to databricks://[::1]:1: HTTPSConnectionPool(host='::1', port=1)",
        ),
        (
            {**BY_WAREHOUSE, "DATABRICKS_HOST": "[::1]"},
            "cannot connect to databricks://[::1]: HTTPSConnectionPool(host='::1', port=443)",
        ),
        (
            {**BY_WAREHOUSE, "DATABRICKS_CATALOG": "hive_metastore"},
            "cannot connect to databricks://h: catalog hive_metastore is outside of Unity",
        ),
        (
            {
                **BY_WAREHOUSE,
                "DATABASE_URL": "databricks://token:s3cret@h?http_path=/x&_tls_no_verify=1",
            },
            "cannot connect to databricks://h: _tls_no_verify cannot be given: certificates are",
        ),
        (
            {**BY_WAREHOUSE, "DATABASE_URL": WAREHOUSE},
            "cannot connect to databricks://h: it lacks http_path",
        ),
        (
            {"POSTGRES_PROVIDER": "elsewhere"},
            "POSTGRES_PROVIDER is 'elsewhere'; choose one of: databricks, lakebase, local",
        ),
        (
            {"DATABASE_URL": "s3cret"},
            "DATABASE_URL is no URL; write postgresql://user@host/database",
        ),
        ({"DATABASE_URL": "", "PGPORT": "x"}, "PGPORT is 'x'; write a whole number"),
        (
            {"DATABASE_URL": "postgresql://me:s3cret@127.0.0.1:1/app?sslmode=disable"},
            "cannot connect to postgresql+asyncpg://127.0.0.1:1/app: ",
        ),
        (
            {"DATABASE_URL": "nosuch://me:s3cret@127.0.0.1/app"},
            "cannot use nosuch: Can't load plugin: sqlalchemy.dialects:nosuch",
        ),
    ],
    ids=[
        "databricks",
        "lakebase",
        "no instance",
        "another's URL",
        "no port",
        "port and path",
        "IPv6",
        "hive_metastore",
        "no TLS",
        "no warehouse",
        "no such provider",
        "no URL",
        "no number",
        "nobody listens",
        "unknown dialect",
    ],
)
async def test_bad_input_gives_one_line(tmp_path: Path, environ: dict[str, str], line: str) -> None:
    """A wrong setting is named in one line, without traceback or password."""
    sample = copy_sample(tmp_path / "project", "postgresql://127.0.0.1:1/nowhere")
    outcome = await sample.attempt("alembic current", **environ)
    assert outcome.code != 0
    assert outcome.out.startswith(f"FAILED: {line}")
    assert len(outcome.out.splitlines()) == 1
    assert "Traceback" not in outcome.err
    assert "s3cret" not in outcome.out + outcome.err
