"""The way back from a run that failed half-way: the next run has to begin at the beginning."""

from __future__ import annotations

from databricks.sql.client import Cursor

from providers.databricks.warehouse import Warehouse
from sync.cli.restoring import planned
from sync.model import Run, RunState, Verb
from sync.restore import RestorePlan
from sync.runtime import Runtime
from tests.support.engine import opened_runtime, ordered_one, settings_for
from tests.support.histories import Scripts
from tests.support.warehouse_targets import url_of

pytest_plugins = ["tests.support.warehouse"]

#: Its last statement is refused until somebody makes the table `late`.
HALF = "\n".join(
    f'op.execute("{sql}")'
    for sql in (
        "UPDATE users SET id = concat(id, '!')",
        "CREATE TABLE made (n INT)",
        "INSERT INTO late VALUES (1)",
    )
)


async def undone(runtime: Runtime, plan: RestorePlan, cursor: Cursor) -> Run:
    """Do all that *plan* says, and stamp what it says."""
    for statement in plan.statements:
        cursor.execute(statement)
    (revision,) = plan.stamp
    return await ordered_one(runtime, Verb.STAMP, revision)


def ids(cursor: Cursor) -> list[str]:
    """Return what is in the table of users."""
    return sorted(row[0] for row in cursor.execute("SELECT id FROM users").fetchall())


async def test_the_next_run_begins_anew(
    scripts: Scripts, warehouse: Warehouse, schema: str, cursor: Cursor
) -> None:
    """What was taken back is sent again: nothing of the half that failed is passed over."""
    scripts.add("a1", 'op.create_table("users", sa.Column("id", sa.String()))')
    async with opened_runtime(
        settings_for(scripts, [url_of(warehouse, "main", schema)])
    ) as runtime:
        await ordered_one(runtime)
        cursor.execute("INSERT INTO users VALUES ('ada')")
        scripts.add("a2", HALF)
        failed = await ordered_one(runtime)
        assert failed.state is RunState.FAILED
        assert ids(cursor) == ["ada!"]
        plan = await planned(runtime, failed)
        assert plan.stamp == ("a1",)
        assert (await undone(runtime, plan, cursor)).state is RunState.SUCCEEDED
        assert ids(cursor) == ["ada"]
        cursor.execute("DROP TABLE made")
        cursor.execute("CREATE TABLE late (n INT)")
        await runtime.release("db-1", actor="ada")
        assert (await ordered_one(runtime)).state is RunState.SUCCEEDED
        assert ids(cursor) == ["ada!"]


async def test_a_run_that_went_on_in_the_middle(
    scripts: Scripts, warehouse: Warehouse, schema: str, cursor: Cursor
) -> None:
    """The way back leads ahead of the run that began the revision, whose images are the first."""
    scripts.add("a1", 'op.create_table("users", sa.Column("id", sa.String()))')
    async with opened_runtime(
        settings_for(scripts, [url_of(warehouse, "main", schema)])
    ) as runtime:
        await ordered_one(runtime)
        cursor.execute("INSERT INTO users VALUES ('ada')")
        scripts.add("a2", HALF)
        began = await ordered_one(runtime)
        cursor.execute("CREATE TABLE late (n INT)")
        ended = await ordered_one(runtime)
        assert (began.state, ended.state) == (RunState.FAILED, RunState.SUCCEEDED)
        plan = await planned(runtime, ended)
        assert (plan.run, plan.since, plan.stamp) == (ended.id, began.id, ("a1",))
        assert any("`made`: was created by the run" in remark for remark in plan.remarks)
        await undone(runtime, plan, cursor)
        assert ids(cursor) == ["ada"]
        assert cursor.execute("SELECT * FROM late").fetchall() == []


async def test_the_first_run(
    scripts: Scripts, warehouse: Warehouse, schema: str, cursor: Cursor
) -> None:
    """Where there was no version table the target is stamped at base, or it would seem at head."""
    scripts.add("a1", 'op.create_table("users", sa.Column("id", sa.String()))')
    url = url_of(warehouse, "main", schema)
    async with opened_runtime(settings_for(scripts, [url], shadow="auto")) as runtime:
        plan = await planned(runtime, await ordered_one(runtime))
        assert (plan.statements, plan.stamp) == ((), ("base",))
        cursor.execute("DROP TABLE users")
        await undone(runtime, plan, cursor)
        await runtime.release("db-1", actor="ada")
        assert (await ordered_one(runtime)).before == frozenset()
        assert ids(cursor) == []
