"""Whatever is killed in the middle of a run on a warehouse, each statement counts once.

Each run is stopped at a point of its own, all at once, and then something is killed: the
service, the runners, or the warehouse. How every target came to head is shown as a table.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from providers.databricks.warehouse import Warehouse
from tests.support.killing import all_stopped, in_doubt, is_current, resolutions
from tests.support.killing_warehouses import (
    CUT_AFTER,
    CUT_BEFORE,
    REPLAYED,
    STANDARD,
    Point,
    Stand,
    contents,
    effects,
    heads,
    live,
    past,
    replayed,
    sent,
    sent_again,
    status_at,
    unclaimed,
)
from tests.support.matrix import OR
from tests.support.service import Service, until
from tests.support.tables import Record, put

TITLE = "killed in the middle of a run on a local SQL warehouse: how the target comes to head"

#: The error that names a statement, and what a person does about it.
STOPPED = re.compile(
    r"(\w+): nobody can tell whether statement (\w+) of revision r2 took effect; "
    r"look at the target, then levelhead settle \2 applied \(or absent\)"
)

#: The error that names a statement which has not ended, and nothing to do about it.
RUNNING = re.compile(
    r"(\w+): statement (\w+) of revision r2, which an earlier run has sent, still runs there; "
    r"nothing is done until it has ended"
)

#: By itself; nothing was in doubt but runs and steps, of which the version table tells.
ALONE = "by itself"
#: By itself; the statement was in doubt, and the warehouse shows that it took effect.
FOUND = "by itself, found applied"
#: After the named stop, a person settles as the query history says, and syncs.
SETTLED = "settle {}, sync"

#: What never arrived the query history does not show, and its silence proves nothing.
AFTER_A_CLIENT = {
    "before_intent": ALONE,
    "after_intent": SETTLED.format("absent"),
    "after_send": FOUND,  # when it has ended: until then the clock asks again and again
    "after_effect": FOUND,
    "after_reply": FOUND,
    "before_stamp": ALONE,
    "stamp_lost": FOUND,
}
#: Its runners die with it, but one that has its answer may be quicker, and send.
AFTER_THE_SERVICE = {
    **AFTER_A_CLIENT,
    "after_intent": f"{SETTLED.format('absent')}{OR}{FOUND}",
}
AFTER_THE_WAREHOUSE = {
    "before_intent": SETTLED.format("absent"),
    "after_intent": SETTLED.format("absent"),
    "after_send": SETTLED.format("absent"),
    "after_effect": FOUND,
    "after_reply": SETTLED.format("absent"),  # of the statement after it
    "before_stamp": SETTLED.format("absent"),
    "stamp_lost": FOUND,
}

REPLAY_AFTER_THE_SERVICE = {
    "after_send": FOUND,
    "after_effect": FOUND,
    "stamp_sent": ALONE,
    "stamp_lost": ALONE,
}
REPLAY_AFTER_THE_WAREHOUSE = {
    "after_send": SETTLED.format("absent"),
    "after_effect": FOUND,
    "stamp_sent": ALONE,
    "stamp_lost": ALONE,
}
LOST = {"message": SETTLED.format("absent"), "stamp": ALONE}
UNANSWERED = {"message": FOUND, "stamp": ALONE}


@pytest.fixture
def killing(tmp_path: Path) -> Iterator[Stand]:
    """Give a stand of the test's own."""
    with live(tmp_path) as made:
        yield made


@pytest.fixture
def replaying(tmp_path: Path) -> Iterator[Stand]:
    """Give a stand of the test's own whose plan is compiled."""
    with replayed(tmp_path, REPLAYED) as made:
        yield made


@pytest.mark.slow
async def test_the_service_is_killed(killing: Stand, record_property: Record) -> None:
    """The next service finds out how far each run came, and goes on, or stops by name."""
    async with killing.site.served() as service:
        await everything_stopped(killing, service)
        await service.kill()
    killing.open_gates()
    async with killing.site.served() as service:
        endings = await brought_to_head(killing, service)
    show(record_property, "service", endings)
    require(endings, AFTER_THE_SERVICE)


@pytest.mark.slow
async def test_the_runners_are_killed(killing: Stand, record_property: Record) -> None:
    """A service that loses its runners settles what they did, and goes on, or stops by name."""
    async with killing.site.served() as service:
        await everything_stopped(killing, service)
        runners = await service.runners()
        assert len(runners) == len(killing.points)
        for pid in runners:
            os.kill(pid, signal.SIGKILL)
        killing.open_gates()
        endings = await brought_to_head(killing, service)
    show(record_property, "runner", endings)
    assert endings == AFTER_A_CLIENT


@pytest.mark.slow
async def test_the_warehouse_is_killed(killing: Stand, record_property: Record) -> None:
    """A service whose warehouse is back settles, and goes on, or stops by name.

    A run that was stopped at its runner goes on meanwhile, to a warehouse that is not there.
    """
    async with killing.site.served() as service:
        await everything_stopped(killing, service)
        killing.warehouse.kill()
        killing.open_gates()
        await until(lambda: have_ended(service))
        killing.warehouse.start_again()
        endings = await brought_to_head(killing, service)
    show(record_property, "warehouse", endings)
    assert endings == AFTER_THE_WAREHOUSE


@pytest.mark.slow
async def test_the_service_is_killed_in_a_replay(replaying: Stand, record_property: Record) -> None:
    """The next service finds out how far each came; the warehouse goes on with what it has."""
    async with replaying.site.served() as service:
        await everything_stopped(replaying, service)
        await service.kill()
    async with replaying.site.served() as service:
        endings = await brought_to_head(replaying, service)
    show(record_property, "service, in a replay", endings)
    assert endings == REPLAY_AFTER_THE_SERVICE


@pytest.mark.slow
async def test_the_warehouse_is_killed_in_a_replay(
    replaying: Stand, record_property: Record
) -> None:
    """A service whose warehouse is back settles, and goes on, or stops by name."""
    async with replaying.site.served() as service:
        await everything_stopped(replaying, service)
        replaying.warehouse.kill()
        await until(lambda: have_ended(service))
        replaying.warehouse.start_again()
        endings = await brought_to_head(replaying, service)
    show(record_property, "warehouse, in a replay", endings)
    assert endings == REPLAY_AFTER_THE_WAREHOUSE


@pytest.mark.slow
@pytest.mark.parametrize(
    ("points", "what", "expected"),
    [(CUT_BEFORE, "lost", LOST), (CUT_AFTER, "unanswered", UNANSWERED)],
    ids=["lost", "unanswered"],
)
async def test_the_network_loses(
    tmp_path: Path,
    points: Mapping[str, Point],
    what: str,
    expected: Mapping[str, str],
    record_property: Record,
) -> None:
    """A message that did not arrive, or whose answer did not, is looked up, and never doubled."""
    with replayed(tmp_path, points) as replaying:
        async with replaying.site.served() as service:
            endings = await brought_to_head(replaying, service)
    show(record_property, what, endings)
    assert endings == expected


async def everything_stopped(killing: Stand, service: Service) -> None:
    """Wait until each run is at its point, and the one that nobody stops has ended."""
    await all_stopped(killing.stops)
    await until(lambda: is_current(service, STANDARD))
    for name, point in killing.points.items():
        last = (await service.events(target=name))[-1]["kind"]
        status = status_at(point, killing.warehouse.running, name)
        assert (name, last, status) == (name, point.last, point.status)


async def have_ended(service: Service) -> bool:
    """Tell whether no run is under way."""
    return {run["state"] for run in await service.runs()}.isdisjoint({"requested", "running"})


async def brought_to_head(killing: Stand, service: Service) -> dict[str, str]:
    """Do what a person has to, and return by target how it came to head, or what is wrong."""
    with suppress(TimeoutError):  # the table then shows which did not get there
        await until(lambda: are_quiet(service))
    told = await killing.site.run("sync")
    stops = dict(STOPPED.findall(told.err))
    assert told.code == (5 if stops or RUNNING.search(told.err) else 0), told.err
    verdicts = await settled(killing, stops)
    last = await killing.site.run("sync")
    events = await service.events()
    assert (await service.get("/events/verify"))["events"] >= len(events)
    assert unclaimed(killing.warehouse.running, [STANDARD, *killing.points]) == []
    assert heads(killing.warehouse.running, STANDARD) == ["r3"]
    endings = {name: wrong(killing.warehouse.running, name, events) for name in killing.points}
    assert any(endings.values()) or last.code == 0, last.err
    return {name: it or how(name, events, verdicts) for name, it in endings.items()}


async def are_quiet(service: Service) -> bool:
    """Tell whether every target stands at head, or waits for a person or a statement."""
    found = (await service.targets()).values()
    return all(it["status"] == "current" or waits(it["problem"] or "") for it in found)


def waits(problem: str) -> bool:
    """Tell whether a target waits for a person, or for the end of a statement."""
    return any(line.match(problem) for line in (STOPPED, RUNNING))


async def settled(killing: Stand, stops: Mapping[str, str]) -> dict[str, str]:
    """Settle what is in doubt, by target its ticket, as the warehouse tells; return the words."""
    killing.warehouse.running.control.clear()
    await until(lambda: has_ended_all(killing.warehouse.running))
    verdicts = {}
    for name, ticket in stops.items():
        shown = {it.status for it in sent(killing.warehouse.running, name) if it.ticket == ticket}
        verdicts[name] = "applied" if shown == {"FINISHED"} else "absent"
    told = await asyncio.gather(
        *[killing.site.run("settle", stops[name], word) for name, word in verdicts.items()]
    )
    assert [(each.code, each.err) for each in told] == [(0, "")] * len(stops)
    return verdicts


async def has_ended_all(warehouse: Warehouse) -> bool:
    """Tell whether no statement runs at the warehouse."""
    return "RUNNING" not in {each["status"] for each in past(warehouse)}


def wrong(warehouse: Warehouse, name: str, events: Sequence[Mapping[str, Any]]) -> str:
    """Say what is not as it has to be with a target; nothing where all is well."""
    if again := sent_again(warehouse, name):
        return f"SENT AGAIN: {again[0]}"
    if contents(warehouse, name) != contents(warehouse, STANDARD):
        return "NOT LIKE THE UNDISTURBED ONE"
    if effects(warehouse, name) != effects(warehouse, STANDARD):
        return "OTHER STATEMENTS TOOK EFFECT"
    if in_doubt(event for event in events if event["target"] == name):
        return "STILL IN DOUBT"
    return ""


def how(name: str, events: list[dict[str, Any]], verdicts: Mapping[str, str]) -> str:
    """Say how a target came to head."""
    if name in verdicts:
        return SETTLED.format(verdicts[name])
    return FOUND if (name, "statement.resolved", "r2", "applied") in resolutions(events) else ALONE


def require(endings: Mapping[str, str], expected: Mapping[str, str]) -> None:
    """Require that each target came to head in a way that is expected."""
    assert endings.keys() == expected.keys()
    assert {n: it for n, it in endings.items() if it not in expected[n].split(OR)} == {}


def show(record: Record, victim: str, endings: Mapping[str, str]) -> None:
    """Put a column into the table."""
    for name, ending in endings.items():
        put(record, (TITLE, name.replace("_", " "), victim, ending))
