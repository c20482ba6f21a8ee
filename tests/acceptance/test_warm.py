"""Connections that a service keeps open between sweeps, and what people do meanwhile."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.support.engine import execute, query
from tests.support.histories import Scripts
from tests.support.service import SCHEDULE, Service, until, write_site
from tests.support.stands import own_server

IDLE = (
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
    " AND application_name = 'levelhead' AND state = 'idle'"
)


async def idle(url: str) -> list[object]:
    """Return the server processes that wait for the next sweep."""
    return [row[0] for row in await query(url, IDLE)]


async def swept_again(service: Service) -> None:
    """Wait until every target was looked at once more."""
    before = {name: each["checked_at"] for name, each in (await service.targets()).items()}

    async def is_so() -> bool:
        found = await service.targets()
        return all(found[name]["checked_at"] > at for name, at in before.items())

    await until(is_so)


async def test_a_day_of_warm_connections(tmp_path: Path) -> None:
    """Sweeps share a connection; a crash of the server, and a forced drop, are seen through."""
    scripts = Scripts(tmp_path / "history")
    scripts.add_tables("a1")
    schedule = {**SCHEDULE, "drift_every": "off"}
    async with own_server() as (postgres, databases):
        here, gone = await databases(2)
        site = write_site(scripts.config, {"here": here, "gone": gone}, schedule=schedule)
        async with site.served() as service:
            await service.all_current()
            await swept_again(service)
            kept = await idle(here)
            await swept_again(service)
            assert await idle(here) == kept
            assert len(kept) == 1

            os.kill(int(str(kept[0])), signal.SIGKILL)  # the whole server restarts
            await asyncio.sleep(0.2)
            await service.all_current()
            await swept_again(service)
            assert len(await idle(here)) == 1
            assert await idle(here) != kept

            name = urlsplit(gone).path[1:]
            with pytest.raises(asyncpg.ObjectInUseError):
                await execute(postgres.admin_url, f"DROP DATABASE {name}")
            await execute(postgres.admin_url, f"DROP DATABASE {name} WITH (FORCE)")
            await swept_again(service)
            found = await service.targets()
            assert found["here"]["status"] == "current"
            assert found["gone"]["status"] == "unreachable"
            assert await service.stop() == 0

        async def is_alone() -> bool:
            return await idle(here) == []

        await until(is_alone)
