"""Other people's environments: where env.py gets its URL, and where the versions are kept."""

from __future__ import annotations

import pytest

from providers.errors import LevelheadError
from sync.model import RunState, Selection, Status, Verb
from tests.support.engine import (
    at,
    execute,
    kinds,
    opened_runtime,
    ordered,
    ordered_one,
    query,
    settings_for,
    status,
    swept,
    tables,
    version,
)
from tests.support.histories import ASYNC_ENV, SYNC_ENV, Scripts

CONFIGURE = """\
import os

from alembic import context
from sqlalchemy import create_engine, pool

engine = create_engine({url}, poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection{options})
    with context.begin_transaction():
        context.run_migrations()
"""
LENT = """\
from alembic import context

context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():
    context.run_migrations()
"""
HOOK = """\
def prepare(config):
    config.attributes["url"] = config.get_main_option("sqlalchemy.url")
"""
WHO = """
op.create_table("a1")
op.execute(f"COMMENT ON TABLE a1 IS '{op.get_bind().dialect.driver}'")
"""


async def driver_of(url: str) -> object:
    """Return which driver the script ran on."""
    ((found,),) = await query(url, "SELECT obj_description('a1'::regclass)")
    return found


@pytest.mark.parametrize(
    ("env", "history", "driver"),
    [
        (SYNC_ENV, "", "psycopg"),
        (ASYNC_ENV, "", "psycopg"),
        (ASYNC_ENV, 'driver = "asyncpg"', "asyncpg"),
    ],
    ids=["sync", "async", "asyncpg"],
)
async def test_env_py_runs_unmodified(
    scripts: Scripts, url: str, env: str, history: str, driver: str
) -> None:
    """What `alembic init` writes works, on the driver that the settings name or that fits."""
    scripts.write_env(env)
    scripts.add("a1", WHO)
    async with opened_runtime(settings_for(scripts, [url], history=history)) as runtime:
        assert [(run.state, run.error) for run in await swept(runtime)] == [
            (RunState.SUCCEEDED, None)
        ]
    assert await driver_of(url) == driver


async def test_the_driver_in_the_url_stands(scripts: Scripts, url: str) -> None:
    """Where the target's URL names a driver, the scripts run on that one."""
    scripts.write_env(ASYNC_ENV)
    scripts.add("a1", WHO)
    url_with_driver = url.replace("postgresql:", "postgresql+asyncpg:")
    async with opened_runtime(settings_for(scripts, [url_with_driver])) as runtime:
        assert [run.error for run in await swept(runtime)] == [None]
    assert await driver_of(url) == "asyncpg"


@pytest.mark.parametrize(
    ("env", "history"),
    [
        (
            CONFIGURE.format(url='os.environ["APP_URL"]', options=""),
            'env = { APP_URL = "{url}" }',
        ),
        (
            CONFIGURE.format(url='context.config.attributes["url"]', options=""),
            'attributes = { url = "{url}" }',
        ),
        (LENT, 'attributes = { connection = "{connection}" }'),
        (
            CONFIGURE.format(url='context.config.attributes["url"]', options=""),
            'hook = "preparation:prepare"',
        ),
    ],
    ids=["variable", "attribute", "connection", "hook"],
)
async def test_env_py_gets_its_url_its_own_way(
    scripts: Scripts, url: str, env: str, history: str
) -> None:
    """A variable, an attribute, a lent connection or a hook: the settings serve each."""
    scripts.write_env(env)
    (scripts.folder / "preparation.py").write_text(HOOK)
    scripts.add_tables("a1", "a2")
    async with opened_runtime(settings_for(scripts, [url], history=history)) as runtime:
        assert [(run.after, run.error) for run in await swept(runtime)] == [(at("a2"), None)]
        assert (await ordered_one(runtime, Verb.DOWNGRADE, "a1")).after == at("a1")
    assert await version(url) == {"a1"}


async def test_the_version_table_may_have_another_name_and_place(
    scripts: Scripts, url: str
) -> None:
    """`version_table` and `version_table_schema` of the history are where heads are read."""
    await execute(url, "CREATE SCHEMA ledger")
    options = ', version_table="changes", version_table_schema="ledger"'
    scripts.write_env(CONFIGURE.format(url='os.environ["APP_URL"]', options=options))
    scripts.add_tables("a1", "a2")
    history = (
        'env = { APP_URL = "{url}" }\nversion_table = "changes"\nversion_table_schema = "ledger"'
    )
    async with opened_runtime(settings_for(scripts, [url], history=history)) as runtime:
        await swept(runtime)
        assert (await status(runtime)).status is Status.CURRENT
        assert (await ordered_one(runtime, Verb.STAMP, "a1")).after == at("a1")
    assert await version(url, "ledger.changes") == {"a1"}
    assert "alembic_version" not in await tables(url)


async def test_another_version_table_than_env_py_uses_is_refused(
    scripts: Scripts, url: str
) -> None:
    """Where env.py stamps a table that nobody watches, nothing is done, and one line says so."""
    scripts.write_env(
        CONFIGURE.format(url='os.environ["APP_URL"]', options=', version_table="changes"')
    )
    scripts.add_tables("a1")
    settings = settings_for(scripts, [url], history='env = { APP_URL = "{url}" }')
    async with opened_runtime(settings) as runtime:
        assert [(run.state, run.error) for run in await swept(runtime)] == [
            (
                RunState.FAILED,
                (
                    "history app: env.py uses version_table 'changes', the settings say "
                    "'alembic_version'; set version_table of the history"
                ),
            )
        ]
        assert await runtime.sweep() is None
    assert await tables(url) == set()


async def test_two_schemas_of_one_database_are_two_targets(scripts: Scripts, url: str) -> None:
    """Tenants of one database follow one history, each with a version table of its own."""
    await execute(url, 'CREATE SCHEMA one; CREATE SCHEMA "Two"')
    scripts.add_tables("a1", "a2")
    schemas = ('schema = "one"', 'schema = "Two"')
    async with opened_runtime(settings_for(scripts, [url, url], target=schemas)) as runtime:
        assert [run.error for run in await swept(runtime)] == [None, None]
        await ordered(runtime, Verb.DOWNGRADE, "a1", "db-1")
        assert [s.heads for s in await runtime.statuses(Selection())] == [at("a1"), at("a2")]
    assert await version(url, "one.alembic_version") == {"a1"}
    assert await version(url, '"Two".alembic_version') == {"a2"}
    assert await query(url, "SELECT to_regclass('one.a2'), to_regclass('\"Two\".a2')::text") == [
        (None, '"Two".a2')
    ]
    assert await query(url, "SELECT FROM pg_tables WHERE schemaname = 'public'") == []


async def test_two_heads_are_a_persons_choice(scripts: Scripts, url: str) -> None:
    """The clock does not choose between heads; `heads` applies both, and a merge goes on."""
    scripts.add_tables("a1")
    scripts.add("b1", 'op.create_table("b1")', after="a1")
    scripts.add("b2", 'op.create_table("b2")', after="a1")
    async with opened_runtime(settings_for(scripts, [url])) as runtime:
        assert await runtime.sweep() is None
        found = await status(runtime)
        assert (found.status, found.head) == (Status.BEHIND, at("b1", "b2"))
        assert found.problem == ("history app: has 2 heads (b1, b2); merge them with alembic merge")
        refused = await ordered_one(runtime)
        assert refused.state is RunState.FAILED
        assert refused.error
        assert refused.error.startswith("history app: has 2 heads (b1, b2); merge them")
        assert (await ordered_one(runtime, to="heads")).after == at("b1", "b2")
        scripts.add("c1", "pass", after=("b1", "b2"))
        (merged,) = await swept(runtime)
        assert (merged.before, merged.after) == (at("b1", "b2"), at("c1"))
    assert await version(url) == {"c1"}


async def test_an_unknown_revision_is_refused(scripts: Scripts, url: str) -> None:
    """A revision that the history does not have is named, and nothing is done."""
    scripts.add_tables("a1")
    async with opened_runtime(settings_for(scripts, [url])) as runtime:
        run = await ordered_one(runtime, to="feed")
        assert (run.state, run.error) == (
            RunState.FAILED,
            "history app: Can't locate revision identified by 'feed'; run levelhead check",
        )
        assert "run.started" not in await kinds(runtime)
    assert await tables(url) == set()


async def test_a_history_that_cannot_be_loaded_is_on_record_once(
    scripts: Scripts, url: str
) -> None:
    """Scripts with a broken chain stop the clock, not the service; mended, it goes on."""
    scripts.add("a2", "pass", after="a1")
    async with opened_runtime(settings_for(scripts, [url])) as runtime:
        for _ in range(2):
            assert await runtime.sweep() is None
        assert (await kinds(runtime)).count("history.failed") == 1
        assert (await status(runtime)).status is Status.UNKNOWN
        with pytest.raises(
            LevelheadError, match="history app: a revision follows 'a1', which does not exist"
        ):
            await runtime.graph("app")
        scripts.add("a1", "pass", after=None)
        assert [run.after for run in await swept(runtime)] == [at("a2")]


async def test_a_connection_that_env_py_does_not_get(scripts: Scripts, url: str) -> None:
    """That env.py cannot connect is no mistake in a script: the clock tries again by itself."""
    scripts.write_env(CONFIGURE.format(url='"postgresql+psycopg://127.0.0.1:1/d"', options=""))
    scripts.add_tables("a1")
    async with opened_runtime(settings_for(scripts, [url])) as runtime:
        assert [(run.state, run.error) for run in await swept(runtime)] == [
            (RunState.FAILED, "db-1: OperationalError while env.py connected; try again")
        ]
        assert (await status(runtime)).retry_at is not None
