"""Fleets whose runs are stopped, each at a point of its own, before something is killed.

Afterwards every target comes to head, by itself or after a named stop.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from providers.postgres.embedded import throwaway_postgres
from tests.support.engine import execute, query, version
from tests.support.killing import (
    Hold,
    all_stopped,
    is_told,
    ledger,
    postgres_busy,
    sqlite_busy,
)
from tests.support.postgres import Databases, Postgres
from tests.support.service import Service, Site, until, write_site

Blow: TypeAlias = Callable[[], Awaitable[None]]

#: What every ledger holds in the end: each revision once.
ALL = ["r1", "r2", "r3", "r4"]

TERMINATE = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE datname = current_database() AND application_name = 'levelhead'
"""

#: The error that names an act, and what a person does about it.
STOPPED = re.compile(
    r"(\w+): nobody can tell whether (statement|transaction) (\w+) of revision r3 took effect; "
    r"look at the target, then levelhead settle \3 applied \(or absent\)"
)

#: What a person looks at who has to say what became of an act of step 3.
TRUTH: Mapping[str, str] = {
    "statement": "SELECT FROM pg_index WHERE indexrelid = to_regclass('third') AND indisvalid",
    "transaction": "SELECT FROM ledger WHERE revision = 'r3'",
}


@dataclass(frozen=True, slots=True)
class Point:
    """Where the run of one target is when something is killed."""

    hold: str  #: where it is stopped: a key of `tests.support.killing.POINTS`
    #: A query that has a row once the act is done in which it was stopped. Then it was let go
    #: on to there, and cannot put on record that it came there. Empty: it stands where it is.
    done: str = ""


@dataclass(frozen=True, slots=True)
class Stand:
    """A fleet, and a site whose service is to be hurt."""

    fleet: Mapping[str, Point]
    urls: Mapping[str, str] = field(repr=False)
    site: Site
    busy: Callable[[], AbstractAsyncContextManager[None]]  #: keeps the audit log from growing

    @property
    def holds(self) -> dict[str, str]:
        """Where each run is to be stopped."""
        return {name: point.hold for name, point in self.fleet.items()}


def on_sqlite(
    fleet: Mapping[str, Point], config: Path, urls: Mapping[str, str], **site: str
) -> Stand:
    """Return a stand with the embedded control database."""
    made = write_site(config, urls, **site)  # type: ignore[arg-type]  # the tables are the test's own
    return Stand(fleet, urls, made, lambda: sqlite_busy(made.folder / "levelhead.db"))


def on_postgres(
    fleet: Mapping[str, Point], config: Path, urls: Mapping[str, str], control: str, **site: str
) -> Stand:
    """Return a stand with a Postgres control database, and leases that run out soon."""
    lines = f'url = "{control}"\nlease = "2s"'
    made = write_site(config, urls, control=lines, **site)  # type: ignore[arg-type]  # the tables are the test's own
    return Stand(fleet, urls, made, lambda: postgres_busy(control))


@asynccontextmanager
async def own_server() -> AsyncIterator[tuple[Postgres, Databases]]:
    """Run a server that a test may crash; give a function that creates databases on it."""
    async with throwaway_postgres() as server:
        postgres = Postgres(server.url("postgres"))

        async def create(count: int, *, template: str = "template1") -> list[str]:
            names = [f"test_{secrets.token_hex(6)}" for _ in range(count)]
            for name in names:
                await postgres.create_database(name, template)
            return [postgres.url(name) for name in names]

        yield postgres, create


async def strike(stand: Stand, holds: Mapping[str, Hold], blow: Blow) -> None:
    """Wait until each run is at its point, and strike."""
    await all_stopped(holds)
    async with stand.busy():
        for name, point in stand.fleet.items():
            if point.done:
                holds[name].let_go()
        for name, point in stand.fleet.items():
            if point.done:
                await until(row(stand.urls[name], point.done))
        await blow()


def row(url: str, sql: str) -> Callable[[], Awaitable[bool]]:
    """Return what tells whether a query has a row."""

    async def found() -> bool:
        return bool(await query(url, sql))

    return found


async def terminate_all(stand: Stand) -> None:
    """End every session of levelhead on the targets."""
    for url in stand.urls.values():
        await execute(url, TERMINATE)


async def clear_the_way(holds: Mapping[str, Hold]) -> None:
    """Let every run go on that comes by, once nothing of before can go on by itself."""
    for hold in holds.values():
        await hold.wait_for_end()
    for hold in holds.values():
        hold.let_go()


async def bring_to_head(stand: Stand, service: Service) -> dict[str, str]:
    """Wait until all is well, answering as a person what nobody can tell; return the endings.

    Every target at head, each revision applied once, nothing in doubt, each run ended, and
    the chain whole.
    """
    await until(lambda: is_level(stand, service), within=180)
    await until(lambda: is_told(service))
    for name, url in stand.urls.items():
        assert (name, await ledger(url)) == (name, ALL)
        assert await version(url) == {"r4"}
    events = await service.events()
    assert {run["state"] for run in await service.runs()} <= {"succeeded", "failed"}
    assert (await service.get("/events/verify"))["events"] >= len(events)
    return {name: ending(events, name) for name in stand.fleet}


async def is_level(stand: Stand, service: Service) -> bool:
    """Settle what waits for a person, and tell whether every target stands at head."""
    answer = await service.client.get("/targets")
    if not answer.is_success:
        return False  # the control database may be away for a moment
    items: Sequence[Mapping[str, Any]] = answer.json()["items"]
    for target in items:
        if told := STOPPED.fullmatch(target["problem"] or ""):
            await settle(stand, told)
    return {target["status"] for target in items} == {"current"}


async def settle(stand: Stand, told: re.Match[str]) -> None:
    """Look at the target, and say what became of an act."""
    name, noun, ticket = told.groups()
    word = "applied" if await query(stand.urls[name], TRUTH[noun]) else "absent"
    await stand.site.run("settle", ticket, word)  # refused where a run goes on: then once more


def ending(events: Iterable[Mapping[str, Any]], target: str) -> str:
    """Say how a target came to head after its first run was struck."""
    theirs = [event for event in events if event["target"] == target]
    for event in theirs:
        if event["kind"] == "operator.settled":
            return f"named stop, settled as {event['data']['outcome']}"
    struck = theirs[0]["run"]
    others = [e for e in theirs if e["kind"] == "run.started" and e["run"] != struck]
    before = others[-1]["data"]["before"] if others else ["r4"]
    if before == ["r4"]:
        return "found at head"
    dropped = ", half an index dropped" if any("repairs" in e["data"] for e in theirs) else ""
    return f"went on from {before[0] if before else 'base'}{dropped}"
