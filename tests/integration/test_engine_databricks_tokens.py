"""A token that runs out while a run goes on: what was not taken, and what nobody saw the end of."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from providers.databricks.warehouse import Fault, FaultKind, Warehouse
from sync.model import RunState
from sync.runtime import Runtime
from tests.conformance.gate import Gate, gate
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
from tests.support.warehouse_sessions import statuses
from tests.support.warehouse_targets import moved, url_of

pytest_plugins = ["tests.support.warehouse"]

USERS = 'op.create_table("users", sa.Column("id", sa.String, primary_key=True))'
TWO = """
op.add_column("users", sa.Column("first", sa.String))
op.add_column("users", sa.Column("second", sa.String))
"""


@pytest.fixture
async def door(warehouse: Warehouse) -> AsyncIterator[Gate]:
    """Give a gate before the warehouse; no fault outlives the test."""
    async with gate(warehouse.port) as standing:
        yield standing
    warehouse.control.clear()


@pytest.fixture
def target(warehouse: Warehouse, schema: str, door: Gate) -> str:
    """Give the URL of an empty schema, through the gate."""
    return moved(url_of(warehouse, "main", schema), warehouse.port, door.port)


async def test_a_statement_that_was_not_taken_is_sent_again(
    scripts: Scripts, target: str, door: Gate
) -> None:
    """Turned away with its token, a statement had no effect: the next run sends it."""
    scripts.add("a1", USERS)
    scripts.add("a2", TWO)
    door.refuse("second STRING")
    async with opened_runtime(settings_for(scripts, [target])) as runtime:
        (denied,) = await swept(runtime)
        assert (denied.state, denied.after) == (RunState.FAILED, at("a1"))
        assert denied.error == "db-1: the credentials are not taken any more; renew them"
        assert await sent_by_next(runtime, door) == ["ALTER", "UPDATE"]


async def test_a_statement_whose_end_nobody_saw_is_looked_for(
    scripts: Scripts, target: str, door: Gate, warehouse: Warehouse
) -> None:
    """Where the token runs out while a statement runs, it may have taken effect: it did."""
    scripts.add("a1", USERS)
    scripts.add("a2", TWO)
    warehouse.control.add(Fault(FaultKind.SLOW_REPLY, matching="second STRING"))
    async with opened_runtime(settings_for(scripts, [target])) as runtime:
        expiring = asyncio.create_task(expire(door))
        (cut,) = await swept(runtime)
        await expiring
        assert cut.state is RunState.INTERRUPTED
        assert statuses(warehouse, "second STRING")[0] == "FINISHED"
        warehouse.control.clear()
        assert await sent_by_next(runtime, door) == ["UPDATE"]
        (told,) = await events(runtime, kind="statement.resolved")
        assert told.data["outcome"] == "applied"


async def test_an_expired_token_is_no_fault_of_the_scripts(
    scripts: Scripts, target: str, door: Gate
) -> None:
    """Where the runner's own question is turned away nothing is begun, and the clock tries on."""
    scripts.add("a1", USERS)
    door.refuse("DESCRIBE TABLE")
    async with opened_runtime(settings_for(scripts, [target])) as runtime:
        (cut,) = await swept(runtime)
        assert (cut.state, cut.after) == (RunState.INTERRUPTED, at())
        assert (await status(runtime)).retry_at is not None
        assert "run.started" not in await kinds(runtime)
        assert await sent_by_next(runtime, door) == ["CREATE", "INSERT"]


async def expire(door: Gate) -> None:
    """Let the token run out as soon as the last statement has been sent."""
    async with asyncio.timeout(60):
        while not any(b"second STRING" in request for request in door.asked):  # noqa: ASYNC110 - the runner is another process
            await asyncio.sleep(0.01)
    door.refuse("GetOperationStatus")


async def sent_by_next(runtime: Runtime, door: Gate) -> list[str]:
    """With a token that is good, order a run that succeeds; return how its statements begin."""
    door.refuse("nothing of the sort")
    run = await ordered_one(runtime)
    assert (run.state, run.error) == (RunState.SUCCEEDED, None)
    started = await events(runtime, run=run.id, kind="statement.started")
    return [(await texts(runtime, event))[-1].split()[0] for event in started]
