"""Compiled plans on a database where nothing rolls back: a local SQL warehouse."""

from __future__ import annotations

from typing import Any, cast
from urllib.parse import quote

import pytest
from databricks.sql.client import Cursor

from providers.databricks.warehouse import Warehouse
from providers.databricks.warehouse.faults import Fault, FaultKind
from sync.model import Order, RunState, Selection, Verb, Verdict
from sync.runtime import Runtime
from tests.support.engine import at, events, opened_runtime, ordered_one, settings_for, texts
from tests.support.histories import Scripts

pytest_plugins = ["tests.support.warehouse"]

USERS = 'op.create_table("users", sa.Column("id", sa.String, primary_key=True))'
THREE = """
op.add_column("users", sa.Column("first", sa.String))
op.add_column("users", sa.Column("second", sa.String))
op.add_column("users", sa.Column("third", sa.String))
"""


@pytest.fixture
def target(warehouse: Warehouse, schema: str) -> str:
    """Give the URL of an empty schema of the warehouse."""
    uri = quote(f"{warehouse.origin}{warehouse.http_path}", "")
    return f"{warehouse.url('main', schema)}&_connection_uri={uri}"


async def sent(runtime: Runtime, run: str) -> list[str]:
    """Return the columns and tables of which a run has sent statements."""
    started = await events(runtime, run=run, kind="statement.started")
    words = [(await texts(runtime, event))[0].replace("`", " ").split() for event in started]
    return [[word for word in line if word in KNOWN][-1] for line in words]


KNOWN = ("first", "second", "third", "users")


@pytest.mark.parametrize(
    ("fault", "word", "left"),
    [
        (FaultKind.CUT_AFTER, None, ["third"]),
        (FaultKind.CUT_BEFORE, Verdict.ABSENT, ["second", "third"]),
    ],
)
async def test_cut_in_the_middle_of_a_step(  # noqa: PLR0917 - fixtures and a case
    scripts: Scripts,
    target: str,
    warehouse: Warehouse,
    fault: FaultKind,
    word: Verdict | None,
    left: list[str],
) -> None:
    """The next run sends what is missing of the compiled step, and nothing a second time.

    What never arrived the query history does not show: then a person tells.
    """
    scripts.add("a1", USERS)
    scripts.add("a2", THREE)
    warehouse.control.add(Fault(fault, matching="second", times=1))
    async with opened_runtime(settings_for(scripts, [target], shadow="auto")) as runtime:
        cut = await ordered_one(runtime)
        assert (cut.state, cut.after) == (RunState.INTERRUPTED, at("a1"))
        (started,) = await events(runtime, run=cut.id, kind="run.started")
        steps = cast("list[dict[str, Any]]", started.data["steps"])
        assert {step["class"] for step in steps} == {"static"}
        assert await sent(runtime, cut.id) == ["users", "first", "second"]
        if word is not None:
            assert (await ordered_one(runtime)).state is RunState.INTERRUPTED
            ticket = (await events(runtime, run=cut.id, kind="statement.started"))[-1].ticket
            await runtime.settle(str(ticket), word, actor="ada")
        resumed = await ordered_one(runtime)
        assert (resumed.state, resumed.after, resumed.error) == (
            RunState.SUCCEEDED,
            at("a2"),
            None,
        )
        assert await sent(runtime, resumed.id) == left
        assert await runtime.verify() > 0


async def test_another_beginning(scripts: Scripts, target: str, warehouse: Warehouse) -> None:
    """A step whose script was changed half-way is a named stop; nothing more is sent."""
    scripts.add("a1", USERS)
    scripts.add("a2", THREE)
    warehouse.control.add(Fault(FaultKind.CUT_AFTER, matching="second", times=1))
    async with opened_runtime(settings_for(scripts, [target], shadow="auto")) as runtime:
        await ordered_one(runtime)
        scripts.add("a2", THREE.replace("first", "zeroth"), after="a1")
        stopped = await ordered_one(runtime)
        assert (stopped.state, stopped.after) == (RunState.FAILED, at("a1"))
        assert "an earlier run stopped in the middle of revision a2" in str(stopped.error)
        assert await sent(runtime, stopped.id) == []


async def test_a_statement_that_another_commit_came_before(
    scripts: Scripts, target: str, warehouse: Warehouse
) -> None:
    """It had no effect: it is sent again, after a look, and each try is on record."""
    scripts.add("a1", USERS)
    scripts.add("a2", THREE)
    warehouse.control.add(Fault(FaultKind.OVERTAKEN, matching="second", times=2))
    async with opened_runtime(settings_for(scripts, [target], shadow="auto")) as runtime:
        run = await ordered_one(runtime)
        assert (run.state, run.after, run.error) == (RunState.SUCCEEDED, at("a2"), None)
        assert await sent(runtime, run.id) == ["users", "first", *["second"] * 3, "third"]
        retried = await events(runtime, run=run.id, kind="step.retried")
        assert [(each.revision, each.data["code"]) for each in retried] == [("a2", "2D521")] * 2
        assert str(retried[0].data["error"]).startswith("OvertakenError")


@pytest.mark.parametrize("shadow", ["none", "auto"], ids=["live", "replayed"])
async def test_a_statement_that_failed_after_its_commit(
    scripts: Scripts, target: str, warehouse: Warehouse, cursor: Cursor, shadow: str
) -> None:
    """What stands is no failure, whatever the warehouse could not do after the commit."""
    scripts.add("a1", USERS)
    scripts.add("a2", f"""{THREE}\nop.execute("INSERT INTO users (id) VALUES ('ada')")""")
    for part in ("CREATE TABLE `?users", "ADD COLUMN .*second", "INSERT INTO users"):
        warehouse.control.add(Fault(FaultKind.HOOK_FAILED, matching=part, times=1))
    async with opened_runtime(settings_for(scripts, [target], shadow=shadow)) as runtime:
        run = await ordered_one(runtime)
        assert (run.state, run.after, run.error) == (RunState.SUCCEEDED, at("a2"), None)
        assert cursor.execute("SELECT id FROM users").fetchall() == [("ada",)]
        assert not await events(runtime, kind="statement.failed")


@pytest.mark.parametrize("shadow", ["none", "auto"], ids=["live", "replayed"])
async def test_a_stamp_that_failed_after_its_commit(
    scripts: Scripts, target: str, warehouse: Warehouse, shadow: str
) -> None:
    """The version table tells that it stands; no statement is sent again."""
    scripts.add("a1", USERS)
    stamp = "(UPDATE|INSERT INTO|MERGE INTO) .*alembic_version"
    warehouse.control.add(Fault(FaultKind.HOOK_FAILED, matching=stamp, times=1))
    async with opened_runtime(settings_for(scripts, [target], shadow=shadow)) as runtime:
        await ordered_one(runtime)
        run = await ordered_one(runtime)
        assert (run.state, run.after, run.error) == (RunState.SUCCEEDED, at("a1"), None)
        creations = [
            sql
            for event in await events(runtime, kind="statement.started")
            for sql in await texts(runtime, event)
            if "TABLE `users`" in sql or "TABLE users" in sql
        ]
        assert len(creations) == 1


def column_of(sql: str) -> str:
    """Return the column that an ALTER TABLE adds."""
    return sql.replace("`", " ").split()[5]


async def columns_sent(runtime: Runtime, run: str) -> list[str]:
    """Return the columns of which a run has sent statements."""
    started = await events(runtime, run=run, kind="statement.started")
    sqls = [(await texts(runtime, event))[0] for event in started]
    return [column_of(sql) for sql in sqls if "ADD COLUMN" in sql]


async def test_a_script_that_another_commit_came_before(
    scripts: Scripts, target: str, warehouse: Warehouse
) -> None:
    """A statement of a live step is sent again as well, after a look; the script sees nothing."""
    scripts.add("a1", USERS)
    scripts.add("a2", THREE)
    warehouse.control.add(Fault(FaultKind.OVERTAKEN, matching="second", times=2))
    async with opened_runtime(settings_for(scripts, [target])) as runtime:
        run = await ordered_one(runtime)
        assert (run.state, run.after, run.error) == (RunState.SUCCEEDED, at("a2"), None)
        assert await columns_sent(runtime, run.id) == ["first", *["second"] * 3, "third"]
        retried = await events(runtime, run=run.id, kind="step.retried")
        assert [(each.revision, each.data["code"]) for each in retried] == [("a2", "2D521")] * 2
        assert {each.data["error"] for each in retried} == {"OvertakenError"}
        tickets = [each.ticket for each in await events(runtime, kind="statement.started")]
        assert len({*tickets}) == len(tickets)
        assert await runtime.verify() > 0


async def test_a_script_that_other_commits_always_come_before(
    scripts: Scripts, target: str, warehouse: Warehouse
) -> None:
    """After the last retry the live step stops there; the next run goes on from there."""
    scripts.add("a1", USERS)
    scripts.add("a2", THREE)
    warehouse.control.add(Fault(FaultKind.OVERTAKEN, matching="second", times=6))
    async with opened_runtime(settings_for(scripts, [target])) as runtime:
        stopped = await ordered_one(runtime)
        assert (stopped.state, stopped.after) == (RunState.FAILED, at("a1"))
        assert "revision a2: another commit came first: [DELTA_METADATA_CHANGED]" in str(
            stopped.error
        )
        assert await columns_sent(runtime, stopped.id) == ["first", *["second"] * 6]
        resumed = await ordered_one(runtime)
        assert (resumed.state, resumed.after) == (RunState.SUCCEEDED, at("a2"))
        assert await columns_sent(runtime, resumed.id) == ["second", "third"]


SURVIVOR = """
try:
    op.add_column("users", sa.Column("second", sa.String))
except Exception:
    op.add_column("users", sa.Column("third", sa.String))
"""


async def test_a_script_that_survives(scripts: Scripts, target: str, warehouse: Warehouse) -> None:
    """A script that catches the error hears of it after the last retry, and goes on."""
    scripts.add("a1", USERS)
    scripts.add("a2", SURVIVOR)
    warehouse.control.add(Fault(FaultKind.OVERTAKEN, matching="second", times=6))
    async with opened_runtime(settings_for(scripts, [target])) as runtime:
        run = await ordered_one(runtime)
        assert (run.state, run.after, run.error) == (RunState.SUCCEEDED, at("a2"), None)
        assert await columns_sent(runtime, run.id) == [*["second"] * 6, "third"]


async def test_somebody_migrates_ahead_of_a_retry(
    scripts: Scripts, target: str, warehouse: Warehouse
) -> None:
    """The look finds it: nothing more is sent, whatever the script does with its error."""
    scripts.add("a1", USERS)
    moved = """op.execute("UPDATE alembic_version SET version_num = 'zz'")\n"""
    scripts.add("a2", f"{moved}{SURVIVOR}")
    warehouse.control.add(Fault(FaultKind.OVERTAKEN, matching="second", times=1))
    async with opened_runtime(settings_for(scripts, [target])) as runtime:
        run = await ordered_one(runtime)
        assert (run.state, run.after) == (RunState.FAILED, at("zz"))
        assert "expected heads ['a1'], found ['zz']" in str(run.error)
        assert await columns_sent(runtime, run.id) == ["second"]


ROWS = """
users = sa.table("users", sa.column("id", sa.String))
op.bulk_insert(users, [{{"id": "ada"}}, {{"id": {second}}}, {{"id": "cyd"}}])
"""


async def test_many_rows(
    scripts: Scripts, target: str, warehouse: Warehouse, cursor: Cursor
) -> None:
    """Each row is a statement that stands for itself: sent once, whatever became of the others."""
    scripts.add("a1", USERS)
    scripts.add("a2", ROWS.format(second=None))
    warehouse.control.add(Fault(FaultKind.OVERTAKEN, matching="INSERT INTO `?users", times=1))
    async with opened_runtime(settings_for(scripts, [target])) as runtime:
        refused = await ordered_one(runtime)
        assert (refused.state, refused.after) == (RunState.FAILED, at("a1"))
        assert len(await events(runtime, run=refused.id, kind="step.retried")) == 1
        scripts.add("a2", ROWS.format(second="'bob'"), after="a1")
        resumed = await ordered_one(runtime)
        assert (resumed.state, resumed.after, resumed.error) == (
            RunState.SUCCEEDED,
            at("a2"),
            None,
        )
        rows = cursor.execute("SELECT id FROM users").fetchall()
        assert sorted(row[0] for row in rows) == ["ada", "bob", "cyd"]


async def test_an_edit_that_only_adds_what_is_skipped(scripts: Scripts, target: str) -> None:
    """It makes another plan: what another service has compiled of it, skips and all, is told."""
    scripts.add("a1", USERS, downgrade='op.drop_table("users")')
    settings = settings_for(scripts, [target], shadow="auto")
    async with opened_runtime(settings) as runtime:
        plain = await ordered_one(runtime)
        await ordered_one(runtime, Verb.DOWNGRADE, "base")
        await runtime.release("db-1", actor="ada")
    scripts.add("a1", f'{USERS}\nop.create_index("ix", "users", ["id"])', after=None)
    async with opened_runtime(settings) as runtime:
        (preview,) = await runtime.previews.of(Order(Verb.SYNC), Selection(("db-1",)))
        assert preview.plan is not None
        assert preview.plan.digest != plain.plan
    async with opened_runtime(settings) as runtime:
        run = await ordered_one(runtime)
        assert run.plan == preview.plan.digest
        (skipped,) = await events(runtime, run=run.id, kind="directive.skipped")
        assert skipped.data["directive"] == "index"
