"""Runs: one at a time, holds, and what becomes of a run that fails."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import asyncpg
import pytest

from sync.errors import TargetBusyError, TargetHeldError
from sync.model import Order, Rollout, RunState, Selection, Status, Verb
from tests.support.engine import (
    Calendar,
    at,
    events,
    execute,
    kinds,
    opened_runtime,
    ordered,
    ordered_one,
    runtime_at,
    settings_for,
    status,
    swept,
    tables,
    version,
)
from tests.support.histories import Scripts

FAILS = """
op.create_table("part", sa.Column("id", sa.Integer))
op.execute("INSERT INTO nothing VALUES (1)")
"""


async def test_a_trigger_during_a_run_returns_that_run(
    scripts: Scripts, url: str, control_url: str
) -> None:
    """Whoever asks while a run goes on gets that run, and no second one starts."""
    scripts.add("a1", 'op.execute("CREATE TABLE a1 AS SELECT 1 AS id FROM pg_sleep(1)")')
    settings = settings_for(scripts, [url], control=control_url)
    async with opened_runtime(settings) as runtime:
        first = await runtime.request(Order(Verb.SYNC), Selection(), actor="ada")
        second = await runtime.request(Order(Verb.SYNC), Selection(), actor="bob")
        assert second.runs[0].id == first.runs[0].id
        assert second.runs[0].actor == "ada"
        await runtime.finished(first.id)
        found = await runtime.rollout(second.id)
        assert found
        assert [skip.reason for skip in found.skipped] == [
            f"db-1: run {first.runs[0].id} (sync to head) is under way; ask again when it has ended"
        ]
        assert (await kinds(runtime)).count("run.requested") == 1
    assert await version(url) == {"a1"}


async def test_another_order_during_a_run_is_refused(scripts: Scripts, url: str) -> None:
    """Who asks for something else while a run goes on is told so, and no hold is set."""
    scripts.add("a1", 'op.execute("CREATE TABLE a1 AS SELECT 1 AS id FROM pg_sleep(0.5)")')
    async with opened_runtime(settings_for(scripts, [url])) as runtime:
        rollout = await runtime.request(Order(Verb.SYNC), Selection(), actor="ada")
        with pytest.raises(TargetBusyError, match=r"db-1: run \w+ \(sync to head\) is under way"):
            await ordered(runtime, Verb.DOWNGRADE, "base", "db-1")
        await runtime.finished(rollout.id)
        assert (await status(runtime)).status is Status.CURRENT


async def test_a_sweep_looks_past_a_run(scripts: Scripts, url: str) -> None:
    """A sweep in the middle of a run neither starts another nor calls its work a change."""
    scripts.add_tables("a1")
    scripts.add("a2", 'op.execute("CREATE TABLE a2 AS SELECT 1 AS id FROM pg_sleep(1)")')
    async with opened_runtime(settings_for(scripts, [url])) as runtime:
        rollout = await runtime.sweep()
        assert rollout
        async with asyncio.timeout(90):
            while "step.succeeded" not in await kinds(runtime):  # noqa: ASYNC110 - its own pace
                await asyncio.sleep(0.02)
        await runtime.sweep()
        await runtime.finished(rollout.id)
        seen = await kinds(runtime)
        assert seen.count("run.requested") == 1
        assert "target.changed" not in seen


async def test_the_clock_does_not_undo_a_downgrade(
    scripts: Scripts, url: str, control_url: str
) -> None:
    """A downgrade holds its target: the clock leaves it, a sync is refused, until a release."""
    scripts.add_tables("a1", "a2")
    settings = settings_for(scripts, [url], control=control_url)
    async with opened_runtime(settings) as runtime:
        await swept(runtime)
        run = await ordered_one(runtime, Verb.DOWNGRADE, "-1")
        assert (run.state, run.after) == (RunState.SUCCEEDED, at("a1"))
        assert await tables(url) == {"alembic_version", "a1"}
        assert await runtime.sweep() is None
        held = await status(runtime)
        assert held.status is Status.HELD
        assert held.hold
        assert (held.hold.actor, held.hold.reason) == ("ada", "downgrade to -1")
        with pytest.raises(TargetHeldError, match=r"db-1: on hold since .* UTC by ada"):
            await runtime.request(Order(Verb.SYNC), Selection(targets=("db-1",)), actor="bob")
        assert (await runtime.release("db-1", actor="bob")).status is Status.BEHIND
        assert [run.after for run in await swept(runtime)] == [at("a2")]
        assert [e.actor for e in await events(runtime, kind="target.released")] == ["bob"]


async def test_a_hold_during_a_sweep_is_respected(
    scripts: Scripts, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A downgrade between the look of a sweep and its run is not undone by that run."""
    scripts.add_tables("a1", "a2")
    async with opened_runtime(settings_for(scripts, [url])) as runtime:
        await swept(runtime)
        scripts.add_tables("a3")
        begin = runtime._rollouts._begun

        async def begun_after_a_downgrade(order: Order, *rest: object) -> Rollout:
            rollout: Rollout = await begin(order, *rest)  # type: ignore[arg-type]  # as it came
            if order.verb is Verb.SYNC:
                await ordered_one(runtime, Verb.DOWNGRADE, "a1")
            return rollout

        monkeypatch.setattr(runtime._rollouts, "_begun", begun_after_a_downgrade)
        assert await swept(runtime) == ()
        assert (await status(runtime)).status is Status.HELD
    assert await version(url) == {"a1"}


async def test_a_stamp_below_head_holds_its_target(scripts: Scripts, url: str) -> None:
    """A stamp moves the version table only, and the clock does not apply what it left pending."""
    scripts.add_tables("a1", "a2")
    async with opened_runtime(settings_for(scripts, [url])) as runtime:
        run = await ordered_one(runtime, Verb.STAMP, "a1")
        assert (run.state, run.after) == (RunState.SUCCEEDED, at("a1"))
        assert await tables(url) == {"alembic_version"}
        assert await runtime.sweep() is None
        assert (await status(runtime)).status is Status.HELD
        assert {"stamp.started", "stamp.succeeded", "target.held"} <= set(await kinds(runtime))


async def test_a_stamp_at_head_leaves_no_hold(scripts: Scripts, url: str) -> None:
    """A database that is stamped at head is level: the next revision is applied by the clock."""
    scripts.add_tables("a1")
    async with opened_runtime(settings_for(scripts, [url])) as runtime:
        await ordered_one(runtime, Verb.STAMP, "head")
        level = await status(runtime)
        assert (level.status, level.hold) == (Status.CURRENT, None)
        scripts.add_tables("a2")
        assert [run.after for run in await swept(runtime)] == [at("a2")]


async def test_a_stamp_at_head_does_not_end_an_older_hold(scripts: Scripts, url: str) -> None:
    """Only the hold that a stamp set itself goes with it; a person's older one stands."""
    scripts.add_tables("a1")
    async with opened_runtime(settings_for(scripts, [url])) as runtime:
        await swept(runtime)
        await ordered_one(runtime, Verb.DOWNGRADE, "base")
        await ordered_one(runtime, Verb.STAMP, "head")
        assert (await status(runtime)).status is Status.HELD


async def test_release_without_a_hold_changes_nothing(scripts: Scripts, url: str) -> None:
    """Releasing a target that is not on hold writes no event."""
    scripts.add_tables("a1")
    async with opened_runtime(settings_for(scripts, [url])) as runtime:
        await swept(runtime)
        before = await runtime.verify()
        assert (await runtime.release("db-1", actor="ada")).status is Status.CURRENT
        assert await runtime.verify() == before


async def test_an_observed_target_is_synced_by_a_person(scripts: Scripts, url: str) -> None:
    """Policy `observe` binds the clock, not people."""
    scripts.add_tables("a1")
    settings = settings_for(scripts, [url], target='policy = "observe"')
    async with opened_runtime(settings) as runtime:
        run = await ordered_one(runtime)
        assert (run.state, run.actor, run.after) == (RunState.SUCCEEDED, "ada", at("a1"))


async def test_a_failed_statement_undoes_its_whole_step(
    scripts: Scripts, url: str, control_url: str
) -> None:
    """The steps before it stand, all of its own is rolled back, and the error names it."""
    scripts.add_tables("a1")
    scripts.add("a2", FAILS)
    settings = settings_for(scripts, [url], control=control_url)
    async with opened_runtime(settings) as runtime:
        (run,) = await swept(runtime)
        assert (run.state, run.after) == (RunState.FAILED, at("a1"))
        assert run.error == 'db-1: revision a2: relation "nothing" does not exist (UndefinedTable)'
        (failed,) = await events(runtime, kind="step.failed")
        assert (failed.revision, failed.data["code"]) == ("a2", "42P01")
        sql = await runtime.statement(str(failed.data["statement"]))
        assert sql == "INSERT INTO nothing VALUES (1)"
        found = await status(runtime)
        assert (found.status, found.problem) == (Status.BEHIND, run.error)
        assert await runtime.verify() > 0
    assert await tables(url) == {"alembic_version", "a1"}
    assert await version(url) == {"a1"}


async def test_the_clock_does_not_hammer_a_failure(scripts: Scripts, url: str) -> None:
    """After a failed statement the clock waits for other scripts; a person may always try."""
    scripts.add("a1", FAILS)
    settings = settings_for(scripts, [url])
    clock = Calendar()
    async with runtime_at(settings, clock) as runtime:
        assert [run.state for run in await swept(runtime)] == [RunState.FAILED]
        clock.ahead += timedelta(days=1)
        assert await runtime.sweep() is None
        await execute(url, "CREATE TABLE nothing (id integer)")
        assert await runtime.sweep() is None
        assert (await ordered_one(runtime)).state is RunState.SUCCEEDED
        assert (await status(runtime)).problem is None


async def test_mended_scripts_end_the_wait(scripts: Scripts, url: str) -> None:
    """Where the failing script is mended on disk, the next sweep tries it."""
    scripts.add("a1", FAILS)
    async with opened_runtime(settings_for(scripts, [url])) as runtime:
        assert [run.state for run in await swept(runtime)] == [RunState.FAILED]
        assert await runtime.sweep() is None
        scripts.add("a1", 'op.create_table("whole")', after=None)
        assert [run.state for run in await swept(runtime)] == [RunState.SUCCEEDED]


async def test_release_ends_the_wait_too(scripts: Scripts, url: str) -> None:
    """A release hands a target whose run failed back to the clock."""
    scripts.add("a1", FAILS)
    async with opened_runtime(settings_for(scripts, [url])) as runtime:
        await swept(runtime)
        await execute(url, "CREATE TABLE nothing (id integer)")
        await runtime.release("db-1", actor="ada")
        assert [run.state for run in await swept(runtime)] == [RunState.SUCCEEDED]


async def test_a_busy_lock_is_tried_again_later(scripts: Scripts, url: str) -> None:
    """Where somebody else migrates, the run fails at once and the clock comes back."""
    scripts.add_tables("a1")
    clock = Calendar()
    settings = settings_for(scripts, [url], target='lock_wait = "100ms"')
    async with runtime_at(settings, clock) as runtime:
        other = await asyncpg.connect(url)
        await other.execute(f"SELECT pg_advisory_lock({KEY})")
        (run,) = await swept(runtime)
        await other.close()
        assert run.state is RunState.FAILED
        assert run.error
        assert "the migration lock was not free for 0.1 s" in run.error
        assert await runtime.sweep() is None
        clock.ahead += timedelta(minutes=1)
        assert [run.state for run in await swept(runtime)] == [RunState.SUCCEEDED]


KEY = """hashtextextended(
    concat_ws(':', 'levelhead', current_database(), current_schema(), 'alembic_version'), 0)"""
