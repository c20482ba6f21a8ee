"""Whatever is killed in the middle of a live run, every revision is applied once in the end."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.engine import execute
from tests.support.histories import ASYNC_ENV, SYNC_ENV
from tests.support.killing import held, in_doubt, is_current, ledger, make_targets
from tests.support.killing import write_history as history
from tests.support.matrix import SCRIPTS, show
from tests.support.postgres import Databases
from tests.support.service import until
from tests.support.stands import (
    STOPPED,
    TRUTH,
    Point,
    Stand,
    bring_to_head,
    clear_the_way,
    on_postgres,
    on_sqlite,
    own_server,
    strike,
    terminate_all,
)
from tests.support.tables import Record

FLEET: Mapping[str, Point] = {
    "waiting": Point("waiting"),
    "opening": Point("opening"),
    "inside": Point("inside"),
    "committing": Point("committing"),
    "committed": Point("committing", "SELECT FROM alembic_version WHERE version_num = 'r2'"),
    "indexing": Point("indexing"),
    "half": Point("half"),
    "indexed": Point("indexing", TRUTH["statement"]),
}


@pytest.fixture
async def urls(databases: Databases) -> dict[str, str]:
    """Give the targets of the fleet."""
    return await make_targets(databases, FLEET)


@pytest.fixture(params=["sqlite", "postgresql"])
def stand(
    request: pytest.FixtureRequest, tmp_path: Path, urls: dict[str, str], database: str
) -> Stand:
    """Give a stand with each kind of control database."""
    config = history(tmp_path / "history")
    if request.param == "sqlite":
        return on_sqlite(FLEET, config, urls)
    return on_postgres(FLEET, config, urls, database)


@pytest.mark.slow
async def test_the_service_is_killed(stand: Stand, record_property: Record) -> None:
    """The next service finds out how far each run came, says so, and goes on from there."""
    async with held(stand.urls, stand.holds) as holds, stand.site.served() as service:
        await strike(stand, holds, service.kill)
        await clear_the_way(holds)
    async with stand.site.served() as service:
        endings = await bring_to_head(stand, service)
        first = {run["target"]: run for run in reversed(await service.runs())}
    assert {run["state"] for run in first.values()} == {"failed"}
    show(record_property, SCRIPTS, "service", endings)


@pytest.mark.slow
async def test_the_runners_are_killed(
    tmp_path: Path, urls: dict[str, str], record_property: Record
) -> None:
    """A service that loses its runners settles what they did, and goes on by itself."""
    stand = on_sqlite(FLEET, history(tmp_path / "history"), urls)
    async with held(urls, stand.holds) as holds, stand.site.served() as service:

        async def blow() -> None:
            runners = await service.runners()
            assert len(runners) == len(FLEET) - 1  # `waiting` has none yet
            for pid in runners:
                os.kill(pid, signal.SIGKILL)

        await strike(stand, holds, blow)
        holds.pop("waiting").let_go()  # it has lost nothing
        await clear_the_way(holds)
        endings = await bring_to_head(stand, service)
        lost = await service.events(kind="run.interrupted")
    assert {e["target"] for e in lost} >= set(FLEET) - {"waiting"}
    assert "RunnerLostError" in {e["data"]["error"] for e in lost}
    show(record_property, SCRIPTS, "runners", endings)


@pytest.mark.slow
@pytest.mark.parametrize(("driver", "env"), [("psycopg", SYNC_ENV), ("asyncpg", ASYNC_ENV)])
async def test_the_backends_are_terminated(
    tmp_path: Path, urls: dict[str, str], driver: str, env: str, record_property: Record
) -> None:
    """A service whose connections are cut settles what they did, and goes on by itself."""
    config = history(tmp_path / "history", env)
    stand = on_sqlite(FLEET, config, urls, history=f'driver = "{driver}"')
    async with held(urls, stand.holds) as holds, stand.site.served() as service:
        await strike(stand, holds, lambda: terminate_all(stand))
        await clear_the_way(holds)
        endings = await bring_to_head(stand, service)
        lost = await service.events(kind="run.interrupted")
    assert {e["target"] for e in lost} == set(FLEET)
    assert "ConnectionLostError" in {e["data"]["error"] for e in lost}
    show(record_property, SCRIPTS, "sessions", endings)


@pytest.mark.slow
async def test_the_server_crashes(tmp_path: Path, record_property: Record) -> None:
    """A server that restarts after a crash is waited for, with the control database on it."""
    async with own_server() as (_, databases):
        urls = await make_targets(databases, FLEET)
        (database,) = await databases(1)
        stand = on_postgres(FLEET, history(tmp_path / "history"), urls, database)
        async with held(urls, stand.holds) as holds, stand.site.served() as service:

            async def blow() -> None:
                os.kill(holds["inside"].session.get_server_pid(), signal.SIGKILL)

            await strike(stand, holds, blow)
            endings = await bring_to_head(stand, service)
    show(record_property, SCRIPTS, "server", endings)


@pytest.mark.slow
async def test_what_nobody_can_tell_is_for_a_person(tmp_path: Path, databases: Databases) -> None:
    """It is a named stop, once, and nothing goes on until somebody looks and settles it."""
    urls = await make_targets(databases, ["indexed", "other"])
    fleet = {"indexed": FLEET["indexed"]}
    stand = on_sqlite(fleet, history(tmp_path / "history"), urls)
    async with held(urls, stand.holds) as holds, stand.site.served() as service:
        # It has no gate: killed while its index is built, it would stop as well.
        await until(lambda: is_current(service, "other"))
        await strike(stand, holds, service.kill)
        await clear_the_way(holds)
    async with stand.site.served() as service:

        async def has_stopped() -> bool:
            return (await service.targets())["indexed"]["problem"] is not None

        await until(has_stopped)
        stopped = (await service.targets())["indexed"]
        assert stopped["heads"] == ["r2"]
        told = STOPPED.fullmatch(stopped["problem"])
        assert told, stopped["problem"]
        seen = len(await service.events(target="indexed"))
        await asyncio.sleep(1)  # several sweeps
        assert len(await service.events(target="indexed")) == seen
        await until(lambda: is_current(service, "other"))

        await execute(urls["indexed"], "DROP INDEX third")  # a person takes it back
        settled = await stand.site.run("settle", told[3], "absent")
        assert (settled.code, settled.err) == (0, "")
        await service.all_current()
        assert in_doubt(await service.events()) == set()
    assert await ledger(urls["indexed"]) == ["r1", "r2", "r3", "r4"]
