"""Whatever is killed in the middle of a run, every revision is applied once in the end."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from providers.postgres.embedded import throwaway_postgres
from tests.support.engine import execute, version
from tests.support.histories import ASYNC_ENV, SYNC_ENV
from tests.support.killing import (
    Hold,
    all_stopped,
    held,
    in_doubt,
    is_current,
    is_told,
    ledger,
    make_targets,
    postgres_busy,
    resolutions,
    sqlite_busy,
    write_history,
)
from tests.support.postgres import Databases, Postgres
from tests.support.service import Service, Site, until, write_site

Blow: TypeAlias = Callable[[], Awaitable[None]]

ALL = ["r1", "r2", "r3", "r4"]

#: Name of a target -> the point at which its run is stopped before something is killed.
FLEET: Mapping[str, str] = {
    "waiting": "waiting",
    "opening": "opening",
    "inside": "inside",
    "committing": "committing",
    "committed": "committing",  # and it goes on while its end cannot be put on record
    "indexing": "indexing",
}

#: What still goes on at the server has to end before these are let go, or it might succeed.
LATE = ("committing", "indexing")


@dataclass(frozen=True, slots=True)
class Stand:
    """A fleet, and a site whose service is to be hurt."""

    urls: Mapping[str, str] = field(repr=False)
    site: Site
    busy: Callable[[], AbstractAsyncContextManager[None]]  #: keeps the audit log from growing


async def strike(stand: Stand, holds: Mapping[str, Hold], blow: Blow) -> None:
    """Wait until each run has stopped at its point, and strike.

    `committed` has a COMMIT behind it then whose end cannot be put on record.
    """
    await all_stopped(holds)
    async with stand.busy():
        holds["committed"].let_go()
        await until(lambda: is_at(stand.urls["committed"], "r2"))
        await blow()


async def is_at(url: str, revision: str) -> bool:
    """Tell whether a target stands at *revision*."""
    return await version(url) == {revision}


async def clear_the_way(holds: Mapping[str, Hold]) -> None:
    """Let every run go on that comes by, once what was struck can no longer get by itself."""
    for name in LATE:
        await holds[name].wait_for_end()
    for hold in holds.values():
        hold.let_go()


async def bring_to_head(stand: Stand, service: Service) -> list[dict[str, Any]]:
    """Wait until all is well, and return the events.

    Every target at head, each revision applied once, nothing in doubt, each run ended,
    and the chain whole.
    """
    await service.all_current()
    await until(lambda: is_told(service))
    for name, url in stand.urls.items():
        assert (name, await ledger(url)) == (name, ALL)
        assert await version(url) == {"r4"}
    events = await service.events()
    assert {run["state"] for run in await service.runs()} <= {"succeeded", "failed"}
    assert (await service.get("/events/verify"))["events"] >= len(events)
    return events


@pytest.fixture
async def urls(databases: Databases) -> dict[str, str]:
    """Give the targets of the fleet."""
    return await make_targets(databases, FLEET)


def on_sqlite(
    folder: Path, urls: Mapping[str, str], history: str = "", env: str = SYNC_ENV
) -> Stand:
    """Return a stand with the embedded control database."""
    site = write_site(write_history(folder / "history", env), urls, history=history)
    return Stand(urls, site, lambda: sqlite_busy(site.folder / "levelhead.db"))


def on_postgres(folder: Path, urls: Mapping[str, str], control: str) -> Stand:
    """Return a stand with a Postgres control database, and leases that run out soon."""
    lines = f'url = "{control}"\nlease = "2s"'
    site = write_site(write_history(folder / "history"), urls, control=lines)
    return Stand(urls, site, lambda: postgres_busy(control))


#: What a service that was killed leaves to be found out, by those that come after it.
AFTER_THE_SERVICE = {
    ("waiting", "run.resolved", None, "absent"),
    ("opening", "run.resolved", None, "absent"),
    ("inside", "run.resolved", None, "absent"),
    ("inside", "step.resolved", "r2", "absent"),
    ("committing", "run.resolved", None, "absent"),
    ("committing", "step.resolved", "r2", "absent"),
    ("committing", "transaction.resolved", "r2", "absent"),
    ("committed", "run.resolved", None, "absent"),
    ("committed", "step.resolved", "r2", "applied"),
    ("committed", "transaction.resolved", "r2", "applied"),
    ("indexing", "run.resolved", None, "absent"),
    ("indexing", "step.resolved", "r3", "absent"),
    ("indexing", "statement.resolved", "r3", "absent"),
}


@pytest.mark.slow
@pytest.mark.parametrize("control", ["sqlite", "postgresql"])
async def test_the_service_is_killed(
    tmp_path: Path, urls: dict[str, str], database: str, control: str
) -> None:
    """The next service finds out how far each run came, says so, and goes on from there."""
    stand = (
        on_sqlite(tmp_path, urls) if control == "sqlite" else on_postgres(tmp_path, urls, database)
    )
    async with held(urls, FLEET) as holds, stand.site.served() as service:
        await strike(stand, holds, service.kill)
        await clear_the_way(holds)
    async with stand.site.served() as service:
        events = await bring_to_head(stand, service)
        first = {run["target"]: run for run in reversed(await service.runs())}
    assert resolutions(events) == AFTER_THE_SERVICE
    assert {run["state"] for run in first.values()} == {"failed"}


@pytest.mark.slow
async def test_the_runners_are_killed(tmp_path: Path, urls: dict[str, str]) -> None:
    """A service that loses its runners settles what they did, and goes on by itself."""
    stand = on_sqlite(tmp_path, urls)
    async with held(urls, FLEET) as holds, stand.site.served() as service:

        async def blow() -> None:
            runners = await service.runners()
            assert len(runners) == len(FLEET) - 1  # `waiting` has none yet
            for pid in runners:
                os.kill(pid, signal.SIGKILL)

        await strike(stand, holds, blow)
        await clear_the_way(holds)
        events = await bring_to_head(stand, service)
    assert ("committing", "transaction.resolved", "r2", "absent") in resolutions(events)
    lost = [e for e in events if e["kind"] == "run.interrupted"]
    assert {e["target"] for e in lost} == set(FLEET) - {"waiting"}
    assert {e["data"]["error"] for e in lost} == {"RunnerLostError"}


@pytest.mark.slow
@pytest.mark.parametrize(("driver", "env"), [("psycopg", SYNC_ENV), ("asyncpg", ASYNC_ENV)])
async def test_the_backends_are_terminated(
    tmp_path: Path, urls: dict[str, str], driver: str, env: str
) -> None:
    """A service whose connections are cut settles what they did, and goes on by itself."""
    stand = on_sqlite(tmp_path, urls, f'driver = "{driver}"', env)
    async with held(urls, FLEET) as holds, stand.site.served() as service:

        async def blow() -> None:
            for url in urls.values():
                await execute(url, TERMINATE)

        await strike(stand, holds, blow)
        await clear_the_way(holds)
        events = await bring_to_head(stand, service)
    lost = [e for e in events if e["kind"] == "run.interrupted"]
    assert {e["target"] for e in lost} == set(FLEET)
    assert {e["data"]["error"] for e in lost} == {"ConnectionLostError"}


TERMINATE = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE datname = current_database() AND application_name = 'levelhead'
"""


@pytest.mark.slow
async def test_the_server_crashes(tmp_path: Path) -> None:
    """A server that restarts after a crash is waited for, with the control database on it."""
    async with own_server() as databases:
        urls = await make_targets(databases, FLEET)
        (database,) = await databases(1)
        stand = on_postgres(tmp_path, urls, database)
        async with held(urls, FLEET) as holds, stand.site.served() as service:

            async def blow() -> None:
                os.kill(holds["inside"].stopped, signal.SIGKILL)

            await strike(stand, holds, blow)
            await bring_to_head(stand, service)


@asynccontextmanager
async def own_server() -> AsyncIterator[Databases]:
    """Run a server that a test may crash; give a function that creates databases on it."""
    async with throwaway_postgres() as server:
        postgres = Postgres(server.url("postgres"))

        async def create(count: int, *, template: str = "template1") -> list[str]:
            names = [f"test_{secrets.token_hex(6)}" for _ in range(count)]
            for name in names:
                await postgres.create_database(name, template)
            return [postgres.url(name) for name in names]

        yield create


@pytest.mark.slow
async def test_half_an_index_is_for_a_person(tmp_path: Path, databases: Databases) -> None:
    """What nobody can tell is a named stop, once; who looks and settles it gets it going."""
    urls = await make_targets(databases, ["half", "other"])
    site = write_site(write_history(tmp_path / "history"), urls)
    async with held(urls, {"half": "half"}) as holds, site.served() as service:
        await all_stopped(holds)
        await service.kill()
        await holds["half"].wait_for_end()
    async with site.served() as service:
        await until(lambda: has_settled(service, "half"))
        stopped = (await service.targets())["half"]
        assert stopped["heads"] == ["r2"]
        told = r"half: nobody can tell whether statement (\w+) of revision r3 took effect; .* \1 "
        named = re.match(told, stopped["problem"])
        assert named, stopped["problem"]
        seen = len(await service.events(target="half"))
        await asyncio.sleep(1)  # several sweeps
        assert len(await service.events(target="half")) == seen
        await until(lambda: is_current(service, "other"))

        await execute(urls["half"], "DROP INDEX third")
        settled = await site.run("settle", named[1], "absent")
        assert (settled.code, settled.err) == (0, "")
        await service.all_current()
        assert in_doubt(await service.events()) == set()
    assert await ledger(urls["half"]) == ALL


async def has_settled(service: Service, target: str) -> bool:
    """Tell whether the service has put on record what it could not settle on a target."""
    return (await service.targets())[target]["problem"] is not None
