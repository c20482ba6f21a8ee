"""The engine on a database without transactions and without a lock: a local SQL warehouse."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from providers.databricks.warehouse import Warehouse
from providers.databricks.warehouse.faults import Fault, FaultKind
from sync.model import RunState, Status
from tests.support.engine import (
    at,
    events,
    kinds,
    opened_runtime,
    ordered_one,
    settings_for,
    status,
    swept,
    texts,
)
from tests.support.histories import Scripts

pytest_plugins = ["tests.support.warehouse"]

USERS = 'op.create_table("users", sa.Column("id", sa.String, primary_key=True))'
TWO = """
op.add_column("users", sa.Column("first", sa.String))
op.add_column("users", sa.Column("second", sa.String))
"""
MIXED = """
op.add_column("users", sa.Column("first", sa.String))
op.add_column("users", sa.Column("pause", sa.Interval))
"""
INDEXED = 'op.create_index("ix_users_id", "users", ["id"])'


@pytest.fixture
def target(warehouse: Warehouse, schema: str) -> str:
    """Give the URL of an empty schema of the warehouse."""
    uri = quote(f"{warehouse.origin}{warehouse.http_path}", "")
    return f"{warehouse.url('main', schema)}&_connection_uri={uri}"


async def test_each_statement_has_an_intent_of_its_own(scripts: Scripts, target: str) -> None:
    """Where nothing rolls back, each statement stands between two events."""
    scripts.add("a1", USERS)
    scripts.add("a2", TWO)
    async with opened_runtime(settings_for(scripts, [target])) as runtime:
        (run,) = await swept(runtime)
        assert (run.state, run.after, run.error) == (RunState.SUCCEEDED, at("a2"), None)
        told = await kinds(runtime, run=run.id)
        assert told.count("statement.started") == told.count("statement.succeeded") == 5
        assert "transaction.started" not in told
        assert (await status(runtime)).status is Status.CURRENT
        assert await runtime.verify() > 0


async def test_a_lost_reply_is_settled_by_looking(
    scripts: Scripts, target: str, warehouse: Warehouse
) -> None:
    """A connection that is cut after a statement took effect: it is not sent a second time."""
    scripts.add("a1", USERS)
    scripts.add("a2", TWO)
    warehouse.control.add(Fault(FaultKind.CUT_AFTER, matching="`?second`? STRING", times=1))
    async with opened_runtime(settings_for(scripts, [target])) as runtime:
        (cut,) = await swept(runtime)
        assert cut.state is RunState.INTERRUPTED
        again = await ordered_one(runtime)
        assert (again.state, again.after, again.error) == (RunState.SUCCEEDED, at("a2"), None)
        (told,) = await events(runtime, kind="statement.resolved")
        assert told.data["outcome"] == "applied"
        started = await events(runtime, run=again.id, kind="statement.started")
        sent = [(await texts(runtime, event))[-1].split()[0] for event in started]
        assert sent == ["UPDATE"]  # the stamp alone was missing


async def test_a_person_tells_what_became_of_a_request_that_never_arrived(
    scripts: Scripts, target: str, warehouse: Warehouse
) -> None:
    """A connection that is cut before a statement arrived: nobody can tell, so a person does."""
    scripts.add("a1", USERS)
    scripts.add("a2", TWO)
    warehouse.control.add(Fault(FaultKind.CUT_BEFORE, matching="`?second`? STRING", times=1))
    async with opened_runtime(settings_for(scripts, [target])) as runtime:
        await swept(runtime)
        stopped = await ordered_one(runtime)
        assert stopped.state is RunState.INTERRUPTED
        assert "levelhead settle" in str(stopped.error)


async def test_a_mixed_revision_does_not_start(scripts: Scripts, target: str) -> None:
    """A revision with a directive that has no right form is refused before anything is sent."""
    scripts.add("a1", USERS)
    scripts.add("a2", MIXED)
    async with opened_runtime(settings_for(scripts, [target])) as runtime:
        (run,) = await swept(runtime)
        assert (run.state, run.after) == (RunState.FAILED, at())
        assert "revision a2: add_column on users" in str(run.error)
        assert "statement.started" not in await kinds(runtime)


async def test_what_has_no_counterpart_is_an_event_with_a_name(
    scripts: Scripts, target: str
) -> None:
    """An index is skipped, and the audit log says so."""
    scripts.add("a1", USERS)
    scripts.add("a2", INDEXED)
    async with opened_runtime(settings_for(scripts, [target])) as runtime:
        (run,) = await swept(runtime)
        assert (run.state, run.after) == (RunState.SUCCEEDED, at("a2"))
        (skipped,) = await events(runtime, kind="directive.skipped")
        assert (skipped.revision, skipped.data["directive"]) == ("a2", "index")
        assert "ix_users_id" in str(skipped.data["detail"])


async def test_what_a_table_asks_for_from_now_on_is_an_event(scripts: Scripts, target: str) -> None:
    """A protocol that rises is noted: on the plan that is replayed, and in the audit log."""
    scripts.add("a1", USERS)
    scripts.add("a2", 'op.alter_column("users", "id", new_column_name="key")')
    async with opened_runtime(settings_for(scripts, [target], shadow="auto")) as runtime:
        (run,) = await swept(runtime)
        assert (run.state, run.after, run.error) == (RunState.SUCCEEDED, at("a2"), None)
        (noted,) = await events(runtime, kind="directive.noted")
        assert (noted.revision, noted.data["directive"]) == ("a2", "protocol")
        assert str(noted.data["detail"]).startswith("users may ask for reader version 2 and")
        (plan,) = [await runtime.approvals.details(str(run.plan))]
        assert [note.directive for note in plan.plan.steps[1].notes] == ["protocol"]


async def test_a_sweep_lets_a_warehouse_rest(scripts: Scripts, target: str) -> None:
    """The clock does not look again at what is level, until head moves."""
    scripts.add("a1", USERS)
    async with opened_runtime(settings_for(scripts, [target])) as runtime:
        await swept(runtime)
        seen = (await status(runtime)).checked_at
        await runtime.sweep()
        assert (await status(runtime)).checked_at == seen
        scripts.add("a2", INDEXED)
        assert [run.after for run in await swept(runtime)] == [at("a2")]
