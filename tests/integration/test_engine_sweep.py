"""What a sweep does to targets, and what it leaves alone."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

from sync.model import Order, RunState, Selection, Status, Verb
from tests.support.engine import (
    Calendar,
    at,
    events,
    execute,
    kinds,
    opened_runtime,
    runtime_at,
    settings_for,
    status,
    swept,
    tables,
    version,
)
from tests.support.histories import Scripts
from tests.support.postgres import Databases, Postgres

#: Puts the file of another revision beside this one, after Alembic has read which there are.
DEPLOYS = """
from pathlib import Path

late = Path(__file__).with_name("{name}")
if late.with_suffix(".late").exists():
    late.with_suffix(".late").rename(late)
"""


async def test_it_brings_every_target_that_is_behind_to_head(
    scripts: Scripts, databases: Databases, control_url: str
) -> None:
    """Targets at base and in the middle of the history stand at head after one sweep."""
    scripts.add_tables("a1", "a2")
    urls = await databases(2)
    async with opened_runtime(settings_for(scripts, urls[:1], control=control_url)) as runtime:
        await swept(runtime)
    scripts.add_tables("a3")
    async with opened_runtime(settings_for(scripts, urls, control=control_url)) as runtime:
        runs = await swept(runtime)
        assert [(run.target, run.state, run.actor) for run in runs] == [
            ("db-1", RunState.SUCCEEDED, "clock"),
            ("db-2", RunState.SUCCEEDED, "clock"),
        ]
        assert (runs[0].before, runs[0].after) == (at("a2"), at("a3"))
        assert (runs[1].before, runs[1].after) == (at(), at("a3"))
        assert [s.status for s in await runtime.statuses(Selection())] == [Status.CURRENT] * 2
        assert await runtime.verify() > 0
    for url in urls:
        assert await version(url) == {"a3"}
        assert await tables(url) == {"alembic_version", "a1", "a2", "a3"}


async def test_it_writes_nothing_down_where_nothing_changed(
    scripts: Scripts, databases: Databases, control_url: str
) -> None:
    """A sweep of level targets starts no rollout and appends no event, also after a restart."""
    scripts.add_tables("a1")
    settings = settings_for(scripts, await databases(2), control=control_url)
    async with opened_runtime(settings) as runtime:
        await swept(runtime)
        before = await runtime.verify()
        assert await runtime.sweep() is None
        assert await runtime.verify() == before
    async with opened_runtime(settings) as runtime:
        assert await runtime.sweep() is None
        assert await runtime.verify() == before


async def test_observing_creates_nothing(scripts: Scripts, databases: Databases) -> None:
    """An observed target is looked at and left as it is, without so much as a version table."""
    scripts.add_tables("a1")
    urls = await databases(1)
    settings = settings_for(scripts, urls, target='policy = "observe"')
    async with opened_runtime(settings) as runtime:
        assert await runtime.sweep() is None
        found = await status(runtime)
        assert (found.status, found.heads, found.pending) == (Status.BEHIND, frozenset(), ("a1",))
    assert await tables(urls[0]) == set()


async def test_off_is_not_even_looked_at(scripts: Scripts, databases: Databases) -> None:
    """A target whose policy is off is not checked, and an order for it is refused with why."""
    scripts.add_tables("a1")
    settings = settings_for(scripts, await databases(1), target='policy = "off"')
    async with opened_runtime(settings) as runtime:
        assert await runtime.sweep() is None
        assert (await status(runtime)).checked_at is None
        rollout = await runtime.request(Order(Verb.SYNC), Selection(), actor="ada")
        assert rollout.runs == ()
        assert rollout.skipped[0].reason == (
            "db-1: its policy is off; set it to apply or observe first"
        )


async def test_one_failing_target_does_not_stop_the_others(
    scripts: Scripts, databases: Databases
) -> None:
    """Each target fails for itself: one unreachable, one refusing, and the third at head."""
    scripts.add_tables("a1")
    refusing, good = await databases(2)
    await execute(refusing, "CREATE TABLE a1 ()")
    nowhere = urlsplit(good)._replace(path="/nowhere").geturl()
    settings = settings_for(scripts, [nowhere, refusing, good])
    async with opened_runtime(settings) as runtime:
        runs = await swept(runtime)
        assert {run.target: run.state for run in runs} == {
            "db-2": RunState.FAILED,
            "db-3": RunState.SUCCEEDED,
        }
        assert [s.status for s in await runtime.statuses(Selection())] == [
            Status.UNREACHABLE,
            Status.BEHIND,
            Status.CURRENT,
        ]


async def test_unreachable_targets_are_left_alone_for_a_while(
    scripts: Scripts, postgres: Postgres
) -> None:
    """Each failure doubles the wait; being lost and coming back are one event each."""
    scripts.add_tables("a1")
    name = "test_comes_back"
    clock = Calendar()
    settings = settings_for(scripts, [postgres.url(name)], schedule='retry_min = "1m"')
    async with runtime_at(settings, clock) as runtime:
        await runtime.sweep()
        lost = await status(runtime)
        assert lost.status is Status.UNREACHABLE
        assert lost.problem
        assert "test_comes_back" in lost.problem
        await runtime.sweep()
        assert (await status(runtime)).checked_at == lost.checked_at
        clock.ahead += timedelta(seconds=61)
        await runtime.sweep()
        again = await status(runtime)
        assert again.checked_at
        assert again.retry_at
        wait = again.retry_at - again.checked_at
        assert wait == timedelta(minutes=2)
        await postgres.create_database(name)
        try:
            clock.ahead += wait
            assert [run.state for run in await swept(runtime)] == [RunState.SUCCEEDED]
        finally:
            await postgres.drop_database(name)
        seen = await kinds(runtime, target="db-1")
        assert seen.count("target.unreachable") == 1


async def test_a_target_that_comes_back_is_on_record(
    scripts: Scripts, databases: Databases, postgres: Postgres
) -> None:
    """Lost after it was seen, and found again: `target.unreachable`, `target.recovered`."""
    scripts.add_tables("a1")
    (url,) = await databases(1)
    name = urlsplit(url).path.removeprefix("/")
    clock = Calendar()
    async with runtime_at(settings_for(scripts, [url]), clock) as runtime:
        await swept(runtime)
        last = (await events(runtime))[-1].sequence
        await execute(postgres.admin_url, f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        for _ in range(2):
            clock.ahead += timedelta(hours=1)
            await runtime.sweep()
        assert (await status(runtime)).status is Status.UNREACHABLE
        await execute(postgres.admin_url, f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        clock.ahead += timedelta(hours=1)
        await runtime.sweep()
        assert (await status(runtime)).status is Status.CURRENT
        assert await kinds(runtime, after=last) == ["target.unreachable", "target.recovered"]


async def test_a_change_by_hand_is_on_record(scripts: Scripts, databases: Databases) -> None:
    """Heads that moved without a run of ours give `target.changed`, once, with both places."""
    scripts.add_tables("a1", "a2")
    (url,) = await databases(1)
    async with opened_runtime(settings_for(scripts, [url])) as runtime:
        await swept(runtime)
        await execute(url, "UPDATE alembic_version SET version_num = 'a1'; DROP TABLE a2")
        await swept(runtime)
        await swept(runtime)
        (event,) = await events(runtime, kind="target.changed")
        assert event.data == {"before": ["a2"], "after": ["a1"]}
        assert (event.actor, event.target) == ("service", "db-1")
    assert await version(url) == {"a2"}


async def test_new_scripts_are_noticed(scripts: Scripts, databases: Databases) -> None:
    """A revision that appears on disk is applied by the next sweep, and on record."""
    scripts.add_tables("a1")
    (url,) = await databases(1)
    async with opened_runtime(settings_for(scripts, [url])) as runtime:
        await swept(runtime)
        scripts.add_tables("a2")
        (run,) = await swept(runtime)
        assert run.after == at("a2")
        changed = (await events(runtime, kind="history.changed"))[-1]
        assert (changed.data["added"], changed.data["removed"]) == (["a2"], [])


async def test_scripts_that_arrive_while_others_are_read(
    scripts: Scripts, databases: Databases
) -> None:
    """A revision that is deployed while a history is loaded is seen by the next look at it."""
    scripts.add_tables("a1")
    async with opened_runtime(settings_for(scripts, await databases(1))) as runtime:
        await runtime.graph("app")
        late = scripts.add("a3", "pass", after="a2")
        scripts.add("a2", "pass", after="a1", more=DEPLOYS.format(name=late.name))
        late.rename(late.with_suffix(".late"))
        assert (await runtime.graph("app")).heads == at("a2")
        assert (await runtime.graph("app")).heads == at("a3")


async def test_a_revision_that_nobody_knows(scripts: Scripts, databases: Databases) -> None:
    """A target at a revision that the history never had is unknown, and left as it is."""
    scripts.add_tables("a1")
    (url,) = await databases(1)
    await execute(
        url,
        "CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY);"
        "INSERT INTO alembic_version VALUES ('feed')",
    )
    async with opened_runtime(settings_for(scripts, [url])) as runtime:
        assert await runtime.sweep() is None
        found = await status(runtime)
        assert found.status is Status.UNKNOWN
        assert found.problem == (
            "db-1: at revision feed, which history app does not have; "
            "deploy the scripts that have it, or stamp"
        )
    assert await version(url) == {"feed"}


async def test_a_target_ahead_of_the_scripts(scripts: Scripts, databases: Databases) -> None:
    """Where scripts went back to an older release, their newer targets are ahead: no event."""
    scripts.add_tables("a1", "a2")
    (url,) = await databases(1)
    async with opened_runtime(settings_for(scripts, [url])) as runtime:
        await swept(runtime)
        scripts.remove("a2")
        assert await runtime.sweep() is None
        found = await status(runtime)
        assert (found.status, found.heads, found.head) == (Status.AHEAD, at("a2"), at("a1"))
    assert await version(url) == {"a2"}
