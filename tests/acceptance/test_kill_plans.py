"""Whatever is killed while a compiled plan is replayed, revisions are applied once in the end."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from tests.support.killing import held, ledger, locked, make_targets
from tests.support.killing_plans import AT_R0, write_history
from tests.support.matrix import PLANS as TITLE
from tests.support.matrix import show
from tests.support.postgres import Databases, Postgres
from tests.support.proxy import Loss, Proxy
from tests.support.service import until
from tests.support.stands import (
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
    "guarding": Point("guarding"),
    "inside": Point("inside"),
    "committing": Point("committing"),
    "committed": Point("committing", "SELECT FROM alembic_version WHERE version_num = 'r2'"),
    "parting": Point("parting"),
    "parted": Point("parting", TRUTH["transaction"]),
    "indexing": Point("indexing"),
    "half": Point("half"),
    "indexed": Point("indexing", TRUTH["statement"]),
    "stamping": Point("stamping"),
    "stamped": Point("stamping", "SELECT FROM alembic_version WHERE version_num = 'r3'"),
    "last": Point("last"),
    "ended": Point("last", "SELECT FROM alembic_version WHERE version_num = 'r4'"),
}


@pytest.fixture
async def urls(databases: Databases) -> dict[str, str]:
    """Give the targets of the fleet."""
    return await make_targets(databases, FLEET, AT_R0)


@pytest.fixture(params=["sqlite", "postgresql"])
def stand(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    urls: dict[str, str],
    database: str,
    postgres: Postgres,
) -> Stand:
    """Give a stand with each kind of control database."""
    config, place = write_history(tmp_path / "history"), postgres.admin_url
    if request.param == "sqlite":
        return on_sqlite(FLEET, config, urls, shadow=place)
    return on_postgres(FLEET, config, urls, database, shadow=place)


@pytest.mark.slow
async def test_the_service_is_killed(stand: Stand, record_property: Record) -> None:
    """The next service finds out how far each run came, and goes on from there."""
    async with held(stand.urls, stand.holds) as holds, stand.site.served() as service:
        await strike(stand, holds, service.kill)
        await clear_the_way(holds)
    async with stand.site.served() as service:
        endings = await bring_to_head(stand, service)
    show(record_property, TITLE, "service", endings)


@pytest.mark.slow
async def test_the_service_is_killed_before_the_lease(
    tmp_path: Path, databases: Databases, database: str, postgres: Postgres
) -> None:
    """Request and lease are stored together: without them it is as if nobody had asked."""
    urls = await make_targets(databases, ["asking"], AT_R0)
    fleet, config = {"asking": Point("waiting")}, write_history(tmp_path / "history")
    stand = on_postgres(
        fleet, config, urls, database, shadow=postgres.admin_url, target='policy = "observe"'
    )
    async with stand.site.served() as service, locked(database, "leases") as is_waited_for:
        request = asyncio.create_task(service.post("/sync"))
        await until(is_waited_for)
        await service.kill()
        with pytest.raises(httpx.HTTPError):
            await request
    async with stand.site.served() as service:
        assert await service.runs() == []
        assert await ledger(urls["asking"]) == []
        await service.post("/sync")
        await bring_to_head(stand, service)


@pytest.mark.slow
async def test_the_backends_are_terminated(
    tmp_path: Path, urls: dict[str, str], postgres: Postgres, record_property: Record
) -> None:
    """A service whose sessions end, and the locks with them, settles and goes on by itself."""
    config = write_history(tmp_path / "history")
    stand = on_sqlite(FLEET, config, urls, shadow=postgres.admin_url)
    async with held(urls, stand.holds) as holds, stand.site.served() as service:
        await strike(stand, holds, lambda: terminate_all(stand))
        await clear_the_way(holds)
        endings = await bring_to_head(stand, service)
    show(record_property, TITLE, "sessions", endings)


@pytest.mark.slow
async def test_the_server_crashes(tmp_path: Path, record_property: Record) -> None:
    """A server that restarts after a crash is waited for, with the control database on it."""
    async with own_server() as (server, databases):
        urls = await make_targets(databases, FLEET, AT_R0)
        (database,) = await databases(1)
        config = write_history(tmp_path / "history")
        stand = on_postgres(FLEET, config, urls, database, shadow=server.admin_url)
        async with held(urls, stand.holds) as holds, stand.site.served() as service:

            async def blow() -> None:
                os.kill(holds["inside"].session.get_server_pid(), signal.SIGKILL)

            await strike(stand, holds, blow)
            endings = await bring_to_head(stand, service)
    show(record_property, TITLE, "server", endings)


#: Points, and what is in the messages that are lost there.
MESSAGES: Mapping[str, bytes] = {
    "inside": b"CREATE TABLE second",
    "parting": b"gate('parting')",
    "indexing": b"CREATE INDEX CONCURRENTLY third",
    "stamping": b"elements_text(''[\"r3\"]'')",
}


@pytest.mark.slow
@pytest.mark.parametrize("loss", [Loss.COMMIT, Loss.ANSWER], ids=["message", "answer"])
async def test_the_network_loses(
    tmp_path: Path,
    databases: Databases,
    postgres: Postgres,
    loss: Loss,
    record_property: Record,
) -> None:
    """A message that did not arrive, or whose answer did not, is looked up, and never doubled."""
    direct = await make_targets(databases, MESSAGES, AT_R0)
    fleet = {name: FLEET[name] for name in MESSAGES}
    async with AsyncExitStack() as stack:
        urls = {}
        for name, text in MESSAGES.items():
            proxy = Proxy(direct[name], text)
            proxy.loss = loss
            await stack.enter_async_context(proxy.listening())
            urls[name] = proxy.url
        config = write_history(tmp_path / "history")
        stand = on_sqlite(fleet, config, urls, shadow=postgres.admin_url)
        async with stand.site.served() as service:
            endings = await bring_to_head(stand, service)
    show(record_property, TITLE, "message" if loss is Loss.COMMIT else "answer", endings)
