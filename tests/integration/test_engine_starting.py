"""Targets whose server is starting: what a look says of them, and how a run waits."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from providers.databricks.warehouse import Fault as WarehouseFault
from providers.databricks.warehouse import FaultKind, Warehouse
from providers.memory import Fault, MemoryDatabase, MemoryProvider, What, Where
from sync.model import Order, Rollout, Run, RunQuery, RunState, Selection, Status, Verb
from sync.runtime import Runtime
from sync.settings import Settings
from tests.support.control import alter
from tests.support.engine import (
    Calendar,
    at,
    events,
    kinds,
    opened_runtime,
    ordered,
    ordered_one,
    runtime_at,
    settings_for,
    status,
    swept,
)
from tests.support.histories import Scripts
from tests.support.warehouse_client import session
from tests.support.warehouse_targets import url_of

pytest_plugins = ["tests.support.warehouse"]

URLS = ("memory://one", "memory://two")
FOR_EVER = 10_000
SLEEPY = 'connect_timeout = "1s"'


def database(runtime: Runtime, url: str = URLS[0]) -> MemoryDatabase:
    """Return what a target's URL stands for; at head, unless the test has it otherwise."""
    provider = runtime._engine.providers._loaded.setdefault("memory", MemoryProvider())
    assert isinstance(provider, MemoryProvider)
    found = provider.database(url)
    found.versions.setdefault("public.alembic_version", at("a1"))
    return found


def starts_for(runtime: Runtime, looks: int) -> MemoryDatabase:
    """Have the first target start, for so many looks at it."""
    found = database(runtime)
    found.faults += [Fault(Where.OPEN, What.START)] * looks
    return found


def settings_of(scripts: Scripts, target: str = "", count: int = 1, schedule: str = "") -> Settings:
    """Write a configuration with so many targets in memory, whose history is one revision."""
    scripts.add_tables("a1")
    return settings_for(scripts, URLS[:count], target=target, schedule=schedule)


@pytest.fixture
def cold(warehouse: Warehouse) -> Iterator[str]:
    """Give the URL of an empty schema of a warehouse that the test may stop."""
    name = f"test_{secrets.token_hex(6)}"
    with session(warehouse) as cursor:
        cursor.execute(f"CREATE SCHEMA {name}")
    yield url_of(warehouse, "main", name)
    warehouse.control.clear()
    with session(warehouse) as cursor:
        cursor.execute(f"DROP SCHEMA {name} CASCADE")


async def delayed(runtime: Runtime) -> Run:
    """Wait until a run is delayed, and return it."""
    async with asyncio.timeout(60):
        while not (found := await runtime.runs(RunQuery(state=RunState.DELAYED))):  # noqa: ASYNC110 - a run tells the control database
            await asyncio.sleep(0.02)
    return found[0]


async def until_taken(database: MemoryDatabase) -> None:
    """Wait until every fault of *database* has struck."""
    async with asyncio.timeout(60):
        while database.faults:  # noqa: ASYNC110 - a database tells nobody
            await asyncio.sleep(0.02)


async def requested(runtime: Runtime, *names: str) -> Rollout:
    """Have ada order a sync, and return without waiting for it."""
    return await runtime.request(Order(Verb.SYNC), Selection(targets=names), actor="ada")


@asynccontextmanager
async def waiting(settings: Settings, clock: Calendar | None = None) -> AsyncIterator[Runtime]:
    """Open the engine for a test in which nothing may take long."""
    opened = runtime_at(settings, clock) if clock else opened_runtime(settings)
    async with asyncio.timeout(120), opened as runtime:
        yield runtime


async def test_a_run_waits_for_its_target(scripts: Scripts) -> None:
    """A run of a target that is starting waits, says so, and does what was ordered."""
    async with waiting(settings_of(scripts)) as runtime:
        starts_for(runtime, 2)
        run = await ordered_one(runtime, Verb.STAMP, "base")
        assert (run.state, run.before, run.after) == (RunState.SUCCEEDED, at("a1"), at())
        told = [kind for kind in await kinds(runtime, run=run.id) if kind.startswith("run.")]
        assert told == [
            "run.requested",
            "run.delayed",
            "run.continued",
            "run.started",
            "run.succeeded",
        ]
        (event,) = await events(runtime, kind="run.delayed")
        assert (event.actor, event.data) == (
            "ada",
            {"message": "db-1: starting; waits up to 300 s"},
        )
        assert await runtime.verify() > 0


async def test_what_is_seen_while_a_run_waits(scripts: Scripts) -> None:
    """The run is delayed and its target starting; then both are what they were."""
    async with waiting(settings_of(scripts)) as runtime:
        database(runtime)
        await runtime.check(Selection())
        starting = starts_for(runtime, FOR_EVER)
        rollout = await requested(runtime)
        run = await delayed(runtime)
        shown = await status(runtime)
        assert (shown.status, shown.heads, shown.last_run) == (Status.STARTING, at("a1"), run.id)
        assert shown.problem == "db-1: the database is starting; try again shortly"
        starting.faults.clear()
        (ended,) = (await runtime.finished(rollout.id)).runs
        assert (ended.id, ended.state) == (run.id, RunState.SUCCEEDED)
        assert (await status(runtime)).status is Status.CURRENT


async def test_a_run_does_not_wait_for_ever(scripts: Scripts) -> None:
    """After start_wait the run fails, and the clock comes back by itself."""
    clock = Calendar()
    async with waiting(settings_of(scripts, 'start_wait = "2s"'), clock) as runtime:
        starting = starts_for(runtime, FOR_EVER)
        run = await ordered_one(runtime)
        line = "db-1: still starting after 2 s; ask again, or raise start_wait"
        assert (run.state, run.error) == (RunState.FAILED, line)
        (event,) = await events(runtime, kind="run.failed")
        assert event.data == {"error": "StartingError", "message": line}
        shown = await status(runtime)
        assert (shown.status, shown.problem) == (Status.STARTING, line)
        assert shown.retry_at is not None
        starting.faults.clear()
        await runtime.sweep()
        assert (await status(runtime)).status is Status.STARTING
        clock.ahead += timedelta(minutes=2)
        await runtime.sweep()
        assert (await status(runtime)).status is Status.CURRENT


async def test_no_patience(scripts: Scripts) -> None:
    """With a start_wait of nothing the run fails at once, with what the database said."""
    async with waiting(settings_of(scripts, 'start_wait = "0s"')) as runtime:
        starts_for(runtime, 1)
        run = await ordered_one(runtime)
        assert run.error == "db-1: the database is starting; try again shortly"
        assert "run.delayed" not in await kinds(runtime)
        assert (await status(runtime)).status is Status.STARTING


async def test_others_go_on_meanwhile(scripts: Scripts) -> None:
    """A run that waits takes no turn: with one run at a time, the next one is carried out."""
    settings = settings_of(scripts, count=2, schedule="runs = 1")
    async with waiting(settings) as runtime:
        starting = starts_for(runtime, FOR_EVER)
        database(runtime, URLS[1])
        waits = await requested(runtime, "db-1")
        await delayed(runtime)
        (run,) = await ordered(runtime, Verb.SYNC, "head", "db-2")
        assert run.state is RunState.SUCCEEDED
        assert (await delayed(runtime)).target == "db-1"
        starting.faults.clear()
        (run,) = (await runtime.finished(waits.id)).runs
        assert run.state is RunState.SUCCEEDED


async def test_the_end_of_the_service_is_the_end_of_the_wait(scripts: Scripts) -> None:
    """A service that is told to stop does not wait for what is starting, whatever its grace."""
    settings = settings_of(scripts, 'start_wait = "1h"', schedule='grace = "1h"')
    async with waiting(settings) as runtime:
        starts_for(runtime, FOR_EVER)
        await requested(runtime)
        run = await delayed(runtime)
    async with waiting(settings) as runtime:
        ended = await runtime.run(run.id)
        assert ended is not None
        assert (ended.state, ended.error) == (
            RunState.FAILED,
            "db-1: still starting when the service was stopped; nothing was done",
        )
        assert (await kinds(runtime, run=run.id))[-1] == "run.failed"


async def test_a_stop_ahead_of_the_wait(scripts: Scripts, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that is told to stop while a wait is put on record does not begin to wait."""
    async with waiting(settings_of(scripts, 'start_wait = "1h"')) as runtime:
        delays = runtime._runs._delays
        record = delays._record

        async def stopped(*about: Any) -> None:  # noqa: ANN401 - handed on as it is
            await record(*about)
            delays.end()

        monkeypatch.setattr(delays, "_record", stopped)
        starts_for(runtime, FOR_EVER)
        run = await ordered_one(runtime)
        assert str(run.error).endswith("when the service was stopped; nothing was done")


async def test_a_stop_while_a_failed_run_looks_where_it_is(scripts: Scripts) -> None:
    """The end of the run is put on record with its reason; no lease is left behind."""
    settings = settings_of(scripts, 'lock_wait = "1ms"')
    async with waiting(settings) as runtime:
        found = database(runtime)
        found.faults += [Fault(Where.LOCK, What.BUSY), Fault(Where.HEADS, What.HANG)]
        (run,) = (await requested(runtime)).runs
        await until_taken(found)
        await runtime._runs.stop(timedelta(0))
        ended = await runtime.run(run.id)
        assert ended is not None
        assert (ended.state, ended.after) == (RunState.FAILED, None)
        assert "lock" in str(ended.error)
        async with runtime._engine.store.reading() as connection:
            assert not await runtime._engine.leases.is_held(connection, "db-1", run.id)


async def test_a_target_that_turns_out_to_be_out_of_reach(scripts: Scripts) -> None:
    """Where the wait ends with another answer, the run ends with it at once."""
    async with waiting(settings_of(scripts, 'start_wait = "1h"')) as runtime:
        starting = starts_for(runtime, 2)
        starting.faults.append(Fault(Where.OPEN, What.DENY))
        run = await ordered_one(runtime)
        assert (run.state, run.error) == (RunState.FAILED, "db-1: wrong password")
        assert "run.continued" not in await kinds(runtime)


async def test_a_target_that_stops_again(scripts: Scripts) -> None:
    """Where it has stopped again when the run's turn comes, the run waits once more."""
    async with waiting(settings_of(scripts, count=2, schedule="runs = 1")) as runtime:
        starting = starts_for(runtime, FOR_EVER)
        waits = await requested(runtime, "db-1")
        await delayed(runtime)
        database(runtime, URLS[1]).faults.append(Fault(Where.LOCK, What.HANG))
        await requested(runtime, "db-2")
        await until_taken(database(runtime, URLS[1]))
        starting.faults.clear()
        async with asyncio.timeout(60):
            while "run.continued" not in await kinds(runtime):  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.02)
        starts_for(runtime, 1)
        database(runtime, URLS[1]).cut()
        (run,) = (await runtime.finished(waits.id)).runs
        assert run.state is RunState.SUCCEEDED
        told = await kinds(runtime, run=run.id)
        assert told.count("run.delayed") == told.count("run.continued") == 2


async def test_a_target_that_is_taken_over_meanwhile(scripts: Scripts) -> None:
    """Whoever was overtaken while it waited writes nothing more about the target."""
    async with waiting(settings_of(scripts)) as runtime:
        starting = starts_for(runtime, FOR_EVER)
        rollout = await requested(runtime)
        await delayed(runtime)
        taken = "UPDATE leases SET holder = 'another', token = token + 1"
        await alter(runtime._engine.store, taken)
        starting.faults.clear()
        (run,) = (await runtime.finished(rollout.id)).runs
        assert run.state is RunState.INTERRUPTED
        assert "lease.lost" in await kinds(runtime, run=run.id)
        assert (await status(runtime)).status is Status.STARTING


async def test_the_clock_looks_soon_again(scripts: Scripts) -> None:
    """A look at a target that is starting starts no run and writes no event; the next is soon."""
    clock = Calendar()
    settings = settings_of(scripts, 'check_every = "1h"')
    async with waiting(settings, clock) as runtime:
        starts_for(runtime, 1)
        before = await runtime.verify()
        assert await swept(runtime) == ()
        shown = await status(runtime)
        assert (shown.status, shown.heads, shown.pending) == (Status.STARTING, None, ())
        assert await runtime.verify() == before + 1  # the history was seen for the first time
        clock.ahead += timedelta(seconds=31)
        await runtime.sweep()
        assert (await status(runtime)).status is Status.CURRENT


async def test_a_cold_warehouse(scripts: Scripts, warehouse: Warehouse, cold: str) -> None:
    """A sync of a warehouse that is stopped wakes it, waits for it, and applies what is pending."""
    scripts.add_tables("a1", "a2")
    async with waiting(settings_for(scripts, [cold], target=SLEEPY)) as runtime:
        warehouse.control.add(WarehouseFault(FaultKind.STOPPED, seconds=3600))
        rollout = await requested(runtime)
        await delayed(runtime)
        shown = await status(runtime)
        assert shown.status is Status.STARTING
        assert "the warehouse at 127.0.0.1" in str(shown.problem)
        warehouse.control.clear()
        (run,) = (await runtime.finished(rollout.id)).runs
        assert (run.state, run.after, run.error) == (RunState.SUCCEEDED, at("a2"), None)


async def test_a_cold_warehouse_does_not_rest(
    scripts: Scripts, warehouse: Warehouse, cold: str
) -> None:
    """A sweep that found a warehouse starting looks at it soon, and not after an hour."""
    clock = Calendar()
    scripts.add_tables("a1")
    async with waiting(settings_for(scripts, [cold], target=SLEEPY), clock) as runtime:
        await swept(runtime)
        clock.ahead += timedelta(hours=2)
        warehouse.control.add(WarehouseFault(FaultKind.STOPPED, seconds=3600))
        await runtime.sweep()
        assert (await status(runtime)).status is Status.STARTING
        warehouse.control.clear()
        clock.ahead += timedelta(seconds=31)
        await runtime.sweep()
        assert (await status(runtime)).status is Status.CURRENT
