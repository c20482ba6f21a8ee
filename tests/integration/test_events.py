from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta

import pytest

from sync.errors import ChainBrokenError, ControlDatabaseError
from sync.events import log as log_module
from sync.events.chain import JSON
from sync.events.kinds import Kind
from sync.events.log import EventLog
from sync.model import EventQuery
from sync.store.engine import Store
from tests.support.control import START, a_draft, alter

DROP_TRIGGERS = {
    "sqlite": (
        "DROP TRIGGER events_no_update",
        "DROP TRIGGER events_no_delete",
        "DROP TRIGGER events_no_replace",
    ),
    "postgresql": (
        "DROP TRIGGER events_no_change ON events",
        "DROP TRIGGER events_no_truncate ON events",
    ),
}


async def tamper(store: Store, *sqls: str) -> None:
    """Alter the log behind the back of its triggers."""
    async with store.reading() as connection:
        dialect = connection.dialect.name
    await alter(store, *DROP_TRIGGERS[dialect], *sqls)


async def test_events_come_back_as_they_were(log: EventLog) -> None:
    """What is read from the log equals what was recorded, to the microsecond."""
    data: Mapping[str, JSON] = {"ä": ["\x00", "\ud800", 1.5, None, {"b": (1, 2), "a": True}]}
    recorded = await log.record(
        a_draft(data=data), a_draft(target=None, history="app", run="r", revision="v", ticket="t")
    )
    assert await log.page(EventQuery()) == recorded
    assert recorded[0].at > START
    assert recorded[0].data == {"ä": ["\x00", "\ud800", 1.5, None, {"b": [1, 2], "a": True}]}


async def test_chain_is_gapless_under_concurrency(log: EventLog) -> None:
    """Twenty appenders at once leave one gapless chain, and none of them waits in vain."""

    async def append(number: int) -> None:
        for turn in range(5):
            await log.record(a_draft(actor=f"{number}-{turn}"), a_draft(actor=f"{number}+{turn}"))

    async with asyncio.TaskGroup() as group:
        for number in range(20):
            group.create_task(append(number))
    assert await log.verify() == 200
    found = await log.page(EventQuery(limit=1000))
    assert [event.sequence for event in found] == list(range(1, 201))
    pairs = zip(found[::2], found[1::2], strict=True)
    assert all(one.actor == other.actor.replace("+", "-") for one, other in pairs)


async def test_event_of_a_failed_transaction_leaves_no_gap(store: Store, log: EventLog) -> None:
    """A transaction that is rolled back leaves neither an event nor a hole."""
    await log.record(a_draft())

    async def fail() -> None:
        async with store.writing() as connection:
            await log.append(connection, [a_draft(), a_draft()])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    (event,) = await log.record(a_draft())
    assert event.sequence == 2
    assert await log.verify() == 2


async def test_append_of_nothing(log: EventLog) -> None:
    """Recording no fact is no event."""
    assert await log.record() == ()
    assert await log.verify() == 0


QUERIES: Mapping[str, tuple[EventQuery, list[int]]] = {
    "all": (EventQuery(), [1, 2, 3, 4]),
    "after": (EventQuery(after=2), [3, 4]),
    "limit": (EventQuery(after=1, limit=2), [2, 3]),
    "target": (EventQuery(target="a"), [1, 3]),
    "history": (EventQuery(history="h2"), [2]),
    "kind": (EventQuery(kind="run.started"), [3]),
    "actor": (EventQuery(actor="bob"), [4]),
    "run": (EventQuery(run="r1"), [3, 4]),
    "both": (EventQuery(run="r1", target="a"), [3]),
    "none": (EventQuery(target="nobody"), []),
    "since": (EventQuery(since=START + timedelta(seconds=12)), [2, 3, 4]),
    "until": (EventQuery(until=START + timedelta(seconds=12)), [1]),
}


@pytest.mark.parametrize("name", QUERIES)
async def test_page(store: Store, name: str) -> None:
    """A page holds what matches every filter, oldest first; since counts, until does not."""
    moments = iter(START + timedelta(seconds=seconds) for seconds in (11, 12, 13, 14))
    ids = iter("abcd")
    log = EventLog(store, clock=lambda: next(moments), new_id=lambda: next(ids))
    await log.record(
        a_draft(target="a", history="h1"),
        a_draft(target="b", history="h2"),
        a_draft(kind=Kind.RUN_STARTED, target="a", run="r1"),
        a_draft(actor="bob", run="r1", target=None),
    )
    query, expected = QUERIES[name]
    assert [event.sequence for event in await log.page(query)] == expected


TAMPERINGS = {
    "id": "UPDATE events SET id = 'x' WHERE sequence = 3",
    "at": "UPDATE events SET at = '2031-05-06T07:08:10.000010Z' WHERE sequence = 3",
    "at as other text": "UPDATE events SET at = replace(at, 'Z', '+00:00') WHERE sequence = 3",
    "kind": "UPDATE events SET kind = 'run.started' WHERE sequence = 3",
    "unknown kind": "UPDATE events SET kind = 'x' WHERE sequence = 3",
    "actor": "UPDATE events SET actor = 'x' WHERE sequence = 3",
    "target": "UPDATE events SET target = NULL WHERE sequence = 3",
    "history": "UPDATE events SET history = 'x' WHERE sequence = 3",
    "run": "UPDATE events SET run = 'x' WHERE sequence = 3",
    "revision": "UPDATE events SET revision = '' WHERE sequence = 3",
    "ticket": "UPDATE events SET ticket = 'x' WHERE sequence = 3",
    "data": "UPDATE events SET data = '{}' WHERE sequence = 3",
    "data as other text": "UPDATE events SET data = '{\"n\": 3}' WHERE sequence = 3",
    "broken data": "UPDATE events SET data = '{' WHERE sequence = 3",
    "previous": "UPDATE events SET previous = hash WHERE sequence = 3",
    "hash": "UPDATE events SET hash = previous WHERE sequence = 3",
    "deleted": "DELETE FROM events WHERE sequence = 3",
    "renumbered": "UPDATE events SET sequence = -3 WHERE sequence = 3",
}


@pytest.mark.parametrize("name", TAMPERINGS)
async def test_tampering_is_found(store: Store, log: EventLog, name: str) -> None:
    """Verification names the event in which any column was altered, or that is gone."""
    await log.record(*(a_draft(data={"n": number}) for number in range(1, 6)))
    assert await log.verify() == 5
    await tamper(store, TAMPERINGS[name])
    with pytest.raises(ChainBrokenError) as caught:
        await log.verify()
    assert abs(caught.value.sequence) == 3


@pytest.mark.parametrize(
    "sqls",
    [
        ["DELETE FROM events WHERE sequence > 3"],
        ["DELETE FROM events"],
        ["DELETE FROM chain_head"],
        ["UPDATE chain_head SET sequence = 3"],
        ["UPDATE chain_head SET sequence = 3", "DELETE FROM events WHERE sequence > 3"],
        ["UPDATE chain_head SET hash = 'x'"],
        [
            "UPDATE events SET sequence = 100 WHERE sequence = 2",
            "UPDATE events SET sequence = 2 WHERE sequence = 3",
            "UPDATE events SET sequence = 3 WHERE sequence = 100",
        ],
        [
            "CREATE TABLE copies AS SELECT * FROM events WHERE sequence = 5",
            "UPDATE copies SET sequence = 6, id = 'x'",
            "INSERT INTO events SELECT * FROM copies",
        ],
    ],
    ids=["tail", "all", "head gone", "head back", "head and tail", "head", "reordered", "added"],
)
async def test_cut_and_shuffled_logs_are_found(
    store: Store, log: EventLog, sqls: list[str]
) -> None:
    """Events missing at the end, changed places and additions are found."""
    await log.record(*(a_draft() for _ in range(5)))
    await tamper(store, *sqls)
    with pytest.raises(ChainBrokenError):
        await log.verify()


async def test_verification_walks_in_batches(
    log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log longer than a batch is verified as a whole."""
    monkeypatch.setattr(log_module, "BATCH", 3)
    await log.record(*(a_draft() for _ in range(10)))
    assert await log.verify() == 10


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE events SET actor = 'x'",
        "DELETE FROM events",
        "UPDATE events SET sequence = 9 WHERE sequence = 1",
    ],
)
async def test_triggers_refuse(store: Store, log: EventLog, sql: str) -> None:
    """Events cannot be changed or deleted, whoever tries."""
    await log.record(a_draft(), a_draft())
    with pytest.raises(ControlDatabaseError, match="events are append-only"):
        await alter(store, sql)
    assert await log.verify() == 2


@pytest.mark.parametrize("control_url", ["postgresql"], indirect=True)
async def test_truncate_is_refused(store: Store, log: EventLog) -> None:
    """Postgres' way around DELETE triggers is closed."""
    await log.record(a_draft())
    with pytest.raises(ControlDatabaseError, match="events are append-only"):
        await alter(store, "TRUNCATE events")
    assert await log.verify() == 1


@pytest.mark.parametrize("control_url", ["sqlite"], indirect=True)
async def test_replace_is_refused(store: Store, log: EventLog) -> None:
    """SQLite's way around DELETE triggers is closed."""
    await log.record(a_draft())
    with pytest.raises(ControlDatabaseError, match="events are append-only"):
        await alter(store, "INSERT OR REPLACE INTO events SELECT * FROM events")
    assert await log.verify() == 1


async def test_verification_while_others_append(log: EventLog) -> None:
    """A log that grows while it is verified is whole."""

    async def append() -> None:
        for _ in range(20):
            await log.record(a_draft())

    async with asyncio.TaskGroup() as group:
        group.create_task(append())
        verified = [await log.verify() for _ in range(10)]
    assert verified == sorted(verified)
    assert await log.verify() == 20
