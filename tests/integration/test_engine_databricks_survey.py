"""Sweeps over many targets of one warehouse: one session reads them all."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from typing import cast

import pytest

from providers.databricks.warehouse import Warehouse
from sync.model import RunState, Selection, Status
from sync.store import runs
from sync.store.runs import RunChange
from tests.conformance.gate import Gate, gate
from tests.support.engine import (
    events,
    opened_runtime,
    ordered,
    ordered_one,
    settings_for,
    swept,
)
from tests.support.histories import Scripts
from tests.support.warehouse_client import connected
from tests.support.warehouse_targets import moved, url_of

pytest_plugins = ["tests.support.warehouse"]


@pytest.fixture
async def door(warehouse: Warehouse) -> AsyncIterator[Gate]:
    """Give a gate before the warehouse, which sees every request."""
    async with gate(warehouse.port) as standing:
        yield standing


@pytest.fixture
def urls(warehouse: Warehouse, door: Gate) -> list[str]:
    """Give the URLs of three schemas, in two catalogs; one of them does not exist."""
    catalog, name = f"test_{secrets.token_hex(4)}", f"test_{secrets.token_hex(4)}"
    with connected(warehouse) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE CATALOG {catalog}")
        cursor.execute(f"CREATE SCHEMA {catalog}.{name}")
        cursor.execute(f"CREATE SCHEMA main.{name}")
        cursor.execute(f"CREATE TABLE main.{name}.alembic_version (version_num STRING NOT NULL)")
        cursor.execute(f"INSERT INTO main.{name}.alembic_version VALUES ('a1')")
    found = [
        url_of(warehouse, where, schema) for where, schema in (("main", name), (catalog, name))
    ]
    return [moved(url, warehouse.port, door.port) for url in [*found, url_of(warehouse, catalog)]]


def opened(door: Gate) -> int:
    """Return how many sessions were opened."""
    return sum(b"OpenSession" in request for request in door.asked)


async def test_one_session_for_all(scripts: Scripts, urls: list[str], door: Gate) -> None:
    """A check reads targets of several catalogs and schemas of a warehouse in one session."""
    scripts.add("a1", "pass")
    async with opened_runtime(settings_for(scripts, urls[:2])) as runtime:
        one, other = await runtime.check(Selection())
        assert (one.status, other.status) == (Status.CURRENT, Status.BEHIND)
        assert opened(door) == 1
        (used,) = await events(runtime, kind="warehouse.used")
        assert used.data["sessions"] == 1
        assert used.target is used.run is None


@pytest.mark.parametrize("shadow", ["none", "auto"])
async def test_run_is_counted(scripts: Scripts, urls: list[str], shadow: str) -> None:
    """For how long a run had sessions open is on record, whether its steps are live or not."""
    scripts.add("a1", "pass")
    scripts.add("a2", 'op.create_table("t", sa.Column("a", sa.String()))')
    async with opened_runtime(settings_for(scripts, urls[:1], shadow=shadow)) as runtime:
        run = await ordered_one(runtime)
        (used,) = await events(runtime, kind="warehouse.used", run=run.id)
        assert used.data["sessions"] == (2 if shadow == "auto" else 4)  # given up to compile
        seconds = used.data["seconds"]
        assert isinstance(seconds, float)
        assert seconds > 0
        assert run.warehouse_seconds == seconds


async def test_rollout_is_counted(scripts: Scripts, urls: list[str]) -> None:
    """What the runs of a rollout have used is added up."""
    scripts.add("a1", "pass")
    scripts.add("a2", 'op.create_table("t", sa.Column("a", sa.String()))')
    async with opened_runtime(settings_for(scripts, urls[:2])) as runtime:
        one, other = await ordered(runtime)
        rollout = await runtime.rollout(one.rollout)
        assert rollout is not None
        assert one.warehouse_seconds is not None
        assert other.warehouse_seconds is not None
        assert rollout.warehouse_seconds == round(
            one.warehouse_seconds + other.warehouse_seconds, 1
        )


async def test_whoever_settles_pays_too(scripts: Scripts, urls: list[str]) -> None:
    """What a recovery costs comes on top of what the run itself has used; so say its events."""
    scripts.add("a1", "pass")
    scripts.add("a2", 'op.create_table("t", sa.Column("a", sa.String()))')
    async with opened_runtime(settings_for(scripts, urls[:1])) as runtime:
        run = await ordered_one(runtime)
        async with runtime._engine.store.writing() as connection:  # as if its end were in doubt
            await runs.update(connection, run.id, RunChange(state=RunState.INTERRUPTED))
        await swept(runtime)
        settled = await runtime.run(run.id)
        told = await events(runtime, kind="warehouse.used", run=run.id)
        seconds = [cast("float", event.data["seconds"]) for event in told]
        assert settled is not None
        assert len(seconds) == 2
        assert settled.warehouse_seconds == round(sum(seconds), 1)


async def test_postgres_is_not_counted(scripts: Scripts, url: str) -> None:
    """A database whose sessions cost nothing has no such event."""
    scripts.add("a1", "pass")
    async with opened_runtime(settings_for(scripts, [url])) as runtime:
        run = await ordered_one(runtime)
        assert run.warehouse_seconds is None
        rollout = await runtime.rollout(run.rollout)
        assert rollout is not None
        assert rollout.warehouse_seconds is None
        await runtime.check(Selection())
        assert not await events(runtime, kind="warehouse.used")


async def test_missing_schema(scripts: Scripts, urls: list[str], door: Gate) -> None:
    """A schema that is missing is told of its target alone, by a session of its own."""
    del door
    scripts.add("a1", "pass")
    missing = urls[2].replace("schema=default", "schema=nowhere")
    async with opened_runtime(settings_for(scripts, [urls[0], missing])) as runtime:
        one, other = await runtime.check(Selection())
        assert (one.status, other.status) == (Status.CURRENT, Status.UNREACHABLE)
        assert 'db-2: there is no schema "nowhere"' in str(other.problem)
