"""A control database of each kind, and what is built on it."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from sync.events.chain import Draft
from sync.events.kinds import Kind
from sync.events.log import EventLog
from sync.model import Order, Run, RunState, Verb
from sync.store.engine import Store

START = datetime(2031, 5, 6, 7, 8, 9, 10, tzinfo=UTC)


class Clock:
    """A clock that goes on by one second each time somebody looks at it."""

    def __init__(self) -> None:
        self.moment = START

    def __call__(self) -> datetime:
        """Return a later moment than ever before."""
        self.moment += timedelta(seconds=1)
        return self.moment


class Ids:
    """Gives ids that sort in the order they were given."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def __call__(self) -> str:
        """Return the next id."""
        return f"id-{next(self._numbers):06}"


@pytest.fixture(params=["sqlite", "postgresql"])
def control_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the URL of a control database that holds nothing yet, one of each kind."""
    if request.param == "sqlite":
        return sqlite_url(tmp_path)
    url: str = request.getfixturevalue("database")
    return url


def sqlite_url(folder: Path) -> str:
    """Return the URL of a control file in *folder*."""
    return f"sqlite:///{folder / 'control.db'}"


@pytest.fixture
def clock() -> Clock:
    """Give a clock that the test controls."""
    return Clock()


@pytest.fixture
async def store(control_url: str, clock: Clock) -> AsyncIterator[Store]:
    """Give an open control database, one of each kind."""
    async with Store.open(control_url, clock=clock) as opened:
        yield opened


@pytest.fixture
def log(store: Store, clock: Clock) -> EventLog:
    """Give the audit log of the control database."""
    return EventLog(store, clock=clock, new_id=Ids())


def a_draft(**changes: object) -> Draft:
    """Build a fact; *changes* are fields of `Draft`."""
    facts = {"kind": Kind.TARGET_CHANGED, "actor": "clock", "target": "orders-eu"} | changes
    return Draft(**facts)  # type: ignore[arg-type]  # the fields are the test's own


def a_run(**changes: object) -> Run:
    """Build a run; *changes* are fields of `Run`."""
    facts: dict[str, object] = {
        "id": "run-1",
        "rollout": "rollout-1",
        "target": "orders-eu",
        "history": "app",
        "actor": "ada",
        "order": Order(Verb.SYNC),
        "state": RunState.REQUESTED,
        "requested_at": START,
    }
    return Run(**facts | changes)  # type: ignore[arg-type]  # the fields are the test's own


async def alter(store: Store, *sqls: str) -> None:
    """Do to the control database what somebody with its password could do."""
    async with store.writing() as connection:
        for sql in sqls:
            await connection.exec_driver_sql(sql)


async def as_superuser(url: str, sql: str) -> None:
    """Run *sql* on a Postgres database, on a connection of its own."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()
