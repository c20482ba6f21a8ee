"""What goes wrong with compiled plans: one clear line, and everything else as it was."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import asyncpg
import pytest

from sync.events.chain import Event
from sync.model import Order, RunState, Selection, Status, Verb
from sync.runtime import Runtime
from tests.support.engine import (
    at,
    events,
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
from tests.support.histories import Scripts
from tests.support.postgres import Databases, Postgres


def classes(started: Event) -> dict[str, str]:
    """Return the class of each step, as ``run.started`` tells it."""
    steps = cast("list[dict[str, Any]]", started.data["steps"])
    return {step["revision"]: step["class"] for step in steps}


async def classes_of(runtime: Runtime, run: str) -> dict[str, str]:
    """Return the class of each step of a run."""
    (started,) = await events(runtime, run=run, kind="run.started")
    return classes(started)


async def is_waiting(url: str) -> None:
    """Wait until a session of levelhead's waits for a lock."""
    async with asyncio.timeout(60):
        while not await query(url, WAITING):  # noqa: ASYNC110 - a database is asked
            await asyncio.sleep(0.02)


WAITING = """
    SELECT FROM pg_stat_activity WHERE datname = current_database()
       AND application_name = 'levelhead' AND wait_event_type = 'Lock'
"""


async def test_the_target_moved(scripts: Scripts, url: str, postgres: Postgres) -> None:
    """Somebody else's migration between plan and guard: nothing is done, the next sync works."""
    scripts.add_tables("r1", "r2", "r3")
    async with opened_runtime(settings_for(scripts, [url], shadow=postgres.admin_url)) as runtime:
        await ordered_one(runtime, to="r1")
        by_hand = await asyncpg.connect(url)
        await by_hand.execute(
            "BEGIN; CREATE TABLE r2 (); LOCK alembic_version IN SHARE ROW EXCLUSIVE MODE;"
            "UPDATE alembic_version SET version_num = 'r2'"
        )
        rollout = await runtime.request(Order(Verb.SYNC), Selection(), actor="ada")
        await is_waiting(url)
        await by_hand.execute("COMMIT")
        await by_hand.close()
        (run,) = (await runtime.finished(rollout.id)).runs
        assert (run.state, run.after) == (RunState.FAILED, at("r2"))
        assert run.error == ("db-1: expected heads ['r1'], found ['r2']; run levelhead status db-1")
        assert await tables(url) == {"alembic_version", "r1", "r2"}
        again = await ordered_one(runtime)
        assert (again.state, again.after) == (RunState.SUCCEEDED, at("r3"))


@pytest.mark.parametrize(
    "body",
    [
        'op.execute("CREATE TABLE one (); COMMIT; CREATE TABLE two ()")',
        'op.execute("SAVEPOINT s; CREATE TABLE one (); ROLLBACK TO s; CREATE TABLE two ()")',
    ],
)
async def test_transaction_control_in_a_text(
    scripts: Scripts, url: str, postgres: Postgres, body: str
) -> None:
    """A text that begins or ends transactions is not put into a message: its script runs."""
    scripts.add_tables("r1")
    scripts.add("r2", body)
    scripts.add_tables("r3")
    async with opened_runtime(settings_for(scripts, [url], shadow=postgres.admin_url)) as runtime:
        run = await ordered_one(runtime)
        assert (run.state, run.after, run.error) == (RunState.SUCCEEDED, at("r3"), None)
        assert await classes_of(runtime, run.id) == {"r1": "static", "r2": "live", "r3": "static"}
    assert "two" in await tables(url)


async def test_one_of_eight_is_odd(
    scripts: Scripts, databases: Databases, postgres: Postgres
) -> None:
    """One target where a statement fails: its run says all about it, the others reach head."""
    scripts.add_tables("r1")
    scripts.add("r2", 'op.execute("CREATE TABLE x ()")\nop.execute("CREATE TABLE y (z text)")')
    scripts.add_tables("r3")
    urls = await databases(8)
    await execute(urls[4], "CREATE TABLE y ()")
    settings = settings_for(scripts, urls, shadow=postgres.admin_url)
    async with opened_runtime(settings) as runtime:
        runs = {run.target: run for run in await ordered(runtime)}
        odd = runs.pop("db-5")
        assert {run.state for run in runs.values()} == {RunState.SUCCEEDED}
        assert (odd.state, odd.after) == (RunState.FAILED, at("r1"))
        assert odd.error == (
            "db-5: revision r2, statement 2 of 2 (CREATE TABLE y): "
            'relation "y" already exists (SQLSTATE 42P07)'
        )
        (failed,) = await events(runtime, kind="step.failed")
        assert (failed.target, failed.revision, failed.data["code"]) == ("db-5", "r2", "42P07")
        assert failed.data["message"] == odd.error
        text = await runtime.statement(str(failed.data["statement"]))
        assert text == "CREATE TABLE y (z text)"
        assert (await kinds(runtime)).count("plan.compiled") == 1
    assert await tables(urls[4]) == {"alembic_version", "r1", "y"}
    for url in [*urls[:4], *urls[5:]]:
        assert await version(url) == {"r3"}


async def test_a_downgrade_that_does_nothing(
    scripts: Scripts, url: str, postgres: Postgres
) -> None:
    """An empty downgrade() moves the version table and nothing else, as under Alembic."""
    scripts.add("r1", 'op.execute("CREATE TABLE one ()")')
    scripts.add("r2", 'op.execute("CREATE TABLE two ()")', downgrade="pass")
    async with opened_runtime(settings_for(scripts, [url], shadow=postgres.admin_url)) as runtime:
        await ordered_one(runtime)
        run = await ordered_one(runtime, Verb.DOWNGRADE, "r1")
        assert (run.state, run.after) == (RunState.SUCCEEDED, at("r1"))
        assert await classes_of(runtime, run.id) == {"r2": "static"}
    assert await tables(url) == {"alembic_version", "one", "two"}


async def test_a_downgrade_that_raises(scripts: Scripts, url: str, postgres: Postgres) -> None:
    """It is found when the plan is compiled: the target is not touched, and the line is named."""
    scripts.add_tables("r1")
    scripts.add("r2", 'op.execute("CREATE TABLE two ()")', downgrade="raise NotImplementedError")
    scripts.add_tables("r3")
    async with opened_runtime(settings_for(scripts, [url], shadow=postgres.admin_url)) as runtime:
        await ordered_one(runtime)
        run = await ordered_one(runtime, Verb.DOWNGRADE, "r1")
        assert (run.state, run.after) == (RunState.FAILED, at("r3"))
        assert run.error == ("history app: NotImplementedError (r2.py, line 15, in downgrade)")
        assert "run.started" not in await kinds(runtime, run=run.id)
    assert await tables(url) == {"alembic_version", "r1", "two", "r3"}


LIVE = """
for (name,) in op.get_bind().execute(sa.text("SELECT 'tenant_' || id FROM r0")).all():
    op.execute(f"CREATE TABLE {name} ()")
"""


async def test_a_script_is_edited_in_mid_run(
    scripts: Scripts, url: str, postgres: Postgres
) -> None:
    """A live script that is not the plan's any more does not run; the steps before it stand."""
    scripts.add_tables("r0")
    scripts.add("r1", 'op.execute("ALTER TABLE r0 ADD COLUMN extra int")')
    scripts.add("r2", LIVE)
    async with opened_runtime(settings_for(scripts, [url], shadow=postgres.admin_url)) as runtime:
        await ordered_one(runtime, to="r0")
        await execute(url, "INSERT INTO r0 VALUES (7)")
        other = await asyncpg.connect(url)
        await other.execute("BEGIN; LOCK r0")
        rollout = await runtime.request(Order(Verb.SYNC), Selection(), actor="ada")
        await is_waiting(url)
        scripts.add("r2", LIVE + '\nop.execute("CREATE TABLE late ()")', after="r1")
        await other.execute("COMMIT")
        await other.close()
        (run,) = (await runtime.finished(rollout.id)).runs
        assert (run.state, run.after) == (RunState.FAILED, at("r1"))
        assert run.error == "the scripts have changed since the plan was made; sync again"
        assert "tenant_7" not in await tables(url)
        (again,) = await swept(runtime)  # the clock tries by itself: the scripts are others
        assert (again.state, again.after) == (RunState.SUCCEEDED, at("r2"))
        assert (await status(runtime)).status is Status.CURRENT
    assert await tables(url) >= {"tenant_7", "late"}
