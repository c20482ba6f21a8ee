"""Many equal databases at head of the sample history, and the settings that name them."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from bench.configuration import ROOT, configured
from providers.postgres.embedded import Server, throwaway_postgres

TEMPLATE = "fleet_template"
SPARE_CONNECTIONS = 20  # for the superuser, and for sessions that are still closing


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Databases with nothing pending, and a configuration that has them as targets."""

    urls: tuple[str, ...] = field(repr=False)
    config: Path  #: the `levelhead.toml`; the service's clock ticks every second
    api: str  #: where a service of this configuration answers
    postgres: int  #: the server's major version


@asynccontextmanager
async def running_fleet(*, targets: int, width: int) -> AsyncIterator[Fleet]:
    """Create *targets* databases on a server of their own; all is gone after the block.

    Args:
        targets: How many databases.
        width: How many of them a sweep looks at together.
    """
    async with throwaway_postgres(max_connections=width + SPARE_CONNECTIONS) as server:
        urls = await _create_databases(server, targets)
        port = _free_port()
        clock = f'schedule = {{ every = "1s", jitter = "0s", concurrency = {width} }}'
        with configured(urls, clock, f"api = {{ port = {port} }}") as config:
            api = f"http://127.0.0.1:{port}/api/v1"
            yield Fleet(urls=urls, config=config, api=api, postgres=server.major)


async def _create_databases(server: Server, targets: int) -> tuple[str, ...]:
    """Migrate one database with plain Alembic, and copy it *targets* times."""
    names = [f"fleet_{number:04}" for number in range(targets)]
    await _run_on(server, [f"CREATE DATABASE {TEMPLATE}"])
    await _migrate(server.url(TEMPLATE))
    await _run_on(server, [f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}" for name in names])
    return tuple(server.url(name) for name in names)


async def _run_on(server: Server, statements: Sequence[str]) -> None:
    connection = await asyncpg.connect(server.url("postgres"))
    try:
        for sql in statements:
            await connection.execute(sql)
    finally:
        await connection.close()


async def _migrate(url: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "alembic", "upgrade", "head"),
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": url, "POSTGRES_PROVIDER": "local"},
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await process.communicate()
    if process.returncode != 0:
        raise SystemExit(f"alembic upgrade head failed:\n{errors.decode()}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
