"""Replayed steps that stopped half-way: the next run goes on from there."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from sync.model import Order, RunState, Selection, Verb
from sync.runtime import Runtime
from tests.support.engine import (
    at,
    events,
    execute,
    opened_runtime,
    ordered_one,
    query,
    settings_for,
    texts,
)
from tests.support.histories import Scripts
from tests.support.postgres import Postgres

GROUND = """
op.execute("CREATE TABLE users (email text)")
op.execute("CREATE TABLE ledger (entry text)")
"""
PIECES = """
op.execute("INSERT INTO ledger VALUES ('ahead')")
with op.get_context().autocommit_block():
    op.execute("SET my.tenant = 'eu'")
    op.execute("INSERT INTO ledger VALUES ('alone')")
    op.execute("CREATE UNIQUE INDEX CONCURRENTLY ix ON users (email)")
    op.execute("INSERT INTO ledger SELECT current_setting('my.tenant')")
op.execute("INSERT INTO ledger VALUES ('behind')")
"""
ALL = [("ahead",), ("alone",), ("eu",), ("behind",)]
VALID = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix'::regclass"


@pytest.fixture(params=["compiled", "live"])
def place(request: pytest.FixtureRequest, postgres: Postgres) -> str:
    """Say where shadows are made: with none, the script itself runs."""
    return postgres.admin_url if request.param == "compiled" else "none"


async def sent_alone(runtime: Runtime, run: str) -> list[str]:
    """Return what a run sent outside transactions."""
    started = await events(runtime, run=run, kind="statement.started")
    return [(await texts(runtime, event))[0] for event in started]


async def test_what_a_failed_index_left_is_dropped(scripts: Scripts, url: str, place: str) -> None:
    """An INVALID index is dropped before it is built again: a statement of its own, on record."""
    scripts.add("r1", GROUND)
    scripts.add("r2", PIECES)
    async with opened_runtime(settings_for(scripts, [url], shadow=place)) as runtime:
        await ordered_one(runtime, to="r1")
        await execute(url, "INSERT INTO users VALUES ('a'), ('a')")
        failed = await ordered_one(runtime)
        assert (failed.state, failed.after) == (RunState.FAILED, at("r1"))
        assert await query(url, VALID) == [(False,)]

        await execute(url, "TRUNCATE users")
        resumed = await ordered_one(runtime)
        assert (resumed.state, resumed.after, resumed.error) == (
            RunState.SUCCEEDED,
            at("r2"),
            None,
        )
        sent = [sql for sql in await sent_alone(runtime, resumed.id) if "SET" not in sql]
        assert sent == [
            "DROP INDEX CONCURRENTLY IF EXISTS public.ix",
            "CREATE UNIQUE INDEX CONCURRENTLY ix ON users (email)",
            "INSERT INTO ledger SELECT current_setting('my.tenant')",
        ]
        repair = (await events(runtime, run=resumed.id, kind="statement.started"))[0]
        assert (repair.revision, bool(repair.data["repairs"])) == ("r2", True)
        assert await runtime.verify() > 0
    assert await query(url, VALID) == [(True,)]
    assert await query(url, "SELECT entry FROM ledger") == ALL


async def test_an_index_of_somebody_else_is_not_dropped(
    scripts: Scripts, url: str, place: str
) -> None:
    """An INVALID index that no try of ours can have left is none of our business."""
    scripts.add("r1", GROUND)
    scripts.add("r2", PIECES)
    async with opened_runtime(settings_for(scripts, [url], shadow=place)) as runtime:
        await ordered_one(runtime, to="r1")
        await execute(url, "CREATE INDEX ix ON users (email)")
        await execute(
            url, "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix'::regclass"
        )
        failed = await ordered_one(runtime)
        assert failed.state is RunState.FAILED
        assert "already exists" in str(failed.error)
        assert not [sql for sql in await sent_alone(runtime, failed.id) if "DROP" in sql]
    assert await query(url, VALID) == [(False,)]


@pytest.mark.parametrize("mode", ["ROW EXCLUSIVE", "SHARE UPDATE EXCLUSIVE"], ids=["half", "none"])
async def test_killed_while_an_index_is_built(
    scripts: Scripts, url: str, place: str, mode: str
) -> None:
    """Whether the index was begun or not: it is built once, and nothing else is sent twice."""
    scripts.add("r1", GROUND)
    scripts.add("r2", PIECES)
    async with opened_runtime(settings_for(scripts, [url], shadow=place)) as runtime:
        await ordered_one(runtime, to="r1")
        other = await asyncpg.connect(url)
        await other.execute(f"BEGIN; LOCK users IN {mode} MODE")
        rollout = await runtime.request(Order(Verb.SYNC), Selection(), actor="ada")
        async with asyncio.timeout(60):
            while not await query(url, f"SELECT {BUILDING}"):  # noqa: ASYNC110 - a database is asked
                await asyncio.sleep(0.05)
        await execute(url, f"SELECT pg_terminate_backend(pid, 5000) {BUILDING}")
        (killed,) = (await runtime.finished(rollout.id)).runs
        assert (killed.state, killed.after) == (RunState.INTERRUPTED, at("r1"))
        await other.close()
        resumed = await ordered_one(runtime)
        assert (resumed.state, resumed.after, resumed.error) == (
            RunState.SUCCEEDED,
            at("r2"),
            None,
        )
        resolved = await events(runtime, kind="statement.resolved")
        assert [event.data["outcome"] for event in resolved] == ["absent"]
        assert await runtime.verify() > 0
    assert await query(url, VALID) == [(True,)]
    assert await query(url, "SELECT entry FROM ledger") == ALL


BUILDING = """
    FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
     AND wait_event_type = 'Lock' AND query LIKE '%CREATE UNIQUE INDEX%'
"""


async def test_a_plan_that_begins_otherwise(scripts: Scripts, url: str, postgres: Postgres) -> None:
    """What stands is not how the new plan begins: the script runs, and stops by name itself."""
    scripts.add("r1", GROUND)
    scripts.add("r2", PIECES)
    async with opened_runtime(settings_for(scripts, [url], shadow=postgres.admin_url)) as runtime:
        await ordered_one(runtime, to="r1")
        await execute(url, "INSERT INTO users VALUES ('a'), ('a')")
        await ordered_one(runtime)
        await execute(url, "TRUNCATE users")
        scripts.add("r2", PIECES.replace("ahead", "other"), after="r1")
        stopped = await ordered_one(runtime)
        assert (stopped.state, stopped.after) == (RunState.FAILED, at("r1"))
        assert stopped.error == (
            "db-1: an earlier run stopped in the middle of revision r2, and the script does not "
            "send the same again; put the target right by hand, then levelhead stamp db-1 REVISION"
        )
        sent = await sent_alone(runtime, stopped.id)
        assert sent == ["DROP INDEX CONCURRENTLY IF EXISTS public.ix"]
    assert await query(url, "SELECT entry FROM ledger") == ALL[:2]
