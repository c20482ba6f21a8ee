"""A small fleet: one history, some targets, and the engine that looks after them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import asyncpg
import pytest

from providers.types import Heads
from sync.composition import acting
from sync.events.chain import Event
from sync.model import EventQuery, Order, Run, Selection, TargetStatus, Verb
from sync.runtime import Runtime
from sync.settings import Settings, load_settings
from sync.store.engine import Store
from tests.support.control import sqlite_url
from tests.support.histories import Scripts
from tests.support.postgres import Databases

#: Nobody asks for as many events.
ALL = 100_000


def settings_for(
    scripts: Scripts,
    urls: Sequence[str],
    *,
    control: str | None = None,
    lease: str = "30s",
    schedule: str = "",
    shadow: str = "none",
    history: str = "",
    target: str | Sequence[str] = "",
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Write levelhead.toml beside *scripts*, and read it: targets are db-1, db-2, ...

    *schedule*, *history* and *target* are lines of TOML that go into these tables; several
    texts for *target* are for one target each. Without a *shadow* every step is live.
    """
    lines = [target] * len(urls) if isinstance(target, str) else target
    variables = {f"URL_{place}": url for place, url in enumerate(urls, start=1)}
    tables = [
        f'[control]\nurl = "${{CONTROL}}"\nlease = "{lease}"',
        f"[schedule]\n{schedule}",
        f'[[history]]\nname = "app"\nconfig = "{scripts.config}"\nshadow = "{shadow}"\n{history}',
    ]
    tables += [
        f'[[target]]\nname = "db-{place}"\nhistory = "app"\nurl = "${{URL_{place}}}"\n{more}'
        for place, more in enumerate(lines, start=1)
    ]
    variables |= {"CONTROL": control or sqlite_url(scripts.folder), **(environ or {})}
    file = scripts.folder / "levelhead.toml"
    file.write_text("\n\n".join(tables))
    return load_settings(file, variables, scripts.folder)


def named(scripts: Scripts, *targets: tuple[str, str], control: str | None = None) -> Settings:
    """Name the targets of `settings_for` anew, each with its URL."""
    file = scripts.folder / "levelhead.toml"
    head, *_ = file.read_text().partition("[[target]]")
    tables = [
        f'[[target]]\nname = "{name}"\nhistory = "app"\nurl = "{url}"\n' for name, url in targets
    ]
    file.write_text("\n".join([head, *tables]))
    return load_settings(file, {"CONTROL": control or sqlite_url(scripts.folder)}, scripts.folder)


@asynccontextmanager
async def opened_runtime(settings: Settings) -> AsyncIterator[Runtime]:
    """Open the engine as a service does."""
    async with Runtime.open(settings, url="") as runtime:
        yield runtime


@asynccontextmanager
async def runtime_at(settings: Settings, clock: Calendar) -> AsyncIterator[Runtime]:
    """Open the engine with a clock that the test moves."""
    url = settings.control.url.get_secret_value()
    async with Store.open(url, clock=clock) as store, acting(settings, store) as engine:
        yield Runtime(settings, replace(engine, clock=clock))


class Calendar:
    """A clock that runs as clocks do, and can be moved."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        """Return the time, moved."""
        return datetime.now(UTC) + self.ahead


@pytest.fixture
def scripts(tmp_path: Path) -> Scripts:
    """Give a history of nothing yet."""
    return Scripts(tmp_path / "history")


@pytest.fixture
async def url(databases: Databases) -> str:
    """Give the URL of an empty database to migrate; the control database is another."""
    (created,) = await databases(1)
    return created


async def swept(runtime: Runtime) -> tuple[Run, ...]:
    """Sweep, wait for the runs that it started, and return them."""
    rollout = await runtime.sweep()
    return (await runtime.finished(rollout.id)).runs if rollout else ()


async def ordered(
    runtime: Runtime, verb: Verb = Verb.SYNC, to: str = "head", *targets: str
) -> tuple[Run, ...]:
    """Have ada give an order, wait for its runs, and return them."""
    rollout = await runtime.request(Order(verb, to), Selection(targets=targets), actor="ada")
    return (await runtime.finished(rollout.id)).runs


async def ordered_one(runtime: Runtime, verb: Verb = Verb.SYNC, to: str = "head") -> Run:
    """Have ada give an order to the only target, and return its run."""
    (run,) = await ordered(runtime, verb, to)
    return run


async def status(runtime: Runtime, target: str = "db-1") -> TargetStatus:
    """Return a target as it was last seen."""
    (found,) = await runtime.statuses(Selection(targets=(target,)))
    return found


async def events(runtime: Runtime, **query: str | int | None) -> tuple[Event, ...]:
    """Return the events that match, oldest first."""
    return await runtime.events(EventQuery(**{"limit": ALL, **query}))  # type: ignore[arg-type]  # the fields are the test's own


async def kinds(runtime: Runtime, **query: str | int | None) -> list[str]:
    """Return the kinds of the events that match, oldest first."""
    return [event.kind for event in await events(runtime, **query)]


async def texts(runtime: Runtime, event: Event) -> list[str]:
    """Return the texts that *event* says were sent, or about to be."""
    digests = cast("Sequence[str]", event.data["statements"])
    return [str(await runtime.statement(digest)) for digest in digests]


def at(*revisions: str) -> Heads:
    """Return heads."""
    return frozenset(revisions)


async def query(url: str, sql: str) -> list[tuple[object, ...]]:
    """Return the rows that *sql* gives."""
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row.values()) for row in await connection.fetch(sql)]
    finally:
        await connection.close()


async def execute(url: str, sql: str) -> None:
    """Run one or several statements, as somebody with a shell would."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


async def tables(url: str) -> set[object]:
    """Return the names of all tables that are not the server's own."""
    sql = (
        "SELECT tablename FROM pg_tables"
        " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
    )
    return {name for (name,) in await query(url, sql)}


async def version(url: str, table: str = "alembic_version") -> set[object]:
    """Return the rows of the version table."""
    return {row for (row,) in await query(url, f"SELECT version_num FROM {table}")}
