"""Services on one Postgres control database: nobody waits for rows in a circle."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from providers.types import Target
from sync.checks import touch
from sync.events.chain import Draft
from sync.events.log import EventLog
from sync.model import EventQuery, Status
from sync.status import Observation
from sync.store import statements, targets
from sync.store.engine import Store
from sync.store.targets import TargetState
from tests.support.control import START, Clock, Ids, a_draft
from tests.support.states import TARGET

#: Sessions that wait for a row, or for who is about to insert one.
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"


@pytest.fixture
async def store(database: str, clock: Clock) -> AsyncIterator[Store]:
    """Give a control database on Postgres that knows two targets."""
    async with Store.open(database, clock=clock) as opened:
        async with opened.writing() as connection:
            states = (TargetState(target=n, status=Status.BEHIND, checked_at=START) for n in "ab")
            await targets.save(connection, *states)
        yield opened


@pytest.fixture
async def log(store: Store, clock: Clock) -> EventLog:
    """Give its audit log, as one of the services has it."""
    return EventLog(store, clock=clock, new_id=Ids())


async def somebody_waits(store: Store) -> None:
    """Wait until a session waits for another one."""
    async with asyncio.timeout(60), store.reading() as connection:
        while not await connection.scalar(text(WAITING)):  # noqa: ASYNC110 - the server's pace
            await asyncio.sleep(0.01)


async def changed(log: EventLog, name: str) -> None:
    """Change a target as a run does, in a transaction that others share."""

    async def work(connection: AsyncConnection) -> tuple[None, Sequence[Draft]]:
        await targets.find_to_change(connection, name)
        return None, [a_draft(target=name)]

    await log.share(name, work)


async def test_runs_that_end_together(store: Store, log: EventLog) -> None:
    """The run on b asked first, and yet does not hold b while the one on a waits for its row."""
    async with store.writing() as connection:
        await targets.find_to_change(connection, "a")
        both = asyncio.gather(changed(log, "b"), changed(log, "a"))
        await somebody_waits(store)
        await targets.find_to_change(connection, "b")
    await both
    assert [event.target for event in await log.page(EventQuery(limit=9))] == ["a", "b"]


@pytest.mark.parametrize("names", ["b", "ab"], ids=["alone", "surveyed"])
async def test_a_look_waits_for_nobody(store: Store, names: str) -> None:
    """Whose row another one holds is left alone: that one is about to know better."""
    later = START + timedelta(minutes=1)
    looks = [Observation(target=target(name), at=later) for name in names]
    async with store.writing() as connection, store.writing() as other:
        await targets.find_to_change(other, "b")
        async with asyncio.timeout(20):
            await touch(connection, looks)
    async with store.reading() as connection:
        known = {state.target: state.checked_at for state in await targets.all(connection)}
    assert known == {"a": later if "a" in names else START, "b": START}


def target(name: str) -> Target:
    """Build a target of that name."""
    return replace(TARGET, name=name)


async def test_what_has_no_order_is_written_again(store: Store, log: EventLog) -> None:
    """Texts of statements belong to no target: whom the database ends begins anew."""
    held, waited_for = asyncio.Event(), asyncio.Event()

    async def keeps(name: str, sql: str) -> None:
        async def work(connection: AsyncConnection) -> tuple[None, Sequence[Draft]]:
            await statements.keep(connection, [sql])
            if name == "a":
                held.set()
                await waited_for.wait()
            return None, [a_draft(target=name)]

        await log.share(name, work)

    async with store.writing() as connection:
        await connection.execute(text("SET LOCAL deadlock_timeout = '1h'"))
        await statements.keep(connection, ["SELECT 2"])
        both = asyncio.gather(keeps("a", "SELECT 1"), keeps("b", "SELECT 2"))
        await held.wait()
        other = asyncio.create_task(statements.keep(connection, ["SELECT 1"]))
        await somebody_waits(store)
        waited_for.set()
        await other
    await both
    assert [event.target for event in await log.page(EventQuery(limit=9))] == ["a", "b"]
