"""A statement that outlives the service which sent it: nothing is done until it has ended."""

from __future__ import annotations

import asyncio

from databricks.sql.client import Cursor

from providers.databricks.warehouse import Warehouse
from providers.databricks.warehouse.faults import Fault, FaultKind
from sync.model import Order, RunState, Selection, Verb
from sync.store import runs
from sync.store.runs import RunChange
from tests.support.engine import at, events, opened_runtime, ordered_one, settings_for
from tests.support.histories import Scripts
from tests.support.warehouse_sessions import statuses
from tests.support.warehouse_targets import url_of

pytest_plugins = ["tests.support.warehouse"]

HELD = "INSERT INTO ledger VALUES ('held')"


async def shown_as(warehouse: Warehouse, status: str, text: str = HELD) -> None:
    """Wait until a statement with *text* is in this state."""
    async with asyncio.timeout(60):
        while status not in await asyncio.to_thread(statuses, warehouse, text):  # noqa: ASYNC110 - a warehouse tells nobody
            await asyncio.sleep(0.05)


async def test_nothing_is_done_meanwhile(
    scripts: Scripts, warehouse: Warehouse, schema: str, cursor: Cursor
) -> None:
    """Neither a sync nor a stamp goes on while it runs; then it is found, and not sent again."""
    cursor.execute("CREATE TABLE ledger (word STRING)")
    scripts.add("a1", f'op.execute("{HELD}")')
    settings = settings_for(scripts, [url_of(warehouse, "main", schema)], schedule='grace = "10ms"')
    warehouse.control.add(Fault(FaultKind.SLOW, matching="held", times=1))
    async with opened_runtime(settings) as runtime:
        await runtime.request(Order(Verb.SYNC), Selection(), actor="ada")
        await shown_as(warehouse, "RUNNING")
    async with opened_runtime(settings) as runtime:
        for verb, to in ((Verb.SYNC, "head"), (Verb.STAMP, "base")):
            waiting = await ordered_one(runtime, verb, to)
            assert waiting.state is RunState.INTERRUPTED
            assert "still runs there" in str(waiting.error)
        warehouse.control.clear()
        await shown_as(warehouse, "FINISHED")
        await runtime.release("db-1", actor="ada")
        run = await ordered_one(runtime)
        assert (run.state, run.after, run.error) == (RunState.SUCCEEDED, at("a1"), None)
        assert cursor.execute("SELECT word FROM ledger").fetchall() == [("held",)]
        outcomes = [e.data["outcome"] for e in await events(runtime, kind="statement.resolved")]
        assert outcomes == ["running", "running", "applied"]


async def test_an_order_waits_for_a_settlement(
    scripts: Scripts, warehouse: Warehouse, schema: str
) -> None:
    """Who orders while a run is settled whose service is gone gets a run of one's own."""
    scripts.add("a1", "pass")
    async with opened_runtime(
        settings_for(scripts, [url_of(warehouse, "main", schema)])
    ) as runtime:
        gone = await ordered_one(runtime)
        async with runtime._engine.store.writing() as connection:  # as if its end were in doubt
            await runs.update(connection, gone.id, RunChange(state=RunState.INTERRUPTED))
        looked = f"`{schema}`.`alembic_version`"
        before = statuses(warehouse, looked)
        warehouse.control.add(Fault(FaultKind.SLOW, matching=looked, times=1))
        sweep = asyncio.create_task(runtime.sweep())
        await shown_as(warehouse, "RUNNING", looked)
        asked = asyncio.create_task(ordered_one(runtime))
        await asyncio.sleep(0.3)
        assert len(statuses(warehouse, looked)) == len(before) + 1
        warehouse.control.clear()
        run = await asked
        await sweep
        assert (run.id != gone.id, run.state) == (True, RunState.SUCCEEDED)
