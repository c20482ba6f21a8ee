"""Applied revisions whose file changes later: kept per target, seen at checks, told once."""

from __future__ import annotations

import hashlib
from pathlib import Path
from urllib.parse import quote

import pytest

from providers.databricks.warehouse import Warehouse
from sync.edits import Edit
from sync.model import RunState, Selection, Status, Verb
from sync.runtime import Runtime
from tests.support.engine import (
    events,
    execute,
    opened_runtime,
    ordered,
    ordered_one,
    settings_for,
    status,
    swept,
)
from tests.support.histories import Scripts
from tests.support.postgres import Databases

pytest_plugins = ["tests.support.warehouse"]

#: How a plan is carried out: by live steps, or replayed.
WAYS = ("none", "auto")


def file_of(scripts: Scripts, revision: str) -> Path:
    """Return the file of a revision."""
    return scripts.versions / f"{revision}.py"


def digest(path: Path) -> str:
    """Return the sha256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def edit(path: Path) -> str:
    """Add a comment to a file; return the digest that it had."""
    before = digest(path)
    path.write_text(path.read_text() + "# a comment\n")
    return before


async def told(runtime: Runtime) -> list[tuple[object, ...]]:
    """Return what the events of edits tell."""
    found = await events(runtime, kind="history.edited")
    return [(e.history, e.revision, e.data["applied"], e.data["targets"]) for e in found]


async def edits_after_a_sweep(runtime: Runtime) -> tuple[Edit, ...]:
    """Sweep, and return the edits that are known then."""
    await swept(runtime)
    return await runtime.edits()


@pytest.mark.parametrize("shadow", WAYS)
async def test_an_edited_file_is_told_once(
    scripts: Scripts, databases: Databases, shadow: str
) -> None:
    """An applied revision whose file changed is one event, and a problem until it is restored."""
    scripts.add_tables("a1", "a2")
    path = file_of(scripts, "a1")
    original = path.read_text()
    urls = await databases(2)
    async with opened_runtime(settings_for(scripts, urls, shadow=shadow)) as runtime:
        assert await edits_after_a_sweep(runtime) == ()
        was = edit(path)
        (found,) = await edits_after_a_sweep(runtime)
        assert found == Edit(
            history="app",
            revision="a1",
            file="a1.py",
            applied=was,
            found=digest(path),
            targets=("db-1", "db-2"),
        )
        await swept(runtime)
        await runtime.check(Selection())
        assert await told(runtime) == [("app", "a1", was, 2)]
        seen = await status(runtime, "db-2")
        assert (seen.status, seen.edited) == (Status.CURRENT, ("a1",))
        assert seen.problem == (
            f"revision a1 was applied from another a1.py: sha256 {was[:12]} then, "
            f"{digest(path)[:12]} now; restore the file, or accept it with "
            "levelhead stamp db-2 a2"
        )
        path.write_text(original)
        assert await edits_after_a_sweep(runtime) == ()
        assert (await status(runtime)).problem is None
        edit(path)
        await swept(runtime)
        assert len(await told(runtime)) == 2


@pytest.mark.parametrize("shadow", WAYS)
async def test_each_target_has_the_file_that_it_got(
    scripts: Scripts, databases: Databases, shadow: str
) -> None:
    """A target that got the file after the edit is none of its targets, same SQL or not."""
    scripts.add_tables("a1")
    urls = await databases(3)
    async with opened_runtime(settings_for(scripts, urls, shadow=shadow)) as runtime:
        await ordered(runtime, Verb.SYNC, "head", "db-1")
        edit(file_of(scripts, "a1"))
        await ordered(runtime, Verb.SYNC, "head", "db-2")  # its plan is compiled
        await ordered(runtime, Verb.SYNC, "head", "db-3")  # and kept
        (found,) = await edits_after_a_sweep(runtime)
        assert found.targets == ("db-1",)
        for target in ("db-2", "db-3"):
            (started,) = await events(runtime, kind="run.started", target=target)
            assert digest(file_of(scripts, "a1")) in str(started.data["steps"])


@pytest.mark.parametrize("shadow", WAYS)
async def test_a_downgrade_forgets_the_file(scripts: Scripts, url: str, shadow: str) -> None:
    """What was taken back may change; what is applied again is kept anew."""
    scripts.add_tables("a1", "a2")
    async with opened_runtime(settings_for(scripts, [url], shadow=shadow)) as runtime:
        await swept(runtime)
        await ordered_one(runtime, Verb.DOWNGRADE, "-1")
        edit(file_of(scripts, "a2"))
        assert await edits_after_a_sweep(runtime) == ()
        await runtime.release("db-1", actor="ada")
        assert await edits_after_a_sweep(runtime) == ()
        was = edit(file_of(scripts, "a2"))
        assert [found.applied for found in await edits_after_a_sweep(runtime)] == [was]


@pytest.mark.parametrize("shadow", WAYS)
async def test_a_failed_run_keeps_what_stands(scripts: Scripts, url: str, shadow: str) -> None:
    """Of a run that failed, the steps before the failure were applied, the others not."""
    scripts.add_tables("a1", "a2")
    await execute(url, "CREATE TABLE a2 (id int)")
    async with opened_runtime(settings_for(scripts, [url], shadow=shadow)) as runtime:
        assert [run.state for run in await swept(runtime)] == [RunState.FAILED]
        edit(file_of(scripts, "a2"))
        assert await runtime.edits() == ()
        edit(file_of(scripts, "a1"))
        assert [found.revision for found in await runtime.edits()] == ["a1"]


async def test_what_is_taken_back_by_hand_is_forgotten(scripts: Scripts, url: str) -> None:
    """Heads that somebody else has moved back take the files with them."""
    scripts.add_tables("a1", "a2")
    settings = settings_for(scripts, [url], target='policy = "observe"')
    async with opened_runtime(settings) as runtime:
        await ordered_one(runtime)
        await execute(url, "UPDATE alembic_version SET version_num = 'a1'; DROP TABLE a2")
        await runtime.check(Selection())
        edit(file_of(scripts, "a2"))
        assert await edits_after_a_sweep(runtime) == ()
        edit(file_of(scripts, "a1"))
        assert [found.revision for found in await edits_after_a_sweep(runtime)] == ["a1"]


async def test_a_stamp_accepts_the_edit(scripts: Scripts, url: str) -> None:
    """Who stamps says where a target stands, whatever was applied: nothing is held against it."""
    scripts.add_tables("a1")
    async with opened_runtime(settings_for(scripts, [url])) as runtime:
        await swept(runtime)
        edit(file_of(scripts, "a1"))
        assert len(await edits_after_a_sweep(runtime)) == 1
        run = await ordered_one(runtime, Verb.STAMP, "a1")
        assert run.state is RunState.SUCCEEDED
        assert await edits_after_a_sweep(runtime) == ()
        seen = await status(runtime)
        assert (seen.edited, seen.hold) == ((), None)


async def test_a_run_whose_service_died_is_kept_too(
    scripts: Scripts, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever settles a run that had no end keeps which files it applied."""
    scripts.add_tables("a1")
    settings = settings_for(scripts, [url], lease="100ms")
    async with opened_runtime(settings) as runtime:

        async def nothing(*_: object) -> None:
            """Die just before the end is put on record."""

        monkeypatch.setattr("sync.attempt.Attempt._end", nothing)
        await swept(runtime)
    monkeypatch.undo()
    async with opened_runtime(settings) as runtime:
        await swept(runtime)
        edit(file_of(scripts, "a1"))
        assert [found.targets for found in await edits_after_a_sweep(runtime)] == [("db-1",)]


async def test_a_target_that_is_configured_no_more_counts_no_more(
    scripts: Scripts, databases: Databases
) -> None:
    """An edit that concerns no target of the settings is none."""
    scripts.add_tables("a1")
    urls = await databases(2)
    async with opened_runtime(settings_for(scripts, urls)) as runtime:
        await swept(runtime)
    edit(file_of(scripts, "a1"))
    async with opened_runtime(settings_for(scripts, urls[:1])) as runtime:
        assert [found.targets for found in await edits_after_a_sweep(runtime)] == [("db-1",)]


@pytest.mark.parametrize("shadow", WAYS)
async def test_it_is_the_same_on_a_warehouse(
    scripts: Scripts, warehouse: Warehouse, schema: str, shadow: str
) -> None:
    """Where nothing rolls back, the files are kept as well."""
    scripts.add_tables("a1")
    uri = quote(f"{warehouse.origin}{warehouse.http_path}", "")
    url = f"{warehouse.url('main', schema)}&_connection_uri={uri}"
    async with opened_runtime(settings_for(scripts, [url], shadow=shadow)) as runtime:
        assert [run.error for run in await swept(runtime)] == [None]
        was = edit(file_of(scripts, "a1"))
        assert [found.applied for found in await edits_after_a_sweep(runtime)] == [was]
