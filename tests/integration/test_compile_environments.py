"""What env.py does beside its scripts: replayed where that is sure, else the steps run live."""

from __future__ import annotations

import pytest

from sync.errors import ScriptError
from sync.plan.model import StepClass
from tests.support.engine import (
    at,
    execute,
    opened_runtime,
    ordered_one,
    query,
    settings_for,
    tables,
)
from tests.support.histories import ASYNC_ENV, Scripts
from tests.support.parity import Pair, classes, plan_for, run_live
from tests.support.postgres import Databases

ENV = """\
from alembic import context
from sqlalchemy import create_engine, event, pool, text

url = context.config.get_main_option("sqlalchemy.url")
engine = create_engine(url, poolclass=pool.NullPool{arguments})
{ahead}
with engine.connect() as connection:
    {connected}
    context.configure(connection=connection{options})
    with context.begin_transaction():
        {within}
        context.run_migrations()
        {behind}
"""

#: Ways in which env.py comes by its URL: its own text, and lines of the history's settings.
WAYS = {
    "variable": ('os.environ["APP_URL"]', 'env = { APP_URL = "{url}" }'),
    "attribute": ('context.config.attributes["url"]', 'attributes = { url = "{url}" }'),
    "hook": ('context.config.attributes["told"]', 'hook = "preparation:prepare"'),
}
GIVEN = """\
import os
from alembic import context
from sqlalchemy import create_engine, pool

engine = create_engine({url}, poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection)
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
    config.attributes["told"] = config.get_main_option("sqlalchemy.url")
"""

#: Ways in which env.py makes a setting on its own connection.
SETTINGS = {
    "statement": {"connected": "connection.execute(text(\"SET TimeZone TO 'Asia/Tokyo'\"))"},
    "function": {
        "connected": "connection.execute(text("
        "\"SELECT set_config('TimeZone', 'Asia/Tokyo', false)\"))"
    },
    "option": {"arguments": ', connect_args={"options": "-cTimeZone=Asia/Tokyo"}'},
    "event": {
        "ahead": '@event.listens_for(engine, "connect")\n'
        "def prepare(link, record):\n"
        "    link.cursor().execute(\"SET TimeZone TO 'Asia/Tokyo'\")\n"
        "    link.commit()"
    },
}

TELL = "op.execute(\"CREATE TABLE told AS SELECT current_setting('{}') AS it\")"


def env_with(**parts: str) -> str:
    """Return an env.py with these parts, and nothing elsewhere."""
    nothing = {"arguments": "", "ahead": "", "options": ""}
    idle = {"connected": "pass", "within": "pass", "behind": "pass"}
    return ENV.format(**{**nothing, **idle, **parts})


async def replayed(scripts: Scripts, databases: Databases, history: str) -> None:
    """Require the history to be compiled, and replayed on a database."""
    scripts.add_tables("a1", "a2")
    url, place = await databases(2)
    settings = settings_for(scripts, [url], shadow=place, history=history)
    async with opened_runtime(settings) as runtime:
        run = await ordered_one(runtime)
        assert (run.error, run.after) == (None, at("a2"))
        assert await run_live(runtime, run) == set()
    assert await tables(url) == {"alembic_version", "a1", "a2"}


@pytest.mark.parametrize("way", WAYS)
async def test_env_py_gets_the_url_of_a_shadow_its_own_way(
    scripts: Scripts, databases: Databases, way: str
) -> None:
    """A variable, an attribute or a hook lead to the shadow as they lead to a target."""
    text, history = WAYS[way]
    scripts.write_env(GIVEN.format(url=text))
    (scripts.folder / "preparation.py").write_text(HOOK)
    await replayed(scripts, databases, history)


async def test_env_py_is_lent_a_connection_to_a_shadow(
    scripts: Scripts, databases: Databases
) -> None:
    """Where env.py takes a connection that somebody else has made, it gets ours."""
    scripts.write_env(LENT)
    await replayed(scripts, databases, 'attributes = { connection = "{connection}" }')


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
async def test_an_asynchronous_env_py(scripts: Scripts, databases: Databases, driver: str) -> None:
    """The env.py of `alembic init --template async` is compiled on both of its drivers."""
    scripts.write_env(ASYNC_ENV)
    await replayed(scripts, databases, f'driver = "{driver}"')


@pytest.mark.parametrize("way", SETTINGS)
async def test_a_setting_of_env_py_holds_for_scripts(
    scripts: Scripts, databases: Databases, way: str
) -> None:
    """However env.py sets up its connection, scripts find ours so: replayed, and live."""
    replayed, live, place = await databases(3)
    scripts.write_env(env_with(**SETTINGS[way]))
    scripts.add("a1", TELL.format("TimeZone"))
    plan = await plan_for(scripts, replayed, place)
    assert classes(plan) == {"a1": StepClass.STATIC}
    assert plan.prologue == ("SELECT pg_catalog.set_config('TimeZone', 'Asia/Tokyo', false)",)
    for url, shadow in ((replayed, place), (live, "none")):
        async with opened_runtime(settings_for(scripts, [url], shadow=shadow)) as runtime:
            assert (await ordered_one(runtime)).error is None
        assert await query(url, "SELECT it FROM told") == [("Asia/Tokyo",)]


async def test_a_setting_that_only_scripts_know_of(scripts: Scripts, databases: Databases) -> None:
    """The server does not list a setting with a dot; it is heard when env.py makes it."""
    replayed, live, place = await databases(3)
    scripts.write_env(env_with(connected="connection.execute(text(\"SET app.who = 'ada'\"))"))
    scripts.add("a1", TELL.format("app.who"))
    for url, shadow in ((replayed, place), (live, "none")):
        async with opened_runtime(settings_for(scripts, [url], shadow=shadow)) as runtime:
            assert (await ordered_one(runtime)).error is None
        assert await query(url, "SELECT it FROM told") == [("ada",)]


async def test_the_role_that_env_py_takes(scripts: Scripts, databases: Databases) -> None:
    """What scripts create belongs to the role that env.py has set."""
    replayed, live, place = await databases(3)
    await execute(place, "CREATE ROLE builder_of_tables")
    for url in (replayed, live):
        await execute(url, "GRANT ALL ON SCHEMA public TO builder_of_tables")
    scripts.write_env(
        env_with(
            connected="connection.execute("
            'text("GRANT ALL ON SCHEMA public TO builder_of_tables"))\n'
            '    connection.execute(text("SET ROLE builder_of_tables"))\n'
            "    connection.commit()"
        )
    )
    scripts.add("a1", 'op.execute("CREATE TABLE told ()")')
    try:
        for url, shadow in ((replayed, place), (live, "none")):
            async with opened_runtime(settings_for(scripts, [url], shadow=shadow)) as runtime:
                assert (await ordered_one(runtime)).error is None
            owner = "SELECT tableowner FROM pg_tables WHERE tablename = 'told'"
            assert await query(url, owner) == [("builder_of_tables",)]
    finally:
        for url in (replayed, live):
            await execute(url, "DROP OWNED BY builder_of_tables")
        await execute(place, "DROP ROLE builder_of_tables")


async def test_another_place_of_the_version_table_is_refused(scripts: Scripts, url: str) -> None:
    """A search_path that moves the version table where nobody looks for it is named."""
    scripts.write_env(
        env_with(
            connected='connection.execute(text("CREATE SCHEMA IF NOT EXISTS app"))\n'
            '    connection.execute(text("SET search_path TO app"))\n'
            "    connection.commit()"
        )
    )
    scripts.add_tables("a1")
    with pytest.raises(ScriptError, match=r"in schema 'app'.*set schema = 'app' of the target"):
        await plan_for(scripts, url, url)


async def test_what_may_come_again_is_sent_ahead(scripts: Scripts, databases: Databases) -> None:
    """CREATE SCHEMA IF NOT EXISTS of env.py reaches the target ahead of the first statement."""
    plain, ours, place = await databases(3)
    scripts.write_env(
        env_with(
            within='context.get_bind().execute(text("CREATE SCHEMA IF NOT EXISTS extra"))',
        )
    )
    scripts.add("a1", 'op.execute("CREATE TABLE extra.t (id int)")')
    scripts.add("a2", 'op.execute("CREATE TABLE extra.u (id int)")')
    async with opened_runtime(settings_for(scripts, [ours], shadow=place)) as runtime:
        pair = Pair(scripts, runtime, plain, ours)
        runs = [await pair.sync("a1"), await pair.sync("a2")]
        assert [await run_live(runtime, run) for run in runs] == [set(), set()]


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        (
            {"behind": 'context.get_bind().execute(text("GRANT ALL ON SCHEMA public TO public"))'},
            "env.py sends SQL of its own: GRANT ALL ON SCHEMA public TO public",
        ),
        (
            {"behind": 'context.get_bind().execute(text("CREATE SCHEMA IF NOT EXISTS late"))'},
            "env.py sends SQL of its own: CREATE SCHEMA IF NOT EXISTS late",
        ),
        (
            {"within": 'context.get_bind().execute(text("SET LOCAL work_mem = 9999"))'},
            "env.py sends SQL of its own: SET LOCAL work_mem = 9999",
        ),
        (
            {"connected": 'connection.execute(text("SELECT pg_advisory_lock(7)"))'},
            "hook or env.py calls pg_advisory_lock()",
        ),
        (
            {"within": 'context.get_bind().scalar(text("SELECT count(*) FROM pg_stat_activity"))'},
            "hook or env.py reads pg_stat_activity, env.py line 11",
        ),
    ],
    ids=["grants", "late", "local", "lock", "reads"],
)
async def test_sql_of_its_own_has_all_steps_run_live(
    scripts: Scripts, url: str, parts: dict[str, str], why: str
) -> None:
    """Where env.py itself acts on the database, or goes by what is in it, nothing is replayed."""
    scripts.write_env(env_with(**parts))
    scripts.add_tables("a1", "a2")
    plan = await plan_for(scripts, url, url)
    assert [(step.kind, step.why) for step in plan.steps] == [(StepClass.LIVE, (why,))] * 2


async def test_a_look_at_the_catalog_has_the_first_step_run_live(
    scripts: Scripts, url: str
) -> None:
    """env.py may do once what the catalog tells it to do; that comes with the first script."""
    scripts.write_env(env_with(connected="connection.scalar(text(\"SELECT to_regclass('old')\"))"))
    scripts.add_tables("a1", "a2")
    plan = await plan_for(scripts, url, url)
    assert classes(plan) == {"a1": StepClass.LIVE, "a2": StepClass.STATIC}
    assert plan.steps[0].why == ("hook or env.py reads the catalog",)


async def test_what_env_py_does_at_each_version(scripts: Scripts, databases: Databases) -> None:
    """Functions of on_version_apply are part of their steps: replayed like these, or live."""
    plain, ours, place = await databases(3)
    ahead = (
        "def note(*, ctx, step, heads, run_args):\n"
        "    where = step.up_revision_id\n"
        "    ctx.connection.execute(text(f\"INSERT INTO trail VALUES ('{where}')\"))"
    )
    scripts.write_env(env_with(ahead=ahead, options=", on_version_apply=note"))
    scripts.add("a1", 'op.execute("CREATE TABLE trail (at text)")')
    scripts.add_tables("a2")
    async with opened_runtime(settings_for(scripts, [ours], shadow=place)) as runtime:
        run = await Pair(scripts, runtime, plain, ours).sync()
        assert await run_live(runtime, run) == set()
    assert await query(ours, "SELECT at FROM trail ORDER BY 1") == [("a1",), ("a2",)]
