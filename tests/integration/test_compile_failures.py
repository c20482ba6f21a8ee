"""Compilations that fail: one clear line, nothing sent to any target; or the steps run live."""

from __future__ import annotations

import pytest

from providers.errors import ShadowError
from providers.types import BASE, RunnerSupport
from sync.errors import ScriptError
from sync.model import Order, RunState, Verb
from sync.plan.conversation import Failed
from sync.plan.model import StepClass
from sync.plan.processes import runners_for
from sync.plan.route import Route
from tests.support.engine import (
    at,
    execute,
    opened_runtime,
    ordered,
    ordered_one,
    query,
    settings_for,
    tables,
)
from tests.support.histories import SYNC_ENV, Scripts
from tests.support.parity import MAJOR, Pair, classes, compiled, plan_for, run_live
from tests.support.postgres import Databases

LIVE, STATIC = StepClass.LIVE, StepClass.STATIC


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            'raise ValueError("no luck")',
            "history app: ValueError: no luck (a2.py, line 11, in upgrade)",
        ),
        (
            'op.execute("ALTER TABLE a1 ADD COLUMN id int")',
            (
                'history app: revision a2 on a shadow: column "id" of relation "a1" already exists '
                "(DuplicateColumn) (a2.py, line 11, in upgrade)"
            ),
        ),
        (
            "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
            "history app: shadow of db-1: the runner was killed by signal 9 without a word",
        ),
    ],
    ids=["raises", "statement", "killed"],
)
async def test_a_script_with_a_mistake_reaches_no_target(
    scripts: Scripts, databases: Databases, body: str, message: str
) -> None:
    """The error names the script and its line; not even the scripts ahead of it are sent."""
    url, place = await databases(2)
    scripts.add_tables("a1")
    scripts.add("a2", body)
    async with opened_runtime(settings_for(scripts, [url], shadow=place)) as runtime:
        run = await ordered_one(runtime)
    assert run.state is RunState.FAILED
    assert (run.error or "").removeprefix("history app: second ") in (
        message,
        message.removeprefix("history app: "),
    )
    assert await tables(url) == set()


async def test_a_script_that_takes_too_long(scripts: Scripts, databases: Databases) -> None:
    """The time limit of scripts holds on shadows too; the run failed, and nothing is in doubt."""
    url, place = await databases(2)
    scripts.add("a1", "import time\ntime.sleep(600)")
    schedule = 'script_timeout = "4s"'
    settings = settings_for(scripts, [url], shadow=place, schedule=schedule)
    async with opened_runtime(settings) as runtime:
        run = await ordered_one(runtime)
    assert run.state is RunState.FAILED
    assert run.error
    assert "a script ran for more than" in run.error


async def test_data_that_the_shadow_does_not_have(scripts: Scripts, databases: Databases) -> None:
    """A script that needs rows runs live, and so does all behind it; the plan says why."""
    plain, ours, place = await databases(3)
    scripts.add("a1", 'op.execute("CREATE TABLE tenant (id int)")')
    scripts.add(
        "a2",
        'first = op.get_bind().scalar(sa.text("SELECT min(id) FROM tenant"))\n'
        'assert first\nop.execute(f"CREATE TABLE t_{first} ()")',
    )
    scripts.add_tables("a3")
    async with opened_runtime(settings_for(scripts, [ours], shadow=place)) as runtime:
        pair = Pair(scripts, runtime, plain, ours)
        await pair.sync("a1")
        for url in (plain, ours):
            await execute(url, "INSERT INTO tenant VALUES (7)")
        run = await pair.sync()
        assert await run_live(runtime, run) == {"a2", "a3"}
    plan = await plan_for(scripts, ours, place)
    assert classes(plan) == {"a1": STATIC, "a2": LIVE, "a3": LIVE}
    assert [step.why for step in plan.steps[1:]] == [
        ("reads tenant, a2.py line 11", "fails on the shadow"),
        ("comes behind a2, which fails on the shadow",),
    ]


@pytest.mark.parametrize(
    "sql",
    [
        "GRANT SELECT ON a1 TO role_of_another_server",
        "CREATE TABLE schema_of_somebody_else.t ()",
        "CREATE EXTENSION extension_of_nobody",
    ],
    ids=["role", "schema", "extension"],
)
async def test_what_no_history_brings(scripts: Scripts, url: str, sql: str) -> None:
    """A role, a schema or an extension that only targets have is no mistake of a script."""
    scripts.add_tables("a1")
    scripts.add("a2", f'op.execute("{sql}")')
    plan = await plan_for(scripts, url, url)
    assert classes(plan) == {"a1": STATIC, "a2": LIVE}
    assert plan.steps[1].why == ("fails on the shadow",)


async def test_a_way_that_cannot_be_gone_again(scripts: Scripts, url: str) -> None:
    """Where scripts that every target has behind it fail on a shadow, the rest runs live."""
    scripts.add("a1", 'op.execute("ALTER TABLE of_old_times ADD COLUMN x int")')
    scripts.add_tables("a2")
    plan = await plan_for(scripts, url, url, heads=at("a1"))
    assert classes(plan) == {"a2": LIVE}
    assert plan.steps[0].why == (
        (
            "the shadow cannot be prepared: history app: revision a1 on a shadow: relation "
            '"of_old_times" does not exist (UndefinedTable) (a1.py, line 11, in upgrade)'
        ),
    )


async def test_an_env_py_with_a_mistake(scripts: Scripts, url: str) -> None:
    """An env.py that fails by itself fails everywhere: it is said before any target is touched."""
    scripts.write_env(f'raise RuntimeError("no key")\n{SYNC_ENV}')
    scripts.add_tables("a1")
    with pytest.raises(ScriptError, match=r"RuntimeError: no key \(env.py, line 1"):
        await plan_for(scripts, url, url)


async def test_an_env_py_that_needs_data(scripts: Scripts, url: str) -> None:
    """An env.py that fails for want of rows has every step run live."""
    ask = (
        "connection.exec_driver_sql(\"SELECT count(*) FROM pg_roles WHERE rolname = 'x'\").scalar()"
    )
    scripts.write_env(SYNC_ENV.replace("    context.conf", f"    assert {ask}\n    context.conf"))
    scripts.add_tables("a1")
    plan = await plan_for(scripts, url, url)
    assert classes(plan) == {"a1": LIVE}
    assert plan.steps[0].why[0].startswith("the shadow cannot be prepared: history app: Assertion")


async def test_a_shadow_that_somebody_has_used(scripts: Scripts, url: str) -> None:
    """The runner itself refuses a shadow on which there are revisions."""
    await execute(
        url,
        "CREATE TABLE alembic_version (version_num text); INSERT INTO alembic_version VALUES ('x')",
    )
    scripts.add_tables("a1")
    settings = settings_for(scripts, [url])
    target = settings.targets["db-1"]
    route = Route(settings.histories["app"], target, Order(Verb.SYNC, "head"), BASE, MAJOR)
    runners = runners_for(settings)
    async with runners.compile(route, target, support=RunnerSupport(), later=False) as talk:
        word = await talk.hear()
    assert isinstance(word, Failed)
    assert "the shadow is not empty: it is at x" in str(word.error)
    assert await tables(url) == {"alembic_version"}


async def test_no_place_for_a_shadow(scripts: Scripts, url: str) -> None:
    """By default all steps run live where there is no server for a shadow, and say so."""
    scripts.add_tables("a1", "a2")
    plan = await compiled(settings_for(scripts, [url], shadow="auto"), major="9")
    assert classes(plan) == {"a1": LIVE, "a2": LIVE}
    assert all("no server of Postgres 9 is installed here" in step.why[0] for step in plan.steps)


async def test_a_place_that_is_not_fit(scripts: Scripts, url: str) -> None:
    """A place that the settings name must serve; nothing is tried in its stead."""
    scripts.add_tables("a1")
    with pytest.raises(ShadowError, match="is Postgres 15, the target is Postgres 9"):
        await compiled(settings_for(scripts, [url], shadow=url), major="9")


async def test_ways_back(scripts: Scripts, databases: Databases) -> None:
    """A downgrade() that raises reaches no target; an empty one moves the heads."""
    url, place = await databases(2)
    scripts.add_tables("a1")
    scripts.add("a2", "pass", downgrade="pass")
    scripts.add("a3", "pass", downgrade='raise NotImplementedError("one way")')
    async with opened_runtime(settings_for(scripts, [url], shadow=place)) as runtime:
        assert (await ordered_one(runtime)).error is None
        run = await ordered_one(runtime, Verb.DOWNGRADE, "a1")
        assert (run.state, run.after) == (RunState.FAILED, at("a3"))
        assert run.error == (
            "history app: NotImplementedError: one way (a3.py, line 15, in downgrade)"
        )
        scripts.add("a3", "pass", downgrade="pass", after="a2")
        run = await ordered_one(runtime, Verb.DOWNGRADE, "a1")
        assert (run.error, run.after) == (None, at("a1"))
        assert await run_live(runtime, run) == set()
    assert await query(url, "SELECT version_num FROM alembic_version") == [("a1",)]


async def test_a_secret_stays_out_of_plans(scripts: Scripts, databases: Databases) -> None:
    """A script that writes a password of the settings into its SQL runs live, by itself."""
    url, place = await databases(2)
    scripts.add(
        "a1",
        "import os\nop.execute(f\"COMMENT ON SCHEMA public IS '{os.environ['KEY']}'\")",
    )
    history = 'env = { KEY = "${KEY}" }'
    settings = settings_for(
        scripts, [url], shadow=place, history=history, environ={"KEY": "hunter2-hunter2"}
    )
    plan = await compiled(settings)
    assert classes(plan) == {"a1": LIVE}
    assert plan.steps[0].why == ("has a secret of the settings in its SQL, a1.py line 12",)
    assert "hunter2" not in repr(plan)


async def test_what_a_script_makes_of_its_address(scripts: Scripts, databases: Databases) -> None:
    """User, host or database of a target in the SQL are those of that target, not a shadow's."""
    ours, place = await databases(2)
    for revision, part in (("a1", "username"), ("a2", "database"), ("a3", "host")):
        scripts.add(
            revision,
            f'op.execute(f"CREATE TABLE {revision} (x text DEFAULT'
            f" '{{op.get_bind().engine.url.{part}}}')\")",
        )
    plan = await plan_for(scripts, ours, place)
    assert set(classes(plan).values()) == {LIVE}


async def test_files_that_scripts_read_belong_to_the_plan(
    scripts: Scripts, databases: Databases
) -> None:
    """A text that a script reads from a file is compiled anew when the file has changed."""
    one, other, place = await databases(3)
    text = scripts.folder / "body.sql"
    text.write_text("CREATE TABLE before ()")
    scripts.add("a1", 'op.execute(open("body.sql").read())')
    async with opened_runtime(settings_for(scripts, [one, other], shadow=place)) as runtime:
        await ordered(runtime, Verb.SYNC, "head", "db-1")
        text.write_text("CREATE TABLE afterwards ()")
        await ordered(runtime, Verb.SYNC, "head", "db-2")
    assert (await tables(one), await tables(other)) == (
        {"alembic_version", "before"},
        {"alembic_version", "afterwards"},
    )
