"""Replays that other sessions are in the way of: applied again, and given up in the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import asyncpg
import pytest

from sync.model import Order, RunState, Selection, Verb
from sync.runtime import Runtime
from sync.settings import Settings
from tests.support.engine import (
    Calendar,
    at,
    events,
    execute,
    kinds,
    opened_runtime,
    ordered_one,
    query,
    runtime_at,
    settings_for,
    swept,
)
from tests.support.histories import ASYNC_ENV, SYNC_ENV, Scripts
from tests.support.postgres import Postgres

ATOMIC = """
op.execute("CREATE TABLE made ()")
op.execute("ALTER TABLE busy ADD COLUMN extra int")
"""
IN_PIECES = f"""{ATOMIC}
with op.get_context().autocommit_block():
    op.execute("CREATE INDEX CONCURRENTLY ix ON busy (extra)")
"""


@pytest.fixture
def settings(scripts: Scripts, url: str, postgres: Postgres) -> Settings:
    """Give a history with a table that others hold, and a target that waits shortly for it."""
    scripts.add("r1", 'op.execute("CREATE TABLE busy ()")')
    return settings_for(scripts, [url], shadow=postgres.admin_url, target='lock_timeout = "100ms"')


@asynccontextmanager
async def holding(url: str, *statements: str) -> AsyncIterator[asyncpg.Connection]:
    """Hold locks in an open transaction, until it is ended or the block is."""
    session = await asyncpg.connect(url)
    try:
        await session.execute("BEGIN")
        for sql in statements:
            await session.execute(sql)
        yield session
    finally:
        session.terminate()


async def seen(runtime: Runtime, kind: str) -> None:
    """Wait for an event of that kind."""
    async with asyncio.timeout(60):
        while not await events(runtime, kind=kind):  # noqa: ASYNC110 - a database is asked
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("body", "trail"),
    [
        (ATOMIC, ["step.succeeded"]),
        (
            IN_PIECES,
            [
                "transaction.started",
                "transaction.succeeded",
                "statement.started",
                "statement.succeeded",
                "stamp.started",
                "stamp.succeeded",
                "step.succeeded",
            ],
        ),
    ],
)
async def test_a_lock_that_is_not_free_in_time(
    scripts: Scripts, url: str, settings: Settings, body: str, trail: list[str]
) -> None:
    """The transaction is applied again until it gets through; each retry is an event."""
    async with opened_runtime(settings) as runtime:
        await ordered_one(runtime)
        scripts.add("r2", body)
        async with holding(url, "LOCK busy") as other:
            rollout = await runtime.request(Order(Verb.SYNC), Selection(), actor="ada")
            await seen(runtime, "step.retried")
            await other.execute("COMMIT")
            (run,) = (await runtime.finished(rollout.id)).runs
        assert (run.state, run.after, run.error) == (RunState.SUCCEEDED, at("r2"), None)
        first = (await events(runtime, kind="step.retried"))[0]
        assert first.revision == "r2"
        assert (first.data["error"], first.data["code"]) == ("ContentionError", "55P03")
        assert first.data["number"] == 1
        assert first.data["message"] == (
            "db-1: revision r2, statement 2 of "
            + ("2" if body is ATOMIC else "3")
            + " (ALTER TABLE busy ADD COLUMN extra int): "
            "canceling statement due to lock timeout (SQLSTATE 55P03)"
        )
        ahead = [kind for kind in await kinds(runtime, run=run.id) if kind != "step.retried"]
        assert [k for k in ahead if not k.startswith("run.")][-len(trail) :] == trail
        assert await runtime.verify() > 0


async def test_it_is_given_up_and_the_clock_comes_back(
    scripts: Scripts, url: str, settings: Settings
) -> None:
    """After some retries the run has failed by name; the clock tries again by itself later."""
    calendar = Calendar()
    async with runtime_at(settings, calendar) as runtime:
        await ordered_one(runtime)
        scripts.add("r2", ATOMIC)
        async with holding(url, "LOCK busy"):
            run = await ordered_one(runtime)
        assert (run.state, run.after) == (RunState.FAILED, at("r1"))
        assert "revision r2, statement 2 of 2" in str(run.error)
        retries = await events(runtime, run=run.id, kind="step.retried")
        assert [event.data["number"] for event in retries] == [1, 2, 3, 4, 5]
        calendar.ahead = timedelta(hours=1)
        (again,) = await swept(runtime)
        assert (again.state, again.after) == (RunState.SUCCEEDED, at("r2"))


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
async def test_the_clock_comes_back_to_a_live_step_too(
    scripts: Scripts, url: str, driver: str
) -> None:
    """A script that others were in the way of is not tried again in the same run, but later."""
    scripts.write_env(SYNC_ENV if driver == "psycopg" else ASYNC_ENV)
    scripts.add("r1", 'op.execute("CREATE TABLE busy ()")')
    settings = settings_for(
        scripts, [url], target='lock_timeout = "100ms"', history=f'driver = "{driver}"'
    )
    calendar = Calendar()
    async with runtime_at(settings, calendar) as runtime:
        await ordered_one(runtime)
        scripts.add("r2", ATOMIC)
        async with holding(url, "LOCK busy"):
            run = await ordered_one(runtime)
        assert (run.state, run.after) == (RunState.FAILED, at("r1"))
        (failed,) = await events(runtime, run=run.id, kind="run.failed")
        assert failed.data["error"] == "ContentionError"
        calendar.ahead = timedelta(hours=1)
        (again,) = await swept(runtime)
        assert (again.state, again.after) == (RunState.SUCCEEDED, at("r2"))


async def test_deadlock(scripts: Scripts, url: str, postgres: Postgres) -> None:
    """A transaction that the server picks as the victim of a deadlock is applied again."""
    scripts.add("r1", 'op.execute("CREATE TABLE a ()")\nop.execute("CREATE TABLE b ()")')
    async with opened_runtime(settings_for(scripts, [url], shadow=postgres.admin_url)) as runtime:
        await ordered_one(runtime)
        scripts.add("r2", 'op.execute("LOCK a")\nop.execute("ALTER TABLE b ADD COLUMN x int")')
        async with holding(url, "LOCK b") as other:
            rollout = await runtime.request(Order(Verb.SYNC), Selection(), actor="ada")
            while not await query(url, WAITING):  # noqa: ASYNC110 - a database is asked
                await asyncio.sleep(0.02)
            await other.execute("LOCK a")  # whoever waits longer finds the deadlock: the run
            await other.execute("COMMIT")
            (run,) = (await runtime.finished(rollout.id)).runs
        assert (run.state, run.after) == (RunState.SUCCEEDED, at("r2"))
        (retry,) = await events(runtime, kind="step.retried")
        assert retry.data["code"] == "40P01"


WAITING = """
    SELECT FROM pg_stat_activity WHERE datname = current_database()
       AND application_name = 'levelhead' AND wait_event_type = 'Lock'
"""

ONCE_IN_VAIN = """
op.execute("CREATE TABLE made ()")
op.execute(\"\"\"DO $$ BEGIN
    IF nextval('tries') = 2 THEN RAISE EXCEPTION 'not now' USING ERRCODE = '40001'; END IF;
END $$\"\"\")
"""


async def test_serialization(scripts: Scripts, url: str, postgres: Postgres) -> None:
    """What could not be put into an order with others is applied again, as a whole."""
    scripts.add("r1", 'op.execute("CREATE SEQUENCE tries")')
    async with opened_runtime(settings_for(scripts, [url], shadow=postgres.admin_url)) as runtime:
        await ordered_one(runtime)
        await execute(url, "SELECT nextval('tries')")
        scripts.add("r2", ONCE_IN_VAIN)
        run = await ordered_one(runtime)
        assert (run.state, run.after, run.error) == (RunState.SUCCEEDED, at("r2"), None)
        (retry,) = await events(runtime, kind="step.retried")
        assert (retry.data["code"], retry.data["number"]) == ("40001", 1)
