"""Canaries: one target runs the scripts of a plan before the plan is replayed on any other."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from typing import Any, cast
from urllib.parse import quote

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from providers.databricks.warehouse import Warehouse
from sync.attempt import Attempt
from sync.canary import Canaries
from sync.errors import AuditError
from sync.events.chain import Event
from sync.events.kinds import Kind
from sync.events.log import EventLog
from sync.lease import Leases
from sync.model import Canary, CanaryState, Run, RunState, Selection, Status, Verb
from sync.runtime import Runtime
from sync.settings import Settings
from sync.store import canaries
from sync.trials import Trials
from tests.support.cli import until
from tests.support.control import START
from tests.support.engine import (
    events,
    execute,
    opened_runtime,
    ordered,
    scripts,
    settings_for,
    status,
    swept,
    tables,
)
from tests.support.histories import Scripts
from tests.support.postgres import Databases

__all__ = ["scripts"]  # a fixture

pytest_plugins = ["tests.support.warehouse"]

GUARDED = "canary = true"

#: Returns nothing, so the compiler takes it for static; but it reads a setting of the database.
BY_REGION = """
op.execute('''DO $$ BEGIN
    IF current_setting('app.region', true) = 'eu' THEN CREATE TABLE eu_only (id int);
    ELSE CREATE TABLE plain (id int); END IF;
END $$''')
"""


async def settle_in_region(url: str) -> None:
    """Give a database the setting; no fingerprint knows of it."""
    name = url.rpartition("/")[2]
    await execute(url, f"ALTER DATABASE \"{name}\" SET app.region = 'eu'")


def problem(run: Run) -> str:
    """Return why *run* waits, with the digest of its plan left out."""
    assert run.state is RunState.PROPOSED, run
    return re.sub(r"[0-9a-f]{12}", "DIGEST", run.error or "")


def guarded(scripts: Scripts, *urls: str, history: str = GUARDED) -> Settings:
    """Write settings whose history wants a canary for each plan."""
    return settings_for(scripts, urls, shadow="auto", history=history)


async def of_kind(runtime: Runtime, kind: Kind) -> tuple[Event, ...]:
    """Return the events of one kind, oldest first."""
    return await events(runtime, kind=kind)


async def test_one_target_goes_first(scripts: Scripts, databases: Databases) -> None:
    """The first target by name runs the scripts; as the schemas agree, the others replay."""
    scripts.add_tables("a1", "a2")
    urls = await databases(3)
    async with opened_runtime(guarded(scripts, *urls)) as runtime:
        runs = await ordered(runtime)
        assert [(run.target, run.state) for run in runs] == [
            (name, RunState.SUCCEEDED) for name in ("db-1", "db-2", "db-3")
        ], runs
        for url in urls:
            assert await tables(url) == {"a1", "a2", "alembic_version"}
        classes = {
            event.target: [step["class"] for step in cast("list[Any]", event.data["steps"])]
            for event in await of_kind(runtime, Kind.RUN_STARTED)
        }
        assert classes == {
            "db-1": ["live", "live"],
            "db-2": ["static", "static"],
            "db-3": ["static", "static"],
        }
        (chosen,) = await of_kind(runtime, Kind.CANARY_CHOSEN)
        (passed,) = await of_kind(runtime, Kind.CANARY_PASSED)
        assert (chosen.target, passed.target) == ("db-1", "db-1")
        record = await runtime.approvals.record(str(passed.data["plan"]))
        assert record.canary is not None
        assert (record.canary.state, record.canary.target) == (CanaryState.PASSED, "db-1")


async def test_another_schema_stops_the_others(scripts: Scripts, databases: Databases) -> None:
    """What the scripts leave on the canary differs: the plan waits for an approval."""
    scripts.add("a1", BY_REGION)
    eu, us = await databases(2)
    await settle_in_region(eu)
    async with opened_runtime(guarded(scripts, eu, us)) as runtime:
        canary, other = await ordered(runtime)
        assert canary.state is RunState.SUCCEEDED
        (failed,) = await of_kind(runtime, Kind.CANARY_FAILED)
        assert failed.data["message"] == (
            "+ table public.eu_only: permanent, and 1 part of it; "
            "- table public.plain: permanent, and 1 part of it"
        )
        assert problem(other) == (
            "db-2: plan DIGEST failed on its canary: on db-1 its scripts left another schema than "
            f"its replay on a shadow: {failed.data['message']}; change the scripts, "
            "or levelhead approve DIGEST"
        )
        assert (await status(runtime, "db-2")).problem == other.error
        assert await swept(runtime) == ()  # the clock does not hammer
        assert await tables(us) == set()

        await runtime.approvals.approve(str(failed.data["plan"]), actor="berta")
        (run,) = await swept(runtime)
        assert (run.state, run.approver) == (RunState.SUCCEEDED, "berta")
        assert await tables(us) == {"plain", "alembic_version"}


async def test_only_who_is_like_the_shadow_proves_anything(
    scripts: Scripts, databases: Databases
) -> None:
    """A target with more in its schema than the history makes is no canary, but replays."""
    scripts.add_tables("a1")
    own, plain = await databases(2)
    await execute(own, "CREATE TABLE mine (id int)")
    async with opened_runtime(guarded(scripts, own, plain)) as runtime:
        assert all(run.state is RunState.SUCCEEDED for run in await ordered(runtime))
        (passed,) = await of_kind(runtime, Kind.CANARY_PASSED)
        assert passed.target == "db-2"
        assert await tables(own) == {"mine", "a1", "alembic_version"}


async def test_nobody_is_like_the_shadow(scripts: Scripts, databases: Databases) -> None:
    """Where no target can be the canary, all of them are named, and a person decides."""
    scripts.add_tables("a1")
    urls = await databases(2)
    for url in urls:
        await execute(url, "CREATE TABLE mine (id int)")
    async with opened_runtime(guarded(scripts, *urls)) as runtime:
        one, other = await swept(runtime)
        extra = "(+ table public.mine: permanent, and 1 part of it)"
        assert {problem(run) for run in (one, other)} == {
            f"{name}: plan DIGEST has no canary, none is like the shadow: db-1 {extra}; "
            f"db-2 {extra}; put one right, or levelhead approve DIGEST"
            for name in ("db-1", "db-2")
        }
        seen = await status(runtime)
        assert (seen.status, seen.problem) == (Status.BEHIND, one.error)
        assert await swept(runtime) == ()
        await runtime.approvals.approve(seen.awaits or "", actor="berta")
        assert [run.state for run in await swept(runtime)] == [RunState.SUCCEEDED] * 2
        assert await of_kind(runtime, Kind.CANARY_CHOSEN) == ()


async def test_a_named_canary(scripts: Scripts, databases: Databases) -> None:
    """The target that the settings name is the canary, and the others wait until it was."""
    scripts.add_tables("a1")
    urls = await databases(2)
    settings = guarded(scripts, *urls, history='canary = "db-2"')
    async with opened_runtime(settings) as runtime:
        (alone,) = await ordered(runtime, Verb.SYNC, "head", "db-1")
        assert problem(alone) == (
            "db-1: plan DIGEST waits for canary db-2: levelhead sync db-2, "
            "or levelhead approve DIGEST"
        )
        (canary,) = await ordered(runtime, Verb.SYNC, "head", "db-2")
        assert canary.state is RunState.SUCCEEDED
        assert [run.state for run in await swept(runtime)] == [RunState.SUCCEEDED]
        (passed,) = await of_kind(runtime, Kind.CANARY_PASSED)
        assert passed.target == "db-2"


async def test_canaries_are_given_up(scripts: Scripts, databases: Databases) -> None:
    """Where the settings ask for no canary any more, the clock applies what waited for one."""
    scripts.add_tables("a1")
    (url,) = await databases(1)
    await execute(url, "CREATE TABLE mine (id int)")
    async with opened_runtime(guarded(scripts, url)) as runtime:
        (run,) = await swept(runtime)
        assert run.state is RunState.PROPOSED
    async with opened_runtime(guarded(scripts, url, history="")) as runtime:
        (run,) = await swept(runtime)
        assert run.state is RunState.SUCCEEDED


async def test_an_approval_comes_first(scripts: Scripts, databases: Databases) -> None:
    """Where the policy is approve too, the plan is approved, then tried, then replayed."""
    scripts.add("a1", BY_REGION)
    eu, us = await databases(2)
    await settle_in_region(eu)
    settings = settings_for(
        scripts, [eu, us], shadow="auto", history=GUARDED, target='policy = "approve"'
    )
    async with opened_runtime(settings) as runtime:
        assert "waits for an approval" in problem((await swept(runtime))[0])
        digest = (await status(runtime)).awaits or ""
        await runtime.approvals.approve(digest, actor="berta")
        canary, other = await swept(runtime)
        assert canary.state is RunState.SUCCEEDED
        assert "failed on its canary: on db-1" in problem(other)
        await runtime.approvals.approve(digest, actor="berta")  # now that its canary has failed
        (run,) = await swept(runtime)
        assert (run.target, run.state) == ("db-2", RunState.SUCCEEDED)


async def test_a_canary_whose_service_ended(
    scripts: Scripts, databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the end of a canary's scripts and the comparison: the next service compares."""
    scripts.add("a1", BY_REGION)
    eu, us = await databases(2)
    await settle_in_region(eu)
    settings = guarded(scripts, eu, us)

    async def dies(*_: object) -> None:
        raise AuditError("as if the process had ended")

    async with opened_runtime(settings) as runtime:
        with monkeypatch.context() as patched:
            patched.setattr(Attempt, "_end", dies)
            (run,) = await ordered(runtime, Verb.SYNC, "head", "db-1")
        assert run.state is RunState.RUNNING
        assert await of_kind(runtime, Kind.CANARY_FAILED) == ()
    async with opened_runtime(settings) as runtime:
        (other,) = await swept(runtime)
        assert "failed on its canary: on db-1" in problem(other)
        (failed,) = await of_kind(runtime, Kind.CANARY_FAILED)
        assert (failed.target, failed.run) == ("db-1", run.id)


async def test_a_canary_that_fails_by_itself(scripts: Scripts, databases: Databases) -> None:
    """A canary whose script fails proves nothing: another target is the canary then."""
    scripts.add(
        "a1",
        """op.execute("DO $$ BEGIN PERFORM 1 / "
        "coalesce(current_setting('app.n', true), '1')::int; END $$")""",
    )
    bad, good = await databases(2)
    await execute(bad, f"ALTER DATABASE \"{bad.rpartition('/')[2]}\" SET app.n = '0'")
    async with opened_runtime(guarded(scripts, bad, good)) as runtime:
        failed, succeeded = await ordered(runtime)
        assert (failed.state, succeeded.state) == (RunState.FAILED, RunState.SUCCEEDED)
        assert [event.target for event in await of_kind(runtime, Kind.CANARY_CHOSEN)] == [
            "db-1",
            "db-2",
        ]
        assert len(await of_kind(runtime, Kind.CANARY_RELEASED)) == 1


async def test_two_services_choose_one(scripts: Scripts, databases: Databases) -> None:
    """Two services on one control database do not try one plan twice."""
    scripts.add_tables("a1")
    one, other, control = await databases(3)
    settings = settings_for(scripts, [one, other], shadow="auto", history=GUARDED, control=control)
    async with opened_runtime(settings) as left, opened_runtime(settings) as right:
        runs = await asyncio.gather(
            ordered(left, Verb.SYNC, "head", "db-1"), ordered(right, Verb.SYNC, "head", "db-2")
        )
        assert [run.state for several in runs for run in several] == [RunState.SUCCEEDED] * 2
        assert len(await of_kind(left, Kind.CANARY_CHOSEN)) == 1
        assert len(await of_kind(left, Kind.CANARY_PASSED)) == 1


async def test_the_clock_tries_first_too(scripts: Scripts, databases: Databases) -> None:
    """A sweep does as an order does, also where nobody looks for drift."""
    scripts.add("a1", BY_REGION)
    eu, us = await databases(2)
    await settle_in_region(eu)
    settings = settings_for(
        scripts, [eu, us], shadow="auto", history=GUARDED, schedule='drift_every = "off"'
    )
    async with opened_runtime(settings) as runtime:
        canary, other = await swept(runtime)
        assert (canary.state, other.state) == (RunState.SUCCEEDED, RunState.PROPOSED)
        assert len(await of_kind(runtime, Kind.CANARY_FAILED)) == 1


async def test_a_plan_with_live_steps(scripts: Scripts, databases: Databases) -> None:
    """Scripts that run live are part of what is compared."""
    scripts.add_tables("a1")
    scripts.add("a2", "op.get_bind().exec_driver_sql('SELECT count(*) FROM a1').scalar()")
    scripts.add_tables("a3")
    urls = await databases(2)
    async with opened_runtime(guarded(scripts, *urls)) as runtime:
        assert [run.state for run in await ordered(runtime)] == [RunState.SUCCEEDED] * 2
        assert len(await of_kind(runtime, Kind.CANARY_PASSED)) == 1


async def test_a_plan_that_no_shadow_can_show(scripts: Scripts, databases: Databases) -> None:
    """Where a script needs what no shadow has, the plan is refused with the reason."""
    scripts.add_tables("a1")
    scripts.add("a2", "op.get_bind().exec_driver_sql('SELECT id FROM a1').scalar_one()")
    (url,) = await databases(1)
    async with opened_runtime(guarded(scripts, url)) as runtime:
        (run,) = await ordered(runtime)
        assert problem(run) == (
            "db-1: plan DIGEST can have no canary: its scripts cannot all be run on a shadow; "
            "take canary out of history app, or levelhead approve DIGEST"
        )


async def is_delayed(runtime: Runtime) -> bool:
    """Tell whether a run waits."""
    return bool(await of_kind(runtime, Kind.RUN_DELAYED))


async def test_the_status_tells_who_waits(scripts: Scripts, databases: Databases) -> None:
    """While a run waits for the canary, the status of its target names that."""
    scripts.add("a1", "op.execute('DO $$ BEGIN PERFORM pg_advisory_xact_lock(7); END $$')")
    eu, us = await databases(2)
    gate = await asyncpg.connect(eu)
    await gate.execute("SELECT pg_advisory_lock(7)")
    async with opened_runtime(guarded(scripts, eu, us)) as runtime:
        await runtime.check(Selection())  # so that there is a status
        running = asyncio.create_task(ordered(runtime))
        await until(lambda: is_delayed(runtime))
        waits = (await status(runtime, "db-2")).problem or ""
        await gate.close()
        runs = await running
        assert re.fullmatch("db-2: waits for canary db-1 of plan [0-9a-f]{12}", waits)
        assert [run.state for run in runs] == [RunState.SUCCEEDED] * 2
        assert (await status(runtime, "db-2")).problem is None


async def test_the_way_down(scripts: Scripts, databases: Databases) -> None:
    """A downgrade is a plan like any other: its first target runs the scripts."""
    scripts.add_tables("a1", "a2")
    (url,) = await databases(1)
    async with opened_runtime(guarded(scripts, url)) as runtime:
        await ordered(runtime)
        (run,) = await ordered(runtime, Verb.DOWNGRADE, "-1", "db-1")
        assert run.state is RunState.SUCCEEDED, run.error
        assert await tables(url) == {"a1", "alembic_version"}
        assert len(await of_kind(runtime, Kind.CANARY_PASSED)) == 2


async def test_no_fingerprint(scripts: Scripts, warehouse: Warehouse, schema: str) -> None:
    """A warehouse has no fingerprint to compare: one line says so, and a person decides."""
    scripts.add_tables("a1")
    url = warehouse.url("main", schema)
    uri = quote(f"{warehouse.origin}{warehouse.http_path}", "")
    async with opened_runtime(guarded(scripts, f"{url}&_connection_uri={uri}")) as runtime:
        (run,) = await ordered(runtime)
        assert problem(run) == (
            "db-1: plan DIGEST can have no canary: a schema on databricks has no fingerprint; "
            "take canary out of history app, or levelhead approve DIGEST"
        )
        await runtime.approvals.approve((await status(runtime)).awaits or "", actor="berta")
        (run,) = await swept(runtime)
        assert run.state is RunState.SUCCEEDED, run.error


async def test_runs_that_wait_for_one_canary_share_their_looks(
    log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many ask at the same time, two looks at the control database answer them all."""
    looks: list[str] = []

    async def counted(connection: AsyncConnection, plan: str) -> Canary | None:
        looks.append(plan)
        return await find(connection, plan)

    find = canaries.find
    monkeypatch.setattr(canaries, "find", counted)
    leases = Leases(log.store, holder="one", ttl=timedelta(seconds=30))
    asked = Canaries(log, leases, cast("Trials", None), clock=lambda: START)
    found = await asyncio.gather(*(asked.known("p1") for _ in range(50)), asked.known("p2"))
    assert {known.canary for known in found} == {None}
    assert sorted(looks) == ["p1", "p1", "p2"]
