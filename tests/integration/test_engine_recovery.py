"""What a service left behind that is gone: found, settled under the lock, and recorded."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta

import asyncpg
import pytest

from sync.errors import PlanRefusedError
from sync.executor import facts_of
from sync.journal import Journal
from sync.lease import Lease, Leases
from sync.model import Order, Run, RunState, Selection, Status, Verb
from sync.plan.model import Plan
from sync.runtime import Runtime
from sync.store import runs
from tests.support.control import START, a_run
from tests.support.engine import (
    Calendar,
    at,
    events,
    execute,
    kinds,
    opened_runtime,
    ordered_one,
    query,
    runtime_at,
    settings_for,
    status,
    swept,
    tables,
    version,
)
from tests.support.histories import Scripts

STAMPED = """
    CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY);
    INSERT INTO alembic_version VALUES ('{}')
"""
#: What a service of this name did, it did a moment before it died.
DEAD = "a-host:1:dead"
OUTSIDE = """
with op.get_context().autocommit_block():
    op.execute("CREATE TABLE outside AS SELECT 1 AS id FROM pg_sleep(10)")
"""


@dataclass(frozen=True)
class Dead:
    """A run of a service that is gone, and what it had written down."""

    run: Run
    journal: Journal

    async def began(self, noun: str, revision: str | None, *sqls: str, **facts: object) -> str:
        """Write down the intent of an act, and die before its end; return the ticket."""
        ticket = f"{noun}-{revision}"
        draft = self.journal._draft(noun, "started", ticket, revision)
        await self.journal._intend(draft, facts, sqls)  # type: ignore[arg-type]  # JSON
        return ticket


async def dead_run(
    runtime: Runtime, *, order: Order | None = None, lease: timedelta = timedelta(0)
) -> Dead:
    """Leave a run behind as a service does that was killed before anything was done."""
    engine = runtime._engine
    run = a_run(
        id="orphan",
        target="db-1",
        history="app",
        order=order or Order(Verb.SYNC),
        requested_at=START.replace(year=2020),
    )
    leases = Leases(engine.store, holder=DEAD, ttl=lease)
    async with engine.store.writing() as connection:
        held = await leases.acquire(connection, "db-1", run.id)
        assert isinstance(held, Lease)
        await runs.insert(connection, run)
    return Dead(run, Journal(engine.store, engine.log, leases, lease=held, run=run))


async def dead_in_step(runtime: Runtime, verb: Verb = Verb.SYNC, to: str = "head") -> Dead:
    """Leave a run behind that was in the middle of its only step."""
    dead = await dead_run(runtime, order=Order(verb, to))
    heads = (await status(runtime)).heads or at()
    plan = await runtime._engine.runners.path(
        runtime._engine.histories["app"], "postgresql", dead.run.order, heads
    )
    await begin(runtime, dead, plan)
    return dead


async def begin(runtime: Runtime, dead: Dead, plan: Plan) -> None:
    """Write down the plan of a run, and the intent of its first step."""
    change = runs.RunChange(state=RunState.RUNNING, plan=plan.digest, before=plan.before)
    async with runtime._engine.store.writing() as connection:
        await runs.update(connection, dead.run.id, change)
    await dead.began("run", None, **facts_of(plan))
    (step,) = plan.steps
    facts = {"before": sorted(step.before), "after": sorted(step.after)}
    await dead.began("step", step.revision, **facts)


async def found(runtime: Runtime, run_id: str = "orphan") -> Run:
    """Return a run as it is on record."""
    run = await runtime.run(run_id)
    assert run
    return run


async def test_a_run_that_had_reached_its_end(scripts: Scripts, url: str, control_url: str) -> None:
    """Where the version table stands at its end, the orphan succeeded, and nothing is repeated."""
    scripts.add_tables("a1")
    async with opened_runtime(settings_for(scripts, [url], control=control_url)) as runtime:
        dead = await dead_in_step(runtime)
        await dead.began("transaction", "a1", "SQL", before=[], after=["a1"], stamped=True)
        await execute(url, STAMPED.format("a1"))
        assert await swept(runtime) == ()
        orphan = await found(runtime)
        assert (orphan.state, orphan.after, orphan.error) == (RunState.SUCCEEDED, at("a1"), None)
        resolved = [e for e in await events(runtime, run="orphan") if e.kind.endswith("resolved")]
        assert {(str(e.kind), e.data["outcome"]) for e in resolved} == {
            ("run.resolved", "applied"),
            ("step.resolved", "applied"),
            ("transaction.resolved", "applied"),
        }
        assert (await status(runtime)).status is Status.CURRENT
        assert await runtime.verify() > 0
    assert await tables(url) == {"alembic_version"}


async def test_a_run_that_had_done_nothing(scripts: Scripts, url: str, control_url: str) -> None:
    """Where the version table stands at its beginning, it failed, and the clock applies."""
    scripts.add_tables("a1")
    async with opened_runtime(settings_for(scripts, [url], control=control_url)) as runtime:
        dead = await dead_in_step(runtime)
        await dead.began("transaction", "a1", "SQL", before=[], after=["a1"], stamped=True)
        (run,) = await swept(runtime)
        assert (run.state, run.after) == (RunState.SUCCEEDED, at("a1"))
        orphan = await found(runtime)
        assert (orphan.state, orphan.after, orphan.error) == (
            RunState.FAILED,
            at(),
            "its service ended in the middle of it; what it did is settled",
        )
    assert await tables(url) == {"alembic_version", "a1"}


@pytest.mark.parametrize("state", [RunState.REQUESTED, RunState.DELAYED])
async def test_a_run_that_had_not_begun(scripts: Scripts, url: str, state: RunState) -> None:
    """An orphan without a plan is closed with an event, and the clock goes on."""
    scripts.add_tables("a1")
    async with opened_runtime(settings_for(scripts, [url])) as runtime:
        dead = await dead_run(runtime)
        async with runtime._engine.store.writing() as connection:
            await runs.update(connection, dead.run.id, runs.RunChange(state=state))
        assert [run.state for run in await swept(runtime)] == [RunState.SUCCEEDED]
        assert (await found(runtime)).state is RunState.FAILED
        (event,) = await events(runtime, run="orphan")
        assert (event.kind, event.data["outcome"]) == ("run.resolved", "absent")


async def test_a_downgrade_that_had_reached_its_end(scripts: Scripts, url: str) -> None:
    """A step down took effect where its revision is gone from the version table."""
    scripts.add_tables("a1", "a2")
    async with opened_runtime(settings_for(scripts, [url])) as runtime:
        await swept(runtime)
        await dead_in_step(runtime, Verb.DOWNGRADE, "-1")
        await execute(url, "UPDATE alembic_version SET version_num = 'a1'; DROP TABLE a2")
        await ordered_one(runtime)
        assert (await found(runtime)).state is RunState.SUCCEEDED


async def test_a_lease_that_stands_is_respected(scripts: Scripts, url: str) -> None:
    """As long as its lease has not run out, a run is left to the service that holds it.

    Its target was never checked: a sweep that finds it so goes on with the others.
    """
    scripts.add_tables("a1")
    clock = Calendar()
    async with runtime_at(settings_for(scripts, [url]), clock) as runtime:
        await dead_run(runtime, lease=timedelta(minutes=1))
        assert await swept(runtime) == ()
        assert (await found(runtime)).state is RunState.REQUESTED
        clock.ahead += timedelta(minutes=2)
        assert [run.state for run in await swept(runtime)] == [RunState.SUCCEEDED]
        assert (await found(runtime)).state is RunState.FAILED


async def test_a_run_that_has_ended_since_it_was_found(
    scripts: Scripts, url: str, control_url: str
) -> None:
    """What its end said of the target stands: there is nothing to settle, and the lease is free."""
    scripts.add("a1", 'op.execute("SELECT 1/0")')
    async with opened_runtime(settings_for(scripts, [url], control=control_url)) as runtime:
        run = await ordered_one(runtime)
        assert run.state is RunState.FAILED
        before, said = await status(runtime), await kinds(runtime)
        assert "division by zero" in str(before.problem)
        target = runtime.fleet["db-1"]
        open_then = replace(run, state=RunState.RUNNING)  # as a sweep read it, a moment earlier
        await runtime._runs.recover(target, open_then)
        assert (await status(runtime), await kinds(runtime)) == (before, said)
        assert (await ordered_one(runtime)).state is RunState.FAILED


async def test_a_concurrent_index_that_is_not_there(scripts: Scripts, url: str) -> None:
    """A statement whose effect can be looked up is looked up: nobody has to be asked."""
    scripts.add_tables("a1")
    await execute(url, "CREATE TABLE people ()")
    async with opened_runtime(settings_for(scripts, [url])) as runtime:
        dead = await dead_in_step(runtime)
        sql = "CREATE INDEX CONCURRENTLY ix ON people ((1))"
        await dead.began("statement", "a1", sql, before=[], after=["a1"])
        assert [run.state for run in await swept(runtime)] == [RunState.SUCCEEDED]
        (event,) = await events(runtime, kind="statement.resolved")
        assert event.data["outcome"] == "absent"


async def test_what_nobody_can_tell_is_a_persons(
    scripts: Scripts, url: str, control_url: str
) -> None:
    """Half a step outside a transaction: a named stop, once, until somebody stamps."""
    scripts.add_tables("a1", "a2")
    async with opened_runtime(settings_for(scripts, [url], control=control_url)) as runtime:
        await ordered_one(runtime, to="a1")
        dead = await dead_in_step(runtime)
        await dead.began(
            "statement", "a2", "ALTER TYPE mood ADD VALUE 'new'", before=["a1"], after=["a2"]
        )
        assert await swept(runtime) == ()
        stopped = await status(runtime)
        assert stopped.problem == (
            "db-1: nobody can tell whether statement statement-a2 of revision a2 took effect; "
            "look at the target, then levelhead settle statement-a2 applied (or absent)"
        )
        assert (await found(runtime)).state is RunState.INTERRUPTED
        (step,) = await events(runtime, kind="step.resolved")
        assert step.data["outcome"] == "unknown"
        seen = len(await events(runtime))
        assert await swept(runtime) == ()
        assert len(await events(runtime)) == seen
        asked = await ordered_one(runtime)
        assert (asked.state, asked.error) == (RunState.INTERRUPTED, stopped.problem)

        await execute(url, "CREATE TABLE a2 ()")
        stamp = await ordered_one(runtime, Verb.STAMP, "a2")
        assert (stamp.state, stamp.after) == (RunState.SUCCEEDED, at("a2"))
        assert (await status(runtime)).status is Status.CURRENT
        settled = [e for e in await events(runtime, actor="ada") if e.kind.endswith(".resolved")]
        assert {e.data["outcome"] for e in settled} >= {"applied"}
        scripts.add_tables("a3")
        assert [run.after for run in await swept(runtime)] == [at("a3")]
        assert await runtime.verify() > 0


async def test_a_connection_lost_outside_a_transaction_is_a_doubt(
    scripts: Scripts, url: str
) -> None:
    """A backend that dies in a statement of its own leaves it in doubt, not failed."""
    scripts.add("a1", OUTSIDE)
    async with opened_runtime(settings_for(scripts, [url])) as runtime:
        rollout = await runtime.request(Order(Verb.SYNC), Selection(), actor="ada")
        async with asyncio.timeout(90):
            while not await query(url, TERMINATED):  # noqa: ASYNC110 - the server's own pace
                await asyncio.sleep(0.05)
        (run,) = (await runtime.finished(rollout.id)).runs
        assert run.state is RunState.INTERRUPTED
        assert run.error
        assert run.error.startswith("db-1: connection lost (")
        ends = [kind for kind in await kinds(runtime, run=run.id) if kind.endswith("interrupted")]
        assert ends == ["statement.interrupted", "step.interrupted", "run.interrupted"]
        again = await ordered_one(runtime)
        assert again.error
        assert again.error.startswith("db-1: nobody can tell whether ")


TERMINATED = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE datname = current_database() AND query LIKE '%outside%' AND pid <> pg_backend_pid()
"""


async def test_a_lease_that_went_to_another_service(
    scripts: Scripts, url: str, control_url: str
) -> None:
    """Whoever lost its lease stops within a heartbeat, in the middle of a statement too."""
    scripts.add("a1", 'op.execute("CREATE TABLE a1 AS SELECT 1 AS id FROM pg_sleep(60)")')
    settings = settings_for(scripts, [url], control=control_url, lease="600ms")
    async with opened_runtime(settings) as runtime, asyncio.timeout(90):
        rollout = await runtime.request(Order(Verb.SYNC), Selection(), actor="ada")
        while "step.started" not in await kinds(runtime):  # noqa: ASYNC110 - its own pace
            await asyncio.sleep(0.02)
        async with runtime._engine.store.writing() as connection:
            await connection.exec_driver_sql(
                "UPDATE leases SET holder = 'another', token = token + 1"
            )
        (run,) = (await runtime.finished(rollout.id)).runs
        assert run.state is RunState.INTERRUPTED
        assert run.error
        assert run.error.startswith("db-1: the lease went to another service")
        assert "lease.lost" in await kinds(runtime)
        assert "transaction.started" not in await kinds(runtime)
        assert (await status(runtime)).problem is None  # how it stands, the other service tells
    assert await tables(url) == set()


async def test_a_lease_that_went_to_another_service_before_the_end(
    scripts: Scripts, url: str, control_url: str
) -> None:
    """The run says how it ended; what that means for the target, its new holder says."""
    scripts.add("a1", 'op.execute("SELECT pg_advisory_xact_lock(7)")')
    settings = settings_for(scripts, [url], control=control_url, shadow="auto")
    async with opened_runtime(settings) as runtime, asyncio.timeout(90):
        await runtime.check(Selection())
        gate = await asyncpg.connect(url)
        await gate.execute("SELECT pg_advisory_lock(7)")
        rollout = await runtime.request(Order(Verb.SYNC), Selection(), actor="ada")
        while "run.started" not in await kinds(runtime):  # noqa: ASYNC110 - its own pace
            await asyncio.sleep(0.02)
        async with runtime._engine.store.writing() as connection:
            taken = "UPDATE leases SET holder = 'another', token = token + 1"
            await connection.exec_driver_sql(taken)
            await connection.exec_driver_sql("UPDATE targets SET problem = 'as it says'")
        await gate.close()
        (run,) = (await runtime.finished(rollout.id)).runs
        assert (run.state, run.after) == (RunState.SUCCEEDED, at("a1"))
        known = await status(runtime)
        assert (known.heads, known.problem) == (at(), "as it says")
        assert (await kinds(runtime))[-2:] == ["run.succeeded", "lease.lost"]


@pytest.mark.parametrize("name", ["SUCCEEDED", "FAILED"])
async def test_an_end_that_was_told_but_not_recorded(
    scripts: Scripts, url: str, control_url: str, name: str
) -> None:
    """A service that dies between the last event of a run and its record leaves what it said."""
    scripts.add_tables("a1")
    async with opened_runtime(settings_for(scripts, [url], control=control_url)) as runtime:
        dead = await dead_run(runtime)
        order = dead.run.order
        path = runtime._engine.runners.path
        plan = await path(runtime._engine.histories["app"], "postgresql", order, at())
        with suppress(PlanRefusedError):
            async with dead.journal.action("run", **facts_of(plan)):
                if name == "FAILED":
                    raise PlanRefusedError("a1: as it was")
        await swept(runtime)
        orphan = await found(runtime)
        error = "a1: as it was" if name == "FAILED" else None
        assert (orphan.state, orphan.error) == (RunState[name], error)
        assert "run.resolved" not in await kinds(runtime, run="orphan")


async def test_a_plan_on_record_of_which_nothing_was_begun(scripts: Scripts, url: str) -> None:
    """A service that dies before it could say that it begins has done nothing: that is told."""
    scripts.add_tables("a1")
    async with opened_runtime(settings_for(scripts, [url])) as runtime:
        dead = await dead_run(runtime)
        change = runs.RunChange(state=RunState.RUNNING, plan="p" * 64, before=at())
        async with runtime._engine.store.writing() as connection:
            await runs.update(connection, dead.run.id, change)
        await swept(runtime)
        assert (await found(runtime)).state is RunState.FAILED
        assert await kinds(runtime, run="orphan") == ["run.resolved"]


async def test_stopping_interrupts_what_does_not_end_in_time(scripts: Scripts, url: str) -> None:
    """At shutdown a run has its grace, then it is interrupted, recorded, and its lease freed."""
    scripts.add("a1", 'op.execute("CREATE TABLE a1 AS SELECT 1 AS id FROM pg_sleep(30)")')
    settings = settings_for(scripts, [url], schedule='grace = "100ms"')
    async with opened_runtime(settings) as runtime:
        (run,) = (await runtime.request(Order(Verb.SYNC), Selection(), actor="ada")).runs
        async with asyncio.timeout(90):
            while "step.started" not in await kinds(runtime):  # noqa: ASYNC110 - its own pace
                await asyncio.sleep(0.02)
    scripts.add_tables("a1")
    scripts.add("a1", 'op.create_table("a1")', after=None)
    async with opened_runtime(settings) as runtime:
        stopped = await found(runtime, run.id)
        assert (stopped.state, stopped.error) == (
            RunState.INTERRUPTED,
            "the service was stopped in the middle of it",
        )
        assert (await ordered_one(runtime)).state is RunState.SUCCEEDED
        assert (await found(runtime, run.id)).state is RunState.FAILED
    assert await version(url) == {"a1"}
