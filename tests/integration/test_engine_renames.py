"""A target that gets another name between two runs: what is known of its database goes with it."""

from __future__ import annotations

import pytest

from sync.errors import TargetHeldError
from sync.model import Order, RunState, Selection, Status, Verb
from sync.runtime import Runtime
from tests.support.engine import (
    at,
    events,
    execute,
    kinds,
    named,
    opened_runtime,
    ordered,
    ordered_one,
    settings_for,
    status,
    swept,
    tables,
)
from tests.support.histories import Scripts
from tests.support.postgres import Databases

TABLE = 'op.execute("CREATE TABLE t (n int)")'


async def taken_back(scripts: Scripts, url: str) -> None:
    """Have ada take db-1 to a1 and back."""
    scripts.add_tables("a1")
    async with opened_runtime(settings_for(scripts, [url])) as runtime:
        await ordered_one(runtime)
        await ordered_one(runtime, Verb.DOWNGRADE, "base")


async def test_the_clock_undoes_nobody_under_another_name(scripts: Scripts, url: str) -> None:
    """A database that a person took back stays on hold, and it is on record how it is called."""
    await taken_back(scripts, url)
    async with opened_runtime(named(scripts, ("eu-1", url))) as runtime:
        assert await swept(runtime) == ()
        assert await swept(runtime) == ()
        found = await status(runtime, "eu-1")
        assert (found.status, found.hold and found.hold.actor) == (Status.HELD, "ada")
        (renamed,) = await events(runtime, kind="target.renamed")
        assert (renamed.target, renamed.data) == ("eu-1", {"former": "db-1"})
    assert await tables(url) == {"alembic_version"}


async def test_a_hold_keeps_people_from_syncing_at_once(scripts: Scripts, url: str) -> None:
    """It counts from the first order under the new name, and goes when somebody releases it."""
    await taken_back(scripts, url)
    async with opened_runtime(named(scripts, ("eu-1", url))) as runtime:
        with pytest.raises(TargetHeldError, match=r"eu-1: on hold since .* by ada"):
            await runtime.request(Order(Verb.SYNC), Selection(("eu-1",)), actor="grace")
    async with opened_runtime(named(scripts, ("us-1", url))) as runtime:
        await runtime.release("us-1", actor="grace")
        assert [run.after for run in await swept(runtime)] == [at("a1")]
        assert "target.released" in await kinds(runtime, target="us-1")


async def test_the_last_word_counts_when_a_name_comes_back(scripts: Scripts, url: str) -> None:
    """What was known under it before is older than what was done under the other name."""
    scripts.add_tables("a1")
    async with opened_runtime(settings_for(scripts, [url])) as runtime:
        await ordered_one(runtime)
    async with opened_runtime(named(scripts, ("eu-1", url))) as runtime:
        await ordered_one(runtime, Verb.DOWNGRADE, "base")
    async with opened_runtime(named(scripts, ("db-1", url))) as runtime:
        assert await swept(runtime) == ()
        assert (await status(runtime)).status is Status.HELD
        await runtime.release("db-1", actor="grace")
    async with opened_runtime(named(scripts, ("eu-1", url))) as runtime:
        assert [run.target for run in await swept(runtime)] == ["eu-1"]


async def test_another_database_is_not_held(scripts: Scripts, databases: Databases) -> None:
    """Nothing is known of it, though a target is gone that was on hold."""
    url, other_url = await databases(2)
    await taken_back(scripts, url)
    async with opened_runtime(named(scripts, ("eu-1", other_url))) as runtime:
        assert [run.after for run in await swept(runtime)] == [at("a1")]
        assert await kinds(runtime, kind="target.renamed") == []


async def test_the_clock_hammers_no_failure_under_another_name(scripts: Scripts, url: str) -> None:
    """The scripts that failed are not tried again, until they change."""
    scripts.add("a1", 'op.execute("SELEC 1")')
    async with opened_runtime(settings_for(scripts, [url])) as runtime:
        assert [run.state for run in await swept(runtime)] == [RunState.FAILED]
    async with opened_runtime(named(scripts, ("eu-1", url))) as runtime:
        assert await swept(runtime) == ()
        assert "syntax error" in str((await status(runtime, "eu-1")).problem)


async def test_edits_and_drift_are_seen_under_another_name(scripts: Scripts, url: str) -> None:
    """The files that were applied, and the schema that they left, are known by the new name."""
    file = scripts.add("a1", TABLE)
    settings = settings_for(scripts, [url], schedule='drift_every = "0s"')
    async with opened_runtime(settings) as runtime:
        await ordered_one(runtime)
    file.write_text(file.read_text() + "# a comment\n")
    await execute(url, "ALTER TABLE t ADD COLUMN by_hand int")
    async with opened_runtime(named(scripts, ("eu-1", url))) as runtime:
        await swept(runtime)
        found = await status(runtime, "eu-1")
        assert found.edited == ("a1",)
        assert {"history.edited", "target.drifted"} <= set(await kinds(runtime))


async def test_a_service_with_the_old_settings_keeps_the_hold(
    scripts: Scripts, databases: Databases
) -> None:
    """While names change, two services have one database by two names, and both leave it alone."""
    url, control_url = await databases(2)
    scripts.add_tables("a1")
    old_settings = settings_for(scripts, [url], control=control_url)
    new_settings = named(scripts, ("eu-1", url), control=control_url)
    async with opened_runtime(old_settings) as old, opened_runtime(new_settings) as new:
        await ordered(old)
        await ordered_one(old, Verb.DOWNGRADE, "base")
        assert await both_swept(old, new) == []


async def both_swept(old: Runtime, new: Runtime) -> list[str]:
    """Return the targets that the clocks of two services moved, each looking twice."""
    return [run.target for each in (new, old, new, old) for run in await swept(each)]
