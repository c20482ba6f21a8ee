"""Schemas that somebody changed by hand: seen, told once, and told again when they are back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import asyncpg

from sync.model import RunState, Selection, Status, TargetStatus, Verb
from sync.runtime import Runtime
from sync.store import fingerprints
from sync.store.tables import snapshots
from tests.support.engine import (
    Calendar,
    at,
    events,
    execute,
    kinds,
    opened_runtime,
    ordered_one,
    runtime_at,
    settings_for,
    status,
    swept,
)
from tests.support.histories import Scripts
from tests.support.postgres import Databases

ALWAYS = 'drift_every = "0s"'


async def checked(runtime: Runtime, target: str = "db-1") -> TargetStatus:
    """Look at a target now, and return what was found."""
    (found,) = await runtime.check(Selection(targets=(target,)))
    return found


async def drift_events(runtime: Runtime) -> list[tuple[str, Sequence[object]]]:
    """Return the events of drift, each with the lines that it tells."""
    told = [event for event in await events(runtime) if event.kind.value in DRIFT]
    return [(event.kind, event.data.get("difference", ())) for event in told]  # type: ignore[misc]  # lists


DRIFT = ("target.drifted", "target.restored")


async def test_a_change_by_hand(scripts: Scripts, url: str, control_url: str) -> None:
    """It makes the target `drifted`, with the difference, and one event; put right, it is over."""
    scripts.add_tables("a1")
    settings = settings_for(scripts, [url], control=control_url, schedule=ALWAYS)
    async with opened_runtime(settings) as runtime:
        await swept(runtime)
        assert (await checked(runtime)).status is Status.CURRENT
        await execute(url, "ALTER TABLE a1 ADD COLUMN nick text")
        found = await checked(runtime)
        line = "+ column public.a1.nick: text, after id"
        assert (found.status, found.drift) == (Status.DRIFTED, (line,))
        assert found.problem == (
            f"db-1: drifted from what was recorded at a1: {line}; put it right, "
            "or accept it with levelhead stamp db-1 a1"
        )
        assert await runtime.sweep() is None
        told = [("target.drifted", [line])]
        assert await drift_events(runtime) == told
    async with opened_runtime(settings) as runtime:
        assert (await checked(runtime)).drift == (line,)
        await execute(url, "ALTER TABLE a1 DROP COLUMN nick")
        assert (await checked(runtime)).status is Status.CURRENT
        assert await drift_events(runtime) == [*told, ("target.restored", ())]


async def test_another_change(scripts: Scripts, url: str) -> None:
    """Each further change gives an event of its own, with all that differs by then."""
    scripts.add_tables("a1")
    settings = settings_for(scripts, [url], schedule=ALWAYS)
    async with opened_runtime(settings) as runtime:
        await swept(runtime)
        for name in ("x", "y"):
            await execute(url, f"CREATE TABLE {name} ()")
            await checked(runtime)
            await checked(runtime)
        assert [len(lines) for _, lines in await drift_events(runtime)] == [1, 2]


async def test_accepted(scripts: Scripts, url: str) -> None:
    """A stamp at the revision records the schema as it is; a sync that does nothing does not."""
    scripts.add_tables("a1")
    async with opened_runtime(settings_for(scripts, [url], schedule=ALWAYS)) as runtime:
        await swept(runtime)
        await execute(url, "CREATE TABLE kept ()")
        await ordered_one(runtime)
        assert (await status(runtime)).status is Status.DRIFTED
        await ordered_one(runtime, Verb.STAMP, "a1")
        assert (await checked(runtime)).status is Status.CURRENT


async def test_drift_does_not_stop_the_clock(scripts: Scripts, url: str) -> None:
    """A target that drifted stays `behind` where something is pending, and is brought to head."""
    scripts.add_tables("a1")
    settings = settings_for(scripts, [url], schedule=ALWAYS)
    async with opened_runtime(settings) as runtime:
        await swept(runtime)
        await execute(url, "CREATE TABLE stray ()")
        scripts.add_tables("a2")
        found = await checked(runtime)
        assert (found.status, found.drift) == (Status.BEHIND, ("+ table public.stray: permanent",))
        assert (await swept(runtime))[0].state is RunState.SUCCEEDED
        assert (await status(runtime)).status is Status.CURRENT
        assert [kind for kind, _ in await drift_events(runtime)] == ["target.drifted"]


async def test_a_minority(scripts: Scripts, databases: Databases) -> None:
    """The one of three that differs is named, also where no run of ours has touched any."""
    scripts.add_tables("a1")
    urls = await databases(3)
    for url in urls:
        await execute(
            url,
            "CREATE TABLE a1 (); CREATE TABLE alembic_version (version_num varchar(32));"
            "INSERT INTO alembic_version VALUES ('a1')",
        )
    await execute(urls[1], "ALTER TABLE a1 ADD COLUMN nick text")
    async with opened_runtime(settings_for(scripts, urls)) as runtime:
        found = await runtime.check(Selection())
        assert [each.status for each in found] == [Status.CURRENT] * 3
        assert [each.minority for each in found] == [
            None,
            "minority: db-2 differs from 2 others at a1: + column public.a1.nick: text",
            None,
        ]


async def test_when_it_looks(scripts: Scripts, url: str) -> None:
    """Between two looks at a schema a check reads the heads alone; `inspect` looks in any case."""
    scripts.add_tables("a1")
    calendar = Calendar()
    async with runtime_at(settings_for(scripts, [url]), calendar) as runtime:
        await swept(runtime)
        await execute(url, "CREATE TABLE stray ()")
        assert (await checked(runtime)).status is Status.CURRENT
        (found,) = await runtime.inspect(Selection())
        assert (found.status, found.drift) == (Status.DRIFTED, ("+ table public.stray: permanent",))
        assert (await checked(runtime)).status is Status.CURRENT
        calendar.ahead = timedelta(minutes=15)
        assert (await checked(runtime)).status is Status.DRIFTED


async def test_off(scripts: Scripts, url: str) -> None:
    """Switched off, nothing is recorded and nothing is seen."""
    scripts.add_tables("a1")
    settings = settings_for(scripts, [url], schedule='drift_every = "off"')
    async with opened_runtime(settings) as runtime:
        await swept(runtime)
        await execute(url, "CREATE TABLE stray ()")
        assert (await checked(runtime)).status is Status.CURRENT
        assert (await runtime.inspect(Selection()))[0].drift == ()


async def test_a_schema_that_cannot_be_read(scripts: Scripts, url: str) -> None:
    """A run succeeds all the same, and an event and the status tell; later checks do not fail."""
    await execute(url, "CREATE TABLE old (n int CHECK (n > 0)); CREATE INDEX odd ON old ((n + 1))")
    scripts.add_tables("a1")
    settings = settings_for(scripts, [url], schedule=ALWAYS, target='lock_timeout = "100ms"')
    somebody = await asyncpg.connect(url)
    try:
        async with opened_runtime(settings) as runtime, somebody.transaction():
            await somebody.execute("LOCK TABLE old")
            (run,) = await swept(runtime)
            assert (run.state, run.after) == (RunState.SUCCEEDED, at("a1"))
            (failed,) = await events(runtime, kind="fingerprint.failed")
            assert (failed.target, failed.run) == ("db-1", run.id)
            assert "could not be read" in str(failed.data["message"])
            found = await checked(runtime)
            assert found.status is Status.CURRENT
            assert "could not be read" in str(found.problem)
        async with opened_runtime(settings) as runtime:
            assert (await ordered_one(runtime)).state is RunState.SUCCEEDED
            assert (await status(runtime)).problem is None
            await execute(url, "CREATE TABLE stray ()")
            assert (await checked(runtime)).drift == ("+ table public.stray: permanent",)
            assert "fingerprint.failed" in await kinds(runtime)
    finally:
        await somebody.close()


async def test_equal_schemas_are_kept_once(scripts: Scripts, databases: Databases) -> None:
    """Targets of one shape share a snapshot, and one that nobody has any more is dropped."""
    scripts.add_tables("a1")
    url = await databases(3)
    settings = settings_for(scripts, url, schedule=ALWAYS)
    async with opened_runtime(settings) as runtime:
        await swept(runtime)
        assert await kept(runtime) == 1
        scripts.add_tables("a2")
        await swept(runtime)
        assert await kept(runtime) == 1
        await execute(url[0], "CREATE TABLE stray ()")
        await checked(runtime)
        assert await kept(runtime) == 2
        await execute(url[0], "DROP TABLE stray")
        await checked(runtime)
        assert await kept(runtime) == 1


async def kept(runtime: Runtime) -> int:
    """Return how many snapshots are kept."""
    async with runtime._engine.store.reading() as connection:
        known = await fingerprints.all(connection)
        found = (await connection.execute(snapshots.select())).all()
    assert {row.fingerprint for row in found} == {
        each.digest for one in known.values() for each in (one.recorded, one.live) if each
    }
    return len(found)
