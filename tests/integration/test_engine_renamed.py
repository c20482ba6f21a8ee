"""A target that gets another name in mid-rollout: its journal goes on, for its database does."""

from __future__ import annotations

import asyncio

from sync.cli.doctor import strays
from sync.model import Order, Rollout, RunQuery, RunState, Selection, Verb, Verdict
from sync.runtime import Runtime
from tests.support.engine import (
    at,
    events,
    execute,
    named,
    opened_runtime,
    ordered_one,
    query,
    settings_for,
    status,
    swept,
)
from tests.support.histories import Scripts
from tests.support.postgres import Databases

HALF = """
with op.get_context().autocommit_block():
    op.execute("INSERT INTO ledger VALUES (1)")
    op.execute("CREATE UNIQUE INDEX CONCURRENTLY i ON t (n)")
"""
DUPLICATES = "CREATE TABLE ledger (n int); CREATE TABLE t (n int); INSERT INTO t VALUES (1), (1)"


async def half_applied(scripts: Scripts, url: str) -> None:
    """Have a revision of db-1 stop half-way, and take away the cause."""
    scripts.add("a1", HALF)
    await execute(url, DUPLICATES)
    async with opened_runtime(settings_for(scripts, [url])) as runtime:
        assert (await ordered_one(runtime)).state is RunState.FAILED
    await execute(url, "DELETE FROM t")


async def test_what_stands_is_not_sent_again_under_another_name(scripts: Scripts, url: str) -> None:
    """The statement that stands is passed over, and the INVALID index is dropped first."""
    await half_applied(scripts, url)
    async with opened_runtime(named(scripts, ("eu-1", f"{url}?application_name=x"))) as runtime:
        resumed = await ordered_one(runtime)
        assert (resumed.target, resumed.error) == ("eu-1", None)
        assert resumed.after == at("a1")
        assert await runtime.verify() > 0
    assert await query(url, "SELECT count(*) FROM ledger") == [(1,)]


async def test_another_database_under_the_old_name_begins_anew(
    scripts: Scripts, databases: Databases
) -> None:
    """What stands elsewhere does not stand here, though the name says so."""
    url, other_url = await databases(2)
    await half_applied(scripts, url)
    await execute(other_url, "CREATE TABLE ledger (n int); CREATE TABLE t (n int)")
    async with opened_runtime(named(scripts, ("db-1", other_url), ("eu-1", url))) as runtime:
        rollout = await runtime.request(Order(Verb.SYNC), Selection(), actor="ada")
        runs = (await runtime.finished(rollout.id)).runs
        assert {(run.target, run.state) for run in runs} == {
            ("db-1", RunState.SUCCEEDED),
            ("eu-1", RunState.SUCCEEDED),
        }
    assert await query(url, "SELECT count(*) FROM ledger") == [(1,)]
    assert await query(other_url, "SELECT count(*) FROM ledger") == [(1,)]


async def interrupted(scripts: Scripts, url: str, runtime: Runtime) -> None:
    """Lose the connection of db-1 in the middle of its statement."""
    rollout = await sleeping(scripts, url, runtime)
    await execute(url, KILLED)
    await runtime.finished(rollout.id)


async def sleeping(scripts: Scripts, url: str, runtime: Runtime) -> Rollout:
    """Have db-1 in the middle of its statement."""
    sleeps = 'op.execute("INSERT INTO ledger SELECT 1 FROM pg_sleep(60)")\n'
    scripts.add("a1", f"with op.get_context().autocommit_block():\n    {sleeps}")
    await execute(url, "CREATE TABLE ledger (n int)")
    rollout = await runtime.request(Order(Verb.SYNC), Selection(), actor="ada")
    while not await query(url, ASLEEP):  # noqa: ASYNC110 - a database is asked
        await asyncio.sleep(0.05)
    return rollout


ASLEEP = """
    SELECT pid FROM pg_stat_activity
    WHERE query LIKE '%INSERT INTO ledger%' AND pid <> pg_backend_pid()
"""
KILLED = f"SELECT pg_terminate_backend(pid) FROM ({ASLEEP}) AS asleep"


async def test_a_run_of_the_old_name_is_settled_and_closed(scripts: Scripts, url: str) -> None:
    """The sweep settles it where the database is now, and a person's word counts there."""
    async with opened_runtime(settings_for(scripts, [url])) as runtime:
        await interrupted(scripts, url, runtime)
    async with opened_runtime(named(scripts, ("eu-1", url))) as runtime:
        assert await swept(runtime) == ()
        assert "levelhead settle" in str((await status(runtime, "eu-1")).problem)
        (doubt,) = await events(runtime, kind="statement.started")
        await runtime.settle(str(doubt.ticket), Verdict.APPLIED, actor="grace")
        (run,) = await swept(runtime)
        assert (run.target, run.state) == ("eu-1", RunState.SUCCEEDED)
        assert [run.state for run in await runtime.runs(RunQuery(target="db-1"))] == ["failed"]
    assert await query(url, "SELECT count(*) FROM ledger") == [(0,)]


async def test_a_run_whose_database_is_no_target_any_more_is_told(
    scripts: Scripts, databases: Databases
) -> None:
    """Nobody can settle it until that database is a target again, by whatever name."""
    url, other_url = await databases(2)
    async with opened_runtime(settings_for(scripts, [url])) as runtime:
        await interrupted(scripts, url, runtime)
    settings = named(scripts, ("us-1", other_url))
    async with opened_runtime(settings) as runtime:
        assert [run.target for run in await runtime.strays()] == ["db-1"]
    (told,) = await strays(settings)
    assert told.text == (
        "db-1: interrupted, and no target is its database any more; make it a target again, by "
        "any name"
    )
    async with opened_runtime(named(scripts, ("eu-1", url))) as runtime:
        assert await runtime.strays() == ()


async def test_a_run_that_goes_on_under_the_old_name_is_the_one_under_way(
    scripts: Scripts, databases: Databases
) -> None:
    """Another service with the new settings leaves the database to it, until it has ended."""
    url, control_url = await databases(2)
    settings = settings_for(scripts, [url], control=control_url)
    renamed = named(scripts, ("eu-1", url), control=control_url)
    async with opened_runtime(settings) as old, opened_runtime(renamed) as new:
        first = await sleeping(scripts, url, old)
        second = await new.request(Order(Verb.SYNC), Selection(), actor="ada")
        assert [run.id for run in second.runs] == [run.id for run in first.runs]
        await execute(url, KILLED)
        await old.finished(first.id)
        (run,) = (await new.request(Order(Verb.SYNC), Selection(), actor="ada")).runs
        assert run.target == "eu-1"
        await new.finished(run.rollout)
