"""Targets whose plans need an approval: what the clock and people may do to them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sync.errors import OwnRequestError, UnknownPlanError
from sync.events.chain import Event
from sync.events.kinds import Kind
from sync.gate import short
from sync.model import (
    Order,
    PlanQuery,
    PlanRecord,
    PlanState,
    Run,
    RunState,
    Selection,
    Status,
    Verb,
)
from sync.runtime import Runtime
from sync.settings import Settings
from tests.support.engine import (
    at,
    events,
    execute,
    opened_runtime,
    ordered_one,
    scripts,
    settings_for,
    status,
    swept,
    tables,
    url,
    version,
)
from tests.support.histories import SYNC_ENV, Scripts
from tests.support.postgres import Databases

__all__ = ["scripts", "url"]  # fixtures

WAITS = 'policy = "approve"'

#: A script that takes its time to load, once it is armed.
WAITS_TO_LOAD = """
import pathlib, time
here = pathlib.Path("{here}")
while here.with_suffix(".armed").exists() and not pathlib.Path("{go}").exists():
    here.touch()
    time.sleep(0.02)
"""


def guarded(scripts: Scripts, *urls: str, shadow: str = "none") -> Settings:
    """Write settings whose targets want an approval of each plan."""
    return settings_for(scripts, urls, shadow=shadow, target=WAITS)


async def proposed(runtime: Runtime) -> str:
    """Sweep, and return the plan that the clock proposes."""
    (run,) = await swept(runtime)
    assert run.state is RunState.PROPOSED, run.error
    return (await status(runtime)).awaits or ""


async def of_kind(runtime: Runtime, kind: Kind) -> list[Event]:
    """Return the events of one kind, oldest first."""
    return list(await events(runtime, kind=kind))


async def test_the_clock_proposes_once(scripts: Scripts, url: str) -> None:
    """A plan that nobody has approved is proposed once, and nothing is done, however often."""
    scripts.add_tables("r1", "r2")
    async with opened_runtime(guarded(scripts, url)) as runtime:
        (run,) = await swept(runtime)
        assert (run.state, run.plan, run.approver) == (RunState.PROPOSED, None, None)
        for _ in range(3):
            assert await swept(runtime) == ()
        seen = await status(runtime)
        assert (seen.status, seen.heads) == (Status.BEHIND, at())
        plan = short(seen.awaits or "")
        assert seen.problem == f"db-1: plan {plan} waits for an approval; see levelhead plan db-1"
        (event,) = await of_kind(runtime, Kind.PLAN_PROPOSED)
        assert (event.actor, event.target, event.run) == ("clock", "db-1", run.id)
        assert event.data["plan"] == seen.awaits
        record = await runtime.approvals.record(seen.awaits or "")
        assert (record.state, record.steps, record.after) == (PlanState.PROPOSED, 2, at("r2"))
        assert [(each.target, each.actor) for each in record.proposals] == [("db-1", "clock")]
    assert await tables(url) == set()


async def test_an_approved_plan_is_applied(scripts: Scripts, url: str) -> None:
    """The next sweep applies exactly what was approved; run and event name plan and approver."""
    scripts.add_tables("r1", "r2")
    async with opened_runtime(guarded(scripts, url)) as runtime:
        digest = await proposed(runtime)
        await runtime.approvals.approve(digest, actor="eve", reason="read it")
        assert (await status(runtime)).problem is None
        (run,) = await swept(runtime)
        assert (run.state, run.plan, run.approver) == (RunState.SUCCEEDED, digest, "eve")
        (started,) = await of_kind(runtime, Kind.RUN_STARTED)
        assert (started.data["plan"], started.data["approver"]) == (digest, "eve")
        (said,) = await of_kind(runtime, Kind.PLAN_APPROVED)
        assert (said.actor, said.data) == ("eve", {"plan": digest, "reason": "read it"})
    assert await version(url) == {"r2"}


async def test_a_rejected_plan(scripts: Scripts, url: str) -> None:
    """A rejected plan is neither applied nor proposed again, whoever asks; a changed one is."""
    scripts.add_tables("r1")
    async with opened_runtime(guarded(scripts, url)) as runtime:
        digest = await proposed(runtime)
        await runtime.approvals.reject(digest, actor="eve", reason="locks orders for hours")
        assert await swept(runtime) == ()
        reason = f"db-1: plan {short(digest)} was rejected by eve: locks orders for hours"
        assert (await status(runtime)).problem == reason
        run = await ordered_one(runtime)
        assert (run.state, run.error) == (RunState.FAILED, reason)
        assert await swept(runtime) == ()
        scripts.add("r1", 'op.create_table("better", sa.Column("id", sa.Integer))', after=None)
        assert await proposed(runtime) != digest
    assert await tables(url) == set()


async def test_the_last_word_counts(scripts: Scripts, url: str) -> None:
    """What was rejected may be approved after all, and the other way round."""
    scripts.add_tables("r1")
    async with opened_runtime(guarded(scripts, url)) as runtime:
        digest = await proposed(runtime)
        for state, decide in (
            (PlanState.REJECTED, runtime.approvals.reject),
            (PlanState.APPROVED, runtime.approvals.approve),
            (PlanState.REJECTED, runtime.approvals.reject),
        ):
            assert (await decide(digest, actor="eve")).state is state
        assert (await ordered_one(runtime)).state is RunState.FAILED
        await runtime.approvals.approve(digest, actor="eve")
        assert (await ordered_one(runtime)).state is RunState.SUCCEEDED


async def test_who_asks_does_not_approve(scripts: Scripts, url: str) -> None:
    """Neither may somebody approve what he asked for, nor ask for what he alone approved."""
    scripts.add_tables("r1")
    async with opened_runtime(guarded(scripts, url)) as runtime:
        run = await ordered_one(runtime)
        assert (run.state, run.actor) == (RunState.PROPOSED, "ada")
        digest = (await status(runtime)).awaits or ""
        with pytest.raises(OwnRequestError, match="ada asked for it"):
            await runtime.approvals.approve(digest, actor="ada")
        assert (await ordered_one(runtime, Verb.SYNC, "r1")).state is RunState.PROPOSED
        await runtime.approvals.approve(digest, actor="eve")
        rollout = await runtime.request(run.order, Selection(), actor="eve")
        (own,) = (await runtime.finished(rollout.id)).runs
        assert own.state is RunState.FAILED
        assert "was approved by eve, who asks for this run" in str(own.error)
        (done,) = await swept(runtime)
        assert (done.state, done.actor) == (RunState.SUCCEEDED, "clock")


async def test_who_asks_does_not_approve_what_was_rejected(scripts: Scripts, url: str) -> None:
    """A wish that meets a rejection is a wish: who has it does not approve the plan afterwards."""
    scripts.add_tables("r1")
    async with opened_runtime(guarded(scripts, url)) as runtime:
        digest = await proposed(runtime)
        await runtime.approvals.reject(digest, actor="eve")
        assert (await ordered_one(runtime)).state is RunState.FAILED
        with pytest.raises(OwnRequestError, match="ada asked for it"):
            await runtime.approvals.approve(digest, actor="ada")


async def test_a_rejection_at_the_last_moment(scripts: Scripts, url: str, tmp_path: Path) -> None:
    """A plan that is rejected while its run is about to start is not begun."""
    here, go = tmp_path / "here", tmp_path / "go"
    scripts.add("r1", 'op.create_table("r1")', more=WAITS_TO_LOAD.format(here=here, go=go))
    async with opened_runtime(guarded(scripts, url)) as runtime, asyncio.timeout(90):
        digest = await proposed(runtime)
        await runtime.approvals.approve(digest, actor="eve")
        here.with_suffix(".armed").touch()
        rollout = await runtime.request(Order(Verb.SYNC), Selection(), actor="ada")
        while not here.exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(0.02)
        await runtime.approvals.reject(digest, actor="eve", reason="not today")
        go.touch()
        (run,) = (await runtime.finished(rollout.id)).runs
        assert (run.state, run.error) == (
            RunState.FAILED,
            f"db-1: plan {short(digest)} was rejected by eve: not today",
        )
        assert await of_kind(runtime, Kind.RUN_STARTED) == []
    assert await tables(url) == set()


async def test_one_pair_of_eyes(scripts: Scripts, url: str) -> None:
    """With four_eyes switched off, whoever asks may approve."""
    scripts.add_tables("r1")
    environ = {"LEVELHEAD_APPROVAL__FOUR_EYES": "false"}
    settings = settings_for(scripts, [url], target=WAITS, environ=environ)
    async with opened_runtime(settings) as runtime:
        await ordered_one(runtime)
        await runtime.approvals.approve((await status(runtime)).awaits or "", actor="ada")
        assert (await ordered_one(runtime)).state is RunState.SUCCEEDED


async def test_edited_scripts(scripts: Scripts, url: str) -> None:
    """Other SQL needs another approval, and the status says so; other words for it do not."""
    scripts.add_tables("r1")
    async with opened_runtime(guarded(scripts, url, shadow="auto")) as runtime:
        old = await proposed(runtime)
        await runtime.approvals.approve(old, actor="eve")
        scripts.add("r1", 'op.create_table("other", sa.Column("id", sa.Integer))', after=None)
        new = await proposed(runtime)
        assert new != old
        assert (await status(runtime)).problem == (
            f"db-1: approved plan {short(old)} no longer matches the scripts or the order; "
            f"plan {short(new)} waits for an approval"
        )
        await runtime.approvals.approve(new, actor="eve")
        path = scripts.versions / "r1.py"
        path.write_text(path.read_text().replace("Make r1.", "Make a table."))
        (run,) = await swept(runtime)
        assert (run.state, run.plan) == (RunState.SUCCEEDED, new)
    assert await tables(url) == {"other", "alembic_version"}


async def test_a_target_that_moved(scripts: Scripts, url: str) -> None:
    """An approval is for the way from where the target stood; from elsewhere the plan is new."""
    scripts.add_tables("r1", "r2")
    async with opened_runtime(guarded(scripts, url)) as runtime:
        old = await proposed(runtime)
        await runtime.approvals.approve(old, actor="eve")
        await execute(
            url,
            "CREATE TABLE r1 (id int); CREATE TABLE alembic_version (version_num varchar(32) "
            "PRIMARY KEY); INSERT INTO alembic_version VALUES ('r1')",
        )
        new = await proposed(runtime)
        assert (await status(runtime)).problem == (
            f"db-1: approved plan {short(old)} begins at base, the target stands at r1 now; "
            f"plan {short(new)} waits for an approval"
        )
        await runtime.approvals.approve(new, actor="eve")
        assert [run.plan for run in await swept(runtime)] == [new]
        assert [record.digest for record in await page(runtime, PlanState.APPROVED)] == [new, old]


async def page(runtime: Runtime, state: PlanState) -> tuple[PlanRecord, ...]:
    """Return the plans of one state, newest first."""
    return await runtime.approvals.page(PlanQuery(state=state))


async def test_a_target_that_moved_while_it_waited(scripts: Scripts, url: str) -> None:
    """A plan that waits is forgotten when its target moves by hand: the next one is proposed."""
    scripts.add_tables("r1", "r2")
    async with opened_runtime(guarded(scripts, url)) as runtime:
        old = await proposed(runtime)
        await execute(
            url,
            "CREATE TABLE r1 (id int); CREATE TABLE alembic_version (version_num varchar(32) "
            "PRIMARY KEY); INSERT INTO alembic_version VALUES ('r1')",
        )
        assert await proposed(runtime) != old


async def test_one_approval_for_all(scripts: Scripts, databases: Databases) -> None:
    """Targets at one revision share a plan, and its approval."""
    scripts.add_tables("r1")
    urls = await databases(2)
    async with opened_runtime(guarded(scripts, *urls)) as runtime:
        first, second = await swept(runtime)
        assert (first.state, second.state) == (RunState.PROPOSED, RunState.PROPOSED)
        digest = (await status(runtime, "db-2")).awaits or ""
        await runtime.approvals.approve(digest, actor="eve")
        assert [run.plan for run in await swept(runtime)] == [digest, digest]


async def test_a_downgrade_needs_one_and_a_stamp_does_not(scripts: Scripts, url: str) -> None:
    """What can lose data is read by two; what repairs a version table is one person's word."""
    scripts.add_tables("r1", "r2")
    async with opened_runtime(guarded(scripts, url)) as runtime:
        stamped = await ordered_one(runtime, Verb.STAMP, "head")
        assert stamped.state is RunState.SUCCEEDED
        await execute(url, "CREATE TABLE r1 (id int); CREATE TABLE r2 (id int)")
        down = await ordered_one(runtime, Verb.DOWNGRADE, "-1")
        assert (down.state, await version(url)) == (RunState.PROPOSED, {"r2"})
        (event,) = await of_kind(runtime, Kind.PLAN_PROPOSED)
        digest = str(event.data["plan"])
        assert (await status(runtime)).status is Status.HELD
        await runtime.approvals.approve(digest, actor="eve")
        done = await ordered_one(runtime, Verb.DOWNGRADE, "-1")
        assert (done.state, done.approver) == (RunState.SUCCEEDED, "eve")
    assert await version(url) == {"r1"}


async def test_a_catalog_step_that_does_not_fit(scripts: Scripts, url: str) -> None:
    """SQL that was approved never turns into its script because the target's schema differs."""
    scripts.add_tables("r1")
    scripts.add(
        "r2",
        """
        if not sa.inspect(op.get_bind()).has_table("extra"):
            op.create_table("extra", sa.Column("id", sa.Integer))
        """,
    )
    await execute(url, "CREATE TABLE extra (id int)")
    async with opened_runtime(guarded(scripts, url, shadow="auto")) as runtime:
        await runtime.approvals.approve(await proposed(runtime), actor="eve")
        (run,) = await swept(runtime)
        assert run.state is RunState.FAILED
        assert "the SQL that was approved for r2 does not fit here" in str(run.error)
        (failed,) = await of_kind(runtime, Kind.RUN_FAILED)
        assert failed.data["error"] == "PlanStaleError"
    assert await version(url) == {"r1"}


async def test_a_live_step_is_approved_by_its_script(scripts: Scripts, url: str) -> None:
    """Of a live step the script is what was approved; with another one the approval is void."""
    scripts.add("r1", 'op.execute("CREATE TABLE t AS SELECT 1 AS id")')
    scripts.add("r2", 'op.get_bind().execute(sa.text("SELECT id FROM t")).all()')
    async with opened_runtime(guarded(scripts, url, shadow="auto")) as runtime:
        old = await proposed(runtime)
        await runtime.approvals.approve(old, actor="eve")
        path = scripts.versions / "r2.py"
        path.write_text(path.read_text().replace("SELECT id", "SELECT 1"))
        new = await proposed(runtime)
        assert new != old
        await runtime.approvals.approve(new, actor="eve")
        (run,) = await swept(runtime)
        assert (run.state, run.plan) == (RunState.SUCCEEDED, new)
    assert await version(url) == {"r2"}


async def test_an_empty_plan_needs_none(scripts: Scripts, url: str) -> None:
    """Where there is nothing to apply, there is nothing to approve."""
    scripts.add_tables("r1")
    async with opened_runtime(guarded(scripts, url)) as runtime:
        await runtime.approvals.approve(await proposed(runtime), actor="eve")
        await swept(runtime)
        run: Run = await ordered_one(runtime)
        assert (run.state, run.approver) == (RunState.SUCCEEDED, None)


async def test_a_plan_that_nobody_knows(scripts: Scripts, url: str) -> None:
    """Only plans that were compiled can be decided on."""
    scripts.add_tables("r1")
    async with opened_runtime(guarded(scripts, url)) as runtime:
        with pytest.raises(UnknownPlanError, match="there is no plan 0000"):
            await runtime.approvals.approve("0000", actor="eve")
        digest = await proposed(runtime)
        assert await runtime.approvals.whole(digest[:8].upper()) == digest
        with pytest.raises(UnknownPlanError):
            await runtime.approvals.whole(digest + "0")


async def test_without_a_shadow_the_files_are_what_is_approved(scripts: Scripts, url: str) -> None:
    """Where nothing was compiled, env.py was read as well: another one ends the approval."""
    scripts.add_tables("r1")
    async with opened_runtime(guarded(scripts, url)) as runtime:
        old = await proposed(runtime)
        await runtime.approvals.approve(old, actor="eve")
        scripts.write_env(f"{SYNC_ENV}\n# another one\n")
        assert await proposed(runtime) != old
    assert await tables(url) == set()
